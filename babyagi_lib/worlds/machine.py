"""A machine that wears, as a table: run it, or stop and repair it? Used by lesson 07.

All numbers are invented. What makes the world useful: rewards of both signs come in every step, and the right action
costs something now and pays later.
"""

from __future__ import annotations

import numpy as np

from babyagi_lib.rl.mdp import MDP

RUN, REPAIR = 0, 1
LEVELS = 5  # of wear: 0 is new
EARNS = 1.0  # in each step in which it runs and does not break
WEARS = 0.5  # probability that a step wears it by one level
BREAKS = (0.0, 0.02, 0.08, 0.2, 0.4)  # probability, at each level, that a running machine breaks down
BROKEN = -8.0  # the reward of the step in which it breaks down; the episode is over
REPAIR_COSTS = 1.5
CLOSES = 0.03  # probability, in each step, that the factory closes for good


def machine() -> MDP:
    """States are the levels of wear; the actions are to run it and to repair it, which makes it new.

    Three things can happen in a step: the machine breaks down, the factory closes, or work goes on. The first two end
    the episode.
    """
    shape = (LEVELS, 2, 5)
    p, after, reward = np.zeros(shape), np.zeros(shape, dtype=int), np.zeros(shape)
    ends = np.zeros(shape, dtype=bool)
    level, breaks = np.arange(LEVELS), np.array(BREAKS)
    # Outcomes: it breaks; the factory closes after a good step; it wears; it does not. The fifth is a repair's.
    works = 1 - breaks
    p[:, RUN, 0], reward[:, RUN, 0], ends[:, RUN, 0] = breaks, BROKEN, True
    p[:, RUN, 1], reward[:, RUN, 1], ends[:, RUN, 1] = works * CLOSES, EARNS, True
    p[:, RUN, 2], reward[:, RUN, 2] = works * (1 - CLOSES) * WEARS, EARNS
    p[:, RUN, 3], reward[:, RUN, 3] = works * (1 - CLOSES) * (1 - WEARS), EARNS
    after[:, RUN, 2], after[:, RUN, 3] = np.minimum(level + 1, LEVELS - 1), level
    p[:, REPAIR, 1], reward[:, REPAIR, 1], ends[:, REPAIR, 1] = CLOSES, -REPAIR_COSTS, True
    p[:, REPAIR, 4], reward[:, REPAIR, 4] = 1 - CLOSES, -REPAIR_COSTS
    return MDP("machine", p, after, reward, ends, np.eye(LEVELS)[0])
