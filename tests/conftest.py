"""Shared by all tests: no network, a small course, a small encoder, and the real data where it is present."""

import json
import os
import re
import runpy
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parents[1]
CONLL = ROOT.parent / "shared" / "data" / "conll2003"

BABYAGI = [sys.executable, "-c", "from babyagi_course.cli import main; main()"]
# The same on a machine that has the memory for two lessons at a time.
ROOMY = "from babyagi_course import side_by_side; side_by_side.free_memory = lambda: side_by_side.ENOUGH"
ROOMY_BABYAGI = [sys.executable, "-c", f"{ROOMY}; {BABYAGI[-1]}"]

# Each of several workers has one thread, or they would wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Without its last phase, which traces the code: in Python 3.11 a traced call can wait for ever beside other threads. And without
# a deadline for one example: on a machine that does other work, an example that takes long says nothing about the code.
settings.register_profile("course", phases=[phase for phase in Phase if phase is not Phase.explain], deadline=None)
settings.load_profile("course")

# No test may depend on the network. The second line is for this process, the third for all that are started from here.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
OFFLINE = ROOT / "tests" / "offline"
if str(OFFLINE) not in os.environ.get("PYTHONPATH", "").split(os.pathsep):
    runpy.run_path(str(OFFLINE / "sitecustomize.py"))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(OFFLINE), *filter(None, [os.environ.get("PYTHONPATH")])])


def together(test: str) -> str:
    """What shares something costly, and so runs in one worker: the tests of a file, and in test_notebooks those of a lesson."""
    file = test.partition("::")[0]
    lesson = re.search(r"\[(\d\d_\w+)\]$", test)
    return lesson[1] if lesson and file.endswith("test_notebooks.py") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Groups by the names of tests: those by marks get lost on their way to the workers (pytest 9.2 with xdist 3.8)."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return together(nodeid)

    return Together(config, log)


def with_network() -> dict[str, str]:
    """The environment of a process that may use the network, for the few that fetch what they are about."""
    others = [folder for folder in os.environ["PYTHONPATH"].split(os.pathsep) if folder != str(OFFLINE)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(others)}


def babyagi(folder: Path, *arguments: str, **options) -> subprocess.CompletedProcess:
    """Run the tool in a folder, as a user does."""
    return subprocess.run([*BABYAGI, *arguments], cwd=folder, capture_output=True, text=True, check=False, **options)


def smoke(lesson: str, out: Path, *settings: str) -> tuple[subprocess.CompletedProcess, dict, str]:
    """Run a lesson in the smoke profile: how the tool ended, the lesson's entry in the report, and its notebook's text.

    Entry and text are empty where the tool has written none. `settings` are values for `--set`, such as "LAKE=8x8".
    """
    arguments = [part for setting in settings for part in ("--set", setting)]
    done = babyagi(ROOT, "run", lesson, "--profile", "smoke", "--out", str(out), *arguments)
    report, notebooks = out / "report.json", [*out.glob("*.ipynb")]
    lessons = json.loads(report.read_text(encoding="utf-8"))["lessons"] if report.is_file() else {}
    return done, next(iter(lessons.values()), {}), "".join(path.read_text(encoding="utf-8") for path in notebooks)


def measured(entry: dict) -> dict[str, dict]:
    """What a lesson published, by label, from its entry in the report."""
    return {figure["label"]: figure for figure in entry["figures"]}


BODY = """
from babyagi_lib.learner.publishing import publish
publish("nothing", ("steps taken", STEPS))
"""


PLAN = "Plan about an hour: about 40 minutes to read, about 20 minutes for the exercises."


def lesson(path: Path, body: str = BODY, parameters: str = "STEPS = 3\nRATE = 0.5\nNAME = 'x'") -> None:
    """Write a lesson of three cells."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    cells = [
        new_markdown_cell(f"# A small lesson\n\n{PLAN}\n\n<!-- cost --><!-- /cost -->"),
        new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        new_code_cell(body),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)


def small_course(root: Path) -> Path:
    """A course of one lesson, which has not been run."""
    for folder in ("notebooks", "book"):
        (root / folder).mkdir(parents=True)
    lesson(root / "notebooks" / "01_one.ipynb")
    (root / "notebooks" / "profiles").mkdir()
    (root / "notebooks" / "profiles" / "01_one.yml").write_text("smoke:\n  STEPS: 1\n", encoding="utf-8")
    (root / "book" / "teaching.md").write_text("# Teaching\n\n<!-- timetable -->\n", encoding="utf-8")
    (root / "README.md").write_text("# Course\n\n<!-- map -->\n<!-- /map -->\n", encoding="utf-8")
    project = '[project.urls]\nRepository = "https://github.com/ada/course"\n[tool.babyagi]\nhub = ""\n'
    (root / "pyproject.toml").write_text(project, encoding="utf-8")
    return root


@pytest.fixture
def course(tmp_path) -> Path:
    return small_course(tmp_path / "a course é {x} 100%")  # odd characters, as real home folders have


def report(root: Path) -> dict:
    """What the last runs of a course came to, by lesson."""
    return json.loads((root / "build" / "report.json").read_text(encoding="utf-8"))["lessons"]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def conll() -> Path:
    if not CONLL.is_dir():
        pytest.skip("CoNLL-2003 is not here: it may not be redistributed with the course")
    return CONLL


@pytest.fixture(scope="session")
def tokenizer():
    from transformers import AutoTokenizer

    from babyagi_lib.sources.encoders import embedded_folder

    return AutoTokenizer.from_pretrained(embedded_folder())


def in_iob1(tags: list[str]) -> list[str]:
    """IOB2 tags in the older scheme, in which B- stands only between two adjacent mentions of one type."""
    return [t if t == "O" or (t[0] == "B" and b[2:] == t[2:]) else f"I-{t[2:]}" for b, t in pairwise(["O", *tags])]


def tiny_encoder(dropout: float = 0.0):
    """A BERT with random weights that trains in a blink; its vocabulary is that of the embedded encoder."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    return BertModel(
        BertConfig(
            vocab_size=30522,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )
    )
