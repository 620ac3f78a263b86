"""What to say where a package is missing that only serving needs. Used by `web`, `onnx_export` and `search`. Imports no torch."""

from __future__ import annotations

import importlib.util

INSTALL = (
    'pip install "babyagi-course[serve]", or in a checkout of the course: pip install -c constraints.txt -e ".[serve]"'
)


class MissingPackages(ImportError):
    """A package that serving needs is not installed; the message says how to get it."""


def needed(*packages: str) -> None:
    """Raise `MissingPackages` unless all of these can be found; nothing is imported."""
    if missing := [package for package in packages if importlib.util.find_spec(package) is None]:
        raise MissingPackages(f"{' and '.join(missing)} must be installed for this: {INSTALL}")
