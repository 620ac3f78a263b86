"""The two errors of all sources, and how a message of another library is quoted in them.

Used by lessons 02 and 04, and by all that loads or saves.
"""

from __future__ import annotations


class SourceError(RuntimeError):
    """A model or corpus that cannot be used; the message says why and what to do."""


class CorpusError(ValueError):
    """A line of a corpus file that cannot be read; the message gives file, line and what was expected."""


def first_line(error: Exception) -> str:
    """The beginning of another library's message, short enough to quote in ours."""
    return str(error).strip().split("\n")[0][:200]
