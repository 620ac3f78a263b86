"""Every notebook keeps the contract, runs in the smoke profile, and its exercises answer as they should."""

import ast
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import papermill
import pytest
from conftest import babyagi
from papermill.iorw import load_notebook_node
from reading import calls, imported_by, parsed

from babyagi_course import editions
from babyagi_course.lessons import Course
from babyagi_course.links import Links, with_map
from babyagi_course.notebooks import figures, source, tags
from babyagi_lib.learner import quiz
from babyagi_lib.learner.lessons import module_of
from babyagi_lib.learner.publishing import differing

COURSE = Course.find()
LESSONS = COURSE.lessons
HEADINGS = ["You will", "Before you start", "What you measured", "Recap", "Quiz", "Where to go next", "Sources"]

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)


def code_cells(lesson):
    return [cell for cell in lesson.notebook["cells"] if cell["cell_type"] == "code"]


def test_there_are_lessons():
    assert [lesson.name for lesson in LESSONS] == sorted(lesson.name for lesson in LESSONS) and LESSONS


@each_lesson
def test_skeleton(lesson):
    text = "\n".join(source(c) for c in lesson.notebook["cells"] if c["cell_type"] == "markdown")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert [h for h in headings if h in HEADINGS] == HEADINGS
    assert lesson.title.startswith(f"Lesson {int(lesson.name[:2])}. ")
    objectives = re.search(r"## You will\n(.*?)(?=\n## |\Z)", text, re.DOTALL)[1]
    assert 3 <= len(re.findall(r"^\d\. ", objectives, re.MULTILINE)) <= 6
    assert "of memory at its peak" in text, "babyagi refresh writes the measured cost"


@each_lesson
def test_metadata(lesson):
    nbformat.validate(nbformat.from_dict(lesson.notebook))
    assert lesson.notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "widgets" not in lesson.notebook["metadata"], "stored widget state breaks viewers"
    assert lesson.parameters, "one cell tagged parameters, of plain assignments"
    ids = [cell["id"] for cell in lesson.notebook["cells"]]
    assert len(set(ids)) == len(ids)


@each_lesson
def test_outputs_are_those_of_a_full_run(lesson):
    """Run in order, without errors, by the tool, from the source as it is now."""
    counts = [cell["execution_count"] for cell in code_cells(lesson)]
    assert counts == sorted(counts) and None not in counts
    assert not [o for cell in code_cells(lesson) for o in cell["outputs"] if o["output_type"] == "error"]
    ran = lesson.notebook["metadata"]["babyagi"]
    assert ran["profile"] == "cpu" and ran["parameters"] == lesson.parameters
    assert figures(lesson.notebook)


@each_lesson
def test_size_and_time(lesson):
    assert lesson.path.stat().st_size < 2_000_000
    ran = lesson.notebook["metadata"]["babyagi"]
    assert ran["peak_memory_mb"] < 3072


@each_lesson
def test_figures_have_alt_text(lesson):
    """One figure a cell, so that the book can give it its alt text."""
    for cell in code_cells(lesson):
        images = [o for o in cell["outputs"] if "image/png" in o.get("data", {})]
        assert len(images) <= 1, source(cell)
        for image in images:
            assert len(image["metadata"]["image/png"]["alt"]) > 40, source(cell)


@each_lesson
def test_portable_markdown(lesson):
    """No directive or diagram that JupyterLab or Colab would show as code, no image from elsewhere."""
    for cell in lesson.notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = source(cell)
            assert not re.search(r"^(```|:::)(\{|mermaid)", text, re.MULTILINE)
            assert "<img" not in text and not re.search(r"!\[[^]]*\]\(http", text)


@each_lesson
def test_nothing_of_this_machine_is_in_it(lesson, root):
    text = lesson.path.read_text(encoding="utf-8")
    assert str(root) not in text and str(root.parent) + "/" not in text and "site-packages" not in text


@each_lesson
def test_some_outputs_are_compared(lesson):
    assert any("nbval-check-output" in tags(cell) for cell in code_cells(lesson))


@each_lesson
def test_the_table_at_the_end_is_short(lesson):
    """One call of `publish`, ten lines with all that is computed for it, no longer than a page of the book is wide."""
    cells = lesson.notebook["cells"]
    start = next(i for i, cell in enumerate(cells) if "## What you measured" in source(cell))
    end = next(i for i, cell in enumerate(cells) if "## Recap" in source(cell))
    code = "\n".join(source(cell) for cell in cells[start:end] if cell["cell_type"] == "code")
    assert code.count("publish(") == 1 and len(code.splitlines()) <= 10
    assert max(map(len, code.splitlines())) <= 78
    assert sum("publish(" in source(cell) for cell in code_cells(lesson)) == 1


# --- exercises ---------------------------------------------------------------------------------------------


def exercises(lesson):
    """Pairs of a stub cell and its solution cell, in order."""
    cells = code_cells(lesson)
    stubs = [c for c in cells if "exercise" in tags(c)]
    solutions = [c for c in cells if "solution" in tags(c)]
    assert len(stubs) == len(solutions)
    return list(zip(stubs, solutions, strict=True))


@each_lesson
def test_exercises_are_announced_with_difficulty_minutes_and_hints(lesson):
    text = "\n".join(source(c) for c in lesson.notebook["cells"] if c["cell_type"] == "markdown")
    sections = re.findall(r"^### Exercise \d.*?(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert len(sections) == len(exercises(lesson)) >= 1
    for section in sections:
        assert re.search(r"\*Difficulty [123] of 3, about \d+ minutes\.\*", section)
        assert section.count("<details><summary>Hint") == section.count("</details>") >= 1


@each_lesson
def test_solutions_are_collapsed_and_known_as_solutions(lesson):
    """In JupyterLab and Colab, which shows the first line; what the notebook itself solves is not noted as the learner's."""
    for number, (_, solution) in enumerate(exercises(lesson), start=1):
        assert solution["metadata"]["jupyter"] == {"source_hidden": True}
        assert solution["metadata"]["cellView"] == "form"
        assert source(solution).startswith(f"# @title Solution {number}\n")
    for cell in code_cells(lesson):
        solves = "solution" in tags(cell)
        called = [ast.unparse(call) for call in calls(parsed(source(cell)), "checks")]
        assert len(called) == (solves or "exercise" in tags(cell)), source(cell)
        assert all(call.endswith(", solution=True)") == solves for call in called), source(cell)


@each_lesson
def test_the_quiz_is_asked_and_can_be_read_without_a_kernel(lesson):
    (cell,) = [cell for cell in code_cells(lesson) if source(cell).startswith("quiz.ask(")]
    assert source(cell) == f'quiz.ask("{lesson.name}")'
    (output,) = cell["outputs"]
    assert "".join(output["data"]["text/html"]) == quiz.as_html(quiz.load(lesson.name))


@each_lesson
def test_exercises_need_only_what_is_imported(lesson, tmp_path, monkeypatch):
    """So that they can be graded by themselves, in seconds, and done before anything else was run."""
    assignment = editions.assignment(lesson)
    monkeypatch.chdir(tmp_path)
    names = {}
    for cell in assignment["cells"]:
        if cell["cell_type"] == "code":
            exec(compile(cell["source"], lesson.name, "exec"), names)
    assert names["verdict"].status == "correct"


@each_lesson
def test_nothing_depends_on_the_learners_answer(lesson):
    """What an exercise defines is used in no other cell, so that a notebook runs with every stub unsolved."""
    pairs = exercises(lesson)
    defined = {ast.parse(source(stub)).body[0].name for stub, _ in pairs}
    for cell in code_cells(lesson):
        if not {"exercise", "solution"} & set(tags(cell)):
            used = {node.id for node in ast.walk(parsed(source(cell))) if isinstance(node, ast.Name)}
            assert not used & defined, source(cell)


@each_lesson
def test_committed_verdicts(lesson):
    for stub, solution in exercises(lesson):
        assert "Not attempted yet" in json.dumps(stub["outputs"])
        assert "Correct" in json.dumps(solution["outputs"])


# --- running -----------------------------------------------------------------------------------------------


# Every lesson is run twice alike: in seconds, with another seed than the committed run's, on one thread; once by nbval
# and once by the tool. A run is made by the first test that asks for it.
SEED = 1
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@functools.cache
def run_by_nbval(lesson):
    """How it ended, and the figures that the notebook published."""
    parameters = COURSE.profiles["smoke"].get(lesson.name, {}) | {"SEED": SEED}
    notebook = papermill.parameterize.parameterize_notebook(load_notebook_node(str(lesson.path)), parameters)
    with tempfile.TemporaryDirectory() as folder:
        copy, kept = Path(folder) / lesson.path.name, Path(folder) / "figures.json"
        path = os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]])
        nbformat.write(notebook, copy)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "--nbval-lax",
                "-q",
                "-p",
                "no:cacheprovider",
                "-p",
                "nbval_figures",
                "--nbval-current-env",
                "--nbval-cell-timeout=300",
                str(copy),
            ],
            cwd=lesson.path.parent,
            capture_output=True,
            text=True,
            env=ONE_THREAD | {"PYTHONPATH": path, "NBVAL_FIGURES": str(kept)},
            check=False,
        )
        return done, json.loads(kept.read_text(encoding="utf-8"))


@functools.cache
def run_by_the_tool(lesson):
    """How it ended, and the lesson's entry in the report."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["run", lesson.name, "--profile", "smoke", "--set", f"SEED={SEED}", "--out", folder]
        done = babyagi(COURSE.root, *arguments, env=ONE_THREAD)
        report = json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))
    return done, report["lessons"][lesson.name]


def files_imported_by(lesson) -> set[str]:
    """The files of the library that the notebook's own import statements name."""
    names = {name for name in imported_by(lesson) if name.startswith("babyagi_lib.")}
    names |= {name.rpartition(".")[0] for name in names}
    paths = {name.replace(".", "/") + ending for name in names for ending in (".py", "/__init__.py")}
    return {path for path in paths if (COURSE.root / path).is_file()}


@each_lesson
def test_nbval_in_the_smoke_profile(lesson):
    """The cells tagged for it show what they showed in the committed run."""
    done, _ = run_by_nbval(lesson)
    assert done.returncode == 0, done.stdout[-6000:]
    assert re.search(r"\d+ passed", done.stdout)


@each_lesson
def test_another_seed_and_one_thread_come_to_the_same_conclusions(lesson):
    """The assert cells hold, in less than 3 GB."""
    done, entry = run_by_the_tool(lesson)
    assert done.returncode == 0, done.stderr[-3000:]
    assert entry["peak_memory_mb"] < 3072


@each_lesson
def test_what_it_uses_is_known(lesson):
    """The modules that it imports, its quiz, the measured results that it shows, and every file of its corpora."""
    _, entry = run_by_the_tool(lesson)
    used, text = entry["used"]["files"], "\n".join(source(cell) for cell in code_cells(lesson))
    modules = files_imported_by(lesson)
    assert f"babyagi_lib/learner/checks/{module_of(lesson.name)}.py" in modules
    expected = modules | {f"babyagi_lib/learner/quizzes/{lesson.name}.yml"}
    expected |= {f"benchmarks/{name}.json" for name in re.findall(r"\bload_result\(\"(\w+)\"\)", text)}
    manifest = (COURSE.root / "data" / "MANIFEST").read_text(encoding="utf-8")
    for corpus, load in (
        ("headlines", "load_headlines("),
        ("newswire", "load_ner("),
        ("support_intents", "load_intents("),
        ("catalogue", "load_catalogue("),
    ):
        if load in text:
            expected |= {"data/MANIFEST", *(f"data/{name}" for name in re.findall(rf"{corpus}/\S+", manifest))}
    assert expected <= used.keys(), expected - used.keys()
    for path, found in used.items():
        if found and not (COURSE.root / path).is_dir():
            assert hashlib.sha256((COURSE.root / path).read_bytes()).hexdigest() == found, path


@each_lesson
def test_the_same_seed_measures_the_same(lesson):
    """Every figure but times and speeds, to the last bit, from two kernels whose sets and hashes have another order."""
    (_, first), (_, second) = run_by_nbval(lesson), run_by_the_tool(lesson)
    assert {f["label"] for f in first} == {f["label"] for f in figures(lesson.notebook)}
    assert differing(first, second["figures"]) == {}


def test_the_ner_lesson_runs_on_the_real_corpus(conll, tmp_path):
    """CORPUS may be a folder: CoNLL-2003 itself, a small part of it, through the tool."""
    arguments = ["run", "04", "--profile", "smoke", "--set", f"CORPUS={conll}", "--out", str(tmp_path)]
    done = babyagi(COURSE.root, *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    entry = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["lessons"]["04_ner_finetuning"]
    measured = {figure["label"]: figure["value"] for figure in entry["figures"]}
    assert measured["words right, always answering O"] == pytest.approx(38323 / 46435)


def test_the_published_ner_run_is_what_the_lesson_says():
    """Its own loop, as many epochs; batches of twice as many pieces, and higher rates."""
    from babyagi_lib.sources.results import load_result

    settings = load_result("ner_conll2003")["settings"]
    lesson = next(lesson for lesson in LESSONS if lesson.name == "04_ner_finetuning").parameters
    assert settings["epochs"] == lesson["EPOCHS"]
    assert settings["ours"]["batch_tokens"] == 2 * lesson["BATCH_TOKENS"]
    for rate in ("learning_rate", "head_learning_rate"):
        assert settings["ours"][rate] > lesson[rate.upper()]


def test_the_readme_has_the_figures_of_the_notebooks(root):
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert readme == with_map(readme, LESSONS, Links.read(root))
    for lesson in LESSONS:
        assert lesson.title in readme
