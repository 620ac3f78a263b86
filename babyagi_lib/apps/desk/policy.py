"""Which act the desk chooses, with which probability, and what the act has earned. Used by `talk` and `server`.

The three acts and their costs are those of `methods.decisions`. A desk that always takes the act of the lowest expected cost never
learns what another one would have earned. So in a share `explore` of all decisions, one of the three acts is drawn at random. Each
decision is drawn by itself, since its reward belongs to it alone. The probability of the act that was taken is its propensity.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.methods.decisions import Costs, act_costs, bayes


def propensities(probabilities: ArrayLike, costs: Costs, outside: int | None, explore: float) -> NDArray:
    """The probability of each act, (messages, 3).

    Args:
        probabilities: of the classes, (messages, classes).
        costs: of the acts.
        outside: the number of the class of messages that want none of the intents; None if there is none.
        explore: the share of decisions in which the act is drawn at random, 0 to 1.

    Raises:
        ValueError: `explore` is not from 0 to 1.
    """
    check_number("explore", explore, 0, 1)
    best = bayes(np.atleast_2d(probabilities), costs, outside)
    table = np.full((len(best), 3), explore / 3)
    table[np.arange(len(best)), best] += 1 - explore
    return table


def draw(row: ArrayLike, purpose: str, seed: int) -> int:
    """An act from its probabilities, (3,). The same purpose and seed give the same act: a repeated request changes nothing."""
    edges = np.cumsum(row)[:-1]
    return int((np.random.default_rng(stream_seed(purpose, seed)).random() >= edges).sum())


def reward(act: int, well: bool, costs: Costs) -> float:
    """Minus what an act has cost: its expected cost for somebody who knows whether it went well.

    Args:
        act: ANSWER, ASK or HAND_OVER.
        well: the answer helped, or the customer found what it is about among those that were shown.
        costs: of the acts.
    """
    return 0.0 - float(act_costs(float(well), float(well), costs)[act])


def lowest_reward(costs: Costs) -> float:
    """The least that an act can earn; the most is 0. A betting gate must know it."""
    return -float(act_costs(0.0, 0.0, costs).max())
