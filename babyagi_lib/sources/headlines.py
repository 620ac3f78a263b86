"""Headlines with their topic and sentiment: the course's own, or the Financial PhraseBank's. Used by lesson 16.

Imports no torch.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from babyagi_lib.sources.errors import CorpusError, SourceError
from babyagi_lib.sources.files import read_text
from babyagi_lib.sources.integrity import check_manifest, data_folder
from babyagi_lib.sources.paths import is_there

SENTIMENTS = ("negative", "neutral", "positive")
COLUMNS = ("topic", "sentiment", "text")


class Headline(NamedTuple):
    """One headline; `sentiment` is one of `SENTIMENTS`."""

    topic: str
    sentiment: str
    text: str


def load_headlines(name: str = "headlines") -> list[Headline]:
    """Load headlines, and print how many there are.

    Args:
        name: `"headlines"` (600, written for this course); a CSV file with the columns topic, sentiment and text; or a
            file of the Financial PhraseBank (Malo et al. 2014), such as `Sentences_50Agree.txt`, all of whose sentences
            get the topic "finance".

    Raises:
        SourceError: there is no such file, or the course's own is not the published one.
        CorpusError: a row is not what the format asks for, or a sentiment has fewer than ten headlines.
    """
    if name == "headlines":
        folder = data_folder() / name
        check_manifest(folder)
        path, described = folder / "headlines.csv", "headlines, written for this course"
    elif is_there(name, Path.is_file):
        path = Path(name).expanduser()
        described = f"file {path.name}"
    else:
        raise SourceError(f"{name!r} was given for a corpus of headlines, but there is no such file")
    found = _phrasebank(path) if path.suffix == ".txt" else _table(path)
    counts = Counter(headline.sentiment for headline in found)
    if scarce := [sentiment for sentiment in SENTIMENTS if counts[sentiment] < 10]:
        raise CorpusError(f"{path}: {counts[scarce[0]]} headline(s) are {scarce[0]}; expected ten of each sentiment")
    sizes = ", ".join(f"{counts[sentiment]:,} {sentiment}" for sentiment in SENTIMENTS)
    print(f"Headlines: {described}, {sizes}, {len({headline.topic for headline in found})} topic(s)")
    return found


def _table(path: Path) -> list[Headline]:
    """The rows of a CSV file with the columns of `COLUMNS`, and perhaps others."""
    rows, found = csv.reader(io.StringIO(read_text(path), newline=""), strict=True), []
    header = next(rows, [])
    if any(header.count(column) != 1 for column in COLUMNS):
        raise CorpusError(f"{path}:1: the columns are {str(header)[:60]}; expected {', '.join(COLUMNS)}")
    for cells in rows:
        if len(cells) != len(header):
            raise CorpusError(f"{path}:{rows.line_num}: {len(cells)} cell(s), expected {len(header)} as in the header")
        row = dict(zip(header, cells, strict=True))
        found.append(_headline(path, rows.line_num, *(row[column].strip() for column in COLUMNS)))
    return found


def _phrasebank(path: Path) -> list[Headline]:
    """The lines `sentence@sentiment` of a file of the PhraseBank, which is in Latin-1."""
    lines = path.read_text(encoding="latin-1").splitlines()
    parts = [line.rpartition("@") for line in lines]
    return [_headline(path, n, "finance", end.strip(), text.strip()) for n, (text, _, end) in enumerate(parts, start=1)]


def _headline(path: Path, line: int, topic: str, sentiment: str, text: str) -> Headline:
    if sentiment not in SENTIMENTS:
        raise CorpusError(f"{path}:{line}: sentiment {sentiment[:30]!r}; expected {', '.join(SENTIMENTS)}")
    if not text or not topic:
        raise CorpusError(f"{path}:{line}: an empty cell")
    return Headline(topic, sentiment, text)
