"""Books with a title, a description and a subject: what a recommender reads about its items. Used by lesson 17."""

from __future__ import annotations

import csv
import io
from typing import NamedTuple

from babyagi_lib.sources.errors import CorpusError, SourceError
from babyagi_lib.sources.files import read_text
from babyagi_lib.sources.integrity import check_manifest, data_folder
from babyagi_lib.sources.paths import existing_folder

COLUMNS = ("subject", "title", "description")


class Item(NamedTuple):
    """One item of a catalogue."""

    subject: str
    title: str
    description: str

    @property
    def text(self) -> str:
        """Title and description, for an encoder."""
        return f"{self.title}. {self.description}"


def load_catalogue(name: str = "catalogue") -> list[Item]:
    """Load the items of a catalogue, in the order of its file.

    Args:
        name: `"catalogue"` (200 invented books, written for this course), or a folder with `items.csv`, whose columns are
            `subject`, `title` and `description`.

    Raises:
        SourceError: the catalogue cannot be found, or its file is not the published one.
        CorpusError: another header, a row with more or fewer cells, an empty cell, a title that occurs twice, or fewer
            than two items.
    """
    folder = data_folder() / name if name == "catalogue" else existing_folder(name, "a catalogue")
    if name == "catalogue":
        check_manifest(folder)
    path = folder / "items.csv"
    if not path.is_file():
        raise SourceError(f"{path} is missing; a catalogue needs items.csv ({', '.join(COLUMNS)})")
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        header, *rows = list(reader) or [[]]
    except csv.Error as error:
        raise CorpusError(f"{path}:{reader.line_num}: not CSV ({error})") from error
    if tuple(header) != COLUMNS:
        raise CorpusError(f"{path}:1: the columns are {str(header)[:60]}; expected {', '.join(COLUMNS)}")
    items: list[Item] = []
    for number, cells in enumerate(rows, start=1):
        if len(cells) != len(COLUMNS) or not all(cell.strip() for cell in cells):
            raise CorpusError(
                f"{path}, item {number}: expected a subject, a title and a description, none of them empty"
            )
        items.append(Item(*(cell.strip() for cell in cells)))
    if len({item.title for item in items}) < len(items):
        raise CorpusError(f"{path}: a title occurs twice")
    if len(items) < 2:
        raise CorpusError(f"{path}: {len(items)} item(s); expected two or more")
    print(f"Catalogue: {len(items)} items in {len({item.subject for item in items})} subjects")
    return items
