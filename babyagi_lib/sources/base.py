"""What all sources share: the two errors, hashes, folders, results that ship with the course, and access to the hub."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import DatasetDict

PATIENCE = 5.0  # seconds to wait for the hub's first response


class SourceError(RuntimeError):
    """A model or corpus that cannot be used; the message says why and what to do."""


class CorpusError(ValueError):
    """A line of a corpus file that cannot be read; the message gives file, line and what was expected."""


@cache
def check_hash(path: Path, expected: str, repair: str) -> None:
    """Compare a file with its published sha256, once per process.

    Raises:
        SourceError: the file is missing or cannot be read, its line endings were changed, or its content.
    """
    if not path.is_file():
        raise SourceError(f"{path} is missing. Repair: {repair}")
    try:
        found = sha256(path)
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read ({error.strerror}); you need the right to read it: chmod a+r"
        ) from error
    if found != expected:
        if hashlib.sha256(re.sub(rb"\r\n?", b"\n", path.read_bytes())).hexdigest() == expected:
            raise SourceError(
                f"{path} has other line endings than published (carriage returns, as Git for Windows or an editor writes "
                f"them); its content is unchanged. Repair: delete the file, then {repair}"
            )
        raise SourceError(
            f"{path} is damaged or was changed (sha256 {found[:8]}, expected {expected[:8]}). Repair: {repair}"
        )


def sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_manifest(folder: Path) -> None:
    """Compare the data files of one corpus folder with `data/MANIFEST` (lines of `sha256  path`).

    Raises:
        SourceError: a listed file is missing or differs, or none is listed.
    """
    manifest = folder.parent / "MANIFEST"
    lines = [line.partition("  ") for line in manifest.read_text(encoding="utf-8", errors="replace").splitlines()]
    files = {name: expected for expected, _, name in lines if name.startswith(f"{folder.name}/")}
    if not files:
        raise SourceError(
            f"{manifest} is damaged: it lists no file of {folder.name}. Repair: git checkout -- data/MANIFEST (or reinstall "
            f"the course)"
        )
    for name, expected in files.items():
        check_hash(folder.parent / name, expected, f"git checkout -- data/{name} (or reinstall the course)")


def data_folder() -> Path:
    """The course's `data/` folder: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "data", package / "data"):
        if (folder / "MANIFEST").is_file():
            return folder
    raise SourceError("The course's data folder is missing: reinstall the course, or run from a complete checkout.")


def published(name: str) -> dict[str, Any]:
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


def is_folder_name(name: str) -> bool:
    """True if `name` can only mean a folder: it exists, or is written as a path rather than `owner/name`."""
    return is_there(name, Path.is_dir) or name.startswith((".", "/", "~", "\\")) or name.count("/") > 1 or "\\" in name


def existing_folder(name: str, what: str) -> Path:
    """The folder of that name; if there is none, a `SourceError` that says what it was given for."""
    if not is_there(name, Path.is_dir):
        raise SourceError(f"{name!r} was given for {what}, but there is no such folder (looked from {Path.cwd()}).")
    return Path(name).expanduser()


def is_there(name: str, kind: Callable[[Path], bool]) -> bool:
    """True if a name is the path of something of that kind, `Path.is_dir` or `Path.is_file`."""
    try:
        return kind(Path(name).expanduser())
    except (OSError, RuntimeError, ValueError):  # too long for a path, an unknown user, a zero byte
        return False


def full_path(name: str | Path) -> Path:
    """The absolute path that a name stands for, with `~` as the home folder; `SourceError` if it can be no path."""
    try:
        return Path(name).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # an unknown user, a zero byte, a loop of links
        raise SourceError(f"{str(name)[:200]!r} cannot be a path ({first_line(error)})") from error


@contextmanager
def hub() -> Iterator[None]:
    """For looking a name up on the Hugging Face hub: if the hub does not respond soon, only the local cache is used.

    The hub's own libraries retry for most of a minute before they report that there is no network.
    """
    import datasets.config
    from huggingface_hub import constants

    if not hub_fault():
        yield
        return
    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


def hub_fault() -> str:
    """Why the hub cannot be reached, or is not to be (`HF_HUB_OFFLINE`); empty if it can."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        return "switched off by HF_HUB_OFFLINE"
    faults: list[str] = []

    def ask() -> None:
        try:
            get_session().head(constants.ENDPOINT, timeout=PATIENCE)
            faults.append("")
        except Exception as error:  # the transport library's own differ between versions; a proxy or certificate too
            faults.append(f"{type(error).__name__}: {first_line(error)}")

    # In a thread of its own: the timeout does not cover looking up the address, and holds for each address again.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return faults[0] if faults else f"no answer within {PATIENCE:g} seconds"


def from_hub(name: str, what: str, offline: str, **options: Any) -> Any:
    """What `datasets.load_dataset` returns for a name on the Hugging Face hub.

    Args:
        name: `owner/name`, or `owner/name:configuration` for one of several configurations.
        what: the kind of corpus, for the message.
        offline: the parameter that works without a network, for the message.
        options: for `load_dataset`.

    Raises:
        SourceError: it cannot be loaded, or has several configurations and none was named.
    """
    from datasets import load_dataset

    repository, _, configuration = name.partition(":")
    try:
        with hub():
            return load_dataset(repository, *filter(None, [configuration]), **options)
    except Exception as error:  # datasets raises many kinds, some of them private, for one and the same cause
        if several := re.search(r"available configs: \[(.*)\]", str(error)):
            first = several[1].split(",")[0].strip("' ")
            raise SourceError(
                f"{repository!r} has several configurations ({several[1][:200]}); name one of them behind a colon, "
                f"such as {f'{repository}:{first}'!r}"
            ) from error
        raise SourceError(
            f"The {what} {name!r} is not here as a file or folder, and could not be loaded from the Hugging Face hub "
            f"({type(error).__name__}: {first_line(error)}). {offline} works offline."
        ) from error


def repeated(asked: Iterable[Hashable], learned: Iterable[Hashable]) -> int:
    """How many of the examples to test on are also among those to learn from."""
    seen = set(learned)
    return sum(example in seen for example in asked)


def sizes(corpus: DatasetDict, what: str = "sentences") -> str:
    """The number of examples in each split, for the line that says what was loaded."""
    return ", ".join(f"{len(split):,} {name}" for name, split in corpus.items()) + f" {what}"


def not_saved(path: Path, error: Exception) -> SourceError:
    """The error for a model that could not be written."""
    return SourceError(f"{path} cannot be written ({first_line(error)}); free some space, or choose another folder")


def first_line(error: Exception) -> str:
    """The beginning of another library's message, short enough to quote in ours."""
    return str(error).strip().split("\n")[0][:200]
