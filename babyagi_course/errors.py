"""Errors that the user can correct."""

from __future__ import annotations

import errno
from pathlib import Path


class CourseError(Exception):
    """An error that the user can correct; the message says how."""


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def cannot_write(where: Path | str, error: OSError) -> CourseError:
    """The error for a folder or file that cannot be written to."""
    remedy = "choose another folder with --out, or copy the course to one of your own"
    if error.errno in FULL:
        remedy = "free some space, or choose another folder with --out"
    return CourseError(f"cannot write to {where} ({error.strerror}); {remedy}")
