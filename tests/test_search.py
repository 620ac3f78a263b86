"""Search for hyperparameters: the same table whoever computes it, after a kill too; and the winner's curse."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("optuna", reason="no Optuna here: the extra serve brings it")

from searched import SPACE, noisy, slow

from babyagi_lib.apps import search

PLAN = {"name": "a", "trials": 6, "seed": 3}


def sqlite(folder, name="search"):
    return f"sqlite:///{folder / name}.db"


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return search.search(noisy, SPACE, storage=sqlite(tmp_path_factory.mktemp("s")), **PLAN)


def test_a_search_tries_what_the_space_allows_and_reports_it(reference):
    assert [trial.place for trial in reference] == list(range(6))
    assert len({trial.seed for trial in reference}) == 6
    for trial in reference:
        assert 0.01 <= trial.parameters["C"] <= 100 and trial.parameters["kind"] in ("a", "b")
        assert trial.parameters["number"] in range(1, 10)
        assert trial.value == noisy(trial.parameters, trial.seed) and trial.seed == search.trial_seed(trial.place, 3)


def test_another_seed_is_another_table(reference, tmp_path):
    other = search.search(noisy, SPACE, storage=sqlite(tmp_path), **PLAN | {"seed": 4})
    assert not {trial.value for trial in other} & {trial.value for trial in reference}


def test_two_processes_make_the_table_of_one(reference, tmp_path):
    found = search.search(slow, SPACE, storage=sqlite(tmp_path), processes=2, **PLAN)
    assert found == reference


def test_a_process_takes_a_trial_only_while_no_other_does(tmp_path):
    """SQLite does not see to that: without a lock of our own, two processes sometimes got the same trial."""
    import threading

    from filelock import FileLock

    storage, found = sqlite(tmp_path), []
    with FileLock(tmp_path / "search.db.lock"):
        waiting = threading.Thread(
            target=lambda: found.extend(search.search(noisy, SPACE, storage=storage, **PLAN | {"trials": 1}))
        )
        waiting.start()
        waiting.join(1.5)
        assert waiting.is_alive() and search.finished(storage, "a") == []
    waiting.join(60)
    assert len(found) == 1


def test_a_search_goes_on_where_it_stopped(reference, tmp_path):
    storage = sqlite(tmp_path)
    first = search.search(noisy, SPACE, storage=storage, **PLAN | {"trials": 3})
    assert first == reference[:3]

    def never(parameters, seed):
        raise AssertionError("this was computed before")

    assert search.search(never, SPACE, storage=storage, **PLAN | {"trials": 3}) == first
    assert search.search(noisy, SPACE, storage=storage, **PLAN) == reference


def test_a_trial_that_fails_is_tried_again_at_its_place(reference, tmp_path):
    storage, calls = sqlite(tmp_path), []

    def fails_once(parameters, seed):
        calls.append(seed)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return noisy(parameters, seed)

    with pytest.raises(KeyboardInterrupt):
        search.search(fails_once, SPACE, storage=storage, **PLAN)
    assert search.finished(storage, "a") == reference[:2]
    assert search.search(fails_once, SPACE, storage=storage, **PLAN) == reference and calls.count(calls[2]) == 2
    for wrong in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite"):
            search.search(lambda parameters, seed, wrong=wrong: wrong, SPACE, storage=storage, **PLAN | {"trials": 7})


def kill_and_go_on(storage, folder, reference, name):
    """A process dies at its fifth trial; what it was at work on is given back, and the table is whole."""
    program = (
        "import searched; from babyagi_lib.apps import search; "
        f"search.search(searched.killed, searched.SPACE, storage={storage!r}, name={name!r}, trials=6, seed=3)"
    )
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"COUNT": str(folder / "count"), "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=False, timeout=120)
    assert done.returncode == 9 and search.finished(storage, name) == reference[:4]
    plan = PLAN | {"name": name}
    assert [trial.place for trial in search.search(noisy, SPACE, storage=storage, **plan)] == [0, 1, 2, 3, 5]
    assert search.give_back(storage, name) == 1
    assert search.search(noisy, SPACE, storage=storage, **plan) == reference


def test_a_search_goes_on_after_a_kill(reference, tmp_path):
    kill_and_go_on(sqlite(tmp_path), tmp_path, reference, "a")


def test_the_same_on_postgresql(reference, tmp_path):
    """Where BABYAGI_POSTGRESQL has the address of an empty database, such as postgresql+psycopg://ada@localhost/search."""
    address = os.environ.get("BABYAGI_POSTGRESQL")
    if not address:
        pytest.skip("no PostgreSQL here: BABYAGI_POSTGRESQL names none")
    assert search.search(slow, SPACE, storage=address, processes=2, **PLAN | {"name": tmp_path.name}) == reference
    kill_and_go_on(address, tmp_path, reference, f"{tmp_path.name} killed")


def test_tpe_in_one_process_is_reproducible_and_looks_at_what_it_found(tmp_path):
    plan = PLAN | {"trials": 12, "sampler": "tpe"}
    first, second = (search.search(noisy, SPACE, storage=sqlite(tmp_path, name), **plan) for name in "ab")
    assert first == second
    blind = search.search(noisy, SPACE, storage=sqlite(tmp_path, "b2"), **plan | {"sampler": "random"})
    assert first[:10] == blind[:10] and first[10:] != blind[10:]  # TPE begins with ten random trials


def test_another_plan_for_the_same_study_is_refused(tmp_path):
    storage = sqlite(tmp_path)
    search.search(noisy, SPACE, storage=storage, **PLAN | {"trials": 1})
    for change, word in (({"seed": 4}, "seed"), ({"sampler": "tpe"}, "sampler")):
        with pytest.raises(ValueError, match=f"another {word}"):
            search.search(noisy, SPACE, storage=storage, **PLAN | change)
    with pytest.raises(ValueError, match="another space"):
        search.search(noisy, SPACE | {"C": (0.1, 1.0)}, storage=storage, **PLAN)


@pytest.mark.parametrize(
    "change",
    [
        {"space": {}},
        {"space": {"C": (2, 1)}},
        {"space": {"C": (0.0, 1.0, "log")}},
        {"space": {"C": (0.1, 1.0, "cubic")}},
        {"space": {"C": []}},
        {"space": {"C": ("a", "b")}},
        {"storage": "sqlite://"},
        {"trials": 0},
        {"processes": 0},
        {"seed": -1},
        {"sampler": "grid"},
    ],
)
def test_what_cannot_be_searched_is_refused(change, tmp_path):
    given = {"space": SPACE, "storage": sqlite(tmp_path), **PLAN} | change
    with pytest.raises(ValueError):
        search.search(noisy, **given)


def test_the_best_of_equal_candidates_exceeds_them_by_the_expected_maximum():
    assert search.expected_best(1) == pytest.approx(0, abs=1e-9)
    assert search.expected_best(2) == pytest.approx(1 / math.sqrt(math.pi))
    assert search.expected_best(3) == pytest.approx(3 / (2 * math.sqrt(math.pi)))
    a = 5 / (4 * math.sqrt(math.pi)) * (1 + 6 / math.pi * math.asin(1 / 3))
    assert search.expected_best(5) == pytest.approx(a)
    for number in (10, 1000):
        drawn = np.random.default_rng(0).normal(size=(4000, number)).max(axis=1)
        assert search.expected_best(number) == pytest.approx(drawn.mean(), abs=4 * drawn.std() / math.sqrt(4000))
    assert search.expected_best(10, 0.25) == 0.25 * search.expected_best(10) and search.expected_best(9, 0) == 0
    values = [search.expected_best(2**k) for k in range(24)]
    assert np.all(np.diff(values) > 0) and values[-1] < math.sqrt(2 * math.log(2**23))
    for wrong in ((0, 1), (2.5, 1), (2, -1)):
        with pytest.raises(ValueError):
            search.expected_best(*wrong)
