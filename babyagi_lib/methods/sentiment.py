"""Sentiment from few labels, how often it is right, and a share corrected for its errors. Used by lesson 16.

Three ways to sort headlines into negative, neutral and positive: a logistic regression on an encoder's vectors (a probe), a
list of words (a lexicon), and the probe with the lexicon's counts as two more features.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_whole
from babyagi_lib.methods.fewshot import linear_probe
from babyagi_lib.sources.headlines import SENTIMENTS
from babyagi_lib.training.losses import wilson

# Beginnings of words. Written for this course by the same hand as its headlines, so it fits them better than others.
_NEGATIVE = (
    "abandon accident accus alleg ang axe ban bankrup blam blow boycott breach brib bug bull burn cancel charged clos collaps "
    "complain contaminat convict corrupt costly crack crash crisis critici cut damag danger debt decline default defect deficit "
    "delay deni demand die disappoint dismiss dispute doubt down downgrad drag drop dwindl exploit expos fail fake fall false "
    "fault fear fell fine fire flaw flop fraud freez grim guilty hack halt harass harm hit hostile hurt ill illegal infect "
    "injur insolven investigat jail junk kill lack lawsuit lay leak lose loss lost low manipulat mislead miss mistake mould "
    "nervous overheat paraly penalt plung poison pollut poor prison probe problem prosecut protest punish quit raid recall "
    "reject resign risk row scandal seize setback sharply shortage shrink shrank shut sink slash slip slow slump stall steal "
    "stole strike struggl sue suffer suspend tear threat trouble tumbl unpaid unsafe violat warn weak widen withdraw worse "
    "worst wrong"
)
_POSITIVE = (
    "accelerat acclaim acquit admir agree applau approv attract award back beat benefit best better bonus boom boost "
    "breakthrough celebrat cheer clear commend creat delight doubl ease earn enjoy exceed excellent expand favo gain generous "
    "good great grew grow growth guarantee healthy help highest hire honour improv increas innocent jump landmark "
    "largest lead lift love lucrative meets more outperform pass popular prais prize profitable promot prosper raise rally "
    "rave record recover reliabl reward rise rose safe satisf save secur settle smart soar solid strength strong "
    "succeed success supports surg surpass thriv top tripl triumph unanim up upgrad victor welcom win won"
)
NEGATIVE, POSITIVE = (
    re.compile(rf"\b(?:{'|'.join(words.split())})", re.IGNORECASE) for words in (_NEGATIVE, _POSITIVE)
)
SCALE = 0.3  # of a count beside a vector of length one; more lets the two counts outweigh the 384 numbers
Z = 1.959964  # of a 95% interval


class Rate(NamedTuple):
    """A share, its 95% interval, and out of how many."""

    share: float
    low: float
    high: float
    of: int

    def __str__(self) -> str:
        return f"{self.share:.2f} [{self.low:.2f}, {self.high:.2f}]"


# --- three classifiers --------------------------------------------------------------------------------------


def lexicon_counts(texts: Sequence[str]) -> NDArray[np.float64]:
    """How many words of each text begin like a negative and like a positive word of the lexicon: (texts, 2)."""
    return np.array([[len(words.findall(text)) for words in (NEGATIVE, POSITIVE)] for text in texts], float)


def by_lexicon(texts: Sequence[str]) -> NDArray[np.str_]:
    """The sentiment whose words are more; neutral where they are equally many. Needs no label."""
    bad, good = lexicon_counts(texts).T
    return np.array(SENTIMENTS)[(1 + np.sign(good - bad)).astype(int)]


def with_lexicon(vectors: NDArray, texts: Sequence[str]) -> NDArray[np.float64]:
    """Vectors with the two counts of the lexicon beside them: (texts, hidden + 2)."""
    return np.hstack([vectors, SCALE * lexicon_counts(texts)])


def by_probe(known: NDArray, labels: Sequence[str], asked: NDArray) -> NDArray[np.str_]:
    """The likeliest class of each row of `asked`, by logistic regression on the rows of `known`."""
    return np.unique(labels)[linear_probe(known, labels, asked).argmax(axis=1)]


def out_of_fold(features: NDArray, labels: Sequence[str], folds: int, rng: np.random.Generator) -> NDArray[np.str_]:
    """For each row the class that `by_probe` gives it when it has not learned from that row's fold.

    Args:
        features: (texts, features).
        labels: the class of each.
        folds: how many parts; at least two.
        rng: draws them.
    """
    check_whole("folds", folds, 2)
    labels = np.asarray(labels)
    part = rng.permutation(np.arange(len(labels)) % folds)
    found = np.empty_like(labels)
    for fold in range(folds):
        held = part == fold
        found[held] = by_probe(features[~held], labels[~held], features[held])
    return found


# --- how often it is right, and the share behind its errors -------------------------------------------------


def rate(hits: ArrayLike) -> Rate:
    """The share of true entries with Wilson's 95% interval.

    Raises:
        ValueError: there is no entry.
    """
    hits = np.asarray(hits, bool)
    if hits.size == 0:
        raise ValueError("a share of nothing: there is no entry")
    return Rate(float(hits.mean()), *wilson(int(hits.sum()), hits.size, Z), hits.size)


def sensitivity_specificity(flagged: ArrayLike, negative: ArrayLike) -> tuple[Rate, Rate]:
    """Shares of the negative texts that are flagged, and of the others that are not.

    Args:
        flagged: what the classifier says, (texts,) bool.
        negative: what is true, (texts,) bool.
    """
    flagged, negative = np.asarray(flagged, bool), np.asarray(negative, bool)
    return rate(flagged[negative]), rate(~flagged[~negative])


def seen_share(share: ArrayLike, sensitivity: ArrayLike, specificity: ArrayLike) -> NDArray[np.float64]:
    """The share that a classifier flags where `share` is negative: se p + (1 - sp)(1 - p)."""
    share = np.asarray(share, float)
    return np.asarray(sensitivity) * share + (1 - np.asarray(specificity)) * (1 - share)


def corrected_share(
    seen: ArrayLike,
    of: ArrayLike,
    sensitivity: ArrayLike,
    of_negative: ArrayLike,
    specificity: ArrayLike,
    of_other: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The true share behind a classifier's errors, with a 95% interval that includes the error of its rates.

    The estimate is Rogan and Gladen's (1978, https://doi.org/10.1093/oxfordjournals.aje.a112510); the interval is by the
    delta method. All arguments may be arrays of one shape.

    Args:
        seen: share of the messages that is flagged.
        of: how many messages.
        sensitivity, of_negative: measured on so many negative texts.
        specificity, of_other: measured on so many other texts.

    Returns:
        Estimate, lower and upper end, each cut to the range 0 to 1.

    Raises:
        ValueError: sensitivity + specificity is at most 1: then what is flagged does not depend on the truth.
    """
    seen, se, sp = (np.asarray(value, float) for value in (seen, sensitivity, specificity))
    informed = se + sp - 1
    if (informed <= 0).any():
        raise ValueError("sensitivity + specificity must be above 1; this classifier is no better than a coin")
    share = (seen + sp - 1) / informed
    variance = (
        seen * (1 - seen) / of + share**2 * se * (1 - se) / of_negative + (1 - share) ** 2 * sp * (1 - sp) / of_other
    ) / informed**2
    half = Z * np.sqrt(variance)
    return tuple(np.clip(value, 0, 1) for value in (share, share - half, share + half))
