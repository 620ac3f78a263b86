"""Search for hyperparameters in several processes on one storage, each trial reproducible. Used by lesson 18.

The trials are kept by Optuna in a database: a file of SQLite, or a server of PostgreSQL, which several machines can reach. Each
trial has a place in the plan, 0, 1, ..., and its seed comes from that place, not from the process that happens to compute it. So
the same place with the same parameters has the same value, whoever computes it, in whatever order, and after a kill too. Random
search draws the parameters from the place as well: its whole table is then the same for any number of processes. TPE (Bergstra and
others 2011) looks at the trials that are finished, and those depend on time once there are several processes.

Imports no torch.
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from babyagi_lib.apps.packages import needed
from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.basics.streams import stream_seed

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler

SAMPLERS = ("random", "tpe")
Objective = Callable[[dict[str, Any], int], float]
Space = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Trial:
    """One finished trial.

    Attributes:
        place: in the plan, from 0.
        parameters: that were tried.
        value: what the objective returned; higher is better.
        seed: that the objective got.
    """

    place: int
    parameters: dict[str, Any]
    value: float
    seed: int


def trial_seed(place: int, seed: int) -> int:
    """The seed of the trial at a place of the plan, for the objective."""
    return stream_seed(f"trial {place}", seed) % 2**32


def search(
    objective: Objective,
    space: Space,
    *,
    storage: str,
    name: str,
    trials: int,
    seed: int,
    sampler: str = "random",
    processes: int = 1,
) -> list[Trial]:
    """Try `trials` settings, and return all that are finished, by their place; the best has the highest value.

    Called again with the same storage and name, it computes what is missing and nothing twice. What a killed process was at
    work on stays taken until `give_back`. Other machines may call it with the same arguments while the first call runs.

    Args:
        objective: from parameters and a seed to the value, higher is better. With several processes it must be a function at
            the top level of a module, which each of them imports.
        space: for each parameter `(low, high)` or `(low, high, "log")`, whole numbers if both ends are; or a list of choices.
        storage: the address of a database, such as "sqlite:///search.db" or "postgresql+psycopg://ada@localhost/search".
        name: of the study in it.
        trials: in the plan, with those that are finished already.
        seed: of the plan.
        sampler: "random" or "tpe".
        processes: at work side by side.

    Raises:
        MissingPackages: `optuna` is not installed.
        ValueError: an argument is out of its range; the study in the storage had another seed, sampler or space; or the
            objective returned something other than a finite number.
        RuntimeError: a process ended with an error, which it printed.
    """
    check_whole("trials", trials, 1)
    check_whole("processes", processes, 1)
    check_whole("seed", seed, 0)
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler is {sampler!r}; expected one of {', '.join(SAMPLERS)}")
    _check_space(space)
    if storage in ("sqlite://", "sqlite:///", "sqlite:///:memory:"):
        raise ValueError(
            f"storage is {storage!r}, which is forgotten at once; give a file, such as 'sqlite:///search.db'"
        )
    plan = {"seed": seed, "sampler": sampler, "space": {key: list(values) for key, values in space.items()}}
    study = _study(storage, name, plan)
    _line_up(study, trials)
    work = (objective, dict(space), storage, name, plan)
    if processes == 1:
        _work(*work)
    else:
        spawn = multiprocessing.get_context("spawn")
        workers = [spawn.Process(target=_work, args=work) for _ in range(processes)]
        try:
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        finally:
            for worker in workers:
                if worker.is_alive():
                    worker.terminate()
        if failed := [worker.exitcode for worker in workers if worker.exitcode]:
            raise RuntimeError(f"{len(failed)} of {processes} processes of the search failed; see their output")
    return finished(storage, name)


def finished(storage: str, name: str) -> list[Trial]:
    """The finished trials of a study, by their place."""
    study = _study(storage, name)
    seed = study.user_attrs["plan"]["seed"]
    found = {}
    for trial in study.get_trials(deepcopy=False, states=_states("COMPLETE")):
        place = trial.user_attrs["place"]
        found.setdefault(place, Trial(place, dict(trial.params), trial.value, trial_seed(place, seed)))
    return [found[place] for place in sorted(found)]


def give_back(storage: str, name: str) -> int:
    """Put back in line what was being computed when a process was killed; how many trials that were.

    Only for when nothing is at work on the study, on any machine.
    """
    study, (failed,) = _study(storage, name), _states("FAIL")
    running = study.get_trials(deepcopy=False, states=_states("RUNNING"))
    for trial in running:
        study.tell(trial.number, state=failed)
    return len(running)


def expected_best(number: int, sd: float = 1.0) -> float:
    """By how much the best of so many equally good candidates seems better than it is, on average: the winner's curse.

    The expected maximum of `number` independent normal numbers with mean 0, by an integral (exact to about 1e-8):
    `E[max] = ∫ 1 - F(x)^k - (1 - F(x))^k dx` over x > 0, with F of the normal distribution.

    Args:
        number: of candidates, k.
        sd: the standard deviation of one candidate's measured value around its true value.
    """
    from scipy.integrate import quad
    from scipy.stats import norm

    check_whole("number", number, 1)
    check_number("sd", sd, 0)

    def missing(x: float) -> float:
        log_below, log_above = norm.logcdf(x), norm.logsf(x)
        return -math.expm1(number * log_below) - math.exp(number * log_above)

    return sd * max(0.0, quad(missing, 0, 40, points=[1, 2, 4, 8], limit=200)[0])


# --- with optuna --------------------------------------------------------------------------------------------------


def _study(storage: str, name: str, plan: dict | None = None) -> Study:
    """The study of that name; with a plan it is made if it is not there, and must have that plan if it is."""
    needed("optuna")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # SQLite lets one process write at a time; the others wait.
    options = {"connect_args": {"timeout": 60}} if storage.startswith("sqlite") else None
    opened = optuna.storages.RDBStorage(storage, engine_kwargs=options)
    if plan is None:
        return optuna.load_study(study_name=name, storage=opened)
    study = optuna.create_study(study_name=name, storage=opened, direction="maximize", load_if_exists=True)
    known = study.user_attrs.get("plan")
    if known is None:
        study.set_user_attr("plan", plan)
    elif known != plan:
        changed = [key for key in plan if known[key] != plan[key]]
        raise ValueError(f"study {name!r} has another {' and '.join(changed)}; use another name for a new search")
    study.sampler = _by_place(plan)
    return study


def _one_at_a_time(storage: str) -> AbstractContextManager:
    """What lets one process at a time take a trial, where the database does not.

    Optuna asks the database to lock the row of the trial that it takes (SELECT ... FOR UPDATE). SQLite has no locks on rows and
    ignores that: now and then, two processes get the same trial.
    """
    from filelock import FileLock
    from sqlalchemy import make_url

    where = make_url(storage)
    return FileLock(f"{where.database}.lock") if where.get_backend_name() == "sqlite" else nullcontext()


def _states(*names: str) -> tuple:
    from optuna.trial import TrialState

    return tuple(TrialState[name] for name in names)


def _line_up(study: Study, trials: int) -> None:
    """Put every place in line that is not finished, taken, or in line already."""
    there = study.get_trials(deepcopy=False, states=_states("COMPLETE", "RUNNING", "WAITING"))
    taken = {trial.user_attrs.get("place") for trial in there}
    for place in range(trials):
        if place not in taken:
            study.enqueue_trial({}, user_attrs={"place": place})


def _work(objective: Objective, space: dict[str, Any], storage: str, name: str, plan: dict) -> None:
    """Compute trials until none is in line."""
    study, (waiting, failed) = _study(storage, name, plan), _states("WAITING", "FAIL")
    while study.get_trials(deepcopy=False, states=(waiting,)):
        with _one_at_a_time(storage):
            trial = study.ask()
        place = trial.user_attrs.get("place")
        if place is None:  # another process was faster, and Optuna has made a new trial, which nobody asked for
            study.tell(trial, state=failed)
            return
        try:
            value = objective(_draw(trial, space), trial_seed(place, plan["seed"]))
            if not math.isfinite(value):
                raise ValueError(f"the objective returned {value!r}; expected a finite number")
        except BaseException:
            study.tell(trial, state=failed)  # the next call of `search` puts its place in line again
            raise
        study.tell(trial, float(value))


def _draw(trial: Any, space: Space) -> dict[str, Any]:
    """The parameters of a trial, by the sampler of its study."""
    drawn = {}
    for name, values in space.items():
        if isinstance(values, list):
            drawn[name] = trial.suggest_categorical(name, values)
        else:
            low, high = values[:2]
            suggest = trial.suggest_int if isinstance(low, int) and isinstance(high, int) else trial.suggest_float
            drawn[name] = suggest(name, low, high, log=len(values) == 3)
    return drawn


def _check_space(space: Space) -> None:
    """Raise ValueError unless every parameter has a range or choices."""
    if not space:
        raise ValueError("the space has no parameter")
    for name, values in space.items():
        if isinstance(values, list) and values:
            continue
        right = isinstance(values, tuple) and (len(values) == 2 or (len(values) == 3 and values[2] == "log"))
        numbers = right and all(isinstance(end, int | float) and not isinstance(end, bool) for end in values[:2])
        if not numbers or not values[0] < values[1] or (len(values) == 3 and values[0] <= 0):
            raise ValueError(
                f"parameter {name!r} is {values!r}; expected (low, high), (low, high, 'log') above 0, or a list of choices"
            )


def _by_place(plan: dict) -> BaseSampler:
    """A sampler whose random numbers come from the place of each trial."""
    from optuna.samplers import BaseSampler, RandomSampler, TPESampler

    kind = RandomSampler if plan["sampler"] == "random" else TPESampler

    class ByPlace(BaseSampler):
        inner: BaseSampler = kind(seed=0)

        def before_trial(self, study: Study, trial: Any) -> None:
            place = trial.user_attrs.get("place", 0)
            self.inner = kind(seed=int(np.uint32(trial_seed(place, stream_seed("sampler", plan["seed"])))))
            self.inner.before_trial(study, trial)

        def infer_relative_search_space(self, study: Study, trial: Any) -> dict:
            return self.inner.infer_relative_search_space(study, trial)

        def sample_relative(self, study: Study, trial: Any, search_space: dict) -> dict:
            return self.inner.sample_relative(study, trial, search_space)

        def sample_independent(self, study: Study, trial: Any, param_name: str, param_distribution: Any) -> Any:
            return self.inner.sample_independent(study, trial, param_name, param_distribution)

        def after_trial(self, study: Study, trial: Any, state: Any, values: Any) -> None:
            self.inner.after_trial(study, trial, state, values)

    return ByPlace()
