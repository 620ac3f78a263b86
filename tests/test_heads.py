"""Tagger and input adapter: what they compute, what they change, and that they survive saving whole."""

import json
import subprocess
import sys

import pytest
import torch
from conftest import tiny_encoder

from babyagi_lib import heads, sources, tagging, training

NAMES = ["O", "B-LOC", "I-LOC"]
SENTENCES = [["Accra", "won", "."], ["The", "mayor", "of", "OSLO", "iPhones"]]


def batch(tokenizer, tags=None):
    return training.pad_batch(tagging.encode(SENTENCES, tags, NAMES, tokenizer).windows)


def test_loss_is_the_mean_over_labelled_pieces(tokenizer):
    model = heads.TokenTagger(tiny_encoder(), NAMES).eval()
    inputs = batch(tokenizer, [["B-LOC", "O", "O"], ["O", "O", "O", "B-LOC", "O"]])
    out = model(**inputs)
    labelled = inputs["labels"] != tagging.IGNORE
    logp = out["logits"].log_softmax(-1)[labelled]
    by_hand = -logp[torch.arange(len(logp)), inputs["labels"][labelled]].mean()
    torch.testing.assert_close(out["loss"], by_hand)


def test_a_new_input_adapter_changes_nothing_to_the_bit(tokenizer):
    encoder, _ = sources.load_encoder()
    model = heads.TokenTagger(encoder, NAMES, input_adapter=True).eval()
    inputs = batch(tokenizer)
    del inputs["labels"]
    with torch.no_grad():
        with_adapter = model(**inputs)["logits"]
        model.input_adapter = None
        assert torch.equal(with_adapter, model(**inputs)["logits"])


def test_one_seed_gives_one_head_with_and_without_the_adapter():
    """Otherwise a comparison of the two would compare two initialisations as well."""
    heads_of = []
    for adapter in (False, True):
        encoder = tiny_encoder()
        torch.manual_seed(3)
        heads_of.append(heads.TokenTagger(encoder, NAMES, input_adapter=adapter).head.linear.weight)
    assert torch.equal(*heads_of)


def test_the_adapter_lets_an_uncased_encoder_tell_case(tokenizer):
    model = heads.TokenTagger(tiny_encoder(), NAMES, input_adapter=True).eval()
    torch.nn.init.normal_(model.input_adapter.case.weight)

    def logits(word):
        inputs = training.pad_batch(tagging.encode([[word]], None, NAMES, tokenizer).windows)
        return model(inputs["input_ids"], inputs["attention_mask"], inputs["case_ids"])["logits"]

    assert not torch.allclose(logits("May"), logits("may"))
    model.input_adapter = None
    assert torch.equal(logits("May"), logits("may"))


def test_every_parameter_gets_a_gradient(tokenizer):
    """Training in several processes breaks on a parameter without one."""
    model = heads.TokenTagger(tiny_encoder(), NAMES, input_adapter=True)
    model(**batch(tokenizer, [["B-LOC", "O", "O"], ["O"] * 5]))["loss"].backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("input_adapter", [False, True])
def test_save_and_load_in_a_fresh_process(tmp_path, tokenizer, input_adapter):
    model = heads.TokenTagger(tiny_encoder(), NAMES, input_adapter=input_adapter).eval()
    if input_adapter:
        torch.nn.init.normal_(model.input_adapter.case.weight)
    folder = model.save(tmp_path / "with space é", tokenizer)
    assert sorted(p.suffix for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pkl")) == []
    inputs = batch(tokenizer)
    del inputs["labels"]
    program = """
import json, sys, torch
from babyagi_lib import heads, tagging, training
model, tokenizer = heads.TokenTagger.load(sys.argv[1])
inputs = training.pad_batch(tagging.encode(json.loads(sys.argv[2]), None, model.tag_names, tokenizer).windows)
del inputs["labels"]
print(json.dumps(model(**inputs)["logits"].tolist()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder), json.dumps(SENTENCES)], capture_output=True, text=True, check=True
    )
    with torch.no_grad():
        expected = model(**inputs)["logits"]
    torch.testing.assert_close(torch.tensor(json.loads(done.stdout)), expected, atol=1e-5, rtol=1e-5)


def test_loading_something_else_says_so(tmp_path):
    with pytest.raises(sources.SourceError, match=r"no tagger\.json"):
        heads.TokenTagger.load(tmp_path)
