"""From probabilities to acts: answer, ask back, or hand over, at the least expected cost. Used by lesson 15.

A message has one of several intents, or none that has an answer. A classifier gives each of them a probability. Three acts
are open: to *answer* the likeliest intent, to *ask back*, which shows the likeliest intents for the customer to choose from
(one who finds none of them right is handed over after all), and to *hand over* to a colleague.

With calibrated probabilities, the expected cost of each act is a sum, and the best act is the cheapest one: nothing is tuned.
With two acts that is the rule of Chow (1970, "On optimum recognition error and reject tradeoff", IEEE Transactions on
Information Theory 16).

The classes are the columns of `probabilities`. One of them, `outside`, may stand for messages that no answer fits: it is
never answered or shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole

ANSWER, ASK, HAND_OVER = 0, 1, 2
ACTS = ("answer", "ask back", "hand over")


@dataclass(frozen=True)
class Costs:
    """What a message costs, in any unit.

    Attributes:
        wrong: an answer to something else than what the customer wants. A right answer costs nothing.
        ask: asking back.
        hand_over: a colleague's time; also what follows after asking back if no intent that was shown is right.
        shown: how many intents are shown when asking back.

    Raises:
        ValueError: a cost is negative or not finite, or `shown` is not a whole number of at least 1.
    """

    wrong: float = 8.0
    ask: float = 2.0
    hand_over: float = 3.0
    shown: int = 3

    def __post_init__(self) -> None:
        for name in ("wrong", "ask", "hand_over"):
            check_number(name, getattr(self, name), 0)
        check_whole("shown", self.shown, 1)


# --- expected costs and the rules that follow from them -----------------------------------------------------


def act_costs(first: ArrayLike, among: ArrayLike, costs: Costs) -> NDArray:
    """The expected cost of each act, (...) and (...) to (..., 3), in the order of `ACTS`.

    Args:
        first: the probability of the likeliest intent.
        among: the probability that the right one is among those shown when asking back.
        costs: of a message.
    """
    first, among = np.broadcast_arrays(np.asarray(first, dtype=float), np.asarray(among, dtype=float))
    answer = costs.wrong * (1 - first)
    ask = costs.ask + costs.hand_over * (1 - among)
    return np.stack([answer, ask, np.full_like(answer, costs.hand_over)], axis=-1)


def ranked(probabilities: ArrayLike, outside: int | None = None) -> NDArray[np.int64]:
    """The columns of the intents, likeliest first: (messages, classes) to (messages, intents), without `outside`.

    Of equal probabilities the lower column comes first.

    Raises:
        ValueError: `probabilities` is not (messages, classes), a row is no distribution, `outside` is no column of it, or no
            intent is left.
    """
    probabilities, intents = _intents(probabilities, outside)
    return intents[np.argsort(-probabilities[:, intents], axis=1, kind="stable")]


def masses(probabilities: ArrayLike, costs: Costs, outside: int | None = None) -> tuple[NDArray, NDArray]:
    """The probability of the likeliest intent, and that of the intents that would be shown: (messages,) each."""
    probabilities, intents = _intents(probabilities, outside)
    best = -np.sort(-probabilities[:, intents], axis=1)
    return best[:, 0], best[:, : costs.shown].sum(axis=1)


def expected_costs(probabilities: ArrayLike, costs: Costs, outside: int | None = None) -> NDArray:
    """The expected cost of each act for each message: (messages, classes) to (messages, 3).

    Raises:
        ValueError: as `ranked` does.
    """
    return act_costs(*masses(probabilities, costs, outside), costs)


def bayes(probabilities: ArrayLike, costs: Costs, outside: int | None = None) -> NDArray[np.int64]:
    """The act with the least expected cost for each message: (messages,). Of equal costs, the first in `ACTS`."""
    return expected_costs(probabilities, costs, outside).argmin(axis=1)


def chow(probabilities: ArrayLike, costs: Costs, outside: int | None = None) -> NDArray[np.int64]:
    """Chow's rule, which never asks back: answer or hand over, whichever has the lower expected cost. (messages,)

    An answer costs `wrong` (1 - p), so it is given from p = 1 - `hand_over` / `wrong` on.
    """
    expected = expected_costs(probabilities, costs, outside)
    return np.where(expected[:, ANSWER] <= expected[:, HAND_OVER], ANSWER, HAND_OVER)


# --- what acts really cost ----------------------------------------------------------------------------------


def true_costs(
    probabilities: ArrayLike, labels: ArrayLike, costs: Costs, outside: int | None = None
) -> NDArray[np.float64]:
    """What each act would cost, knowing what the customer wants: (messages, 3).

    Args:
        probabilities: (messages, classes), which decide what is answered or shown.
        labels: (messages,) the true columns.
        costs: of a message.
        outside: the column of messages that no answer fits.

    Raises:
        ValueError: as `ranked` does; or there is not one label for each message, or one that is no column.
    """
    order = ranked(probabilities, outside)
    classes = np.asarray(probabilities).shape[1]
    labels = np.asarray(labels)
    if labels.shape != (len(order),) or labels.dtype.kind not in "iu":
        raise ValueError(f"expected {len(order)} whole numbers as labels, found {labels.dtype} {labels.shape}")
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(f"labels must be whole numbers from 0 to {classes - 1}")
    right = order == labels[:, None]
    return act_costs(right[:, 0], right[:, : costs.shown].any(axis=1), costs)


def cost_of(acts: ArrayLike, table: NDArray) -> NDArray:
    """The cost of the act chosen for each message: (messages,) and (messages, 3) to (messages,).

    With `expected_costs` as the table its mean is the cost that a rule predicts of itself, with `true_costs` the real one.
    """
    acts = np.asarray(acts)
    if acts.shape != table.shape[:1]:
        raise ValueError(f"expected one act for each of the {len(table)} messages, found {acts.shape}")
    return np.take_along_axis(table, acts[:, None], axis=1)[:, 0]


def oracle(true: NDArray) -> NDArray[np.int64]:
    """The cheapest act for each message by its true costs, (messages, 3) to (messages,): no rule can do better."""
    return true.argmin(axis=1)


# --- the rival: thresholds tuned on labelled messages -------------------------------------------------------


@dataclass(frozen=True)
class Thresholds:
    """Answer if the likeliest intent has `answer` or more, else ask if those shown have `among` or more, else hand over."""

    answer: float
    among: float


def by_thresholds(
    probabilities: ArrayLike, thresholds: Thresholds, costs: Costs, outside: int | None = None
) -> NDArray[np.int64]:
    """The act that two thresholds choose for each message: (messages,)."""
    first, among = masses(probabilities, costs, outside)
    return np.where(first >= thresholds.answer, ANSWER, np.where(among >= thresholds.among, ASK, HAND_OVER))


def tune(probabilities: ArrayLike, labels: ArrayLike, costs: Costs, outside: int | None = None) -> Thresholds:
    """The thresholds with the lowest cost on labelled messages, of all pairs that differ there.

    A threshold lies half way between two neighbouring values; 0 or infinity stands for all or none. Where many pairs cost
    the same, as with few messages, the middle one in the order of `answer`, then `among`, is taken. Time and memory grow
    with the square of the number of messages: .3 s for 2,000.

    Raises:
        ValueError: as `true_costs` does, or there is no message.
    """
    true = true_costs(probabilities, labels, costs, outside)
    if len(true) == 0:
        raise ValueError("thresholds cannot be tuned without a message")
    first, among = masses(probabilities, costs, outside)
    answer_at, ask_at = _between(first), _between(among)
    # The cost of message i if it is not answered, at each threshold for asking: (messages, thresholds).
    unanswered = np.where(among[:, None] >= ask_at, true[:, [ASK]], true[:, [HAND_OVER]])
    by_first = np.argsort(first, kind="stable")
    below = np.searchsorted(first[by_first], answer_at)  # how many messages are not answered
    left = np.vstack([np.zeros(len(ask_at)), unanswered[by_first].cumsum(axis=0)])[below]
    answered = np.append(0, true[by_first, ANSWER].cumsum())
    total = left + (answered[-1] - answered[below])[:, None]
    cheapest = np.argwhere(np.isclose(total, total.min(), rtol=0, atol=1e-9))
    a, b = cheapest[len(cheapest) // 2]
    return Thresholds(float(answer_at[a]), float(ask_at[b]))


def outside_auc(scores: ArrayLike, is_outside: ArrayLike) -> float:
    """Probability that a message from outside has a higher score than one from inside, ties counted as half.

    The area under the ROC curve, from the sum of ranks (Mann and Whitney 1947).

    Args:
        scores: (messages,), high for what looks as if no answer fits.
        is_outside: (messages,) whether none does.

    Raises:
        ValueError: there are not messages of both kinds, or a score is NaN.
    """
    from scipy.stats import rankdata

    scores, is_outside = np.asarray(scores, dtype=float), np.asarray(is_outside, dtype=bool)
    if scores.shape != is_outside.shape or scores.ndim != 1 or np.isnan(scores).any():
        raise ValueError(f"expected a number for each message; found {scores.shape} and {is_outside.shape}, or NaN")
    outer = int(is_outside.sum())
    inner = len(scores) - outer
    if not outer or not inner:
        raise ValueError("expected messages from inside and from outside; there are only those of one kind")
    return float((rankdata(scores)[is_outside].sum() - outer * (outer + 1) / 2) / (outer * inner))


def _between(values: NDArray) -> NDArray:
    """Thresholds that split values in every way: 0, the middles between neighbours, infinity."""
    found = np.unique(values)
    return np.concatenate([[0.0], (found[1:] + found[:-1]) / 2, [np.inf]])


def _intents(probabilities: ArrayLike, outside: int | None) -> tuple[NDArray, NDArray]:
    """Checked probabilities, and the columns that are intents."""
    probabilities = np.asarray(probabilities, dtype=float)
    if probabilities.ndim != 2:
        raise ValueError(f"expected probabilities of the shape (messages, classes), found {probabilities.shape}")
    if not (probabilities >= 0).all() or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4):
        raise ValueError("a row of probabilities is negative, NaN or does not add up to 1")
    intents = np.arange(probabilities.shape[1])
    if outside is not None:
        if not -len(intents) <= outside < len(intents):
            raise ValueError(f"outside is {outside}; there are {len(intents)} columns")
        intents = np.delete(intents, outside)
    if len(intents) == 0:
        raise ValueError("there is no intent; expected one column or more beside `outside`")
    return probabilities, intents
