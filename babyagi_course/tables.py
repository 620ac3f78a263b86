"""The tables that the tool shows and writes: one row for each lesson with its time, memory and results."""

from __future__ import annotations

from typing import Any

from babyagi_course.notebooks import COST


def minutes(seconds: float) -> str:
    """Seconds as text: "40 s", "2.5 min"."""
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


def gigabytes(megabytes: float) -> str:
    """Megabytes as text: "1.7 GB"."""
    return f"{megabytes / 1024:.1f} GB"


def in_table(text: str) -> str:
    """Text for a cell of a Markdown table, in which a bar would begin the next cell."""
    return text.replace("|", r"\|")


def with_cost(text: str, ran: dict[str, Any]) -> str:
    """Markdown with the measured cost of a run between its `<!-- cost -->` marks, if it has any."""
    cost = (
        f"about {minutes(ran['seconds'])}, {gigabytes(ran['peak_memory_mb'])} of memory at its peak ({ran['machine']})"
    )
    return COST.sub(rf"\g<1>{cost}\g<2>", text)


def headline(figures: list[dict[str, Any]], count: int = 2) -> str:
    """The first figures of a lesson in one phrase."""
    return "; ".join(f"{figure['label']} {figure['text']}" for figure in figures[:count])


def show_report(report: dict[str, Any], names: list[str]) -> None:
    """Print what a run did, one row per lesson."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("lesson", "time", "peak memory", "measured")
    for name in names:
        entry = report["lessons"][name]
        if entry["status"] == "failed":
            where = "" if entry["cell"] is None else f" in cell {entry['cell']}"
            table.add_row(name, Text("failed", style="red"), "", f"{entry['error']}{where}")
        else:
            table.add_row(
                name, minutes(entry["seconds"]), gigabytes(entry["peak_memory_mb"]), headline(entry["figures"])
            )
    Console(markup=False, emoji=False).print(table)  # [brackets] and :colons: in what a lesson says stay as they are
