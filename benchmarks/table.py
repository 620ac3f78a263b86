"""The end of `make bench`: every aim of the course beside what was measured.

python benchmarks/table.py
"""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from babyagi_course import measured


def main() -> None:
    table, found = Table(box=box.SIMPLE), measured.aims(measured.all_of(Path(__file__).parent))
    for head in measured.HEADS:
        table.add_column(head, overflow="fold")  # a narrow terminal cuts nothing off
    for aim in found:
        table.add_row(*aim.cells)
    console = Console()
    console.print(table)
    for aim in found:
        if aim.in_the_way:
            console.print(f"{aim.work}, beside {aim.peer}: {aim.in_the_way}", highlight=False)


if __name__ == "__main__":
    main()
