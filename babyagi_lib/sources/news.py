"""Annotated news: sentences with tags for names, or with the topic of their story."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from babyagi_lib.sources.base import (
    CorpusError,
    SourceError,
    check_manifest,
    data_folder,
    existing_folder,
    first_line,
    hub,
    is_folder_name,
    sizes,
)
from babyagi_lib.sources.files import read_text

if TYPE_CHECKING:
    from datasets import DatasetDict

SPLITS = ("train", "valid", "test")

TAG = re.compile(r"O|[BI]-\S{1,60}")

# Control characters, other line ends than LF, and byte order marks inside a file: a corpus has them by mishap only (a
# wrong encoding, two files put together), and a word that carries one looks like another word and is not.
DAMAGE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


def load_ner(name: str = "newswire") -> DatasetDict:
    """Load a corpus for named entity recognition.

    Args:
        name: `"newswire"` (written for this course), a folder with `train`, `valid` and `test` files
            (`.txt` or `.conll`) in CoNLL column format, or a hub name such as `"lhoestq/conll2003"`.

    Returns:
        Splits `train`, `valid`, `test` with the columns `words` (list of str) and `tags` (list of IOB2 str).

    Raises:
        SourceError: the corpus cannot be found or reached, or its files are not the published ones.
        CorpusError: a line is not what the format asks for, train has no name, or another split a type that train
            does not have.
    """
    from datasets import Dataset, DatasetDict

    if name == "newswire":
        folder = data_folder() / "newswire"
        check_manifest(folder)
        told = "newswire, written for this course"
    elif is_folder_name(name):
        folder = existing_folder(name, "a corpus")
        told = f"folder {Path(name).name}"
    else:
        corpus = _load_hub_ner(name)
        print(f"Corpus: {name}, from the Hugging Face hub, {sizes(corpus)}")
        return corpus

    sentences = {split: read_conll(_split_file(folder, split)) for split in SPLITS}
    types = {tag[2:] for _, tags, _ in sentences["train"] for tag in tags if tag != "O"}
    if not types:
        raise CorpusError(f"{_split_file(folder, 'train')}: every tag is O; expected names to learn from")
    for split in SPLITS[1:]:
        for _, tags, lines in sentences[split]:
            for tag, line in zip(tags, lines, strict=True):
                if tag != "O" and tag[2:] not in types:
                    raise CorpusError(
                        f"{_split_file(folder, split)}:{line}: the type of {tag!r} is not in train; "
                        f"expected one of {', '.join(sorted(types))}"
                    )
    corpus = DatasetDict(
        {
            split: Dataset.from_dict({"words": [s[0] for s in rows], "tags": [s[1] for s in rows]})
            for split, rows in sentences.items()
        }
    )
    print(f"Corpus: {told}, {sizes(corpus)}")
    return corpus


def load_topics(name: str = "newswire") -> DatasetDict:
    """Load single sentences with the topic of the story they are from.

    Args:
        name: `"newswire"`, or a folder like it, in which every `-DOCSTART-` line names a topic. Its `briefs` are left
            out: they are about anything.

    Returns:
        Splits `train`, `valid`, `test` with the columns `words` (list of str) and `topic` (str); no story is in two.

    Raises:
        SourceError: the corpus cannot be found, or its files are not the published ones.
        CorpusError: a line is not what the format asks for, a story has no topic, or one that train does not have.
    """
    from datasets import Dataset, DatasetDict

    if name == "newswire":
        folder = data_folder() / "newswire"
        check_manifest(folder)
    else:
        folder = existing_folder(name, "a corpus")
    corpus = {}
    topics: set[str] = set()
    for split in SPLITS:
        path = _split_file(folder, split)
        sentences = read_conll(path)
        starts = [(number, fields[1:]) for number, fields in _lines(path) if fields[:1] == ["-DOCSTART-"]]
        rows: dict[str, list] = {"words": [], "topic": []}
        for words, _, lines in sentences:
            before = [(number, fields) for number, fields in starts if number < lines[0]]
            number, fields = before[-1] if before else (1, [])
            if len(fields) != 1 or fields == ["O"]:
                raise CorpusError(f"{path}:{number}: the story has no topic; expected '-DOCSTART- topic'")
            if fields != ["briefs"]:
                if split == "train":
                    topics.add(fields[0])
                elif fields[0] not in topics:
                    raise CorpusError(
                        f"{path}:{number}: the topic {fields[0]!r} is not in train; "
                        f"expected one of {', '.join(sorted(topics))}"
                    )
                rows["words"].append(words)
                rows["topic"].append(fields[0])
        if not rows["words"]:
            raise CorpusError(f"{path}: every story is briefs; expected other topics")
        corpus[split] = Dataset.from_dict(rows)
    print(f"Topics: {name if name == 'newswire' else f'folder {folder.name}'}, {sizes(corpus)}")
    return DatasetDict(corpus)


def read_conll(path: Path) -> list[tuple[list[str], list[str], list[int]]]:
    """Read one CoNLL column file: the word first, its tag last, two or four columns, blank line between sentences.

    `-DOCSTART-` lines are skipped; a sentence ends there too. Tags may be IOB2 (every mention opens with B-) or IOB1
    (B- only between two adjacent mentions of one type); IOB1 is turned into IOB2.

    Returns:
        One (words, IOB2 tags, line numbers) triple per sentence, the three lists of equal length.

    Raises:
        SourceError: the file cannot be opened.
        CorpusError: not UTF-8, a control character, no sentence, a missing or extra column, an unknown tag, or an I- tag
            that continues nothing in a file that otherwise uses IOB2.
    """
    sentences: list[tuple[list[str], list[str], list[int]]] = []
    words: list[str] = []
    tags: list[str] = []
    lines: list[int] = []
    columns = None
    for number, fields in [*_lines(path), (0, [])]:
        if not fields or fields[0] == "-DOCSTART-":
            if words:
                sentences.append((words, tags, lines))
                words, tags, lines = [], [], []
            continue
        columns = columns or len(fields)
        if len(fields) != columns or columns not in (2, 4):
            expected = f"{columns} columns as in the lines above" if columns in (2, 4) else "2 or 4 columns"
            shown = " ".join(fields)[:60]
            raise CorpusError(f"{path}:{number}: {len(fields)} column(s) in {shown!r}; expected {expected}")
        if fields[0].isspace():
            raise CorpusError(f"{path}:{number}: the word is only a space, {fields[0][:60]!r}; expected a word")
        if not TAG.fullmatch(fields[-1]) or not fields[-1].isprintable():
            raise CorpusError(f"{path}:{number}: unknown tag {fields[-1][:60]!r}; expected O, B-TYPE or I-TYPE")
        words.append(fields[0])
        tags.append(fields[-1])
        lines.append(number)
    if not sentences:
        raise CorpusError(
            f"{path}: no sentence found; expected lines of 'word tag' with a blank line after each sentence"
        )
    return _to_iob2(sentences, path)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number of every line of a column file, and what stands in its columns; nothing in a blank line."""
    text = read_text(path)
    if damage := DAMAGE.search(text):
        number = text.count("\n", 0, damage.start()) + 1
        raise CorpusError(
            f"{path}:{number}: the character {damage[0]!r} cannot be part of a word or tag; remove it "
            "(or, if it ends lines, save the file with the line ends LF or CRLF)"
        )
    for number, line in enumerate(text.split("\n"), start=1):
        yield number, re.findall(r"[^ \t]+", line)


def _to_iob2(
    sentences: list[tuple[list[str], list[str], list[int]]], path: Path
) -> list[tuple[list[str], list[str], list[int]]]:
    """Check which of the two schemes a file uses, and make it IOB2.

    Only IOB1 opens a mention with I-, only IOB2 opens one with B- where nothing touches it on the left.
    A file that does both has an error in it.
    """
    iob1_line = iob2_line = None
    converted = []
    for words, tags, lines in sentences:
        fixed = []
        for i, (tag, line) in enumerate(zip(tags, lines, strict=True)):
            before = tags[i - 1] if i else "O"
            if tag.startswith("I-") and before[2:] != tag[2:]:
                iob1_line = iob1_line or (line, tag)
                tag = f"B-{tag[2:]}"
            elif tag.startswith("B-") and before[2:] != tag[2:]:
                iob2_line = iob2_line or line
            fixed.append(tag)
        converted.append((words, fixed, lines))
    if iob1_line and iob2_line:
        line, tag = iob1_line
        raise CorpusError(
            f"{path}:{line}: {tag!r} continues no mention, yet line {iob2_line} opens one with B- as IOB2 does; "
            f"expected B-{tag[2:]} here (or IOB1 throughout the file)"
        )
    return converted


def _split_file(folder: Path, split: str) -> Path:
    found = [path for path in (folder / f"{split}.txt", folder / f"{split}.conll") if path.is_file()]
    if not found:
        raise SourceError(f"{folder} has no {split}.txt or {split}.conll; a corpus folder needs train, valid and test.")
    if len(found) > 1:
        raise SourceError(f"{folder} has both {split}.txt and {split}.conll; keep the one that is meant.")
    return found[0]


def _load_hub_ner(name: str) -> DatasetDict:
    from datasets import DatasetDict, load_dataset

    try:
        with hub():
            raw = load_dataset(name)
    except Exception as error:  # datasets raises many kinds, some of them private, for one and the same cause
        raise SourceError(
            f"The corpus {name!r} is not a folder here and could not be loaded from the Hugging Face hub "
            f'({type(error).__name__}: {first_line(error)}). CORPUS = "newswire" works offline.'
        ) from error
    splits = {"train": "train", "valid": "validation", "test": "test"}
    missing = set(splits.values()) - set(raw)
    if missing or not {"tokens", "ner_tags"} <= set(raw["train"].column_names):
        raise SourceError(
            f"{name!r} has the splits {sorted(raw)} and the columns {raw['train'].column_names if 'train' in raw else '?'}; "
            f"expected train, validation, test with tokens and ner_tags"
        )
    tag_names = getattr(getattr(raw["train"].features["ner_tags"], "feature", None), "names", [])
    if not tag_names or not all(TAG.fullmatch(tag) for tag in tag_names):
        raise SourceError(
            f"{name!r} has the tags {', '.join(tag_names)[:100] or '(no names)'}; expected ner_tags to be numbers of "
            "the names O, B-TYPE and I-TYPE"
        )

    def with_names(row: dict) -> dict:
        return {"words": row["tokens"], "tags": [tag_names[i] for i in row["ner_tags"]]}

    return DatasetDict(
        {
            split: raw[theirs]
            .filter(lambda row: len(row["tokens"]) > 0)
            .map(with_names, remove_columns=raw[theirs].column_names)
            for split, theirs in splits.items()
        }
    )
