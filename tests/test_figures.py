"""Figures have alt text with their numbers, what they draw can be seen, and HTML made from text is safe."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from babyagi_lib.figures import (
    adapter_heads,
    binary_cross_entropy,
    fewshot,
    mentions,
    ner_finetuning,
    pretraining,
    start_here,
)
from babyagi_lib.figures.base import training_curves
from babyagi_lib.training import losses
from babyagi_lib.training.loop import History


@pytest.fixture
def shown(monkeypatch):
    """What a figure function displays: a list of (data, metadata)."""
    from IPython import display

    displayed = []
    monkeypatch.setattr(display, "display", lambda data, metadata=None, raw=False: displayed.append((data, metadata)))
    return displayed


def run(scores):
    steps = [{"step": i + 1, "epoch": 1, "loss": 2.0 / (i + 1), "learning_rate": 1e-4} for i in range(40)]
    rows = [{"step": 10 * (i + 1), "epoch": i + 1, "score": s} for i, s in enumerate(scores)]
    return History(steps=steps, scores=rows, best_step=rows[int(np.argmax(scores))]["step"] if scores else None)


@pytest.mark.parametrize("scores", [[], [0.5], [0.2, 0.81234, 0.7]])
def test_training_curves_with_and_without_validation(shown, scores):
    training_curves(run(scores), "entity F1", baseline=("tag frequencies", 0.82))
    ((data, metadata),) = shown
    assert data["image/png"].startswith(b"\x89PNG")
    alt = metadata["image/png"]["alt"]
    assert alt == data["text/plain"] and "from 2.00" in alt and "0.82 is the loss of tag frequencies" in alt
    assert ("entity F1" in alt) == bool(scores)
    assert all(f"{s:.3f}" in alt for s in scores)


def test_the_alt_text_of_other_figures_has_their_numbers(shown):
    ner_finetuning.confusion(["LOC", "PER", "O"], np.array([[90, 3, 1], [0, 50, 2], [7, 1, 900]]))
    ner_finetuning.f1_by_frequency({"never": 0.61, "once": 0.8}, {"never": 100, "once": 20}, "of type LOC")
    ner_finetuning.pieces_per_word([2, 3, 1, 1], [1, 1, 1, 2])
    ner_finetuning.score_bars({"words right": 0.973, "entity F1": 0.861}, "Scores")
    alts = [metadata["image/png"]["alt"] for _, metadata in shown]
    assert "gold O predicted as LOC, 7 words" in alts[0]
    assert "never: 0.61" in alts[1]
    assert "75% of the other words" in alts[2] and "50% of the words in names" in alts[2]
    assert "words right 0.973, entity F1 0.861" in alts[3]


def test_figures_of_lesson_04_say_only_what_is_so(shown, recwarn):
    """All words in names, no error, a type with a long name, no group but one."""
    ner_finetuning.pieces_per_word([1, 2], [])
    ner_finetuning.confusion(["creative-work", "O"], np.array([[4, 0], [0, 6]]))
    ner_finetuning.f1_by_frequency({"5 or more": 0.0}, {"5 or more": 3}, "type drug")
    assert [metadata["image/png"]["alt"] for _, metadata in shown] == [
        "Bar chart of pieces per word. 50% of the words in names are one piece.",
        "Confusion between types, in words. 10 of 10 words lie on the diagonal.",
        "Bar chart of entity F1, type drug, by how often the same text is an entity in training. 5 or more: 0.00.",
    ]
    assert [str(warning.message) for warning in recwarn] == []


def test_names_of_one_type_have_one_colour():
    def colours(kind, words):
        page = mentions.tagged(words, None, [f"B-{kind}"] * len(words))
        return set(re.findall("background:(#[0-9A-F]+)", page))

    for kind in ("PER", "creative-work", "drug"):
        assert len(colours(kind, ["a", "b"]) | colours(kind, ["c"])) == 1
    assert len({colours(kind, ["a"]).pop() for kind in ("person", "group", "product", "location")}) > 1


def alts_of(shown):
    return [metadata["image/png"]["alt"] for _, metadata in shown]


def test_figures_of_lesson_01(shown):
    lines = {"uniform": 6.2, "unigram": 5.3, "bigram": 3.5}
    pretraining.losses_and_baselines({"causal": ([0, 100, 200], [6.2, 4.0, 3.1], lines)})
    before = np.array([[1, 0, 0], [0.9, 0.1, 0], [0.1, 0.8, 0.1]])
    pretraining.attention({"head 1": (["a", "$b", "c"], before), "head 2": (["c", "$b", "a"], before.T)})
    run = {"read": [100, 200], "losses": [5.0, 4.0], "parameters": 10}
    pretraining.sizes({"small": run, "middle": run, "large": run | {"losses": [4.5, 3.25]}})
    pretraining.patches(np.arange(64).reshape(8, 8), 2, 7)
    draws = np.array([[0.4, 0.6], [0.5, 0.7], [0.6, 0.8]])
    pretraining.few_labels([10, 30], {"pretrained": draws, "random": draws - 0.2}, 0.25)
    pretraining.few_labels([10], {"one draw only": draws[:1, :1]}, 0.25)
    alts = alts_of(shown)
    assert "from 6.20 to 3.10" in alts[0] and "bigram 3.50" in alts[0]
    assert "head 1, over 3 pieces: the piece before gets most, 0.85 of a row on average" in alts[1]
    assert "head 2, over 3 pieces: the piece after gets most, 0.85 of a row on average" in alts[1]
    assert "large ends at 3.25" in alts[2]
    assert "handwritten 7" in alts[3] and "16 patches" in alts[3]
    assert "pretrained: 0.50 at 10, 0.70 at 30" in alts[4] and "0.25" in alts[5]


def drawn(monkeypatch, module, draw, *arguments):
    """The figure that a function draws, before it becomes a PNG."""
    figures = []
    monkeypatch.setattr(module, "show", lambda figure, alt: figures.append(figure))
    draw(*arguments)
    (figure,) = figures
    figure.canvas.draw()
    plt.close(figure)
    return figure


@pytest.mark.parametrize("largest", [0.05, 0.4, 1.0])
def test_the_colours_of_an_attention_table_reach_to_its_largest_weight(monkeypatch, largest):
    """Where every weight is small, a scale up to 1 leaves the table blank."""
    for count in (3, 14):
        weights = np.tril(np.full((count, count), largest / 2))
        weights[1, 0] = largest
        figure = drawn(monkeypatch, pretraining, pretraining.attention, {"head": (["x"] * count, weights)})
        (panel,) = figure.axes
        assert panel.images[0].get_clim() == (0, largest)
        numbers = [text.get_text() for text in panel.texts]
        assert numbers == ([f"{w:.2f}" for w in weights.ravel()] if count == 3 else [])


@pytest.mark.filterwarnings("error")
def test_an_attention_table_can_label_pieces_of_any_language(monkeypatch):
    pieces = ["$x$", "今", "été", "क", "�", "\\n"]
    figure = drawn(monkeypatch, pretraining, pretraining.attention, {"head": (pieces, np.eye(6))})
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == [r"\$x\$", "\\u4eca", "été", "\\u0915", "�", "\\n"]


@pytest.mark.parametrize("draws", [1, 3])
def test_the_single_draws_of_few_labels_can_be_seen(monkeypatch, draws):
    """No two methods put their dots at the same place, no dot is under a mean, and all are above the lines."""
    runs = np.linspace(0.4, 0.6, draws)[:, None] + [0.0, 0.1]
    figure = drawn(
        monkeypatch, pretraining, pretraining.few_labels, [10, 100], dict.fromkeys(["a", "b", "c"], runs), 0.25
    )
    (axes,) = figure.axes
    dots = [line for line in axes.lines if line.get_marker() == "o" and line.get_linestyle() == "None"]
    means = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]
    assert len(dots) == len(means) == 3
    taken = [x for line in dots for x in set(line.get_xdata())] + [x for line in means for x in line.get_xdata()]
    assert len(set(np.round(taken, 6))) == 12
    assert min(dot.get_zorder() for dot in dots) > max(line.get_zorder() for line in means)
    assert all(dot.get_markersize() >= 4 and dot.get_alpha() is None for dot in dots)


def test_figures_of_lesson_03(shown):
    x = np.linspace(0.01, 0.99, 99)
    binary_cross_entropy.likelihood(x, (x - 0.3) ** 2, 0.3)
    steps = np.logspace(-8, -1, 20)
    binary_cross_entropy.step_sizes(
        steps, {"forward": steps, "central": steps**2}, {"forward": steps, "central": steps**2}
    )
    binary_cross_entropy.smoothing(x, {0: x, 0.1: (x - 0.5) ** 2}, {0.1: 0.5})
    said = np.tile([0.05, 0.95], 50)
    binary_cross_entropy.reliability({"model": losses.reliability(said, (said > 0.5).astype(float))})
    alts = alts_of(shown)
    assert "The share of label 1 is 0.300, and the entropy of the labels is 0.611" in alts[0]
    assert "best at a step of 1e-08" in alts[1]
    assert "0.50 for epsilon 0.1" in alts[2]
    assert "the mean prediction is 0.95 and the share of yes 1.00" in alts[3]


def test_the_spike_of_the_gradient_at_zero_can_be_seen():
    """In a panel of its own, several of its points wide: beside 240 logits it hides in the line."""

    def pieces(z, y):
        return z.relu() - z * y + torch.log1p(torch.exp(-z.abs()))

    figure, alt = binary_cross_entropy.loss_at_logit(20, 0, {"naive": pieces, "stable": pieces})
    assert "the gradient of the naive form exists from -120 to 120" in alt and "naive: loss 20, gradient 1" in alt
    near = figure.axes[2]
    z, gradient = near.lines[-1].get_data()
    assert near.get_xlim()[1] < 5 and gradient[np.abs(z).argmin()] == 0
    assert gradient[np.abs(z - 0.1).argmin()] > 0.5
    plt.close(figure)


def test_html_made_from_text_is_escaped():
    assert "<b>x</b>" not in pretraining.pieces(["<b>x</b>", " y"]) and "␣y" in pretraining.pieces([" y"])
    page = pretraining.guesses("<i>", "a", "&", [("a", 0.5), ("<u>", 0.25)])
    assert "&lt;i&gt;" in page and "&amp;" in page and "&lt;u&gt; 0.25" in page and "<b>a</b> 0.50" in page


def test_no_figure_is_left_open(shown):
    ner_finetuning.score_bars({"a": 0.5}, "Scores")

    assert plt.get_fignums() == []


def test_tagged_text_is_escaped_and_complete():
    page = mentions.tagged(["<b>", "Accra", "&", "Oslo"], ["O", "B-LOC", "O", "O"], ["O", "B-LOC", "I-LOC", "B-LOC"])
    assert "<b></b>" not in page and "&lt;b&gt;" in page and "Accra &amp;" in page
    assert "predicted" in page and "gold" in page


def test_alignment_marks_what_differs_not_only_by_colour():
    page = ner_finetuning.alignment(["[CLS]", "x"], {"right": ["", "O"], "other": ["", "B-PER"]}, ["", "O"])
    assert page.count("✗") == 1 and "B-PER ✗" in page


@pytest.mark.parametrize(
    ("module", "diagram"),
    [
        (adapter_heads, "batch_path"),
        (adapter_heads, "adapter_in_layer"),
        (fewshot, "five_ways"),
        (start_here, "course_map"),
    ],
)
def test_the_text_of_a_diagram_stays_in_its_box_and_boxes_apart(monkeypatch, module, diagram):
    from matplotlib.patches import FancyBboxPatch

    figures = []
    monkeypatch.setattr(module, "show", lambda figure, alt: figures.append((figure, alt)))
    getattr(module, diagram)()
    ((figure, alt),) = figures
    figure.canvas.draw()
    (axes,) = figure.axes
    boxes = [patch.get_window_extent() for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    labels = [text.get_window_extent() for text in axes.texts if text.get_text() and text.get_ha() == "center"]
    assert len(boxes) == len(labels) >= 9
    for box, label in zip(boxes, labels, strict=True):
        assert box.x0 <= label.x0 and label.x1 <= box.x1 and box.y0 <= label.y0 and label.y1 <= box.y1
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
    assert len(alt) > 100
