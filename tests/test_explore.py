"""An explorer is a picture where nothing runs, and follows its controls where something does."""

import ipywidgets
import matplotlib.pyplot as plt
import pytest

from babyagi_course.notebooks import lasting_outputs
from babyagi_lib.learner import explore


@pytest.fixture
def shown(monkeypatch):
    from IPython import display

    found = []
    monkeypatch.setattr(display, "display", lambda data, metadata=None, raw=False: found.append((data, metadata)))
    return found


def draw(size, colour):
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.barh([0], [size], color=colour)
    return figure


def test_the_picture_follows_the_controls(shown):
    others = plt.get_fignums()  # other tests leave theirs
    size = ipywidgets.IntSlider(value=2, min=1, max=9)
    colour = ipywidgets.Dropdown(options=["red", "blue"], value="red")
    box = explore.explore(draw, "a red bar of length 2", size=size, colour=colour)
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
    explore.explore(draw, "a bar", size=ipywidgets.IntSlider(value=2), colour=ipywidgets.Text(value="red"))
    ((data, metadata),) = shown
    output = {"output_type": "display_data", "data": data, "metadata": metadata}
    assert "application/vnd.jupyter.widget-view+json" in data
    (kept,) = lasting_outputs({"outputs": [output]})
    assert set(kept["data"]) == {"image/png", "text/plain"} and kept["metadata"]["image/png"]["alt"] == "a bar"
    assert "application/vnd.jupyter.widget-view+json" in output["data"], "the executed notebook is left as it is"
