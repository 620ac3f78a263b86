"""Text to blocks and back, what masking leaves alone, baselines that are distributions, samples that can be repeated."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_lib.methods import pretraining as pt

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


@settings(max_examples=200)
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
    assert pt.to_blocks(TEXTS, tokenizer, 1).flatten().tolist() == row
    with pytest.raises(ValueError, match="fewer than one block"):
        pt.to_blocks(["a"], tokenizer, 20)


@settings(max_examples=100)
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


@settings(max_examples=50)
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


def test_counts_by_hand():
    """Pairs 0-1 twice and 1-0 once; id 2 is never seen. Discount one half."""
    counted = pt.NGrams.count(torch.tensor([[0, 1, 0, 1]]), 3, discount=0.5)
    assert counted.unigram == pytest.approx(np.array([3, 3, 1]) / 7)
    unseen = counted.unigram
    assert counted.bigram[0] == pytest.approx(np.array([0, 1.5, 0]) / 2 + 0.5 / 2 * unseen)
    assert counted.bigram[1] == pytest.approx(np.array([0.5, 0, 0]) + 0.5 * unseen)
    assert counted.bigram[2] == pytest.approx(unseen)
    usual = pt.NGrams.count(torch.tensor([[0, 1, 0, 1]]), 3)
    assert usual.bigram[0] == pytest.approx(np.array([0, 1.25, 0]) / 2 + 0.75 / 2 * unseen)
    losses = counted.next_losses(torch.tensor([[0, 1], [1, 2]]))
    assert losses["bigram"] == pytest.approx(-np.log([counted.bigram[0, 1], counted.bigram[1, 2]]).mean())
    assert losses["unigram"] == pytest.approx(-np.log([3 / 7, 1 / 7]).mean())


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_masked_losses_are_those_of_the_formula(seed, length):
    """At every position, the first and the last too, with hidden and visible neighbours."""
    draw = torch.Generator().manual_seed(seed)
    seen, labels = (torch.randint(4, (3, length), generator=draw) for _ in range(2))
    labels[torch.rand(labels.shape, generator=draw) < 0.3] = -100
    labels[0, -1] = 2
    counted, mask = pt.NGrams.count(torch.randint(4, (5, 6), generator=draw), 4), 1
    wanted = {"unigram": [], "bigram": [], "both sides": []}
    for b, t in (labels != -100).nonzero().tolist():
        left, right = (seen[b, k].item() if 0 <= k < length else mask for k in (t - 1, t + 1))
        before = counted.unigram if left == mask else counted.bigram[left]
        both = before * (1 if right == mask else counted.bigram[:, right])
        answer = labels[b, t].item()
        wanted["unigram"].append(-np.log(counted.unigram[answer]))
        wanted["bigram"].append(-np.log(before[answer]))
        wanted["both sides"].append(-np.log(both[answer] / both.sum()))
    wanted = {name: np.mean(losses) for name, losses in wanted.items()} | {"uniform": np.log(4)}
    assert counted.masked_losses(seen, labels, mask) == pytest.approx(wanted)


def test_what_becomes_of_the_chosen_pieces():
    """80% [MASK], 10% another piece, 10% as they are; of 60,000, so that 5 standard errors are small."""
    ids = torch.full((60_000,), 7)
    inputs, labels = pt.mask_tokens(ids, {0, 1, 2}, 1, 1003, 0.5, torch.Generator().manual_seed(0))
    chosen = labels != -100
    assert chosen.float().mean() == pytest.approx(0.5, abs=5 * 0.5 / 60_000**0.5)
    for share, p in (((inputs[chosen] == 1), 0.8), ((inputs[chosen] == 7), 0.1), ((inputs[chosen] > 7), 0.1)):
        assert share.float().mean() == pytest.approx(p, abs=5 * (p * (1 - p) / 30_000) ** 0.5 + 1e-3)


def test_what_else_pretraining_refuses(causal, tokenizer):
    blocks = torch.tensor([[0, 1, 5]])
    for vocabulary in (4, 5):
        with pytest.raises(ValueError, match=f"ids from 0 to 5; expected 0 to {vocabulary - 1}"):
            pt.NGrams.count(blocks, vocabulary)
    with pytest.raises(ValueError, match="discount is"):
        pt.NGrams.count(blocks, 6, discount=1.5)
    with pytest.raises(ValueError, match="no piece that follows"):
        pt.NGrams.count(blocks, 6).next_losses(blocks[:, :1])
    with pytest.raises(ValueError, match="all 3 ids are special"):
        pt.mask_tokens(blocks, {0, 1, 2}, 1, 3, 0.1, torch.Generator())
    for change in ({"pieces": -1}, {"top": -1}, {"seed": 0.5}, {"temperature": np.nan}):
        with pytest.raises(ValueError, match=next(iter(change))):
            pt.sample(causal, tokenizer, "the", **{"pieces": 2} | change)
    with pytest.raises(ValueError, match="no position has a target"):
        pt.attention_share(torch.ones(1, 1, 1, 2, 2), torch.zeros(1, 2, 2, dtype=torch.bool))
    assert len(pt.train_tokenizer(TEXTS, 259)) == 259, "the smallest vocabulary has no merges"
    with pytest.raises(ValueError, match="a vocabulary of 258 pieces"):
        pt.train_tokenizer(TEXTS, 258)


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


def language_models():
    """One of each kind in transformers, with weights large enough that its losses differ from piece to piece."""
    import transformers as T

    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    short = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 16}
    torch.manual_seed(0)
    made = {
        "gpt2": T.GPT2LMHeadModel(T.GPT2Config(vocab_size=50, **short)),
        "llama": T.LlamaForCausalLM(T.LlamaConfig(vocab_size=50, max_position_embeddings=16, **size)),
        "bert decoder": T.BertLMHeadModel(T.BertConfig(vocab_size=50, is_decoder=True, **size)),
        "bert": T.BertForMaskedLM(T.BertConfig(vocab_size=50, **size)),
        "roberta": T.RobertaForMaskedLM(T.RobertaConfig(vocab_size=50, max_position_embeddings=32, **size)),
    }
    for model in made.values():
        for parameter in model.parameters():
            parameter.data.mul_(3)
    return made


MODELS = language_models()
CAUSAL = {"gpt2", "llama", "bert decoder"}


@settings(max_examples=60)
@given(
    st.sampled_from([*MODELS]),
    st.integers(0, 10**6),
    st.sampled_from([0.02, 0.15, 0.6, 1.0]),
    st.booleans(),
    st.integers(1, 9),
)
def test_held_out_loss_is_the_mean_over_the_scored_labels(name, seed, share, first_column, batch_size):
    """Also with batches that differ in their number of labels, and with blocks whose only label is the first."""
    model, draw = MODELS[name], torch.Generator().manual_seed(seed)
    x = torch.randint(3, 50, (8, 8), generator=draw)
    y = torch.where(torch.rand(x.shape, generator=draw) < share, torch.randint(50, x.shape, generator=draw), -100)
    if first_column:
        y[:3, 0], y[:3, 1:] = x[:3, 0], -100
    shift = int(name in CAUSAL)
    with torch.no_grad():
        nats = -model.eval()(input_ids=x)["logits"].log_softmax(-1)
    scored = [nats[b, t - shift, y[b, t]] for b in range(8) for t in range(shift, 8) if y[b, t] != -100]
    if scored:
        found = pt.held_out_loss(model, x, y, batch_size=batch_size)
        assert found == pytest.approx(float(torch.stack(scored).mean()), rel=1e-4)
    else:
        with pytest.raises(ValueError, match=r"no label .* is scored"):
            pt.held_out_loss(model, x, y, batch_size=batch_size)


@pytest.mark.parametrize("name", [*MODELS])
def test_held_out_loss_is_the_models_own(name):
    x = torch.randint(3, 50, (5, 8), generator=torch.Generator().manual_seed(1))
    y = torch.where(x % 3 == 0, x, -100)
    with torch.no_grad():
        own = MODELS[name].eval()(input_ids=x, labels=y)["loss"].item()
    assert pt.held_out_loss(MODELS[name].train(), x, y) == pytest.approx(own, rel=1e-5), "without dropout"
    assert not MODELS[name].training


class Ones(torch.nn.Module):
    """A model of a reader's own: labels in their own position, and a loss of 0 where there is none."""

    def __init__(self, shift):
        super().__init__()
        self.table, self.shift = torch.nn.Embedding(50, 50), shift

    def forward(self, input_ids, labels):
        logits = self.table(input_ids)
        scores, y = logits[:, : labels.shape[1] - self.shift], labels[:, self.shift :]
        loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), y.flatten(), reduction="sum")
        return {"logits": logits, "loss": loss / max(1, (y != -100).sum())}


@pytest.mark.parametrize("shift", [0, 1])
def test_a_model_of_ones_own_is_scored_as_it_scores_itself(shift):
    """Neither a class name nor whether it looks ahead says what it scores."""
    torch.manual_seed(0)
    model, x = Ones(shift), torch.arange(40).view(5, 8)
    with torch.no_grad():
        model.table.weight += 40 * torch.eye(50)  # it is certain of the piece that it reads
        assert pt.held_out_loss(model, x, x) == pytest.approx(model(x, x)["loss"].item(), rel=1e-6, abs=1e-9)


def test_a_model_that_is_nearly_right_by_chance_is_scored_in_its_own_positions():
    """Its loss is small wherever the answer is 0: small, and still a loss that only such a model has."""
    model, x = Ones(shift=0), torch.arange(1, 41).view(5, 8)
    y = x.clone()
    y[:, 0] = 0
    with torch.no_grad():
        model.table.weight.zero_()[:, 0] = 6
        assert 0 < model(x[:, :1], y[:, :1])["loss"] < 0.2
        assert pt.held_out_loss(model, x, y) == pytest.approx(model(x, y)["loss"].item(), rel=1e-6)


def test_what_held_out_loss_refuses(causal):
    x = torch.ones(2, 8, dtype=torch.long)
    nothing = torch.full_like(x, -100)
    only_first = nothing.clone()
    only_first[:, 0] = 1
    with pytest.raises(ValueError, match=r"no label of \(2, 8\) is scored"):
        pt.held_out_loss(MODELS["bert"], x, nothing)
    assert pt.held_out_loss(MODELS["bert"], x, only_first) > 0
    with pytest.raises(ValueError, match="a causal model skips the first position"):
        pt.held_out_loss(causal, x, only_first)
    with pytest.raises(ValueError, match=r"no label of \(0, 8\) is scored"):
        pt.held_out_loss(causal, x[:0], x[:0])
    for y in (x[:, :-1], x[:1], x[0]):
        with pytest.raises(ValueError, match="expected one shape"):
            pt.held_out_loss(causal, x, y)
    with pytest.raises(ValueError, match="batch_size is 0"):
        pt.held_out_loss(causal, x, x, batch_size=0)


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
