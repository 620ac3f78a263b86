"""The task loop, its memory and its worker: each mechanism does its own work, and nothing is lost or invented."""

import itertools
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_course.lessons import Course
from babyagi_course.notebooks import figures, source
from babyagi_lib.agents import task_loop
from babyagi_lib.agents.memory import Memory, cosines
from babyagi_lib.worlds import stock_report as world

FIRST = [world.WORDINGS["worth"][0].format(thing) for thing in world.THINGS]
PLACES = {question: place for place, question in enumerate(dict.fromkeys(world.ASKED.values()))}


def embed(texts):
    """One direction for each question and for each result; all wordings of one question are the same."""
    rows = np.zeros((len(texts), 200))
    for row, text in enumerate(texts):
        rows[row, PLACES[world.ASKED[text]] if text in world.ASKED else 60 + sum(map(ord, text)) % 140] = 2.0
    return rows


class Everything:
    """A memory that recalls all it has."""

    def __init__(self):
        self.embed, self.entries, self.asked = embed, [], []

    def store(self, text):
        self.entries.append(text)

    def recall(self, question, k):
        self.asked.append(question)
        return list(self.entries)


def answered(run):
    return [world.question(task) for task, result in run.executed if result.answered]


def missing(run):
    return [world.WORDINGS[q.about][0].format(q.thing) for q in world.still_open(answered(run))]


def needed(new, run):
    waiting = {world.question(task) for task in run.waiting}
    return world.question(new) in set(world.still_open(answered(run))) - waiting


def worker(m, seed=0, **faults):
    return world.Worker(m, rng=np.random.default_rng(seed), **faults)


def run(m=1.5, seed=0, budget=60, faults=None, **mechanisms):
    return task_loop.run(
        world.OBJECTIVE, FIRST, worker(m, seed, **(faults or {})), Everything(), budget=budget, **mechanisms
    )


ARMS = st.fixed_dictionaries(
    {
        "same": st.sampled_from([None, 0.9]),
        "stable": st.booleans(),
        "check": st.sampled_from([None, missing]),
        "keep": st.sampled_from([None, needed]),
        "ask_with_task": st.booleans(),
    }
)


@settings(max_examples=40)
@given(ARMS, st.integers(0, 1000), st.sampled_from([0.5, 1.5, 3.0]), st.integers(1, 50))
def test_every_task_is_executed_or_waiting_or_lost_and_the_budget_is_kept(mechanisms, seed, m, budget):
    found = run(m, seed, budget, **mechanisms)
    assert len(found.executed) == len(found.lengths) == len(found.created) <= budget
    if found.ended == "budget":
        assert len(found.executed) == budget
    on_the_list = len(FIRST) + sum(found.created)
    ends = len(found.executed) + len(found.waiting) + len(found.lost)
    assert on_the_list <= ends if mechanisms["check"] else on_the_list == ends
    if mechanisms["stable"]:
        assert not found.lost
    if found.ended == "done":
        assert not missing(found)
    if found.ended == "nothing left":
        assert not found.waiting and mechanisms["check"] is None


def test_no_question_is_on_the_list_twice_with_deduplication():
    class Watching(world.Worker):
        def create(self, objective, task, result, waiting):
            assert max(Counter(map(world.question, waiting)).values(), default=0) <= 1
            return super().create(objective, task, result, waiting)

    watched = Watching(3.0, rng=np.random.default_rng(4))
    found = task_loop.run(world.OBJECTIVE, FIRST, watched, Everything(), budget=80, same=0.9, stable=True)
    assert max(Counter(answered(found)).values()) == 1  # what failed may be tried again, what was answered is not
    assert found.refused


def test_with_all_mechanisms_every_seed_is_done_soon():
    for seed in range(10):
        found = run(seed=seed, same=0.9, stable=True, check=missing, keep=needed)
        assert found.ended == "done" and len(found.executed) <= 35
        assert set(answered(found)) == set(world.QUESTIONS)


def test_what_is_still_needed_makes_fewer_than_one_new_task():
    created = [n for seed in range(20) for n in run(seed=seed, stable=True, check=missing, keep=needed).created]
    assert np.mean(created) < 0.8


def test_memory_is_asked_with_the_task_or_with_the_objective():
    for with_task in (True, False):
        memory = Everything()
        found = task_loop.run(world.OBJECTIVE, FIRST, worker(1.0), memory, budget=5, ask_with_task=with_task)
        wanted = [task if with_task else world.OBJECTIVE for task, _ in found.executed]
        assert memory.asked == wanted


def test_a_list_that_is_written_anew_loses_about_as_many_as_it_should():
    lost = [run(2.0, seed, 40, {"drops": 0.1}) for seed in range(20)]
    share = sum(len(r.lost) for r in lost) / sum(n + len(r.lost) / 40 for r in lost for n in r.lengths)
    assert 0.08 < share < 0.12


def test_the_worker_makes_m_tasks_of_which_a_share_is_astray():
    talker = worker(1.5, astray=0.4)
    made = [talker.create("", "", None, []) for _ in range(4000)]
    assert np.mean(list(map(len, made))) == pytest.approx(1.5, abs=4 * (1.5 / 4000) ** 0.5)
    idle = [world.question(task).about in world.IDLE for tasks in made for task in tasks]
    assert np.mean(idle) == pytest.approx(0.4, abs=0.03)


def test_a_sum_needs_price_and_number():
    task, thing = FIRST[0], world.THINGS[0]
    price, number = (world.answer(world.WORDINGS[part][2].format(thing), []) for part in ("price", "number"))
    assert not world.answer(task, [price.text]).answered
    done = world.answer(task, [number.text, price.text])
    assert done.answered and str(world.PRICES[thing] * world.STOCK[thing]) in done.text
    assert len(world.ASKED) == len(world.WORDINGS) * 4 * len(world.THINGS)  # no wording says two things
    with pytest.raises(ValueError, match="no task of this world"):
        world.answer("Dance.", [])


def test_a_run_out_of_range_is_refused():
    for wrong in ({"budget": 0}, {"k": 0}, {"same": 2}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            run(**wrong)
    with pytest.raises(ValueError, match="drops"):
        worker(1, drops=2)


# --- memory ---------------------------------------------------------------------------------------------------------


def letters(texts):
    """Counts of letters: vectors of many lengths."""
    return np.array([[text.count(chr(97 + n)) for n in range(26)] for text in texts], dtype=float)


words = st.lists(st.text("abcdef", min_size=1, max_size=6), min_size=1, max_size=12)


@settings(max_examples=60)
@given(words, st.text("abcdef", min_size=1, max_size=6), st.integers(1, 15))
def test_memory_recalls_the_most_similar_entries_once_each(texts, question, k):
    memory = Memory(letters)
    for text in texts:
        memory.store(text)
    found = memory.recall(question, k)
    assert len(found) == len(set(found)) == min(k, len(set(texts)))
    similar = dict(zip(memory.entries, cosines(letters, [question], memory.entries)[0], strict=True))
    assert all(similar[a] >= similar[b] for a, b in itertools.pairwise(found))
    assert all(similar[out] <= similar[found[-1]] for out in set(texts) - set(found))


def test_a_long_vector_is_not_preferred():
    memory = Memory(letters)
    for text in ("ab", "aaaaaaaac"):
        memory.store(text)
    assert memory.recall("ab", 1) == ["ab"]
    assert Memory(letters).recall("a", 3) == []
    with pytest.raises(ValueError, match="empty"):
        memory.store(" ")


# What the lesson's last table quotes from others: its words, the lesson, and what that lesson published.
QUOTED = [
    ("accuracy 0.76 with 100 labels", "01_pretraining", "accuracy, few labels, pretrained"),
    ("0.29 without pretraining", "01_pretraining", "accuracy, many labels, random weights"),
    ("F1 0.58 with", "02_adapter_heads", "entity F1, bottleneck"),
    ("0.65 if all is trained", "02_adapter_heads", "entity F1, everything"),
    ("give 0.002", "04_ner_finetuning", "entity F1 with the article's labels"),
    ("repaired, 0.77", "04_ner_finetuning", "entity F1"),
    ("0.71 for 5 classes", "05_fewshot", "accuracy, 5-way 5-shot"),
    ("0.40 for 24", "05_fewshot", "accuracy, 24-way 5-shot"),
    ("0.674 of", "09_rlhf", "objective, GRPO"),
    ("possible 0.675", "09_rlhf", "objective, optimum"),
    ("1.00 right", "10_reading_agent", "right, PPO"),
    ("0.39 if it cannot read", "10_reading_agent", "right, blind"),
    ("0.70 with all", "11_fusion", "all senses, log-odds"),
    ("0.56 with trained senses", "12_sorting_agent", "value, trained senses, beliefs"),
    ("0.93 with perfect ones", "12_sorting_agent", "value, perfect senses"),
]


@pytest.mark.parametrize(("words", "name", "label"), QUOTED)
def test_the_course_on_one_page_quotes_what_the_lessons_published(words, name, label):
    lessons = {lesson.name: lesson for lesson in Course.find().lessons}
    cells = [source(cell) for cell in lessons["14_task_loop"].notebook["cells"] if "on one page" in source(cell)]
    (row,) = [line for line in cells[0].splitlines() if line.startswith("|") and words in line]
    assert f"({name}.ipynb)" in row
    (number,) = re.findall(r"\b\d\.\d+", words)
    (value,) = [figure["value"] for figure in figures(lessons[name].notebook) if figure["label"] == label]
    assert f"{value:.{len(number) - 2}f}" == number
