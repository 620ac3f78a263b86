"""How models are saved: whole or not at all, as safetensors. Used by `heads` and `adapters`."""

from __future__ import annotations

from pathlib import Path

from babyagi_lib.sources.errors import SourceError, first_line


def not_saved(path: Path, error: Exception) -> SourceError:
    """The error for a model that could not be written."""
    return SourceError(f"{path} cannot be written ({first_line(error)}); free some space, or choose another folder")
