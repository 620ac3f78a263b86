"""`babyagi links`: write the course's address into every badge and link; its one source is pyproject.toml.

A link opens a notebook from the tag of its own version, and the notebook installs that tag, so that its text and the
library match.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import babyagi_lib
from babyagi_course.errors import CourseError
from babyagi_course.files import write_atomically
from babyagi_course.lessons import Course, Lesson
from babyagi_course.notebooks import figures, source
from babyagi_course.tables import gigabytes, headline, in_table, minutes

PACKAGE = "babyagi-course"
PLACEHOLDER = f"{PACKAGE}/{PACKAGE}"  # a repository that does not exist: the course has no address yet
MAP = re.compile(r"(<!-- map -->\n).*?(<!-- /map -->)", re.DOTALL)
LAUNCH = re.compile(r"(<!-- launch -->).*?(<!-- /launch -->)", re.DOTALL)
INSTALLATION = """\
# Installs the course where it is missing, as on Colab; else does nothing.
import importlib.util

if importlib.util.find_spec("babyagi_lib") is None:
    %pip install --quiet "{package} @ {origin}\""""
INSTALLED = re.compile(rf'"({PACKAGE}(\[\w+\])?) @ ')  # with the extra that a lesson needs

REPOSITORY = re.compile(r"https://github\.com/([a-zA-Z0-9][a-zA-Z0-9-]*)/([\w.-]*[\w-])", re.ASCII)
HUB = re.compile(r"https?://[\w.-]+(:\d+)?(/[\w.~-]+)*", re.ASCII)
END = r"(?![\w-]|\.(?!git\b)\w)"  # of an address: not inside a longer name


@dataclass(frozen=True)
class Links:
    """The course's repository and hub, and the addresses that follow from them.

    Attributes:
        repository: `https://github.com/OWNER/NAME`.
        hub: a JupyterHub with nbgitpuller, without a slash at its end; empty if there is none.
        ref: the tag that notebooks are opened from.
    """

    repository: str
    hub: str
    ref: str

    def __post_init__(self) -> None:
        if not REPOSITORY.fullmatch(self.repository) or self.repository.endswith(".git"):
            raise CourseError(
                f"{self.repository!r} is no GitHub repository: expected OWNER/NAME, "
                "as in babyagi links --repo ada/course"
            )
        if self.hub and not HUB.fullmatch(self.hub):
            raise CourseError(
                f"{self.hub!r} is no address of a JupyterHub: expected a URL, "
                "as in babyagi links --hub https://hub.example.edu"
            )

    @classmethod
    def read(cls, root: Path) -> Links:
        """What a checkout's pyproject.toml says.

        Raises:
            CourseError: it does not say it, or what it says is no repository or no hub.
        """
        path = root / "pyproject.toml"
        try:
            repository, hub = _settings(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CourseError(
                f"{path}: expected Repository under [project.urls] and hub under [tool.babyagi] "
                f"({type(error).__name__}: {error}); restore it with git checkout"
            ) from error
        return cls(repository, hub.rstrip("/"), f"v{babyagi_lib.__version__}")

    def moved(self, repo: str | None, hub: str | None) -> Links:
        """These links for another `OWNER/NAME` and another hub; `None` keeps what there is."""
        return Links(
            self.repository if repo is None else f"https://github.com/{repo}",
            self.hub if hub is None else hub.rstrip("/"),
            self.ref,
        )

    @property
    def owner(self) -> str:
        """The owner of the repository."""
        return self.repository.split("/")[-2]

    @property
    def name(self) -> str:
        """The repository's name, which is also that of the folder that git clones it into."""
        return self.repository.split("/")[-1]

    @property
    def slug(self) -> str:
        """`OWNER/NAME`."""
        return f"{self.owner}/{self.name}"

    @property
    def placeholder(self) -> bool:
        """Whether the course has no address yet, so that every link to its repository would be dead."""
        return self.slug == PLACEHOLDER

    @property
    def site(self) -> str:
        """The address of the book on GitHub Pages."""
        return f"https://{self.owner}.github.io/{self.name}/"

    @property
    def origin(self) -> str:
        """The address that pip installs the course from."""
        return f"git+{self.repository}@{self.ref}"

    def colab(self, name: str) -> str:
        """Opens a lesson in Colab."""
        return f"https://colab.research.google.com/github/{self.slug}/blob/{self.ref}/notebooks/{name}.ipynb"

    def binder(self, name: str) -> str:
        """Opens a lesson in JupyterLab on Binder."""
        return f"https://mybinder.org/v2/gh/{self.slug}/{self.ref}?" + urlencode({"labpath": f"notebooks/{name}.ipynb"})

    def source(self, name: str) -> str:
        """Shows a lesson on GitHub."""
        return f"{self.repository}/blob/{self.ref}/notebooks/{name}.ipynb"

    def hub_link(self, name: str) -> str:
        """Pulls the course into the learner's folder on the hub and opens a lesson in JupyterLab there.

        It follows `main`: nbgitpuller clones a tag, but merges `origin/TAG` when the link is followed again, and
        there is no such branch.
        """
        query = {
            "repo": self.repository,
            "branch": "main",
            "urlpath": f"lab/tree/{self.name}/notebooks/{name}.ipynb",
        }
        return f"{self.hub}/hub/user-redirect/git-pull?{urlencode(query)}"

    def places(self, name: str) -> dict[str, str]:
        """Where a lesson can be opened: what a link says, and its address. Nowhere while the address is a placeholder."""
        if self.placeholder:
            return {}
        hub = {"Open on JupyterHub": self.hub_link(name)} if self.hub else {}
        return {
            "Open in Colab": self.colab(name),
            "Open in Binder": self.binder(name),
            **hub,
            "Source on GitHub": self.source(name),
        }

    def launch(self, name: str) -> str:
        """The line of links under a lesson's title."""
        return " · ".join(f"[{text}]({address})" for text, address in self.places(name).items())

    def ways_back(self, page: str) -> dict[str, str]:
        """How a reader of a page tells us: what a link says, and its address. None while the address is a placeholder.

        Args:
            page: which file of the repository it is, such as `book/teaching.md`.
        """
        if self.placeholder:
            return {}
        report = {
            "title": f"A mistake in {page}",
            "body": f"Version {self.ref}, {page}.\n\nWhat it says:\n\nWhat is true:\n",
        }
        return {
            "edit this page": f"{self.repository}/edit/main/{quote(page)}",
            "report a mistake": f"{self.repository}/issues/new?{urlencode(report)}",
        }

    def live(self, text: str) -> str:
        """Markdown without its dead links: while the address is a placeholder, only the words of a link to it are left."""
        if not self.placeholder:
            return text
        dead = "|".join(map(re.escape, (self.repository, self.site.rstrip("/"))))
        return re.sub(rf"(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?:{dead})(?:/[^()\s]*)?\)", r"\1", text)


def named(course: Course, links: Links) -> dict[Path, int]:
    """The files that name the course's repository or its book, and how often."""
    found = {path: _mentions(path, links) for path in _pages(course)}
    return {path: count for path, count in found.items() if count}


def notice(course: Course, links: Links) -> str:
    """What to say of links that lead nowhere, with the files that they are in; empty if the course has an address."""
    if not links.placeholder:
        return ""
    files = ", ".join(f"{path.relative_to(course.root)} ({count})" for path, count in named(course, links).items())
    return (
        f"the course's address {links.repository} is a placeholder: nothing opens a lesson in Colab or Binder, and no page "
        f"can be edited or reported. It is named in {files}. With an address of your own: babyagi links --repo OWNER/NAME"
    )


def apply(course: Course, links: Links) -> list[Path]:
    """Write the links into pyproject.toml and into every file that has some; return the files that changed.

    All texts are made before the first is written. The last lesson shows where the files point at present, and is
    written last: after an interruption, `babyagi links` writes the rest.

    Raises:
        CourseError: a file is not as it must be; nothing is written.
    """
    project, citation, *pages = _pages(course)
    old = _present(course.lessons[-1], links)
    texts = {project: _project(project, links), citation: _citation(citation, links)}
    texts |= {page: _moved(page.read_text(encoding="utf-8"), old, links) for page in pages if page.suffix != ".ipynb"}
    texts |= {lesson.path: _notebook(lesson, old, links) for lesson in course.lessons}
    readme = course.root / "README.md"
    texts[readme] = with_map(texts[readme], course.lessons, links)
    changed = [path for path, text in texts.items() if path.read_text(encoding="utf-8") != text]
    for path in changed:
        write_atomically(path, texts[path])
    return changed


def with_map(readme: str, lessons: list[Lesson], links: Links) -> str:
    """README text with a new course map, made from the committed notebooks."""
    heads = ["lesson", *([] if links.placeholder else ["open"]), "time", "peak memory", "what it measured"]
    rows = [heads, ["---"] * len(heads)]
    for lesson in lessons:
        if cost := lesson.notebook["metadata"].get("babyagi"):
            opened = [] if links.placeholder else [f"[Colab]({links.colab(lesson.name)})"]
            found = in_table(headline(figures(lesson.notebook), count=3))
            took = [minutes(cost["seconds"]), gigabytes(cost["peak_memory_mb"])]
            rows.append([f"[{lesson.title}](notebooks/{lesson.path.name})", *opened, *took, found])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows).replace("| --- ", "|---").replace("--- |", "---|")
    return MAP.sub(lambda marks: f"{marks[1]}{table}\n{marks[2]}", readme)


def _pages(course: Course) -> list[Path]:
    """The files with links: pyproject.toml and CITATION.cff, the pages, the notebooks."""
    root, book = course.root, course.root / "book"
    pages = [root / "README.md", book / "_config.yml", *sorted(book.glob("*.md"))]
    return [root / "pyproject.toml", root / "CITATION.cff", *pages, *(lesson.path for lesson in course.lessons)]


def _mentions(path: Path, links: Links) -> int:
    text = path.read_text(encoding="utf-8")
    return sum(len(re.findall(re.escape(name) + END, text)) for name in (f"/{links.slug}", links.site.rstrip("/")))


def _settings(project: str) -> tuple[str, str]:
    """Repository and hub in the text of a pyproject.toml."""
    said = tomllib.loads(project)
    return str(said["project"]["urls"]["Repository"]), str(said["tool"]["babyagi"]["hub"])


def _present(lesson: Lesson, links: Links) -> Links:
    """The links that a notebook has at present, as its installation cell tells."""
    found = REPOSITORY.search(source(_installation(lesson.notebook, lesson)))
    if not found:
        raise CourseError(f"{lesson.path}: the cell that installs the course names no GitHub repository")
    return Links(found[0], "", links.ref)


def _installation(notebook: dict, lesson: Lesson) -> dict:
    """The cell that installs the course."""
    found = [cell for cell in notebook["cells"] if 'find_spec("babyagi_lib")' in source(cell)]
    if len(found) != 1:
        raise CourseError(
            f'{lesson.path}: {len(found)} cells have find_spec("babyagi_lib"); expected one, which installs the course '
            "where that finds none"
        )
    return found[0]


def _project(path: Path, links: Links) -> str:
    text = path.read_text(encoding="utf-8")
    for name, value in (("Repository", links.repository), ("hub", links.hub)):
        text = re.sub(rf'^{name} = "[^"\n]*"', f'{name} = "{value}"', text, count=1, flags=re.MULTILINE)
    if _settings(text) != (links.repository, links.hub):
        raise CourseError(f'{path}: expected lines Repository = "..." and hub = "..."; restore it with git checkout')
    return text


def _citation(path: Path, links: Links) -> str:
    """CITATION.cff with the repository's address, if there is one."""
    text = re.sub(r"^repository-code: .*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    line = "" if links.placeholder else f"repository-code: {links.repository}\n"
    return re.sub(r"^keywords:", f"{line}keywords:", text, count=1, flags=re.MULTILINE)


def _notebook(lesson: Lesson, old: Links, new: Links) -> str:
    notebook = copy.deepcopy(lesson.notebook)
    first = notebook["cells"][0]
    if not LAUNCH.search(source(first)):
        raise CourseError(f"{lesson.path}: expected <!-- launch --><!-- /launch --> in the first cell")
    cell = _installation(notebook, lesson)
    package = INSTALLED.search(source(cell))
    _write(cell, INSTALLATION.format(package=package[1] if package else PACKAGE, origin=new.origin))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            _write(cell, _moved(source(cell), old, new))
    line = f"{new.launch(lesson.name)}\n" if new.places(lesson.name) else ""
    _write(first, LAUNCH.sub(lambda marks: f"{marks[1]}\n{line}{marks[2]}", source(first)))
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _write(cell: dict, text: str) -> None:
    if text != source(cell):
        cell["source"] = text.splitlines(keepends=True)


def _moved(text: str, old: Links, new: Links) -> str:
    """A text with its addresses moved, and those that open notebooks at the present tag."""
    for before, after in ((old.site.rstrip("/"), new.site.rstrip("/")), (f"/{old.slug}", f"/{new.slug}")):
        text = re.sub(re.escape(before) + END, after, text)
    slug = re.escape(new.slug)
    opens = rf"(colab\.research\.google\.com/github/{slug}/blob/|mybinder\.org/v2/gh/{slug}/)[^/?)\s]+"
    return re.sub(opens, rf"\g<1>{new.ref}", text)
