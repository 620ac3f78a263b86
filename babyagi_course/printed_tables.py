"""Tables in what a cell printed: columns that a program aligned with spaces become columns of HTML.

In a notebook the spaces are enough. On a page they are not: a line that does not fit is broken or scrolls, and a screen
reader cannot tell the columns. Only a listing with a head, and with numbers or with yes and no under it, is taken for a table;
whatever is in doubt stays as it was printed.
"""

from __future__ import annotations

import html
import re
from itertools import pairwise

NUMBER = re.compile(r"[-+]?(\d|\.\d|nan\b|inf\b)")
DECIMAL = re.compile(r"[-+]?\d*\.\d")
NAMES = re.compile(r"\S+(?: \S+)*")  # in a head, two spaces or more are between the columns
ROWS = 3  # with the head
ANSWERS = ({"yes", "no"}, {"yes", "no", "-"})  # one of the first is there, and nothing but the second


def parts(text: str) -> list[str | list[list[str]]]:
    """A printed text, cut into texts and tables in their order; a table is a list of rows, a row a list of cells."""
    found: list[str | list[list[str]]] = []
    lines, plain, at = text.splitlines(), [], 0
    while at < len(lines):
        begins = not at or len(NAMES.findall(lines[at - 1])) < 2  # a table does not begin among its rows
        count, rows = _table(lines[at:]) if begins else (1, [])
        if rows:
            found += ["\n".join(plain), rows] if plain else [rows]
            plain = []
        else:
            plain.append(lines[at])
        at += count
    return [*found, "\n".join(plain)] if plain else found


def as_html(rows: list[list[str]]) -> str:
    """HTML of a table whose first row is its head; columns of numbers have the class `number`."""
    numeric = [all(NUMBER.match(cell) for cell in column[1:] if cell) for column in zip(*rows, strict=True)]
    kinds = [' class="number"' if number else "" for number in numeric]
    head, *body = rows
    names = "".join(
        f'<th scope="col"{kind}>{html.escape(name)}</th>' if name else f"<td{kind}></td>"
        for name, kind in zip(head, kinds, strict=True)
    )
    lines = (
        "".join(f"<td{kind}>{html.escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)) for row in body
    )
    filled = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<table class="printed"><thead><tr>{names}</tr></thead><tbody>{filled}</tbody></table>'


def _table(lines: list[str]) -> tuple[int, list[list[str]]]:
    """How many of these lines are read as one, and the rows of the table that they are; no rows if they are none."""
    names = [match.span() for match in NAMES.finditer(lines[0])]
    if not names:
        return 1, []
    # Above the names of the rows a head may have nothing.
    for places in ([(0, 1), *names], names) if lines[0].startswith("  ") else (names,):
        best: tuple[int, list[list[str]]] = (1, [])
        for count in range(1, len(lines) + 1):
            taken = [line for line in lines[:count] if line.strip()]
            if len(taken) < 2:
                continue
            rows = _rows(taken, places)
            if rows is None:
                break
            best = count, rows
        left = lines[best[0]] if best[0] < len(lines) else ""
        if len(places) > 1 and len(best[1]) >= ROWS and _has_head(best[1]) and len(NAMES.findall(left)) < 2:
            return best
    return 1, []


def _has_head(rows: list[list[str]]) -> bool:
    """Whether the first row names what is below it: numbers or answers are below, and it has not the form of the other rows."""
    columns = [(name, [cell for cell in cells if cell]) for name, *cells in zip(*rows, strict=True)][1:]
    forms = [(_form(name), set(map(_form, cells))) for name, cells in columns]
    numbers = any(all(NUMBER.match(cell) for cell in cells) for _, cells in columns)
    said = [{cell.lower() for cell in cells} for _, cells in columns]
    answers = any(cells & ANSWERS[0] and cells <= ANSWERS[1] for cells in said)
    return (numbers or answers) and all(name and name not in below and not DECIMAL.match(name) for name, below in forms)


def _form(cell: str) -> str:
    """A cell without its digits."""
    return re.sub(r"\d+", "0", cell)


def _rows(lines: list[str], names: list[tuple[int, int]]) -> list[list[str]] | None:
    """The cells of some lines under a head with names at these places; None if they do not stand in its columns."""
    width = max(map(len, lines))
    blank = "".join(" " if all(line[k : k + 1] in ("", " ") for line in lines) else "x" for k in range(width))
    cuts = [0]
    for (start, _), (_, end) in pairwise(names):
        gaps = [match.span() for match in re.finditer(" +", blank[:end]) if match.start() > max(start, cuts[-1])]
        gaps = [
            gap
            for gap in gaps
            if gap[1] - gap[0] > 1 or all(NUMBER.match(line[gap[1] :].lstrip()) for line in lines[1:])
        ]
        if not gaps:
            return None
        cuts.append(max(gaps, key=lambda gap: gap[1] - gap[0])[1])
    rows = [[line[a:b].strip() for a, b in zip(cuts, [*cuts[1:], width], strict=True)] for line in lines]
    whole = all("  " not in cell for row in rows for cell in row)
    full = all(sum(map(bool, row)) > 1 for row in rows[1:])
    return rows if whole and full else None
