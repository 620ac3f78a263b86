"""What a lesson uses: watched from inside its kernel, and asked again later, of a fresh Python, to see what has changed.

The tool sends the text of this file to the kernel before the first cell, so it imports nothing but the standard library.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import sys
import threading
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARY = "babyagi_lib"


class Watch:
    """Notes the files that this process reads, the folders in which it looks for files, and what it imports or asks for.

    Of the files those count that lie under the course's folder, or in the library and in the data and results beside it,
    which may be installed elsewhere. The environment and hidden folders do not count: what a package holds is known by its
    version. A file that the lesson wrote before it read it, or that is gone at the end, is the lesson's own. A compiled
    module counts as its source. Of a folder the names in it count, where it is searched as `Path.glob` does.

    Not seen are files that C++ or Rust code opens, what `os.listdir` lists (as every import does), and what another process
    reads or imports.
    """

    def __init__(self, root: str, ignored: str) -> None:
        """Begin to watch.

        Args:
            root: the course's folder.
            ignored: the name of files that do not count wherever they lie: the learner's progress.
        """
        spec = importlib.util.find_spec(LIBRARY)
        library = Path(spec.origin).resolve().parent if spec and spec.origin else Path(root)
        self.root, self.ignored = os.path.realpath(root), ignored
        self.library = [str(library), str(library.parent / "data"), str(library.parent / "benchmarks")]
        self.opened: dict[str, str | None] = {}  # path -> its hash when first read, or `WRITTEN`
        self.modules: set[str] = set()
        self.distributions: set[str] = set()
        self.own = threading.local()  # whether this thread is reading a file only to hash it
        sys.meta_path.insert(0, self)

        def heard(event: str, about: tuple) -> None:  # a plain function: Python calls it for every `id(...)`, too
            if event == "open":
                self._opened(about[0], about[2])
            elif event == "os.scandir":
                self._opened("." if about[0] is None else about[0], os.O_RDONLY)

        sys.addaudithook(heard)

    def _opened(self, file: Any, flags: int) -> None:
        """Note a file or folder that is about to be opened. An error here would be one of `open`."""
        if isinstance(file, int) or getattr(self.own, "reading", False):
            return
        self.own.reading = True
        try:
            path = os.path.abspath(os.fsdecode(file))  # noqa: PTH100 - links stay as they are
            if path.endswith(".pyc"):
                path = importlib.util.source_from_cache(path)
            if path not in self.opened and self._counts(path):
                writes = flags & (os.O_WRONLY | os.O_RDWR)
                self.opened[path] = WRITTEN if writes else hash_of(path)
        except (OSError, ValueError, TypeError):  # no path, or none that can be opened
            return
        finally:
            self.own.reading = False

    def _counts(self, path: str) -> bool:
        if path.endswith(os.sep + self.ignored):
            return False
        if any(_is_under(path, folder) for folder in self.library):
            return True
        hidden = f"{os.sep}." in path.removeprefix(self.root)
        return _is_under(path, self.root) and not hidden and not _is_under(path, os.path.realpath(sys.prefix))

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Import hook: note that a module has been asked for, and leave it to the other finders."""
        if path is None:
            self.modules.add(name)

    def find_distributions(self, context: metadata.DistributionFinder.Context) -> tuple:
        """Import hook: note that a distribution has been asked for by name, and leave it to the other finders."""
        if context.name:
            self.distributions.add(context.name)
        return ()

    def used(self) -> dict[str, Any]:
        """What was used until now.

        Returns:
            `files`, path -> sha256, null if there was none, the path from the course's root if it lies there; and what
            `installed` returns of the packages that were imported or asked for, and of the modules that are not there.
        """
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        self.own.reading = True
        for name, module in [*sys.modules.items()]:  # of the library, those imported before the first cell
            path = getattr(module, "__file__", None) if name.partition(".")[0] == LIBRARY else None
            if path:
                self.opened.setdefault(os.path.realpath(path), hash_of(path))
        files = {}
        for path, found in self.opened.items():
            now = hash_of(path)
            if found == now or (found not in (WRITTEN, None) and Path(path).is_file()):
                files[os.path.relpath(path, self.root) if _is_under(path, self.root) else path] = found
        names = {name.partition(".")[0] for name in [*sys.modules]} | self.modules
        brought = metadata.packages_distributions()
        packages = {canonical(package) for name in names for package in brought.get(name, [])}
        packages |= {canonical(package) for package in self.distributions}
        return {"files": dict(sorted(files.items())), **installed(packages, self.modules - sys.modules.keys())}

    def as_json(self) -> str:
        """`used`, as text."""
        return json.dumps(self.used())


WRITTEN = "written"


def _is_under(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def hash_of(path: str) -> str | None:
    """Hex sha256 of a file's bytes, or of the names in a folder; None if it is neither, or cannot be read."""
    try:
        if Path(path).is_dir():
            names = sorted(entry.name for entry in Path(path).iterdir() if not entry.name.startswith((".", "__")))
            return hashlib.sha256(json.dumps(names).encode()).hexdigest()
        if not Path(path).is_file():
            return None
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def canonical(package: str) -> str:
    """A distribution's name in the one form that all its spellings have in common."""
    return re.sub(r"[-_.]+", "-", package).lower()


def installed(packages: Any, modules: Any) -> dict[str, Any]:
    """What this Python has: its version; of each package the version, None if it is not there; which modules are absent."""
    return {
        "python": platform.python_version(),
        "packages": {package: _version(package) for package in sorted(packages)},
        "absent": sorted(module for module in modules if not _is_there(module)),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except (metadata.PackageNotFoundError, ValueError):
        return None


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


if __name__ == "__main__":
    print(json.dumps(installed(*json.load(sys.stdin))))
