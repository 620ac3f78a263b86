"""The end of `make bench`: every aim of the course beside what was measured.

python benchmarks/table.py
"""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from babyagi_course import aims


def main() -> None:
    table, found = Table(box=box.SIMPLE), aims.rows(Path(__file__).parent)
    for head in aims.HEADS:
        table.add_column(head, overflow="fold")  # a narrow terminal cuts nothing off
    for row in found:
        table.add_row(*row.cells)
    console = Console()
    console.print(table)
    for row in found:
        if row.hindrance:
            console.print(f"{row.work}, beside {row.peer}: {row.hindrance}", highlight=False)


if __name__ == "__main__":
    main()
