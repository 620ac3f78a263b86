"""Versions of an agent: a folder for each, and one small file that says which of them is live. Used by lesson 13.

A version knows the version it was made from, a hash of the data it was fitted on, its seed, and what was measured. Its folder
is written whole or not at all, and never changed afterwards. Which version is live, how it came to that, and how far the
cycle has come stand together in one file, which is replaced in one step: whoever reads it sees the old state or the new one,
and nothing between. Imports no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.whole import whole_file, whole_folder

ABOUT, ARRAYS, NOW = "about.json", "arrays.npz", "now.json"


class VersionError(ValueError):
    """A version, or the file that says which one is live, is missing or damaged."""


@dataclass(frozen=True)
class Version:
    """Where a version comes from.

    Attributes:
        name: of its folder.
        parent: the version that was live when it was made; None for the first.
        data: the hash of what it was fitted on, as `data_hash` computes it.
        seed: of its making.
        metrics: numbers that were measured then, by name.
    """

    name: str
    parent: str | None
    data: str
    seed: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class Now:
    """What the small file says.

    Attributes:
        live: the name of the version that acts.
        history: every move, the latest last: {"to": a version, "why": a text, "round": a number}.
        state: whatever the program needs to go on, as JSON can hold it.
    """

    live: str
    history: tuple[dict[str, Any], ...]
    state: dict[str, Any]


def data_hash(arrays: Mapping[str, ArrayLike]) -> str:
    """SHA-256 of named arrays: other names, shapes, types or numbers give another hash, another order does not."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


class Versions:
    """The versions in one folder.

    Args:
        folder: made if it is not there.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, version: Version, arrays: Mapping[str, ArrayLike]) -> Version:
        """Write the folder of a version. A version of that name must be the same one: then nothing is changed.

        So a program that was killed may write again what it has already written.

        Raises:
            VersionError: another version of that name is there, or its name is no plain name.
        """
        if not version.name.replace("-", "").isalnum():
            raise VersionError(f"{version.name!r} is no name for a version: letters, digits and hyphens only")
        path = self.folder / version.name
        if path.exists():
            known, old = self.load(version.name)
            if known != version or data_hash(old) != data_hash(arrays):
                raise VersionError(f"version {version.name} exists and is another one; a version is never changed")
            return version
        with whole_folder(path) as partial:
            np.savez(partial / ARRAYS, **{name: np.asarray(array) for name, array in arrays.items()})
            (partial / ABOUT).write_text(json.dumps(asdict(version), indent=1) + "\n", encoding="utf-8")
        return version

    def load(self, name: str) -> tuple[Version, dict[str, NDArray]]:
        """A version and its arrays.

        Raises:
            VersionError: there is no such version, or its folder is damaged.
        """
        path = self.folder / name
        try:
            version = Version(**json.loads((path / ABOUT).read_text(encoding="utf-8")))
            with np.load(path / ARRAYS, allow_pickle=False) as file:
                return version, {key: file[key] for key in file.files}
        except FileNotFoundError as error:
            raise VersionError(f"there is no version {name} in {self.folder}") from error
        except Exception as error:  # a damaged archive can raise almost anything
            raise VersionError(f"version {name} is damaged ({type(error).__name__}: {error})") from error

    def all(self) -> list[Version]:
        """All versions, by name."""
        found = (path.parent.name for path in self.folder.glob(f"*/{ABOUT}"))
        return [self.load(name)[0] for name in sorted(found) if not name.endswith((".partial", ".replaced"))]

    def lineage(self, name: str) -> list[str]:
        """The version, its parent, and so on to the first."""
        found = [name]
        while (parent := self.load(found[-1])[0].parent) is not None:
            if parent in found:
                raise VersionError(f"version {parent} is its own ancestor")
            found.append(parent)
        return found

    def now(self) -> Now | None:
        """Which version is live, and how it came to that; None before the first promotion.

        Raises:
            VersionError: the file is damaged.
        """
        path = self.folder / NOW
        if not path.exists():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return Now(found["live"], tuple(found["history"]), found["state"])
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise VersionError(f"{path.name} is damaged ({type(error).__name__}: {error})") from error

    def promote(self, name: str, why: str, state: Mapping[str, Any] | None = None) -> Now:
        """Make a version live, and keep a new state in the same step (the old state if None).

        Raises:
            VersionError: there is no such version.
        """
        self.load(name)
        old = self.now() or Now(name, (), {})
        state = dict(old.state if state is None else state)
        move = {"to": name, "why": why, "round": state.get("round", 0)}
        return self._write(Now(name, (*old.history, move), state))

    def roll_back(self, why: str, state: Mapping[str, Any] | None = None) -> Now:
        """Make the parent of the live version live again.

        Raises:
            VersionError: nothing is live, or the live version is the first.
        """
        old = self.now()
        parent = None if old is None else self.load(old.live)[0].parent
        if parent is None:
            raise VersionError("there is no earlier version to go back to")
        return self.promote(parent, why, state)

    def keep(self, state: Mapping[str, Any]) -> Now:
        """Keep a new state; the same version stays live.

        Raises:
            VersionError: nothing is live.
        """
        old = self.now()
        if old is None:
            raise VersionError("nothing is live: promote a version first")
        return self._write(Now(old.live, old.history, dict(state)))

    def _write(self, now: Now) -> Now:
        with whole_file(self.folder / NOW) as partial:
            partial.write_text(json.dumps(asdict(now)) + "\n", encoding="utf-8")
        return now
