"""The log of an agent's decisions: one JSON object a line, written whole or not at all. Used by lesson 12. Imports no torch.

A line says what the agent believed, what it did, and the propensity: the probability with which it did that. Without the
propensity, nobody can compute later from the log what another policy would have earned.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from babyagi_lib.basics.whole import whole_file


@dataclass(frozen=True)
class Decision:
    """One decision about one part.

    Attributes:
        part: the number of the part in the stream.
        step: 0 for the first decision about the part.
        action: the name of a sense or of a final action.
        propensity: the probability of this action, above 0 and at most 1.
        belief: the probability of each kind of part before the action.
        reward: minus the cost of a sense; None for a final action, whose payoff the agent does not know yet.
    """

    part: int
    step: int
    action: str
    propensity: float
    belief: tuple[float, ...]
    reward: float | None


def write_log(path: str | Path, decisions: Iterable[Decision]) -> Path:
    """Write decisions as JSON lines; a file of that name is replaced when all are written.

    Raises:
        ValueError: a propensity is not above 0 and at most 1, or a belief is no distribution.
    """
    path = Path(path)
    with whole_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        for decision in decisions:
            if not 0 < decision.propensity <= 1:
                raise ValueError(
                    f"part {decision.part}: the propensity is {decision.propensity}, not above 0 and at most 1"
                )
            if not abs(math.fsum(decision.belief) - 1) < 1e-6:
                raise ValueError(f"part {decision.part}: the belief sums to {math.fsum(decision.belief)}")
            file.write(json.dumps(asdict(decision)) + "\n")
    return path


def read_log(path: str | Path) -> list[Decision]:
    """The decisions in a file that `write_log` wrote.

    Raises:
        ValueError: a line is no decision; the message has its number.
    """
    names, found = {field.name for field in fields(Decision)}, []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: no JSON ({error})") from error
        if not isinstance(row, dict) or row.keys() != names:
            raise ValueError(f"{path}, line {number}: no decision; its names must be {', '.join(sorted(names))}")
        found.append(Decision(**row | {"belief": tuple(row["belief"])}))
    return found
