"""A published figure is one thing in three forms: table, text and JSON."""

import json
import math

import pytest

from babyagi_lib.measured import MIME, Figure, bundle

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
