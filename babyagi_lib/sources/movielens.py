"""MovieLens' small files (Harper and Konstan 2015): who rated which film when. The course does not contain them. Used by lesson 17."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.sources.errors import CorpusError, SourceError
from babyagi_lib.sources.files import read_text
from babyagi_lib.sources.paths import existing_folder


@dataclass(frozen=True, eq=False)
class Films:
    """Ratings as they came in, oldest first; of one time stamp, in the order of the file.

    Attributes:
        user, film, time: of each rating, (ratings,): numbers from 0, and seconds since 1970.
        texts: title and genres of each film, (films,).
    """

    user: NDArray[np.int64]
    film: NDArray[np.int64]
    time: NDArray[np.int64]
    texts: list[str]


def load_movielens(name: str) -> Films:
    """Load `movies.csv` and `ratings.csv` of ml-latest-small, or of a larger release with the same columns.

    Args:
        name: the folder.

    Raises:
        SourceError: there is no such folder, or a file is missing.
        CorpusError: a column is missing, a cell is no number, or a rating names a film that movies.csv lacks.
    """
    folder = existing_folder(name, "MovieLens")
    rows = {}
    for file, columns in (("movies", ("movieId", "title", "genres")), ("ratings", ("userId", "movieId", "timestamp"))):
        path = folder / f"{file}.csv"
        if not path.is_file():
            raise SourceError(f"{path} is missing; MovieLens needs movies.csv and ratings.csv")
        reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
        if not set(columns) <= set(reader.fieldnames or ()):
            raise CorpusError(f"{path}: the columns are {str(reader.fieldnames)[:60]}; expected {', '.join(columns)}")
        rows[file] = [tuple(row[column] for column in columns) for row in reader]
    number = {film: at for at, (film, _, _) in enumerate(rows["movies"])}
    texts = [f"{title}. {genres.replace('|', ', ')}" for _, title, genres in rows["movies"]]
    try:
        user = np.array([int(user) for user, _, _ in rows["ratings"]])
        film = np.array([number[film] for _, film, _ in rows["ratings"]])
        time = np.array([int(time) for _, _, time in rows["ratings"]])
    except KeyError as error:
        raise CorpusError(f"{folder}: ratings.csv names film {error}, which movies.csv does not have") from error
    except ValueError as error:
        raise CorpusError(f"{folder / 'ratings.csv'}: {error}") from error
    if not len(user):
        raise CorpusError(f"{folder / 'ratings.csv'}: no rating")
    oldest = time.argsort(kind="stable")
    user = np.unique(user, return_inverse=True)[1][oldest]
    print(f"MovieLens: {len(user):,} ratings of {len(texts):,} films by {user.max() + 1:,} users")
    return Films(user, film[oldest], time[oldest], texts)
