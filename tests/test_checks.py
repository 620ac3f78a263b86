"""Every check passes a right answer, fails seeded mutants with the right message, and is patient with stubs.

Answers are in a module per lesson, `mutants_*.py`. The notebooks' own stubs and solutions are run against the same
checks in test_notebooks.py.
"""

import functools
import signal

import mutants_adapters
import mutants_bce
import mutants_fewshot
import mutants_ner
import mutants_pretraining
import mutants_rl
import mutants_start
import pytest
import torch

from babyagi_lib import checks
from babyagi_lib.checks import verdict

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


def test_every_check_has_mutants():
    public = {name for name in checks.__all__ if hasattr(getattr(checks, name), "__wrapped__")}
    assert public == {check.__name__ for check, *_ in CASES}
    for check, *_ in CASES:
        assert sum(c is check for c, *_ in MUTANTS) >= 3


def test_every_check_belongs_to_a_lesson():
    assert {name for names in checks.EXERCISES.values() for name in names} == {check.__name__ for check, *_ in CASES}


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
def test_an_answer_that_never_ends_is_stopped(monkeypatch, request, handler):
    """Also where interruptions are ignored, as in what a shell runs in the background."""
    monkeypatch.setattr(verdict, "LIMIT", 0.2)
    request.addfinalizer(functools.partial(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, handler)))

    def endless(a, b):
        while True:
            pass

    found = checks.cosine(endless)
    assert found.status == "not yet" and "loop that never ends" in found.message
    assert checks.cosine(mutants_start.right).status == "correct", "and the next check is not disturbed"
    assert signal.getsignal(signal.SIGINT) is handler


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


def test_outside_a_notebook_nothing_is_noted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "exercises of this lesson" not in checks.cosine(mutants_start.right).message
    assert list(tmp_path.iterdir()) == []
