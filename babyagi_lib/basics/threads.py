"""How many threads a learner's kernel may use: its share of a machine that others use too. Used by every notebook.

torch starts one thread for each core it sees. On a server that gives a learner less than that, by a quota or by
JupyterHub's `CPU_LIMIT`, the threads of all learners then wait for each other. On two cores, six learners with two threads
each took more than twice as long as six with one thread each (benchmarks/hub.json).
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path


def quota() -> float | None:
    """Cores that the control group of this process may use (Linux containers); None without such a limit."""
    try:
        entries = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):  # not Linux, or not readable
        return None
    limits = []
    for _, controllers, path in (entry for entry in entries if len(entry) == 3):
        root = Path("/sys/fs/cgroup", *(["cpu"] if controllers else []))
        if controllers and "cpu" not in controllers.split(","):
            continue
        group = root / path.lstrip("/")
        # A limit of any group around this one holds too. In a container the file system begins at its own group.
        for folder in {root, group, *(parent for parent in group.parents if parent.is_relative_to(root))}:
            limits += _limit(folder)
    return min(limits, default=None)


def _limit(group: Path) -> list[float]:
    """The limit of one control group, of version 2 (`cpu.max`) or 1 (`cpu.cfs_quota_us`); empty without one."""
    try:
        if (group / "cpu.max").is_file():
            allowed, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        else:
            allowed = (group / "cpu.cfs_quota_us").read_text(encoding="utf-8")
            period = (group / "cpu.cfs_period_us").read_text(encoding="utf-8")
        cores = float(allowed) / float(period)  # "max", which means no limit, is no number
    except (OSError, ValueError, ZeroDivisionError):
        return []
    return [cores] if cores > 0 else []


def share() -> tuple[int, str]:
    """How many threads this process should use, at least 1, and what limits them.

    The smallest of the cores of the machine, of those that this process is bound to (affinity), of the quota of its
    container, and of `CPU_LIMIT`, which JupyterHub sets to the limit of a learner's server. Parts of a core are
    rounded down.
    """
    limits = {"cores of this machine": float(os.cpu_count() or 1)}
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        limits["CPU affinity"] = float(len(os.sched_getaffinity(0)))
    if (cores := quota()) is not None:
        limits["CPU quota of this container"] = cores
    try:
        given = float(os.environ.get("CPU_LIMIT", ""))
    except ValueError:  # not set, or not a number
        given = 0.0
    if math.isfinite(given) and given > 0:
        limits["CPU_LIMIT"] = given
    reason = min(limits, key=limits.__getitem__)
    return max(1, math.floor(limits[reason])), reason


def limit() -> None:
    """Keep numerical libraries to this process's share, and say so if that is less than the machine.

    Does nothing where `OMP_NUM_THREADS` is set: then the user has chosen. Libraries that are loaded later read that
    variable; in torch, if it is loaded already, the number is set.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return
    threads, reason = share()
    if threads >= (os.cpu_count() or 1):
        return
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    print(f"Threads: {threads} of {os.cpu_count()} cores ({reason}).", file=sys.stderr)
