"""Short messages with what their writers want."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from babyagi_lib.sources.base import CorpusError, SourceError, check_manifest, data_folder, existing_folder, sizes

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
        CorpusError: a row is not what the format asks for, or a category of `test` is not in `train`.
    """
    from datasets import Dataset, DatasetDict

    if name == "support_intents":
        folder = data_folder() / name
        check_manifest(folder)
        told = "support_intents, written for this course"
    else:
        folder = existing_folder(name, "a corpus")
        told = f"folder {folder.name}"
    rows = {split: read_messages(folder / f"{split}.csv") for split in ("train", "test")}
    known = {category for _, category in rows["train"]}
    for number, (_, category) in enumerate(rows["test"], start=1):
        if category not in known:
            raise CorpusError(f"{folder / 'test.csv'}, message {number}: category {category!r} is not in train.csv")
    if (folder / "out_of_scope.csv").is_file():
        rows["out_of_scope"] = read_messages(folder / "out_of_scope.csv")
    corpus = DatasetDict(
        {
            split: Dataset.from_dict({"text": [text for text, _ in found], "category": [c for _, c in found]})
            for split, found in rows.items()
        }
    )
    print(f"Intents: {told}, {sizes(corpus, 'messages')}, {len(known)} categories")
    return corpus


def read_messages(path: Path) -> list[tuple[str, str]]:
    """Read (text, category) rows of a CSV file with these two columns.

    Raises:
        SourceError: there is no such file.
        CorpusError: not UTF-8, another header, an empty cell, or no row.
    """
    if not path.is_file():
        raise SourceError(f"{path} is missing; a corpus of messages needs train.csv and test.csv (text, category)")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if not {"text", "category"} <= set(reader.fieldnames or ()):
                raise CorpusError(f"{path}:1: the columns are {reader.fieldnames}; expected text and category")
            rows = []
            for row in reader:
                if not (row["text"] or "").strip() or not (row["category"] or "").strip():
                    raise CorpusError(f"{path}:{reader.line_num}: text or category is empty")
                rows.append((row["text"].strip(), row["category"].strip()))
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise CorpusError(f"{path}:{line}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    except csv.Error as error:
        raise CorpusError(f"{path}:{reader.line_num + 1}: not CSV ({error})") from error
    if not rows:
        raise CorpusError(f"{path}: no message; expected rows of text and category")
    return rows


def load_teams() -> dict[str, str]:
    """For each category of support_intents, the team of the help desk that answers it."""
    folder = data_folder() / "support_intents"
    check_manifest(folder)
    with (folder / "intents.csv").open(encoding="utf-8", newline="") as file:
        return {row["category"]: row["team"] for row in csv.DictReader(file)}
