"""Short messages and their categories: what their writers want. Used by lessons 00 to 03 and 05."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from babyagi_lib.sources.counts import repeated, sizes
from babyagi_lib.sources.errors import CorpusError, SourceError
from babyagi_lib.sources.files import read_text
from babyagi_lib.sources.integrity import check_manifest, data_folder
from babyagi_lib.sources.paths import existing_folder

if TYPE_CHECKING:
    from datasets import DatasetDict


def load_intents(name: str = "support_intents") -> DatasetDict:
    """Load short messages with what their writers want.

    Args:
        name: `"support_intents"` (written for this course), or a folder with `train.csv` and `test.csv` (and perhaps
            `out_of_scope.csv`) whose columns are `text` and `category`, such as banking77's.

    Returns:
        Splits `train` and `test`, and `out_of_scope` if there is one, with the columns `text` and `category` (str).

    Raises:
        SourceError: the corpus cannot be found, or its files are not the published ones.
        CorpusError: a row is not what the format asks for, `train` has one category only, or `test` one that `train`
            does not have.
    """
    from datasets import Dataset, DatasetDict

    if name == "support_intents":
        folder = data_folder() / name
        check_manifest(folder)
        described = "support_intents, written for this course"
    else:
        folder = existing_folder(name, "a corpus")
        described = f"folder {folder.name}"
    rows = {split: read_messages(folder / f"{split}.csv") for split in ("train", "test")}
    known = {category for _, category in rows["train"]}
    if len(known) < 2:
        raise CorpusError(f"{folder / 'train.csv'}: every message is {known.pop()!r}; expected two categories or more")
    for line, _, category in _rows(folder / "test.csv"):
        if category not in known:
            raise CorpusError(f"{folder / 'test.csv'}:{line}: category {category[:60]!r} is not in train.csv")
    if (folder / "out_of_scope.csv").is_file():
        rows["out_of_scope"] = read_messages(folder / "out_of_scope.csv")
    corpus = DatasetDict(
        {
            split: Dataset.from_dict({"text": [text for text, _ in found], "category": [c for _, c in found]})
            for split, found in rows.items()
        }
    )
    print(f"Intents: {described}, {sizes(corpus, 'messages')}, {len(known)} categories")
    _report(rows["train"], rows["test"])
    return corpus


def _report(train: list[tuple[str, str]], test: list[tuple[str, str]]) -> None:
    """Print what makes a corpus of messages harder or easier than its size says."""
    sizes_of = Counter(category for _, category in train)
    if alone := [category for category, size in sizes_of.items() if size == 1]:
        print(f"Categories with only one message in train: {len(alone)}, such as {alone[0][:60]!r}")
    categories_of = Counter(text for text, _ in set(train))
    if unclear := [text for text, count in categories_of.items() if count > 1]:
        print(f"Messages that are in train with more than one category: {len(unclear)}, such as {unclear[0][:60]!r}")
    if count := repeated((text for text, _ in test), (text for text, _ in train)):
        print(f"Messages of test that are also in train: {count}")


def read_messages(path: Path) -> list[tuple[str, str]]:
    """Read (text, category) rows of a CSV file with these two columns, and perhaps others.

    Raises:
        SourceError: there is no such file, or it cannot be opened.
        CorpusError: not UTF-8, not CSV, another header, a row with more or fewer cells than the header, an empty cell, a
            category with characters that cannot be seen, or no row.
    """
    if not path.is_file():
        raise SourceError(f"{path} is missing; a corpus of messages needs train.csv and test.csv (text, category)")
    rows = [(text, category) for _, text, category in _rows(path)]
    if not rows:
        raise CorpusError(f"{path}: no message; expected rows of text and category")
    return rows


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """The line where each row begins, its text and its category."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    line = 1
    try:
        header = next(reader, [])
        if header.count("text") != 1 or header.count("category") != 1:
            raise CorpusError(f"{path}:1: the columns are {str(header)[:60]}; expected one text and one category")
        line = reader.line_num + 1
        for cells in reader:
            if cells:  # a blank line has none
                if len(cells) != len(header):
                    raise CorpusError(
                        f"{path}:{line}: {len(cells)} cell(s), expected {len(header)} as in the header; "
                        'a text with a comma in it must stand in "quotes"'
                    )
                text, category = (cells[header.index(name)].strip() for name in ("text", "category"))
                if not text or not category:
                    raise CorpusError(f"{path}:{line}: text or category is empty")
                if not category.isprintable():
                    raise CorpusError(f"{path}:{line}: category {category[:60]!r} has a character that cannot be seen")
                yield line, text, category
            line = reader.line_num + 1
    except csv.Error as error:
        raise CorpusError(f"{path}:{line}: not CSV ({error})") from error


def load_teams() -> dict[str, str]:
    """For each category of support_intents, the team of the help desk that answers it."""
    return _of_each_category("team")


def load_meanings() -> dict[str, str]:
    """For each category of support_intents, what a customer of it wants, in a few words."""
    return _of_each_category("meaning")


def _of_each_category(column: str) -> dict[str, str]:
    folder = data_folder() / "support_intents"
    check_manifest(folder)
    with (folder / "intents.csv").open(encoding="utf-8", newline="") as file:
        return {row["category"]: row[column] for row in csv.DictReader(file)}
