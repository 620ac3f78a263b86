"""Plain text to pretrain on. Used by lesson 01."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from babyagi_lib.sources.errors import CorpusError, SourceError
from babyagi_lib.sources.files import read_text
from babyagi_lib.sources.hub import from_hub
from babyagi_lib.sources.paths import is_folder_name, is_there

SHORTEST = 200  # characters of a document; a shorter one is usually a heading without its text


def load_text(name: str = "python-manual") -> dict[str, list[str]]:
    """Load plain text to pretrain on, as documents without repeated paragraphs.

    Args:
        name: `"python-manual"` (the help texts that every Python carries; they differ a little between versions of
            Python), a text file (UTF-8; a document ends at two blank lines), or a hub name of a data set with a
            `train` split and a column `text` (`owner/name:configuration` where it has several configurations).

    Returns:
        `train` and `valid`: every tenth document is for validation. A paragraph that occurs again later, in any
        document, is left out there, so that nothing in `valid` was seen in `train` paragraph for paragraph; documents
        of which fewer than 200 characters remain are dropped.

    Raises:
        SourceError: the file or data set cannot be loaded, or has fewer than ten documents.
        CorpusError: the file is not UTF-8, or a row of the data set holds no text.
    """
    if name == "python-manual":
        documents = list(python_manual().values())
        described = f"the manual of Python {platform.python_version()}"
    elif is_folder_name(name) or is_there(name, Path.is_file):
        if not is_there(name, Path.is_file):
            raise SourceError(f"{name!r} was given for a text, but there is no such file (looked from {Path.cwd()}).")
        path = Path(name).expanduser()
        documents = re.split(r"\n\s*\n\s*\n", read_text(path).replace("\r", "\n"))
        described = f"file {path.name}"
    else:
        documents = _load_hub_text(name)
        described = f"{name}, from the Hugging Face hub"
    documents, repeated = without_repetitions(documents)
    short = sum(len(document) < SHORTEST for document in documents)
    documents = [document for document in documents if len(document) >= SHORTEST]
    if len(documents) < 10:
        raise SourceError(
            f"{name!r} has {len(documents)} document(s) of {SHORTEST} characters or more; ten or more are needed to hold "
            "some out (in a text file, a document ends at two blank lines)"
        )
    splits: dict[str, list[str]] = {"train": [], "valid": []}
    for i, document in enumerate(documents):
        splits["valid" if i % 10 == 5 else "train"].append(document)
    sizes = ", ".join(f"{sum(map(len, texts)):,} characters {split}" for split, texts in splits.items())
    print(f"Text: {described}, {sizes} ({repeated:.0%} was repetition and is left out)")
    if short:
        print(f"Documents of fewer than {SHORTEST} characters, left out: {short}")
    return splits


def python_manual() -> dict[str, str]:
    """The help texts in Python's own `pydoc_data.topics`, by topic, in alphabetical order."""
    from pydoc_data.topics import topics

    return dict(sorted(topics.items()))


def without_repetitions(documents: list[str]) -> tuple[list[str], float]:
    """Documents without the paragraphs that an earlier one already had, and the share of characters left out.

    Paragraphs are compared without regard to white space. Documents of which nothing is left are dropped.
    """
    seen: set[str] = set()
    kept_documents, before, after = [], 0, 0
    for document in documents:
        kept = []
        for paragraph in re.split(r"\n\s*\n", document):
            essence = re.sub(r"\s+", " ", paragraph).strip()
            before += len(essence)
            if essence and essence not in seen:
                seen.add(essence)
                after += len(essence)
                kept.append(paragraph.strip("\n").rstrip())
        if kept:
            kept_documents.append("\n\n".join(kept))
    return kept_documents, 1 - after / before if before else 0.0


def _load_hub_text(name: str) -> list[str]:
    """The documents of a data set on the hub, checked like a file's text."""
    rows = from_hub(name, "text", 'CORPUS = "python-manual"', split="train")
    if "text" not in rows.column_names:
        raise SourceError(f"{name!r} has the columns {rows.column_names}; expected one called text")
    documents = list(rows["text"])
    for number, document in enumerate(documents):
        if not isinstance(document, str) or "\0" in document:
            raise CorpusError(
                f"{name}, train, row {number}: {document!r:.60} is no text; expected text without NUL bytes"
            )
    return [document.replace("\r\n", "\n").replace("\r", "\n") for document in documents]
