"""Tagger and input adapter: what they compute, what they change, and that they survive saving whole."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import tiny_encoder
from small_models import small

from babyagi_lib.models import heads
from babyagi_lib.models.saving import ModelError
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.text import wordpieces
from babyagi_lib.training.batches import pad_batch
from babyagi_lib.training.prediction import predict

NAMES = ["O", "B-LOC", "I-LOC"]
SENTENCES = [["Accra", "won", "."], ["The", "mayor", "of", "OSLO", "iPhones"]]


def batch(tokenizer, tags=None):
    return pad_batch(wordpieces.encode(SENTENCES, tags, NAMES, tokenizer).windows)


def test_loss_is_the_mean_over_labelled_pieces(tokenizer):
    model = heads.TokenTagger(tiny_encoder(), NAMES).eval()
    inputs = batch(tokenizer, [["B-LOC", "O", "O"], ["O", "O", "O", "B-LOC", "O"]])
    out = model(**inputs)
    labelled = inputs["labels"] != wordpieces.IGNORE
    logp = out["logits"].log_softmax(-1)[labelled]
    by_hand = -logp[torch.arange(len(logp)), inputs["labels"][labelled]].mean()
    torch.testing.assert_close(out["loss"], by_hand)


def test_a_new_input_adapter_changes_nothing_to_the_bit(tokenizer):
    encoder, _ = load_encoder()
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
        inputs = pad_batch(wordpieces.encode([[word]], None, NAMES, tokenizer).windows)
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
from babyagi_lib.models import heads
from babyagi_lib.models.saving import ModelError
from babyagi_lib.text import wordpieces
from babyagi_lib.training.batches import pad_batch
from babyagi_lib.training.prediction import predict
model, tokenizer = heads.TokenTagger.load(sys.argv[1])
inputs = pad_batch(wordpieces.encode(json.loads(sys.argv[2]), None, model.tag_names, tokenizer).windows)
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
    with pytest.raises(ModelError, match=r"no tagger\.json"):
        heads.TokenTagger.load(tmp_path)


def test_a_tagger_with_an_encoder_that_reads_one_way_is_refused(tmp_path, tokenizer):
    model = heads.TokenTagger(tiny_encoder(), NAMES)
    model.encoder.config.is_decoder = True
    with pytest.raises(ModelError, match="reads from left to right"):
        heads.TokenTagger.load(model.save(tmp_path / "tagger", tokenizer))


def test_a_tagger_with_other_weights_is_refused(tmp_path, tokenizer):
    folder = heads.TokenTagger(tiny_encoder(), NAMES).save(tmp_path / "tagger", tokenizer)
    about = {"tag_names": NAMES, "input_adapter": True}
    (folder / "tagger.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(ModelError, match=r"damaged tagger .*input_adapter\.case\.weight"):
        heads.TokenTagger.load(folder)


# --- what heads compute ------------------------------------------------------------------------------------


def test_the_mean_is_over_real_pieces_by_hand():
    states = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [100.0, 100.0]], [[5.0, 7.0], [9.0, 9.0], [9.0, 9.0]]])
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    assert heads.mean_pool(states, mask).tolist() == [[2.0, 4.0], [5.0, 7.0]]
    assert heads.mean_pool(states, torch.zeros_like(mask)).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_a_sentence_head_by_hand():
    head = heads.SentenceHead(4, 3).eval()
    states, mask = torch.randn(2, 5, 4), torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1]])
    out = head(states, mask, torch.tensor([2, 0]))
    expected = torch.stack([head.linear(states[0, :2].mean(0)), head.linear(states[1].mean(0))])
    torch.testing.assert_close(out["logits"], expected)
    torch.testing.assert_close(out["loss"], -(expected.log_softmax(1)[0, 2] + expected.log_softmax(1)[1, 0]) / 2)


def test_a_span_head_by_hand():
    head = heads.SpanHead(4).eval()
    states, mask = torch.randn(2, 5, 4), torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    assert head.linear.out_features == 2
    out = head(states, mask)
    assert set(out) == {"logits"} and out["logits"].shape == (2, 5, 2)
    raw = head.linear(states)
    torch.testing.assert_close(out["logits"][mask == 1], raw[mask == 1])
    assert (out["logits"][0].softmax(0)[3:] == 0).all()
    loss = head(states, mask, starts=torch.tensor([0, 3]), ends=torch.tensor([2, 4]))["loss"]
    choose = [raw[0, :3, 0].log_softmax(0)[0], raw[1, :, 0].log_softmax(0)[3]]
    choose += [raw[0, :3, 1].log_softmax(0)[2], raw[1, :, 1].log_softmax(0)[4]]
    torch.testing.assert_close(loss, -torch.stack(choose).mean())


def test_heads_drop_a_tenth_of_the_states_unless_asked_otherwise():
    for head in (heads.SentenceHead(4, 3), heads.TokenHead(4, 3), heads.SpanHead(4)):
        assert head.dropout.p == pytest.approx(0.1)
    model = heads.TokenTagger(tiny_encoder(dropout=0.3), NAMES)
    assert heads.without_dropout(model) is model
    found = [module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    assert len(found) > 3 and set(found) == {0.0}


def test_the_input_adapter_by_hand():
    adapter = heads.InputAdapter(4)
    torch.nn.init.normal_(adapter.case.weight)
    embeddings, cases = torch.randn(2, 3, 4), torch.tensor([[0, 1, 4], [2, 2, 3]])
    torch.testing.assert_close(adapter(embeddings, cases), embeddings + adapter.case.weight[cases])
    assert heads.TokenTagger(tiny_encoder(), NAMES).input_adapter is None


# --- where a tagger may be saved ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mine", "./mine", "new/folder/mine", "sub/../mine", "~/mine"])
def test_relative_names_are_saved_where_they_say(tmp_path, monkeypatch, tokenizer, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "sub").mkdir()
    model = heads.TokenTagger(tiny_encoder(), NAMES)
    for _ in range(2):  # the second time, the first is replaced
        saved = model.save(name, tokenizer)
    assert saved.is_absolute() and saved == tmp_path / name.removeprefix("~/").replace("sub/../", "")
    assert heads.TokenTagger.load(name)[0].tag_names == NAMES


@pytest.mark.parametrize("name", [".", "", "..", "../..", "/", "~"])
def test_the_folder_one_works_in_is_not_replaced(tmp_path, monkeypatch, tokenizer, name):
    work = tmp_path / "a" / "b"
    work.mkdir(parents=True)
    (work / "notebook.ipynb").write_text("work of a day")
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(work))
    with pytest.raises(ModelError, match="holds the folder you work in"):
        heads.TokenTagger(tiny_encoder(), NAMES).save(name, tokenizer)
    assert (work / "notebook.ipynb").read_text() == "work of a day"


def test_a_folder_of_other_files_is_not_replaced(tmp_path, tokenizer):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "note.txt").write_text("keep me")
    model = heads.TokenTagger(tiny_encoder(), NAMES)
    with pytest.raises(ModelError, match="holds other files, and saving would delete them"):
        model.save(tmp_path / "notes", tokenizer)
    assert (tmp_path / "notes" / "note.txt").read_text() == "keep me"
    (tmp_path / "empty").mkdir()
    assert (model.save(tmp_path / "empty", tokenizer) / "tagger.json").is_file()


@pytest.mark.parametrize("name", ["a\0b", "~nobody-of-that-name/x"])
def test_a_name_that_can_be_no_path(tokenizer, name):
    for call in (
        lambda: heads.TokenTagger(tiny_encoder(), NAMES).save(name, tokenizer),
        lambda: heads.TokenTagger.load(name),
    ):
        with pytest.raises(ModelError, match="cannot be a path"):
            call()


@pytest.mark.parametrize(
    ("kind", "pieces"), [("Electra", "WordPiece"), ("ModernBert", "byte-level"), ("Roberta", "never")]
)
def test_taggers_of_other_encoders_come_back_with_their_tokenizers(tmp_path, kind, pieces):
    """Widths, positions and the way words are cut survive saving."""
    (tmp_path / "model").mkdir()
    encoder, tokenizer = load_encoder(str(small(kind, tmp_path / "model", pieces)))
    model = heads.TokenTagger(encoder, NAMES, input_adapter=True).eval()
    torch.nn.init.normal_(model.input_adapter.case.weight)
    loaded, its_tokenizer = heads.TokenTagger.load(model.save(tmp_path / "tagger", tokenizer))
    assert its_tokenizer.model_max_length == tokenizer.model_max_length
    sentences = [["Anna", "doesn't", "sing"], ["Basel"] * 80]
    parts, again = (wordpieces.encode(sentences, None, NAMES, one) for one in (tokenizer, its_tokenizer))
    assert parts == again
    for a, b in zip(*(predict(one, parts.windows) for one in (model, loaded)), strict=True):
        np.testing.assert_allclose(a, b, atol=0.03)  # attention is computed in another order, perhaps in 16 bits
