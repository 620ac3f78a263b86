"""A kernel uses its share of the machine's cores, says so, and leaves the user's own choice alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babyagi_lib.basics import threads


@pytest.fixture
def machine(monkeypatch):
    """A machine of 8 cores without any limit, on which limits can be set."""
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "quota", lambda: None)
    monkeypatch.delenv("CPU_LIMIT", raising=False)
    return monkeypatch


def test_without_a_limit_it_is_the_machine(machine):
    assert threads.share() == (8, "cores of this machine")


def test_the_smallest_limit_counts(machine):
    machine.setenv("CPU_LIMIT", "6")
    assert threads.share() == (6, "CPU_LIMIT")
    machine.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5})
    assert threads.share() == (3, "CPU affinity")
    machine.setattr(threads, "quota", lambda: 2.5)
    assert threads.share() == (2, "CPU quota of this container")
    machine.setenv("CPU_LIMIT", "0.5")
    assert threads.share() == (1, "CPU_LIMIT"), "never less than one"


@given(text=st.text(max_size=8))
def test_a_limit_that_is_no_number_is_no_limit(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "cpu_count", lambda: 8)
        patch.setattr(threads, "quota", lambda: None)
        patch.setenv("CPU_LIMIT", text.replace("\0", "").encode("utf-8", "replace").decode())
        assert 1 <= threads.share()[0] <= 8


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.cfs_quota_us": "200000", "cpu.cfs_period_us": "100000"}, 2.0),
        ({"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, None),
        ({"cpu.max": "damaged"}, None),
        ({}, None),
    ],
)
def test_the_quota_of_a_control_group(tmp_path, files, cores):
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n")
    assert threads._limit(tmp_path) == ([] if cores is None else [cores])


V1 = {"cpu.cfs_quota_us": "200000", "cpu.cfs_period_us": "100000"}


@pytest.mark.parametrize(
    ("groups", "limits", "cores"),
    [
        ("0::/a/b\n", {"a": {"cpu.max": "150000 100000"}, "a/b": {"cpu.max": "max 100000"}}, 1.5),
        ("0::/a/b\n", {"a": {"cpu.max": "300000 100000"}, "a/b": {"cpu.max": "50000 100000"}}, 0.5),
        ("0::/a\n", {"b": {"cpu.max": "150000 100000"}}, None),
        ("0::/\n", {"": {"cpu.max": "150000 100000"}}, 1.5),
        ("0::/outside/of/this/container\n", {"": {"cpu.max": "150000 100000"}}, 1.5),
        ("5:cpu,cpuacct:/a\n4:memory:/b\n", {"cpu/a": V1}, 2.0),
        ("5:cpuacct,cpu:/outside\n", {"cpu": V1}, 2.0),
        ("5:cpuset:/a\n4:memory:/a\n", {"cpu/a": V1, "a": {"cpu.max": "150000 100000"}}, None),
        ("5:cpu:/a\n0::/b\n", {"cpu/a": V1, "b": {"cpu.max": "150000 100000"}}, 1.5),
        ("damaged\n", {"": {"cpu.max": "150000 100000"}}, None),
        (None, {"": {"cpu.max": "150000 100000"}}, None),
    ],
)
def test_the_quota_is_that_of_this_process_and_of_the_groups_around_it(tmp_path, monkeypatch, groups, limits, cores):
    if groups is not None:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(groups)
    for group, files in limits.items():
        folder = tmp_path / "sys/fs/cgroup" / group
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text + "\n")
    monkeypatch.setattr(threads, "Path", lambda first, *rest: Path(tmp_path, first.lstrip("/"), *rest))
    assert threads.quota() == cores


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    """A new process, in which `babyagi_lib` finds no `OMP_NUM_THREADS` but what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("NUM_THREADS")}
    command = [sys.executable, "-c", f"import os; os.cpu_count = lambda: 8\n{code}"]
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("order", ["import torch, babyagi_lib", "import babyagi_lib, torch"])
def test_torch_keeps_to_the_limit_whichever_is_imported_first(order):
    done = run(f"{order}; print(torch.get_num_threads())", CPU_LIMIT="1")
    assert done.stdout == "1\n"
    assert done.stderr == "Threads: 1 of 8 cores (CPU_LIMIT).\n", "and it is said, once"


def test_the_users_own_choice_stays():
    done = run("import babyagi_lib; print(os.environ['OMP_NUM_THREADS'])", CPU_LIMIT="1", OMP_NUM_THREADS="3")
    assert (done.stdout, done.stderr) == ("3\n", "")


def test_nothing_is_said_or_set_where_there_is_no_limit():
    if threads.quota() is not None:
        pytest.skip("this machine has a CPU quota")
    code = "os.sched_getaffinity = lambda _: set(range(8))\nimport babyagi_lib, sys\n"
    done = run(code + "print('torch' in sys.modules, 'OMP_NUM_THREADS' in os.environ)", CPU_LIMIT="")
    assert (done.stdout, done.stderr) == ("False False\n", "")
