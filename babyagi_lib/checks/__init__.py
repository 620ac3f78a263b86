"""What an exercise calls: `checks.alignment(align)` says in words whether an answer is right. Used by every notebook.

A check runs the learner's function on cases with a known answer and returns a `Verdict`, which the notebook shows.
A stub that still raises NotImplementedError is "not attempted yet". For a wrong answer the message names the mistake.
Every check is itself tested: it accepts right answers of many kinds, and refuses wrong ones with the right message.

There is one module for each lesson's checks. `answers` reads what a learner's function returned, `limit` stops what takes
too long, and `verdict` turns a function that finds mistakes into a check.
"""

from babyagi_lib.checks.adapters import bottleneck, lora, parameter_count, pooling
from babyagi_lib.checks.bce import gradient_checker, logistic_gradient, stable_loss
from babyagi_lib.checks.fewshot import centroid, episode, pair_loss
from babyagi_lib.checks.ner import alignment, extraction, input_adapter
from babyagi_lib.checks.pretraining import attention_head, causal_mask, masking, perplexity
from babyagi_lib.checks.rl import epsilon_schedule, q_update, value_iteration
from babyagi_lib.checks.start import cosine
from babyagi_lib.checks.verdict import EXERCISES, Verdict

__all__ = [
    "EXERCISES",
    "Verdict",
    "alignment",
    "attention_head",
    "bottleneck",
    "causal_mask",
    "centroid",
    "cosine",
    "episode",
    "epsilon_schedule",
    "extraction",
    "gradient_checker",
    "input_adapter",
    "logistic_gradient",
    "lora",
    "masking",
    "pair_loss",
    "parameter_count",
    "perplexity",
    "pooling",
    "q_update",
    "stable_loss",
    "value_iteration",
]
