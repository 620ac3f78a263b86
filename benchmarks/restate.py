"""State again what the results conclude from what they measured, after a change of an aim, its hindrance or a table.

    python benchmarks/restate.py

Nothing is measured: every result keeps its values, its machine, its date and its versions.
"""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import results

HERE = Path(__file__).resolve().parent
WRITES = re.compile(r'results\.write\(\s*f?"(\w+)(\{)?')


def scripts() -> dict[str, str]:
    """Name of each result -> the script that writes it. A script with a result for each machine writes all that begin so."""
    found = {}
    for path in HERE.glob("*.py"):
        for name, each in WRITES.findall(path.read_text(encoding="utf-8")):
            names = [result.stem for result in HERE.glob(f"{name}*.json")] if each else [name]
            found |= dict.fromkeys(names, path.stem)
    return found


def restated(name: str) -> dict:
    """A result with what its script concludes now from the values that it has."""
    result = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return results.concluded(result, getattr(importlib.import_module(scripts()[name]), "conclusions", None))


def main() -> None:
    for path in sorted(HERE.glob("*.json")):
        results.save(path.stem, restated(path.stem))


if __name__ == "__main__":
    main()
