"""Right and wrong answers to the exercises of lesson 15."""

import heapq
import math
from collections import Counter, defaultdict

import numpy as np
import torch
from scipy.special import softmax
from sklearn.feature_extraction.text import CountVectorizer

from babyagi_lib.learner.checks import help_desk as checks
from babyagi_lib.methods import conformal, decisions, retrieval

# --- three acts --------------------------------------------------------------------------------------------------


def acts_by_sorting(logits, temperature, wrong, ask, hand_over):
    p = softmax(np.asarray(logits) / temperature, axis=1)[:, :-1]
    best = np.sort(p, axis=1)[:, ::-1]
    costs = [wrong * (1 - best[:, 0]), ask + hand_over * (1 - best[:, :3].sum(axis=1)), np.full(len(p), hand_over)]
    return np.argmin(costs, axis=0)


def acts_with_loops(logits, temperature, wrong, ask, hand_over):
    acts = []
    for row in logits.tolist():
        odds = [math.exp((z - max(row)) / temperature) for z in row]
        p = [o / sum(odds) for o in odds[:-1]]
        costs = (wrong * (1 - max(p)), ask + hand_over * (1 - sum(heapq.nlargest(3, p))), hand_over)
        acts.append(min(range(3), key=costs.__getitem__))
    return acts


def acts_in_torch(logits, temperature, wrong, ask, hand_over):
    p = (torch.as_tensor(logits) / temperature).softmax(dim=1)[:, :-1]
    best = p.topk(3, dim=1).values
    over = torch.full((len(p),), float(hand_over), dtype=p.dtype)
    return torch.stack([wrong * (1 - best[:, 0]), ask + hand_over * (1 - best.sum(dim=1)), over]).argmin(dim=0)


def acts_in_single(logits, temperature, wrong, ask, hand_over):
    return acts_by_sorting(np.asarray(logits, dtype=np.float32), np.float32(temperature), wrong, ask, hand_over)


def acts_by_the_library(logits, temperature, wrong, ask, hand_over):
    costs = decisions.Costs(wrong, ask, hand_over)
    return decisions.bayes(softmax(logits / temperature, axis=1), costs, outside=-1)


def acts_by_thresholds(logits, temperature, wrong, ask, hand_over):
    """Each pair of acts compared by itself."""
    p = np.exp(logits / temperature)
    p = -np.sort(-(p / p.sum(axis=1, keepdims=True))[:, :-1], axis=1)
    first, among = p[:, 0], p[:, 0] + p[:, 1] + p[:, 2]
    answer = (first >= 1 - hand_over / wrong) & (wrong * first >= wrong - ask - hand_over + hand_over * among)
    return np.where(answer, 0, np.where(among >= ask / hand_over, 1, 2))


def acts_by_every_wish(logits, temperature, wrong, ask, hand_over):
    """The mean of the real cost over what the customer may want."""
    p = softmax(logits / temperature, axis=1)
    order = np.argsort(-p[:, :-1], axis=1)
    costs = np.zeros((len(p), 3))
    for c in range(p.shape[1]):
        shown = (order[:, :3] == c).any(axis=1)
        costs[:, 0] += p[:, c] * np.where(order[:, 0] == c, 0, wrong)
        costs[:, 1] += p[:, c] * np.where(shown, ask, ask + hand_over)
        costs[:, 2] += p[:, c] * hand_over
    return costs.argmin(axis=1).astype(np.uint8)


def acting(
    scale=lambda t: 1 / t, outside=-1, renormalised=False, shown=3, answer=None, asked=None, over=True, pick=np.argmin
):
    """The rule with a mistake."""

    def acts(logits, temperature, wrong, ask, hand_over):
        p = softmax((logits[:, :-1] if renormalised else logits) * scale(temperature), axis=1)
        best = -np.sort(-(p if renormalised or outside is None else p[:, :-1]), axis=1)
        first, among = best[:, 0], best[:, :shown].sum(axis=1)
        one = (answer or (lambda p, wrong: wrong * (1 - p)))(first, wrong)
        two = (asked or (lambda p, wrong, ask, hand: ask + hand * (1 - p)))(among, wrong, ask, hand_over)
        costs = [one, two * np.ones(len(p)), np.full(len(p), hand_over)]
        return pick(np.array(costs[: 3 if over else 2]), axis=0)

    return acts


def by_half(logits, temperature, *costs):
    p = -np.sort(-softmax(logits / temperature, axis=1)[:, :-1], axis=1)
    return [0 if row[0] >= 0.5 else 1 if row[:3].sum() >= 0.5 else 2 for row in p]


def only_two_acts(logits, temperature, wrong, ask, hand_over):
    first = softmax(logits / temperature, axis=1)[:, :-1].max(axis=1)
    return np.where(first >= 1 - hand_over / wrong, 0, 2)


def spoils_the_logits(logits, temperature, wrong, ask, hand_over):
    logits /= temperature
    return acts_by_sorting(logits, 1.0, wrong, ask, hand_over)


def named(*given):
    return [["answer", "ask", "over"][act] for act in acts_by_sorting(*given)]


ACTS = [
    (acting(scale=lambda t: 1.0), "your probabilities are not calibrated"),
    (acting(scale=lambda t: t), "divided by the temperature; you multiply"),
    (acting(outside=None), "You treat it as an intent"),
    (acting(renormalised=True), "leave out the last class before the softmax"),
    (acting(asked=lambda p, wrong, ask, hand: hand * (1 - p)), "you forget the cost `ask`"),
    (acting(asked=lambda p, wrong, ask, hand: ask), "handed over after all: you forget that cost"),
    (acting(asked=lambda p, wrong, ask, hand: ask + wrong * (1 - p)), "you take `wrong`"),
    (acting(asked=lambda p, wrong, ask, hand: ask + hand * p), "with the probability that one of the three is right"),
    (acting(asked=lambda p, wrong, ask, hand: ask * p + hand * (1 - p)), "both `ask` and `hand_over` are paid"),
    (acting(shown=1), "you count the likeliest one only"),
    (acting(shown=2), "you count two"),
    (acting(shown=99), "you count all of them"),
    (lambda logits, *_: logits.argmax(axis=1), "you return the likeliest class"),
    (lambda logits, *_: np.zeros(len(logits), dtype=int), "you always answer"),
    (only_two_acts, "that is Chow's rule"),
    (acting(over=False), "you never hand over"),
    (acting(pick=np.argmax), "the dearest act"),
    (acting(answer=lambda p, wrong: wrong * p), "you multiply by p"),
    (by_half, "you compare probabilities with 0.5"),
    (lambda *given: np.array([0, 2, 1])[acts_by_sorting(*given)], "acts 1 and 2 are swapped"),
    (lambda *given: acts_by_sorting(*given) + 1, "count from 0"),
    (lambda z, t, w, a, h: acts_by_sorting(z, t, h, a, w), "`wrong` and `hand_over` are swapped"),
    (lambda z, t, w, a, h: acts_by_sorting(z, t, w, h, a), "`ask` and `hand_over` are swapped"),
    (spoils_the_logits, "changes the arrays"),
    (named, "one act for each message"),
    (lambda *given: acts_by_sorting(*given)[0], "one act for each message"),
    (lambda z, *rest: acts_by_sorting(z.T, *rest), "one act for each message"),
    (lambda z, t, w, a, h: acts_by_sorting(z, t, w, a + 1, h), "this is not what the formula says"),
]

# --- the threshold -----------------------------------------------------------------------------------------------


def scores_of(probabilities, labels, learned):
    """Of the messages that were not learned from."""
    return (1 - probabilities[np.arange(len(labels)), labels])[~learned]


def threshold_by_sorting(probabilities, labels, learned, alpha):
    scores = sorted(scores_of(probabilities, labels, learned))
    k = math.ceil(round((len(scores) + 1) * (1 - alpha), 9))
    return scores[k - 1] if k <= len(scores) else math.inf


def threshold_by_the_library(probabilities, labels, learned, alpha):
    held_out = ~learned
    return conformal.quantile(conformal.scores(probabilities[held_out], labels[held_out]), alpha)


def threshold_by_quantile(probabilities, labels, learned, alpha):
    scores = scores_of(probabilities, labels, learned)
    k = math.ceil((len(scores) + 1) * (1 - alpha) - 1e-9)
    if k > len(scores):
        return np.inf
    return np.quantile(scores, (k - 0.5) / len(scores), method="inverted_cdf")


def threshold_with_infinity(probabilities, labels, learned, alpha):
    """The new message's own score, which nobody knows, as infinity: then no + 1 is needed."""
    scores = np.append(scores_of(probabilities, labels, learned), np.inf)
    return np.sort(scores)[math.ceil(len(scores) * (1 - alpha) - 1e-9) - 1]


def threshold_by_counting(probabilities, labels, learned, alpha):
    """The lowest score with enough scores at or below it."""
    scores = scores_of(probabilities, labels, learned)
    enough = [s for s in scores if np.sum(scores <= s) >= (len(scores) + 1) * (1 - alpha) - 1e-9]
    return min(enough, default=float("inf"))


def threshold_with_a_heap(probabilities, labels, learned, alpha):
    """At most floor((n + 1) alpha) of n + 1 may be above."""
    scores = [1 - row[y] for row, y, known in zip(probabilities, labels, learned, strict=True) if not known]
    above = math.floor((len(scores) + 1) * alpha + 1e-9)
    return heapq.nlargest(above, scores)[-1] if above else math.inf


def threshold_in_torch(probabilities, labels, learned, alpha):
    keep = ~torch.as_tensor(learned)
    p, y = torch.as_tensor(probabilities)[keep], torch.as_tensor(labels)[keep]
    scores = 1 - p.gather(1, y[:, None])[:, 0]
    k = math.ceil(round((len(scores) + 1) * (1 - alpha), 9))
    return scores.kthvalue(k).values if k <= len(scores) else torch.tensor(torch.inf)


def threshold_in_single(probabilities, labels, learned, alpha):
    return np.float32(threshold_by_sorting(probabilities.astype(np.float32), labels, learned, alpha))


def placed(
    place=lambda n, alpha: math.ceil(round((n + 1) * (1 - alpha), 9)),
    keep=lambda learned: ~learned,
    score=lambda p, y: 1 - p[np.arange(len(y)), y],
    falling=False,
    few=math.inf,
):
    """The threshold with a mistake."""

    def threshold(probabilities, labels, learned, alpha):
        kept = keep(learned)
        scores = np.sort(score(probabilities[kept], labels[kept]))[:: -1 if falling else 1]
        k = place(len(scores), alpha)
        return few if k > len(scores) else scores[max(k, 1) - 1]

    return threshold


def places(change):
    return placed(place=lambda n, alpha: change(math.ceil(round((n + 1) * (1 - alpha), 9)), n))


def quantile_of_numpy(level=lambda n, alpha: 1 - alpha, **options):
    def threshold(probabilities, labels, learned, alpha):
        scores = scores_of(probabilities, labels, learned)
        return np.quantile(scores, min(1, level(len(scores), alpha)), **options)

    return threshold


def raises_for_few(probabilities, labels, learned, alpha):
    scores = np.sort(scores_of(probabilities, labels, learned))
    return scores[math.ceil(round((len(scores) + 1) * (1 - alpha), 9)) - 1]


def k_over_n(n, alpha):
    return math.ceil(round((n + 1) * (1 - alpha), 9)) / n


def spoils_the_probabilities(probabilities, labels, learned, alpha):
    np.subtract(1, probabilities, out=probabilities)
    return threshold_by_sorting(1 - probabilities, labels, learned, alpha)


THRESHOLDS = [
    (placed(place=lambda n, alpha: math.ceil(round(n * (1 - alpha), 9))), "you take n"),
    (placed(place=lambda n, alpha: math.floor(round((n + 1) * (1 - alpha), 9))), "you round it down"),
    (places(lambda k, n: min(k + 1, n)), "one place too far"),
    (quantile_of_numpy(k_over_n, method="higher"), "one place too far"),
    (places(lambda k, n: k - 1), "one place too low"),
    (placed(place=lambda n, alpha: math.ceil(round((n + 1) * alpha, 9))), "the wrong side: this is the place"),
    (placed(falling=True), "you sort from the highest score"),
    (placed(score=lambda p, y: p[np.arange(len(y)), y]), "you take the probability itself"),
    (lambda *given: 1 - threshold_by_sorting(*given), "you return 1 minus it"),
    (placed(keep=lambda learned: learned), "messages that the classifier learned from, whose scores are too low"),
    (placed(keep=lambda learned: np.ones_like(learned)), "you use all messages"),
    (placed(score=lambda p, y: 1 - p.max(axis=1)), "take the right one, `labels`"),
    (quantile_of_numpy(), "takes n where n + 1 is due"),
    (quantile_of_numpy(k_over_n), "np.quantile interpolates between two scores. Sort"),
    (placed(score=lambda p, y: -np.log(p[np.arange(len(y)), y])), "the negative logarithm"),
    (placed(place=lambda n, alpha: n), "this is the largest score"),
    (lambda p, y, l, alpha: math.ceil(round(((~l).sum() + 1) * (1 - alpha), 9)), "this is the place, k"),  # noqa: E741
    (placed(few=1 - 1e-6), "return infinity"),
    (raises_for_few, "return infinity"),
    (spoils_the_probabilities, "changes the arrays"),
    (lambda *given: round(float(threshold_by_sorting(*given)), 2), "you round to 2 decimals"),
    (lambda p, y, learned, alpha: scores_of(p, y, learned), "one number, the threshold"),
    (lambda *given: str(threshold_by_sorting(*given)), "one number, the threshold"),
    (lambda p, y, learned, alpha: 1 - alpha, "this is not what the formula says"),
]

# --- BM25 --------------------------------------------------------------------------------------------------------


def bm25_with_loops(question, documents, k1, b):
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word in question:
            tf, df = document.count(word), sum(word in other for other in documents)
            weight = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
            score += weight * tf / (tf + k1 * (1 - b + b * len(document) / mean))
        scores.append(score)
    return scores


def bm25_by_matrices(question, documents, k1, b):
    words = sorted({word for document in documents for word in document} | set(question))
    tf = np.array([[document.count(word) for word in words] for document in documents], dtype=float)
    length = tf.sum(axis=1, keepdims=True)
    df = (tf > 0).sum(axis=0)
    weight = np.log1p((len(tf) - df + 0.5) / (df + 0.5))
    return (weight * tf / (tf + k1 * (1 - b + b * length / length.mean()))) @ [question.count(word) for word in words]


def bm25_by_the_library(question, documents, k1, b):
    return retrieval.BM25([" ".join(document) for document in documents], k1, b).scores([" ".join(question)])[0]


def bm25_by_postings(question, documents, k1, b):
    """An inverted index: for each word, the documents that have it."""
    postings = defaultdict(dict)
    for number, document in enumerate(documents):
        for word, times in Counter(document).items():
            postings[word][number] = times
    mean = np.mean([len(document) for document in documents])
    scores = np.zeros(len(documents))
    for word, asked in Counter(question).items():
        df = len(postings[word])
        for number, tf in postings[word].items():
            norm = 1 - b + b * len(documents[number]) / mean
            scores[number] += asked * np.log(1 + (len(documents) - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * norm)
    return tuple(scores)


def bm25_in_torch(question, documents, k1, b):
    length = torch.tensor([len(document) for document in documents], dtype=torch.float64)
    scores = torch.zeros_like(length)
    for word in question:
        tf = torch.tensor([document.count(word) for document in documents], dtype=torch.float64)
        df = (tf > 0).sum()
        scores += torch.log((len(tf) + 1) / (df + 0.5)) * tf / (tf + k1 * (1 - b + b * length / length.mean()))
    return scores


def bm25_in_single(question, documents, k1, b):
    return np.float32(bm25_with_loops(question, documents, np.float32(k1), np.float32(b)))


def bm25_by_counted_words(question, documents, k1, b):
    counter = CountVectorizer(token_pattern=r"\S+", lowercase=False)
    tf = counter.fit_transform([" ".join(document) for document in documents]).toarray()
    df, length = np.count_nonzero(tf, axis=0), tf.sum(axis=1)
    asked = counter.transform([" ".join(question)]).toarray()[0]
    saturated = 1 / (1 + k1 * (1 - b + b * length / length.mean())[:, None] / np.maximum(tf, 1e-300))
    return saturated @ (asked * (np.log(len(tf) + 1) - np.log(df + 0.5)))


def bare(n, df):
    return math.log((n - df + 0.5) / (df + 0.5))


def searched(
    rare=lambda n, df: math.log(1 + (n - df + 0.5) / (df + 0.5)),
    often=lambda tf, length, k1, b: tf / (tf + k1 * (1 - b + b * length)),
    question=lambda words: words,
    occurrences=False,
    mean=lambda documents: np.mean([len(words) for words in documents]),
):
    """BM25 with a mistake."""

    def scores(asked, documents, k1, b):
        total = np.zeros(len(documents))
        for word in question(asked):
            tf = [words.count(word) for words in documents]
            df = sum(tf) if occurrences else sum(times > 0 for times in tf)
            for i, words in enumerate(documents):
                if tf[i]:
                    total[i] += rare(len(documents), df) * often(tf[i], len(words) / mean(documents), k1, b)
        return total

    return scores


SEARCHES = [
    (searched(rare=bare), "the 1 inside the logarithm is missing"),
    (searched(rare=lambda n, df: max(0, bare(n, df))), "negative weights are not to be set to 0"),
    (searched(rare=lambda n, df: math.log(n / df)), "not ln(N / df) here"),
    (searched(rare=lambda n, df: math.log(1 + n / df)), "not ln(1 + N / df) here"),
    (searched(rare=lambda n, df: 1), "the first factor is missing"),
    (searched(rare=lambda n, df: math.log2(1 + (n - df + 0.5) / (df + 0.5))), "you take another logarithm"),
    (searched(rare=lambda n, df: math.log10(1 + (n - df + 0.5) / (df + 0.5))), "you take another logarithm"),
    (
        searched(rare=lambda n, df: math.log(max(1 + (n - df + 0.5) / (df + 0.5), 1e-12)), occurrences=True),
        "you count every occurrence",
    ),
    (searched(often=lambda tf, length, k1, b: tf / (tf + k1)), "the length is not normalised"),
    (searched(often=lambda tf, length, k1, b: tf / (tf + k1 * length)), "the length counts fully"),
    (searched(often=lambda tf, length, k1, b: tf / (tf + k1 * (b + (1 - b) * length))), "b and 1 - b are swapped"),
    (
        searched(often=lambda tf, length, k1, b: tf / (tf + k1 * (1 - b + b / length))),
        "the length is upside down",
    ),
    (searched(mean=lambda documents: 1), "you do not divide the length by the mean length"),
    (searched(mean=lambda documents: np.mean([len(set(w)) for w in documents])), "you take another one"),
    (searched(often=lambda tf, length, k1, b: tf), "tf is not saturated"),
    (
        searched(often=lambda tf, length, k1, b: 1 / (1 + k1 * (1 - b + b * length))),
        "tf counts only as yes or no",
    ),
    (
        searched(often=lambda tf, length, k1, b: (k1 + 1) * tf / (tf + k1 * (1 - b + b * length))),
        "a factor k1 + 1 more",
    ),
    (searched(question=lambda words: set(words)), "you count it once"),
    (
        lambda question, *rest: bm25_with_loops([w for w in question for _ in range(question.count(w))], *rest),
        "you count the words of the question too often",
    ),
    (lambda question, *rest: np.array(bm25_with_loops(question, *rest)) / len(question), "the score is a sum"),
    (lambda *given: np.argsort([-score for score in bm25_with_loops(*given)], kind="stable"), "return the order"),
    (lambda *given: sorted(bm25_with_loops(*given), reverse=True), "scores in falling order"),
    (lambda *given: np.round(bm25_with_loops(*given), 2), "you round to 2 decimals"),
    (lambda *given: max(bm25_with_loops(*given)), "a score for each of the"),
    (
        searched(often=lambda tf, length, k1, b: tf / (tf + k1 * 1 - b + b * length)),
        "this is not what the formula says",
    ),
]

RETURNS = {checks.choose: "integers", checks.threshold: "number", checks.bm25: "array"}
RIGHT = {
    checks.choose: [
        acts_by_sorting,
        acts_with_loops,
        acts_in_torch,
        acts_in_single,
        acts_by_the_library,
        acts_by_thresholds,
        acts_by_every_wish,
    ],
    checks.threshold: [
        threshold_by_sorting,
        threshold_by_the_library,
        threshold_by_quantile,
        threshold_with_infinity,
        threshold_by_counting,
        threshold_with_a_heap,
        threshold_in_torch,
        threshold_in_single,
    ],
    checks.bm25: [
        bm25_with_loops,
        bm25_by_matrices,
        bm25_by_the_library,
        bm25_by_postings,
        bm25_in_torch,
        bm25_in_single,
        bm25_by_counted_words,
    ],
}
CASES = [(check, answer) for check, answers in RIGHT.items() for answer in answers]
MUTANTS = [
    *((checks.choose, mutant, said) for mutant, said in ACTS),
    *((checks.threshold, mutant, said) for mutant, said in THRESHOLDS),
    *((checks.bm25, mutant, said) for mutant, said in SEARCHES),
]
