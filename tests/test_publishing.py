"""A published figure is one thing in three forms: table, text and JSON."""

import json
import math

import numpy as np
import pytest
import torch

from babyagi_lib.learner.publishing import MIME, bundle, differing, is_timing

F1 = ("Entity F1 <test>", 0.87349)
SPEED = ("Speed", 2712.4, "tokens/s")
RETURN = ("Return", -13.0)


def figures(*lines):
    """What programs read of these lines, after a notebook's trip through JSON."""
    return json.loads(json.dumps(bundle(lines)[MIME]))["figures"]


def test_the_three_forms_agree():
    data = bundle(("MiniLM & newswire", F1, SPEED, "a cliff", RETURN))
    assert data[MIME]["figures"] == [
        {"label": F1[0], "value": 0.87349, "unit": "", "on": "MiniLM & newswire", "text": "0.873"},
        {"label": "Speed", "value": 2712.4, "unit": "tokens/s", "on": "MiniLM & newswire", "text": "2,712 tokens/s"},
        {"label": "Return", "value": -13.0, "unit": "", "on": "a cliff", "text": "-13.0"},
    ]
    for form in ("text/html", "text/plain"):
        parts = ["newswire", "0.873", "2,712 tokens/s", "a cliff", "-13.0"]
        assert [data[form].count(part) for part in parts] == [1] * 5, "what it was measured on is said once"
        assert sorted(parts, key=data[form].index) == parts
    assert "&lt;test&gt;" in data["text/html"] and "<test>" not in data["text/html"]
    assert "MiniLM &amp; newswire" in data["text/html"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.8734, "0.873"),
        (0.0017, "0.002"),
        (-0.0213, "-0.021"),
        (0.0, "0.000"),
        (4.4e-16, "4.4e-16"),
        (-3e-5, "-3.0e-05"),
        (1.0, "1.00"),
        (7.9304, "7.93"),
        (12.34, "12.3"),
        (-49.18, "-49.2"),
        (627.7, "628"),
        (2712.4, "2,712"),
        (3, "3"),
        (1685, "1,685"),
        (np.float32(0.25), "0.250"),
        (np.int64(7), "7"),
        (torch.tensor(0.5), "0.500"),
    ],
)
def test_digits_follow_from_the_size(value, text):
    (figure,) = figures("here", ("x", value))
    assert figure["text"] == text and figure["value"] == value
    assert figures("here", ("x", value, "s"))[0]["text"] == f"{text} s"


def test_a_group_without_figures_is_left_out():
    """As where a corpus has no messages out of scope."""
    assert {figure["on"] for figure in figures("messages", "cliff", RETURN, "worlds")} == {"cliff"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "no figures"),
        (("here",), "no figures"),
        ((F1, "here"), "before 'Entity F1 <test>', say what it was measured on"),
        (("here", SPEED, RETURN, "there", SPEED), "share a label: Speed$"),
        (("here", ("x", math.nan)), "x: nan is not a finite"),
        (("here", ("x", -math.inf, "s")), "x: -inf is not a finite"),
        (("here", ("x", "0.5")), "x: '0.5' is not a finite"),
        (("here", ("x",)), "('x',) is neither text nor"),
        (("here", ("x", 1, "s", 3)), "('x', 1, 's', 3) is neither text nor"),
        (("here", {"x": 1}), "{'x': 1} is neither text nor"),
    ],
)
def test_what_cannot_be_published(lines, message):
    escaped = message if message.endswith("$") else message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=escaped):
        bundle(lines)


@pytest.mark.parametrize(
    ("unit", "timing"), [("s", True), ("tokens/s", True), ("", False), ("MB", False), ("sentences", False)]
)
def test_times_and_speeds_are_known_by_their_unit(unit, timing):
    (figure,) = figures("here", ("x", 1.0, unit))
    assert is_timing(figure) == timing


def published(**values):
    """Figures as a run reports them: those whose label says so are times and speeds."""
    units = {"seconds": "s", "speed": "tokens/s", "memory": "MB", "sentences": "sentences"}
    return figures("here", *((label, value, units.get(label, "")) for label, value in values.items()))


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
