"""`babyagi`, the course's command line. Each command is a thin call into the module that does the work."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from babyagi_course.lessons import Course

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # help in plain text: loading rich would nearly double the time of `--help`
    pretty_exceptions_enable=False,  # they would read [brackets] in a message as markup
    help="Run, refresh and publish the lessons of this course.",
)

Lessons = Annotated[
    list[str] | None,
    typer.Argument(help="Lessons by number or name, such as 04; all of them by default.", show_default=False),
]
Out = Annotated[Path, typer.Option(help="Folder for executed notebooks, report.json and the book.")]
BUILD = Path("build")


@app.command()
def run(
    lessons: Lessons = None,
    profile: Annotated[
        str, typer.Option(help="smoke (seconds), cpu (as the notebooks are), gpu (real size, from the hub).")
    ] = "cpu",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a lesson's parameter.")
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(min=1, help="Lessons at a time, each with its share of the cores; refresh takes runs of 1 only."),
    ] = 1,
    out: Out = BUILD,
) -> None:
    """Execute lessons and write the executed notebooks and report.json."""
    from babyagi_course import running, tables
    from babyagi_course.lessons import Course

    course = Course.find()
    chosen = course.select(lessons or [])
    report = running.run(course, chosen, profile, settings or [], out, jobs=jobs)
    tables.show_report(report, [lesson.name for lesson in chosen])
    _fail_if_any_failed(report, [lesson.name for lesson in chosen])


@app.command()
def course(out: Out = BUILD) -> None:
    """Execute every lesson, build the book, and say which page to open.

    On two cores and more, two lessons run at a time.
    """
    from babyagi_course import book as books
    from babyagi_course import running, tables
    from babyagi_course.extras import must_have
    from babyagi_course.lessons import Course
    from babyagi_course.side_by_side import lessons_at_a_time

    must_have("lab", "book", "serve")
    found = Course.find()
    report = running.run(found, found.lessons, "cpu", [], out, jobs=lessons_at_a_time())
    page = books.build(found, out)
    _say_of_links(found)
    tables.show_report(report, [lesson.name for lesson in found.lessons])
    typer.echo(f"Open {page}")
    _fail_if_any_failed(report, [lesson.name for lesson in found.lessons])


@app.command()
def book(
    out: Out = BUILD,
    pdf: Annotated[
        bool,
        typer.Option(
            "--pdf", help="Also print it, for paper (A4) and for a tablet; its first page then offers both files."
        ),
    ] = False,
) -> None:
    """Build the book from the executed notebooks.

    Where a lesson has not been run, its page is the committed notebook.
    """
    from babyagi_course import book as books
    from babyagi_course.extras import must_have
    from babyagi_course.lessons import Course

    must_have("book", *(["pdf"] if pdf else []))
    found = Course.find()
    page = books.build(found, out, pdf)
    _say_of_links(found)
    typer.echo(f"Open {page}")


@app.command()
def refresh(lessons: Lessons = None, out: Out = BUILD) -> None:
    """Write executed outputs back into notebooks/ and the README."""
    from babyagi_course import refreshing
    from babyagi_course.lessons import Course

    found = Course.find()
    for name in refreshing.refresh(found, found.select(lessons or []), out):
        typer.echo(f"refreshed {name}")


@app.command()
def student(
    out: Annotated[Path, typer.Option(help="Folder for learner.zip and instructor.zip.")] = BUILD / "student",
) -> None:
    """Write the learner's and the instructor's edition.

    The learner's has no solutions; the instructor's has them, and assignments for nbgrader.
    """
    from babyagi_course import editions
    from babyagi_course.lessons import Course

    for path in editions.write(Course.find(), out):
        typer.echo(f"wrote {path}")


@app.command()
def links(
    repo: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="The GitHub repository to point to.", show_default=False)
    ] = None,
    hub: Annotated[
        str | None, typer.Option(metavar="URL", help='A JupyterHub with nbgitpuller; "" for none.', show_default=False)
    ] = None,
) -> None:
    """Point every badge and link at this repository, or at another.

    Repository, version and hub are those of pyproject.toml; what is given here is written there first.
    """
    from babyagi_course import links as linking
    from babyagi_course.lessons import Course

    found = Course.find()
    wanted = linking.Links.read(found.root).moved(repo, hub)
    for path in linking.apply(found, wanted):
        typer.echo(f"wrote {path.relative_to(found.root)}")
    _say_of_links(found)
    if not wanted.placeholder:
        typer.echo(f"The links open {wanted.ref}: git tag {wanted.ref} && git push origin main {wanted.ref}")


@app.command()
def doctor() -> None:
    """Check this machine and say what is missing and how to get it."""
    from babyagi_course.errors import CourseError
    from babyagi_course.lessons import Course
    from babyagi_lib.learner import doctor as doctors

    findings = doctors.examine(network=True)
    for finding in findings:
        typer.echo(finding.line())
    try:
        found = Course.find()
    except CourseError:
        found = None  # outside of a checkout there are no links to look at
    if found:
        _say_of_links(found)
    if any(not finding.ok and finding.needed for finding in findings):
        raise typer.Exit(1)


@app.command()
def desk(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 for a free one.")] = 8015,
    explore: Annotated[float, typer.Option(help="Share of decisions drawn at random, from 0 to 1.")] = 0.1,
    folder: Annotated[Path, typer.Option(help="Folder for the agent and the conversations.")] = BUILD / "desk",
) -> None:
    """Start the help desk of lesson 15 for a browser.

    It prints the address for customers, and the one for colleagues with their key.
    """
    from babyagi_course import desk as desks

    desks.start(folder, port, explore, typer.echo)


def _say_of_links(found: Course) -> None:
    """Say which links lead nowhere because the course has no address yet."""
    from babyagi_course import links as linking

    if told := linking.notice(found, linking.Links.read(found.root)):
        typer.echo(f"note: {told}", err=True)


def _fail_if_any_failed(report: dict, names: list[str]) -> None:
    if any(report["lessons"][name]["status"] == "failed" for name in names):
        raise typer.Exit(1)


def main() -> None:
    """Entry point: an error that the user can correct is one line on stderr and exit code 2."""
    from babyagi_course.errors import FORBIDDEN, FULL, CourseError, cannot_write

    for stream in (sys.stdout, sys.stderr):
        # A terminal or pipe may have an encoding that lacks a character, such as one in a folder's name.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except (CourseError, OSError) as error:
        if isinstance(error, FileNotFoundError) and error.filename:
            error = CourseError(f"{error.filename} is missing; this command needs a complete checkout of the course")
        elif isinstance(error, OSError):
            if error.errno not in FULL + FORBIDDEN:
                raise
            error = cannot_write(error.filename or "the disk", error)
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(2) from error
