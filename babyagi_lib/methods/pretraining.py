"""Pretraining at a small scale: a tokenizer, two ways to hide words, and baselines to beat. Used by lesson 01.

The models themselves come from transformers. This module makes a task from text: it cuts the text into blocks, hides
words, measures the loss on held-out text, and draws new text from a model.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.basics.labels import IGNORE

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PAD, MASK, END = "[PAD]", "[MASK]", "[END]"


# --- text to numbers --------------------------------------------------------------------------------------


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> PreTrainedTokenizerBase:
    """Train a byte-level byte-pair tokenizer (Sennrich et al. 2016; Radford et al. 2019).

    It starts from the 256 bytes, so that no text is unknown, and merges the most frequent pair of neighbours until there
    are `vocabulary` pieces, three special ones (`[PAD]`, `[MASK]`, `[END]`) included, or no pair is left to merge.

    Raises:
        ValueError: the vocabulary has no room for the bytes and the special pieces.
    """
    if vocabulary < 256 + 3:
        raise ValueError(f"a vocabulary of {vocabulary} pieces; 256 bytes and 3 special pieces need {256 + 3} at least")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, MASK, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        mask_token=MASK,
        eos_token=END,
        clean_up_tokenization_spaces=False,
    )


def to_blocks(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, length: int) -> Tensor:
    """All texts in one row, `[END]` after each, cut into (blocks, length) ids; the incomplete block at the end is dropped.

    Raises:
        ValueError: the texts are shorter than one block, or the length is not a positive whole number.
    """
    check_whole("length", length, 1)
    row = [i for ids in tokenizer(list(texts), verbose=False)["input_ids"] for i in [*ids, tokenizer.eos_token_id]]
    blocks = len(row) // length
    if blocks == 0:
        raise ValueError(f"the text has {len(row)} pieces, fewer than one block of {length}")
    return torch.tensor(row[: blocks * length]).view(blocks, length)


# --- hiding words -----------------------------------------------------------------------------------------


def mask_tokens(
    ids: Tensor, special: Collection[int], mask_id: int, vocabulary: int, share: float, draw: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Choose pieces for the model to predict and hide most of them (Devlin et al. 2019, section 3.1).

    Of the chosen ones 80% become `[MASK]`, 10% a random ordinary piece, 10% stay as they are.

    Args:
        ids: (..., length) piece ids; left as they are.
        special: ids that are never chosen and never drawn as a random piece.
        mask_id: the id of `[MASK]`.
        vocabulary: number of ids.
        share: the share of ordinary pieces that are chosen, on average; from 0 to 1.
        draw: source of randomness.

    Returns:
        The inputs, and the labels: the original piece where one was chosen, `IGNORE` elsewhere.

    Raises:
        ValueError: the share is not from 0 to 1, or every id is special.
    """
    check_number("share", share, 0, 1)
    special = set(special)
    ordinary = torch.tensor([i for i in range(vocabulary) if i not in special])
    if not len(ordinary):
        raise ValueError(f"all {vocabulary} ids are special; no piece can be chosen")
    chosen = (torch.rand(ids.shape, generator=draw) < share) & torch.isin(ids, ordinary)
    labels = torch.where(chosen, ids, IGNORE)
    fate = torch.rand(ids.shape, generator=draw)
    random_piece = ordinary[torch.randint(len(ordinary), ids.shape, generator=draw)]
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), random_piece, inputs)
    return inputs, labels


# --- baselines --------------------------------------------------------------------------------------------


@dataclass
class NGrams:
    """Predictions of the next piece by counting.

    Attributes:
        unigram: (vocabulary,) share of each piece in the training text, one count added to each.
        bigram: (vocabulary, vocabulary) probability of each piece (column) after each piece (row).
    """

    unigram: np.ndarray
    bigram: np.ndarray

    @classmethod
    def count(cls, blocks: Tensor, vocabulary: int, discount: float = 0.75) -> NGrams:
        """Count pieces and pairs in (blocks, length) ids.

        Pairs are smoothed by absolute discounting (Ney et al. 1994): `discount` is taken from the count of every seen
        pair, and the sum of this after each piece is distributed in proportion to the unigram.

        Raises:
            ValueError: the discount is not from 0 to 1, or an id is not below `vocabulary`.
        """
        check_number("discount", discount, 0, 1)
        ids = blocks.numpy()
        if ids.size and not 0 <= ids.min() <= ids.max() < vocabulary:
            raise ValueError(f"ids from {ids.min()} to {ids.max()}; expected 0 to {vocabulary - 1}")
        unigram = np.bincount(ids.ravel(), minlength=vocabulary) + 1.0
        unigram /= unigram.sum()
        pairs = np.zeros((vocabulary, vocabulary))
        np.add.at(pairs, (ids[:, :-1], ids[:, 1:]), 1)
        after = np.maximum(pairs.sum(axis=1, keepdims=True), 1e-9)
        saved = np.where(pairs.any(axis=1, keepdims=True), discount * (pairs > 0).sum(axis=1, keepdims=True) / after, 1)
        return cls(unigram, np.maximum(pairs - discount, 0) / after + saved * unigram)

    def next_losses(self, blocks: Tensor) -> dict[str, float]:
        """Mean loss (nats) of predicting every piece from the one before it, as for a causal model.

        Raises:
            ValueError: the blocks have no second piece.
        """
        ids = blocks.numpy()
        if ids[:, 1:].size == 0:
            raise ValueError(f"blocks of the shape {tuple(ids.shape)} have no piece that follows another")
        before, piece = ids[:, :-1].ravel(), ids[:, 1:].ravel()
        return {
            "uniform": float(np.log(len(self.unigram))),
            "unigram": float(-np.log(self.unigram[piece]).mean()),
            "bigram": float(-np.log(self.bigram[before, piece]).mean()),
        }

    def masked_losses(self, inputs: Tensor, labels: Tensor, mask_id: int) -> dict[str, float]:
        """Mean loss (nats) of predicting chosen pieces from their neighbours in `inputs`.

        A neighbour that is hidden itself is not used. "both sides" multiplies the probability of the piece after its left
        neighbour by that of its right neighbour after the piece, and normalises. The input at the labelled position is
        not used, so labels should be where it is hidden.

        Raises:
            ValueError: there is no label.
        """
        vocabulary = len(self.unigram)
        seen, wanted = inputs.numpy(), labels.numpy()
        rows, columns = np.nonzero(wanted != IGNORE)
        piece = wanted[rows, columns]
        if len(piece) == 0:
            raise ValueError("there is no label to score")
        total = {"unigram": 0.0, "bigram": 0.0, "both sides": 0.0}
        for row, column, right_answer in zip(rows, columns, piece, strict=True):
            left = self.unigram
            if column > 0 and seen[row, column - 1] != mask_id:
                left = self.bigram[seen[row, column - 1]]
            both = left
            if column + 1 < seen.shape[1] and seen[row, column + 1] != mask_id:
                both = left * self.bigram[:, seen[row, column + 1]]
                both = both / both.sum()
            total["unigram"] -= np.log(self.unigram[right_answer])
            total["bigram"] -= np.log(left[right_answer])
            total["both sides"] -= np.log(both[right_answer])
        return {"uniform": float(np.log(vocabulary))} | {name: value / len(piece) for name, value in total.items()}


# --- measuring and sampling -------------------------------------------------------------------------------


@torch.no_grad()
def held_out_loss(model: nn.Module, inputs: Tensor, labels: Tensor, batch_size: int = 32) -> float:
    """Mean loss (nats) over all scored labels of (blocks, length) inputs, in evaluation mode.

    The forward runs in the model's own precision, the loss in float32. A masked model is scored at the position of each
    label; a causal model at the position before, so that the first label of a block is not scored. The model's own
    loss decides which: given a label in the first position only, a causal model has nothing to score.

    Args:
        model: called with `input_ids` and `labels`; returns `loss` and `logits` (blocks, length, vocabulary).
        inputs: (blocks, length) piece ids.
        labels: of the same shape; `IGNORE` where there is none.
        batch_size: blocks computed together; changes nothing but rounding.

    Raises:
        ValueError: shapes differ, no label is scored, or the batch size is not a positive whole number.
    """
    check_whole("batch_size", batch_size, 1)
    if inputs.ndim != 2 or inputs.shape != labels.shape:
        raise ValueError(
            f"inputs {tuple(inputs.shape)} and labels {tuple(labels.shape)}; expected one shape (blocks, length)"
        )
    device = next(model.parameters()).device
    model.eval()
    shift = _label_shift(model, inputs[:1].to(device)) if len(inputs) else 0
    items = int((labels[:, shift:] != IGNORE).sum())
    if items == 0:
        raise ValueError(
            f"no label of {tuple(labels.shape)} is scored" + "; a causal model skips the first position" * shift
        )
    total = 0.0
    for x, y in zip(inputs.split(batch_size), labels.split(batch_size), strict=True):
        x, y = x.to(device), y.to(device)
        logits = model(input_ids=x, labels=y)["logits"]
        if logits.shape[:2] != x.shape:
            raise ValueError(
                f"logits have the shape {tuple(logits.shape)} for inputs {tuple(x.shape)}; expected one for each"
            )
        scores = logits[:, : x.shape[1] - shift].flatten(0, 1).float()
        total += nn.functional.cross_entropy(
            scores, y[:, shift:].flatten(), ignore_index=IGNORE, reduction="sum"
        ).item()
    return total / items


def _label_shift(model: nn.Module, x: Tensor) -> int:
    """1 for a model that scores a label with the logits before it, 0 for one that scores it in its own position.

    The probe is a wrong label in the first position. Only a model of the second kind has a loss above 0 for it; the
    other has none to take the mean of, and returns nan or 0.
    """
    labels = torch.full_like(x, IGNORE)
    labels[:, 0] = (x[:, 0] == 0).to(labels.dtype)  # an id that is not the input's
    return 0 if model(input_ids=x, labels=labels)["loss"].item() > 0 else 1


@torch.no_grad()
def sample(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    pieces: int,
    *,
    temperature: float = 1.0,
    top: int = 0,
    seed: int = 0,
) -> str:
    """Draw a continuation from a causal model, one piece at a time, and return it with the prompt.

    Args:
        model: a causal model; it reads the last `max_position_embeddings` pieces only.
        tokenizer: the model's.
        prompt: at least one piece.
        pieces: how many to draw at most; `[END]` ends earlier.
        temperature: scores are divided by it; below 1, likely pieces become still more likely. To take the
            likeliest piece every time, use `top=1`.
        top: draw only from this many likeliest pieces; 0 for all.
        seed: for the draws.

    Raises:
        ValueError: the prompt is empty, the temperature is not above 0, or another number is out of its range.
    """
    check_whole("pieces", pieces, 0)
    check_whole("top", top, 0)
    check_whole("seed", seed, 0)
    check_number("temperature", temperature, 0, above=True)
    draw = torch.Generator().manual_seed(seed)
    ids = tokenizer(prompt)["input_ids"]
    if not ids:
        raise ValueError("the prompt is empty; a causal model needs at least one piece to continue")
    window = model.config.max_position_embeddings
    device = next(model.parameters()).device
    model.eval()
    for _ in range(pieces):
        scores = model(input_ids=torch.tensor([ids[-window:]], device=device))["logits"][0, -1].float().cpu()
        if top:
            scores[scores < scores.topk(min(top, len(scores))).values[-1]] = -torch.inf
        piece = int(torch.multinomial((scores / temperature).softmax(-1), 1, generator=draw))
        if piece == tokenizer.eos_token_id:
            break
        ids.append(piece)
    return tokenizer.decode(ids)


# --- what attention does ----------------------------------------------------------------------------------


@torch.no_grad()
def attention_maps(model: nn.Module, blocks: Tensor) -> Tensor:
    """Attention weights (layers, heads, blocks, looking, looked at); every row sums to 1."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")  # the fused implementations never form the table of weights
    model.eval()
    try:
        maps = model(input_ids=blocks.to(next(model.parameters()).device), output_attentions=True)["attentions"]
    finally:
        model.set_attn_implementation(before)
    return torch.stack([m.float().cpu().transpose(0, 1) for m in maps])


def attention_share(maps: Tensor, target: Tensor) -> Tensor:
    """The share of its attention that each head gives to a kind of target: (layers, heads).

    Args:
        maps: (layers, heads, blocks, length, length) from `attention_maps`.
        target: (blocks, length, length), True where the looked-at position is of that kind for the looking one.

    Returns:
        The mean, over positions that have such a target, of the attention to it.

    Raises:
        ValueError: no position has such a target.
    """
    has_one = target.any(dim=-1)
    if not has_one.any():
        raise ValueError("no position has a target of this kind")
    on_target = (maps * target).sum(dim=-1)
    return on_target[:, :, has_one].mean(dim=-1)
