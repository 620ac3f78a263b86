"""Text to blocks and back, what masking leaves alone, baselines that are distributions, samples that can be repeated."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_lib import pretraining as pt

TEXTS = ["the cat sat on the mat. " * 30, "a dog, the cat and a mat. " * 30]


@pytest.fixture(scope="module")
def tokenizer():
    return pt.train_tokenizer(TEXTS, 300)


@pytest.fixture(scope="module")
def causal(tokenizer):
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=300,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=2,
        eos_token_id=2,
    )
    return LlamaForCausalLM(config).eval()


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_the_tokenizer_loses_nothing(text):
    tokenizer = test_the_tokenizer_loses_nothing.tokenizer
    plain = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if not any(name in plain for name in (pt.PAD, pt.MASK, pt.END)):
        assert tokenizer.decode(tokenizer(plain)["input_ids"]) == plain


test_the_tokenizer_loses_nothing.tokenizer = pt.train_tokenizer(TEXTS, 300)


def test_the_tokenizer_merges_what_is_frequent(tokenizer):
    assert len(tokenizer) <= 300
    assert tokenizer.tokenize("the cat") == ["the", "Ġcat"]
    assert [tokenizer.pad_token_id, tokenizer.mask_token_id, tokenizer.eos_token_id] == [0, 1, 2]


def test_blocks_are_the_text_in_order(tokenizer):
    blocks = pt.to_blocks(TEXTS, tokenizer, 20)
    row = [i for text in TEXTS for i in [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]]
    assert blocks.flatten().tolist() == row[: blocks.numel()]
    assert len(row) - blocks.numel() < 20
    with pytest.raises(ValueError, match="fewer than one block"):
        pt.to_blocks(["a"], tokenizer, 20)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 29), min_size=1, max_size=60), st.floats(0, 1), st.integers(0, 10**6))
def test_masking_changes_only_what_is_asked_about(ids, share, seed):
    ids = torch.tensor(ids)
    before = ids.clone()
    inputs, labels = pt.mask_tokens(ids, {0, 1, 2}, 1, 30, share, torch.Generator().manual_seed(seed))
    chosen = labels != -100
    assert torch.equal(ids, before)
    assert torch.equal(inputs[~chosen], ids[~chosen]) and torch.equal(labels[chosen], ids[chosen])
    assert not (chosen & (ids < 3)).any()
    assert ((inputs[chosen] == 1) | (inputs[chosen] >= 3)).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=8, max_size=8 * 12).map(lambda x: x[: len(x) // 4 * 4]))
def test_baselines_are_distributions(ids):
    counted = pt.NGrams.count(torch.tensor(ids).view(-1, 4), 10)
    assert np.isclose(counted.unigram.sum(), 1)
    assert np.allclose(counted.bigram.sum(axis=1), 1)
    assert (counted.bigram > 0).all(), "nothing is impossible"


def test_baselines_know_what_they_counted():
    """On a text that goes round in a ring the bigram is nearly sure, the unigram not at all."""
    blocks = torch.arange(400).remainder(10).view(-1, 20)
    lines = pt.NGrams.count(blocks, 10).next_losses(blocks)
    assert lines["uniform"] == pytest.approx(np.log(10)) and lines["unigram"] == pytest.approx(np.log(10), abs=0.01)
    assert lines["bigram"] < 0.1


def test_a_hidden_neighbour_tells_nothing():
    """Both sides know more than one, one more than none; with every neighbour hidden all know the same."""
    blocks = torch.arange(3, 3 + 400).remainder(7).add(3).view(-1, 20)
    counted = pt.NGrams.count(blocks, 10)
    labels = torch.full_like(blocks, -100)
    labels[:, 5] = blocks[:, 5]
    alone = torch.where(labels != -100, 1, blocks)
    seen = counted.masked_losses(alone, labels, 1)
    assert seen["both sides"] < seen["bigram"] < seen["unigram"]
    hidden = alone.clone()
    hidden[:, 4] = hidden[:, 6] = 1
    blind = counted.masked_losses(hidden, labels, 1)
    with pytest.raises(ValueError, match="no label"):
        counted.masked_losses(alone, torch.full_like(labels, -100), 1)
    assert blind["both sides"] == pytest.approx(blind["unigram"]) == pytest.approx(blind["bigram"])


def test_held_out_loss_weighs_pieces_alike(causal):
    """One call over all blocks, or in batches of another size, is the same mean; and it is the model's own loss."""
    blocks = torch.randint(3, 300, (7, 16), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = causal(input_ids=blocks, labels=blocks).loss.item()
    assert pt.held_out_loss(causal, blocks, blocks, batch_size=2) == pytest.approx(whole, rel=1e-5)
    assert pt.held_out_loss(causal, blocks, blocks) == pytest.approx(whole, rel=1e-5)


def test_samples_repeat_and_windows_slide(causal, tokenizer):
    a, b, c = (pt.sample(causal, tokenizer, "the cat", 40, seed=s) for s in (1, 1, 2))
    assert a == b != c and a.startswith("the cat")
    assert pt.sample(causal, tokenizer, "the", 5, top=1, seed=1) == pt.sample(
        causal, tokenizer, "the", 5, top=1, seed=9
    )


def test_attention_is_a_share_and_respects_the_mask(causal):
    blocks = torch.randint(3, 300, (3, 16), generator=torch.Generator().manual_seed(0))
    maps = pt.attention_maps(causal, blocks)
    assert maps.shape == (2, 2, 3, 16, 16)
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 2, 3, 16))
    assert maps.triu(1).abs().max() == 0
    everything = torch.ones(3, 16, 16, dtype=torch.bool)
    torch.testing.assert_close(pt.attention_share(maps, everything), torch.ones(2, 2))
    first = torch.zeros(3, 16, 16, dtype=torch.bool)
    first[:, 0, 0] = True  # only the first position has such a target, and it can look nowhere else
    torch.testing.assert_close(pt.attention_share(maps, first), torch.ones(2, 2))
