"""The exercises and quiz questions that a learner has solved, in a file. Used by `checks` and `quiz`.

The file is `my_progress.json` in the folder where the notebook runs. It belongs to the learner: it stays on the machine,
nothing else depends on it, and the learner may delete it. Then the count starts again at zero.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from babyagi_lib.basics.whole import Busy, locked, whole_file

FILE = "my_progress.json"
PATIENCE = 10.0  # seconds to wait for another notebook that writes; writing takes milliseconds


class JournalError(Exception):
    """The learner's file cannot be read or written; the message says what to do."""


def read(folder: Path | None = None) -> dict[str, dict]:
    """What has been done, by lesson: `{"exercises": [name, ...], "quiz": {question: tries until right}}`.

    Args:
        folder: where the file lies; the working directory by default.

    Raises:
        JournalError: the file exists, but cannot be read or does not have this form.
    """
    try:
        path = (folder or Path.cwd()) / FILE
        journal = json.loads(path.read_text(encoding="utf-8"))
        for done in journal.values():
            if not isinstance(done["exercises"], list) or not all(isinstance(name, str) for name in done["exercises"]):
                raise TypeError("exercises is not a list of names")
            {int(number): int(tries) for number, tries in done["quiz"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise JournalError(f"{FILE} cannot be read ({error}); correct the file, or delete it to start again") from error
    return journal


def record_exercise(lesson: str, name: str) -> None:
    """Save that an exercise has been solved.

    Raises:
        JournalError: the file cannot be read or written; it is left as it was.
    """
    with _to_change() as journal:
        done = journal.setdefault(lesson, {"exercises": [], "quiz": {}})
        if name not in done["exercises"]:
            done["exercises"].append(name)


def record_answer(lesson: str, number: int, tries: int) -> None:
    """Save that a question of a quiz was answered right at the given try; only the first time counts.

    Raises:
        JournalError: the file cannot be read or written; it is left as it was.
    """
    with _to_change() as journal:
        journal.setdefault(lesson, {"exercises": [], "quiz": {}})["quiz"].setdefault(str(number), tries)


@contextmanager
def _to_change() -> Iterator[dict[str, dict]]:
    """The journal, to be changed in the block and then written. No other notebook can write it at the same time.

    Raises:
        JournalError: as `record_exercise`.
    """
    try:
        folder = Path.cwd()
        with locked(folder, folder / f"{FILE}.lock", PATIENCE):
            journal = read(folder)
            before = json.dumps(journal)
            yield journal
            if json.dumps(journal) != before:
                with whole_file(folder / FILE) as partial:
                    partial.write_text(json.dumps(dict(sorted(journal.items())), indent=1) + "\n", encoding="utf-8")
    except Busy as error:
        raise JournalError(f"{FILE} is in use by another notebook; try again{error.remedy}") from error
    except OSError as error:
        raise JournalError(
            f"{FILE} cannot be written here ({error.strerror}); copy the notebooks to a folder in which you may write, on a "
            "disk with free space"
        ) from error
