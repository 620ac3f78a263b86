"""Text files as people save them: read as UTF-8, or refused with file and line. Used by `messages`, `news` and `text`."""

from __future__ import annotations

import codecs
from pathlib import Path

from babyagi_lib.sources.errors import CorpusError, SourceError


def read_text(path: Path) -> str:
    """A file's text without a byte order mark at its beginning, its lines ending in a line feed.

    A carriage return without a line feed stays, since its meaning depends on the format.

    Raises:
        SourceError: the file cannot be opened.
        CorpusError: it is not UTF-8, or has NUL bytes, as UTF-16 without a byte order mark has.
    """
    try:
        data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror})") from error
    try:
        text = data.decode()
        wrong, reason = data.find(0), "a NUL byte, as in UTF-16"
    except UnicodeDecodeError as error:
        wrong, reason = error.start, error.reason
    if wrong >= 0:
        line = data.count(b"\n", 0, wrong) + 1
        raise CorpusError(f"{path}:{line}: not UTF-8 ({reason}); save the file as UTF-8")
    return text.replace("\r\n", "\n")
