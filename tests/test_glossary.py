"""The glossary and the lessons agree: each term once, in the lesson that explains it, linked from there."""

import re

import pytest

from babyagi_course.lessons import Course
from babyagi_course.notebooks import source

COURSE = Course.find()
ROW = re.compile(
    r'^\| <a id="([^"]+)"></a>([^|]+) \| ([^|]+) \| (.+) \| \[(\d+)\]\(\.\./notebooks/(\w+)\.ipynb\) \|$', re.MULTILINE
)
LINK = re.compile(r"\[([^\]]+)\]\(\.\./book/glossary\.md#([^)]+)\)")
TEXT = (COURSE.root / "book" / "glossary.md").read_text(encoding="utf-8")
TERMS = ROW.findall(TEXT)


def links(lesson):
    return LINK.findall("\n".join(source(c) for c in lesson.notebook["cells"] if c["cell_type"] == "markdown"))


def test_every_row_is_whole():
    assert len(TERMS) == len(re.findall(r"^\| <a", TEXT, re.MULTILINE)) > 80


def test_each_term_stands_once_and_in_order():
    ids, names = [term[0] for term in TERMS], [term[1].lower() for term in TERMS]
    assert len(set(ids)) == len(ids) and len(set(names)) == len(names)
    assert names == sorted(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", i) for i in ids)


def test_each_term_has_its_chinese():
    for _, name, chinese, *_ in TERMS:
        assert re.search(r"[\u4e00-\u9fff]", chinese) or (name, chinese) == ("transformer", "Transformer")


@pytest.mark.parametrize("lesson", COURSE.lessons, ids=lambda lesson: lesson.name)
def test_a_lesson_links_the_words_it_introduces(lesson):
    own = {i: name for i, name, _, _, number, file in TERMS if file == lesson.name}
    assert all(int(number) == int(file[:2]) for *_, number, file in TERMS)
    found = {i: name for name, i in links(lesson)}
    assert found == own
