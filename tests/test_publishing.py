"""A published figure is one thing in three forms: table, text and JSON."""

import json
import math

import pytest

from babyagi_lib.learner.publishing import MIME, Figure, bundle, differing

F1 = Figure("entity_f1", "Entity F1 <test>", 0.87349, "MiniLM & newswire")
SPEED = Figure("speed", "Speed", 2712.4, "here", unit="tokens/s", digits=0)


def test_the_three_forms_agree():
    data = bundle((F1, SPEED))
    assert F1.text == "0.873" and SPEED.text == "2,712 tokens/s"
    assert [f["value"] for f in data[MIME]["figures"]] == [0.87349, 2712.4]
    assert json.loads(json.dumps(data[MIME])) == data[MIME]
    for text in ("0.873", "2,712 tokens/s"):
        assert text in data["text/html"] and text in data["text/plain"]
    assert "&lt;test&gt;" in data["text/html"] and "<test>" not in data["text/html"]


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ((), "no figures"),
        ((F1, F1), "share a name: entity_f1"),
        ((Figure("x", "x", math.nan, "here"),), "not a finite"),
    ],
)
def test_what_cannot_be_published(figures, said):
    with pytest.raises(ValueError, match=said):
        bundle(figures)


def published(**values):
    """Figures as a run reports them: those whose name says so are times and speeds."""
    units = {"seconds": "s", "speed": "tokens/s", "memory": "MB", "sentences": "sentences"}
    figures = [Figure(name, name, value, "here", units.get(name, "")) for name, value in values.items()]
    return json.loads(json.dumps(bundle(tuple(figures))[MIME]))["figures"]


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ({"f1": 0.5, "memory": 92.0}, {"f1": 0.5, "memory": 92.0}, {}),
        ({"f1": 0.5, "seconds": 3.0, "speed": 9.0}, {"f1": 0.5, "seconds": 4.0, "speed": 8.0}, {}),
        ({"f1": 0.5}, {"f1": math.nextafter(0.5, 1)}, {"f1": (0.5, math.nextafter(0.5, 1))}),
        ({"memory": 92.0, "sentences": 3}, {"memory": 93.0, "sentences": 4}, {"memory": (92, 93), "sentences": (3, 4)}),
        ({"a": 1.0, "b": 2.0}, {"b": 2.0, "c": 3.0}, {"a": (1.0, None), "c": (None, 3.0)}),
    ],
)
def test_what_two_runs_did_not_measure_alike(first, second, found):
    assert differing(published(**first), published(**second)) == found
