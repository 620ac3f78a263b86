"""A classifier in a folder, as a graph, as a service: the same answers, and a clear word where something is wrong."""

import asyncio
import json
import logging
import shutil
import threading
import time
import warnings

import numpy as np
import pytest
import torch
from conftest import tiny_encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_lib.apps import bundle, checklist, devices, packages, web
from babyagi_lib.apps import onnx_export as onnx
from babyagi_lib.apps.classifier import TextClassifier, encode, fit_classifier
from babyagi_lib.apps.model_server import LONGEST, MOST_TEXTS, Batcher, make_app
from babyagi_lib.methods.fewshot import embed
from babyagi_lib.methods.probe import Probe

TEXTS = [
    "a short one",
    "this text is a good deal longer than the others are",
    "hm",
    "my parcel is late",
    "stop it",
    "42",
]
NAMES = ["late", "lost", "other"]
COSTS, CARD = {"wrong": 8.0, "ask": 2.0}, {"Purpose": "A test.", "Limits": "It knows nothing."}


def random_probe(seed=0, names=NAMES):
    rng = np.random.default_rng(seed)
    return Probe(names, rng.normal(size=(32, len(names))) * 3, rng.normal(size=len(names)), 0.7)


@pytest.fixture(scope="module")
def classifier(tokenizer):
    return TextClassifier(tiny_encoder().eval(), tokenizer, random_probe())


@pytest.fixture
def saved(classifier, tmp_path):
    return bundle.save_bundle(tmp_path / "a model é", classifier, costs=COSTS, card=CARD)


# --- the classifier ---------------------------------------------------------------------------------------------


def test_the_classifier_is_the_probe_on_the_vectors(classifier):
    vectors = encode(classifier.encoder, classifier.tokenizer, TEXTS)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-6
    probe = random_probe()
    np.testing.assert_allclose(classifier.logits(TEXTS), probe.logits(vectors), atol=1e-5)
    np.testing.assert_allclose(classifier.probabilities(TEXTS), probe.probabilities(vectors), atol=1e-5)


def test_answers_depend_neither_on_the_batch_nor_on_the_order(classifier):
    alone = np.concatenate([classifier.logits([text]) for text in TEXTS])
    for batch in (1, 2, 32):
        np.testing.assert_allclose(classifier.logits(TEXTS, batch), alone, atol=1e-5)
    np.testing.assert_allclose(classifier.logits(TEXTS[::-1]), alone[::-1], atol=1e-5)


def test_it_computes_in_float32_where_embed_may_not(classifier, monkeypatch):
    monkeypatch.setattr("babyagi_lib.training.prediction.best_precision", lambda: "bf16")
    rounded = embed(classifier.encoder, classifier.tokenizer, TEXTS)
    plain = encode(classifier.encoder, classifier.tokenizer, TEXTS)
    exact = encode(classifier.encoder.double(), classifier.tokenizer, TEXTS)
    classifier.encoder.float()
    assert np.abs(plain - exact).max() < 1e-6 < 1e-5 < np.abs(rounded - exact).max()


def test_padding_without_its_mask_changes_the_answers(classifier):
    ids, mask = classifier.pieces(TEXTS)
    right = classifier.from_pieces(ids, mask)
    wider = [torch.nn.functional.pad(tensor, (0, 40)) for tensor in (ids, mask)]
    np.testing.assert_allclose(classifier.from_pieces(*wider), right, atol=1e-5)
    assert np.abs(classifier.from_pieces(wider[0], torch.ones_like(wider[0])) - right).max() > 1e-2


def test_a_fitted_classifier_knows_what_it_learned(tokenizer):
    texts = [f"{word} {i}" for i in range(5) for word in ("parcel", "money")]
    fitted = fit_classifier(tiny_encoder().eval(), tokenizer, texts, ["a", "b"] * 5, C=1e4)
    assert fitted.names == ["a", "b"] and fitted.logits(texts).argmax(1).tolist() == [0, 1] * 5
    assert fitted.probabilities(texts).sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("wrong", ["a text", [], ["a", 3], [None]])
def test_what_is_no_list_of_texts_is_refused(classifier, wrong):
    for use in (classifier.logits, classifier.pieces):
        with pytest.raises(ValueError, match="expected a list of one text or more"):
            use(wrong)


def test_a_probe_for_other_vectors_is_refused(classifier):
    with pytest.raises(ValueError, match="expected"):
        TextClassifier(classifier.encoder, classifier.tokenizer, Probe(NAMES, np.zeros((31, 3)), np.zeros(3)))


# --- one folder -------------------------------------------------------------------------------------------------


def test_a_bundle_answers_as_what_was_saved(classifier, saved):
    again = bundle.load_bundle(saved.folder, fingerprint=saved.fingerprint)
    assert (again.classifier.logits(TEXTS) == classifier.logits(TEXTS)).all(), "to the last bit"
    assert again.classifier.temperature == 0.7 and again.classifier.names == NAMES
    assert (again.costs, again.card, again.fingerprint) == (COSTS, CARD, saved.fingerprint)
    assert again.files.keys() == set(bundle.NEEDED)
    text = (saved.folder / "CARD.md").read_text(encoding="utf-8")
    assert "It knows nothing." in text and "late, lost, other" in text and "wrong: 8" in text


def test_saving_the_same_again_gives_the_same_files(classifier, saved, tmp_path):
    assert bundle.save_bundle(tmp_path / "b", classifier, costs=COSTS, card=CARD).fingerprint == saved.fingerprint
    other = bundle.save_bundle(tmp_path / "b", classifier, costs=COSTS | {"ask": 1.0}, card=CARD)
    assert other.fingerprint != saved.fingerprint and other.files["head.safetensors"] == saved.files["head.safetensors"]
    with pytest.raises(bundle.BundleError, match=f"another bundle.*{other.fingerprint[:8]}"):
        bundle.load_bundle(tmp_path / "b", fingerprint=saved.fingerprint)


@pytest.mark.parametrize("name", [*bundle.NEEDED])
def test_a_missing_and_a_spoiled_file_are_named(saved, name):
    path = saved.folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(bundle.BundleError, match=f"{name} was changed"):
        bundle.load_bundle(saved.folder)
    path.unlink()
    with pytest.raises(bundle.BundleError, match=f"{name} is missing"):
        bundle.check_files(saved.folder)


def changed(folder, **values):
    path = folder / bundle.ABOUT_FILE
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def test_other_formats_and_damaged_descriptions_are_refused(saved, tmp_path):
    with pytest.raises(bundle.BundleError, match="is no bundle"):
        bundle.load_bundle(tmp_path)
    changed(saved.folder, format=2)
    with pytest.raises(bundle.BundleError, match="format 2; this program reads 1"):
        bundle.load_bundle(saved.folder)
    changed(saved.folder, format=1, files={"CARD.md": saved.files["CARD.md"]})
    with pytest.raises(bundle.BundleError, match=r"does not mention encoder.safetensors"):
        bundle.load_bundle(saved.folder)
    changed(saved.folder, files=saved.files, names=["one"])
    with pytest.raises(bundle.BundleError, match="do not fit each other"):
        bundle.load_bundle(saved.folder)
    for text in ("{", "[]", '"x"', "{}", '{"format": 1, "files": 3}'):
        (saved.folder / bundle.ABOUT_FILE).write_text(text, encoding="utf-8")
        with pytest.raises(bundle.BundleError):
            bundle.load_bundle(saved.folder)


def test_a_bundle_reads_nothing_outside_itself_and_nothing_unlisted(saved, tmp_path):
    path = saved.folder / "head.safetensors"
    outside = tmp_path / "elsewhere"
    shutil.move(path, outside)
    path.symlink_to(outside)
    with pytest.raises(bundle.BundleError, match="leads out of the bundle"):
        bundle.load_bundle(saved.folder)
    path.unlink()
    shutil.move(outside, path)
    (saved.folder / "modeling_extra.py").write_text("print('hello')", encoding="utf-8")
    with pytest.raises(bundle.BundleError, match=r"'modeling_extra.py', which bundle.json does not list"):
        bundle.load_bundle(saved.folder)
    (saved.folder / "modeling_extra.py").unlink()
    changed(saved.folder, files=saved.files | {"../elsewhere": "0" * 64})
    with pytest.raises(bundle.BundleError, match="leads out of the bundle"):
        bundle.load_bundle(saved.folder)


def test_a_bundle_is_written_whole_or_not_at_all(classifier, saved, tmp_path, monkeypatch):
    before = {path.name: path.read_bytes() for path in saved.folder.iterdir()}

    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(classifier.tokenizer), "save_pretrained", full)
        with pytest.raises(bundle.BundleError, match="No space left"):
            bundle.save_bundle(saved.folder, classifier, costs={}, card=CARD)
    assert {path.name: path.read_bytes() for path in saved.folder.iterdir()} == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(bundle.BundleError, match="holds something else"):
        bundle.save_bundle(tmp_path / "other", classifier, costs={}, card=CARD)
    monkeypatch.chdir(saved.folder)
    with pytest.raises(bundle.BundleError, match="the folder you work in"):
        bundle.save_bundle(saved.folder, classifier, costs={}, card=CARD)
    for costs, card in (({"wrong": -1}, CARD), ({"wrong": float("nan")}, CARD), ({}, {"Purpose": " "})):
        with pytest.raises(ValueError, match=r"cost|card"):
            bundle.save_bundle(tmp_path / "new", classifier, costs=costs, card=card)
    assert not (tmp_path / "new").exists()


class Fake(checklist.Client):
    """A client whose service answers always the same."""

    def __init__(self, answer):
        super().__init__("http://nowhere")
        self.answer = answer

    def ask(self, method, path, body=None, **headers):
        return self.answer


def test_the_checklist_notices_another_bundle_than_the_service_names(saved):
    right, wrong = (checklist.Answer(200, (), text) for text in (saved.fingerprint[:12], "other"))
    assert checklist._hashes(Fake(right), saved.folder).passed
    assert not checklist._hashes(Fake(wrong), saved.folder).passed
    (saved.folder / "CARD.md").write_text("better", encoding="utf-8")
    finding = checklist._hashes(Fake(right), saved.folder)
    assert not finding.passed and "CARD.md was changed" in finding.line


# --- another form of the same -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def graph(classifier, tmp_path_factory):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"no {package} here: the extra serve brings it")
    return onnx.export(classifier, tmp_path_factory.mktemp("onnx") / "model.onnx")


def served(path, classifier):
    return onnx.OnnxClassifier(path, classifier.tokenizer, classifier.names, classifier.temperature)


def test_a_graph_answers_as_torch_for_every_size(classifier, graph):
    found = served(graph, classifier)
    for texts in (TEXTS, TEXTS[:1], [*TEXTS, "x " * 200]):
        for batch in (1, 4):
            np.testing.assert_allclose(found.logits(texts, batch), classifier.logits(texts), atol=2e-5)
    np.testing.assert_allclose(found.probabilities(TEXTS), classifier.probabilities(TEXTS), atol=1e-5)
    ids, mask = classifier.pieces(TEXTS)
    wider = [torch.nn.functional.pad(tensor, (0, 9)) for tensor in (ids, mask)]
    np.testing.assert_allclose(found.from_pieces(*wider), classifier.from_pieces(ids, mask), atol=2e-5)


def test_eight_bits_are_smaller_and_not_the_same(classifier, graph, tmp_path):
    whole = classifier.logits(TEXTS)
    found = {}
    for per_channel in (True, False):
        path = onnx.quantize(graph, tmp_path / f"{per_channel}.onnx", per_channel=per_channel)
        assert path.stat().st_size < 0.5 * graph.stat().st_size
        found[per_channel] = np.abs(served(path, classifier).logits(TEXTS, 1) - whole).max()
    assert found[True] > 1e-4 and found[False] > 1e-4


def test_only_what_is_known_is_left_out_of_the_warnings(classifier, graph, tmp_path, capfd, caplog):
    with warnings.catch_warnings(record=True) as told, caplog.at_level(logging.WARNING):
        warnings.simplefilter("always")
        onnx.quantize(graph, tmp_path / "small.onnx")
    assert (told, caplog.messages, capfd.readouterr()) == ([], [], ("", ""))
    with pytest.warns(UserWarning, match="something new"), onnx._quiet():
        warnings.warn("something new", stacklevel=1)
    with caplog.at_level(logging.WARNING), onnx._quiet():
        logging.warning("something new")
    assert caplog.messages == ["something new"]


def test_files_that_are_no_such_graph_are_refused(classifier, graph, tmp_path):
    with pytest.raises(ValueError, match="cannot be loaded"):
        served(tmp_path / "none.onnx", classifier)
    (tmp_path / "text.onnx").write_text("no graph", encoding="utf-8")
    with pytest.raises(ValueError, match="cannot be loaded"):
        served(tmp_path / "text.onnx", classifier)
    with pytest.raises(ValueError, match=r"expected .* and 4 scores"):
        onnx.OnnxClassifier(graph, classifier.tokenizer, [*NAMES, "new"])


def test_a_missing_package_says_what_to_install(monkeypatch, classifier, tmp_path):
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None)
    for do in (
        lambda: onnx.export(classifier, tmp_path / "m.onnx"),
        lambda: onnx.quantize(tmp_path / "m.onnx", tmp_path / "n.onnx"),
        lambda: onnx.OnnxClassifier(tmp_path / "m.onnx", classifier.tokenizer, NAMES),
    ):
        with pytest.raises(packages.MissingPackages, match=r'pip install "babyagi-course\[serve\]"'):
            do()


# --- are these the same answers? --------------------------------------------------------------------------------


def test_a_comparison_counts_what_differs():
    reference = np.array([[2.0, 1, 0], [0, 2, 1], [0, 1, 2], [3, 0, 0]])
    other = reference + np.array([[0, 0, 0], [0, 0, 1.5], [0, 0, 0], [-1, 0, 0]])
    found = onnx.compare(reference, other, [0, 1, 1, 0])
    assert (found.largest, found.flips, found.number) == (1.5, 1, 4)
    assert found.accuracies == (0.75, 0.5) and found.gain.estimate == -0.25
    same = onnx.compare(reference, reference, [0, 1, 1, 0])
    assert same.flips == 0 and same.gain.low < 0 < same.gain.high
    for wrong in ([0, 1], np.zeros((4, 3))):
        with pytest.raises(ValueError, match="expected"):
            onnx.compare(reference, other, wrong)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_a_paired_interval_is_odd_in_its_arguments_and_ignores_what_both_do(pairs):
    first, second = np.array(pairs).T
    found, back = onnx.paired_interval(first, second), onnx.paired_interval(second, first)
    assert found.estimate == pytest.approx(second.mean() - first.mean())
    assert (found.low, found.high) == pytest.approx((-back.high, -back.low))
    assert onnx.paired_interval(~first, ~first).estimate == 0 and found.low < found.high


def test_a_paired_interval_holds_what_it_promises_and_is_narrower_than_an_unpaired_one():
    """Two classifiers with accuracies .80 and .77 that answer alike on most texts: the interval covers the difference."""
    rng = np.random.default_rng(0)
    kinds, shares = np.array([[1, 1], [1, 0], [0, 1], [0, 0]]), [0.74, 0.06, 0.03, 0.17]
    drawn = kinds[rng.choice(4, p=shares, size=(4000, 200))]
    found = [onnx.paired_interval(sample[:, 0], sample[:, 1]) for sample in drawn]
    covered = np.mean([one.low <= -0.03 <= one.high for one in found])
    assert 0.94 < covered < 0.97
    width = np.mean([one.high - one.low for one in found])
    assert width < 0.6 * 2 * 1.96 * np.sqrt((0.8 * 0.2 + 0.77 * 0.23) / 200)


# --- the service ------------------------------------------------------------------------------------------------


def by_length(texts):
    """A classifier that needs no model: the longer a text, the surer it is late."""
    if "break" in texts:
        raise RuntimeError("secret: /home/ada/model")
    late = np.array([len(text) / 4000 for text in texts])
    return np.stack([late, (1 - late) * 0.6, (1 - late) * 0.4], axis=1)


@pytest.fixture
def client():
    pytest.importorskip("fastapi", reason="no FastAPI here: the extra serve brings it")
    from fastapi.testclient import TestClient

    app = make_app(by_length, NAMES, about={"fingerprint": "abc"})
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def test_a_service_answers_with_the_numbers_of_its_model(client):
    texts = ["a", "b" * 2000, "écho 🙂", "<b>"]
    answer = client.post("/predict", json={"texts": texts})
    rows = by_length(texts)
    assert answer.status_code == 200 and answer.json() == {
        "answers": [
            {"label": NAMES[row.argmax()], "probability": row.max()} for row in rows
        ],  # a float survives JSON to the last bit
        "model": {"fingerprint": "abc"},
    }
    assert client.get("/health").json() == {"status": "ok", "model": {"fingerprint": "abc"}, "classes": 3}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"texts": []}, 422, "a list of 1 to 64"),
        ({"texts": ["a"] * (MOST_TEXTS + 1)}, 422, "a list of 1 to 64"),
        ({"texts": "a"}, 422, "a list of 1 to 64"),
        ({"texts": ["a", " "]}, 422, "texts.1: expected a text"),
        ({"texts": [3]}, 422, "texts.0: expected a text"),
        ({"texts": ["a" * (LONGEST + 1)]}, 422, "longer than 2,000"),
        ({"text": ["a"]}, 422, "nothing else"),
        ({"texts": ["a"], "more": 1}, 422, "nothing else"),
        (["a"], 422, "nothing else"),
        ({"texts": ["a" * 70_000]}, 413, "65,536 bytes"),
        (b"{", 400, "strict JSON"),
        ({"texts": ["break"]}, 500, "Something went wrong here"),
    ],
)
def test_a_wrong_request_gets_a_clear_error_and_the_next_one_is_served(client, body, status, message):
    content = body if isinstance(body, bytes) else json.dumps(body)
    answer = client.post("/predict", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status and message in answer.json()["error"]
    assert "secret" not in answer.text and answer.headers["x-content-type-options"] == "nosniff"
    assert client.post("/predict", json={"texts": ["a"]}).status_code == 200


def test_a_model_that_is_broken_is_not_well():
    pytest.importorskip("fastapi", reason="no FastAPI here: the extra serve brings it")
    from fastapi.testclient import TestClient

    for predict in (lambda texts: np.full((1, 3), np.nan), lambda texts: np.ones((1, 2))):
        with TestClient(make_app(predict, NAMES), base_url="http://localhost") as client:
            assert client.get("/health").status_code == 503


def together(batcher, requests, between=0.0):
    """What a batcher gives each request, or the error."""

    async def all_of_them():
        running = asyncio.create_task(batcher.run())
        asked = []
        for texts in requests:
            asked.append(asyncio.create_task(batcher.answer(texts)))
            await asyncio.sleep(between)
        found = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 20)
        running.cancel()
        return found

    return asyncio.run(all_of_them())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.integers(1, 8), st.sampled_from([0.0, 0.002]))
def test_every_request_gets_its_own_rows_whatever_shares_its_batch(sizes, most, wait):
    requests = [[f"{number} {i}" for i in range(size)] for number, size in enumerate(sizes)]
    batcher = Batcher(lambda texts: np.array([[float(part) for part in text.split()] for text in texts]), most, wait)
    found = together(batcher, requests)
    assert [rows.tolist() for rows in found] == [[[n, i] for i in range(size)] for n, size in enumerate(sizes)]
    assert sum(batcher.sizes) == sum(sizes) and max(batcher.sizes) <= max(most, *sizes)


def test_a_batch_waits_for_others_but_no_longer_than_allowed():
    alone, waits = Batcher(by_length, 4, 0.0), Batcher(by_length, 4, 0.5)
    together(alone, [["a"], ["b"], ["c"]], between=0.05)
    started = time.monotonic()
    together(waits, [["a"], ["b"], ["c"], ["d"]], between=0.01)
    assert alone.sizes == [1, 1, 1] and waits.sizes == [4]
    assert time.monotonic() - started < 0.45, "a full batch is not kept waiting"
    slow = Batcher(by_length, 4, 0.2)
    started = time.monotonic()
    together(slow, [["a"]])
    assert 0.2 <= time.monotonic() - started < 2


def test_an_error_reaches_the_requests_of_its_batch_only_and_a_long_line_is_refused():
    found = together(Batcher(by_length, 1), [["a"], ["break"], ["c"]])
    assert isinstance(found[1], RuntimeError) and found[0].shape == found[2].shape == (1, 3)
    free = threading.Event()
    held = Batcher(lambda texts: free.wait(5) and by_length(texts), 1, line=3)

    async def crowd():
        running = asyncio.create_task(held.run())
        first = asyncio.create_task(held.answer(["a"]))
        await asyncio.sleep(0.05)  # it is being computed; three more may wait
        others = [asyncio.create_task(held.answer(["b"])) for _ in range(5)]
        await asyncio.sleep(0.05)
        free.set()
        found = await asyncio.gather(first, *others, return_exceptions=True)
        running.cancel()
        return found

    refused = [one for one in asyncio.run(crowd()) if isinstance(one, web.Refusal)]
    assert len(refused) == 2 and all(one.status == 429 and one.wait > 0 for one in refused)


# --- several processes train one model --------------------------------------------------------------------------


def test_the_program_for_several_devices_writes_what_fit_computes(tmp_path, tokenizer, capsys):
    """In one process; that two come to the same is tested in test_training."""
    from safetensors.torch import load_file, save_file

    tiny_encoder().save_pretrained(tmp_path / "tiny")
    tokenizer.save_pretrained(tmp_path / "tiny")
    arguments = ["--encoder", str(tmp_path / "tiny"), "--texts", "24", "--batch", "8"]
    for name in ("a", "b"):
        devices.main([*arguments, "--out", str(tmp_path / name)])
    assert "1 process(es), 6 steps" in capsys.readouterr().out
    exactly = {"gradient": 0.0, "losses": 0.0, "weights": 0.0, "processes": 1}
    assert devices.compare(tmp_path / "a", tmp_path / "b") == exactly
    found = load_file(tmp_path / "a")
    assert len(found["losses"]) == 6 and found["losses"].unique().numel() == 6
    other = found | {"gradient/head.linear.bias": 2 * found["gradient/head.linear.bias"]}
    save_file(other, tmp_path / "c")
    assert devices.compare(tmp_path / "a", tmp_path / "c")["gradient"] > 0.01


def test_the_gradient_of_several_processes_is_that_of_the_whole_batch():
    """The weights that `processes.weighted` gives to unequal parts, with the average that DDP makes, done by hand."""
    from types import SimpleNamespace

    from babyagi_lib.training import processes

    torch.manual_seed(0)
    weight, inputs, labels = torch.randn(4, 3, requires_grad=True), torch.randn(7, 4), torch.randint(3, (7,))

    def gradient(rows, world=1, total=7):
        loss = torch.nn.functional.cross_entropy(inputs[rows] @ weight, labels[rows])
        everything = torch.tensor(total)
        accelerator = SimpleNamespace(num_processes=world, device="cpu", reduce=lambda tensor, how: everything)
        return torch.autograd.grad(processes.weighted(loss, len(rows), accelerator), weight)[0]

    rows = list(range(7))
    parts = [
        processes.own_part(rows, SimpleNamespace(process_index=rank, num_processes=2, device="cpu")) for rank in (0, 1)
    ]
    average = sum(gradient(part, world=2) for part in parts) / 2
    torch.testing.assert_close(average, gradient(rows))
    plain = sum(gradient(part) for part in parts) / 2
    assert (plain - gradient(rows)).abs().max() > 1e-3, "a mean of means is another gradient"
