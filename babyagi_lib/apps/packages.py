"""Packages that only serving needs: asked for when they are used, with a message that says what to install.

Used by `onnx_export`, `model_server` and `search`. Imports no torch.
"""

from __future__ import annotations

import importlib.util

EXTRA = "pip install 'babyagi-course[serve]'"


class MissingPackage(ImportError):
    """A package that is not installed; the message says how to get it."""


def needed(*packages: str) -> None:
    """Raise `MissingPackage` unless all of these can be imported; nothing is imported."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        what = " and ".join(missing)
        raise MissingPackage(f"{what} {'is' if len(missing) == 1 else 'are'} not installed. Install what serving needs: {EXTRA}")
