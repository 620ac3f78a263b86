"""The course's figures, each with alt text, in colours that colour-blind readers can tell apart. Used by every notebook.

Every function here draws one figure and shows it; the numbers come from the caller. There is one module for each
lesson's figures, and `base` for what they share.
"""

from babyagi_lib.plots.adapters import adapter_memory, adapter_sizes, adapter_tradeoff, padding_drift, task_scores
from babyagi_lib.plots.base import history, show, show_source
from babyagi_lib.plots.bce import descent, likelihood, loss_at_logit, reliability, smoothing, step_sizes
from babyagi_lib.plots.ner import alignment, confusion, f1_by_frequency, pieces_per_word, score_bars, tagged
from babyagi_lib.plots.pretraining import attention, few_labels, guesses, losses_and_baselines, patches, pieces, sizes

__all__ = [
    "adapter_memory",
    "adapter_sizes",
    "adapter_tradeoff",
    "alignment",
    "attention",
    "confusion",
    "descent",
    "f1_by_frequency",
    "few_labels",
    "guesses",
    "history",
    "likelihood",
    "loss_at_logit",
    "losses_and_baselines",
    "padding_drift",
    "patches",
    "pieces",
    "pieces_per_word",
    "reliability",
    "score_bars",
    "show",
    "show_source",
    "sizes",
    "smoothing",
    "step_sizes",
    "tagged",
    "task_scores",
]
