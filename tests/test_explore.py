"""An explorer is a picture where nothing runs, follows its controls where something does, and has all its states for the book."""

import base64
import json
import zlib
from fractions import Fraction
from itertools import pairwise, product

import ipywidgets
import matplotlib.pyplot as plt
import pytest
from hypothesis import given
from hypothesis import strategies as some

from babyagi_course.notebooks import lasting_outputs
from babyagi_lib.figures import base
from babyagi_lib.figures.base import INK, Picture
from babyagi_lib.learner import explore, states


@pytest.fixture
def shown(monkeypatch):
    from IPython import display

    found = []
    monkeypatch.setattr(display, "display", lambda data, metadata=None, raw=False: found.append((data, metadata)))
    return found


def draw(size, colour):
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.barh([0], [size], color=colour)
    axes.set_title(f"size {size}")
    return Picture(figure, f"a {colour} bar of length {size}")


def unpacked(drawn):
    return json.loads(zlib.decompress(base64.b64decode(drawn["packed"])))


def test_the_picture_follows_the_controls(shown):
    others = plt.get_fignums()  # other tests leave theirs
    size = ipywidgets.IntSlider(value=2, min=1, max=9)
    colour = ipywidgets.Dropdown(options=["red", "blue"], value="red")
    box = explore.explore(draw, size=size, colour=colour)
    image = box.children[-1]
    first = bytes(image.value)
    size.value = 7
    second = bytes(image.value)
    colour.value = "blue"
    assert first.startswith(b"\x89PNG") and len({first, second, bytes(image.value)}) == 3
    size.value, colour.value = 2, "red"
    assert bytes(image.value) == first
    assert plt.get_fignums() == others


def test_without_a_kernel_the_picture_stays(shown):
    explore.explore(draw, size=ipywidgets.IntSlider(value=2), colour=ipywidgets.Text(value="red"))
    ((data, metadata),) = shown
    output = {"output_type": "display_data", "data": data, "metadata": metadata}
    assert "application/vnd.jupyter.widget-view+json" in data
    (kept,) = lasting_outputs({"outputs": [output]})
    assert set(kept["data"]) == {"image/png", "text/plain"}
    assert kept["metadata"]["image/png"]["alt"] == kept["data"]["text/plain"] == "a red bar of length 2"
    assert "application/vnd.jupyter.widget-view+json" in output["data"], "the executed notebook is left as it is"


def test_a_run_for_the_book_keeps_all_states(shown, monkeypatch):
    monkeypatch.setenv(states.ASKED, "1")
    others = plt.get_fignums()
    size = ipywidgets.IntSlider(value=2, min=1, max=3, description="size")
    colour = ipywidgets.Dropdown(options=["red", "blue"], value="blue", description="colour")
    explore.explore(draw, size=size, colour=colour)
    ((data, _),) = shown
    (kept,) = lasting_outputs({"outputs": [{"output_type": "display_data", "data": data}]})
    drawn = kept["data"][states.MIME]
    assert drawn["controls"] == [
        {"label": "size", "slider": True, "options": ["1", "2", "3"], "start": 1},
        {"label": "colour", "slider": False, "options": ["red", "blue"], "start": 1},
    ]
    found = unpacked(drawn)
    assert found["alts"] == [f"a {c} bar of length {n}" for n, c in product((1, 2, 3), ("red", "blue"))]
    drawings = ["\n".join(found["lines"][line] for line in lines) for lines in found["drawings"]]
    assert len(set(drawings)) == 6
    for drawing, (n, paint) in zip(drawings, product((1, 2, 3), ("#ff0000", "#0000ff")), strict=True):
        assert drawing.startswith("<svg") and f">size {n}<" in drawing and f"fill: {paint}" in drawing
        assert "currentColor" in drawing and INK not in drawing, "axes and text take the colour of the page"
        assert "#ffffff" not in drawing, "no white ground"
    assert plt.get_fignums() == others
    assert len(set(found["lines"])) == len(found["lines"]) < sum(map(len, found["drawings"])) / 3


def test_the_same_states_are_the_same_text():
    controls = {"size": ipywidgets.IntSlider(value=2, min=1, max=3), "colour": ipywidgets.Dropdown(options=["red"])}
    assert states.drawn(draw, controls) == states.drawn(draw, controls)


@given(some.integers(-50, 50), some.integers(1, 3000), some.sampled_from(["1", "1/2", "1/10", "3"]), some.data())
def test_a_long_slider_is_thinned_and_keeps_its_ends_and_its_start(least, count, step, data):
    step = float(Fraction(step))
    values = [least + step * number for number in range(count)]
    start = data.draw(some.sampled_from(values))
    slider = ipywidgets.FloatSlider(value=start, min=least, max=values[-1], step=step)
    choice = ipywidgets.ToggleButtons(options=[0, 1])
    seen = []

    def note(at, label):
        if label == 0:
            seen.append(at)
        return Picture(plt.figure(), "")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "svg", lambda figure: plt.close(figure) or "<svg>")
        drawn = states.drawn(note, {"at": slider, "label": choice})
    assert len(seen) == len(drawn["controls"][0]["options"]) == len(set(seen)) <= states.MOST // 2
    assert seen == sorted(seen) and {seen[0], seen[-1]} == {values[0], values[-1]}
    assert seen[drawn["controls"][0]["start"]] == pytest.approx(start)
    if count > states.MOST:
        gaps = [after - before for before, after in pairwise(seen)]
        assert len(seen) > states.MOST // 2 - 3 and max(gaps) <= 1.1 * (values[-1] - values[0]) / (len(seen) - 3) + step


def test_controls_that_the_book_cannot_show():
    with pytest.raises(ValueError, match="word: the book needs a control with options, or with min and max"):
        states.drawn(draw, {"size": ipywidgets.Text(value="2", description="word")})
    many = {name: ipywidgets.Dropdown(options=range(11)) for name in ("size", "colour")}
    with pytest.raises(ValueError, match="more than 100 combinations"):
        states.drawn(draw, many)
