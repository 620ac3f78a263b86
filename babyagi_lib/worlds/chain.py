"""A chain with a small reward near and a large one far away, as a table: who explores finds it. Used by lesson 13.

Imports no torch.
"""

from __future__ import annotations

import numpy as np

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.rl.mdp import MDP

LEFT, RIGHT = 0, 1


def chain(cells: int, near: float = 0.1, far: float = 1.0) -> MDP:
    """Cells in a row, and the agent begins in the first. A step left there stays and pays `near`.

    A step right in the last cell stays and pays `far`. Nothing else pays, nothing ends, and nothing is random but the
    agent. The chain of Strens (2000) and RiverSwim (Strehl & Littman 2008) are like this, with chance in their steps.

    Raises:
        ValueError: there are fewer than two cells, or a reward is not finite or negative.
    """
    check_whole("cells", cells, 2)
    check_number("near", near, 0)
    check_number("far", far, 0)
    here = np.arange(cells)
    moves = np.stack([np.maximum(here - 1, 0), np.minimum(here + 1, cells - 1)], axis=1)[..., None]
    reward = np.zeros(moves.shape)
    reward[0, LEFT], reward[-1, RIGHT] = near, far
    return MDP("chain", np.ones(moves.shape), moves, reward, np.zeros(moves.shape, dtype=bool), np.eye(cells)[0])
