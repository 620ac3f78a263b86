"""What an exercise calls: `checks.alignment(align)` answers in the learner's terms. Used by every notebook.

A check runs the learner's function on cases with a known answer and returns a `Verdict`, which the notebook
shows. A stub that still raises NotImplementedError is "not attempted yet"; a wrong answer is told what is wrong.
Every check is itself tested: it passes the solution, and fails seeded mutants with the right message.
There is one module for each lesson's checks.
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
