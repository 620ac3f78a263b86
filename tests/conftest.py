"""Shared by all tests: a small encoder that needs no download, and the real data where it is present."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONLL = ROOT.parent / "shared" / "data" / "conll2003"

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may depend on the network


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def conll() -> Path:
    if not CONLL.is_dir():
        pytest.skip("CoNLL-2003 is not here: it may not be redistributed with the course")
    return CONLL


@pytest.fixture(scope="session")
def tokenizer():
    from transformers import AutoTokenizer

    from babyagi_lib import sources

    return AutoTokenizer.from_pretrained(sources.embedded_folder())


def tiny_encoder(dropout: float = 0.0):
    """A BERT with random weights that trains in a blink; its vocabulary is that of the embedded encoder."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    return BertModel(
        BertConfig(
            vocab_size=30522,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )
    )
