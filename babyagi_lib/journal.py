"""What a learner has solved and answered, in a file of their own. Used by `checks` and `quiz`.

The file is `my_progress.json` in the folder where the notebook runs. It belongs to the learner: it stays on the
machine, nothing else depends on it, and whoever deletes it starts anew.
"""

from __future__ import annotations

import json
from pathlib import Path

from babyagi_lib.whole import whole_file

FILE = "my_progress.json"


class JournalError(Exception):
    """The learner's file cannot be read or written; the message says what to do."""


def read(folder: Path | None = None) -> dict[str, dict]:
    """By lesson, what has been done: `{"exercises": [name, ...], "quiz": {question: tries until right}}`.

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
        raise JournalError(f"{FILE} cannot be read ({error}); mend it, or delete it to start anew") from error
    return journal


def record_exercise(lesson: str, name: str) -> None:
    """Note that an exercise has been solved.

    Raises:
        JournalError: the file cannot be read or written; it is left as it was.
    """
    journal = read()
    done = journal.setdefault(lesson, {"exercises": [], "quiz": {}})
    if name not in done["exercises"]:
        done["exercises"].append(name)
        _write(journal)


def record_answer(lesson: str, number: int, tries: int) -> None:
    """Note that a question of a quiz was answered right at the given try; the first time counts.

    Raises:
        JournalError: the file cannot be read or written; it is left as it was.
    """
    journal = read()
    done = journal.setdefault(lesson, {"exercises": [], "quiz": {}})
    if str(number) not in done["quiz"]:
        done["quiz"][str(number)] = tries
        _write(journal)


def _write(journal: dict[str, dict]) -> None:
    try:
        with whole_file(Path.cwd() / FILE) as partial:
            partial.write_text(json.dumps(dict(sorted(journal.items())), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise JournalError(
            f"{FILE} cannot be written here ({error.strerror}); it needs a folder of your own and a little space"
        ) from error
