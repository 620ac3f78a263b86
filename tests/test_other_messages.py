"""Lessons 3, 5 and 6 with other messages and other worlds than their own, through the tool, in the smoke profile."""

import csv

import pytest
from conftest import ROOT, measured, smoke

BANKING = ROOT.parent / "shared" / "data" / "banking77"
TRIMMED = ["MANY=4", "EPISODES=4", "STARTS=2", "DRAWS=3"]
THINGS = ("soup", "bread", "tea", "rice", "cake", "plate")
WISHES = {
    "praise": "the {} number {} was warm and good",
    "complaint": "the {} number {} was cold and bad",
    "order!": "please bring me {} number {}",
    "Frage [offen]": "wann kommt {} Nummer {}",
    "a/b": "{} number {} left or right",
}


def corpus(folder, sizes, test=8):
    """Write a corpus of so many training messages for each category, and some test messages of each."""
    folder.mkdir()
    for split, begin in (("train", 0), ("test", 100)):
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["text", "category"])
            for category, size in sizes.items():
                for number in range(begin, begin + (size if split == "train" else test)):
                    rows.writerow([WISHES[category].format(THINGS[number % len(THINGS)], number), category])
    return folder


def test_fewshot_with_two_categories_of_odd_names(tmp_path):
    """No 5-way episode, no twelve pairs, no rare quarter: the lesson takes what there is, and names it."""
    folder = corpus(tmp_path / "two", {"praise": 9, "Frage [offen]": 12})
    done, entry, _ = smoke("05", tmp_path / "out", f"CORPUS={folder}", *TRIMMED)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [label for label in measured(entry) if "-way" in label] == ["accuracy, 2-way 5-shot"]


def test_fewshot_with_four_categories_and_one_that_has_a_single_message(tmp_path):
    folder = corpus(tmp_path / "four", {"praise": 7, "complaint": 8, "order!": 6, "a/b": 20, "Frage [offen]": 1})
    done, entry, shown = smoke("05", tmp_path / "out", f"CORPUS={folder}", *TRIMMED)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [label for label in measured(entry) if "-way" in label] == ["accuracy, 4-way 5-shot"]
    assert "Left out, fewer than 6 training messages: Frage [offen]" in shown
    assert "POOL is 6" in shown


def test_fewshot_refuses_a_corpus_with_too_few_messages_in_the_first_cell_that_knows(tmp_path):
    folder = corpus(tmp_path / "few", {"praise": 9, "complaint": 5})
    done, _, _ = smoke("05", tmp_path / "out", f"CORPUS={folder}")
    assert done.returncode != 0
    assert "needs two categories or more with 6 training" in done.stdout + done.stderr


def test_fewshot_on_banking77(tmp_path):
    if not BANKING.is_dir():
        pytest.skip("banking77 is not here: it may not be redistributed with the course")
    done, entry, _ = smoke("05", tmp_path / "out", f"CORPUS={BANKING}", *TRIMMED)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "accuracy, 77-way 5-shot" in measured(entry)


@pytest.mark.parametrize("team", ["praise", ""])
def test_cross_entropy_with_two_categories_that_one_number_separates(tmp_path, team):
    folder = corpus(tmp_path / "two", {"praise": 24, "complaint": 24})
    done, entry, _ = smoke("03", tmp_path / "out", f"CORPUS={folder}", f"TEAM={team}")
    assert done.returncode == 0, done.stderr[-3000:]
    on = measured(entry)["accuracy, with a penalty"]["on"]
    assert "is it for" in on and "two" in on


def test_cross_entropy_names_the_categories_that_it_could_ask_about(tmp_path):
    folder = corpus(tmp_path / "two", {"praise": 24, "complaint": 24})
    done, _, _ = smoke("03", tmp_path / "out", f"CORPUS={folder}", "TEAM=orders")
    assert done.returncode != 0 and "expected one of: complaint, praise" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("lake", "world"),
    [
        ("8x8", "CliffWalking-v1"),
        ("SFF/FHF/FFG", "FrozenLake8x8-v1"),
    ],
)
def test_q_learning_in_other_worlds(tmp_path, lake, world):
    """The course's own worlds are named in code nowhere but where a section is about them."""
    fewer = ["TAXI_STEPS=20000", "LAKE_STEPS=3000"]
    done, entry, _ = smoke("06", tmp_path / "out", f"LAKE={lake}", f"WORLD={world}", *fewer)
    assert done.returncode == 0, done.stderr[-3000:]
    if world == "CliffWalking-v1":
        assert measured(entry)["mean greedy return"]["value"] == pytest.approx(-13)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("LAKE", "SH/HG", "no way leads from the start to a goal"), ("WORLD", "CartPole-v1", "carries no table")],
)
def test_q_learning_refuses_a_world_that_it_cannot_solve(tmp_path, name, value, said):
    done, _, _ = smoke("06", tmp_path / "out", f"{name}={value}")
    assert done.returncode != 0 and said in done.stdout + done.stderr
