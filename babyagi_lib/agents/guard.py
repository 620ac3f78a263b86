"""A guard between an agent and its tools: it decides before each call, and writes down what it decided. Used by lesson 14.

Imports no torch. The guard does not trust the agent: whatever text the agent has read, all it can do is ask for calls. Four parts
look at each call:

- permission: the tool has a rule, a path lies in the rule's folders, and a call with an effect is one that the user asked for;
- budget: calls, money and time;
- taint: an answer of an untrusted tool is data. Once it was read, everything that the agent says may come from it. So the
  arguments of a call with an effect that the user did not name need a person;
- approval: a call that cannot be undone needs a person each time.

Labels propagate: what the agent writes to a file after it has read untrusted text is untrusted when it is read again. That a tool's
answer must not authorise a call is the idea of CaMeL (Debenedetti and others 2025, https://arxiv.org/abs/2503.18813), which tracks
each value; here one set of labels stands for all that the agent has read for a request.

What the guard takes for granted: the user's words are turned into the calls that they ask for by a part that reads nothing else; the
agent forgets what it has read when a request ends; and files change only through calls. What it does not promise:
a call that the user asks for may be made more than once, and what the agent may read is no secret.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.worlds.tool_sandbox import Call, ToolError

PARTS = ("permission", "budget", "taint", "approval")
LARGEST = 10**18  # of a whole number in a call


@dataclass(frozen=True)
class Rule:
    """What an agent may do with one tool.

    Attributes:
        fee: what each call costs, in cents.
        effect: the call changes the world.
        final: the change cannot be undone.
        trusted: its answers come from people who may tell the agent what to do, so that they get no label.
        path: the name of the argument that names a file.
        folders: where that file may lie.
        spends: the name of the argument that is an amount in cents, which counts as money spent.
        data: the name of the argument that is mere content, and may come from anywhere.
    """

    fee: int = 1
    effect: bool = False
    final: bool = False
    trusted: bool = True
    path: str = ""
    folders: tuple[str, ...] = ()
    spends: str = ""
    data: str = ""


@dataclass(frozen=True)
class Policy:
    """Rules by the name of their tool, and the budget of all calls together: their number, cents, and seconds."""

    rules: Mapping[str, Rule]
    steps: int
    cents: int
    seconds: float

    def __post_init__(self) -> None:
        check_whole("steps", self.steps, 0)
        check_whole("cents", self.cents, 0)
        check_number("seconds", self.seconds, 0)


def shop_policy(steps: int = 12, cents: int = 10_000, seconds: float = 60.0) -> Policy:
    """The policy of the lesson for the tools of `tool_sandbox`."""
    rules = {
        "list_files": Rule(trusted=False),
        "read_file": Rule(trusted=False, path="path", folders=("notes", "out")),
        "write_file": Rule(effect=True, path="path", folders=("out",), data="text"),
        "search": Rule(trusted=False, fee=5),
        "calculate": Rule(),
        "list_orders": Rule(),
        "show_order": Rule(),
        "read_note": Rule(trusted=False),
        "refund": Rule(effect=True, spends="cents"),
        "delete_order": Rule(effect=True, final=True),
        "answer": Rule(fee=0),
    }
    return Policy(rules, steps, cents, seconds)


@dataclass(frozen=True)
class State:
    """All that a guard remembers.

    Attributes:
        asks: the calls with an effect that the user asks for now, each with the arguments that the user's words name.
        steps: calls so far, refused ones among them.
        cents: spent so far.
        labels: the untrusted sources that were read for this request.
        clean: the files that the agent wrote when it had read nothing untrusted.
    """

    asks: frozenset[Call] = frozenset()
    steps: int = 0
    cents: int = 0
    labels: frozenset[str] = frozenset()
    clean: frozenset[str] = frozenset()


class Verdict(NamedTuple):
    """What the guard decides about a call: "allow", "ask" (a person) or "refuse", and why; the part that decided it."""

    kind: str
    reason: str = ""
    part: str = ""
    seconds: float = 0.0  # when, since the guard began

    @property
    def allowed(self) -> bool:
        """True if the call needs nobody's approval."""
        return self.kind == "allow"


class Outcome(NamedTuple):
    """What became of a call: its verdict, what the person said if asked, and the tool's answer, None if it was not called."""

    verdict: Verdict
    approved: bool | None
    answer: str | None

    @property
    def reason(self) -> str:
        """Why the call was refused, or needed a person."""
        return self.verdict.reason


def nobody(asked: Call, reason: str) -> bool:
    """The person who is not there: approves nothing."""
    return False


@dataclass(eq=False)
class Guard:
    """Decides about every call before it is made.

    Args:
        policy: what is allowed.
        approve: the person: gets a call and the reason why it needs one, and says True or False, for this call only. Anything but
            True is a no.
        clock: seconds, from any start. While it shows an earlier time than at the start, or no number, no call is made.
        log: a file to which every decision is added, before the call is made.
        parts: which parts are at work; leave one out only to see what it was good for.
    """

    policy: Policy
    approve: Callable[[Call, str], bool] = nobody
    clock: Callable[[], float] = time.monotonic
    log: str | Path | None = None
    parts: tuple[str, ...] = PARTS
    state: State = field(default_factory=State, init=False)

    def __post_init__(self) -> None:
        if unknown := set(self.parts) - set(PARTS):
            raise ValueError(f"there is no part {sorted(unknown)[0]!r}; there are {', '.join(PARTS)}")
        self.started = self.clock()
        about = {"steps": self.policy.steps, "cents": self.policy.cents, "seconds": self.policy.seconds}
        rules = {tool: asdict(rule) for tool, rule in self.policy.rules.items()}
        self.note({"event": "policy", **about, "rules": rules, "parts": list(self.parts)})

    # --- the decision ---------------------------------------------------------------------------------------------

    def begin(self, objective: str, asks: Iterable[Call] = ()) -> None:
        """Take a request of the user: what the agent has read for another one no longer counts, what it has spent does.

        Args:
            objective: the user's words, for the log.
            asks: the calls with an effect that they ask for. An argument that is left out is left to the agent.
        """
        asks = frozenset(asks)
        self.note(
            {"event": "request", "objective": objective, "asks": [_written(one) for one in sorted(asks, key=str)]}
        )
        self.state = replace(self.state, asks=asks, labels=frozenset())

    def decide(self, asked: Call) -> Verdict:
        """The verdict about a call in the present state. Nothing is called and nothing changes."""
        seconds = self.clock() - self.started
        if not _well_formed(asked):  # nothing below could read it
            reason = f"arguments are texts and whole numbers below {LARGEST:.0e}, each given once"
            return Verdict("refuse", reason, "permission", seconds)
        refused = (("permission", self.forbidden(asked)), ("budget", self.too_much(asked, seconds)))
        doubtful = (("taint", self.tainted(asked)), ("approval", self.final(asked)))
        for kind, found in (("refuse", refused), ("ask", doubtful)):
            reasons = [(part, reason) for part, reason in found if reason and part in self.parts]
            if reasons:
                return Verdict(kind, "; ".join(reason for _, reason in reasons), reasons[0][0], seconds)
        return Verdict("allow", seconds=seconds)

    def forbidden(self, asked: Call) -> str:
        """Why there is no permission for a call; empty if there is."""
        rule, given = self.policy.rules.get(asked.tool), dict(asked.arguments)
        if rule is None:
            return f"there is no rule for {asked.tool}"
        if rule.path and not any(self.inside(given.get(rule.path), folder) for folder in rule.folders):
            return f"{given.get(rule.path)!r} is in none of the folders {', '.join(rule.folders)}"
        if rule.spends and not (type(given.get(rule.spends)) is int and given[rule.spends] > 0):
            return f"{rule.spends} is no amount above 0"
        if rule.effect and not any(_fits(one, asked) for one in self.state.asks):
            return f"the user does not ask for {asked}"
        return ""

    def inside(self, path: object, folder: str) -> bool:
        """True if a path names something in a folder, whatever the file system makes of it.

        Each file has one name here, without capitals or a dot at the end: where A.txt and a.txt are one file, a label would be lost.
        """
        if not isinstance(path, str):
            return False
        parts, above = path.split("/"), folder.split("/")
        plain = all(re.fullmatch(r"[a-z0-9_.-]*[a-z0-9_-]", part) for part in parts)
        return plain and parts[: len(above)] == above and len(parts) > len(above)

    def too_much(self, asked: Call, seconds: float) -> str:
        """Why a call would exceed the budget; empty if it would not."""
        if self.state.steps + 1 > self.policy.steps:
            return f"all {self.policy.steps} calls are used"
        if self.state.cents + self.cost(asked) > self.policy.cents:
            return f"{self.cost(asked)} cents are more than is left of {self.policy.cents}"
        if not seconds >= 0:  # NaN, too
            return "the clock does not show the time"
        if seconds > self.policy.seconds:
            return f"the {self.policy.seconds:g} seconds are over"
        return ""

    def tainted(self, asked: Call) -> str:
        """Which arguments may come from untrusted text; empty if none, or if the call has no effect."""
        rule = self.policy.rules.get(asked.tool, Rule(effect=True))
        if not rule.effect or not self.state.labels:
            return ""
        named = [dict(one.arguments) for one in self.state.asks if _fits(one, asked)] or [{}]
        free = min(
            ([name for name, _ in asked.arguments if name not in one and name != rule.data] for one in named), key=len
        )
        return f"{' and '.join(free)} may come from {', '.join(sorted(self.state.labels))}" if free else ""

    def final(self, asked: Call) -> str:
        """Why a call needs a person even if the user asked for it; empty if it does not."""
        return f"{asked.tool} cannot be undone" if self.policy.rules.get(asked.tool, Rule()).final else ""

    # --- the call -------------------------------------------------------------------------------------------------

    def run(self, asked: Call, tool: Callable[[Call], str]) -> Outcome:
        """Decide about a call, write the decision down, and only then make the call if it may be made.

        A call that a tool cannot answer (`ToolError`) has been made, too; the answer is then the error's message.

        Raises:
            OSError: the decision cannot be written to the log. Then the call is not made.
        """
        verdict, approved = self.decide(asked), None
        if verdict.kind == "ask":
            approved = self.approve(asked, verdict.reason) is True
            if approved and "budget" in self.parts:  # the person may have taken long
                seconds = self.clock() - self.started
                if late := self.too_much(asked, seconds):
                    verdict = Verdict("refuse", late, "budget", seconds)
        allowed = verdict.allowed or (verdict.kind == "ask" and bool(approved))
        self.note({"event": "call", **_written(asked), **verdict._asdict(), "approved": approved})
        self.state = self.charged(asked, allowed)
        if not allowed:
            return Outcome(verdict, approved, None)
        self.state = self.learned(asked, False)  # should the tool break down half-way
        try:
            answer, worked = tool(asked), True
        except ToolError as error:
            answer, worked = f"error: {error}", False
        self.state = self.learned(asked, worked)
        digest = hashlib.sha256(answer.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self.note({"event": "answer", "worked": worked, "characters": len(answer), "sha256": digest})
        return Outcome(verdict, approved, answer)

    def cost(self, asked: Call) -> int:
        """What a call costs in cents: its fee, and what it spends."""
        rule, given = self.policy.rules.get(asked.tool, Rule()), dict(asked.arguments)
        amount = given.get(rule.spends, 0) if rule.spends else 0
        return rule.fee + (max(0, amount) if isinstance(amount, int) else 0)

    def charged(self, asked: Call, allowed: bool) -> State:
        """The state after a decision. Refused calls count as steps, so that an agent which repeats them comes to an end."""
        steps = self.state.steps + (allowed or self.state.steps < self.policy.steps)
        return replace(self.state, steps=steps, cents=self.state.cents + (self.cost(asked) if allowed else 0))

    def learned(self, asked: Call, worked: bool) -> State:
        """The state after an answer: what was read, and which files hold what."""
        rule, labels = self.policy.rules.get(asked.tool, Rule(trusted=False)), self.labels_of(asked)
        clean = self.state.clean
        if rule.effect and rule.path:
            path = str(dict(asked.arguments).get(rule.path))
            clean = clean | {path} if worked and not self.state.labels else clean - {path}
        return replace(self.state, labels=self.state.labels | labels, clean=clean)

    def labels_of(self, asked: Call) -> frozenset[str]:
        """The labels of the answer to a call: none if its source is trusted."""
        rule, given = self.policy.rules.get(asked.tool, Rule(trusted=False)), dict(asked.arguments)
        if rule.trusted or (rule.path and given.get(rule.path) in self.state.clean):
            return frozenset()
        return frozenset([f"{asked.tool} {given[rule.path]}" if rule.path in given else asked.tool])

    def note(self, line: dict) -> None:
        """Add a line to the log, and give it to the operating system at once."""
        if self.log is not None:
            with Path(self.log).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def _fits(one: Call, asked: Call) -> bool:
    """True if a call has the tool and all arguments of what the user asks for."""
    return one.tool == asked.tool and set(one.arguments) <= set(asked.arguments)


def _well_formed(asked: Call) -> bool:
    """True if a call has a name, and each argument once, a text or a whole number that is not huge."""
    names, values = [name for name, _ in asked.arguments], [value for _, value in asked.arguments]
    return (
        all(type(name) is str for name in (asked.tool, *names))
        and len(set(names)) == len(names)
        and all(type(value) is str or (type(value) is int and abs(value) < LARGEST) for value in values)
    )


def _written(asked: Call) -> dict:
    """A call as JSON has it; of one that is not well formed, the kinds of its values, which are not well formed either."""
    if _well_formed(asked):
        return {"tool": asked.tool, "arguments": dict(asked.arguments)}
    kinds = [f"{name!s:.40} ({type(value).__name__})" for name, value in asked.arguments]
    return {
        "tool": asked.tool if type(asked.tool) is str else type(asked.tool).__name__,
        "arguments": {"refused": kinds},
    }


def _read(row: Mapping) -> Call:
    """The call that `_written` wrote, its arguments in their order."""
    return Call(row["tool"], tuple(row["arguments"].items()))


# --- the log ------------------------------------------------------------------------------------------------------


def read_audit(path: str | Path) -> list[dict]:
    """The lines of a log that a guard wrote. A last line that was not finished is left out: its call was not made.

    Raises:
        ValueError: a line is no JSON object with an event; the message has its number.
    """
    found = []
    whole, _, _ = Path(path).read_text(encoding="utf-8").rpartition("\n")
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            row = json.loads(line)
            row["event"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: not a line of a guard's log ({error})") from error
        found.append(row)
    return found


def replay(path: str | Path) -> int:
    """Decide about every call of a log once more, with its policy, its clock and its person's answers.

    Returns:
        How many calls got the same verdict: all.

    Raises:
        ValueError: a verdict is not the one in the log; the message has its line.
    """
    rows, guard, number = read_audit(path), None, 0
    for line, row in enumerate(rows, start=1):
        if row["event"] == "policy":
            rules = {tool: Rule(**rule | {"folders": tuple(rule["folders"])}) for tool, rule in row["rules"].items()}
            policy = Policy(rules, row["steps"], row["cents"], row["seconds"])
            guard = Guard(policy, clock=lambda: 0.0, parts=tuple(row["parts"]))
        elif guard is None:
            raise ValueError(f"{path}, line {line}: the policy is missing before it")
        elif row["event"] == "request":
            guard.begin(row["objective"], [_read(one) for one in row["asks"]])
        elif row["event"] == "call":
            asked, told = _read(row), rows[line] if line < len(rows) else {}
            times = (
                iter([0.0, row["seconds"]])
                if row["kind"] == "refuse" and row["approved"]
                else iter([row["seconds"]] * 2)
            )
            guard.clock = lambda times=times: next(times)
            guard.approve = lambda asked, reason, said=row["approved"]: bool(said)

            def tool(asked: Call, worked: bool = told.get("event") == "answer" and told["worked"]) -> str:
                if not worked:
                    raise ToolError("as in the log")
                return ""

            verdict = guard.run(asked, tool).verdict
            if (verdict.kind, verdict.reason) != (row["kind"], row["reason"]):
                raise ValueError(
                    f"{path}, line {line}: the log says {row['kind']}, the guard says {verdict.kind} for {asked}"
                )
            number += 1
    return number
