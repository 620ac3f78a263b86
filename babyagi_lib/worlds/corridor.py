"""A corridor in which every step costs 1, as a table: how soon is the way out found? Used by lesson 07."""

from __future__ import annotations

import numpy as np

from babyagi_lib.basics.arguments import check_whole
from babyagi_lib.rl.mdp import MDP

LEFT, RIGHT = 0, 1


def corridor(cells: int = 5) -> MDP:
    """Cells in a row; a step to the right of the last one ends the episode. A step to the left of the first stays there.

    Nothing is random but the agent. Every step earns -1, the last one too. The best agent needs as many steps as there
    are cells; one that acts at random needs cells·(cells + 1) on average.

    Raises:
        ValueError: there is no cell.
    """
    check_whole("cells", cells, 1)
    here = np.arange(cells)
    moves = np.stack([np.maximum(here - 1, 0), np.minimum(here + 1, cells - 1)], axis=1)[..., None]
    ends = np.zeros((cells, 2, 1), dtype=bool)
    ends[-1, RIGHT] = True
    return MDP("corridor", np.ones(moves.shape), moves, -np.ones(moves.shape), ends, np.eye(cells)[0])
