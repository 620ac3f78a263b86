"""A task loop in the manner of yoheinakajima/babyagi: execute, store, create, prioritise, again. Used by lesson 14.

The loop of 2023 asked a hosted language model to do all four steps and had nothing that could stop it. Here, every mechanism
that was added later stands in the loop as an argument that can be left out, so that one can measure what it is for. Imports
no torch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from babyagi_lib.agents.memory import Memory, cosines
from babyagi_lib.basics.arguments import check_number, check_whole


class Worker(Protocol):
    """What does the work of a loop: a language model, or rules in its place. `worlds.stock_report.Worker` is one."""

    def execute(self, objective: str, task: str, recalled: Sequence[str]) -> Any:
        """Do a task; the result has a `text` and says whether it `answered` the task."""

    def create(self, objective: str, task: str, result: Any, waiting: Sequence[str]) -> list[str]:
        """New tasks after a result."""

    def rewrite(self, objective: str, waiting: Sequence[str]) -> list[str]:
        """The list of tasks, written anew in a better order."""

    def priority(self, objective: str, task: str) -> float:
        """The place of one task: lower comes first."""


@dataclass
class Run:
    """What happened.

    Attributes:
        executed: the tasks, in order, each with its result.
        lost: tasks that were on the list and are not on it any more, though nobody did them.
        refused: new tasks that were not put on the list.
        waiting: what is on the list; `lengths` how many were on it after each task.
        created: how many new tasks each executed task put on the list.
        ended: "done", "nothing left" or "budget".
    """

    executed: list[tuple[str, Any]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    created: list[int] = field(default_factory=list)
    ended: str = "budget"


def run(
    objective: str,
    first: Sequence[str],
    worker: Worker,
    memory: Memory,
    *,
    budget: int,
    same: float | None = None,
    stable: bool = False,
    check: Callable[[Run], Sequence[str]] | None = None,
    keep: Callable[[str, Run], bool] | None = None,
    ask_with_task: bool = True,
    k: int = 4,
) -> Run:
    """Work on an objective until it is done, nothing is left to do, or the budget is spent.

    Args:
        objective: what all tasks are for.
        first: the tasks to begin with.
        worker: executes, creates and sorts.
        memory: holds the texts of results; `k` of them are recalled for each task.
        budget: how many tasks may be executed. A loop without one need not end.
        same: a new task is refused if its cosine to a waiting task, or to one that was answered, is at least this. None: never.
        stable: sort by priority and arrival, which can lose nothing; else the worker writes the list anew.
        check: returns tasks that are still missing, none if the objective is met. With it, the loop ends when the objective
            is met, and goes on with a missing task where the list is empty.
        keep: whether a new task is still needed; None: all are.
        ask_with_task: ask memory with the task; else with the objective, as babyagi once did.
        k: how many results are recalled.

    Raises:
        ValueError: a number is out of its range.
    """
    check_whole("budget", budget, 1)
    check_whole("k", k, 1)
    if same is not None:
        check_number("same", same, -1, 1)
    done, waiting = Run(), deque(first)
    done.waiting = list(waiting)
    while len(done.executed) < budget:
        if check and not (missing := check(done)):
            done.ended = "done"
            break
        if not waiting:
            if not check:
                done.ended = "nothing left"
                break
            waiting.append(missing[0])
        task = waiting.popleft()
        # 1. Execute, with what memory has on it.
        result = worker.execute(objective, task, memory.recall(task if ask_with_task else objective, k))
        done.executed.append((task, result))
        # 2. Store.
        memory.store(result.text)
        # 3. Create.
        done.waiting, before = list(waiting), len(waiting)
        for new in worker.create(objective, task, result, list(waiting)):
            if (keep is None or keep(new, done)) and not repeated(new, done, memory, same):
                waiting.append(new)
                done.waiting = list(waiting)
            else:
                done.refused.append(new)
        done.created.append(len(waiting) - before)
        # 4. Prioritise.
        if stable:
            waiting = deque(sorted(waiting, key=lambda one: worker.priority(objective, one)))
        else:
            written = worker.rewrite(objective, list(waiting))
            left = list(written)
            for one in waiting:
                if one in left:
                    left.remove(one)
                else:
                    done.lost.append(one)
            waiting = deque(written)
        done.waiting = list(waiting)
        done.lengths.append(len(waiting))
    return done


def repeated(new: str, done: Run, memory: Memory, same: float | None) -> bool:
    """Whether a new task says what a waiting or an answered one says: their cosine is at least `same`."""
    known = list(dict.fromkeys([*done.waiting, *(task for task, result in done.executed if result.answered)]))
    if same is None or not known:
        return False
    return new in known or float(cosines(memory.embed, [new], known).max()) >= same
