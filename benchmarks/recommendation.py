"""Who beats recent popularity on MovieLens? Popularity, EASE, text and a mixture, for users who came later.

    python benchmarks/recommendation.py FOLDER      # of ml-latest-small, which the course does not contain

Four days, three years apart. What was rated before a day is learned from; the users are those who came within three years after
it and rated at least 40 films. Each is ranked all films (not a sample of them) after 0 to 30 films of history; what counts is
which of the films after the 30th are among the first ten (NDCG@10). The weights of the mixture are chosen on the users of the
three years before. The result goes to `recommendation.json` beside this file. About a minute on one thread.
"""

from __future__ import annotations

import sys
import time
from itertools import product

import numpy as np
import results
from numpy.typing import NDArray

from babyagi_lib.methods import implicit, ranking
from babyagi_lib.methods.fewshot import embed
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.sources.movielens import Films, load_movielens

YEARS = (2003, 2006, 2009, 2012)
LENGTHS = (0, 1, 3, 10, 30)
LEAST = 40
GRID = {"EASE": (0.0, 0.5, 1.0, 2.0, 4.0), "text": (0.0, 0.1, 0.3, 1.0)}
SEED = 0


def gains(found: implicit.Split) -> NDArray[np.float64]:
    """1 for the films of each user after the 30th."""
    wanted = np.zeros((len(found.histories), len(found.popular)))
    for row, films in zip(wanted, found.histories, strict=True):
        row[films[LENGTHS[-1] :]] = 1
    return wanted


def candidates(found: implicit.Split, scores: dict[str, NDArray]) -> dict[str, NDArray]:
    """The same films for every length: all but the first 30 of the user."""
    for values in scores.values():
        for row, films in zip(values, found.histories, strict=True):
            row[films[: LENGTHS[-1]]] = -np.inf
    return scores


def weights_for(found: implicit.Split, vectors: NDArray) -> dict[int, dict[str, float]]:
    """For each length of history, the weights of the mixture that are best for these users."""
    wanted, best = gains(found), {}
    for length in LENGTHS[1:]:
        scores = candidates(found, implicit.scores_of(found, length, vectors))
        tried = [dict(zip(GRID, pair, strict=True)) for pair in product(*GRID.values())]
        reached = [ranking.ndcg(implicit.mixed(scores, weights), wanted).mean() for weights in tried]
        best[length] = tried[int(np.argmax(reached))]
    return best


def gain_of_one(own: NDArray, others: NDArray) -> float:
    """Mean over the wanted films: NDCG@10 of each as the only wanted film among `others`; equal scores share their places."""
    place = 1 + (others > own[:, None]).sum(axis=1) + 0.5 * (others == own[:, None]).sum(axis=1)
    return float(np.where(place <= 10, 1 / np.log2(1 + place), 0).mean())


def one_day(films: Films, year: int, vectors: NDArray) -> tuple[dict, dict, dict]:
    """NDCG@10 of every user by ranker and length; the weights; and what sampling and cold films do."""
    log = (films.user, films.film, films.time, len(films.texts))
    before, found = (implicit.split(*log, day, least=LEAST) for day in (year - 3, year))
    chosen, wanted, reached, extra = weights_for(before, vectors), gains(found), {}, {}
    for length in LENGTHS:
        scores = candidates(found, implicit.scores_of(found, length, vectors))
        scores["all three"] = implicit.mixed(scores, chosen.get(length, {}))
        for name, values in scores.items():
            reached[name, length] = ranking.ndcg(values, wanted)
    rng = np.random.default_rng(SEED)
    for (
        name,
        values,
    ) in scores.items():  # after 30 films: each wanted film by itself, among all others and among 100 of them
        single = []
        for row, films_of in zip(values, found.histories, strict=True):
            there = np.flatnonzero(np.isfinite(row) & ~np.isin(np.arange(len(row)), films_of))
            own = row[films_of[LENGTHS[-1] :]]
            single.append([gain_of_one(own, row[others]) for others in (there, rng.choice(there, 100, replace=False))])
        extra[name] = np.array(single)
    cold = []
    for row, films_of in zip(scores["text"], found.histories, strict=True):
        new = np.flatnonzero((found.popular == 0) & np.isfinite(row))
        own = np.isin(new, films_of[LENGTHS[-1] :])
        if own.any():
            cold.append((row[new[own]][:, None] > row[new[~own]]).mean())
    share = np.mean([(found.popular[films_of[LENGTHS[-1] :]] == 0).mean() for films_of in found.histories])
    return reached, chosen, {"single": extra, "cold": np.array(cold), "share": share}


def interval(values: NDArray) -> str:
    """Mean over users and its 95% interval, by the bootstrap over users."""
    rng = np.random.default_rng(SEED)
    drawn = values[rng.integers(len(values), size=(2000, len(values)))].mean(axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def main(folder: str) -> None:
    started = time.process_time()
    films = load_movielens(folder)
    vectors = embed(*load_encoder(), films.texts)
    days = []
    for year in YEARS:
        days.append(one_day(films, year, vectors))
        print(year, days[-1][1], round(time.process_time() - started), flush=True)
    names = (*implicit.NAMES.values(), "text", "EASE", "all three")
    every = {key: np.concatenate([day[0][key] for day in days]) for key in days[0][0]}
    recent = implicit.NAMES["recent"]
    runs = [
        {"name": name} | {f"{n} films": interval(every[name, n]) if (name, n) in every else "" for n in LENGTHS}
        for name in names
    ]
    runs.append(
        {"name": "all three - recent popularity"}
        | {f"{n} films": interval(every["all three", n] - every[recent, n]) for n in LENGTHS}
    )
    one_wanted = {name: np.concatenate([day[2]["single"][name] for day in days]) for name in days[0][2]["single"]}
    cold = np.concatenate([day[2]["cold"] for day in days])
    results.write(
        "recommendation",
        title="Recommending films to users who came later (MovieLens)",
        data=f"MovieLens ml-latest-small (Harper and Konstan 2015), {len(films.texts):,} films, all ranked; NDCG@10 after "
        f"0 to 30 films of history, mean over {len(every[recent, 0])} users who came within three years of 1 January "
        f"{', '.join(map(str, YEARS))}, and its 95% interval (bootstrap over users)",
        model=f"title and genres through {results.MINILM}; EASE with penalty 100 on films with at least 5 ratings",
        settings={"years": YEARS, "lengths": LENGTHS, "least": LEAST, "seed": SEED},
        users=[len(day[0][recent, 0]) for day in days],
        weights={str(year): {str(n): w for n, w in day[1].items()} for year, day in zip(YEARS, days, strict=True)},
        by_day={
            str(year): {f"{name}, {n} films": round(float(v.mean()), 4) for (name, n), v in day[0].items()}
            for year, day in zip(YEARS, days, strict=True)
        },
        single={
            name: dict(zip(("all others", "100 others"), map(interval, by_user.T), strict=True))
            for name, by_user in one_wanted.items()
        },
        single_differences={
            among: interval(one_wanted["EASE"][:, at] - one_wanted[implicit.NAMES["popular"]][:, at])
            for at, among in enumerate(("all others", "100 others"))
        },
        cold={
            "share of what is wanted": round(float(np.mean([d[2]["share"] for d in days])), 3),
            "AUC": interval(cold),
        },
        seconds=round(time.process_time() - started),
        runs=runs,
    )


if __name__ == "__main__":
    main(sys.argv[1])
