"""Measurements that ship with the course, for lessons that show what takes too long to run. Used by lessons 02, 04 to 06, and later ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from babyagi_lib.sources.errors import SourceError


def load_result(name: str) -> dict[str, Any]:
    """A measured result that ships with the course: `benchmarks/<name>.json`, with its machine, data and versions.

    Raises:
        SourceError: there is no such file, or it is damaged.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "benchmarks", package / "benchmarks"):
        path = folder / f"{name}.json"
        if path.is_file():
            try:
                return json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise SourceError(
                    f"{path} is damaged ({error}). Repair: git checkout -- benchmarks/{name}.json (or reinstall the course)"
                ) from error
    raise SourceError(f"There is no published result {name!r}: reinstall the course, or run from a complete checkout.")
