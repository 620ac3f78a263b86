"""Lessons 02 and 04 run with corpora of other kinds than the course's own, or say in the first cell that knows why not.

The sentences are made up. The forms are those of WNUT-17 (posts, types with a hyphen, two columns), of GermEval 2014
(a running number first, tags of names inside names last) and of a corpus that somebody has just begun.
"""

import pytest
from conftest import measured, smoke

TYPES = {
    "posts": ["person", "creative-work", "corporation", "product", "group", "location"],
    "german": ["PER", "LOC", "ORG", "OTH", "PERderiv", "LOCpart"],
    "one_sentence": ["drug"],
}


def tagged(text: str) -> list[tuple[str, str]]:
    """`[PER Anna Weber] sings` as (word, tag) pairs."""
    pairs: list[tuple[str, str]] = []
    kind = position = None
    for word in text.split():
        if word.startswith("["):
            kind, position = word[1:], "B"
            continue
        tag = f"{position}-{kind}" if kind else "O"
        position = "I"
        pairs.append((word.rstrip("]") if kind else word, tag))
        if kind and word.endswith("]"):
            kind = None
    return pairs


POSTS = [
    "omg [person lil bo] just dropped [creative-work the long road] !!",
    "[corporation acme inc] says the [product phone 7] is late again :(",
    "saw [group The Lost Keys] live in [location porto] w/ [person @anna_k]",
    "so bored rn 🙄",
]
GERMAN = [
    "[PER Anna Weber] wohnt seit 1998 in [LOC Bad Tölz] .",
    "Die [ORG Deutsche Post] plant eine [LOCpart Köln-Reise] .",
    "Das [PERderiv Kantsche] Werk sah man im [OTH Tatort] .",
    "Es regnet .",
]
CORPORA = {
    "posts": {
        "train": 3 * POSTS,
        "valid": POSTS,
        "test": [  # no name of it is in train
            "[person tom] and [corporation Zuplo] in [location Leeds] #fail",
            "new [creative-work Blue Hour] by [group team red] on my [product Zoomix]",
        ],
    },
    "german": {"train": 3 * GERMAN, "valid": GERMAN, "test": [*GERMAN, "In [LOC Köln] singt [PER Jonas] ."]},
    "one_sentence": {split: ["we gave [drug zorix] twice"] for split in ("train", "valid", "test")},
}


def write(folder, splits, numbered=False):
    """Two columns with a tab between them, or GermEval's four."""
    for split, sentences in splits.items():
        lines = []
        for sentence in sentences:
            for i, (word, tag) in enumerate(tagged(sentence), start=1):
                lines.append("\t".join([str(i), word, tag, "O"] if numbered else [word, tag]))
            lines.append("")
        (folder / f"{split}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("lesson", "name"), [("02", "posts"), ("02", "one_sentence"), ("04", "german"), ("04", "one_sentence")]
)
def test_a_lesson_runs_with_another_corpus(tmp_path, lesson, name):
    folder = tmp_path / name
    folder.mkdir()
    write(folder, CORPORA[name], numbered=name == "german")
    done, entry, shown = smoke(lesson, tmp_path / "out", f"CORPUS={folder}")
    assert done.returncode == 0, done.stderr[-3000:]
    found = measured(entry)
    if lesson == "02":
        asked = [kind for kind in TYPES[name] if f"Which {kind} is named?" in shown]
        assert len(asked) == min(3, len(TYPES[name]))
        assert 0 <= found["entity F1, everything"]["value"] <= 1
    else:
        tags = [tag for sentence in CORPORA[name]["test"] for _, tag in tagged(sentence)]
        assert found["words right, always answering O"]["value"] == pytest.approx(tags.count("O") / len(tags))
        assert all(f"B-{kind}" in shown for kind in TYPES[name])
        assert ("entity F1 on names that are not in train" in found) == (name == "german"), (
            "names that are not in train"
        )


def test_what_cannot_work_is_said_where_it_is_known(tmp_path):
    """A test set without a name; sentences that never name exactly one thing of a type."""
    cases = {
        "04": ({**CORPORA["one_sentence"], "test": ["nothing happened"]}, "none of the 1 sentences of test has a name"),
        "02": ({split: ["[x A] met [x B]"] for split in CORPORA["posts"]}, "no question can be made"),
    }
    for lesson, (splits, message) in cases.items():
        folder = tmp_path / lesson
        folder.mkdir()
        write(folder, splits)
        done, entry, _ = smoke(lesson, tmp_path / f"out-{lesson}", f"CORPUS={folder}")
        assert done.returncode != 0 and entry["status"] == "failed"
        assert "CorpusError" in entry["error"] and message in entry["error"], entry["error"]
