"""What it costs to start: importing the library beside importing torch, and the tool's help beside Python itself.

    python benchmarks/startup.py [--repeats 9]

Every start is a process of its own. They take turns, so that a busy moment of the machine hits all of them, and the first
turn, which warms the disk's cache, does not count. What is reported is the median of the turns, and the median of what a
start took longer than its peer in the same turn. The result goes to `startup.json` beside this file. A quarter of an
hour; run it with nothing else running.
"""

from __future__ import annotations

import argparse
import pkgutil
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import results

import babyagi_lib
from babyagi_course.measured import Aim

TOOL = Path(sys.executable).with_name("babyagi")
TORCH, NOTHING = "import torch", "python, doing nothing"
TOOLS_HELP = "help of the tool"
HELP = {TOOLS_HELP: ["--help"], "help of its command run": ["run", "--help"]}
# The aims: seconds that these imports may take more than torch's, and that the tool's help may take.
AIMED = ("babyagi_lib", "babyagi_lib.training.loop")
MORE, LIMIT = 0.1, 0.3


def modules() -> list[str]:
    """The library and every module of it that a notebook can import."""
    found = pkgutil.walk_packages(babyagi_lib.__path__, "babyagi_lib.")
    return ["babyagi_lib", *(module.name for module in found if not module.ispkg)]


def starts() -> dict[str, tuple[list[str], str]]:
    """Name of each start -> its command, and the name of its peer."""
    python = [sys.executable, "-c"]
    return (
        {NOTHING: ([*python, "pass"], NOTHING), TORCH: ([*python, TORCH], TORCH)}
        | {f"import {module}": ([*python, f"import {module}"], TORCH) for module in modules()}
        | {name: ([str(TOOL), *arguments], NOTHING) for name, arguments in HELP.items()}
    )


def seconds(command: list[str]) -> float:
    """How long a process takes from its start to its end."""
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def dearest(report: str, count: int = 5) -> dict[str, float]:
    """The packages that a report of `python -X importtime` spends most on, in milliseconds, their submodules included."""
    spent: Counter[str] = Counter()
    for own, name in re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", report, re.MULTILINE):
        spent[name.partition(".")[0]] += int(own)
    return {name: round(own / 1000, 1) for name, own in spent.most_common(count)}


def aims(result: dict) -> Iterator[Aim]:
    """What a result says about the aims."""
    runs = results.by_name(result)
    for module in result["settings"]["aimed"]:
        run = runs[f"import {module}"]
        yield Aim(
            f"import {module}",
            TORCH,
            f"{runs[TORCH]['seconds']:.2f} s",
            f"{run['seconds']:.2f} s",
            f"{run['more_than_torch']:+.2f} s",
            f"{MORE:+} s at most",
            run["more_than_torch"] <= MORE,
        )
    run = runs[TOOLS_HELP]
    yield Aim(
        TOOLS_HELP,
        NOTHING,
        f"{runs[NOTHING]['seconds']:.2f} s",
        f"{run['seconds']:.2f} s",
        f"{run['more_than_python']:+.2f} s",
        f"under {LIMIT} s",
        run["seconds"] < LIMIT,
    )


conclusions = results.stating(aims)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=9, help="turns, after one that does not count")
    arguments = parser.parse_args()
    commands = starts()
    found: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(arguments.repeats + 1):
        for name, (command, _) in commands.items():
            took = seconds(command)
            if turn:
                found[name].append(took)
        print(f"turn {turn} of {arguments.repeats}", flush=True)
    runs = []
    for name, (_, peer) in commands.items():
        run = {"name": name, "seconds": round(statistics.median(found[name]), 3)}
        if peer != name:
            more = [mine - its for mine, its in zip(found[name], found[peer], strict=True)]
            run[f"more_than_{'torch' if peer == TORCH else 'python'}"] = round(statistics.median(more), 3)
        runs.append(run)
        print(run, flush=True)
    report = subprocess.run(
        [sys.executable, "-X", "importtime", str(TOOL), "--help"], capture_output=True, text=True, check=True
    ).stderr
    imports = dearest(report)
    told = ", ".join(f"{name} {spent:.0f} ms" for name, spent in imports.items())
    results.write(
        "startup",
        title="What it costs to start",
        data=f"whole processes, median of {arguments.repeats} turns; on imports the help spends most with {told}",
        model="no model",
        packages=("typer",),
        settings={"repeats": arguments.repeats, "aimed": AIMED},
        dearest_imports_of_help_in_milliseconds=imports,
        runs=runs,
        conclusions=conclusions,
    )


if __name__ == "__main__":
    main()
