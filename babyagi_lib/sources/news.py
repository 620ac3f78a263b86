"""Annotated news: sentences with tags for names, or with the topic of their story. Used by lessons 02 and 04."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from babyagi_lib.sources.counts import repeated, sizes
from babyagi_lib.sources.errors import CorpusError, SourceError
from babyagi_lib.sources.files import read_text
from babyagi_lib.sources.hub import from_hub
from babyagi_lib.sources.integrity import check_manifest, data_folder
from babyagi_lib.sources.paths import existing_folder, is_folder_name

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

SPLITS = ("train", "valid", "test")

TAG = re.compile(r"O|[BI]-\S{1,60}")

# What phrases are called in the third of CoNLL-2003's four columns: B-NP looks like a tag for a name, and is none.
PHRASES = {"ADJP", "ADVP", "CONJP", "INTJ", "LST", "NP", "PP", "PRT", "SBAR", "UCP", "VP"}

# Control characters, other line ends than LF, and byte order marks inside a file: a corpus has them by mistake only (a
# wrong encoding, two files put together), and a word that carries one looks like another word and is not.
DAMAGE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")

Sentence = tuple[list[str], list[str], list[int]]  # words, tags, and the number of the line or row of each
Row = tuple[int, list[str]]  # the number of a line, and what stands in its columns
Place = Callable[[int], str]  # from such a number to where that is, for messages


def load_ner(name: str = "newswire") -> DatasetDict:
    """Load a corpus for named entity recognition.

    Args:
        name: `"newswire"` (written for this course), a folder with `train`, `valid` and `test` files
            (`.txt` or `.conll`) in columns (see `read_conll`), or a hub name such as `"lhoestq/conll2003"`, with its
            configuration behind a colon where it has several: `"owner/name:configuration"`.

    Returns:
        Splits `train`, `valid`, `test` with the columns `words` (list of str) and `tags` (list of IOB2 str). Files and
        hub go through the same checks. Tags in IOB1 become IOB2. Rows of a hub corpus without words are left out.

    Raises:
        SourceError: the corpus cannot be found or reached, has other splits or columns, or its files are not the
            published ones.
        CorpusError: a line or row is not what the format asks for, a split is empty, train has no name, or another
            split a type that train does not have.
    """
    from datasets import Dataset, DatasetDict

    if name == "newswire":
        folder = data_folder() / "newswire"
        check_manifest(folder)
        described, splits = "newswire, written for this course", _read_folder(folder)
    elif is_folder_name(name):
        described, splits = f"folder {Path(name).name}", _read_folder(existing_folder(name, "a corpus"))
    else:
        described, splits = f"{name}, from the Hugging Face hub", _read_hub(name)
    _check_types(splits)
    corpus = DatasetDict(
        {
            split: Dataset.from_dict({"words": [s[0] for s in sentences], "tags": [s[1] for s in sentences]})
            for split, (sentences, _) in splits.items()
        }
    )
    print(f"Corpus: {described}, {sizes(corpus)}")
    for split in SPLITS[1:]:
        if count := repeated(map(tuple, corpus[split]["words"]), map(tuple, corpus["train"]["words"])):
            print(f"Sentences of {split} that are also in train: {count}")
    return corpus


def _check_types(splits: dict[str, tuple[list[Sentence], Place]]) -> None:
    """Check that train has names, and the other splits no types that train does not have."""
    sentences, place = splits["train"]
    types = {tag[2:] for _, tags, _ in sentences for tag in tags if tag != "O"}
    if not types:
        raise CorpusError(f"{place(sentences[0][2][0])}: every tag is O from here on; expected names to learn from")
    for split in SPLITS[1:]:
        sentences, place = splits[split]
        for _, tags, numbers in sentences:
            for tag, number in zip(tags, numbers, strict=True):
                if tag != "O" and tag[2:] not in types:
                    raise CorpusError(
                        f"{place(number)}: the type of {tag!r} is not in train; "
                        f"expected one of {', '.join(sorted(types))[:200]}"
                    )


def load_topics(name: str = "newswire") -> DatasetDict:
    """Load single sentences with the topic of the story they are from.

    Args:
        name: `"newswire"`, or a folder like it, in which every `-DOCSTART-` line names a topic. Its `briefs` are left
            out: they are about anything.

    Returns:
        Splits `train`, `valid`, `test` with the columns `words` (list of str) and `topic` (str); no story is in two.

    Raises:
        SourceError: the corpus cannot be found, or its files are not the published ones.
        CorpusError: a line is not what the format asks for, a story has no topic or one that train does not have, or
            train has one topic only.
    """
    from datasets import Dataset, DatasetDict

    if name == "newswire":
        folder = data_folder() / "newswire"
        check_manifest(folder)
    else:
        folder = existing_folder(name, "a corpus")
    corpus, briefs = {}, 0
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
            if fields == ["briefs"]:
                briefs += 1
            else:
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
        if len(topics) < 2:
            raise CorpusError(f"{path}: every story is {topics.pop()!r}; expected two topics or more")
        corpus[split] = Dataset.from_dict(rows)
    print(f"Topics: {name if name == 'newswire' else f'folder {folder.name}'}, {sizes(corpus)}")
    if briefs:
        print(f"Sentences of briefs, left out: {briefs}")
    return DatasetDict(corpus)


def read_conll(path: Path) -> list[Sentence]:
    """Read one file of columns: a word and its tag on each line, blank lines between sentences.

    Columns are recognised by their content: CoNLL-2003's four (word, part of speech, phrase, tag),
    CoNLL-2002's three, WNUT's two, GermEval's four (running number, word, tag, tag of a name inside that name; the last
    is left out), tags before words, tags before other columns. `-DOCSTART-` lines are skipped; a sentence ends there
    too. Lines at the beginning of a sentence that start with `#` and hold no tag are comments. Tags may be IOB2 (every
    mention opens with B-) or IOB1 (B- only between two adjacent mentions of one type); IOB1 is turned into IOB2.

    Returns:
        One (words, IOB2 tags, line numbers) triple per sentence, the three lists of equal length.

    Raises:
        SourceError: the file cannot be opened.
        CorpusError: not UTF-8, a control character, no sentence, a missing or extra column, columns that could be
            either of two formats, an unknown tag, or an I- tag that continues nothing in a file that otherwise uses IOB2.
    """
    rows = _rows(path)
    return _tagged(rows, Layout.of(rows, path), path)


@dataclass(frozen=True)
class Layout:
    """What the columns of a file hold, counted from 0.

    Attributes:
        columns: how many there are.
        word, tag: the two that are read.
        nested: columns with further tags, left out.
        hint: the end of the message about an unknown tag, where no column holds tags.
    """

    columns: int
    word: int
    tag: int
    nested: tuple[int, ...] = ()
    hint: str = ""

    @classmethod
    def of(cls, sentences: list[list[Row]], path: Path) -> Layout:
        """Recognise the format of a file by its content.

        Raises:
            CorpusError: two columns could be the tags of names, none is but those of phrases, or the words are numbers.
        """
        rows = [row for sentence in sentences for row in sentence]
        counts = Counter(len(fields) for _, fields in rows)
        columns = max(counts, key=lambda n: (counts[n], n in (2, 4)))  # the line that differs is the one at fault
        for number, fields in rows:
            if len(fields) != columns or columns < 2:
                expected = f"{columns} columns as in the other lines" if columns > 1 else "a word and its tag at least"
                shown = " ".join(fields)[:60]
                raise CorpusError(f"{path}:{number}: {len(fields)} column(s) in {shown!r}; expected {expected}")
        table = [[fields[i] for _, fields in rows] for i in range(columns)]
        are_tags = [2 * sum(map(_is_tag, column)) > len(column) for column in table]
        numbered = [all(map(str.isdigit, column)) for column in table]  # running numbers of words or sentences
        word = next((i for i in range(columns) if not numbered[i] and not are_tags[i]), 0)
        types = [{field[2:] for field in column if _is_tag(field) and field != "O"} for column in table]
        tags = [i for i in range(columns) if are_tags[i] and i != word]
        if columns == 2:
            word, tags = (1, [0]) if tags == [0] and word == 1 and not numbered[1] else (0, [1] if are_tags[1] else [])
        names = [i for i in tags if types[i] and not (types[i] <= PHRASES and columns > 2)]
        only_o = [i for i in tags if not types[i]]
        seen = "; ".join(
            f"{i + 1}: {', '.join(dict.fromkeys(c[:12] for c in column[:9]))}"[:40]
            for i, column in enumerate(table[:6])
        )
        unclear = None
        if len(names) > 1 and not numbered[0]:
            unclear = "cannot tell which column holds the tags of names"
        elif tags and not names and not only_o and tags[-1] == columns - 1:
            unclear = "cannot tell which column holds the tags of names; these are of phrases"
        elif numbered[word] and len(rows) > 1:
            unclear = "cannot tell which column holds the words; these are numbers"
        if unclear:
            raise CorpusError(
                f"{path}:{rows[0][0]}: {unclear} (column {seen}); keep the word and its tag in two columns"
            )
        tag = (names or only_o[-1:] or [columns - 1])[0]
        return cls(columns, word, tag, tuple(names[1:]), "" if tags else f"; no column holds such tags (column {seen})")

    def report(self) -> str | None:
        """One line about a format that is not simply the word first and its tag last; None if it is."""
        if (self.word, self.tag) == (0, self.columns - 1):
            return None
        left_out = "".join(f"; column {i + 1}, with tags of names inside names, is left out" for i in self.nested)
        return (
            f"Read as words: column {self.word + 1} of {self.columns}; as their tags: column {self.tag + 1}{left_out}"
        )


def _is_tag(field: str) -> bool:
    return TAG.fullmatch(field) is not None and field.isprintable()


def _rows(path: Path) -> list[list[Row]]:
    """The lines of each sentence of a column file, without comments."""
    sentences: list[list[Row]] = [[]]
    for number, fields in _lines(path):
        if not fields or fields[0] == "-DOCSTART-":
            sentences.append([])
        elif sentences[-1] or fields[0] != "#" or any(map(_is_tag, fields)):
            sentences[-1].append((number, fields))
    sentences = [sentence for sentence in sentences if sentence]
    if not sentences:
        raise CorpusError(
            f"{path}: no sentence found; expected lines of 'word tag' with a blank line after each sentence"
        )
    return sentences


def _tagged(sentences: list[list[Row]], layout: Layout, path: Path) -> list[Sentence]:
    """The words and tags in the lines of a file, checked, in IOB2."""
    found = []
    for sentence in sentences:
        for number, fields in sentence:
            if len(fields) != layout.columns:
                raise CorpusError(
                    f"{path}:{number}: {len(fields)} column(s) in {' '.join(fields)[:60]!r}; expected {layout.columns} "
                    "as in the train file"
                )
        words = [fields[layout.word] for _, fields in sentence]
        found.append((words, [fields[layout.tag] for _, fields in sentence], [number for number, _ in sentence]))
    return _checked(found, lambda number: f"{path}:{number}", layout.hint)


def _checked(sentences: list[Sentence], place: Place, hint: str = "") -> list[Sentence]:
    """Check every word and every tag, and turn the tags into IOB2."""
    for words, tags, numbers in sentences:
        for word, tag, number in zip(words, tags, numbers, strict=True):
            if not word or word.isspace():
                raise CorpusError(f"{place(number)}: the word is only a space, {word[:60]!r}; expected a word")
            if damage := DAMAGE.search(word + tag) or re.search(r"[ \t\n]", word):
                raise CorpusError(f"{place(number)}: the character {damage[0]!r} cannot be part of a word or tag")
            if not _is_tag(tag):
                raise CorpusError(f"{place(number)}: unknown tag {tag[:60]!r}; expected O, B-TYPE or I-TYPE{hint}")
    return _to_iob2(sentences, place)


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


def _to_iob2(sentences: list[Sentence], place: Place) -> list[Sentence]:
    """Check which of the two schemes a file or split uses, and make it IOB2.

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
                iob2_line = line if iob2_line is None else iob2_line
            fixed.append(tag)
        converted.append((words, fixed, lines))
    if iob1_line is not None and iob2_line is not None:
        line, tag = iob1_line
        raise CorpusError(
            f"{place(line)}: {tag!r} continues no mention, yet {place(iob2_line)} opens one with B- as IOB2 does; "
            f"expected B-{tag[2:]} here (or IOB1 throughout)"
        )
    return converted


def _split_file(folder: Path, split: str) -> Path:
    found = [path for path in (folder / f"{split}.txt", folder / f"{split}.conll") if path.is_file()]
    if not found:
        raise SourceError(f"{folder} has no {split}.txt or {split}.conll; a corpus folder needs train, valid and test.")
    if len(found) > 1:
        raise SourceError(f"{folder} has both {split}.txt and {split}.conll; keep the one that is meant.")
    return found[0]


def _read_folder(folder: Path) -> dict[str, tuple[list[Sentence], Place]]:
    """The sentences of each split of a folder; the train file decides the format of all three."""
    paths = {split: _split_file(folder, split) for split in SPLITS}
    rows = {split: _rows(path) for split, path in paths.items()}
    layout = Layout.of(rows["train"], paths["train"])
    if report := layout.report():
        print(report)
    return {
        split: (_tagged(rows[split], layout, path), lambda number, path=path: f"{path}:{number}")
        for split, path in paths.items()
    }


def _read_hub(name: str) -> dict[str, tuple[list[Sentence], Place]]:
    """The sentences of each split of a corpus on the hub, with the number of their row for every word."""
    raw = from_hub(name, "corpus", 'CORPUS = "newswire"')
    theirs = dict(zip(SPLITS, ("train", "validation", "test"), strict=True))
    columns = {split: raw[split].column_names for split in theirs.values() if split in raw}
    if len(columns) < 3 or not all({"tokens", "ner_tags"} <= set(found) for found in columns.values()):
        shown = "; ".join(f"{split}: {', '.join(map(str, found))[:60]}" for split, found in columns.items())
        raise SourceError(
            f"{name!r} has the splits {sorted(raw)} and the columns {shown or '?'}; expected train, validation, test "
            "with tokens and ner_tags"
        )
    kind = getattr(raw["train"].features["ner_tags"], "feature", None)
    tag_names = getattr(kind, "names", None)
    if tag_names is None and getattr(kind, "dtype", None) not in ("string", "large_string"):
        tag_names = []
    if tag_names is not None and not (tag_names and all(map(_is_tag, tag_names))):
        raise SourceError(
            f"{name!r} has the tags {', '.join(tag_names)[:100] or '(no names)'}; expected ner_tags to be "
            "O, B-TYPE and I-TYPE, or numbers with these names"
        )
    return {
        split: _hub_sentences(raw[hub_split], tag_names, f"{name}, {hub_split}") for split, hub_split in theirs.items()
    }


def _hub_sentences(rows: Dataset, tag_names: list[str] | None, where: str) -> tuple[list[Sentence], Place]:
    """The sentences of one split on the hub, checked like those of a file."""

    def place(number: int) -> str:
        return f"{where}, row {number}"

    sentences = []
    for number, (words, tags) in enumerate(zip(rows["tokens"], rows["ner_tags"], strict=True)):
        if not isinstance(words, list) or not isinstance(tags, list) or len(words) != len(tags):
            shown = [
                f"{len(x)} {kind}" if isinstance(x, list) else f"{kind} {x!r:.40}"
                for x, kind in ((words, "words"), (tags, "tags"))
            ]
            raise CorpusError(f"{place(number)}: {' and '.join(shown)}; expected two lists of the same length")
        if tag_names is not None:
            if wrong := [tag for tag in tags if type(tag) is not int or not 0 <= tag < len(tag_names)]:
                raise CorpusError(
                    f"{place(number)}: the tag {wrong[0]!r:.60}; expected a number below {len(tag_names)}"
                )
            tags = [tag_names[tag] for tag in tags]
        if wrong := [entry for entry in (*words, *tags) if not isinstance(entry, str)]:
            raise CorpusError(f"{place(number)}: {wrong[0]!r:.60} is no text; expected words and their tags")
        if words:
            sentences.append((words, tags, [number] * len(words)))
    if not sentences:
        raise CorpusError(f"{where}: no sentence; expected words in tokens")
    if empty := len(rows) - len(sentences):
        print(f"{where}: {empty} rows without words are left out")
    return _checked(sentences, place), place
