"""What a learner has solved and answered, in a file of their own. Used by `checks` and `quiz`.

The file is `my_progress.json` in the folder where the notebook runs. It belongs to the learner: it stays on the
machine, nothing else depends on it, and deleting it starts again from nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from babyagi_lib.whole import Busy, locked, whole_file

FILE = "my_progress.json"
PATIENCE = 10.0  # seconds to wait for another notebook that writes; writing takes milliseconds


class JournalError(Exception):
    """The learner's file cannot be read or written; the message says what to do."""


def read(folder: Path | None = None) -> dict[str, dict]:
    """What has been done, by lesson: `{"exercises": [name, ...], "quiz": {question: tries until right}}`.

    Args:
        folder: where the file lies; the working directory by default.

    Raises:
        JournalError: there is a file, and it is not one that `record` wrote.
    """
    try:
        path = (folder or Path.cwd()) / FILE
        journal = json.loads(path.read_text(encoding="utf-8"))
        for done in journal.values():
            if not isinstance(done["exercises"], list) or not all(isinstance(name, str) for name in done["exercises"]):
                raise TypeError("exercises is no list of names")
            {int(number): int(tries) for number, tries in done["quiz"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise JournalError(f"{FILE} cannot be read ({error}); correct it, or delete it to start again") from error
    return journal


def record_exercise(lesson: str, name: str) -> None:
    """Note that an exercise has been solved.

    Raises:
        JournalError: the file cannot be read or written; it is left as it was.
    """
    with _to_change() as journal:
        done = journal.setdefault(lesson, {"exercises": [], "quiz": {}})
        if name not in done["exercises"]:
            done["exercises"].append(name)


def record_answer(lesson: str, number: int, tries: int) -> None:
    """Note that a question of a quiz was answered right at the given try; the first time counts.

    Raises:
        JournalError: the file cannot be read or written; it is left as it was.
    """
    with _to_change() as journal:
        journal.setdefault(lesson, {"exercises": [], "quiz": {}})["quiz"].setdefault(str(number), tries)


@contextmanager
def _to_change() -> Iterator[dict[str, dict]]:
    """What has been done, to be changed in the block and then written, with no other notebook writing meanwhile.

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
            f"{FILE} cannot be written here ({error.strerror}); it needs a folder of your own and a little space"
        ) from error
