"""A memory of results: texts, their vectors, and the entries most like a question. Used by lessons 12 to 14.

Imports no torch; the embedded encoder, which needs it, is loaded when the first text is embedded without an `embed` of one's
own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_whole

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


class Reader:
    """Texts to vectors of length one by the embedded encoder (MiniLM, Wang and others 2020), each different text once."""

    def __init__(self) -> None:
        self.known: dict[str, NDArray] = {}
        self.encoder: tuple | None = None

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts,) to (texts, 384)."""
        texts = [str(text) for text in texts]  # NumPy's, too
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            from babyagi_lib.methods.fewshot import embed
            from babyagi_lib.sources.encoders import load_encoder

            self.encoder = self.encoder or load_encoder()
            self.known |= zip(new, embed(*self.encoder, new), strict=True)
        return np.stack([self.known[text] for text in texts])


def cosines(embed: Embed, questions: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64]:
    """The cosine of every question with every text, (questions, texts); `embed` need not scale its vectors."""
    left, right = (np.asarray(embed(list(part)), dtype=float) for part in (questions, texts))
    left, right = (part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12) for part in (left, right))
    return left @ right.T


class Memory:
    """What was found so far.

    Args:
        embed: texts to vectors, (texts, width); the embedded encoder by default.

    Attributes:
        entries: the texts, in the order in which they were stored.
    """

    def __init__(self, embed: Embed | None = None) -> None:
        self.embed: Embed = embed or Reader()
        self.entries: list[str] = []

    def __len__(self) -> int:
        return len(self.entries)

    def store(self, text: str) -> None:
        """Keep a text; one that is there already is not stored again, so that it cannot be recalled twice.

        Raises:
            ValueError: the text is empty.
        """
        if not text.strip():
            raise ValueError("an empty text has no meaning to recall it by")
        if text not in self.entries:
            self.entries.append(text)

    def recall(self, question: str, k: int) -> list[str]:
        """The `k` entries with the highest cosine to the question, the highest first; of equal ones the older first."""
        check_whole("k", k, 1)
        if not self.entries:
            return []
        similar = cosines(self.embed, [question], self.entries)[0]
        return [self.entries[at] for at in np.argsort(-similar, kind="stable")[:k]]
