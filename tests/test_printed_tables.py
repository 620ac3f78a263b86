"""Listings with a head and numbers become tables; whatever else a cell printed stays as it is, and nothing is lost."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babyagi_course.printed_tables import as_html, parts

WORD = st.text("abcdefgh", min_size=1, max_size=6)
NAME = st.lists(WORD, min_size=1, max_size=3).map(" ".join)
VALUE = st.one_of(
    st.floats(-1000, 1000).map(lambda x: f"{x:.3f}"),
    st.integers(0, 10**6).map(lambda n: f"{n:,}"),
    st.floats(-9, 9).map(lambda x: f"{x:.2f} [{x - 1:.2f}, {x + 1:.2f}]"),
    st.floats(0, 9).map(lambda x: f"{x:.2f} ± {x / 9:.2f}"),
)


@st.composite
def tables(draw):
    """A head, rows of a name and values, and the text that a program prints for them."""
    width = draw(st.integers(1, 5))
    head = [draw(st.sampled_from(["", "kind"])), *draw(st.lists(NAME, min_size=width, max_size=width))]
    rows = draw(st.lists(st.tuples(NAME, *[VALUE] * width).map(list), min_size=2, max_size=6))
    right = draw(st.booleans())
    widths = [max(map(len, column)) + 2 for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, *rows):
        cells = [
            cell.rjust(n) if right and j else cell.ljust(n) for j, (cell, n) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("".join(cells))
    return [head, *rows], "\n".join(lines)


@given(tables())
def test_a_table_is_found_with_every_cell(table):
    rows, text = table
    assert parts(text) == [rows]
    assert parts(f"what it is\n{text}\n\nand more") == ["what it is", rows, "and more"]


@given(st.text("ab1. -±|\n", max_size=200))
def test_nothing_that_was_printed_is_lost(text):
    found = parts(text)
    said = "".join(part if isinstance(part, str) else "".join(map("".join, part)) for part in found)
    assert re.sub(r"\s", "", said) == re.sub(r"\s", "", text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "one line",
        "name   0.5\nother  0.6\nlast   0.7",  # no head
        "of each   1.000 to 1.000\nof all    0.671 to 1.000\nlargest   0.900 to 1.000",
        "in all            0.604\nlet through (10%)  13.0%\nrefused            45.7%",
        "'p'    's'\n'a'    'b'\n'c'    'd'",  # no numbers
        "head   count\nonly   1",  # too short
        "name      loss\nfirst     0.5\nsecond, whose name is long 0.6\nthird     0.7",  # a row that does not fit
        "G  2: 0.713, counted 0.712\nG  4: 0.489, counted 0.489\nG 16: 0.091, counted 0.091",
        "[OK]   Python 3.11\n[OK]   torch 2.13\n[--]   no GPU",
    ],
)
def test_a_listing_in_doubt_stays_as_it_was_printed(text):
    assert parts(text) == ([text.rstrip("\n")] if text.strip() else parts(text))
    assert not any(isinstance(part, list) for part in parts(text))


def test_a_listing_of_yes_and_no_is_a_table():
    text = "check       desk  other\nhealth       yes  NO\na limit      yes  -"
    assert parts(text) == [[["check", "desk", "other"], ["health", "yes", "NO"], ["a limit", "yes", "-"]]]


def test_a_table_of_html_has_a_head_and_columns_of_numbers():
    made = as_html([["", "loss", "kind"], ["a < b", "0.50", "x"], ["c", "nan", ""]])
    assert made.startswith('<table class="printed"><thead><tr><td></td><th scope="col" class="number">loss</th>')
    assert '<td>a &lt; b</td><td class="number">0.50</td><td>x</td>' in made
