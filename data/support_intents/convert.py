"""Turn the messages of this folder into train.csv, test.csv and out_of_scope.csv (columns text, category).

    python data/support_intents/convert.py            # writes the three files beside this one
    python data/support_intents/convert.py --check    # only reads the messages and reports

A file of `messages/` holds messages one to a line; a line `# card_lost` says what those below it want, and must be a
category of intents.csv or `out_of_scope`. Half of each category goes to train, half to test, drawn with a fixed seed.
Only the standard library is used, so that the corpus can be rebuilt anywhere.
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

OUT_OF_SCOPE = "out_of_scope"


class MessageError(ValueError):
    """A line of a message file that cannot be read; the message says where and what was expected."""


def read_messages(folder: Path) -> dict[str, list[str]]:
    """Every message of a folder's `messages/`, by category.

    Raises:
        MessageError: an unknown category, a message before the first category, or one that occurs twice.
    """
    with (folder / "intents.csv").open(encoding="utf-8", newline="") as file:
        messages: dict[str, list[str]] = {row["category"]: [] for row in csv.DictReader(file)} | {OUT_OF_SCOPE: []}
    places: dict[str, str] = {}
    for path in sorted((folder / "messages").glob("*.txt")):
        category = None
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            where = f"{path.name}:{number}"
            text = line.strip()
            if text.startswith("# "):
                category = text[2:]
                if category not in messages:
                    raise MessageError(f"{where}: unknown category {category!r}; intents.csv has {', '.join(messages)}")
            elif text:
                if category is None:
                    raise MessageError(f"{where}: a message before the first '# category' line")
                if text.lower() in places:
                    raise MessageError(f"{where}: the same message is at {places[text.lower()]}")
                places[text.lower()] = where
                messages[category].append(text)
    return messages


def split(messages: dict[str, list[str]]) -> dict[str, list[tuple[str, str]]]:
    """Rows (text, category) of each file, in the order of the categories."""
    files: dict[str, list[tuple[str, str]]] = {"train": [], "test": [], OUT_OF_SCOPE: []}
    for category, texts in messages.items():
        if category == OUT_OF_SCOPE:
            files[OUT_OF_SCOPE] = [(text, category) for text in texts]
            continue
        shuffled = random.Random(category).sample(texts, len(texts))
        half = len(shuffled) // 2
        files["train"] += [(text, category) for text in shuffled[:half]]
        files["test"] += [(text, category) for text in shuffled[half:]]
    return files


def main() -> None:
    """Convert the messages, and print what there is."""
    here = Path(__file__).resolve().parent
    files = split(read_messages(here))
    for name, rows in files.items():
        print(f"{name:12} {len(rows):4} messages, {len({category for _, category in rows})} categories")
        if "--check" not in sys.argv[1:]:
            partial = here / f"{name}.partial"
            with partial.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerows([("text", "category"), *rows])
            partial.replace(here / f"{name}.csv")


if __name__ == "__main__":
    try:
        main()
    except MessageError as error:
        sys.exit(f"error: {error}")
