"""An agent that does one task with tools: a language model chooses each call, a guard decides whether it is made. Used by lesson 14.

Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from babyagi_lib.agents.language_models import CALL, LanguageModel, choose
from babyagi_lib.basics.arguments import check_whole
from babyagi_lib.worlds.tool_sandbox import Call, Sandbox, ToolError
from babyagi_lib.worlds.tool_tasks import Task, candidates, in_words, known, shortest_plan

READ = 120  # characters of an answer that the prompt keeps


@dataclass
class Episode:
    """What an agent did for one task.

    Attributes:
        steps: each call with its answer; what the guard or the tool refused has the reason as its answer.
        refused: how many calls were refused.
        success: whether the task was done at the end, and nothing else.
        ended: "done", "answered", "nothing left" to call, or "budget".
    """

    steps: list[tuple[Call, str]] = field(default_factory=list)
    refused: int = 0
    success: bool = False
    ended: str = "budget"


def prompt_of(objective: str, steps: list[tuple[Call, str]]) -> str:
    """What the language model reads: the objective, and each call with the beginning of its answer."""
    return "\n".join([objective, *(f"{in_words(asked)}: {said[:READ]}" for asked, said in steps)])


def act(
    task: Task,
    model: LanguageModel,
    *,
    budget: int = 10,
    check: bool = True,
    again: bool = False,
    make: Callable[[Sandbox, Call], Any] | None = None,
) -> Episode:
    """Do a task, call by call.

    Args:
        task: what to do.
        model: chooses among all calls that can be built from what the agent has read.
        budget: how many calls there may be.
        check: end as soon as the task is done. Without it only `answer` and the budget end an episode.
        again: whether a call that was made may be made once more.
        make: makes a call in the sandbox and returns the answer, or None with a reason if it refuses: (answer, reason). The place
            for a guard. None: the sandbox itself.

    Raises:
        ValueError: the budget is below 1.
    """
    check_whole("budget", budget, 1)
    done, answer = Episode(), None
    with Sandbox(task.world) as sandbox:
        while len(done.steps) < budget:
            values = known(" \n".join([task.objective, *(said for _, said in done.steps)]))
            made = {asked for asked, _ in done.steps}
            choices = [one for one in candidates(values) if again or one not in made]
            if not choices:
                done.ended = "nothing left"
                break
            chosen = choices[choose(model, prompt_of(task.objective, done.steps), [in_words(one) for one in choices])]
            try:
                said, reason = make(sandbox, chosen) if make else (sandbox.run(chosen), "")
            except ToolError as error:
                said, reason = None, str(error)
            done.refused += said is None
            done.steps.append((chosen, reason if said is None else said))
            if chosen.tool == "answer" and said is not None:
                done.ended, answer = "answered", str(chosen["text"])
                break
            if check and task.answer is None and task.done(sandbox.world()):
                done.ended = "done"
                break
        done.success = task.done(sandbox.world(), answer)
    return done


def examples(tasks: list[Task]) -> list[tuple[str, str]]:
    """Every step of the shortest plan of every task, as (prompt, the right call in words)."""
    found = []
    for task in tasks:
        steps: list[tuple[Call, str]] = []
        with Sandbox(task.world) as sandbox:
            for asked in shortest_plan(task) or []:
                found.append((prompt_of(task.objective, steps), in_words(asked)))
                steps.append((asked, sandbox.run(asked)))
    return found


def worked(tasks: list[Task]) -> str:
    """Every step of the shortest plans as the beginning of a prompt, from which a language model can see what is asked for."""
    return "".join(f"{prompt}\n{CALL} {right}\n\n" for prompt, right in examples(tasks))


def by_rules(prompt: str, texts: Sequence[str]) -> list[float]:
    """A score for each candidate, by hand: look at all that is named, add what is to be added, then act on what was found last.

    The rules know orders, files, searches and sums. They do not know that one order of a customer may be the wanted one.
    """
    objective, *steps = prompt.split("\n")
    verb = next((word for word in ("refund", "delete", "write") if word in objective.lower()), "answer")
    amounts = any(word in objective for word in ("efund", "cost", "amount"))
    scores = []
    for text in texts:
        tool, *_, value = text.split()
        score = 0.0
        if tool == verb:
            # On one line with what the call names, and as late as possible.
            together = any(all(word in step for word in text.split()[1:-1]) for step in steps)
            word = re.escape(text.split()[-2 if verb == "refund" else 1])
            found = [match.start() for match in re.finditer(rf"(?<![\w.]){word}(?!\w|\.\d)", prompt)]
            score = 1 + 0.5 * together + max(found, default=0) / len(prompt) / 10
        elif tool == "calculate":
            score = (
                2.5
                * (not any(step.startswith("calculate") for step in steps))
                * ("`" in objective or "together" in objective)
            )
        elif tool == "list":
            score = 3.0 * (value in objective if "customer" in text else "List the files" in objective)
        elif tool == "read":
            named = all(word in objective for word in re.findall(r"\w+", value.split("/")[-1].removesuffix(".txt")))
            score = 3.0 * (named and f"to {value}" not in objective)
        elif tool == "search":
            score = 3.0
        elif tool == "show" and "note of" not in text:
            score = 3.0 * (f"order {value}" in objective) or 2.8 * (
                amounts and bool(steps) and f"order {value}" in steps[0]
            )
        scores.append(score)
    return scores
