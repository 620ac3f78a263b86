"""Seeds for random streams that do not overlap. Used by `methods.fewshot` and lessons 03, 05 and 06.

Two generators made from the same seed give the same numbers: what one draws then depends on what the other drew, though
both look random. So every use of a seed names its purpose, and gets a stream of its own.
"""

from __future__ import annotations

import zlib

import numpy as np


def stream_seed(purpose: str, seed: int) -> int:
    """A seed for one purpose, for `np.random.default_rng` or `torch.manual_seed`.

    Args:
        purpose: such as `"episode"` or `"draw 3"`; every other purpose gives an independent stream.
        seed: the experiment's own, 0 or more.

    Returns:
        An integer from 0 to 2**63 - 1: the same for the same purpose and seed, on every machine.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(zlib.crc32(purpose.encode()),))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
