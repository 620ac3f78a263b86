"""The exercises of lesson 08: the double-Q target, n-step targets from a buffer, the Riccati recursion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from babyagi_lib.learner.checks.answers import Wrong, array, rounded_to, side_by_side
from babyagi_lib.learner.checks.verdict import exercise

Values = NDArray[np.float64]
GENTLE = {"rtol": 1e-4, "atol": 1e-4}  # of answers that were computed in float32


def same(one: Any, other: Any) -> bool:
    """Equal in shape, and in value to the digits that float32 has."""
    one, other = np.asarray(one), np.asarray(other)
    return one.shape == other.shape and np.allclose(one, other, **GENTLE, equal_nan=True)


# --- exercise 1: the double-Q target -------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Targets:
    """What the two networks say of the next states of a batch, (batch, actions), and the rest of the batch, (batch,)."""

    network: Values
    judge: Values
    r: Values
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    gamma: float

    def right(self) -> Values:
        """The target of van Hasselt and others (2016)."""
        return self.towards(self.of(self.judge, self.network.argmax(axis=1)))

    def towards(self, then: Values) -> Values:
        """The target, if the next states were worth `then`."""
        return self.r + self.gamma * ~self.terminated * then

    @staticmethod
    def of(values: Values, actions: NDArray) -> Values:
        """The value of one action in each row."""
        return values[np.arange(len(values)), actions]


TARGET_MISTAKES: list[tuple[str, Callable[[Targets], Values]]] = [
    (
        "the judge both chooses and judges, as in the ordinary target: let `network` choose the action.",
        lambda b: b.towards(b.judge.max(axis=1)),
    ),
    (
        "`network` both chooses and judges: ask `judge` what the chosen action is worth.",
        lambda b: b.towards(b.network.max(axis=1)),
    ),
    (
        "the two roles are swapped: `network` chooses the action, `judge` says what it is worth.",
        lambda b: b.towards(b.of(b.network, b.judge.argmax(axis=1))),
    ),
    (
        "you bootstrap past the end: where terminated is true, the target is the reward alone.",
        lambda b: b.r + b.gamma * b.of(b.judge, b.network.argmax(axis=1)),
    ),
    (
        "a truncated state keeps its value: only terminated sets what follows to 0.",
        lambda b: b.r + b.gamma * ~(b.terminated | b.truncated) * b.of(b.judge, b.network.argmax(axis=1)),
    ),
    (
        "you set the future to 0 where truncated is true; do so where terminated is true.",
        lambda b: b.r + b.gamma * ~b.truncated * b.of(b.judge, b.network.argmax(axis=1)),
    ),
    (
        "terminated is the wrong way round: where it is true, nothing follows.",
        lambda b: b.r + b.gamma * b.terminated * b.of(b.judge, b.network.argmax(axis=1)),
    ),
    (
        "gamma is missing: what follows is discounted by one step.",
        lambda b: b.r + ~b.terminated * b.of(b.judge, b.network.argmax(axis=1)),
    ),
    (
        "gamma multiplies the reward too: only what follows is discounted.",
        lambda b: b.gamma * (b.r + ~b.terminated * b.of(b.judge, b.network.argmax(axis=1))),
    ),
    ("the reward is missing.", lambda b: b.right() - b.r),
    (
        "the reward of the last step is lost: where terminated is true, only what follows is 0.",
        lambda b: ~b.terminated * b.right(),
    ),
    (
        "that is the number of the action in place of its value: take the judge's value for it (gather).",
        lambda b: b.towards(b.network.argmax(axis=1).astype(float)),
    ),
    (
        "you take the smaller of what the two networks say; that is another method (clipped double Q-learning).",
        lambda b: b.towards(
            np.minimum(
                b.of(b.judge, b.network.argmax(axis=1)),
                b.of(b.network, b.network.argmax(axis=1)),
            )
        ),
    ),
    (
        "you average the two networks; only the judge's value counts.",
        lambda b: b.towards(b.of((b.judge + b.network) / 2, b.network.argmax(axis=1))),
    ),
    (
        "the chosen action is the worst: take the largest value of `network`, not the smallest.",
        lambda b: b.towards(b.of(b.judge, b.network.argmin(axis=1))),
    ),
    (
        "you average over the actions; the best one counts.",
        lambda b: b.towards(b.judge.mean(axis=1)),
    ),
    ("take the maximum in each row, not of the whole batch.", lambda b: b.towards(b.judge.max())),
    ("what follows is missing.", lambda b: b.r),
    ("what follows is subtracted: add it.", lambda b: 2 * b.r - b.right()),
]


def two_networks(seed: int, actions: int = 3) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Two small networks that disagree: states of two numbers to a value for each action."""
    draw = np.random.default_rng(seed)

    def network(shift: float) -> torch.nn.Module:
        layers = torch.nn.Sequential(torch.nn.Linear(2, 6), torch.nn.Tanh(), torch.nn.Linear(6, actions))
        for parameter in layers.parameters():
            parameter.data = torch.tensor(draw.normal(size=tuple(parameter.shape)), dtype=torch.float32)
        layers[2].bias.data += shift
        return layers

    return network(-1.0), network(2.0)


def batches() -> list[tuple[torch.nn.Module, torch.nn.Module, Any, Any, Any, Any, float]]:
    """The arguments of the exercise: transitions in the middle, terminated, truncated, and both at once."""
    drawn = []
    for seed, size, gamma in ((0, 16, 0.9), (1, 7, 0.6)):
        draw = np.random.default_rng(seed)
        s_next = torch.tensor(draw.normal(size=(size, 2)), dtype=torch.float32)
        r = torch.tensor(draw.normal(size=size).round(1), dtype=torch.float32)
        ends = np.arange(size) % 4
        terminated, truncated = torch.tensor((ends == 1) | (ends == 3)), torch.tensor((ends == 2) | (ends == 3))
        drawn.append((*two_networks(seed), r, s_next, terminated, truncated, gamma))
    return drawn


def state_of(network: torch.nn.Module, judge: torch.nn.Module) -> list:
    """Every weight of both, and whether the network still learns. The judge never does, so its gradients may be off."""
    weights = [part.flatten().tolist() for model in (network, judge) for part in model.parameters()]
    return [*weights, [part.requires_grad for part in network.parameters()]]


def seen(batch: tuple) -> Targets:
    """A batch as arrays, with what the networks say."""
    network, judge, r, s_next, terminated, truncated, gamma = batch
    with torch.no_grad():
        says = [model(s_next).double().numpy() for model in (network, judge)]
    return Targets(*says, r.double().numpy(), terminated.numpy(), truncated.numpy(), gamma)


def carries_gradient(answer: Any, *models: torch.nn.Module) -> bool:
    """True if a gradient flows from an answer into the weights of a network."""
    if not isinstance(answer, torch.Tensor) or not answer.requires_grad:
        return False
    weights = [weight for model in models for weight in model.parameters() if weight.requires_grad]
    if not weights:
        return False
    found = torch.autograd.grad(answer.sum(), weights, allow_unused=True, retain_graph=True)
    return any(gradient is not None for gradient in found)


@exercise
def double_target(attempt: Callable) -> str:
    """Check `attempt(network, judge, r, s_next, terminated, truncated, gamma)`, which returns the targets, (batch,)."""
    drawn = batches()
    answers, graphs = [], False
    for batch in drawn:
        network, judge, r, s_next, terminated, truncated, gamma = batch
        before = [part.clone() for part in (r, s_next, terminated, truncated)]
        weights = state_of(network, judge)
        answer = attempt(network, judge, r, s_next, terminated, truncated, gamma)
        if state_of(network, judge) != weights:
            raise Wrong(
                "your function changes the networks: their weights, or whether `network` can learn. Only ask them, and keep "
                "the gradient out with torch.no_grad()."
            )
        if any(
            not torch.equal(one, other) for one, other in zip((r, s_next, terminated, truncated), before, strict=True)
        ):
            raise Wrong("your function changes the batch that it was given; work on copies.")
        found = array(answer, f"one target for each of the {len(r)} transitions")
        if found.shape == (len(r), len(r)):
            raise Wrong(
                f"the targets have the shape {found.shape}: r has the shape ({len(r)},) and the chosen values "
                f"({len(r)}, 1), and their sum is a table. Remove the last axis first, with squeeze(-1) or [:, 0]."
            )
        if found.shape != (len(r),):
            raise Wrong(f"the targets have the shape {found.shape}; one for each transition is needed, ({len(r)},).")
        answers.append(found)
        graphs = graphs or carries_gradient(answer, network, judge)
    cases = [seen(batch) for batch in drawn]
    wanted = [case.right() for case in cases]
    off = [~np.isclose(found, right, **GENTLE) for found, right in zip(answers, wanted, strict=True)]
    if not any(one.any() for one in off):
        if graphs:
            raise Wrong(
                "the numbers are right, but a gradient flows through the target into the networks: the target must be a "
                "constant (a semi-gradient). Compute it under torch.no_grad(), or detach it."
            )
        return f"{sum(map(len, wanted))} transitions, terminated and truncated ones among them, and no gradient."
    first = next(number for number, one in enumerate(off) if one.any())
    case, at = cases[first], int(np.argmax(off[first]))
    one, other = side_by_side(answers[first][at], wanted[first][at])
    said = (
        f" With r = {case.r[at]:g}, terminated {bool(case.terminated[at])}, truncated {bool(case.truncated[at])} and gamma "
        f"= {case.gamma}, where the network says {_row(case.network[at])} and the judge {_row(case.judge[at])}, your target "
        f"is {one}; it should be {other}."
    )
    for message, mistake in TARGET_MISTAKES:
        if all(same(found, mistake(case)) for found, case in zip(answers, cases, strict=True)):
            raise Wrong(message + said)
    if (decimals := rounded_to(np.concatenate(answers), np.concatenate(wanted), 1e-5)) is not None:
        raise Wrong(f"you round to {decimals} decimals: return the number as it is." + said)
    raise Wrong("the target is not what the formula says." + said)


def _row(values: Values) -> str:
    return "(" + ", ".join(f"{value:.2f}" for value in values) + ")"


# --- exercise 2: n-step targets that stop at the end of an episode ---------------------------------------------


@dataclass(frozen=True, eq=False)
class Stream:
    """Steps of one agent in the order in which they were kept, (steps,), through several episodes."""

    reward: Values
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    n: int
    gamma: float


def targets(
    stream: Stream,
    *,
    more: int = 0,
    stops: Callable[[Stream, int], bool] = lambda s, i: bool(s.terminated[i] or s.truncated[i]),
    weighs: Callable[[Stream, int, int], float] = lambda s, t, i: 0.0 if s.terminated[i] else s.gamma ** (i - t + 1),
    counts: Callable[[Stream, int, int], float] = lambda s, t, i: s.gamma ** (i - t) * s.reward[i],
) -> Values:
    """The right answer, (3, steps): sum of rewards, weight of the value to bootstrap from, and the last step.

    The options are mistakes: `more` steps than n, another rule where to stop, for the weight, or for a reward's part.
    """
    steps = len(stream.reward)
    rows = np.zeros((3, steps))
    for t in range(steps):
        total = 0.0
        for i in range(t, min(t + max(1, stream.n + more), steps)):
            total += counts(stream, t, i)
            if stops(stream, i):
                break
        rows[:, t] = total, weighs(stream, t, i), i
    return rows


def set_before_the_end(stream: Stream) -> Values:
    """A mistake: weight and last step are set inside the loop, after the `break`."""
    rows = targets(stream)
    for t, i in enumerate(rows[2].astype(int)):
        if stream.terminated[i] or stream.truncated[i]:
            rows[1:, t] = (stream.gamma ** (i - t), i - 1) if i > t else 0.0
    return rows


STREAM_MISTAKES: list[tuple[str, Callable[[Stream], Values]]] = [
    (
        "you add rewards across the end of an episode: stop at terminated and at truncated, where another episode begins.",
        lambda s: targets(s, stops=lambda s, i: False),
    ),
    (
        "you go on after a truncation, into the next episode: stop there, too.",
        lambda s: targets(s, stops=lambda s, i: bool(s.terminated[i])),
    ),
    (
        "you go on after a termination, into the next episode: stop there, too.",
        lambda s: targets(s, stops=lambda s, i: bool(s.truncated[i])),
    ),
    (
        "a truncated state keeps its value: the weight is 0 only where the last step terminated.",
        lambda s: targets(
            s, weighs=lambda s, t, i: 0.0 if s.terminated[i] or s.truncated[i] else s.gamma ** (i - t + 1)
        ),
    ),
    (
        "you bootstrap past the end: where the last step terminated, the weight is 0.",
        lambda s: targets(s, weighs=lambda s, t, i: s.gamma ** (i - t + 1)),
    ),
    (
        "the weight is gamma to the power of the steps that were added, which can be fewer than n.",
        lambda s: targets(s, weighs=lambda s, t, i: 0.0 if s.terminated[i] else s.gamma**s.n),
    ),
    (
        "the weight has one factor gamma too few: after one step it is gamma.",
        lambda s: targets(s, weighs=lambda s, t, i: 0.0 if s.terminated[i] else s.gamma ** (i - t)),
    ),
    (
        "the weight is gamma whatever the number of steps: take the power of it.",
        lambda s: targets(s, weighs=lambda s, t, i: 0.0 if s.terminated[i] else s.gamma),
    ),
    (
        "the rewards are not discounted: the one k steps later counts gamma to the power k.",
        lambda s: targets(s, counts=lambda s, t, i: s.reward[i]),
    ),
    (
        "the first reward is discounted too: it counts in full.",
        lambda s: targets(s, counts=lambda s, t, i: s.gamma ** (i - t + 1) * s.reward[i]),
    ),
    ("you add n + 1 rewards where n are wanted.", lambda s: targets(s, more=1)),
    ("you add n - 1 rewards where n are wanted.", lambda s: targets(s, more=-1)),
    (
        "the reward of the step that ends an episode is lost.",
        lambda s: targets(
            s, counts=lambda s, t, i: 0.0 if s.terminated[i] or s.truncated[i] else s.gamma ** (i - t) * s.reward[i]
        ),
    ),
    (
        "the newest steps have fewer than n steps after them, but nothing has ended: bootstrap there.",
        lambda s: targets(
            s, weighs=lambda s, t, i: 0.0 if s.terminated[i] or i == len(s.reward) - 1 else s.gamma ** (i - t + 1)
        ),
    ),
    (
        "the third row is the step after the last one: give the last step whose reward was added.",
        lambda s: targets(s) + np.array([[0.0], [0.0], [1.0]]),
    ),
    (
        "the third row is how many rewards were added: give the number of the last step.",
        lambda s: np.vstack([targets(s)[:2], targets(s)[2] - np.arange(len(s.reward)) + 1]),
    ),
    ("n is ignored: add at most n rewards.", lambda s: targets(s, more=len(s.reward))),
    (
        "the weight depends on the last step that was added, not on step t: look at terminated there.",
        lambda s: targets(s, weighs=lambda s, t, i: 0.0 if s.terminated[t] else s.gamma ** (i - t + 1)),
    ),
    (
        "where an episode ends, you leave the loop before weight and last step are set: set them after the loop.",
        set_before_the_end,
    ),
]


def streams() -> list[Stream]:
    """Streams in which episodes end in every way: terminated, truncated, both at once, in the first and the last step."""
    drawn = []
    for seed, steps, n, gamma in ((0, 24, 3, 0.9), (1, 17, 5, 0.5), (2, 9, 1, 0.8)):
        draw = np.random.default_rng(seed)
        kind = draw.choice(4, size=steps, p=[0.64, 0.14, 0.14, 0.08])
        kind[:9] = [0, 0, 0, 1, 0, 0, 2, 0, 3]
        kind[-3:] = 0  # the newest steps are in the middle of an episode
        terminated, truncated = (kind == 1) | (kind == 3), (kind == 2) | (kind == 3)
        drawn.append(Stream(draw.normal(size=steps).round(1) + 0.05, terminated, truncated, n, gamma))
    return drawn


@exercise
def n_step(attempt: Callable) -> str:
    """Check `attempt(reward, terminated, truncated, n, gamma)`, which returns three rows, (3, steps)."""
    drawn, answers = streams(), []
    for stream in drawn:
        given = [column.copy() for column in (stream.reward, stream.terminated, stream.truncated)]
        answer = attempt(*given, stream.n, stream.gamma)
        if any(not np.array_equal(one, other) for one, other in zip(given, astuple(stream)[:3], strict=True)):
            raise Wrong("your function changes the arrays that it was given; work on copies.")
        steps = len(stream.reward)
        found = array(answer, f"three rows of {steps} numbers: sums, weights, last steps")
        if found.shape == (steps, 3) and steps != 3:
            raise Wrong(f"the answer has the shape {found.shape}; transpose it: three rows, ({3}, {steps}).")
        if found.shape != (3, steps):
            raise Wrong(
                f"the answer has the shape {found.shape}; three rows of {steps} numbers are needed, (3, {steps})."
            )
        answers.append(found)
    wanted = [targets(stream) for stream in drawn]
    off = [~np.isclose(found, right, **GENTLE).all(axis=0) for found, right in zip(answers, wanted, strict=True)]
    if not any(one.any() for one in off):
        return f"{sum(right.shape[1] for right in wanted)} steps, through ends of every kind, and none is mixed."
    first = next(number for number, one in enumerate(off) if one.any())
    stream, at = drawn[first], int(np.argmax(off[first]))
    upto = min(at + stream.n, len(stream.reward) - 1)
    ends = [
        f"step {i} {' and '.join(kind for kind, flags in (('terminated', stream.terminated), ('truncated', stream.truncated)) if flags[i])}"
        for i in range(at, upto + 1)
        if stream.terminated[i] or stream.truncated[i]
    ]
    one, other = side_by_side(answers[first][:, at], wanted[first][:, at])
    said = (
        f" For step {at} of {len(stream.reward)} with n = {stream.n} and gamma = {stream.gamma}"
        f"{', where ' + ', '.join(ends) if ends else ''}, you return {one}; it should be {other} (sum, weight, last step)."
    )
    for message, mistake in STREAM_MISTAKES:
        if all(same(found, mistake(stream)) for found, stream in zip(answers, drawn, strict=True)):
            raise Wrong(message + said)
    rows = [
        np.concatenate([~np.isclose(f, w, **GENTLE) for f, w in zip(answers, wanted, strict=True)], axis=1)[k].any()
        for k in range(3)
    ]
    if sum(rows) == 1:
        name = ("the sums of rewards", "the weights", "the last steps")[rows.index(True)]
        raise Wrong(f"only {name} are wrong." + said)
    raise Wrong("these are not the targets." + said)


# --- exercise 3: the Riccati recursion ------------------------------------------------------------------------

GROWS = "the numbers grow without end: check the signs, the transposes and gamma."


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear world x' = A x + B u with the cost x'Qx + u'Ru."""

    A: Values
    B: Values
    Q: Values
    R: Values
    gamma: float


def systems() -> list[Linear]:
    """Linear worlds. The first has as many actions as states, so that swapped matrices give numbers and can be named."""
    drawn = []
    for seed, states, actions, gamma in ((11, 2, 2, 0.9), (7, 2, 1, 0.95), (5, 3, 1, 0.8), (6, 3, 2, 0.7)):
        draw = np.random.default_rng(seed)
        root, other = draw.normal(size=(states, states)), draw.normal(size=(actions, actions))
        A = draw.normal(size=(states, states)) + np.eye(states)
        drawn.append(
            Linear(
                # The world without actions is stable: then every right form of the recursion settles, also those in
                # which P loses its symmetry by rounding.
                0.8 * A / np.abs(np.linalg.eigvals(A)).max(),
                draw.normal(size=(states, actions)),
                root @ root.T + 0.5 * np.eye(states),
                other @ other.T + 0.5 * np.eye(actions),
                gamma,
            )
        )
    return drawn


def gain(w: Linear, P: Values) -> Values:
    """The best action's gain, if P is the cost of what follows."""
    return w.gamma * np.linalg.solve(w.R + w.gamma * w.B.T @ P @ w.B, w.B.T @ P @ w.A)


def recursion(
    w: Linear,
    passes: int = 400,
    better: Callable[[Linear, Values], Values] = gain,
    after: Callable[[Linear, Values, Values], Values] = lambda w, P, K: w.Q + w.gamma * w.A.T @ P @ (w.A - w.B @ K),
) -> tuple[Values, Values]:
    """K and P after some passes; the options are mistakes."""
    P = w.Q
    with np.errstate(all="ignore"):
        for _ in range(passes):
            P = after(w, P, better(w, P))
            if not np.isfinite(P).all():
                return np.full((w.B.shape[1], w.A.shape[0]), np.nan), P
        return better(w, P), P


def _swapped(w: Linear, **names: Values) -> Values:
    parts = {name: getattr(w, name) for name in ("A", "B", "Q", "R")} | names
    return recursion(Linear(**parts, gamma=w.gamma))[0]


GAIN_MISTAKES: list[tuple[str, Callable[[Linear], Values]]] = [
    (
        "the sign is wrong: the controller is u = -K x, so K itself has the sign of the formula.",
        lambda w: -recursion(w)[0],
    ),
    ("that is P, the cost of a state; return the gain K.", lambda w: recursion(w)[1]),
    ("K is transposed: it has a row for each action, (actions, states).", lambda w: recursion(w)[0].T),
    (
        "one step is not enough: with P = Q you look one step ahead. Repeat until P settles.",
        lambda w: gain(w, w.Q),
    ),
    ("gamma is missing.", lambda w: recursion(Linear(w.A, w.B, w.Q, w.R, 1.0))[0]),
    (
        "gamma is missing in K: every P is discounted, since it is the cost of what comes a step later.",
        lambda w: recursion(w, better=lambda w, P: np.linalg.solve(w.R + w.B.T @ P @ w.B, w.B.T @ P @ w.A))[0],
    ),
    (
        "gamma is missing in the new P: what follows is discounted there, too.",
        lambda w: recursion(w, after=lambda w, P, K: w.Q + w.A.T @ P @ (w.A - w.B @ K))[0],
    ),
    (
        "gamma is missing in front of B'PB: it multiplies every P.",
        lambda w: recursion(w, better=lambda w, P: w.gamma * np.linalg.solve(w.R + w.B.T @ P @ w.B, w.B.T @ P @ w.A))[
            0
        ],
    ),
    (
        "gamma is missing in front of B'PA: it multiplies every P.",
        lambda w: recursion(w, better=lambda w, P: np.linalg.solve(w.R + w.gamma * w.B.T @ P @ w.B, w.B.T @ P @ w.A))[
            0
        ],
    ),
    ("A is transposed.", lambda w: _swapped(w, A=w.A.T)),
    (
        "the first A of the new P must be transposed: gamma A'P(A - BK).",
        lambda w: recursion(w, after=lambda w, P, K: w.Q + w.gamma * w.A @ P @ (w.A - w.B @ K))[0],
    ),
    ("A and B are swapped.", lambda w: _swapped(w, A=w.B, B=w.A)),
    ("B is transposed.", lambda w: _swapped(w, B=w.B.T)),
    ("Q and R are swapped: Q is the cost of states, R of actions.", lambda w: _swapped(w, Q=w.R, R=w.Q)),
    (
        "the cost of the action, R, does not count in K. Is it missing? Or does P grow without end? (u = -K x gives A - BK.)",
        lambda w: recursion(w, better=lambda w, P: np.linalg.solve(w.B.T @ P @ w.B, w.B.T @ P @ w.A))[0],
    ),
    (
        "the new P must use the closed loop, A - BK: without the action the cost is another.",
        lambda w: recursion(w, after=lambda w, P, K: w.Q + w.gamma * w.A.T @ P @ w.A)[0],
    ),
    (
        "the cost of the action is missing in the new P: with A - BK on both sides, add K'RK.",
        lambda w: recursion(w, after=lambda w, P, K: w.Q + w.gamma * (w.A - w.B @ K).T @ P @ (w.A - w.B @ K))[0],
    ),
    (
        "K'RK belongs to the form with A - BK on both sides; with A'P(A - BK) it is already counted.",
        lambda w: recursion(w, after=lambda w, P, K: w.Q + K.T @ w.R @ K + w.gamma * w.A.T @ P @ (w.A - w.B @ K))[0],
    ),
    (
        "1 / M divides entry by entry: use np.linalg.inv or np.linalg.solve.",
        lambda w: recursion(w, better=lambda w, P: w.gamma * (1 / (w.R + w.gamma * w.B.T @ P @ w.B)) @ w.B.T @ P @ w.A)[
            0
        ],
    ),
]


@exercise
def riccati(attempt: Callable) -> str:
    """Check `attempt(A, B, Q, R, gamma)`, which returns the gain K of the best controller u = -K x, (actions, states)."""
    worlds = systems()
    for w in worlds:
        given = [matrix.copy() for matrix in (w.A, w.B, w.Q, w.R)]
        try:
            answer = attempt(*given, w.gamma)
        except np.linalg.LinAlgError as error:
            raise Wrong(
                f"{GROWS} A matrix can no longer be inverted ({error}). One cause: u = -K x gives A - BK, not A + BK."
            ) from None
        if any(not np.array_equal(one, other) for one, other in zip(given, (w.A, w.B, w.Q, w.R), strict=True)):
            raise Wrong("your function changes the matrices that it was given; work on copies.")
        states, actions = w.B.shape
        found = array(answer, f"the gain K, ({actions}, {states})")
        right = recursion(w)[0]
        if found.shape == (2, *right.shape) and same(found[0], right):
            raise Wrong("return K alone.")
        if found.size == right.size and 1 in right.shape and found.ndim < 2:
            found = found.reshape(right.shape)
        if found.shape != right.shape and found.shape != (states, states) and found.shape != (states, actions):
            raise Wrong(f"K has the shape {found.shape}; a row for each action is needed, ({actions}, {states}).")
        if same(found, right):
            continue
        said = f" For a world with {states} states, {actions} action{'s' * (actions > 1)} and gamma {w.gamma}"
        if found.shape == right.shape:
            one, other = side_by_side(found, right)
            said += f", you return {one}; the best gain is {other}."
        else:
            said += f", K has the shape ({actions}, {states})."
        for message, mistake in GAIN_MISTAKES:
            if same(found, _try(mistake, w)):
                raise Wrong(message + said)
        for passes in range(2, 100):
            if same(found, recursion(w, passes)[0]):
                raise Wrong(f"stopped too early, after {passes} passes: go on until P hardly changes." + said)
        if not np.isfinite(found).all():
            raise Wrong(GROWS + said)
        raise Wrong("this is not the best gain." + said)
    return f"the best gains of {len(worlds)} linear worlds, with one and two actions."


def _try(mistake: Callable[[Linear], Values], w: Linear) -> Values:
    """What a mistake gives; nothing where its shapes do not fit."""
    try:
        with np.errstate(all="ignore"):
            return mistake(w)
    except (ValueError, np.linalg.LinAlgError):
        return np.zeros(0)
