"""What is said about a corpus when it has been loaded: its sizes, and how many test examples it repeats.

Used by `messages` and `news`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import DatasetDict


def repeated(asked: Iterable[Hashable], learned: Iterable[Hashable]) -> int:
    """How many of the examples to test on are also among those to learn from."""
    seen = set(learned)
    return sum(example in seen for example in asked)


def sizes(corpus: DatasetDict, what: str = "sentences") -> str:
    """The number of examples in each split, for the line that says what was loaded."""
    return ", ".join(f"{len(split):,} {name}" for name, split in corpus.items()) + f" {what}"
