"""The course's figures, each with alt text, in colours that colour-blind readers can tell apart. Used by every notebook.

Most functions here draw one figure and show it. Some return it instead, for an explorer or another cell: `adapter_sizes`,
`loss_at_logit`, `grid_world` and `learning_figure` a matplotlib figure, `alignment`, `tagged`, `pieces` and `guesses`
HTML. `show` displays such a figure, `show_source` the source of a function. The numbers come from the caller. There is
one module for each lesson's figures, `diagrams` for drawings without numbers, and `base` for what the others share.
"""

from babyagi_lib.plots.adapters import adapter_memory, adapter_sizes, adapter_table, adapter_tradeoff, task_scores
from babyagi_lib.plots.base import history, show, show_source
from babyagi_lib.plots.bce import descent, likelihood, loss_at_logit, reliability, smoothing, step_sizes
from babyagi_lib.plots.diagrams import adapter_in_layer, batch_path, five_ways
from babyagi_lib.plots.fewshot import before_and_after, draws_spread, fewshot_curves, labelling_curves, roc_curves
from babyagi_lib.plots.incontext import answer_shares, order_spread
from babyagi_lib.plots.ner import alignment, confusion, f1_by_frequency, pieces_per_word, score_bars, tagged
from babyagi_lib.plots.pretraining import attention, few_labels, guesses, losses_and_baselines, patches, pieces, sizes
from babyagi_lib.plots.rl import (
    cliff_paths,
    grid_world,
    learning_figure,
    learning_runs,
    puzzle,
    reply_values,
    step_size_runs,
)
from babyagi_lib.plots.start import course_map, nearest_examples

__all__ = [
    "adapter_in_layer",
    "adapter_memory",
    "adapter_sizes",
    "adapter_table",
    "adapter_tradeoff",
    "alignment",
    "answer_shares",
    "attention",
    "batch_path",
    "before_and_after",
    "cliff_paths",
    "confusion",
    "course_map",
    "descent",
    "draws_spread",
    "f1_by_frequency",
    "few_labels",
    "fewshot_curves",
    "five_ways",
    "grid_world",
    "guesses",
    "history",
    "labelling_curves",
    "learning_figure",
    "learning_runs",
    "likelihood",
    "loss_at_logit",
    "losses_and_baselines",
    "nearest_examples",
    "order_spread",
    "patches",
    "pieces",
    "pieces_per_word",
    "puzzle",
    "reliability",
    "reply_values",
    "roc_curves",
    "score_bars",
    "show",
    "show_source",
    "sizes",
    "smoothing",
    "step_size_runs",
    "step_sizes",
    "tagged",
    "task_scores",
]
