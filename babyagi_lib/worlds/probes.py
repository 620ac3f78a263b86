"""Probe worlds: so small that you know the answer, each for one part of a learner. Used by lesson 07.

A learner that fails in one of them has a bug, and the world says in which part. Test a new learner here before you let
it run for hours. The idea is known from software tests; for reinforcement learning, Andy Jones describes it in
https://andyljones.com/posts/rl-debugging.html.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.rl.mdp import MDP


def _world(name: str, after: NDArray, reward: NDArray, ends: NDArray) -> MDP:
    """A world without chance that begins in state 0, from tables (states, actions)."""
    shape = (*np.shape(after), 1)
    return MDP(
        name,
        np.ones(shape),
        np.reshape(after, shape),
        np.reshape(np.array(reward, dtype=float), shape),
        np.reshape(ends, shape),
        np.eye(shape[0])[0],
    )


def one_step() -> MDP:
    """One state, one step: the actions pay 0, 1 and 3. A learner that fails here has the sign or the score wrong.

    The end leads back to state 0, which is worth something: what is counted after the end shows.
    """
    return _world("one step", [[0, 0, 0]], [[0, 1, 3]], np.ones((1, 3), dtype=bool))


def two_steps() -> MDP:
    """Two states in a row, in each of which action 1 pays: 1 in the first, 2 in the second.

    What an action pays belongs to this action. Rewards before an action do not depend on it.
    """
    return _world("two steps", [[1, 1], [0, 0]], [[0, 1], [0, 2]], np.array([[False] * 2, [True] * 2]))


def delayed_reward() -> MDP:
    """The first action decides, the reward comes two steps later: 0 or 4. The actions in between change nothing.

    The first action leads into one of two corridors of two states, so that the state remembers it.
    """
    after = [[1, 3], [2, 2], [0, 0], [4, 4], [0, 0]]
    ends = np.zeros((5, 2), dtype=bool)
    ends[[2, 4]] = True
    return _world("delayed reward", after, [[0, 0], [0, 0], [0, 0], [0, 0], [4, 4]], ends)


def no_end() -> MDP:
    """Two states that go on for ever: action 1 leads to the state that pays 1 a step, action 0 to the one that pays 0.

    Every episode here is cut by a time limit. A learner that takes the cut for an end loses what would follow.
    """
    return _world("no end", [[0, 1], [0, 1]], [[0, 0], [1, 1]], np.zeros((2, 2), dtype=bool))
