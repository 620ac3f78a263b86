"""The senses of parts, their encoders and what is made of several: against what is known about them."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.methods import fusion, sensing
from babyagi_lib.models.saving import load_weights, save_file
from babyagi_lib.models.senses import CLASSES, PROPERTIES, SHAPES, SenseEncoder
from babyagi_lib.training import losses
from babyagi_lib.worlds import part_senses as world
from babyagi_lib.worlds import part_symbols as symbols


def rng(seed=0):
    return np.random.default_rng(seed)


# --- the world ------------------------------------------------------------------------------------------------


def test_parts_have_the_frequencies_that_the_course_says():
    parts = world.draw_parts(60_000, rng())
    counts = np.bincount(parts.kind, minlength=12) / 60_000
    assert np.abs(counts - symbols.PRIOR).max() < 4 * np.sqrt(symbols.PRIOR.max() / 60_000)
    assert (symbols.SHAPE[parts.kind] == parts.shape).all() and (symbols.IS_CRACKED[parts.kind] == parts.cracked).all()
    assert world.draw_parts(50, rng(), cracked=0).cracked.sum() == 0
    assert len(parts[:7]) == 7 and (parts[[3, 5]].shape == parts.shape[[3, 5]]).all()


def test_the_same_seed_gives_the_same_senses():
    parts = world.draw_parts(20, rng())
    for sense in (world.pictures, world.taps):
        assert np.array_equal(sense(parts, rng(5)), sense(parts, rng(5)))
        assert not np.array_equal(sense(parts, rng(5)), sense(parts, rng(6)))
    assert (world.write_notes(parts, rng(5)).texts == world.write_notes(parts, rng(5)).texts).all()


def test_a_view_and_a_strike_hide_nothing_else():
    """With the nuisances given, only the noise differs; without noise, nothing."""
    parts = world.draw_parts(30, rng())
    view = world.draw_views(30, rng(1))
    assert np.array_equal(*(world.pictures(parts, rng(seed), view, noise=0) for seed in (2, 3)))
    noisy = [world.pictures(parts, rng(seed), view, noise=0.2) for seed in (2, 3)]
    assert np.std(noisy[0] - noisy[1]) == pytest.approx(0.2 * 2**0.5, rel=0.02)


def test_what_stays_and_what_is_drawn_again():
    view = world.draw_views(100, rng())
    again = world.drawn_again(view, ("zoom", "lamp"), rng(1))
    assert (again.lamp == view.lamp).all() and (again.zoom == view.zoom).all() and (again.angle != view.angle).all()
    strike = world.draw_strikes(100, rng())
    again = world.drawn_again(strike, ("damping",), rng(1))
    assert (again.damping == strike.damping).all() and (again.pitch != strike.pitch).all()
    with pytest.raises(ValueError, match="no nuisance"):
        world.drawn_again(view, ("pitch",), rng())


def test_material_and_crack_do_what_the_docstrings_say():
    strike = world.Strike(*np.ones((4, 3)))
    parts = world.Parts(np.array([0, 0, 2]), np.array([0, 1, 0]), np.array([0, 0, 1]))
    steel, brass, cracked = np.abs(np.fft.rfft(world.taps(parts, rng(), strike, hiss=0)))
    hertz = world.RATE / world.SAMPLES
    assert steel.argmax() * hertz == pytest.approx(world.PITCH, abs=hertz)
    assert cracked.argmax() * hertz == pytest.approx(world.PITCH * np.exp(-world.CRACK_LOWERS), abs=hertz)
    second = slice(int(1500 / hertz), int(1750 / hertz))
    ratio = (steel[second].max() / steel.max()) / (brass[second].max() / brass.max())
    assert np.log(ratio) == pytest.approx(world.BRASS_IS_DULLER, abs=0.05)
    view = world.View(*np.zeros((3, 3)), *np.ones((2, 3)))
    bright = world.pictures(parts, rng(), view, noise=0).max(axis=(1, 2))
    assert np.log(bright[1] / bright[0]) == pytest.approx(world.BRASS_IS_BRIGHTER, abs=1e-4)


def test_shapes_are_not_heard_and_cracks_are_not_seen():
    strike, view = world.draw_strikes(50, rng()), world.draw_views(50, rng())
    parts = world.draw_parts(50, rng(3))
    other = world.Parts((parts.shape + 1) % 3, parts.material, parts.cracked)
    assert np.array_equal(world.taps(parts, rng(1), strike), world.taps(other, rng(1), strike))
    other = world.Parts(parts.shape, parts.material, 1 - parts.cracked)
    assert np.array_equal(world.pictures(parts, rng(1), view), world.pictures(other, rng(1), view))


def test_notes_are_as_often_right_and_missing_as_they_say():
    parts = world.draw_parts(40_000, rng())
    notes = world.write_notes(parts, rng(1))
    assert notes.present.mean() == pytest.approx(1 - world.NOTE_MISSING, abs=0.01)
    here = notes.present
    assert (notes.said[here, 0] == parts.shape[here]).mean() == pytest.approx(0.5, abs=0.012)
    assert (notes.said[here, 1] == parts.material[here]).mean() == pytest.approx(0.9, abs=0.008)
    assert ((notes.texts == "") == ~here).all()
    wrong = (notes.said[here, 0] - parts.shape[here]) % 3
    assert (wrong == 1).mean() == pytest.approx((wrong == 2).mean(), abs=0.012)
    full = world.write_notes(parts, rng(1), missing=0, words=(3,), templates=world.HELD_OUT)
    words = [world.WORDS["shape"][shape][3] for shape in full.said[:, 0]]
    assert all(word in text for word, text in zip(words, full.texts, strict=True))


def test_a_spectrogram_finds_a_tone_in_its_band():
    time = np.arange(world.SAMPLES) / world.RATE
    bands = world.spectrogram(np.sin(2 * np.pi * 1000 * time)[None])
    assert bands.shape == (1, 128, 15) and bands.dtype == np.float32
    assert (bands[0].argmax(axis=0) == 32).all()  # 1000 Hz / 31.25 Hz


def test_the_ceilings_are_those_of_bayes_rule_on_the_traces():
    """A million parts' traces, and the rule of the densities themselves."""
    number, draw = 400_000, rng()
    ceilings = world.ceilings()
    crack = draw.random(number) < world.CRACKED
    lowered = np.array([world.CRACK_LOWERS, world.CRACK_DAMPS])
    spread = np.array([world.SPREAD["pitch"], world.SPREAD["damping"]])
    traces = -lowered * crack[:, None] + spread * draw.standard_normal((number, 2))
    density = [multivariate_normal(mean, np.diag(spread**2)).pdf(traces) for mean in (np.zeros(2), -lowered)]
    said = world.CRACKED * density[1] > (1 - world.CRACKED) * density[0]
    assert (said == crack).mean() == pytest.approx(ceilings["sound", "cracked"], abs=0.002)
    assert ceilings["picture", "material"] == pytest.approx(norm.cdf(0.4))
    assert ceilings["note", "shape"] == pytest.approx(0.4 + 0.2 / 3)
    assert world.ceilings(missing=0)["note", "material"] == 0.9


@given(distance=st.floats(0.01, 6), share=st.floats(0.01, 0.99))
def test_told_apart_is_symmetric_and_never_below_the_larger_share(distance, share):
    found = world.told_apart(distance, share)
    assert found == pytest.approx(world.told_apart(distance, 1 - share))
    assert max(share, 1 - share) - 1e-9 <= found <= 1
    assert world.told_apart(distance + 0.1, share) >= found - 1e-12


@pytest.mark.parametrize(
    "wrong",
    [
        lambda parts: world.pictures(parts, rng(), noise=-1),
        lambda parts: world.pictures(parts, rng(), world.draw_views(3, rng())),
        lambda parts: world.taps(parts, rng(), world.draw_strikes(3, rng())),
        lambda parts: world.taps(parts, rng(), hiss=float("nan")),
        lambda parts: world.write_notes(parts, rng(), templates=(99,)),
        lambda parts: world.write_notes(parts, rng(), words=()),
        lambda parts: world.write_notes(parts, rng(), missing=2),
        lambda parts: world.spectrogram(np.zeros((2, 100))),
        lambda parts: world.spectrogram(np.zeros(2048)),
        lambda parts: world.draw_parts(0, rng()),
        lambda parts: world.draw_parts(5, rng(), cracked=1.5),
        lambda parts: world.told_apart(0),
    ],
)
def test_what_cannot_be_sensed_is_said(wrong):
    with pytest.raises(ValueError):
        wrong(world.draw_parts(5, rng()))


# --- encoders -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def heard():
    """An encoder of sounds that has learned a little, with held-out sounds."""
    parts = world.draw_parts(2600, rng())
    bands = world.spectrogram(world.taps(parts, rng(1)))
    reader = sensing.train("sound", bands[:2000], vars(parts[:2000]), seed=0, epochs=5)
    return reader, bands[2000:], parts[2000:]


def test_an_encoder_learns(heard):
    reader, bands, parts = heard
    found = sensing.quality(sensing.beliefs(reader, bands)["cracked"], parts.cracked)
    assert found["accuracy"] > 0.87 > (parts.cracked == 0).mean()
    assert found["accuracy"] < world.ceilings()["sound", "cracked"] + 0.05


def test_beliefs_are_distributions_and_features_feed_the_heads(heard):
    reader, bands, _ = heard
    said = sensing.beliefs(reader, bands)
    assert list(said) == list(PROPERTIES["sound"])
    for name, each in said.items():
        assert each.shape == (len(bands), CLASSES[name])
        assert np.exp(each).sum(axis=1) == pytest.approx(np.ones(len(bands)))
    with torch.no_grad():
        features = torch.cat([reader.features(part) for part in torch.from_numpy(bands).split(100)])
    logits = torch.cat([head(features) for head in reader.heads], dim=1)
    again = reader.split(logits.detach())["cracked"].numpy()
    assert again == pytest.approx(said["cracked"], abs=1e-4)


def test_calibration_changes_no_decision_and_never_costs_on_its_own_examples(heard):
    reader, bands, parts = heard
    reader.temperature.fill_(0.3)  # as if it were far too sure
    before = sensing.beliefs(reader, bands)
    found = sensing.calibrate(reader, bands, vars(parts))
    after = sensing.beliefs(reader, bands)
    for name in reader.properties:
        label = getattr(parts, name)
        assert (before[name].argmax(axis=1) == after[name].argmax(axis=1)).all()
        assert sensing.quality(after[name], label)["nll"] <= sensing.quality(before[name], label)["nll"] + 1e-9
        assert float(reader.temperature[reader.properties.index(name)]) == pytest.approx(found[name])


@pytest.mark.parametrize("true", [0.4, 1.0, 3.0])
def test_the_best_temperature_is_found(true):
    """Labels drawn from logits that were then multiplied by it."""
    draw = rng(4)
    logits = draw.normal(size=(20_000, 3)) * 2
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (draw.random((20_000, 1)) > p.cumsum(axis=1)).sum(axis=1)
    assert sensing.best_temperature(logits * true, labels) == pytest.approx(true, rel=0.06)


def test_a_saved_encoder_says_the_same(heard, tmp_path):
    reader, bands, _ = heard
    file = save_file(tmp_path / "sound.safetensors", reader, {"sense": "sound"})
    other = SenseEncoder("sound", seed=9)
    load_weights(file, other)
    for name, said in sensing.beliefs(reader, bands[:20]).items():
        assert np.array_equal(sensing.beliefs(other, bands[:20])[name], said)


def test_inputs_go_where_the_encoder_is(monkeypatch):
    """After training on a GPU the encoder is there. torch's device "meta" stands for it."""
    encoder = SenseEncoder("note", 0, (4,)).to("meta")
    seen = []

    def forward(inputs):
        seen.append(inputs.device.type)
        return {"logits": torch.zeros(len(inputs), 5)}

    monkeypatch.setattr(encoder, "forward", forward)
    monkeypatch.setattr(encoder, "split", lambda logits: {"all": logits})
    assert sensing.beliefs(encoder, np.zeros((3, 4)))["all"].shape == (3, 5)
    assert seen == ["meta"]


def test_weights_come_from_their_seed_and_leave_torch_as_it_was():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    one, same, other = (SenseEncoder("picture", seed) for seed in (1, 1, 2))
    assert torch.rand(1) == expected
    weights = [next(model.parameters()) for model in (one, same, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_quality_is_the_known_one():
    said = np.log([[0.8, 0.2], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    found = sensing.quality(said, [0, 1, 1, 0])
    assert found["accuracy"] == 0.5
    assert found["nll"] == pytest.approx(-np.log([0.8, 0.2, 0.7, 0.4]).mean())
    assert found["ece"] == pytest.approx((2 * abs(0.8 - 0.5) + abs(0.7 - 1) + abs(0.6 - 0)) / 4)
    assert found["ece"] == pytest.approx(losses.calibration_error(sensing.confidence(said, [0, 1, 1, 0])))


def test_each_note_is_encoded_once_and_a_missing_one_is_zeros(monkeypatch):
    asked = []

    def embed(encoder, tokenizer, texts):
        asked.extend(texts)
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)

    monkeypatch.setattr(sensing, "embed", embed)
    encoder = type("Encoder", (), {"config": type("Config", (), {"hidden_size": 2})})
    found = sensing.note_vectors(encoder, None, ["ab", "", "abc", "ab"])
    assert found.tolist() == [[2, 1], [0, 0], [3, 1], [2, 1]] and sorted(asked) == ["ab", "abc"]
    assert sensing.note_vectors(encoder, None, [""]).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x, y: sensing.train("smell", x, y, seed=0),
        lambda x, y: sensing.train("picture", x[:0], y, seed=0),
        lambda x, y: sensing.train("picture", x, {"shape": y["shape"], "material": y["material"][:3]}, seed=0),
        lambda x, y: sensing.train("picture", x, y | {"shape": np.full(8, 3)}, seed=0),
        lambda x, y: sensing.train("picture", x, y | {"shape": np.full(8, 0.5)}, seed=0),
        lambda x, y: sensing.train("picture", np.where(x > 1, np.nan, np.nan), y, seed=0),
        lambda x, y: sensing.beliefs(SenseEncoder("picture", 0), x[:, :20]),
        lambda x, y: sensing.quality(np.zeros((3, 2)), [0, 1]),
        lambda x, y: sensing.quality(np.full((2, 2), np.nan), [0, 1]),
        lambda x, y: SenseEncoder("smell", 0),
        lambda x, y: SenseEncoder("picture", 0, (384,)),
        lambda x, y: SenseEncoder("picture", 0, (4, 4)),
    ],
)
def test_what_cannot_be_learned_is_said(wrong):
    parts = world.draw_parts(8, rng())
    with pytest.raises(ValueError):
        wrong(world.pictures(parts, rng()), vars(parts))


def test_all_senses_have_inputs_that_the_world_makes():
    parts = world.draw_parts(2, rng())
    assert world.pictures(parts, rng()).shape[1:] == SHAPES["picture"]
    assert world.spectrogram(world.taps(parts, rng())).shape[1:] == SHAPES["sound"]


# --- fusion ---------------------------------------------------------------------------------------------------

ASKED = ("look", "read", "tap")


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), senses=st.integers(1, 4), classes=st.integers(2, 5))
def test_adding_log_odds_is_bayes_rule(seed, senses, classes):
    """From likelihoods, whose product with the prior is normalised by enumeration."""
    draw = rng(seed)
    prior = draw.dirichlet(np.ones(classes)) + 0.01
    prior /= prior.sum()
    likelihood = draw.dirichlet(np.ones(6), size=(senses, classes))  # of 6 symbols
    heard = draw.integers(6, size=(senses, 10))
    each = [likelihood[s][:, heard[s]].T for s in range(senses)]  # (10, classes)
    told = [np.log(one * prior / (one * prior).sum(axis=1, keepdims=True)) for one in each]
    product = np.prod(each, axis=0) * prior
    expected = product / product.sum(axis=1, keepdims=True)
    found = np.exp(fusion.add_log_odds(told, np.log(prior)))
    assert found == pytest.approx(expected, abs=1e-9)
    order = draw.permutation(senses)
    assert np.exp(fusion.add_log_odds([told[i] for i in order], np.log(prior))) == pytest.approx(found)


def test_adding_log_odds_on_every_combination_of_symbols():
    tables = symbols.designed()
    prior = np.log(symbols.PRIOR)
    with np.errstate(divide="ignore"):
        told = [np.log(symbols.posterior(tables[sense])[0]) for sense in ASKED]
    rows = np.array(list(itertools.product(*(range(len(each)) for each in told))))
    found = fusion.add_log_odds([each[rows[:, i]] for i, each in enumerate(told)], prior)
    truth = symbols.posterior(symbols.joined([tables[sense] for sense in ASKED]))[0]
    assert np.exp(found) == pytest.approx(truth)


def test_a_missing_sense_adds_nothing():
    draw = rng()
    told = np.log(draw.dirichlet(np.ones(3), size=(2, 5)))
    prior = np.log([0.5, 0.3, 0.2])
    present = np.array([[True, True], [True, False], [False, True], [False, False], [True, True]])
    found = fusion.add_log_odds(told, prior, present)
    assert found[1] == pytest.approx(told[0, 1]) and found[2] == pytest.approx(told[1, 2])
    assert found[3] == pytest.approx(prior)
    assert found[0] == pytest.approx(fusion.add_log_odds(told, prior)[0])
    told[0, 2] = np.nan  # of a sense that is not there
    with pytest.raises(ValueError, match="NaN"):
        fusion.add_log_odds(told, prior, present)


def test_each_property_is_added_over_the_senses_that_tell_it():
    draw = rng()
    said = [
        {name: np.log(draw.dirichlet(np.ones(CLASSES[name]), size=6)) for name in PROPERTIES[sense]}
        for sense in PROPERTIES
    ]
    prior = {name: np.log(draw.dirichlet(np.ones(classes))) for name, classes in CLASSES.items()}
    present = draw.random((6, 3)) < 0.5
    found = fusion.add_senses(said, prior, present)
    assert found["cracked"] == pytest.approx(np.where(present[:, [2]], said[2]["cracked"], prior["cracked"]))
    both = fusion.add_log_odds([said[0]["shape"], said[1]["shape"]], prior["shape"], present[:, :2])
    assert found["shape"] == pytest.approx(both)
    shown = fusion.side_by_side(said, prior)
    assert [each.shape for each in shown] == [(6, 5), (6, 5), (6, 4)]
    assert shown[2][:, 2:] == pytest.approx(np.maximum(said[2]["cracked"] - prior["cracked"], -8), abs=1e-5)
    assert fusion.side_by_side(said)[0][:, :3] == pytest.approx(np.maximum(said[0]["shape"], -8), abs=1e-5)


def test_a_symbol_keeps_only_the_most_probable_class():
    known = {"material": np.log([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.45, 0.55]])}
    found = fusion.as_symbols({"material": np.log([[0.51, 0.49], [0.01, 0.99]])}, known, {"material": [0, 1, 1, 1]})
    assert np.exp(found["material"]) == pytest.approx(np.array([[2 / 4, 2 / 4], [1 / 4, 3 / 4]]))


def test_a_sure_sense_decides_and_two_cannot_disagree():
    with np.errstate(divide="ignore"):
        sure, other, against = np.log([[1.0, 0.0]]), np.log([[0.2, 0.8]]), np.log([[0.0, 1.0]])
    assert np.exp(fusion.add_log_odds([sure, other], np.log([0.5, 0.5]))).tolist() == [[1, 0]]
    with pytest.raises(ValueError, match="no class is left"):
        fusion.add_log_odds([sure, against], np.log([0.5, 0.5]))


def made_up(number=600, seed=0):
    """Three senses, each of which tells one property by one noisy number."""
    draw = rng(seed)
    parts = world.draw_parts(number, draw)
    features = [
        np.stack([each - each.mean(), np.ones(number)], axis=1) + 0.3 * draw.normal(size=(number, 2))
        for each in (parts.shape, parts.material, parts.cracked)
    ]
    return parts, features, np.ones((number, 3), dtype=bool)


@pytest.mark.parametrize("kind", [fusion.Concatenation, fusion.SenseAttention])
def test_a_network_learns_from_all_senses(kind):
    parts, features, present = made_up()
    network = fusion.train(kind([2, 2, 2], 1), features, present, vars(parts), seed=0, epochs=40, learning_rate=5e-3)
    fresh, shown, there = made_up(seed=1)
    said = fusion.predict(network, shown, there)
    assert fusion.whole_part_right(said, vars(fresh)) > 0.55
    assert all(np.exp(each).sum(axis=1) == pytest.approx(np.ones(600)) for each in said.values())


@pytest.mark.parametrize("kind", [fusion.Concatenation, fusion.SenseAttention])
def test_what_is_not_there_has_no_influence(kind):
    network = kind([2, 2, 2], 1)
    _, features, present = made_up(20)
    present[:10, 1] = False
    other = [features[0], np.where(present[:, [1]], features[1], 99.0), features[2]]
    for name, said in fusion.predict(network, features, present).items():
        assert np.array_equal(said, fusion.predict(network, other, present)[name])


def test_attention_is_shared_among_those_that_are_there():
    network = fusion.SenseAttention([2, 2, 2], 1)
    _, features, present = made_up(8)
    present[:4, 0] = False
    tensors = [torch.from_numpy(each.astype(np.float32)) for each in features]
    shared = network.attention(tensors, torch.from_numpy(present))
    assert shared.shape == (8, 3, 4)
    assert torch.allclose(shared.sum(dim=2), torch.ones(8, 3))
    assert (shared[:4, :, 0] == 0).all() and (shared[4:] > 0).all()


def test_training_with_everything_dropped_learns_the_prior():
    parts, features, present = made_up(2000)
    network = fusion.train(
        fusion.Concatenation([2, 2, 2], 1), features, present, vars(parts), seed=0, drop=1.0, epochs=30
    )
    said = fusion.predict(network, features, np.zeros_like(present))
    assert np.exp(said["cracked"][0, 1]) == pytest.approx(parts.cracked.mean(), abs=0.03)


def test_the_same_seed_trains_the_same_network():
    parts, features, present = made_up(200)

    def answer(seed):
        network = fusion.train(
            fusion.Concatenation([2, 2, 2], 1), features, present, vars(parts), seed=seed, drop=0.3, epochs=2
        )
        return fusion.predict(network, features, present)["shape"]

    assert np.array_equal(answer(0), answer(0)) and not np.array_equal(answer(0), answer(1))
    assert stream_seed("fusion", 0) != stream_seed("fusion", 1)


def test_the_whole_part_must_be_right():
    parts = world.Parts(np.array([0, 1, 2]), np.array([0, 1, 0]), np.array([0, 0, 1]))
    sure = {name: np.log(0.9 * np.eye(CLASSES[name])[getattr(parts, name)] + 0.01) for name in CLASSES}
    assert fusion.whole_part_right(sure, vars(parts)) == 1
    sure["cracked"] = np.log([[0.9, 0.1]] * 3)
    assert fusion.whole_part_right(sure, vars(parts)) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda p, f, h: fusion.add_log_odds([], np.log([0.5, 0.5])),
        lambda p, f, h: fusion.add_log_odds([np.zeros((3, 2))], np.zeros(3)),
        lambda p, f, h: fusion.add_log_odds([np.zeros((3, 2))], np.log([0.5, 0.5]), np.ones((3, 2))),
        lambda p, f, h: fusion.add_log_odds([np.full((3, 2), np.nan)], np.log([0.5, 0.5])),
        lambda p, f, h: fusion.train(fusion.Concatenation([2] * 3, 1), f[:2], h, vars(p), seed=0),
        lambda p, f, h: fusion.train(fusion.Concatenation([2] * 3, 1), f, h[:5], vars(p), seed=0),
        lambda p, f, h: fusion.train(fusion.Concatenation([2] * 3, 1), f, h, vars(p), seed=0, drop=1.5),
        lambda p, f, h: fusion.train(fusion.Concatenation([2] * 3, 1), f, h, vars(p[:5]), seed=0),
        lambda p, f, h: fusion.train(fusion.Concatenation([2] * 3, 1), [f[0] * np.nan, *f[1:]], h, vars(p), seed=0),
    ],
)
def test_what_cannot_be_fused_is_said(wrong):
    with pytest.raises(ValueError):
        wrong(*made_up(10))


def test_a_loss_that_is_not_finite_is_said():
    parts, features, present = made_up(50)
    network = fusion.Concatenation([2, 2, 2], 1)
    with torch.no_grad():
        network.layers[2].bias.fill_(torch.inf)
    with pytest.raises(FloatingPointError, match="the loss is"):
        fusion.train(network, features, present, vars(parts), seed=0, epochs=1)
