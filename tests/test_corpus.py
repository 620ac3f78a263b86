"""The newswire corpus is what its card says: sizes, tags, no repetition, split by story, built from its sources."""

import importlib.util
import json
import re
from collections import Counter
from itertools import combinations

import pytest

from babyagi_lib.sources.integrity import data_folder, sha256
from babyagi_lib.sources.news import load_ner
from babyagi_lib.text import iob2

SPLITS = {"train": 1200, "valid": 300, "test": 300}  # at least
FOLDER = data_folder() / "newswire"


@pytest.fixture(scope="module")
def convert():
    spec = importlib.util.spec_from_file_location("convert", FOLDER / "convert.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def stories(convert):
    return convert.read_stories(FOLDER / "stories")


@pytest.fixture(scope="module")
def corpus():
    return load_ner("newswire")


def sentences(stories, split):
    return [sentence for _, story in stories[split] for sentence in story]


def test_sizes(corpus):
    for split, least in SPLITS.items():
        assert len(corpus[split]) >= least


def test_the_column_files_are_what_the_stories_give(convert, stories, tmp_path):
    for split in SPLITS:
        convert.write_columns(stories[split], tmp_path / f"{split}.txt")
        assert (tmp_path / f"{split}.txt").read_bytes() == (FOLDER / f"{split}.txt").read_bytes()


def test_no_sentence_twice(corpus):
    seen = Counter(" ".join(words).lower() for split in corpus for words in corpus[split]["words"])
    assert [text for text, count in seen.items() if count > 1] == []


def test_no_templates(corpus):
    """With its names taken out, no sentence of prose is another's twin: few share most of their word triples."""
    frames = []
    for split in corpus:
        for words, tags in zip(corpus[split]["words"], corpus[split]["tags"], strict=True):
            plain = [w.lower() for w, t in zip(words, tags, strict=True) if t == "O" and re.search(r"[a-z]", w.lower())]
            triples = {tuple(plain[i : i + 3]) for i in range(len(plain) - 2)}
            if len(plain) >= 10:
                frames.append((triples, " ".join(words)))
    alike = [(a, b) for (x, a), (y, b) in combinations(frames, 2) if len(x & y) > 0.5 * min(len(x), len(y))]
    assert alike == []


def test_tags_are_iob2_of_four_types(corpus):
    assert iob2.tag_set(t for s in corpus for t in corpus[s]["tags"])[1::2] == ["B-LOC", "B-MISC", "B-ORG", "B-PER"]
    for split in corpus:
        for tags in corpus[split]["tags"]:
            for before, tag in zip(["O", *tags], tags, strict=False):
                assert tag[0] != "I" or before[2:] == tag[2:]
        kinds = Counter(kind for tags in corpus[split]["tags"] for kind, _, _ in iob2.entities(tags))
        assert all(kinds[kind] >= 100 for kind in ("PER", "ORG", "LOC", "MISC"))


def test_no_story_is_in_two_splits(stories):
    """A story's people belong to it: person names of several words hardly ever cross from test into train."""

    def people(split):
        return {
            " ".join(w for w, _ in sentence[start:end])
            for sentence in sentences(stories, split)
            for kind, start, end in iob2.entities([t for _, t in sentence])
            if kind == "PER" and end - start > 1
        }

    assert len(people("test") & people("train")) <= 0.02 * len(people("test"))


def test_some_but_not_all_entities_of_test_are_known_from_train(corpus):
    """Countries recur and persons do not, as in real news: the overlap the card publishes."""

    def mentions(split):
        return [
            " ".join(words[start:end])
            for words, tags in zip(corpus[split]["words"], corpus[split]["tags"], strict=True)
            for _, start, end in iob2.entities(tags)
        ]

    known = set(mentions("train"))
    share = sum(m in known for m in mentions("test")) / len(mentions("test"))
    assert 0.2 < share < 0.6
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"{share:.0%} of the mentions in test" in card


def test_the_card_has_the_true_counts(corpus, stories):
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = {
        "stories": [len(stories[s]) for s in SPLITS],
        "sentences": [len(corpus[s]) for s in SPLITS],
        "tokens": [sum(map(len, corpus[s]["words"])) for s in SPLITS],
    }
    for kind in ("PER", "ORG", "LOC", "MISC"):
        rows[kind] = [sum(t == f"B-{kind}" for tags in corpus[s]["tags"] for t in tags) for s in SPLITS]
    for name, counts in rows.items():
        assert f"| {name} | " + " | ".join(f"{c:,}" for c in counts) + " |" in card


def test_the_card_has_the_measured_quality(root):
    """newswire alone teaches at least three quarters of what equally many sentences of CoNLL-2003 do."""
    result = json.loads((root / "benchmarks" / "newswire_quality.json").read_text(encoding="utf-8"))
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for run in result["runs"]:
        assert f"| {run['name']} | {run['entity_f1_mean']:.3f} | {run['entity_f1_by_seed']} |" in card
    assert result["share"] >= 0.75


def test_manifest_lists_every_data_file(root):
    listed = {line.split(maxsplit=1)[1] for line in (root / "data" / "MANIFEST").read_text().splitlines()}
    there = {
        p.relative_to(root / "data").as_posix() for p in (root / "data").glob("*/**/*") if p.suffix in (".txt", ".csv")
    }
    assert listed == there
    for line in (root / "data" / "MANIFEST").read_text().splitlines():
        expected, name = line.split(maxsplit=1)
        assert sha256(root / "data" / name) == expected, name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[LOC Oslo] won.", "before the first"),
        ("## train a\n[LOC Oslo won.", ":2: a bracket does not match"),
        ("## train a\n[CITY Oslo] won.", ":2: unknown type 'CITY'"),
        ("## train a\n[MISC German]-born.", ":2: '[MISC German]' touches"),
        ("## dev a\n", "expected '## train|valid|test story-name'"),
        ("## train a\n## test a\n", ":2: story 'a' is already at"),
    ],
)
def test_a_bad_story_line_is_named(convert, tmp_path, text, said):
    (tmp_path / "x.txt").write_text(text, encoding="utf-8")
    with pytest.raises(convert.StoryError) as error:
        convert.read_stories(tmp_path)
    assert said in str(error.value) and "x.txt:" in str(error.value)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Mr. Lee won't go.", "Mr. Lee wo n't go ."),
        ("U.S.-led talks in Group B.", "U.S.-led talks in Group B ."),
        ("O'Brien's 2:31.40, up 5.2%", "O'Brien 's 2:31.40 , up 5.2 %"),
        ("C$1.5 million -- said J. K. Rowe", "C$ 1.5 million -- said J. K. Rowe"),
        ("won 3-1 (6-4)", "won 3-1 ( 6-4 )"),
    ],
)
def test_tokens_follow_the_treebank(convert, text, tokens):
    assert convert.tokenize(text) == tokens.split()


def test_tokenizing_loses_nothing_but_space(convert):
    for path in sorted((FOLDER / "stories").glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert "".join(convert.tokenize(line)) == "".join(line.split())
