"""Word-level tags to word pieces and back, and plain text to words. Used by lessons 02 and 04.

A tagger reads word pieces; corpora are annotated word by word. `encode` cuts sentences into windows of pieces in which
exactly one piece of every word carries that word's tag; `decode` turns predictions for those pieces into
tags for words again. Both are exact inverses for any words and tags (tested as a property).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from babyagi_lib.basics.labels import IGNORE
from babyagi_lib.sources.encoders import LONGEST_WINDOW
from babyagi_lib.text.iob2 import best_valid_path

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


# --- words to pieces --------------------------------------------------------------------------------------

CASES = ("lower", "Capitalised", "UPPER", "miXed", "no letters")


def case_of(word: str) -> int:
    """Index into `CASES`: what an uncased encoder no longer sees of a word."""
    if not any(c.isalpha() for c in word):
        return 4
    if word == word.lower():
        return 0
    if word == word.upper():
        return 2 if len(word) > 1 else 1
    if word[:1].isupper() and word[1:] == word[1:].lower():
        return 1
    return 3


@dataclass
class Encoded:
    """Sentences as windows of word pieces.

    Attributes:
        windows: one dict per window with lists of equal length: `input_ids`, `case_ids` (index into `CASES`
            of the word each piece belongs to, 4 for special tokens) and `labels` (tag index at the first
            piece of each word, `IGNORE` elsewhere).
        sentence_of: for each window, the index of the sentence it is part of.
        split: indices of sentences that did not fit into one window and were split between words.
        cut: (sentence, word) indices of words longer than a window, of which only the first pieces are read.
    """

    windows: list[dict[str, list[int]]] = field(default_factory=list)
    sentence_of: list[int] = field(default_factory=list)
    split: list[int] = field(default_factory=list)
    cut: list[tuple[int, int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.windows)

    def report(self) -> str:
        """One line that says what did not fit into a window, if anything."""
        if not self.split and not self.cut:
            return f"{len(self.windows):,} sentences, each whole in one window"
        return (
            f"{len(self.windows):,} windows; {len(self.split)} sentence(s) too long for the encoder were split between "
            f"words, {len(self.cut)} word(s) longer than a window were cut; every word still gets a tag"
        )


def encode(
    sentences: Sequence[Sequence[str]],
    tags: Sequence[Sequence[str]] | None,
    tag_names: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    max_pieces: int | None = None,
) -> Encoded:
    """Cut sentences into windows of word pieces, tags at the first piece of each word.

    Args:
        sentences: words of each sentence.
        tags: a tag for each word, or None to encode without labels (all are `IGNORE` but the first pieces,
            which are 0, so that `decode` still finds the words).
        tag_names: the tags in the order of the head's outputs.
        tokenizer: a fast tokenizer.
        max_pieces: pieces in a window with the special tokens; None for as many as fit (see `longest_window`).

    A word for which the tokenizer returns no piece (a control character, for example) becomes one unknown token, so
    that every word keeps its place.

    Raises:
        ValueError: the numbers of sentences and of lists of tags differ; a sentence is not cut into words, or it and its
            tags differ in length; a tag is not in `tag_names`; a window has no room for a piece, or is longer than what
            the encoder reads.
    """
    if tags is not None and len(tags) != len(sentences):
        raise ValueError(f"{len(sentences)} sentences and {len(tags)} lists of tags; expected the same number")
    limit = longest_window(tokenizer) if max_pieces is None else max_pieces
    if limit > tokenizer.model_max_length:
        raise ValueError(f"max_pieces is {limit}; the encoder reads {tokenizer.model_max_length} at once")
    room = limit - 2
    if room < 1:
        raise ValueError(f"max_pieces is {limit}; a window needs room for two special tokens and one piece")
    tag_index = {tag: i for i, tag in enumerate(tag_names)}
    encoded = Encoded()
    for s, words in enumerate(sentences):
        if isinstance(words, str):
            raise ValueError(f"sentence {s} is one text, {words[:60]!r}; cut it into words first, as split_words does")
        word_tags = [tag_names[0]] * len(words) if tags is None else tags[s]
        if len(word_tags) != len(words):
            raise ValueError(f"sentence {s} has {len(words)} words and {len(word_tags)} tags")
        unknown = sorted(map(str, set(word_tags) - tag_index.keys()))
        if unknown:
            raise ValueError(f"sentence {s} has tags that the model does not know: {', '.join(unknown)}")

        pieces, cases, labels = [], [], []
        windows_before = len(encoded)
        for w, ids in enumerate(word_pieces(words, tokenizer)):
            if len(ids) > room:
                encoded.cut.append((s, w))
                ids = ids[:room]
            if len(pieces) + len(ids) > room:
                _close_window(encoded, s, pieces, cases, labels, tokenizer)
                pieces, cases, labels = [], [], []
            pieces += ids
            cases += [case_of(words[w])] * len(ids)
            labels += [tag_index[word_tags[w]]] + [IGNORE] * (len(ids) - 1)
        _close_window(encoded, s, pieces, cases, labels, tokenizer)
        if len(encoded) > windows_before + 1:
            encoded.split.append(s)
    return encoded


def longest_window(tokenizer: PreTrainedTokenizerBase) -> int:
    """Pieces that an encoder is given at once, special tokens included: 512, or what it has positions for if fewer.

    `load_encoder` sets the tokenizer's `model_max_length` to what its encoder has positions for.
    """
    return min(tokenizer.model_max_length, LONGEST_WINDOW)


def word_pieces(words: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    """Piece ids of each word, at least one per word (the unknown token where the tokenizer returns none)."""
    pieces: list[list[int]] = [[] for _ in words]
    if words:
        batch = tokenizer(
            list(words), is_split_into_words=True, add_special_tokens=False, truncation=False, verbose=False
        )
        for word, piece in zip(batch.word_ids(), batch["input_ids"], strict=True):
            pieces[word].append(piece)
    return [ids or [tokenizer.unk_token_id] for ids in pieces]


def _close_window(
    encoded: Encoded,
    sentence: int,
    pieces: list[int],
    cases: list[int],
    labels: list[int],
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    encoded.windows.append(
        {
            "input_ids": [tokenizer.cls_token_id, *pieces, tokenizer.sep_token_id],
            "case_ids": [4, *cases, 4],
            "labels": [IGNORE, *labels, IGNORE],
        }
    )
    encoded.sentence_of.append(sentence)


def decode(
    encoded: Encoded, scores: Iterable[np.ndarray], tag_names: Sequence[str], valid: bool = False
) -> list[list[str]]:
    """Tags of words from scores for pieces: the score of a word is that of its first piece.

    Args:
        encoded: what `encode` returned.
        scores: for each window, an array (pieces, tags) of logits, special tokens included.
        tag_names: the tags in the order of the columns.
        valid: the most probable of the tag sequences that IOB2 allows (`best_valid_path`); otherwise the most probable
            tag of every word by itself, which may be an I- that continues no mention.

    Returns:
        For each sentence, a tag for each word.

    Raises:
        ValueError: the number of scores is not the number of windows, or a shape is wrong.
    """
    scores = list(scores)
    if len(scores) != len(encoded):
        raise ValueError(f"{len(encoded)} windows and scores for {len(scores)}; expected the same number")
    rows: list[list[np.ndarray]] = [[] for _ in range(max(encoded.sentence_of, default=-1) + 1)]
    for window, s, logits in zip(encoded.windows, encoded.sentence_of, scores, strict=True):
        expected = (len(window["labels"]), len(tag_names))
        if np.shape(logits) != expected:
            raise ValueError(f"a window has scores of shape {np.shape(logits)}; expected {expected}: pieces, tags")
        rows[s] += [row for row, label in zip(logits, window["labels"], strict=True) if label != IGNORE]
    words = [np.array(found).reshape(-1, len(tag_names)) for found in rows]
    paths = [best_valid_path(found, tag_names) if valid else found.argmax(axis=1) for found in words]
    return [[tag_names[i] for i in path] for path in paths]


# --- plain text to words ----------------------------------------------------------------------------------


def split_words(text: str) -> list[str]:
    """Split plain text into words and punctuation marks, roughly as news corpora do ('s stands alone).

    Combining marks, soft hyphens and joiners belong to the character before them, in any normal form of Unicode. Points
    and commas inside numbers do too (1,000,000; 3.14; 10:30). Nothing but white space is lost.
    """
    shape = "".join(MARK if unicodedata.category(c) in GLUED and c != ZERO_WIDTH_SPACE else c for c in text)
    return [text[slice(*found.span())] for found in WORD.finditer(shape)]


# Categories of Unicode whose characters belong to the one before: marks, and format characters such as soft hyphens. The
# zero width space is a format character, too, but ends a word.
GLUED, ZERO_WIDTH_SPACE = ("Mn", "Mc", "Me", "Cf"), "\u200b"
MARK = "\u0300"  # stands for all of them in the pattern
APOSTROPHE = "['\u2019\u02bc\uff07]"
WORD = re.compile(
    r"""
      <apostrophe>s\b                         # 's by itself
    | (?:<letter>\.)+<letter>\.               # U.S.
    | <part>(?:<join><part>)*?(?=<apostrophe>s\b)  # what stands before 's
    | <part>(?:<join><part>)*                 # Anna, O'Brien, AT&T, 1,000,000
    | [^\w\s]<mark>*                          # punctuation and symbols
    """.replace("<join>", r"(?:[-\u2010\u2011&.\u00b7]|<apostrophe>|(?<=\d)[,:\u066b\u066c](?=\d))")
    .replace("<part>", r"<letter>+")
    .replace("<letter>", r"(?:\w<mark>*)")
    .replace("<apostrophe>", APOSTROPHE)
    .replace("<mark>", MARK),
    re.VERBOSE | re.IGNORECASE,
)
