"""Figures say in words what they show, and HTML made from text is safe."""

import numpy as np
import pytest

from babyagi_lib import plots
from babyagi_lib.training import History


@pytest.fixture
def shown(monkeypatch):
    """What a figure function displays: a list of (data, metadata)."""
    from IPython import display

    found = []
    monkeypatch.setattr(display, "display", lambda data, metadata=None, raw=False: found.append((data, metadata)))
    return found


def run(scores):
    steps = [{"step": i + 1, "epoch": 1, "loss": 2.0 / (i + 1), "learning_rate": 1e-4} for i in range(40)]
    rows = [{"step": 10 * (i + 1), "epoch": i + 1, "score": s} for i, s in enumerate(scores)]
    return History(steps=steps, scores=rows, best_step=rows[int(np.argmax(scores))]["step"] if scores else None)


@pytest.mark.parametrize("scores", [[], [0.5], [0.2, 0.81234, 0.7]])
def test_history_with_and_without_validation(shown, scores):
    plots.history(run(scores), "entity F1", baseline=("tag frequencies", 0.82))
    ((data, metadata),) = shown
    assert data["image/png"].startswith(b"\x89PNG")
    alt = metadata["image/png"]["alt"]
    assert alt == data["text/plain"] and "from 2.00" in alt and "0.82 is the loss of tag frequencies" in alt
    assert ("entity F1" in alt) == bool(scores)
    assert all(f"{s:.3f}" in alt for s in scores)


def test_other_figures_tell_their_numbers(shown):
    plots.confusion(["LOC", "PER", "O"], np.array([[90, 3, 1], [0, 50, 2], [7, 1, 900]]))
    plots.f1_by_frequency({"never": 0.61, "once": 0.8}, {"never": 100, "once": 20}, "places")
    plots.pieces_per_word([2, 3, 1, 1], [1, 1, 1, 2])
    plots.score_bars({"words right": 0.973, "entity F1": 0.861}, "Scores")
    alts = [metadata["image/png"]["alt"] for _, metadata in shown]
    assert "gold O predicted as LOC, 7 words" in alts[0]
    assert "never: 0.61" in alts[1]
    assert "75% of ordinary words" in alts[2] and "50% of words in names" in alts[2]
    assert "words right 0.973, entity F1 0.861" in alts[3]


def test_no_figure_is_left_open(shown):
    plots.score_bars({"a": 0.5}, "Scores")
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []


def test_tagged_text_is_escaped_and_complete():
    page = plots.tagged(["<b>", "Accra", "&", "Oslo"], ["O", "B-LOC", "O", "O"], ["O", "B-LOC", "I-LOC", "B-LOC"])
    assert "<b></b>" not in page and "&lt;b&gt;" in page and "Accra &amp;" in page
    assert "predicted" in page and "gold" in page


def test_alignment_marks_what_differs_not_only_by_colour():
    page = plots.alignment(["[CLS]", "x"], {"right": ["", "O"], "other": ["", "B-PER"]}, ["", "O"])
    assert page.count("✗") == 1 and "B-PER ✗" in page
