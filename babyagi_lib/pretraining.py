"""Pretraining, small enough to watch: tokenizer, two ways to hide words, and baselines to beat. Used by lesson 01.

The models themselves come from transformers. What is written out here is what makes text into a task: cutting it
into blocks, hiding words, measuring the loss on text that was held out, and drawing new text from a model.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from babyagi_lib.tagging import IGNORE

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PAD, MASK, END = "[PAD]", "[MASK]", "[END]"


# --- text to numbers --------------------------------------------------------------------------------------


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> PreTrainedTokenizerBase:
    """Train a byte-level byte-pair tokenizer (Sennrich et al. 2016; Radford et al. 2019).

    It starts from the 256 bytes, so that no text is ever unknown, and merges the most frequent pair of neighbours
    until there are `vocabulary` pieces, three special ones (`[PAD]`, `[MASK]`, `[END]`) included, or nothing is left to
    merge.

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
    """All texts in one row, `[END]` after each, cut into (blocks, length) ids; what is left at the end is dropped.

    Raises:
        ValueError: the texts are shorter than one block, or a block has no length.
    """
    if length < 1:
        raise ValueError(f"blocks of {length} pieces; expected 1 at least")
    row = [i for ids in tokenizer(list(texts), verbose=False)["input_ids"] for i in [*ids, tokenizer.eos_token_id]]
    blocks = len(row) // length
    if blocks == 0:
        raise ValueError(f"the text has {len(row)} pieces, fewer than one block of {length}")
    return torch.tensor(row[: blocks * length]).view(blocks, length)


# --- hiding words -----------------------------------------------------------------------------------------


def mask_tokens(
    ids: Tensor, special: Collection[int], mask_id: int, vocabulary: int, share: float, draw: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Choose pieces to be guessed and hide most of them (Devlin et al. 2019, section 3.1).

    Of the chosen ones 80% become `[MASK]`, 10% a random ordinary piece, 10% stay as they are.

    Args:
        ids: (..., length) piece ids; left as they are.
        special: ids that are never chosen and never drawn as a random piece.
        mask_id: the id of `[MASK]`.
        vocabulary: number of ids.
        share: of the ordinary pieces, how many are chosen on average.
        draw: source of randomness.

    Returns:
        What the model reads, and what it should say: the original piece where one was chosen, `IGNORE` elsewhere.

    Raises:
        ValueError: the share is not one.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {share}; expected a number between 0 and 1")
    ordinary = torch.tensor([i for i in range(vocabulary) if i not in set(special)])
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
    """What can be said about the next piece by counting.

    Attributes:
        unigram: (vocabulary,) share of each piece in the training text, one count added to each.
        bigram: (vocabulary, vocabulary) probability of each piece (column) after each piece (row).
    """

    unigram: np.ndarray
    bigram: np.ndarray

    @classmethod
    def count(cls, blocks: Tensor, vocabulary: int, discount: float = 0.75) -> NGrams:
        """Count pieces and pairs in (blocks, length) ids.

        Pairs are smoothed by absolute discounting (Ney et al. 1994): every seen pair gives up `discount` of a count,
        and what is saved after a piece is shared out by the unigram.
        """
        ids = blocks.numpy()
        unigram = np.bincount(ids.ravel(), minlength=vocabulary) + 1.0
        unigram /= unigram.sum()
        pairs = np.zeros((vocabulary, vocabulary))
        np.add.at(pairs, (ids[:, :-1], ids[:, 1:]), 1)
        after = np.maximum(pairs.sum(axis=1, keepdims=True), 1e-9)
        saved = np.where(pairs.any(axis=1, keepdims=True), discount * (pairs > 0).sum(axis=1, keepdims=True) / after, 1)
        return cls(unigram, np.maximum(pairs - discount, 0) / after + saved * unigram)

    def next_losses(self, blocks: Tensor) -> dict[str, float]:
        """Mean loss (nats) of guessing every piece from the one before it, as a causal model is scored."""
        ids = blocks.numpy()
        before, piece = ids[:, :-1].ravel(), ids[:, 1:].ravel()
        return {
            "uniform": float(np.log(len(self.unigram))),
            "unigram": float(-np.log(self.unigram[piece]).mean()),
            "bigram": float(-np.log(self.bigram[before, piece]).mean()),
        }

    def masked_losses(self, inputs: Tensor, labels: Tensor, mask_id: int) -> dict[str, float]:
        """Mean loss (nats) of guessing chosen pieces from their neighbours as the model reads them.

        A neighbour that is hidden itself tells nothing. "both sides" multiplies what the left neighbour says of the
        piece with what the piece says of the right neighbour, and normalises. What stands at the place itself is not
        looked at, so labels should be where it is hidden.

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
    """Mean loss (nats per guessed piece) on (blocks, length) inputs and labels, in the model's own precision."""
    device = next(model.parameters()).device
    total = items = 0.0
    model.eval()
    for x, y in zip(inputs.split(batch_size), labels.split(batch_size), strict=True):
        x, y = x.to(device), y.to(device)
        count = int((y[:, 1:] != IGNORE).sum()) if _is_causal(model) else int((y != IGNORE).sum())
        if count:
            total += model(input_ids=x, labels=y)["loss"].item() * count
            items += count
    return total / items


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
        model: a causal model whose window the prompt and `pieces` fit into, or slide through.
        tokenizer: the model's.
        prompt: at least one piece.
        pieces: how many to draw at most; `[END]` ends earlier.
        temperature: scores are divided by it; below 1 the likely gets likelier.
        top: draw only from this many likeliest pieces; 0 for all.
        seed: for the draws.

    Raises:
        ValueError: the prompt is empty, or the temperature is not above 0.
    """
    draw = torch.Generator().manual_seed(seed)
    ids = tokenizer(prompt)["input_ids"]
    if not ids:
        raise ValueError("the prompt is empty; a causal model needs something to go on from")
    if temperature <= 0:
        raise ValueError(f"the temperature is {temperature}; expected above 0 (for the likeliest piece: top=1)")
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


def _is_causal(model: nn.Module) -> bool:
    return type(model).__name__.endswith("CausalLM")


# --- what attention does ----------------------------------------------------------------------------------


@torch.no_grad()
def attention_maps(model: nn.Module, blocks: Tensor) -> Tensor:
    """Who looks at whom: (layers, heads, blocks, looking, looked at), every row adding up to 1."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")  # the fused kinds never form the table of weights
    model.eval()
    maps = model(input_ids=blocks.to(next(model.parameters()).device), output_attentions=True)["attentions"]
    model.set_attn_implementation(before)
    return torch.stack([m.float().cpu().transpose(0, 1) for m in maps])


def attention_share(maps: Tensor, target: Tensor) -> Tensor:
    """How much of its attention each head gives to a kind of target: (layers, heads).

    Args:
        maps: (layers, heads, blocks, length, length) from `attention_maps`.
        target: (blocks, length, length), True where the looked-at position is of that kind for the looking one.

    Returns:
        The mean, over positions that have such a target, of the attention that falls on it.
    """
    has_one = target.any(dim=-1)
    on_target = (maps * target).sum(dim=-1)
    return on_target[:, :, has_one].mean(dim=-1)
