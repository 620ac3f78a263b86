"""Every check passes a right answer, fails seeded mutants with the right message, and is patient with stubs.

Answers are in a module per lesson, `mutants_*.py`. The notebooks' own stubs and solutions are run against the same
checks in test_notebooks.py.
"""

import functools
import itertools
import math
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import hypothesis.extra.numpy as hnp
import mutants_adapters
import mutants_bce
import mutants_fewshot
import mutants_ner
import mutants_pretraining
import mutants_rl
import mutants_start
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_lib import checks
from babyagi_lib.checks import answers, bce, limit, rl, start, verdict
from babyagi_lib.rl import exact

LESSONS = [
    mutants_adapters,
    mutants_bce,
    mutants_fewshot,
    mutants_ner,
    mutants_pretraining,
    mutants_rl,
    mutants_start,
]
CASES = [case for lesson in LESSONS for case in lesson.CASES]
MUTANTS = [mutant for lesson in LESSONS for mutant in lesson.MUTANTS]


def stub(*_):
    raise NotImplementedError


@pytest.mark.parametrize(("check", "solution"), CASES)
def test_a_right_answer_is_correct(check, solution):
    assert check(solution).status == "correct"


@pytest.mark.parametrize("check", dict.fromkeys(check for check, _ in CASES))
def test_a_stub_is_not_attempted(check):
    assert check(stub).status == "not attempted yet"


@pytest.mark.parametrize(("check", "mutant", "said"), MUTANTS)
def test_a_mutant_is_told_what_is_wrong(check, mutant, said):
    verdict = check(mutant)
    assert verdict.status == "not yet"
    assert said in verdict.message


def test_every_check_has_five_right_answers_and_five_wrong_ones():
    public = {name for name in checks.__all__ if hasattr(getattr(checks, name), "__wrapped__")}
    assert public == {check.__name__ for check, *_ in CASES}
    for check, *_ in CASES:
        assert sum(c is check for c, *_ in MUTANTS) >= 5
        assert sum(c is check for c, *_ in CASES) >= 5


def test_every_check_belongs_to_a_lesson():
    assert {name for names in checks.EXERCISES.values() for name in names} == {check.__name__ for check, *_ in CASES}


def forever(a, b):
    while True:
        pass


def deaf(a, b):
    """Goes on whatever is raised in it, two levels deep."""
    while True:
        try:
            while True:
                try:  # noqa: SIM105
                    time.sleep(60)
                except:  # noqa: E722
                    pass
        except:  # noqa: E722
            continue


def deaf_and_busy(a, b):
    while True:
        try:
            np.linalg.svd(np.ones((50, 50)))
        except BaseException:
            continue


def caught(a, b):
    """Returns the right answer late."""
    try:
        time.sleep(60)
    except BaseException:
        return mutants_start.right(a, b)


def locked(a, b):
    lock = threading.Lock()
    return lock.acquire() and lock.acquire()


def on_another_process(a, b):
    subprocess.run([sys.executable, "-c", "import time; time.sleep(60)"], check=False)


ENDLESS = [
    forever,
    lambda a, b: time.sleep(60),
    locked,
    lambda a, b: queue.Queue().get(),
    lambda a, b: threading.Event().wait(),
    lambda a, b: os.read(os.pipe()[0], 1),
    on_another_process,
    caught,
    deaf,
    deaf_and_busy,
]


@pytest.fixture
def short_limit(monkeypatch):
    monkeypatch.setattr(verdict, "LIMIT", 0.2)
    monkeypatch.setattr(limit, "AGAIN", 0.2)


@pytest.mark.parametrize("endless", ENDLESS)
def test_an_answer_that_never_ends_is_stopped(short_limit, endless):
    handler, started, others = signal.getsignal(signal.SIGINT), time.monotonic(), set(threading.enumerate())
    found = checks.cosine(endless)
    assert found.status == "not yet" and "loop that never ends, or does it sleep or wait" in found.message
    assert "longer than 0.2 seconds and was stopped" in found.message
    assert time.monotonic() - started < 5
    assert checks.cosine(mutants_start.right).status == "correct", "and the next check is not disturbed"
    assert signal.getsignal(signal.SIGINT) is handler
    assert set(threading.enumerate()) <= others, "no thread of the limit is left"


def test_in_a_real_notebook_a_sleeping_answer_is_stopped_too(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    cells = [
        "import time\nfrom babyagi_lib import checks\nfrom babyagi_lib.checks import limit, verdict\n"
        "verdict.LIMIT, limit.AGAIN = 0.5, 0.5",
        "checks.cosine(lambda a, b: time.sleep(60))",
        "def deaf(a, b):\n    while True:\n        try:\n            time.sleep(60)\n        except:\n            pass\n\n\n"
        "checks.cosine(deaf)",
        "checks.cosine(lambda a, b: a @ b / (a @ a * (b @ b)) ** 0.5)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    told = [cell.outputs[0].data["text/plain"] for cell in notebook.cells[1:]]
    assert [one.partition(":")[0] for one in told] == ["Not yet", "Not yet", "Correct"]
    assert "longer than 0.5 seconds and was stopped. " in told[0] and "longer than 0.5 seconds" in told[1]


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
def test_it_is_stopped_also_where_interruptions_are_ignored(short_limit, request, handler):
    """As in what a shell runs in the background."""
    request.addfinalizer(functools.partial(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, handler)))
    assert "loop that never ends" in checks.cosine(forever).message
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize("endless", [forever, deaf_and_busy])
def test_without_pthread_kill_a_loop_is_stopped(short_limit, monkeypatch, endless):
    """Windows has no such function."""
    monkeypatch.delattr(signal, "pthread_kill")
    assert "loop that never ends" in checks.cosine(endless).message
    assert checks.cosine(mutants_start.right).status == "correct"


def in_a_thread(work):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_in_another_thread_a_loop_is_stopped(short_limit):
    handler = signal.getsignal(signal.SIGINT)
    first, second = in_a_thread(lambda: (checks.cosine(forever), checks.cosine(mutants_start.right)))
    assert "loop that never ends" in first.message
    assert second.status == "correct"
    assert signal.getsignal(signal.SIGINT) is handler


def test_what_could_only_be_stopped_late_is_told_with_its_time(short_limit):
    """In another thread no signal interrupts a sleep."""
    found = in_a_thread(lambda: checks.cosine(lambda a, b: time.sleep(1.2)))
    assert "longer than 0.2 seconds and was stopped after 1 seconds" in found.message


def test_an_answer_has_time_to_clean_up(short_limit, tmp_path):
    def tidy(a, b):
        try:
            time.sleep(60)
        finally:
            (tmp_path / "tidied").touch()

    assert "was stopped" in checks.cosine(tidy).message
    assert (tmp_path / "tidied").exists()


def test_an_error_is_told_with_the_learners_line():
    def broken(a, b):
        return a[len(a)] * 2

    assert "your code raised IndexError" in checks.cosine(broken).message
    assert "at `return a[len(a)] * 2`" in checks.cosine(broken).message


def test_an_error_of_another_kind_is_no_stub():
    """torch raises NotImplementedError where a module has no `forward`, as after a slip of the pen."""

    class Misspelt(torch.nn.Module):
        def __init__(self, hidden_size, size):
            super().__init__()
            self.down = torch.nn.Linear(hidden_size, size)

        def foward(self, states):
            return states

    assert checks.bottleneck(Misspelt).status == "not yet"


def test_the_stop_button_still_works():
    def stopped(a, b):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checks.cosine(stopped)


def test_the_stop_button_wakes_a_sleeping_answer():
    handler, main = signal.getsignal(signal.SIGINT), threading.get_ident()
    pressed = threading.Timer(0.2, signal.pthread_kill, [main, signal.SIGINT])
    pressed.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        checks.cosine(lambda a, b: time.sleep(60))
    assert time.monotonic() - started < 5
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda: checks.cosine(0.8), "give the check the name of your function, without parentheses"),
        (lambda: checks.cosine(None), "it got nothing"),
        (lambda: checks.cosine(lambda a: 1.0), "calling your function raised TypeError: "),
        (lambda: checks.cosine(math.hypot), "calling your function raised TypeError: "),
        (  # a module of torch's own that fails when the check calls it
            lambda: checks.bottleneck(lambda hidden, size: torch.nn.Sequential(torch.nn.Linear(size, hidden))),
            "the check cannot use what your code returned, a torch.Sequential of length 1 (RuntimeError: ",
        ),
        (lambda: checks.extraction(lambda tags: 3), "return a list of (type, start, end); you return the int 3"),
        (
            lambda: checks.logistic_gradient(lambda w, X, y: "up"),
            "return the gradient, 3 numbers like w; you return the str",
        ),
    ],
)
def test_what_a_check_cannot_use_is_described(attempt, said):
    found = attempt()
    assert found.status == "not yet" and said in found.message


def test_a_loss_in_float32_is_right_to_the_digits_that_float32_has():
    assert "right to the digits that float32 has" in checks.stable_loss(mutants_bce.with_float32).message


def formulas():
    """Wrong formulas that a check knows, each with what it gives on the check's own cases, and the right answers."""
    pairs = [(np.array(a), np.array(b)) for _, a, b in start.CASES]
    yield "cosine", start.MISTAKES, lambda f: [f(a, b) for a, b in pairs], start.right
    steps = rl.transitions()
    yield "q_update", rl.UPDATE_MISTAKES, lambda f: [f(step) for step in steps], lambda step: step.right
    worlds = rl.worlds()
    right = lambda mdp, gamma: exact.value_iteration(mdp, gamma, 1e-12).V  # noqa: E731
    yield "value_iteration", rl.VALUE_MISTAKES, lambda f: np.concatenate([f(*world) for world in worlds]), right
    true = bce.wave_gradient(bce.THETA)
    claims = [bce.planted(true, *fault) for fault in bce.PLANTED]
    yield "gradient_checker", bce.RATIOS, lambda f: [f(claim, true) for claim in claims], bce.error
    z, y = (np.array(column) for column in zip(*bce.ORDINARY_CASES, strict=True))
    yield "stable_loss", bce.LOSS_MISTAKES, lambda f: f(z, y), lambda z, y: np.logaddexp(0, z) - z * y


@pytest.mark.parametrize("known", list(formulas()), ids=lambda known: known[0])
def test_no_check_draws_cases_on_which_a_mistake_is_right_or_looks_like_another(known):
    _, mistakes, on_the_cases, right = known
    with np.errstate(all="ignore"):
        told = {"right": [np.asarray(on_the_cases(right), float)]}
        for message, mistake in mistakes:
            told.setdefault(message, []).append(np.asarray(on_the_cases(mistake), float))
    for (one, first), (other, second) in itertools.combinations(told.items(), 2):
        for a, b in itertools.product(first, second):
            assert not np.allclose(a, b, rtol=0.005, atol=1e-4, equal_nan=True), f"{one!r} and {other!r}"


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, finite, st.integers(1, 8))
def test_two_numbers_look_alike_only_if_they_are_equal(found, wanted, digits):
    one, other = answers.side_by_side(found, wanted, digits)
    assert (one == other) == (found == wanted)


@given(hnp.arrays(float, st.integers(1, 5), elements=st.floats(-1e300, 1e300)), st.data())
def test_two_arrays_look_alike_only_if_they_are_equal(found, data):
    at = data.draw(st.integers(0, len(found) - 1))
    wanted = found.copy()
    wanted[at] = np.nextafter(found[at], np.inf)
    one, other = answers.side_by_side(found, wanted)
    assert (one == other) == np.array_equal(found, wanted)
    assert answers.side_by_side(found, found)[0] == answers.side_by_side(found, found)[1]


@settings(max_examples=15, deadline=None)
@given(st.floats(1e-9, 1e-3), st.sampled_from(["relative", "absolute"]))
def test_no_message_shows_two_equal_numbers_as_different(error, kind):
    """Answers that are a little off, by any amount."""

    def off(value):
        value = np.asarray(value, float)
        return value * (1 + error) if kind == "relative" else value + error

    def gradient(w, X, y):
        return off(mutants_bce.gradient(w, X, y))

    def update(Q, s, a, *rest):
        mutants_rl.update(Q, s, a, *rest)
        Q[s, a] = off(Q[s, a])

    verdicts = [
        checks.cosine(lambda a, b: off(mutants_start.right(a, b))),
        checks.logistic_gradient(gradient),
        checks.stable_loss(lambda z, y: off(mutants_bce.stable(z, y))),
        checks.q_update(update),
        checks.value_iteration(lambda *table: off(mutants_rl.solve(*table, sweeps=400))),
    ]
    compared = [
        r"you return (.+?) where (.+?) is right",
        r"you return (.+?); autograd finds (.+?)\.$",
        r"you return (.+?); with 50 digits it is (.+?)\.($| )",
        r"became (.+?); it should be (.+?)\.$",
        r"you return (.+?); V\* is (.+?)\.$",
    ]
    for found, pattern in zip(verdicts, compared, strict=True):
        if found.status != "correct":
            pair = re.search(pattern, found.message)
            assert pair and pair[1] != pair[2], found.message


def test_outside_a_notebook_nothing_is_noted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "exercises of this lesson" not in checks.cosine(mutants_start.right).message
    assert list(tmp_path.iterdir()) == []
