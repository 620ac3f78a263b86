"""Bad input, thousands of times: what a learner gives is read right, or refused with file, line and what was expected.

Most tests hold what is read against a second opinion: a naive reading in the test, the text as it was before one known
fault was put into it, or another library. The same examples are tried every time (`derandomize`).
"""

import ast
import csv
import io
import json
import re
import shutil
import unicodedata
from copy import deepcopy
from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from conftest import babyagi, in_iob1, tiny_encoder
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from babyagi_course.errors import CourseError
from babyagi_course.lessons import Course, Lesson
from babyagi_lib.learner import journal, quiz
from babyagi_lib.methods import fewshot, pretraining
from babyagi_lib.models import heads
from babyagi_lib.rl.mdp import MDP, from_gymnasium
from babyagi_lib.sources import news
from babyagi_lib.sources.errors import CorpusError, SourceError
from babyagi_lib.sources.integrity import data_folder
from babyagi_lib.sources.messages import load_intents, read_messages
from babyagi_lib.sources.news import load_ner, load_topics, read_conll
from babyagi_lib.sources.text import load_text
from babyagi_lib.text import iob2, wordpieces
from babyagi_lib.training.loop import fit

LONGEST = 600  # characters of a message, with its path


def fuzz(examples):
    unhelpful = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=examples, derandomize=True, suppress_health_check=unhelpful)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("bad input")


def refusal(kind, call, *arguments):
    """The message with which a call is refused; None if it is not."""
    try:
        call(*arguments)
    except kind as error:
        assert len(str(error)) < LONGEST
        return str(error)
    return None


def pieces(between_bars):
    return [piece.encode(errors="surrogateescape") for piece in between_bars.split("|")]  # \udcff: the byte ff


@st.composite
def spoiled(draw, good, odd):
    """Bytes of a good file after a few accidents: parts lost, doubled, put elsewhere, odd pieces put in, cut off."""
    data = draw(good)
    for _ in range(draw(st.integers(0, 4))):
        begin, end = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 2)))
        end = min(end, begin + draw(st.sampled_from([0, 1, 2, 8, 10**6])))
        accident = draw(st.sampled_from(["lose", "double", "insert", "insert", "insert", "cut off"]))
        if accident == "lose":
            data = data[:begin] + data[end:]
        elif accident == "double":
            data = data[:end] + data[begin:]
        elif accident == "cut off":
            data = data[:begin]
        else:
            data = data[:begin] + draw(st.sampled_from(odd)) + data[begin:]
    return data


# --- column files -------------------------------------------------------------------------------------------

NEWS = [(words, tags) for words, tags, _ in read_conll(data_folder() / "newswire" / "valid.txt")]
SHORT = [pair for pair in NEWS if len(pair[0]) < 12]


@st.composite
def column_files(draw):
    """A column file as lines without their ends, the sentences in it, and the numbers of the lines with words."""
    sentences = draw(st.lists(st.sampled_from(SHORT), min_size=1, max_size=4))
    gap = draw(st.sampled_from([" ", "\t", "  ", " \t "]))
    middle, written = draw(st.sampled_from([[], ["NNP", "B-NP"]])), draw(st.sampled_from([list, in_iob1]))
    lines, at = draw(st.lists(st.sampled_from(["", " ", "-DOCSTART- O", "-DOCSTART-", "\t"]), max_size=2)), []
    for words, tags in sentences:
        for word, tag in zip(words, written(tags), strict=True):
            at.append(len(lines))
            lines.append(gap.join([word, *middle, tag]) + draw(st.sampled_from(["", "", " ", "\t"])))
        lines += draw(st.sampled_from([[""], ["", ""], ["-DOCSTART- -X- -X- O"], ["", " -DOCSTART- O", ""]]))
    return lines, sentences, at


def as_bytes(lines, end="\n", mark=b"", last=True):
    return mark + end.join([*lines, ""] if last else lines).encode()


endings = st.fixed_dictionaries(
    {"end": st.sampled_from(["\n", "\r\n"]), "mark": st.sampled_from([b"", b"\xef\xbb\xbf"]), "last": st.booleans()}
)


@given(column_files(), endings)
@fuzz(400)
def test_every_allowed_shape_of_a_column_file_is_read(folder, file, ending):
    lines, sentences, at = file
    (folder / "train.txt").write_bytes(as_bytes(lines, **ending))
    found = read_conll(folder / "train.txt")
    assert [(words, tags) for words, tags, _ in found] == sentences
    assert [number - 1 for _, _, numbers in found for number in numbers] == at


def without_column(line, draw):
    return " ".join(line.split()[:-1])


def with_column(line, draw):
    return line + " O"


def unknown_tag(line, draw):
    tags = ["X", "o", "B-", "I", "b-PER", "S-PER", "B-PER\u200b", "B-\u00ad", "B-" + "X" * 1000, "PER-B", "B_PER", "-"]
    return " ".join([*line.split()[:-1], draw(st.sampled_from(tags))])


def only_a_space(line, draw):
    return " ".join([draw(st.sampled_from(["\u00a0", "\u3000", "\u2003\u2003"])), *line.split()[1:]])


def damage(line, draw):
    place = draw(st.integers(1, len(line) - 1))
    character = draw(st.sampled_from("\x00\x01\x07\x08\x0b\x0c\r\x1a\x1c\x1f\x7f\x85\x92\u2028\u2029\ufeff"))
    return line[:place] + character + line[place:]


def not_utf8(line, draw):
    place = draw(st.integers(0, len(line)))
    return line[:place] + draw(st.sampled_from("\udce9\udcff\udc80")) + line[place:]  # a byte that is no UTF-8


FAULTS = {
    without_column: ["column(s) in"],
    with_column: ["column(s) in"],
    unknown_tag: ["unknown tag"],
    only_a_space: ["the word is only a space"],
    damage: ["cannot be part of a word", "not UTF-8 (a NUL byte"],
    not_utf8: ["not UTF-8"],
}


@given(column_files(), endings, st.sampled_from(list(FAULTS)), st.data())
@fuzz(600)
def test_one_fault_in_a_column_file_is_named_by_its_line(folder, file, ending, fault, data):
    lines, _, at = file
    assume(len(at) > 1 or fault not in (with_column, without_column))  # one line alone may be of any format
    place = data.draw(st.sampled_from(at))
    lines[place] = fault(lines[place].strip(), data.draw)
    text = ending["end"].join([*lines, ""]).encode(errors="surrogateescape")
    (folder / "train.txt").write_bytes(ending["mark"] + text)
    said = refusal(CorpusError, read_conll, folder / "train.txt")
    assert said.startswith(f"{folder / 'train.txt'}:{place + 1}: ") and any(told in said for told in FAULTS[fault])


@given(column_files(), st.sampled_from(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"]))
@fuzz(100)
def test_another_encoding_is_refused(folder, file, encoding):
    lines, _, at = file
    lines[at[-1]] = "é" + lines[at[-1]]
    (folder / "train.txt").write_bytes("\n".join(lines).encode(encoding, errors="replace"))
    said = refusal(CorpusError, read_conll, folder / "train.txt")
    assert re.match(rf"{re.escape(str(folder / 'train.txt'))}:\d+: not UTF-8", said)
    if encoding == "latin-1":
        first = next(number for number, line in enumerate(lines, start=1) if re.search("[\x80-\xff]", line))
        assert f"train.txt:{first}: " in said


def naive_reading(data):
    """What a column file says, one rule after another over all lines; a number instead is that of the line at fault."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    lines = [line.removesuffix(b"\r") for line in lines[:-1]] + lines[-1:]
    for number, line in enumerate(lines, start=1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return number
    for number, line in enumerate(lines, start=1):
        if b"\0" in line:
            return number
    lines = [line.decode() for line in lines]
    for number, line in enumerate(lines, start=1):
        if any(c in "\u2028\u2029\ufeff" or (unicodedata.category(c) == "Cc" and c != "\t") for c in line):
            return number
    rows, sentences, begins = [field_list(line) for line in lines], [[]], True
    for i, row in enumerate(rows):  # a comment stands at the beginning of a sentence and has no tag
        blank = not row or row[0] == "-DOCSTART-"
        if begins and not blank and row[0] == "#" and not any(map(naive_tag, row)):
            rows[i] = None
        else:
            begins = blank
    rows = [(number, row) for number, row in enumerate(rows, start=1) if row is not None]
    read = [(number, row) for number, row in rows if row and row[0] != "-DOCSTART-"]
    layout = naive_layout(read)
    if isinstance(layout, int):
        return layout
    word, tag = layout
    for number, row in rows:
        if not row or row[0] == "-DOCSTART-":
            sentences.append([])
            continue
        if row[word].isspace() or not naive_tag(row[tag]):
            return number
        sentences[-1].append((number, row[word], row[tag]))
    sentences = [sentence for sentence in sentences if sentence]
    opens = {"B": [], "I": []}  # lines where a mention opens with that letter though nothing of its type is before it
    for sentence in sentences:
        for (_, _, before), (number, _, tag) in pairwise([(0, "", "O"), *sentence]):
            if tag != "O" and before[2:] != tag[2:]:
                opens[tag[0]].append(number)
    if opens["B"] and opens["I"]:
        return opens["I"][0]
    return [
        [(word, "B" + tag[1:] if number in opens["I"] else tag) for number, word, tag in sentence]
        for sentence in sentences
    ] or 0


def naive_tag(field):
    prefix, kind = field[:2], field[2:]
    known = prefix in ("B-", "I-") and 0 < len(kind) <= 60 and kind.isprintable() and " " not in kind
    return field == "O" or (known and not re.search(r"\s", kind))


def naive_layout(read):
    """The columns of words and tags; or the line that has too many or too few, or the first if no format fits."""
    if not read:
        return 0, -1
    widths = [len(row) for _, row in read]
    width = max(dict.fromkeys(widths), key=lambda n: (widths.count(n), n in (2, 4)))
    for number, row in read:
        if len(row) != width or width < 2:
            return number
    columns = list(zip(*(row for _, row in read), strict=True))
    tags = [i for i, column in enumerate(columns) if sum(map(naive_tag, column)) > len(column) / 2]
    digits = [all(field.isdigit() for field in column) for column in columns]
    if width == 2:
        found = (1, 0) if tags == [0] and not digits[1] else (0, 1)
        return read[0][0] if digits[found[0]] and len(read) > 1 else found
    words = [i for i in range(width) if i not in tags and not digits[i]]
    word = words[0] if words else 0
    tags = [i for i in tags if i != word]
    types = {i: {field[2:] for field in columns[i] if naive_tag(field) and field != "O"} for i in tags}
    phrases = [i for i in tags if types[i] and types[i] <= news.PHRASES]
    plain = [i for i in tags if not types[i]]
    names = [i for i in tags if i not in phrases and i not in plain]
    if digits[word] and len(read) > 1:
        return read[0][0]
    if len(names) == 1 or (names and digits[0]):
        return word, names[0]
    if names or (phrases and not plain and phrases[-1] == width - 1):
        return read[0][0]
    return word, plain[-1] if plain else width - 1


def field_list(line):
    return [field for field in line.replace("\t", " ").split(" ") if field]


real = column_files().map(lambda file: as_bytes(file[0]))
ODD = pieces(
    "\r|\n|\r\n|\n\n|\r\r\n|\0|\ufeff| |\t|\x0b|\u2028|\x85|\u00a0|\u200b| B-PER| I-LOC| I-PER\nx B-PER| O|O |"
    "-DOCSTART- O\n| -DOCSTART-|-DOCSTART-x O\n|\udcff|\udce9|\udcc3|x B-" + "y" * 61 + "\n"
)


@given(spoiled(real, ODD) | st.binary(max_size=60))
@example(b"Ana B-PER\r\r\nCosta I-PER\r\r\n")  # CRLF written twice over: every word was a sentence of its own
@example(b"Ana B-PER\n\xef\xbb\xbfCosta I-PER\n")  # two files put together: the mark was part of the word
@example(b"\xef\xbb\xbf\n\n\xff")  # the line was counted without the mark
@example(b"A\0n\0a\0 \0O\0\n\0")  # UTF-16, whose NUL bytes were parts of words
@example(b"Ana B-PER\x0c\n")
@example(b"Ana B-P\x08R\n")
@example("Ana B-PER\u200b\n".encode())  # was another type than PER, and looked like it
@example("\u00a0 O\n".encode())
@example(b"# id 1\nAna B-PER\n# O\n\n#\n#\nCosta I-PER\n")
@example(b"Ana B-PER\n-DOCSTART- O\nCosta I-PER\n")
@fuzz(1500)
def test_a_spoiled_column_file_is_read_as_a_naive_reader_would(folder, data):
    path = folder / "train.txt"
    path.write_bytes(data)
    expected = naive_reading(data)
    try:
        found = [list(zip(words, tags, strict=True)) for words, tags, _ in read_conll(path)]
    except CorpusError as error:
        assert len(str(error)) < LONGEST
        place = re.match(rf"{re.escape(str(path))}:(\d+): |{re.escape(str(path))}: no sentence", str(error))
        found = int(place[1] or 0)
    assert found == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Ana B-PER\nx O\n" + "x " * 500_000 + "O\n", ":3: 500001 column(s)"),
        ("Ana B-" + "X" * 10**6 + "\n", ":1: unknown tag"),
        ("Ana" * 10**6 + "\n", ":1: 1 column(s)"),
    ],
)
def test_the_message_about_a_huge_line_is_short(folder, text, said):
    (folder / "train.txt").write_text(text, encoding="utf-8")
    assert said in refusal(CorpusError, read_conll, folder / "train.txt")


def test_a_word_of_a_million_letters_is_read(folder):
    (folder / "train.txt").write_text("y" * 10**6 + " B-PER\nx O\n", encoding="utf-8")
    assert len(read_conll(folder / "train.txt")[0][0][0]) == 10**6


def test_what_cannot_be_opened_is_a_source_error(folder):
    (folder / "a folder").mkdir()
    with pytest.raises(SourceError, match="a folder cannot be read"):
        read_conll(folder / "a folder")


TINY = {"train.txt": "Accra B-LOC\n. O\n", "valid.txt": "Lima B-LOC\n", "test.txt": "Oslo B-LOC\n"}


def write(folder, files):
    for name, text in files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"train.conll": "Oslo B-LOC\n"}, SourceError, "both train.txt and train.conll"),
        ({"train.txt": "Accra O\n"}, CorpusError, "train.txt:1: every tag is O from here on"),
        ({"test.txt": ""}, CorpusError, "test.txt: no sentence"),
        ({"valid.txt": "\n\n \n"}, CorpusError, "valid.txt: no sentence"),
        ({"test.txt": "Ana B-" + "P" * 10**5}, CorpusError, "test.txt:1: unknown tag"),
        ({"train.txt": "Accra B-LOC\n"}, None, None),
        ({"test.txt": "nowhere O\n", "train.txt": "Accra B-LOC\n"}, None, None),  # train has no O
    ],
)
def test_a_folder_of_column_files(tmp_path, changes, kind, said):
    write(tmp_path, TINY | changes)
    if kind is None:
        assert set(load_ner(str(tmp_path))) == {"train", "valid", "test"}
    else:
        assert said in refusal(kind, load_ner, str(tmp_path))


SPORT = "-DOCSTART- sport\n\nOslo B-LOC\n\n-DOCSTART- science\n\nCERN B-ORG\n"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"test.txt": "-DOCSTART- art\n\nOslo B-LOC\n"}, "test.txt:1: the topic 'art' is not in train"),
        ({"valid.txt": "-DOCSTART- briefs\n\nOslo B-LOC\n"}, "valid.txt: every story is briefs"),
        ({"train.txt": SPORT + "\n -DOCSTART-\n\nLima B-LOC\n"}, "train.txt:9: the story has no topic"),
        ({"train.txt": SPORT.replace("science", "sport")}, "train.txt: every story is 'sport'; expected two topics"),
    ],
)
def test_topics_that_cannot_be_learned(tmp_path, changes, said):
    write(tmp_path, dict.fromkeys(TINY, SPORT) | changes)
    assert said in refusal(CorpusError, load_topics, str(tmp_path))


def test_what_only_looks_like_the_start_of_a_story_is_a_word(tmp_path):
    write(tmp_path, dict.fromkeys(TINY, SPORT + "\n-DOCSTART-s O\n"))
    corpus = load_topics(str(tmp_path))
    assert list(corpus["train"]["words"]) == [["Oslo"], ["CERN"], ["-DOCSTART-s"]]
    assert list(corpus["train"]["topic"]) == ["sport", "science", "science"]


# --- messages and plain text --------------------------------------------------------------------------------

printable = st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zs", "Zl", "Zp", "Co", "Cn"])
messages = st.tuples(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1).filter(str.strip),
    st.text(printable, min_size=1, max_size=5),
)


@st.composite
def message_files(draw):
    """The parts of a CSV file, its header first and then a message each, and the messages."""
    rows = draw(st.lists(messages, min_size=1, max_size=5))
    columns = draw(st.permutations(["text", "category", *draw(st.sampled_from([[], ["id"], ["language", "when"]]))]))
    style = draw(st.sampled_from([{"quoting": csv.QUOTE_ALL}, {}]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    parts = []
    for row in [{name: name for name in columns}, *({"text": text, "category": category} for text, category in rows)]:
        line = io.StringIO(newline="")
        csv.writer(line, lineterminator=end, **style).writerow([row.get(name, "x") for name in columns])
        parts.append(draw(st.sampled_from(["", "", end])) * (len(parts) > 0) + line.getvalue())
    return parts, [(text.strip(), category) for text, category in rows]


@given(message_files(), st.sampled_from(["", "\ufeff"]))
@fuzz(400)
def test_every_message_that_csv_can_hold_is_read(folder, file, mark):
    parts, rows = file
    (folder / "train.csv").write_bytes((mark + "".join(parts)).encode())
    assert read_messages(folder / "train.csv") == rows


BAD_ROWS = [  # by the number of columns
    (lambda width: ",".join("a" * (width + 1)), "cell(s), expected"),  # a comma without quotes: the text lost its end
    (lambda width: "a", "1 cell(s), expected"),
    (lambda width: ",".join(['""'] * width), "text or category is empty"),
    (lambda width: ",".join([" \x1f"] * width), "text or category is empty"),
    (lambda width: ",".join(["a\u200b"] * width), "a character that cannot be seen"),
    (lambda width: '"c"d' + ",b" * (width - 1), "not CSV"),
    (lambda width: '"never closed' + ",b" * (width - 1), "not CSV"),
    (lambda width: '"' + "x" * 140_000 + '"' + ",b" * (width - 1), "not CSV (field larger"),
]


@given(message_files(), st.sampled_from(BAD_ROWS), st.integers(0, 5))
@fuzz(400)
def test_a_bad_row_is_named_by_the_line_where_it_begins(folder, file, bad, place):
    (parts, _), (row, said) = file, bad
    before = parts[: place % len(parts) + 1]
    bad_row = row(len(next(csv.reader([parts[0]])))) + "\n"
    (folder / "train.csv").write_bytes("".join([*before, bad_row, *parts[len(before) :]]).encode())
    line = len(io.StringIO("".join(before), newline=None).readlines()) + 1
    found = refusal(CorpusError, read_messages, folder / "train.csv")
    assert found.startswith(f"{folder / 'train.csv'}:{line}: ") and said in found


@given(spoiled(message_files().map(lambda file: "".join(file[0]).encode()), [*ODD, b",", b'"', b'""', b'",', b",,"]))
@example(b"text,category\na,b\n\n ,b\n")  # the blank line was not counted
@example(b"text,category,text\na,b,c\n")  # the first text was forgotten
@example(b"text,category\n" + b"aaaa,b\n" * 2000 + b"\xff,b\n")  # the line was counted from 8 kB further on
@example(b"text,category\na\0,b\n")
@fuzz(800)
def test_a_spoiled_message_file_gives_whole_rows_or_a_place(folder, data):
    path = folder / "train.csv"
    path.write_bytes(data)
    try:
        rows = read_messages(path)
    except CorpusError as error:
        assert len(str(error)) < LONGEST
        assert re.match(rf"{re.escape(str(path))}:(\d+): |{re.escape(str(path))}: no message", str(error)), error
    else:
        assert b"\0" not in data and all(text.strip() == text != "" != category for text, category in rows)
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
        assert len(rows) == sum(1 for cells in csv.reader(io.StringIO(text, newline="")) if cells) - 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("text,label\na,b\n", ":1: the columns are ['text', 'label']; expected one text and one category"),
        ("text;category\na;b\n", ":1: the columns are ['text;category']"),
        ("text,category,text\na,b,c\n", ":1: the columns are"),
        ("", ":1: the columns are []"),
        ("\ntext,category\na,b\n", ":1: the columns are []"),
        ("text,category\n", ": no message"),
        (b"text,category\na,b\n\xff,b\n", ":3: not UTF-8"),
        (b"t\0e\0x\0t\0", ":1: not UTF-8 (a NUL byte"),
    ],
)
def test_a_file_that_holds_no_messages_is_refused(folder, text, said):
    write(folder, {"train.csv": text})
    assert refusal(CorpusError, read_messages, folder / "train.csv").startswith(f"{folder / 'train.csv'}{said}")


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ("a,x\nb,x\n", "a,x\n", "every message is 'x'; expected two categories or more"),
        ("a,x\nb,y\n", '"a\nb",x\n\nc,z\n', "test.csv:5: category 'z' is not in train.csv"),
        ("a,x\nb,y\n", "", "test.csv: no message"),
        ("a,x\nb,\n", "a,x\n", "train.csv:3: text or category is empty"),
    ],
)
def test_categories_that_cannot_be_learned(tmp_path, train, test, said):
    write(tmp_path, {"train.csv": "text,category\n" + train, "test.csv": "text,category\n" + test})
    assert said in refusal(CorpusError, load_intents, str(tmp_path))


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        (b"T\0h\0e\0", CorpusError, "book.txt:1: not UTF-8 (a NUL byte"),
        (b"\xef\xbb\xbf\n\n\xff", CorpusError, "book.txt:3: not UTF-8"),
        (b"One document.", SourceError, "has 0 document(s) of 200 characters or more"),
        (b"\n" * 10**5, SourceError, "has 0 document(s)"),
    ],
)
def test_a_text_that_cannot_be_used(tmp_path, data, kind, said):
    write(tmp_path, {"book.txt": data})
    assert said in refusal(kind, load_text, str(tmp_path / "book.txt"))


def test_a_text_with_carriage_returns_has_the_same_documents(tmp_path):
    text = "\n\n\n".join(f"Document {n}. " * 30 for n in range(10))
    found = []
    for end in ("\n", "\r\n", "\r"):
        write(tmp_path, {"book.txt": text.replace("\n", end)})
        found.append(load_text(str(tmp_path / "book.txt")))
    assert found[0] == found[1] == found[2] and len(found[0]["train"]) == 9


# --- a course: profiles, settings, notebooks ------------------------------------------------------------------

DEFAULTS = {"STEPS": 3, "RATE": 0.5, "NAME": "x", "SHOTS": [1, 2], "FAST": True}
NOTEBOOK = nbformat.v4.new_notebook(
    cells=[
        nbformat.v4.new_markdown_cell("Before it.\n\n# A small lesson", id="a"),
        nbformat.v4.new_code_cell(
            "\n".join(f"{name} = {value!r}" for name, value in DEFAULTS.items()),
            id="b",
            metadata={"tags": ["parameters"]},
        ),
        nbformat.v4.new_code_cell(
            "1 + 1", id="c", outputs=[nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=1)]
        ),
    ],
    metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
)


@pytest.fixture
def checkout(folder) -> Course:
    (folder / "notebooks").mkdir(exist_ok=True)
    nbformat.write(NOTEBOOK, folder / "notebooks" / "01_one.ipynb")
    shutil.rmtree(folder / "notebooks" / "profiles", ignore_errors=True)  # an earlier test's
    (folder / "notebooks" / "profiles").mkdir()
    return Course(folder)


def read_profiles(folder, text):
    write(folder / "notebooks" / "profiles", {"01_one.yml": text})
    return Course(folder).profiles


def profiles_of(folder, text):
    """What the tool makes of a profiles file: the parameters of the profile smoke; None if it is refused."""
    try:
        read_profiles(folder, text)
        return Course(folder).plan(Course(folder).lessons, "smoke", [])["01_one"]
    except CourseError as error:
        assert len(str(error)) < LONGEST
        path = folder / "notebooks" / "profiles" / "01_one.yml"
        assert str(error).startswith((f"{path}: ", "unknown profile 'smoke'; there are: cpu")), error
        return None


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates() | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers() | st.none(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
RIGHT = {"STEPS": 1, "RATE": 2.5, "NAME": "y", "SHOTS": [4, 5], "FAST": False}
values = plain | st.sampled_from(list(RIGHT.values()))
changes = st.sampled_from(list(RIGHT)).map(lambda name: {name: RIGHT[name]}) | st.dictionaries(
    st.sampled_from([*DEFAULTS, "WRONG", 1, None]), values, max_size=2
)
names_of_profiles = st.just("smoke") | st.sampled_from(["smoke", "gpu", "cpu", 1, None, True])
files_of_profiles = st.dictionaries(names_of_profiles, changes | plain, max_size=3) | plain


KINDS = {
    "STEPS": lambda value: type(value) is int,
    "RATE": lambda value: type(value) in (int, float),
    "NAME": lambda value: type(value) is str,
    "SHOTS": lambda value: type(value) is list and all(type(entry) is int for entry in value),
    "FAST": lambda value: type(value) is bool,
}


def are_profiles(loaded):
    return isinstance(loaded, dict) and all(
        isinstance(profile, str)
        and profile != "cpu"
        and isinstance(changes, dict)
        and all(name in KINDS and KINDS[name](value) for name, value in changes.items())
        for profile, changes in loaded.items()
    )


@given(files_of_profiles)
@fuzz(600)
def test_any_values_in_profiles_are_right_or_refused(folder, checkout, loaded):
    found = profiles_of(folder, yaml.safe_dump(loaded, allow_unicode=True))
    if are_profiles(loaded) and "smoke" in loaded:
        assert repr(found) == repr(loaded["smoke"])  # repr, since nan is not nan
    else:
        assert found is None


PROFILES = b"smoke: &s\n  STEPS: 1\n  NAME: a\n  SHOTS: [1, 2]\ngpu: *s\n"
IN_YAML = pieces(
    "- |: |\n|  |\t|\0|\ufeff|&a |*a|*s|<<: *s|{|}|[|]|'|\"|%|@|? |~|#|-|---\n|...|2026-99-99|0x|1:99|yes|1e5|0o9|\udcff|"
    "!!python/name:os.system |!!int |!!float |!!binary |!!timestamp |!!bool |!!set |!!omap "
)


@given(spoiled(st.just(PROFILES), IN_YAML) | st.binary(max_size=40))
@fuzz(800)
def test_a_spoiled_profiles_file_is_right_or_refused(folder, checkout, data):
    found = profiles_of(folder, data)
    assert found is None or found.keys() <= DEFAULTS.keys()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("smoke: [", "not valid YAML"),
        (b"smoke: {NAME: \xff}", "not valid YAML (UnicodeDecodeError)"),
        ("smoke: {STEPS: 2026-99-99}", "not valid YAML (ValueError)"),
        ("smoke: {STEPS: !!bool maybe}", "not valid YAML (KeyError)"),
        ("smoke: {STEPS: !!timestamp x}", "not valid YAML (AttributeError)"),
        ("[" * 5000, "not valid YAML (RecursionError)"),
        ("smoke: {}\nsmoke: {STEPS: 1}", "the key 'smoke' twice"),
        ("smoke: {STEPS: 1, 'STEPS': 2}", "the key 'STEPS' twice"),
        ("- a list", "expected profiles"),
        ("", "expected profiles"),
        ("1: {}", "1: expected a name"),
        ("yes: {}", "True: expected a name"),
        ("smoke: [STEPS]", "'smoke': expected a name"),
        ("smoke:", "'smoke': expected a name"),
        ("smoke: 0", "'smoke': expected a name"),
        ("cpu: {STEPS: 1}", "'cpu': expected a name (not cpu"),
        ("smoke: {WRONG: 1}", "smoke: 01_one has no parameter WRONG"),
        ("smoke: {1: 1, A: 1}", "smoke: 01_one has no parameter 1"),
        ("smoke: {STEPS: many}", "smoke: STEPS='many': 01_one expects int, such as 3"),
        ("smoke: {STEPS: true}", "STEPS=True: 01_one expects int"),
        ("smoke: {STEPS: null}", "STEPS=None: 01_one expects int"),
        ("smoke: {RATE: 5e-5}", "RATE='5e-5': 01_one expects float"),  # YAML 1.1 reads 5e-5 as text
        ("smoke: {SHOTS: [1, a]}", "SHOTS=[1, 'a']: 01_one expects list of int"),
        ("smoke: {SHOTS: &a [*a]}", "SHOTS=[["),
        ("smoke: {NAME: !!binary aGk=}", "NAME=b'hi': 01_one expects str"),
    ],
)
def test_a_bad_profiles_file_is_explained(folder, checkout, text, said):
    found = refusal(CourseError, read_profiles, folder, text)
    assert found.startswith(f"{folder / 'notebooks' / 'profiles' / '01_one.yml'}: ") and said in found


def test_a_profiles_file_of_no_lesson_is_explained(folder, checkout):
    profiles = folder / "notebooks" / "profiles"
    write(profiles, {"01_one.yml": "smoke: {STEPS: 1}", "02_none.yml": "smoke: {STEPS: 1}"})
    said = refusal(CourseError, lambda: Course(folder).profiles)
    assert said.startswith(f"{profiles / '02_none.yml'}: ") and "01_one" in said


def test_a_billion_laughs_are_refused_in_a_moment(folder, checkout):
    """Ten anchors, each ten times the one before: nothing may write them out."""
    laughs = ["&l0 [ha]", *(f"&l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 11))]
    said = refusal(CourseError, read_profiles, folder, f"smoke: {{SHOTS: [{', '.join(laughs)}]}}")
    assert "01_one expects list of int" in said


def test_a_profiles_file_cannot_run_anything(folder, checkout):
    made = folder / "made by YAML"
    assert profiles_of(folder, f"smoke: !!python/object/apply:os.mkdir ['{made}']") is None
    assert not made.exists()


def as_python(text):
    try:
        return ast.literal_eval(text)
    except Exception:
        return text


@given(st.sampled_from(list(DEFAULTS)), st.text() | values.map(repr) | values.map(str))
@example("NAME", "")  # was the working directory
@example("NAME", "~")
@example("NAME", "~nobody-of-that-name/x")
@example("NAME", "x" * 5000)  # too long to ask whether it is a folder
@example("NAME", "a\0b")
@example("STEPS", "{[]: 1}")
@example("STEPS", "-" * 5000 + "1")
@example("STEPS", "9" * 5000)
@example("STEPS", "0x" + "f" * 5000)
@example("STEPS", "True")
@example("SHOTS", "[1, 'a']")
@example("SHOTS", "[1, True]")
@fuzz(400)
def test_any_text_of_a_setting_fits_or_is_refused(folder, checkout, name, text):
    try:
        plan = checkout.plan(checkout.lessons, "cpu", [f"{name}={text}"])
    except CourseError as error:
        assert str(error).startswith(f"--set {name}=") and "expects" in str(error) and len(str(error)) < LONGEST
        assert name != "NAME" or not isinstance(as_python(text), str), "text without quotes is text"
        assert not any(KINDS[name](value) and text == repr(value) for value in RIGHT.values())
    else:
        value = plan["01_one"][name]
        assert KINDS[name](value)
        if name == "NAME" and value not in (text, as_python(text)):
            folder_meant = Path(text).expanduser().resolve()
            assert text and Path(value) == folder_meant, "only a folder is anything else than it says"
        assert len(checkout.key(checkout.lessons[0], plan["01_one"])) == 64


@given(st.text() | st.builds("{}={}".format, st.sampled_from([*DEFAULTS, "STEP", ""]), st.sampled_from(["1", "x", ""])))
@fuzz(200)
def test_any_text_as_a_setting_names_a_parameter_or_is_refused(folder, checkout, text):
    name, equals, _ = text.partition("=")
    found = refusal(CourseError, checkout.plan, checkout.lessons, "cpu", [text])
    if not equals:
        assert found.endswith("expected NAME=VALUE, such as --set EPOCHS=1")
    elif name not in DEFAULTS:
        assert found.endswith("no such parameter; there are: FAST, NAME, RATE, SHOTS, STEPS")


def use(path):
    """Everything the tool reads of a notebook before it runs it."""
    course, lesson = Course(path.parent.parent), Lesson(path)
    assert lesson.title
    return lesson.parameters, course.plan([lesson], "cpu", []), course.key(lesson, {})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def places(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield from places(child, (*path, key))


PLAIN_NOTEBOOK = json.loads(nbformat.writes(NOTEBOOK))
PLACES = [place for place in places(PLAIN_NOTEBOOK) if place]


@given(st.sampled_from(PLACES), json_values, st.booleans())
@example(("cells", 1, "cell_type"), "", False)
@fuzz(500)
def test_a_notebook_with_a_changed_part_is_used_or_its_cell_is_named(folder, checkout, place, value, lost):
    notebook = deepcopy(PLAIN_NOTEBOOK)
    parent = notebook
    for key in place[:-1]:
        parent = parent[key]
    if lost:
        del parent[place[-1]]
    else:
        parent[place[-1]] = value
    path = folder / "notebooks" / "01_one.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    said = refusal(CourseError, use, path)
    if said is None:
        return
    assert said.startswith(str(path))
    if place[0] == "cells" and len(place) > 1 and not (lost and len(place) == 2):
        assert f", cell {place[1]}" in said or "0 cells tagged" in said
    nameless = place[:3] in {("cells", 0, "source"), ("cells", 1, "source"), ("cells", 1, "metadata")} or len(place) < 3
    if not nameless:
        with pytest.raises(Exception):  # noqa: B017 - of many kinds: nbformat itself trips over some
            nbformat.validate(notebook)


@given(
    spoiled(
        st.just(json.dumps(PLAIN_NOTEBOOK, indent=1).encode()),
        [b"{", b"}", b"[", b"]", b'"', b",", b"\xff", b"\0", b"NaN", b"\\u", b"\n"],
    )
)
@fuzz(400)
def test_a_spoiled_notebook_is_used_or_refused(folder, checkout, data):
    path = folder / "notebooks" / "01_one.ipynb"
    path.write_bytes(data)
    said = refusal(CourseError, use, path)
    assert said is None or said.startswith(str(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a readable notebook (Expecting value"),
        ("{", "is not a readable notebook (Expecting property name"),
        (b"\xff\xfe{", "is not a readable notebook ('utf-8'"),
        ("[" * 10**5, "is not a readable notebook (maximum recursion"),
        ("null", "is not a readable notebook (of format 4"),
        ("[]", "is not a readable notebook (of format 4"),
        ('{"metadata": {}, "nbformat": 3, "worksheets": [{"cells": []}]}', "is not a readable notebook (of format 4"),
        ('{"metadata": {}, "cells": {}}', "is not a readable notebook (of format 4"),
        ('{"metadata": {}, "cells": []}', ", cell 0: expected a heading"),
        ('{"metadata": {}, "cells": [null]}', ", cell 0: expected cell_type"),
    ],
)
def test_what_is_not_a_notebook_is_refused(folder, checkout, text, said):
    path = folder / "notebooks" / "01_one.ipynb"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert refusal(CourseError, use, path).startswith(f"{path}{said if said[0] == ',' else ' ' + said}")


GOOD_LINES = ["", "# a comment", "A = 1", "B = 'x'; C = 2.5", "D = [1, -2]", "E = (\n    3\n)", "F = None  # nothing"]
BAD_LINES = (
    "A, B = 1, 2|A = B = 1|A: int = 3|A += 1|A.b = 1|A[0] = 1|A = B|A = f()|A = 2 ** 3|A = f'{1}'|A = {[]: 1}|A = {1, 2}|"
    "A = b'x'|A = 1j|A = {1: 2, 'x': 3}|A = ...|import os|del A|'text'|def f(): pass|if True: A = 1|A = 0x" + "f" * 5000
).split("|")


@given(
    st.lists(st.sampled_from(GOOD_LINES), max_size=4),
    st.sampled_from(BAD_LINES),
    st.sampled_from(["\n", "\r\n", "\n\x0c"]),
)
@fuzz(200)
def test_a_parameter_that_is_no_plain_value_is_named_by_its_line(folder, checkout, before, bad, end):
    notebook = deepcopy(PLAIN_NOTEBOOK)
    notebook["cells"][1]["source"] = end.join([*before, bad, "Z = 1"])
    path = folder / "notebooks" / "01_one.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    line = "\n".join([*before, bad]).count("\n") + 1
    assert refusal(CourseError, use, path).startswith(f"{path}, cell 1 (parameters), line {line}: {bad[:60]!r} is no ")
    notebook["cells"][1]["source"] = end.join([*before, "Z = 1"])
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert use(path)[0].keys() == {name for name in "ABCDEF" if f"{name} =" in "".join(before)} | {"Z"}


@pytest.mark.parametrize(
    "text", ["A = ", "%matplotlib inline", "A = 1\n  B = 2", "A = '\0'", "(" * 5000, "-" * 10**5 + "1"]
)
def test_parameters_that_are_not_python_are_refused(folder, checkout, text):
    notebook = deepcopy(PLAIN_NOTEBOOK)
    notebook["cells"][1]["source"] = text
    path = folder / "notebooks" / "01_one.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert refusal(CourseError, use, path).startswith(f"{path}, cell 1 (parameters)")


def test_the_tool_says_it_in_one_line(folder, checkout):
    notebook = deepcopy(PLAIN_NOTEBOOK)
    del notebook["cells"][2]["source"]
    (folder / "notebooks" / "01_one.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    done = babyagi(folder, "run")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "01_one.ipynb, cell 2: expected" in done.stderr


# --- quizzes and the journal ----------------------------------------------------------------------------------

OPTION = {"text": "3", "because": "it is"}
QUESTION = {"question": "q", "options": [OPTION, OPTION, OPTION | {"right": True}]}


def questions_of(folder, monkeypatch, text):
    monkeypatch.setattr(quiz.lessons, "QUIZZES", folder)
    (folder / "x.yml").write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        return quiz.load("x")
    except quiz.QuizError as error:
        assert str(error).startswith("x.yml") and len(str(error)) < LONGEST
        return None


options = plain | st.fixed_dictionaries(
    {"text": st.just("a") | plain, "because": st.just("b") | plain},
    optional={"right": st.just(True) | plain, "rigth": st.just(True)},
)
questions = plain | st.fixed_dictionaries(
    {"question": st.just("q") | plain, "options": plain | st.lists(options, max_size=5)}
)


@st.composite
def quizzes(draw):
    """A good quiz with one part replaced."""
    loaded = deepcopy([QUESTION])
    *way, last = draw(st.sampled_from(list(places(loaded))[1:]))
    part = loaded
    for key in way:
        part = part[key]
    part[last] = draw(plain)
    return loaded


def is_quiz(loaded):
    def is_option(value):
        return (
            isinstance(value, dict)
            and {"text", "because"} <= value.keys() <= {"text", "because", "right"}
            and isinstance(value["text"], str)
            and isinstance(value["because"], str)
            and isinstance(value.get("right", False), bool)
        )

    def is_question(value):
        return (
            isinstance(value, dict)
            and value.keys() == {"question", "options"}
            and isinstance(value["question"], str)
            and isinstance(value["options"], list)
            and len(value["options"]) >= 3
            and all(map(is_option, value["options"]))
            and [option.get("right") for option in value["options"]].count(True) == 1
        )

    return isinstance(loaded, list) and loaded != [] and all(map(is_question, loaded))


@given(quizzes() | st.lists(questions, max_size=3) | plain)
@fuzz(600)
def test_any_values_in_a_quiz_are_questions_or_refused(folder, monkeypatch, loaded):
    found = questions_of(folder, monkeypatch, yaml.safe_dump(loaded))
    assert (found is not None) == is_quiz(loaded)
    if found is not None:
        assert [q.text for q in found] == [q["question"] for q in loaded]
        assert [[o.right for o in q.options] for q in found] == [
            [o.get("right", False) for o in q["options"]] for q in loaded
        ]
        assert quiz.as_html(found).count("<strong>Right.</strong>") == len(found)


@given(spoiled(st.just(yaml.safe_dump([QUESTION]).encode()), IN_YAML))
@fuzz(300)
def test_a_spoiled_quiz_is_questions_or_refused(folder, data):
    with pytest.MonkeyPatch.context() as monkeypatch:
        questions_of(folder, monkeypatch, data)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- question: a\n  options: []", "x.yml, question 1: 0 options, 0 of them right"),
        ("- options: []", "x.yml, question 1: expected question"),
        ("[]", "x.yml: expected a list of questions"),
        ("{}", "x.yml: expected a list of questions"),
        ("{", "x.yml: not valid YAML"),
        (b"\xff", "x.yml: not valid YAML"),
        (yaml.safe_dump([QUESTION | {"options": [OPTION] * 3}]), "x.yml, question 1: 3 options, 0 of them right"),
        (
            yaml.safe_dump([QUESTION | {"options": [OPTION | {"right": "no"}] * 3}]),
            "x.yml, question 1, option 1: expected",
        ),
        (yaml.safe_dump([QUESTION, QUESTION | {"question": 7}]), "x.yml, question 2: expected question"),
        (
            yaml.safe_dump([QUESTION | {"options": [OPTION | {"text": 7}] * 3}]),
            "x.yml, question 1, option 1: expected text",
        ),
    ],
)
def test_a_faulty_quiz_is_told_about(folder, monkeypatch, text, said):
    monkeypatch.setattr(quiz.lessons, "QUIZZES", folder)
    (folder / "x.yml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert said in refusal(quiz.QuizError, quiz.load, "x")


entries = st.fixed_dictionaries(
    {
        "exercises": st.lists(json_values) | json_values,
        "quiz": st.dictionaries(st.text("12x", max_size=2), json_values) | json_values,
    }
)
journals = json_values | st.dictionaries(st.sampled_from("ab"), entries)


@given(journals.map(json.dumps) | st.text())
@example('{"a": {"exercises": [], "quiz": {"1": Infinity}}}')
@example('{"a": {"exercises": [[]], "quiz": {}}}')
@example("[" * 100_000)
@fuzz(300)
def test_any_journal_is_read_or_refused(folder, text):
    (folder / journal.FILE).write_text(text, encoding="utf-8", errors="replace")
    try:
        found = journal.read(folder)
    except journal.JournalError as error:
        assert journal.FILE in str(error) and "delete it to start again" in str(error)
    else:
        assert all(isinstance(done["exercises"], list) for done in found.values())


# --- what a learner calls -------------------------------------------------------------------------------------

NAMES = ["O", "B-LOC", "I-LOC"]


def coded(tokenizer, *arguments):
    return wordpieces.encode(*arguments, NAMES, tokenizer)


@pytest.mark.parametrize(
    ("sentences", "tags", "said"),
    [
        (["Ana won"], None, "sentence 0 is one text, 'Ana won'; cut it into words"),
        ("Ana won", None, "sentence 0 is one text"),
        ([["Ana"], ["won"]], [["O"]], "2 sentences and 1 lists of tags"),
        ([["Ana"]], [["O"], ["O"]], "1 sentences and 2 lists of tags"),
        ([["Ana"]], [[]], "sentence 0 has 1 words and 0 tags"),
        ([["Ana", "won"]], [[3, 0]], "sentence 0 has tags that the model does not know: 0, 3"),
        ([["Ana", "won"]], [["O", None]], "sentence 0 has tags that the model does not know: None"),
    ],
)
def test_sentences_that_cannot_be_encoded(tokenizer, sentences, tags, said):
    assert said in refusal(ValueError, coded, tokenizer, sentences, tags)


def test_words_of_nothing_keep_their_place(tokenizer):
    encoded = coded(tokenizer, [["", "Accra", "  ", "\t"], [], [""]], None)
    scores = [np.eye(3)[[1] * len(window["input_ids"])] for window in encoded.windows]
    assert wordpieces.decode(encoded, scores, NAMES) == [["B-LOC"] * 4, [], ["B-LOC"]]


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ([], "1 windows and scores for 0"),
        ([(4, 3), (4, 3)], "1 windows and scores for 2"),
        ([(4, 6)], "shape (4, 6); expected (4, 3)"),  # was two tags for each word
        ([(5, 3)], "shape (5, 3); expected (4, 3)"),
        ([(4,)], "shape (4,); expected (4, 3)"),
    ],
)
def test_scores_that_cannot_be_decoded(tokenizer, shapes, said):
    encoded = coded(tokenizer, [["Oslo", "won"]], None)
    assert said in refusal(ValueError, wordpieces.decode, encoded, map(np.zeros, shapes), NAMES)


@pytest.mark.parametrize("compare", [iob2.score, iob2.confusion])
@pytest.mark.parametrize(
    ("gold", "predicted", "said"),
    [
        ([["O"]], [], "1 sentences, and 0 were predicted"),
        ([["O"], ["O", "O"]], [["O"], ["O"]], "sentence 1 has 2 tags, and 1 were predicted"),
    ],
)
def test_tags_that_cannot_be_compared(compare, gold, predicted, said):
    assert said in refusal(ValueError, compare, gold, predicted)


def test_a_corpus_with_too_few_examples_says_which_and_how_many(tmp_path):
    write(tmp_path, {"train.csv": "text,category\na,x\nb,y\nc,x\n", "test.csv": "text,category\na,x\n"})
    labels = list(load_intents(str(tmp_path))["train"]["category"])
    assert "'y' has 1 examples; 2 + 0 were asked for" in refusal(ValueError, fewshot.draw_shots, labels, 2, 0)
    assert "3 classes were asked for, and the corpus has 2" in refusal(
        ValueError, fewshot.draw_episode, labels, 3, 1, 0, 0
    )


@given(st.lists(st.sampled_from("abc"), max_size=8), *[st.integers(-2, 4)] * 3)
@fuzz(300)
def test_an_episode_is_what_was_asked_for_or_refused(labels, ways, shots, queries):
    sizes = sorted((labels.count(name) for name in set(labels)), reverse=True)
    possible = ways >= 1 and shots >= 1 and queries >= 0 and ways <= len(sizes)
    said = refusal(ValueError, fewshot.draw_episode, labels, ways, shots, queries, 0)
    if said is None:
        assert possible and sizes[ways - 1] >= shots + queries
        episode = fewshot.draw_episode(labels, ways, shots, queries, 0)
        assert len(episode.support) == ways * shots and len(episode.query) == ways * queries
    else:
        assert not possible or sizes[-1] < shots + queries


@pytest.mark.parametrize("texts", [[], "Where is my card?"])
def test_texts_that_cannot_be_embedded(tokenizer, texts):
    assert "expected a list" in refusal(ValueError, fewshot.embed, tiny_encoder(), tokenizer, texts)


def test_training_on_nothing_is_refused(tokenizer):
    model = heads.TokenTagger(tiny_encoder(), NAMES)
    windows = coded(tokenizer, [["Accra"]], [["B-LOC"]]).windows
    rate = {"batch_tokens": 8, "learning_rate": 1e-3, "precision": "no"}
    for examples, epochs, said in (([], 1, "no examples"), (windows, 0, "epochs is 0"), (windows, -1, "epochs is -1")):
        with pytest.raises(ValueError, match=said):
            fit(model, examples, epochs=epochs, **rate)


def test_pretraining_with_odd_numbers_is_refused():
    tokenizer = pretraining.train_tokenizer(["to be or not to be"], 259)
    with pytest.raises(ValueError, match="a vocabulary of 256 pieces"):
        pretraining.train_tokenizer(["to be"], 256)
    with pytest.raises(ValueError, match="length is 0"):
        pretraining.to_blocks(["to be"], tokenizer, 0)
    with pytest.raises(ValueError, match="share is 15"):
        pretraining.mask_tokens(None, (), 1, 259, 15, None)


def test_a_prompt_that_cannot_be_continued_is_refused():
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = pretraining.train_tokenizer(["to be or not to be"], 259)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=259, n_positions=8, n_embd=8, n_layer=1, n_head=1))
    with pytest.raises(ValueError, match="the prompt is empty"):
        pretraining.sample(model, tokenizer, "", 3)
    with pytest.raises(ValueError, match="temperature is 0"):
        pretraining.sample(model, tokenizer, "to", 3, temperature=0)
    assert pretraining.sample(model, tokenizer, "to", 3, top=1000) == pretraining.sample(model, tokenizer, "to", 3)


class World:
    """An environment as a learner might write it."""

    spec = None

    def __init__(self, table, start=(1.0, 0.0)):
        self.unwrapped, self.P, self.initial_state_distrib = self, table, start


STAY = [(1.0, 0, 0.0, False)]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "the same number of actions"),
        ({0: {0: STAY}, 1: {}}, "the same number of actions"),
        ({0: {0: STAY}, 2: {0: STAY}}, "expected P[state][action], both numbered from 0"),
        ({0: {0: [(1.0, 0, 0.0)]}, 1: {0: STAY}}, "expected P[state][action]"),
        ({0: {0: None}, 1: {0: STAY}}, "expected P[state][action]"),
        (
            {0: {0: STAY}, 1: {0: []}},
            "in state 1, action 0, the probabilities of the outcomes must be at least 0 and sum",
        ),
        ({0: {0: STAY}, 1: {0: [(0.5, 0, 0.0, False)] * 3}}, "in state 1, action 0, the probabilities"),
        ({0: {0: [(1.0, 2, 0.0, False)]}, 1: {0: STAY}}, "names a state that is not in 0..1"),
        ({0: {0: [(1.0, 0, float("nan"), False)]}, 1: {0: STAY}}, "every reward must be a finite number"),
    ],
)
def test_a_world_that_is_no_markov_decision_process(table, said):
    assert said in refusal(ValueError, from_gymnasium, World(table))


def test_a_world_with_half_a_table_or_without_play():
    table = {0: {0: STAY}, 1: {0: STAY}}
    assert "carries no table" in refusal(ValueError, from_gymnasium, World(None))
    assert "carries no table" in refusal(ValueError, from_gymnasium, World(table, start=None))
    assert "World cannot be played" in refusal(ValueError, from_gymnasium, World(table))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"terminated": np.zeros((1, 1, 1), dtype=int)}, "terminated of booleans"),  # ~0 is -1, and true
        ({"next_state": np.zeros((1, 1, 1))}, "next_state must be of integers"),
        ({"probability": np.full((1, 1, 1), np.nan)}, "in state 0, action 0"),
        ({"start": np.array([0.5])}, "the probabilities of the first state"),
        ({"start": np.array([1.0, 0.0])}, "start has the shape"),
    ],
)
def test_a_table_of_the_wrong_kind(change, said):
    good = {
        "probability": np.ones((1, 1, 1)),
        "next_state": np.zeros((1, 1, 1), dtype=int),
        "reward": np.zeros((1, 1, 1)),
        "terminated": np.zeros((1, 1, 1), dtype=bool),
        "start": np.ones(1),
    }
    assert MDP("small", **good).states == 1
    assert said in refusal(ValueError, lambda: MDP("small", **(good | change)))


def test_a_world_without_any_action():
    nothing = np.zeros((1, 0, 1))
    with pytest.raises(ValueError, match="an action and an outcome at least"):
        MDP("small", nothing, nothing.astype(int), nothing, nothing.astype(bool), np.ones(1))
