"""The exercises of lesson 15: three acts from costs, the threshold of conformal sets, BM25. Imports no torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.learner.checks.answers import Wrong, number, side_by_side
from babyagi_lib.learner.checks.cases import answers_to, judge
from babyagi_lib.learner.checks.verdict import exercise

Values = NDArray[np.float64]
ACTS = ("answer", "ask back", "hand over")
MARGIN = 0.02  # no two acts cost so nearly the same that single precision decides

# --- exercise 1: three acts ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Desk:
    """Messages as logits, of which the last column is out of scope, and what acts cost."""

    logits: Values
    temperature: float
    wrong: float
    ask: float
    hand_over: float

    def probabilities(self, factor: float | None = None) -> Values:
        """Of each class; the logits are multiplied by `factor`, by default 1 / temperature."""
        scaled = self.logits * (1 / self.temperature if factor is None else factor)
        odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def masses(self, p: Values | None = None, outside: bool = False, shown: int = 3) -> tuple[Values, Values]:
        """The probability of the likeliest intent, and of those that are shown."""
        p = self.probabilities() if p is None else p
        best = -np.sort(-(p if outside else p[:, :-1]), axis=1)
        return best[:, 0], best[:, :shown].sum(axis=1)

    def costs(self, *given: object, **options: object) -> Values:
        """The expected cost of each act; the arguments are those of `masses`."""
        first, among = self.masses(*given, **options)
        over = np.full_like(first, self.hand_over)
        return np.stack([self.wrong * (1 - first), self.ask + (1 - among) * self.hand_over, over], axis=1)

    @property
    def right(self) -> Values:
        """The cheapest act of each message."""
        return self.costs().argmin(axis=1).astype(float)


def _desk(seed: int, messages: int, classes: int, spread: float, *given: float) -> Desk:
    """A desk without messages whose two cheapest acts cost nearly the same."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(4 * messages, classes)) * spread
    logits[:: classes + 1, -1] += 2 * spread  # some are likely to be out of scope
    desk = Desk(logits, *given)
    ordered = np.sort(desk.costs(), axis=1)
    clear = ordered[:, 1] - ordered[:, 0] > MARGIN
    return replace(desk, logits=logits[clear][:messages])


DESKS = [
    _desk(1, 40, 7, 1.2, 0.6, 8.0, 2.0, 3.0),
    _desk(2, 40, 7, 2.0, 1.6, 8.0, 2.0, 3.0),
    _desk(3, 30, 6, 1.0, 0.5, 10.0, 1.0, 3.0),
    _desk(4, 30, 9, 2.0, 1.4, 5.0, 1.5, 2.5),
    _desk(5, 25, 6, 1.4, 0.8, 6.0, 0.5, 4.0),
]


def _with_asking(ask: Callable[[Desk, Values], Values]) -> Callable[[Desk], Values]:
    """The rule with another expected cost of asking back."""

    def acts(d: Desk) -> Values:
        costs = d.costs()
        costs[:, 1] = ask(d, d.masses()[1])
        return costs.argmin(axis=1)

    return acts


def _without_outside(d: Desk) -> Values:
    p = d.probabilities()[:, :-1]
    p = p / p.sum(axis=1, keepdims=True)
    return d.costs(np.hstack([p, 0 * p[:, :1]])).argmin(axis=1)


def _by_half(d: Desk) -> Values:
    first, among = d.masses()
    return np.where(first >= 0.5, 0, np.where(among >= 0.5, 1, 2))


def _answer_by_p(d: Desk) -> Values:
    costs = d.costs()
    costs[:, 0] = d.wrong * d.masses()[0]
    return costs.argmin(axis=1)


DESK_MISTAKES: list[tuple[str, Callable[[Desk], Values]]] = [
    (
        "your probabilities are not calibrated: divide the logits by the temperature before the softmax.",
        lambda d: d.costs(d.probabilities(1.0)).argmin(axis=1),
    ),
    (
        "the logits are to be divided by the temperature; you multiply.",
        lambda d: d.costs(d.probabilities(d.temperature)).argmin(axis=1),
    ),
    (
        "the last class is out of scope: it has no answer and is never shown. You treat it as an intent.",
        lambda d: d.costs(outside=True).argmin(axis=1),
    ),
    (
        "you leave out the last class before the softmax, so that the intents add up to 1. Its probability counts: then any "
        "answer is wrong.",
        _without_outside,
    ),
    ("asking costs something itself: you forget the cost `ask`.", _with_asking(lambda d, p: (1 - p) * d.hand_over)),
    (
        "if none of the three is right, the message is handed over after all: you forget that cost.",
        _with_asking(lambda d, p: np.full_like(p, d.ask)),
    ),
    (
        "if none of the three is right, the message is handed over, which costs `hand_over`; you take `wrong`.",
        _with_asking(lambda d, p: d.ask + (1 - p) * d.wrong),
    ),
    (
        "you add the cost of handing over with the probability that one of the three is right; it is due if none is.",
        _with_asking(lambda d, p: d.ask + p * d.hand_over),
    ),
    (
        "if none of the three is right, both `ask` and `hand_over` are paid; you take ask * p + hand_over * (1 - p).",
        _with_asking(lambda d, p: d.ask * p + (1 - p) * d.hand_over),
    ),
    ("three intents are shown; you count the likeliest one only.", lambda d: d.costs(shown=1).argmin(axis=1)),
    ("three intents are shown; you count two.", lambda d: d.costs(shown=2).argmin(axis=1)),
    ("three intents are shown; you count all of them.", lambda d: d.costs(shown=99).argmin(axis=1)),
    (
        "you return the likeliest class of each message; return the cheapest act: 0 answer, 1 ask, 2 hand over.",
        lambda d: d.probabilities().argmax(axis=1),
    ),
    ("you always answer: compare the expected costs of three acts.", lambda d: np.zeros(len(d.logits))),
    (
        "you never ask back: that is Chow's rule for two acts.",
        lambda d: np.where(d.costs()[:, 0] <= d.hand_over, 0, 2),
    ),
    ("you never hand over: there are three acts.", lambda d: d.costs()[:, :2].argmin(axis=1)),
    ("you take the dearest act; take the cheapest one.", lambda d: d.costs().argmax(axis=1)),
    (
        "an answer costs `wrong` if it is wrong, so with probability 1 - p; you multiply by p.",
        _answer_by_p,
    ),
    ("you compare probabilities with 0.5; the costs decide.", _by_half),
    ("acts 1 and 2 are swapped: 1 is ask, 2 is hand over.", lambda d: np.array([0, 2, 1])[d.costs().argmin(axis=1)]),
    ("your acts are 1, 2, 3; count from 0.", lambda d: d.costs().argmin(axis=1) + 1),
    (
        "`wrong` and `hand_over` are swapped.",
        lambda d: replace(d, wrong=d.hand_over, hand_over=d.wrong).costs().argmin(axis=1),
    ),
    (
        "`ask` and `hand_over` are swapped.",
        lambda d: replace(d, ask=d.hand_over, hand_over=d.ask).costs().argmin(axis=1),
    ),
]


@exercise
def choose(attempt: Callable) -> str:
    """Lesson 15, exercise 1: `attempt(logits, temperature, wrong, ask, hand_over)` is the cheapest act of each message."""

    def expected(d: Desk) -> str:
        return f"one act for each message, 0, 1 or 2: {len(d.logits)} numbers"

    found = answers_to(attempt, DESKS, expected)

    def tell(case: int, entry: tuple) -> str:
        d, i = DESKS[case], entry[0]
        first, among = (values[i] for values in d.masses())
        said = found[case][i]
        yours = ACTS[int(said)] if said in (0, 1, 2) else f"{said:g}"
        costs = ", ".join(f"{name} {cost:.2f}" for name, cost in zip(ACTS, d.costs()[i], strict=True))
        return (
            f" With wrong {d.wrong:g}, ask {d.ask:g} and hand_over {d.hand_over:g}, for a message whose likeliest intent has "
            f"{first:.2f} and the three likeliest {among:.2f}, you choose {yours}; {ACTS[int(d.right[i])]} is right (expected "
            f"costs: {costs})."
        )

    judge(found, DESKS, DESK_MISTAKES, tell)
    return "the cheapest act from costs and calibrated probabilities. Nothing was tuned."


# --- exercise 2: the threshold of conformal sets ------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Scored:
    """Messages with probabilities and right classes, those that the classifier learned from, and the share to miss."""

    probabilities: Values
    labels: NDArray[np.int64]
    learned: NDArray[np.bool_]
    alpha: float

    @property
    def own(self) -> Values:
        """The probability of the right class."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]

    @property
    def scores(self) -> Values:
        """Of the messages that the classifier did not learn from, in rising order."""
        return np.sort(1 - self.own[~self.learned])

    def place(self, more: int = 1, side: float | None = None) -> int:
        """Which score is the threshold, counted from 1, for n + `more` messages."""
        share = 1 - self.alpha if side is None else side
        return math.ceil(round((len(self.scores) + more) * share, 9))

    def at(self, place: int, scores: Values | None = None) -> Values:
        """The score at a place, counted from 1, the last one if there are not so many."""
        scores = self.scores if scores is None else scores
        return np.array(scores[min(max(place, 1), len(scores)) - 1])

    def of(self, scores: Values) -> Values:
        """The threshold with other scores."""
        n = len(scores)
        return self.at(math.ceil(round((n + 1) * (1 - self.alpha), 9)), np.sort(scores))

    @property
    def right(self) -> Values:
        """The threshold, infinite if there are too few scores."""
        return self.at(self.place()) if self.place() <= len(self.scores) else np.array(np.inf)


def _scored(seed: int, held_out: int, learned: int, alpha: float) -> Scored:
    """The classifier is surer of what it has learned from, and all scores differ."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(5, 0.7), size=held_out + learned) + 0.01
    known = rng.permutation(np.arange(len(p)) < learned)
    labels = np.array([rng.choice(5, p=row / row.sum()) for row in p])
    p[np.flatnonzero(known), labels[known]] += 2
    return Scored(p / p.sum(axis=1, keepdims=True), labels, known, alpha)


SCORED = [
    _scored(1, 23, 30, 0.1),  # place 22 of 23
    _scored(2, 41, 60, 0.2),  # 34
    _scored(3, 58, 20, 0.25),  # 45
    _scored(4, 99, 80, 0.1),  # 90, a whole number
    _scored(5, 33, 33, 0.3),  # 24
]
FEW = _scored(6, 6, 30, 0.1)  # place 7 of 6


SCORE_MISTAKES: list[tuple[str, Callable[[Scored], Values]]] = [
    (
        "the new message is one of n + 1: the place is ceil((n + 1)(1 - alpha)); you take n.",
        lambda c: c.at(c.place(0)),
    ),
    (
        "round the place up: you round it down, and cover too few.",
        lambda c: c.at(math.floor(round((len(c.scores) + 1) * (1 - c.alpha), 9))),
    ),
    (
        "one place too far: Python counts from 0, so the k-th smallest is sorted[k - 1]. (np.quantile with method='higher' "
        "also goes one too far; 'inverted_cdf' with k / n does not.)",
        lambda c: c.at(c.place() + 1),
    ),
    ("one place too low: sorted[k - 1] is the k-th smallest.", lambda c: c.at(c.place() - 1)),
    (
        "the wrong side: this is the place ceil((n + 1) alpha). Nine in ten scores must be at or below the threshold, not one.",
        lambda c: c.at(c.place(side=c.alpha)),
    ),
    (
        "the wrong side: you sort from the highest score.",
        lambda c: c.at(c.place(), c.scores[::-1]),
    ),
    (
        "a score is 1 minus the probability of the right class; you take the probability itself.",
        lambda c: c.of(c.own[~c.learned]),
    ),
    ("return the threshold of the scores; you return 1 minus it.", lambda c: 1 - c.right),
    (
        "you use the messages that the classifier learned from, whose scores are too low: use those where `learned` is False.",
        lambda c: c.of(1 - c.own[c.learned]),
    ),
    (
        "you use all messages; those that the classifier learned from have scores that are too low. Leave them out.",
        lambda c: c.of(1 - c.own),
    ),
    (
        "you take the likeliest class of each message; take the right one, `labels`.",
        lambda c: c.of(1 - c.probabilities[~c.learned].max(axis=1)),
    ),
    (
        "np.quantile interpolates between two scores, and takes n where n + 1 is due. Sort, and take the k-th smallest.",
        lambda c: np.array(np.quantile(c.scores, 1 - c.alpha)),
    ),
    (
        "np.quantile interpolates between two scores. Sort, and take the k-th smallest.",
        lambda c: np.array(np.quantile(c.scores, min(1, c.place() / len(c.scores)))),
    ),
    (
        "the score here is 1 - p; you take the negative logarithm.",
        lambda c: c.of(-np.log(c.own[~c.learned])),
    ),
    ("this is the largest score: then every set is far too large.", lambda c: np.array(c.scores[-1])),
    ("this is the place, k; return the k-th smallest score.", lambda c: np.array(c.place())),
]


@exercise
def threshold(attempt: Callable) -> str:
    """Lesson 15, exercise 2: `attempt(probabilities, labels, learned, alpha)` is the threshold of conformal sets."""
    found = answers_to(_one_number(attempt), SCORED, lambda case: "one number, the threshold")

    def tell(case: int, _: tuple) -> str:
        c = SCORED[case]
        yours, right = side_by_side(found[case], c.right)
        return (
            f" With {len(c.scores)} messages that were not learned from and alpha {c.alpha:g} you return {yours}; {right} is "
            f"right: place {c.place()} of {len(c.scores)}."
        )

    judge(found, SCORED, SCORE_MISTAKES, tell)
    few = f"{len(FEW.scores)} messages that were not learned from and alpha {FEW.alpha:g}: the place is {FEW.place()}"
    said = f"one case has {few}. So few cannot promise so much: return infinity."
    try:
        (last,) = answers_to(_one_number(attempt), [FEW], lambda case: "one number, the threshold")
    except IndexError:
        raise Wrong(said) from None
    if not last >= 1:
        raise Wrong(said)
    return "the threshold that keeps its promise for any classifier. The + 1 is the new message."


def _one_number(attempt: Callable) -> Callable:
    return lambda *given: np.array(number(attempt(*given), "one number, the threshold"))


# --- exercise 3: BM25 ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Search:
    """A question and documents, as lists of words, and the two settings of BM25."""

    question: list[str]
    documents: list[list[str]]
    k1: float
    b: float

    def score(
        self,
        rare: Callable[[int, float], float] | None = None,
        often: Callable[[float, float, float], float] | None = None,
        question: list[str] | None = None,
        occurrences: bool = False,
        mean: float | None = None,
    ) -> Values:
        """The sum over the words of the question, with parts replaced.

        Args:
            rare: the weight of a word from the number of documents and those with the word.
            often: from tf, the length over the mean length, and k1.
            question: other words.
            occurrences: whether df counts every occurrence.
            mean: another mean length.
        """
        counts = [Counter(words) for words in self.documents]
        mean = np.mean([len(words) for words in self.documents]) if mean is None else mean
        total = np.zeros(len(counts))
        for word in self.question if question is None else question:
            tf = np.array([count[word] for count in counts], dtype=float)
            df = tf.sum() if occurrences else (tf > 0).sum()
            weight = (rare or idf)(len(counts), df)
            for i, words in enumerate(self.documents):
                if tf[i]:
                    total[i] += weight * (often or self.saturated)(tf[i], len(words) / mean, self.k1)
        return total

    def saturated(self, tf: float, length: float, k1: float) -> float:
        """tf / (tf + k1 (1 - b + b length))."""
        return tf / (tf + k1 * (1 - self.b + self.b * length))

    @property
    def right(self) -> Values:
        """A score for each document."""
        return self.score()


def idf(n: float, df: float) -> float:
    """How rare a word is: ln(1 + (n - df + .5) / (df + .5))."""
    return math.log(1 + (n - df + 0.5) / (df + 0.5))


def _bare_idf(n: float, df: float) -> float:
    return math.log(max((n - df + 0.5) / (df + 0.5), 1e-12))


def _split(*texts: str) -> list[list[str]]:
    return [text.split() for text in texts]


SEARCHES = [
    Search(
        ["my", "parcel", "has", "not", "come"],
        _split(
            "where is my parcel it was due on monday and the parcel is not here",
            "my card has been stolen please block my card now",
            "parcel parcel parcel",
            "the refund has not come and i am waiting",
            "hello",
        ),
        1.5,
        0.75,
    ),
    Search(
        ["card", "card", "pin"],  # a word that stands twice
        _split(
            "the pin of my card is lost",
            "card",
            "a new card and a new pin for the new card please",
            "pin pin pin pin",
            "nothing",
            "the card is here",
        ),
        1.2,
        0.5,
    ),
    Search(
        ["refund", "for", "the", "blender"],  # a word in every document, and one in none
        _split(
            "the refund for the kettle",
            "the kettle the kettle the kettle the lid",
            "where is the refund",
            "the toaster",
        ),
        2.0,
        0.9,
    ),
]


def _other(**parts: object) -> Callable[[Search], Values]:
    return lambda c: c.score(**parts)


SEARCH_MISTAKES: list[tuple[str, Callable[[Search], Values]]] = [
    (
        "the 1 inside the logarithm is missing: without it, a word in more than half of the documents counts below 0.",
        _other(rare=_bare_idf),
    ),
    (
        "negative weights are not to be set to 0; the 1 inside the logarithm keeps them positive.",
        _other(rare=lambda n, df: max(0.0, _bare_idf(n, df))),
    ),
    ("the weight of a word is not ln(N / df) here: see the formula.", _other(rare=lambda n, df: math.log(n / df))),
    (
        "the weight of a word is not ln(1 + N / df) here: see the formula.",
        _other(rare=lambda n, df: math.log(1 + n / df)),
    ),
    ("rare words should count more: the first factor is missing.", _other(rare=lambda n, df: 1.0)),
    ("you take another logarithm; it is the natural one.", _other(rare=lambda n, df: math.log2(math.exp(idf(n, df))))),
    ("you take another logarithm; it is the natural one.", _other(rare=lambda n, df: idf(n, df) / math.log(10))),
    (
        "df is the number of documents with the word; you count every occurrence.",
        _other(occurrences=True, rare=lambda n, df: math.log(max(1 + (n - df + 0.5) / (df + 0.5), 1e-12))),
    ),
    (
        "the length is not normalised: k1 is to be multiplied by 1 - b + b * length / mean.",
        lambda c: replace(c, b=0.0).score(),
    ),
    ("the length counts fully; b says how much of it counts.", lambda c: replace(c, b=1.0).score()),
    ("b and 1 - b are swapped.", lambda c: replace(c, b=1 - c.b).score()),
    (
        "the length is upside down: it is length / mean, and not mean / length.",
        lambda c: c.score(often=lambda tf, length, k1: c.saturated(tf, 1 / length, k1)),
    ),
    (
        "you do not divide the length by the mean length of the documents.",
        lambda c: c.score(mean=1.0),
    ),
    (
        "the mean length is that of all documents; you take another one.",
        lambda c: c.score(mean=float(np.mean([len(set(words)) for words in c.documents]))),
    ),
    ("tf is not saturated: the second factor is missing, and you multiply by tf.", _other(often=lambda tf, m, k1: tf)),
    (
        "tf counts only as yes or no in your formula.",
        lambda c: c.score(often=lambda tf, length, k1: c.saturated(1, length, k1)),
    ),
    (
        "you have a factor k1 + 1 more. It is in other variants, and changes no order; leave it out here.",
        lambda c: c.score() * (c.k1 + 1),
    ),
    (
        "a word that stands twice in the question counts twice; you count it once.",
        lambda c: c.score(question=list(dict.fromkeys(c.question))),
    ),
    (
        "you count the words of the question too often: each word of the question adds its part once for each time that it "
        "stands there.",
        lambda c: c.score(question=[w for w in c.question for _ in range(c.question.count(w))]),
    ),
    ("you divide by the number of words in the question; the score is a sum.", lambda c: c.score() / len(c.question)),
    ("you return the order of the documents; return their scores.", lambda c: np.argsort(-c.score(), kind="stable")),
    ("you return the scores in falling order; keep the order of the documents.", lambda c: -np.sort(-c.score())),
]


@exercise
def bm25(attempt: Callable) -> str:
    """Lesson 15, exercise 3: `attempt(question, documents, k1, b)` is the BM25 score of each document."""
    found = answers_to(attempt, SEARCHES, lambda case: f"a score for each of the {len(case.documents)} documents")

    def tell(case: int, entry: tuple) -> str:
        c = SEARCHES[case]
        yours, right = side_by_side(found[case][entry], c.right[entry])
        words, document = " ".join(c.question), " ".join(c.documents[entry[0]])
        return (
            f" For the question '{words}' and the document '{document}', k1 {c.k1:g}, b {c.b:g}, you return {yours}; {right} is "
            "right."
        )

    judge(found, SEARCHES, SEARCH_MISTAKES, tell)
    return "BM25 as search engines compute it."
