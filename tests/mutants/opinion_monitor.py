"""Right and wrong answers to the exercises of lesson 16."""

import numpy as np
import torch

from babyagi_lib.apps.control_charts import Cusum
from babyagi_lib.apps.control_charts import mean_time as of_the_library
from babyagi_lib.learner.checks import opinion_monitor as checks
from babyagi_lib.methods.sentiment import corrected_share

# --- the mean time -----------------------------------------------------------------------------------------------


def matrix(up, down, threshold, share, top=None, floor=True):
    """Moves between the sums; with `top`, an alarm goes to that state."""
    moves = np.zeros((threshold, threshold))
    for i in range(threshold):
        if i - down >= 0 or floor:
            moves[i, max(i - down, 0)] += 1 - share
        if i + up < threshold:
            moves[i, i + up] += share
        elif top is not None:
            moves[i, top] += share
    return moves


def solved(moves):
    return np.linalg.solve(np.eye(len(moves)) - moves, np.ones(len(moves)))


def by_the_matrix(up, down, threshold, share):
    return solved(matrix(up, down, threshold, share))[0]


def by_the_inverse(up, down, threshold, share):
    return np.linalg.inv(np.eye(threshold) - matrix(up, down, threshold, share))[0].sum()


def by_survival(up, down, threshold, share):
    """The mean is the sum of the chances that no alarm has come yet."""
    now, total, moves = np.eye(threshold)[0], 0.0, matrix(up, down, threshold, share)
    while now.sum() > 1e-12:
        total += now.sum()
        now = now @ moves
    return total


def with_an_absorbing_state(up, down, threshold, share):
    """The alarm as a last state that costs nothing and is never left."""
    moves = np.zeros((threshold + 1, threshold + 1))
    for i in range(threshold):
        moves[i, max(i - down, 0)] += 1 - share
        moves[i, min(i + up, threshold)] += share
    moves[threshold, threshold] = 1
    return solved(moves[:-1, :-1])[0]


def by_sweeps(up, down, threshold, share):
    times = [0.0] * threshold
    for _ in range(20_000):
        before = times[0]
        for i in reversed(range(threshold)):
            higher = times[i + up] if i + up < threshold else 0
            times[i] = 1 + (1 - share) * times[max(i - down, 0)] + share * higher
        if abs(times[0] - before) < 1e-11 * times[0]:
            break
    return times[0]


def time_in_torch(up, down, threshold, share):
    moves = torch.as_tensor(matrix(up, down, threshold, share))
    return torch.linalg.solve(
        torch.eye(threshold, dtype=moves.dtype) - moves, torch.ones(threshold, dtype=moves.dtype)
    )[0]


def time_in_single(up, down, threshold, share):
    moves = matrix(up, down, threshold, share).astype(np.float32)
    return np.linalg.solve(np.eye(threshold, dtype=np.float32) - moves, np.ones(threshold, np.float32))[0]


def by_the_library(up, down, threshold, share):
    return of_the_library(Cusum(up, down, threshold), share)


def rounded_lattice(up, down, threshold, share):
    return by_the_matrix(max(1, round(up / down)), 1, max(1, round(threshold / down)), share)


def filled(up, down, threshold, share, below):
    """The matrix with another idea of where a step down leads; nothing keeps an index in the matrix."""
    moves = np.zeros((threshold, threshold))
    for i in range(threshold):
        moves[i, below(i, down)] += 1 - share
        if i + up < threshold:
            moves[i, i + up] += share
    return solved(moves)[0]


def beyond_the_matrix(up, down, threshold, share):
    moves = np.zeros((threshold, threshold))
    for i in range(threshold):
        moves[i, max(i - down, 0)] += 1 - share
        moves[i, i + up] += share
    return solved(moves)[0]


def half_of_the_runs(up, down, threshold, share):
    now, moves, messages = np.eye(threshold)[0], matrix(up, down, threshold, share), 0
    while now.sum() > 0.5:
        now, messages = now @ moves, messages + 1
    return messages


def swept(up, down, threshold, share, sweeps):
    times, moves = np.zeros(threshold), matrix(up, down, threshold, share)
    for _ in range(sweeps):
        times = 1 + moves @ times
    return times[0]


def the_alarm_costs_one(up, down, threshold, share):
    """The alarm as a last state without moves, but its own message is counted."""
    moves = np.zeros((threshold + 1, threshold + 1))
    for i in range(threshold):
        moves[i, max(i - down, 0)] += 1 - share
        moves[i, min(i + up, threshold)] += share
    return solved(moves)[0]


def by_doubling(up, down, threshold, share):
    """1 + Q + Q² + ..., twice as many terms at each step."""
    power = matrix(up, down, threshold, share)
    total = np.eye(threshold)
    for _ in range(30):
        total, power = total + power @ total, power @ power
    return total[0].sum()


def by_cramer(up, down, threshold, share):
    system = np.eye(threshold) - matrix(up, down, threshold, share)
    other = system.copy()
    other[:, 0] = 1
    return [np.linalg.det(other) / np.linalg.det(system)]


def by_the_generating_function(up, down, threshold, share):
    """The slope at 1 of the generating function of the time."""
    moves = matrix(up, down, threshold, share)

    def mean_of(z):
        return np.linalg.solve(np.eye(threshold) - z * moves, z * (1 - moves.sum(axis=1)))[0]

    return (mean_of(1 + 1e-6) - mean_of(1 - 1e-6)) / 2e-6


def backwards(up, down, threshold, share):
    """The sums in falling order."""
    return solved(matrix(up, down, threshold, share)[::-1, ::-1])[-1]


TIMES = [
    (lambda *given: filled(*given, below=lambda i, down: i - down), "your code raised IndexError"),
    (beyond_the_matrix, "your code raised IndexError"),
    (lambda *given: filled(*given, below=lambda i, down: i - down if i >= down else i), "it stays where it was"),
    (lambda *given: filled(*given, below=lambda i, down: 0), "it sets the sum to 0"),
    (half_of_the_runs, "this is the median"),
    (lambda *given: swept(*given, sweeps=100), "you stop adding after 100 messages"),
    (lambda *given: swept(*given, sweeps=1000), "you stop adding after 1,000 messages"),
    (the_alarm_costs_one, "one too long"),
    (lambda u, d, h, s: h / (u * s - d * (1 - s)), "this is not what the formula says"),
    (lambda u, d, h, s: solved(matrix(u, d, h, s, top=h - 1))[0], "your chain has no alarm"),
    (lambda u, d, h, s: solved(matrix(u, d, h, s, top=0))[0], "your chain has no alarm"),
    (lambda u, d, h, s: float("inf"), "your chain has no alarm"),
    (lambda u, d, h, s: by_the_matrix(u, d, h + 1, s), "your chain goes on there"),
    (lambda u, d, h, s: by_the_matrix(u, d, max(1, h - 1), s), "one state is missing"),
    (lambda u, d, h, s: solved(matrix(u, d, h, s))[-1], "the time from the highest sum"),
    (lambda u, d, h, s: solved(matrix(u, d, h, s)).mean(), "the mean over all sums"),
    (lambda u, d, h, s: solved(matrix(u, d, h, s).T)[0], "the matrix is transposed"),
    (lambda u, d, h, s: solved(matrix(u, d, h, s, floor=False))[0], "a sum below 0 is set to 0"),
    (lambda u, d, h, s: by_the_matrix(u, d, h, 1 - s), "share and 1 - share are swapped"),
    (lambda u, d, h, s: by_the_matrix(d, u, h, s), "up and down are swapped"),
    (lambda u, d, h, s: by_the_matrix(u, d, h, s) - 1, "one too short"),
    (lambda u, d, h, s: by_the_matrix(u, d, h, s) + 1, "one too long"),
    (rounded_lattice, "you divide the steps by `down` and round"),
    (lambda u, d, h, s: 1 / s, "that is 1 / share"),
    (lambda u, d, h, s: round(by_the_matrix(u, d, h, s), 1), "you round to 1 decimals"),
    (lambda u, d, h, s: solved(matrix(u, d, h, s)), "one number, the mean number of messages"),
    (lambda u, d, h, s: h / u / s, "this is not what the formula says"),
]

# --- the corrected share -----------------------------------------------------------------------------------------


def by_formula(seen, n, se, n_se, sp, n_sp):
    informed = se + sp - 1
    p = (seen + sp - 1) / informed
    variance = seen * (1 - seen) / n + p**2 * se * (1 - se) / n_se + (1 - p) ** 2 * sp * (1 - sp) / n_sp
    half = 1.96 * variance**0.5 / informed
    return [min(max(x, 0), 1) for x in (p, p - half, p + half)]


def by_gradient(seen, n, se, n_se, sp, n_sp):
    """The delta method with derivatives by finite differences."""

    def share(q, a, b):
        return (q + b - 1) / (a + b - 1)

    at, step = np.array([seen, se, sp]), 1e-6
    slope = [(share(*(at + step * e)) - share(*(at - step * e))) / (2 * step) for e in np.eye(3)]
    variance = np.array(slope) ** 2 @ (at * (1 - at) / [n, n_se, n_sp])
    return np.clip(share(*at) + np.array([0, -1.96, 1.96]) * np.sqrt(variance), 0, 1)


def by_autograd(seen, n, se, n_se, sp, n_sp):
    at = torch.tensor([seen, se, sp], dtype=torch.float64, requires_grad=True)
    share = (at[0] + at[2] - 1) / (at[1] + at[2] - 1)
    (slope,) = torch.autograd.grad(share, at)
    spread = at.detach() * (1 - at.detach()) / torch.tensor([n, n_se, n_sp])
    half = 1.96 * (slope**2 @ spread).sqrt()
    return torch.stack([share, share - half, share + half]).clamp(0, 1)


def share_in_single(seen, n, se, n_se, sp, n_sp):
    return np.array(by_formula(*map(np.float32, (seen, n, se, n_se, sp, n_sp))), dtype=np.float32)


def share_by_the_library(*given):
    return corrected_share(*given)


def by_odds_of_errors(seen, n, se, n_se, sp, n_sp):
    false, gap = 1 - sp, se - (1 - sp)
    p = (seen - false) / gap
    errors = np.sqrt([seen * (1 - seen) / n, se * (1 - se) / n_se * p * p, sp * false / n_sp * (1 - p) ** 2]) / gap
    half = 1.959964 * np.linalg.norm(errors)
    return np.minimum(1, np.maximum(0, (p, p - half, p + half)))


def changed(**switches):
    """The formula with a mistake."""

    def answer(seen, n, se, n_se, sp, n_sp):
        s = {"messages": 1, "of_se": 1, "of_sp": 1, "power": 2, "z": 1.96, "root": 0.5, "cut": 3} | switches
        n_se, n_sp = s.get("sizes", lambda n, a, b: (a, b))(n, n_se, n_sp)
        informed = se + sp - 1
        p = (seen + (se if s.get("wrong_rate") else sp) - 1) / informed
        q = (seen + sp - 1) / informed
        weights = ((1 - q) ** 2, q**2) if s.get("weights_swapped") else (q**2, (1 - q) ** 2)
        if "weights" in s:
            weights = s["weights"](seen, q)
        counted = s.get("counted", lambda seen, q: seen)(seen, q)
        variance = (
            s["messages"] * counted * (1 - counted) / n
            + s["of_se"] * weights[0] * se * (1 - se) / n_se
            + s["of_sp"] * weights[1] * sp * (1 - sp) / n_sp
        ) / informed ** s["power"]
        half = s["z"] * variance ** s["root"]
        if s.get("cut_first"):
            p = min(max(p, 0), 1)
        found = [p, p - half, p + half]
        return [min(max(x, 0), 1) if i < s["cut"] else x for i, x in enumerate(found)]

    return answer


def uncorrected(seen, n, se, n_se, sp, n_sp):
    half = 1.96 * (seen * (1 - seen) / n) ** 0.5
    return [seen, seen - half, seen + half]


def of_errors(combine):
    """The interval from the three errors, each a variance that is not divided yet."""

    def answer(seen, n, se, n_se, sp, n_sp):
        informed = se + sp - 1
        p = (seen + sp - 1) / informed
        errors = seen * (1 - seen) / n, p**2 * se * (1 - se) / n_se, (1 - p) ** 2 * sp * (1 - sp) / n_sp
        half = 1.96 * combine(np.array(errors), informed)
        return np.clip([p, p - half, p + half], 0, 1)

    return answer


def cut_otherwise(cut):
    def answer(*given):
        return cut(np.array(changed(cut=0)(*given)))

    return answer


def cut_in_the_variance(seen, q):
    q = min(max(q, 0), 1)
    return q**2, (1 - q) ** 2


def share_as_a_view(*given):
    found = np.zeros((3, 2))
    found[:, 1] = by_formula(*given)
    found.flags.writeable = False
    return found[:, 1]


def share_by_false_alarms(seen, n, se, n_se, sp, n_sp):
    """With the rate of false alarms in place of the specificity, and the variance as a matrix product."""
    false = 1 - sp
    p = (seen - false) / (se - false)
    slope = np.array([1, -p, p - 1]) / (se - false)
    spread = np.diag([seen * (1 - seen) / n, se * (1 - se) / n_se, false * (1 - false) / n_sp])
    half = 1.96 * float(np.sqrt(slope @ spread @ slope))
    return [torch.tensor(min(max(value, 0.0), 1.0)) for value in (p, p - half, p + half)]


SHARES = [
    (of_errors(lambda v, informed: np.sqrt(v).sum() / informed), "standard errors do not"),
    (of_errors(lambda v, informed: np.sqrt(v[0] / informed**2 + v[1:].sum())), "only the first term"),
    (changed(weights=lambda seen, q: (q, 1 - q)), "you do not square them"),
    (changed(weights=lambda seen, q: (1, 1)), "have weights"),
    (changed(weights=lambda seen, q: (seen**2, (1 - seen) ** 2)), "you use the flagged one"),
    (changed(weights=cut_in_the_variance), "before it is cut"),
    (changed(counted=lambda seen, q: q), "you use the corrected share"),
    (changed(sizes=lambda n, a, b: (b, a)), "n_se and n_sp are swapped"),
    (changed(sizes=lambda n, a, b: (n, n)), "not on n"),
    (cut_otherwise(lambda found: np.maximum(found, 0)), "you cut at 0 only"),
    (cut_otherwise(lambda found: [found[0], *np.clip(found[1:], 0, 1)]), "you cut only the ends"),
    (lambda *given: sorted(by_formula(*given)), "yours is lower, estimate, upper"),
    (lambda *given: np.array(by_formula(*given))[[0, 2, 1]], "your ends are swapped"),
    (cut_otherwise(np.abs), "this is not what the formula says"),
    (lambda q, n, a, na, b, nb: by_formula(q, n, b, nb, a, na), "se and sp are swapped"),
    (changed(cut=0), "cut all three"),
    (changed(cut=1), "only the estimate is cut"),
    (changed(cut_first=True), "compute all three, then cut"),
    (changed(of_se=0, of_sp=0), "the interval counts only the messages"),
    (changed(of_se=0), "the error of se is missing"),
    (changed(of_sp=0), "the error of sp is missing"),
    (changed(messages=0), "the error of the messages themselves is missing"),
    (changed(power=0), "the variance is not divided by"),
    (changed(power=1), "not by its square"),
    (changed(weights_swapped=True), "the weights p² and (1 - p)² are swapped"),
    (uncorrected, "nothing is corrected"),
    (changed(wrong_rate=True), "you subtract 1 - se"),
    (changed(z=0.98), "half as wide"),
    (changed(root=1), "take the square root"),
    (changed(z=1), "one standard error"),
    (changed(z=1.645), "a 90% interval"),
    (lambda *given: np.round(by_formula(*given), 2), "you round to 2 decimals"),
    (lambda *given: by_formula(*given)[0], "three numbers"),
    (lambda *given: by_formula(*given)[::-1], "this is not what the formula says"),
]

# --- F1 ----------------------------------------------------------------------------------------------------------


def f1_with_loops(alarms, changes, window):
    right = 0
    for change in changes:
        if any(change <= alarm < change + window for alarm in alarms):
            right += 1
    precision = right / len(alarms) if len(alarms) else 0.0
    recall = right / len(changes)
    return [precision, recall, 2 * right / (len(alarms) + len(changes))]


def f1_by_search(alarms, changes, window):
    """The first alarm at or after each change, by bisection."""
    following = np.searchsorted(alarms, changes)
    padded = np.append(alarms, np.iinfo(np.int64).max)
    right = (padded[following] - changes < window).sum()
    return np.array([right / max(1, len(alarms)), right / len(changes), 2 * right / (len(alarms) + len(changes))])


def f1_by_broadcasting(alarms, changes, window):
    late = np.subtract.outer(alarms, changes)
    right = np.logical_and(late >= 0, late < window).any(axis=0).sum()
    scores = np.array([right / len(alarms) if len(alarms) else 0, right / len(changes)])
    return (*scores, 0.0 if right == 0 else 2 / (1 / scores).sum())


def f1_in_torch(alarms, changes, window):
    late = torch.as_tensor(alarms)[:, None] - torch.as_tensor(changes)[None, :]
    right = ((late >= 0) & (late < window)).any(dim=0).sum().double() if len(alarms) else torch.tensor(0.0).double()
    return torch.stack([right / max(1, len(alarms)), right / len(changes), 2 * right / (len(alarms) + len(changes))])


def f1_in_single(alarms, changes, window):
    return np.array(f1_with_loops(alarms, changes, window), dtype=np.float32)


def f1_by_sets(alarms, changes, window):
    rung = set(np.asarray(alarms).tolist())
    right = sum(bool(rung & set(range(change, change + window))) for change in np.asarray(changes).tolist())
    missed, false = len(changes) - right, len(rung) - right
    return right / max(1, right + false), right / (right + missed), 2 * right / (2 * right + missed + false)


def counted(right=None, found=None, combine=None, blind=0.0):
    """F1 with another idea of what counts; `right` and `found` say how late each alarm may be."""

    def answer(alarms, changes, window):
        if not len(alarms):
            return [blind, 0.0, blind]
        late = alarms[None, :] - changes[:, None]
        counts = (right or (lambda x, w: ((x >= 0) & (x < w)).any(axis=1).sum()))(late, window)
        seen = (found or right or (lambda x, w: ((x >= 0) & (x < w)).any(axis=1).sum()))(late, window)
        p, r = counts / len(alarms), seen / len(changes)
        f1 = 2 * p * r / (p + r) if p + r else 0.0
        return (combine or (lambda p, r, f: [p, r, f]))(p, r, f1)

    return answer


def all_inside(late, window):
    return ((late >= 0) & (late < window)).any(axis=0).sum()


def divides_by_nothing(alarms, changes, window):
    right = sum(any(c <= a < c + window for a in alarms) for c in changes)
    p, r = right / len(alarms), right / len(changes)
    return p, r, 2 * p * r / (p + r) if right else 0.0


def not_a_number(alarms, changes, window):
    right = np.float64(sum(any(c <= a < c + window for a in alarms) for c in changes))
    with np.errstate(all="ignore"):
        p, r = right / np.float64(len(alarms)), right / len(changes)
        return p, r, 2 * p * r / (p + r)


def spoils_the_alarms(alarms, changes, window):
    found = f1_with_loops(alarms, changes, window)
    alarms -= 1
    return found


def f1_with_one_alarm_a_change(alarms, changes, window):
    """Takes an alarm's change off the list, so that it counts once."""
    left, right = list(changes), 0
    for alarm in alarms:
        for change in left:
            if 0 <= alarm - change < window:
                right += 1
                left.remove(change)
                break
    return (
        right / max(1, len(alarms)),
        right / len(changes),
        2 / (len(alarms) / right + len(changes) / right) if right else 0,
    )


def f1_as_a_view(alarms, changes, window):
    found = np.zeros(6)
    found[::2] = f1_with_loops(alarms, changes, window)
    return found[::2]


def of_other_alarms(alarms, changes, window):
    """Precision without the second and later alarms in a window."""
    right = sum(any(c <= a < c + window for a in alarms) for c in changes)
    false = sum(not any(c <= a < c + window for c in changes) for a in alarms)
    p, r = right / max(1, right + false), right / len(changes)
    return p, r, 2 * p * r / (p + r) if right else 0.0


F1S = [
    (of_other_alarms, "you leave them out of precision"),
    (counted(right=lambda x, w: ((x > 0) & (x <= w)).any(axis=1).sum()), "one message late"),
    (counted(right=lambda x, w: ((x <= 0) & (x > -w)).any(axis=1).sum()), "your windows are before the changes"),
    (counted(right=lambda x, w: (abs(x) <= w / 2).any(axis=1).sum()), "this is not what the formula says"),
    (counted(combine=lambda p, r, f: [p, r, (p * r) ** 0.5]), "the geometric mean"),
    (counted(combine=lambda p, r, f: [f, p, r]), "begins with F1"),
    (lambda a, c, w: f1_with_loops(a, c, w) if len(a) else (1.0, 0.0, 0.0), "not 1"),
    (lambda a, c, w: 100 * np.array(f1_with_loops(a, c, w)), "this is not what the formula says"),
    (counted(right=all_inside, found=lambda x, w: ((x >= 0) & (x < w)).any(axis=1).sum()), "you count them all"),
    (counted(right=all_inside), "recall counts alarms"),
    (counted(right=lambda x, w: ((x >= 0) & (x <= w)).any(axis=1).sum()), "exactly `window` messages after"),
    (counted(right=lambda x, w: (abs(x) < w).any(axis=1).sum()), "an alarm before the change"),
    (counted(right=lambda x, w: ((x > 0) & (x < w)).any(axis=1).sum()), "an alarm at the change itself counts"),
    (counted(right=lambda x, w: (x >= 0).any(axis=1).sum()), "you take any later one"),
    (counted(combine=lambda p, r, f: [p, r, (p + r) / 2]), "the arithmetic mean"),
    (counted(combine=lambda p, r, f: [r, p, f]), "precision and recall are swapped"),
    (counted(combine=lambda p, r, f: [p, r, p * r]), "precision times recall"),
    (counted(combine=lambda p, r, f: [p, r, f / 2]), "lacks the factor 2"),
    (counted(blind=1.0), "without any alarm"),
    (divides_by_nothing, "no alarm at all"),
    (not_a_number, "no alarm at all"),
    (spoils_the_alarms, "changes the arrays"),
    (lambda a, c, w: np.round(f1_with_loops(a, c, w), 2), "you round to 2 decimals"),
    (lambda a, c, w: f1_with_loops(a, c, w)[2], "three numbers"),
    (lambda a, c, w: [1.0, 1.0, 1.0], "this is not what the formula says"),
]

RETURNS = {checks.mean_time: "number", checks.corrected: "array", checks.alarm_f1: "array"}
RIGHT = {
    checks.mean_time: [
        by_the_matrix,
        by_the_inverse,
        by_survival,
        with_an_absorbing_state,
        by_sweeps,
        time_in_torch,
        time_in_single,
        by_the_library,
        by_doubling,
        by_cramer,
        by_the_generating_function,
        backwards,
    ],
    checks.corrected: [
        by_formula,
        by_gradient,
        by_autograd,
        share_in_single,
        share_by_the_library,
        by_odds_of_errors,
        share_as_a_view,
        share_by_false_alarms,
    ],
    checks.alarm_f1: [
        f1_with_loops,
        f1_by_search,
        f1_by_broadcasting,
        f1_in_torch,
        f1_in_single,
        f1_by_sets,
        f1_with_one_alarm_a_change,
        f1_as_a_view,
    ],
}
CASES = [(check, answer) for check, answers in RIGHT.items() for answer in answers]
MUTANTS = [
    *((checks.mean_time, mutant, said) for mutant, said in TIMES),
    *((checks.corrected, mutant, said) for mutant, said in SHARES),
    *((checks.alarm_f1, mutant, said) for mutant, said in F1S),
]
