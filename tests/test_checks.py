"""Every check passes a right answer, fails seeded mutants with the right message, and is patient with stubs.

Answers are in a module for each lesson, in `mutants/`. The notebooks' own stubs and solutions are run against the same
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
from importlib import import_module

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import binary_cross_entropy as bce_answers
from mutants import q_learning as rl_answers
from mutants import start_here as start_answers

from babyagi_lib.learner import lessons, progress
from babyagi_lib.learner.checks import (
    adapter_heads,
    answers,
    binary_cross_entropy,
    limit,
    ner_finetuning,
    q_learning,
    start_here,
    verdict,
)
from babyagi_lib.rl import exact

ANSWERS = [import_module(f"mutants.{lessons.module_of(lesson)}") for lesson in lessons.names()]
CASES = [case for lesson in ANSWERS for case in lesson.CASES]
MUTANTS = [mutant for lesson in ANSWERS for mutant in lesson.MUTANTS]


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
    for lesson in lessons.names():
        listed = import_module(f"mutants.{lessons.module_of(lesson)}")
        assert {check.__name__ for check, *_ in listed.CASES} == progress.exercises_of(lesson)
    for check, *_ in CASES:
        assert sum(c is check for c, *_ in MUTANTS) >= 5
        assert sum(c is check for c, *_ in CASES) >= 5


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
        return start_answers.right(a, b)


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
    found = start_here.cosine(endless)
    assert found.status == "not yet" and "loop that never ends, or does it sleep or wait" in found.message
    assert "longer than 0.2 seconds and was stopped" in found.message
    assert time.monotonic() - started < 5
    assert start_here.cosine(start_answers.right).status == "correct", "and the next check is not disturbed"
    assert signal.getsignal(signal.SIGINT) is handler
    assert set(threading.enumerate()) <= others, "no thread of the limit is left"


def test_in_a_real_notebook_a_sleeping_answer_is_stopped_too(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    cells = [
        "import time\nfrom babyagi_lib.learner.checks import limit, start_here as checks, verdict\n"
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
    assert "loop that never ends" in start_here.cosine(forever).message
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize("endless", [forever, deaf_and_busy])
def test_without_pthread_kill_a_loop_is_stopped(short_limit, monkeypatch, endless):
    """Windows has no such function."""
    monkeypatch.delattr(signal, "pthread_kill")
    assert "loop that never ends" in start_here.cosine(endless).message
    assert start_here.cosine(start_answers.right).status == "correct"


def in_a_thread(work):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_in_another_thread_a_loop_is_stopped(short_limit):
    handler = signal.getsignal(signal.SIGINT)
    first, second = in_a_thread(lambda: (start_here.cosine(forever), start_here.cosine(start_answers.right)))
    assert "loop that never ends" in first.message
    assert second.status == "correct"
    assert signal.getsignal(signal.SIGINT) is handler


def test_what_could_only_be_stopped_late_is_told_with_its_time(short_limit):
    """In another thread no signal interrupts a sleep."""
    found = in_a_thread(lambda: start_here.cosine(lambda a, b: time.sleep(1.2)))
    assert "longer than 0.2 seconds and was stopped after 1 seconds" in found.message


def test_an_answer_has_time_to_clean_up(short_limit, tmp_path):
    def tidy(a, b):
        try:
            time.sleep(60)
        finally:
            (tmp_path / "tidied").touch()

    assert "was stopped" in start_here.cosine(tidy).message
    assert (tmp_path / "tidied").exists()


def test_an_error_is_told_with_the_learners_line():
    def broken(a, b):
        return a[len(a)] * 2

    assert "your code raised IndexError" in start_here.cosine(broken).message
    assert "at `return a[len(a)] * 2`" in start_here.cosine(broken).message


def test_an_error_of_another_kind_is_no_stub():
    """torch raises NotImplementedError where a module has no `forward`, as after a slip of the pen."""

    class Misspelt(torch.nn.Module):
        def __init__(self, hidden_size, size):
            super().__init__()
            self.down = torch.nn.Linear(hidden_size, size)

        def foward(self, states):
            return states

    assert adapter_heads.bottleneck(Misspelt).status == "not yet"


def test_the_stop_button_still_works():
    def stopped(a, b):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start_here.cosine(stopped)


def test_the_stop_button_wakes_a_sleeping_answer():
    handler, main = signal.getsignal(signal.SIGINT), threading.get_ident()
    pressed = threading.Timer(0.2, signal.pthread_kill, [main, signal.SIGINT])
    pressed.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        start_here.cosine(lambda a, b: time.sleep(60))
    assert time.monotonic() - started < 5
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda: start_here.cosine(0.8), "give the check the name of your function, without parentheses"),
        (lambda: start_here.cosine(None), "it got nothing"),
        (lambda: start_here.cosine(lambda a: 1.0), "calling your function raised TypeError: "),
        (lambda: start_here.cosine(math.hypot), "calling your function raised TypeError: "),
        (  # a module of torch's own that fails when the check calls it
            lambda: adapter_heads.bottleneck(lambda hidden, size: torch.nn.Sequential(torch.nn.Linear(size, hidden))),
            "the check cannot use what your code returned, a torch.Sequential of length 1 (RuntimeError: ",
        ),
        (
            lambda: ner_finetuning.extraction(lambda tags: 3),
            "return a list of (type, start, end); you return the int 3",
        ),
        (
            lambda: binary_cross_entropy.logistic_gradient(lambda w, X, y: "up"),
            "return the gradient, 3 numbers like w; you return the str",
        ),
    ],
)
def test_what_a_check_cannot_use_is_described(attempt, said):
    found = attempt()
    assert found.status == "not yet" and said in found.message


def test_a_loss_in_float32_is_right_to_the_digits_that_float32_has():
    assert "right to the digits that float32 has" in binary_cross_entropy.stable_loss(bce_answers.with_float32).message


def formulas():
    """Wrong formulas that a check knows, each with what it gives on the check's own cases, and the right answers."""
    pairs = [(np.array(a), np.array(b)) for _, a, b in start_here.CASES]
    yield "cosine", start_here.MISTAKES, lambda f: [f(a, b) for a, b in pairs], start_here.right
    steps = q_learning.transitions()
    yield "q_update", q_learning.UPDATE_MISTAKES, lambda f: [f(step) for step in steps], lambda step: step.right
    worlds = q_learning.worlds()
    right = lambda mdp, gamma: exact.value_iteration(mdp, gamma, 1e-12).V  # noqa: E731
    yield "value_iteration", q_learning.VALUE_MISTAKES, lambda f: np.concatenate([f(*world) for world in worlds]), right
    true = binary_cross_entropy.wave_gradient(binary_cross_entropy.THETA)
    claims = [binary_cross_entropy.planted(true, *fault) for fault in binary_cross_entropy.PLANTED]
    yield (
        "gradient_checker",
        binary_cross_entropy.RATIOS,
        lambda f: [f(claim, true) for claim in claims],
        binary_cross_entropy.error,
    )
    z, y = (np.array(column) for column in zip(*binary_cross_entropy.ORDINARY_CASES, strict=True))
    yield "stable_loss", binary_cross_entropy.LOSS_MISTAKES, lambda f: f(z, y), lambda z, y: np.logaddexp(0, z) - z * y


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


@settings(max_examples=15)
@given(st.floats(1e-9, 1e-3), st.sampled_from(["relative", "absolute"]))
def test_no_message_shows_two_equal_numbers_as_different(error, kind):
    """Answers that are a little off, by any amount."""

    def off(value):
        value = np.asarray(value, float)
        return value * (1 + error) if kind == "relative" else value + error

    def gradient(w, X, y):
        return off(bce_answers.gradient(w, X, y))

    def update(Q, s, a, *rest):
        rl_answers.update(Q, s, a, *rest)
        Q[s, a] = off(Q[s, a])

    verdicts = [
        start_here.cosine(lambda a, b: off(start_answers.right(a, b))),
        binary_cross_entropy.logistic_gradient(gradient),
        binary_cross_entropy.stable_loss(lambda z, y: off(bce_answers.stable(z, y))),
        q_learning.q_update(update),
        q_learning.value_iteration(lambda *table: off(rl_answers.solve(*table, sweeps=400))),
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
    assert "exercises of this lesson" not in start_here.cosine(start_answers.right).message
    assert list(tmp_path.iterdir()) == []
