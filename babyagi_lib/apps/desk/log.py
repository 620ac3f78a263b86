"""The decisions of the desk, read back for the estimates of `rl.off_policy` and the gate of lesson 13. Used by lesson 15.

Imports no torch. Each decision is a context of its own, so that a policy is a table with one row for each decision: `rl.off_policy` then
says what another policy would have earned for the same messages, and `agents.gate` whether that is enough to change to it.

Whether an answer helped is known only where the customer said so. Decisions without a known reward are left out and counted. If
customers who were not helped say so more often than others do, the estimates are too low: no propensity corrects that.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.agents.decisions import Decision
from babyagi_lib.apps.desk.store import StoreError
from babyagi_lib.methods.decisions import ACTS
from babyagi_lib.rl.off_policy import Log


class Logged(NamedTuple):
    """The decisions with a known reward.

    Attributes:
        log: contexts 0, 1, 2 and so on; acts in the order of `methods.decisions.ACTS`; propensities and rewards.
        beliefs: the probability of each class, (decisions, classes).
        behaviour: the probability of each act, (decisions, 3).
        unknown: how many decisions were left out, because nobody knows what they earned.
    """

    log: Log
    beliefs: NDArray
    behaviour: NDArray
    unknown: int


def logged(path: str | Path) -> Logged:
    """The decisions in a store. It may be in use at the same time.

    Raises:
        StoreError: there is no store, or no decision with a known reward.
    """
    rows = _rows(path)
    known = [row for row in rows if row["reward"] is not None]
    if not known:
        raise StoreError(f"{path}: of {len(rows)} decisions, none has a known reward")
    act, propensity, gained = (np.array([row[name] for row in known]) for name in ("act", "propensity", "reward"))
    beliefs, behaviour = (np.array([json.loads(row[name]) for row in known]) for name in ("belief", "policy"))
    return Logged(Log(np.arange(len(known)), act, propensity, gained), beliefs, behaviour, len(rows) - len(known))


def decisions(path: str | Path) -> list[Decision]:
    """All decisions in a store in the form of lesson 12's log, for `agents.decisions.write_log`."""
    return [
        Decision(row["id"], 0, ACTS[row["act"]], row["propensity"], tuple(json.loads(row["belief"])), row["reward"])
        for row in _rows(path)
    ]


def _rows(path: str | Path) -> list[sqlite3.Row]:
    try:
        with closing(sqlite3.connect(f"file:{quote(str(Path(path).resolve()))}?mode=ro", uri=True, timeout=5)) as db:
            db.row_factory = sqlite3.Row
            return db.execute("SELECT * FROM decisions ORDER BY id").fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read as the store of a desk ({error})") from error
