"""A simulated stream of messages: some negative, some flagged, with what disturbs a monitor. Used by lesson 16.

Copies of one story, a rhythm over the day, a share that shifts, a classifier that errs and one that drifts. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_number, check_whole


@dataclass(frozen=True)
class Source:
    """Where messages come from.

    Attributes:
        share: of negative messages in quiet times.
        sensitivity, specificity: of the classifier that flags them.
        shifted: the share from message `shift_at` (counted from 0) on; None if it never shifts.
        drifted: the specificity from message `drift_at` on; None if it never drifts.
        repeated: the chance that a message repeats the story before it, classifier's answer included.
        rhythm: how much the share swings over a day, as a part of itself: 0.3 is 30% up and 30% down.
        per_day: messages in a day.
    """

    share: float
    sensitivity: float = 1.0
    specificity: float = 1.0
    shifted: float | None = None
    shift_at: int = 0
    drifted: float | None = None
    drift_at: int = 0
    repeated: float = 0.0
    rhythm: float = 0.0
    per_day: int = 200

    def __post_init__(self) -> None:
        for name in ("share", "sensitivity", "specificity", "repeated", "rhythm"):
            check_number(name, getattr(self, name), 0, 1)
        for name in ("shifted", "drifted"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), 0, 1)
        check_whole("shift_at", self.shift_at, 0)
        check_whole("drift_at", self.drift_at, 0)
        check_whole("per_day", self.per_day, 2)
        if max(self.share, self.shifted or 0) * (1 + self.rhythm) > 1:
            raise ValueError(f"a rhythm of {self.rhythm:g} lifts the share above 1")


def draw(
    source: Source, streams: int, steps: int, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Independent streams from one source: which messages are negative and which are flagged, each (streams, steps)."""
    check_whole("streams", streams, 1)
    check_whole("steps", steps, 1)
    time = np.arange(steps)
    share = np.full(steps, source.share)
    if source.shifted is not None:
        share[source.shift_at :] = source.shifted
    share = share * (1 + source.rhythm * np.sin(2 * np.pi * time / source.per_day))
    alarms = np.full(steps, 1 - source.specificity)
    if source.drifted is not None:
        alarms[source.drift_at :] = 1 - source.drifted
    negative = rng.random((streams, steps), dtype=np.float32) < share
    flagged = rng.random((streams, steps), dtype=np.float32) < np.where(negative, source.sensitivity, alarms)
    if source.repeated:
        new = rng.random((streams, steps), dtype=np.float32) >= source.repeated
        new[:, 0] = True
        story = np.maximum.accumulate(np.where(new, time, 0), axis=1)  # where the story of each message began
        negative, flagged = (np.take_along_axis(values, story, axis=1) for values in (negative, flagged))
    return negative, flagged
