"""Every badge and link follows from pyproject.toml, and a fork moves them all with one command."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import nbformat
import pytest
from conftest import babyagi
from hypothesis import given
from hypothesis import strategies as st

import babyagi_lib
from babyagi_course import links as linking
from babyagi_course.errors import CourseError
from babyagi_course.lessons import Course
from babyagi_course.links import Links
from babyagi_course.notebooks import source

HUB = "https://hub.example.edu/jupyter"
VERSION = babyagi_lib.__version__
NOT_SOURCE = shutil.ignore_patterns(".git", ".venv*", "build", "_vendor", "checkpoints", ".*cache", ".hypothesis")


@pytest.fixture
def checkout(root, tmp_path) -> Path:
    copy = tmp_path / "fork"
    shutil.copytree(root, copy, ignore=NOT_SOURCE)
    return copy


def links(checkout: Path, *arguments: str) -> subprocess.CompletedProcess:
    return babyagi(checkout, "links", *arguments)


def contents(checkout: Path) -> dict[Path, bytes]:
    return {path.relative_to(checkout): path.read_bytes() for path in checkout.rglob("*") if path.is_file()}


def notebooks(checkout: Path) -> dict[str, dict]:
    return {lesson.name: lesson.notebook for lesson in Course(checkout).lessons}


def keys(checkout: Path) -> dict[str, str]:
    course = Course(checkout)
    return {lesson.name: course.key(lesson, {}) for lesson in course.lessons}


# --- the committed files ------------------------------------------------------------------------------------


def test_what_is_committed_agrees_with_pyproject(checkout):
    before = contents(checkout)
    done = links(checkout)
    assert done.returncode == 0, done.stderr
    assert "wrote" not in done.stdout and contents(checkout) == before


def test_every_notebook_opens_and_installs_its_own_version(checkout):
    """One tag in the launch line, in the installation cell and in the package."""
    assert links(checkout, "--repo", "someone/else").returncode == 0
    for name, notebook in notebooks(checkout).items():
        first = source(notebook["cells"][0])
        assert first.startswith("# ") and first.index("<!-- launch -->") < 200, f"{name}: right under the title"
        (installation,) = [c for c in notebook["cells"] if 'find_spec("babyagi_lib")' in source(c)]
        for text in (first, source(installation)):
            assert set(re.findall(r"(?<=[/@])v\d+\.[\w.]*\w", text)) == {f"v{VERSION}"}, name


def test_a_placeholder_is_named_and_nothing_needs_it(root, checkout):
    """Nobody can click on what leads nowhere, and whoever builds the course is told where the placeholder stands."""
    here = Links.read(root)
    assert here.placeholder, (
        "the course has an address now: then every notebook has its line of links, and this test can go"
    )
    assert here.places("01_x") == here.ways_back("book/teaching.md") == {}
    for notebook in notebooks(root).values():
        assert "<!-- launch -->\n<!-- /launch -->" in source(notebook["cells"][0])
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert "| open |" not in readme and "](https://colab" not in readme
    assert "repository-code" not in (root / "CITATION.cff").read_text(encoding="utf-8")

    for command in ("links", "doctor"):
        told = babyagi(checkout, command).stderr
        assert f"{here.repository} is a placeholder" in told and "babyagi links --repo OWNER/NAME" in told
        for path, count in linking.named(Course(checkout), here).items():
            file = path.relative_to(checkout).as_posix()
            assert f"{file} ({count})" in told
            assert path.read_text(encoding="utf-8").count(f"/{here.slug}") == count
    assert links(checkout, "--repo", "someone/else").returncode == 0
    for command in ("links", "doctor"):
        assert "placeholder" not in babyagi(checkout, command).stderr
    moved = (checkout / "README.md").read_text(encoding="utf-8")
    assert "| open |" in moved and "](https://colab.research.google.com/github/someone/else/blob/" in moved
    assert "repository-code: https://github.com/someone/else\n" in (checkout / "CITATION.cff").read_text(
        encoding="utf-8"
    )


def test_only_links_to_a_placeholder_lose_their_address(root):
    here, moved = Links.read(root), Links.read(root).moved("someone/else", None)
    text = (
        f"[`a [b]`]({here.repository}/blob/main/x.py), [page]({here.site}results.html#x), ![figure]({here.site}a.png), "
        f"[other]({here.repository}-two) and [more](https://example.org)"
    )
    kept = f"`a [b]`, page, ![figure]({here.site}a.png), [other]({here.repository}-two) and [more](https://example.org)"
    assert here.live(text) == kept and moved.live(text) == text


# --- a fork -------------------------------------------------------------------------------------------------


def test_a_fork_moves_every_link_and_back(checkout):
    before, keys_before, old = contents(checkout), keys(checkout), Links.read(checkout)
    done = links(checkout, "--repo", "someone/else", "--hub", HUB)
    assert done.returncode == 0, done.stderr
    new = Links.read(checkout)
    assert (new.slug, new.hub) == ("someone/else", HUB)

    for path, content in contents(checkout).items():
        for trace in (old.slug, old.slug.replace("/", "%2F"), old.site):
            assert trace.encode() not in content, f"{trace} is left in {path}"
    assert keys(checkout) == keys_before, "no lesson has to run again"

    was = {Path(name): json.loads(before[Path("notebooks") / f"{name}.ipynb"]) for name in notebooks(checkout)}
    for name, notebook in notebooks(checkout).items():
        nbformat.validate(nbformat.from_dict(notebook))
        moved, unmoved = notebook["cells"], was[Path(name)]["cells"]
        assert new.hub_link(name) in source(moved[0]) and new.origin in "".join(map(source, moved[:5]))
        assert {**notebook, "cells": None} == {**was[Path(name)], "cells": None}
        for cell, cell_before in zip(moved, unmoved, strict=True):
            assert {**cell, "source": None} == {**cell_before, "source": None}
            text, text_before = (
                linking.LAUNCH.sub("", source(c)).replace(slug, "OWNER/NAME")
                for c, slug in ((cell, new.slug), (cell_before, old.slug))
            )
            assert text == text_before

    assert links(checkout, "--repo", old.slug, "--hub", old.hub).returncode == 0
    assert contents(checkout) == before


def test_an_edited_pyproject_is_applied(checkout):
    """The one place may be edited by hand as well; a second call then has nothing left to do."""
    project = checkout / "pyproject.toml"
    old = Links.read(checkout)
    project.write_text(project.read_text(encoding="utf-8").replace(old.slug, "by/hand"), encoding="utf-8")
    assert links(checkout).returncode == 0
    assert not [path for path, content in contents(checkout).items() if old.slug.encode() in content]
    assert "wrote" not in links(checkout).stdout


def test_an_interrupted_call_is_finished_by_the_next(checkout, monkeypatch):
    course, old = Course(checkout), Links.read(checkout)
    wanted, written = old.moved("someone/else", None), []

    def write_three(path, text):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path)
        path.write_text(text, encoding="utf-8")

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(linking, "write_atomically", write_three)
        linking.apply(course, wanted)
    assert links(checkout).returncode == 0
    assert not [path for path, content in contents(checkout).items() if old.slug.encode() in content]


def test_a_new_version_opens_and_installs_its_own_tag(checkout, monkeypatch):
    assert links(checkout, "--repo", "someone/else").returncode == 0
    keys_before, before = keys(checkout), (checkout / "README.md").read_text(encoding="utf-8")
    monkeypatch.setattr(babyagi_lib, "__version__", "9.8.7")
    linking.apply(Course(checkout), Links.read(checkout))
    for notebook in notebooks(checkout).values():
        text = "".join(source(c) for c in notebook["cells"][:5])
        assert text.count("v9.8.7") >= 4 and "/v0." not in text and "@v0." not in text
    readme = (checkout / "README.md").read_text(encoding="utf-8")
    assert readme == before.replace(f"/v{VERSION}/", "/v9.8.7/") != before
    assert keys(checkout) == keys_before


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--repo", "someone"], "expected OWNER/NAME"),
        (["--repo", "https://github.com/someone/else"], "expected OWNER/NAME"),
        (["--repo", "someone/else.git"], "expected OWNER/NAME"),
        (["--repo", 'some"one/else'], "expected OWNER/NAME"),
        (["--repo", ""], "expected OWNER/NAME"),
        (["--hub", "hub.example.edu"], "expected a URL"),
        (["--hub", "ftp://hub.example.edu"], "expected a URL"),
        (["--hub", "https://hub.example.edu/?a=b"], "expected a URL"),
    ],
)
def test_bad_input_is_one_clear_line_and_writes_nothing(checkout, arguments, said):
    before = contents(checkout)
    done = links(checkout, *arguments)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and said in done.stderr
    assert "Traceback" not in done.stderr and contents(checkout) == before


@pytest.mark.parametrize(
    ("spoil", "name", "said"),
    [
        (lambda text: text.replace("hub = ", "hubs = "), "pyproject.toml", "[tool.babyagi]"),
        (lambda text: text.replace("https://github.com/", "https://gitlab.com/"), "pyproject.toml", "OWNER/NAME"),
        (lambda text: text + "[", "pyproject.toml", "pyproject.toml"),
        (lambda text: text.replace("<!-- launch -->", ""), "notebooks/04_ner_finetuning.ipynb", "<!-- launch -->"),
        (lambda text: text.replace("find_spec", "find"), "notebooks/04_ner_finetuning.ipynb", "find_spec"),
        (lambda text: text[:-9], "notebooks/04_ner_finetuning.ipynb", "not a readable notebook"),
    ],
)
def test_a_spoiled_file_is_named_and_nothing_is_written(checkout, spoil, name, said):
    path = checkout / name
    path.write_text(spoil(path.read_text(encoding="utf-8")), encoding="utf-8")
    before = contents(checkout)
    done = links(checkout, "--repo", "someone/else")
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
    assert contents(checkout) == before


@given(st.text())
def test_no_text_gets_into_a_link_unchecked(text):
    """Whatever is accepted is safe inside Markdown, JSON, TOML and a shell's double quotes."""
    for arguments in ((text, None), (None, text)):
        try:
            moved = Links("https://github.com/a/b", "", "v1").moved(*arguments)
        except CourseError:
            continue
        assert not re.search(r"[^\w.~:/-]", moved.repository + moved.hub, re.ASCII)


# --- the addresses ------------------------------------------------------------------------------------------


def test_addresses_are_what_each_service_reads():
    here = Links("https://github.com/ada/course", HUB, "v1.2.3")
    assert here.site == "https://ada.github.io/course/"
    assert here.colab("01_x") == "https://colab.research.google.com/github/ada/course/blob/v1.2.3/notebooks/01_x.ipynb"
    assert here.source("01_x") == "https://github.com/ada/course/blob/v1.2.3/notebooks/01_x.ipynb"

    binder = urlsplit(here.binder("01_x"))
    assert (binder.netloc, binder.path) == ("mybinder.org", "/v2/gh/ada/course/v1.2.3")
    assert parse_qs(binder.query) == {"labpath": ["notebooks/01_x.ipynb"]}, "relative to the repository"

    pull = urlsplit(here.hub_link("01_x"))
    assert f"{pull.scheme}://{pull.netloc}{pull.path}" == f"{HUB}/hub/user-redirect/git-pull"
    assert parse_qs(pull.query) == {
        "repo": ["https://github.com/ada/course"],
        "branch": ["main"],  # a tag cannot be followed twice
        "urlpath": ["lab/tree/course/notebooks/01_x.ipynb"],  # inside the folder that git clone makes
    }
    back = {text: urlsplit(address) for text, address in here.ways_back("notebooks/01_x.ipynb").items()}
    assert list(back) == ["edit this page", "report a mistake"]
    assert back["edit this page"].geturl() == "https://github.com/ada/course/edit/main/notebooks/01_x.ipynb"
    assert back["report a mistake"].path == "/ada/course/issues/new"
    report = parse_qs(back["report a mistake"].query)
    assert report["title"] == ["A mistake in notebooks/01_x.ipynb"] and report["body"][0].startswith("Version v1.2.3, ")
    assert "JupyterHub" in here.launch("01_x") and "JupyterHub" not in here.moved(None, "").launch("01_x")


def test_only_whole_names_are_moved():
    old, new = (Links(f"https://github.com/{slug}", "", "v2") for slug in ("ada/course", "bob/lessons"))
    kept = "https://github.com/ada/course-two https://github.com/ada/course.old https://ada.github.io/courses/"
    assert linking._moved(kept, old, new) == kept
    told = "See https://github.com/ada/course. Or git clone https://github.com/ada/course.git (ada/course)."
    moved = linking._moved(told, old, new)
    assert moved == "See https://github.com/bob/lessons. Or git clone https://github.com/bob/lessons.git (ada/course)."
    assert linking._moved("https://mybinder.org/v2/gh/ada/course/v1?x", old, new).endswith("/bob/lessons/v2?x")
