"""The learner's own file: what is solved and answered is noted there, once, whole, and never lost."""

import errno
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from babyagi_lib.basics.whole import locked
from babyagi_lib.learner import journal, lessons, progress, quiz
from babyagi_lib.learner.checks import start_here as checks
from babyagi_lib.learner.checks import verdict


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_yet(folder, capsys):
    assert journal.read() == {}
    progress.show()
    told = capsys.readouterr().out
    assert "0 of 3" in told and journal.FILE in told
    assert list(folder.iterdir()) == [], "showing writes nothing"


events = st.lists(
    st.one_of(
        st.tuples(st.just("exercise"), st.sampled_from(["a", "b"]), st.sampled_from(["one", "two", "three"])),
        st.tuples(st.just("answer"), st.sampled_from(["a", "b"]), st.integers(1, 5), st.integers(1, 4)),
    ),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(events)
def test_everything_done_is_in_it_once_and_the_first_answer_counts(folder, done):
    (folder / journal.FILE).unlink(missing_ok=True)
    for event in done:
        if event[0] == "exercise":
            journal.record_exercise(*event[1:])
        else:
            journal.record_answer(*event[1:])
    found = journal.read()
    for lesson in ("a", "b"):
        solved = [e[2] for e in done if e[:2] == ("exercise", lesson)]
        first = {}
        for _, _, number, tries in [e for e in done if e[:2] == ("answer", lesson)]:
            first.setdefault(str(number), tries)
        entry = found.get(lesson, {"exercises": [], "quiz": {}})
        assert entry["exercises"] == list(dict.fromkeys(solved))
        assert entry["quiz"] == first
    assert [path.name for path in folder.iterdir()] in ([], [journal.FILE]), "no partial file stays"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"a": 1}',
        '{"a": {"exercises": []}}',
        '{"a": {"exercises": "ab", "quiz": {}}}',
        '{"a": {"quiz": {"x": 1}, "exercises": []}}',
        "\x00",
    ],
)
def test_a_file_that_is_not_ours_is_told_about_and_kept(folder, text):
    (folder / journal.FILE).write_text(text, encoding="utf-8")
    with pytest.raises(journal.JournalError, match="delete it to start again"):
        journal.record_exercise("a", "one")
    assert (folder / journal.FILE).read_text(encoding="utf-8") == text


def test_where_nothing_can_be_written_the_verdict_stands_and_says_so(folder, monkeypatch):
    (folder / (journal.FILE + ".partial")).mkdir()  # a name that cannot be written to, also for the administrator
    monkeypatch.setattr(verdict, "_in_notebook", lambda: True)
    found = checks.cosine(lambda a, b: a @ b / (a @ a * (b @ b)) ** 0.5)
    assert found.status == "correct"
    assert "Your progress was not saved: my_progress.json cannot be written here" in found.message


def test_a_solved_exercise_is_noted_once(folder, monkeypatch):
    monkeypatch.setattr(verdict, "_in_notebook", lambda: True)
    for _ in range(2):
        found = checks.cosine(lambda a, b: a @ b / (a @ a * (b @ b)) ** 0.5)
        assert "(1 of 1 exercises of this lesson solved.)" in found.message
    assert journal.read() == {"00_start_here": {"exercises": ["cosine"], "quiz": {}}}
    assert checks.cosine(lambda a, b: 0).status == "not yet"
    assert journal.read()["00_start_here"]["exercises"] == ["cosine"], "what was solved stays solved"


# --- several notebooks at once ------------------------------------------------------------------------------

WRITER = """
import fcntl, sys

def without_locks(*_):
    raise OSError({error}, "No locks available")

if {error}:
    fcntl.flock = without_locks
from babyagi_lib.learner import journal

for number in range(20):
    journal.record_exercise(sys.argv[1], f"exercise {{number}}")
    journal.record_answer("all", int(sys.argv[1]) * 100 + number, 1)
"""


@pytest.mark.parametrize("error", [0, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_notebooks_that_write_at_the_same_time_lose_nothing(folder, error):
    """Also in a folder whose file system has no locks, as some network folders."""
    command = [sys.executable, "-c", WRITER.format(error=error)]
    writers = [subprocess.Popen([*command, str(n)], stderr=subprocess.PIPE, text=True) for n in range(3)]
    assert [writer.communicate()[1] for writer in writers] == ["", "", ""]
    found = journal.read()
    assert all(len(found[str(n)]["exercises"]) == 20 for n in range(3)) and len(found["all"]["quiz"]) == 60
    assert [path.name for path in folder.iterdir()] == [journal.FILE], "no lock stays"


def test_a_journal_that_is_in_use_for_too_long(folder, monkeypatch):
    monkeypatch.setattr(journal, "PATIENCE", 0.1)
    with locked(folder, folder / "other", 0), pytest.raises(journal.JournalError, match="in use by another notebook"):
        journal.record_exercise("a", "one")
    journal.record_exercise("a", "one")


def test_a_lock_that_a_killed_process_left_is_named(folder, monkeypatch):
    def without_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", without_locks)
    monkeypatch.setattr(journal, "PATIENCE", 0.1)
    left = folder / f"{journal.FILE}.lock"
    left.write_text("", encoding="utf-8")
    try:
        journal.record_exercise("a", "one")
    except journal.JournalError as error:
        assert f"delete {left}" in str(error)
    else:  # a newer filelock may find out that nobody holds it
        assert journal.read()["a"]["exercises"] == ["one"]


# --- quizzes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", lessons.names())
def test_a_quiz_has_questions_with_explained_options(lesson):
    questions = quiz.load(lesson)
    assert 4 <= len(questions) <= 6
    for question in questions:
        assert 3 <= len(question.options) <= 4
        assert all(len(option.because) > 20 for option in question.options), question.text
        assert len({option.text for option in question.options}) == len(question.options)
    html = quiz.as_html(questions)
    assert html.count("<strong>Right.</strong>") == len(questions)
    assert html.count("<details") == html.count("</details>") == sum(len(q.options) for q in questions)


def test_right_answers_cannot_be_guessed_from_their_place_or_length():
    questions = [question for lesson in lessons.names() for question in quiz.load(lesson)]
    places = [[o.right for o in q.options].index(True) for q in questions]
    assert max(places.count(place) for place in range(4)) < 0.6 * len(questions)
    longest = [max(q.options, key=lambda o: len(o.text)).right for q in questions]
    assert sum(longest) < 0.6 * len(questions)


def press(box, letter):
    _, buttons, answer = box.children
    buttons.value = letter
    return answer.value


def test_the_widget_explains_and_notes_the_try_that_was_right(folder):
    questions = quiz.load("04_ner_finetuning")
    first = quiz._widget("04_ner_finetuning", questions).children[0]
    options = questions[0].options
    letters = "ABCD"[: len(options)]
    right = letters[[o.right for o in options].index(True)]
    wrong = next(letter for letter in letters if letter != right)
    assert "<strong>No.</strong>" in press(first, wrong)
    assert journal.read() == {}
    assert "<strong>Right.</strong>" in press(first, right)
    assert journal.read()["04_ner_finetuning"]["quiz"] == {"1": 2}


def test_a_quiz_that_does_not_exist_is_told_about():
    with pytest.raises(quiz.QuizError, match="there are: 00_start_here, "):
        quiz.load("y")


def test_text_of_a_quiz_is_escaped():
    option = quiz.Option("a < b", "because `x < y`", True)
    html = quiz.as_html([quiz.Question("is a < b & c?", (option,))])
    assert "a &lt; b &amp; c" in html and "<code>x &lt; y</code>" in html


@pytest.mark.parametrize("history", [True, False])
def test_in_a_real_notebook_the_learners_answer_is_noted_and_the_solution_is_not(tmp_path, history):
    """Functions and classes, whatever stands above them, and also where the kernel keeps no history, as nbval runs it."""
    import nbformat
    from nbclient import NotebookClient

    function = "def f(a, b):\n    return a @ b / (a @ a * (b @ b)) ** 0.5\n\n\nstart_here.cosine(f)"
    layer = (
        "class Layer(nn.Module):\n    def __init__(self, hidden_size):\n        super().__init__()\n"
        "        self.case = nn.Embedding(5, hidden_size)\n        nn.init.zeros_(self.case.weight)\n\n"
        "    def forward(self, embeddings, case_ids):\n        return embeddings + self.case(case_ids)\n\n\n"
        "ner_finetuning.input_adapter(Layer)"
    )
    start = "from babyagi_lib.learner.checks import ner_finetuning, start_here\nfrom torch import nn"
    steps = [
        (start, None),
        (f"# @title Solution 1\n{function[:-1]}, solution=True)", "Correct"),
        (f"{function[:-1]}, solution=True)  # edited", "Correct"),
        (f"{layer[:-1]}, solution=True)", "Correct"),
        (function.replace("** 0.5", ""), "Not yet"),
        (function, "Correct"),
        (f"# @title Solution of my own\n{layer}", "Correct"),
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source, _ in steps])
    client = NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}})
    with client.setup_kernel():
        for number, (cell, (_, said)) in enumerate(zip(notebook.cells, steps, strict=True)):
            client.execute_cell(cell, number, store_history=history)
            if said:
                assert cell.outputs[0].data["text/plain"].startswith(said)
            assert (tmp_path / journal.FILE).is_file() == (number >= 5)
    assert {lesson: done["exercises"] for lesson, done in journal.read(tmp_path).items()} == {
        "00_start_here": ["cosine"],
        "04_ner_finetuning": ["input_adapter"],
    }
