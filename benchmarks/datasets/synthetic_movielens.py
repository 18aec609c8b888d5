"""Invented interactions in the shape of MovieLens 20M or 32M: as many users, films and ratings, histories of the same lengths.

    python -m benchmarks.datasets.synthetic_movielens FOLDER [--shape ml-20m|ml-32m] [--fraction 1.0] [--prepared] [--seed 0]

Writes ratings.csv and movies.csv into FOLDER as GroupLens does, or with --prepared a prepared dataset into the home FOLDER, and
prints how the shape came out.

Films and users belong to one of GROUPS groups, and up to a part AFFINITY of what a user sees is of the user's own group, so that
there is something to learn. Histories and films have exactly the lengths and counts that their laws give: every rating is a seat
of a user and a ticket of a film, dealt by chance; whoever got two tickets of a film exchanges one.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset, prepare
from neumf_tui.data.prepared import prepared_dir, save
from neumf_tui.data.split import Interactions

GROUPS = 20
AFFINITY = 0.6
_DAY = 86_400
_BATCH = 1 << 20
"""Lines that are written at once."""
MANY = 400
"""Ratings of a user from which on they are drawn without replacement."""
NEXT = 10_000
"""Most ratings of a user, but for the one who has the most of all."""
ROUNDS = 60


@dataclass(frozen=True)
class Shape:
    """What a release looks like. Of 20M all figures are those of the real files; of 32M counts of users, films and ratings are,
    and the rest is taken to be like them."""

    users: int
    films: int
    """In movies.csv."""
    rated: int
    """Films with a rating, which become the items."""
    ratings: int
    history: tuple[int, float, int]
    """Least, median and most ratings of a user."""
    seen: tuple[float, float, float, int]
    """Ratings of a film: the quartiles, and the most."""
    years: tuple[int, int]

    def part(self, fraction: float) -> "Shape":
        """As many films, and so much of the users and ratings."""
        quartiles = tuple(fraction * quartile for quartile in self.seen[:3])
        return replace(
            self,
            users=max(1, round(fraction * self.users)),
            ratings=round(fraction * self.ratings),
            seen=(quartiles[0], quartiles[1], quartiles[2], max(1, round(fraction * self.seen[3]))),
        )

    def stretched(self, users: float = 1, films: float = 1) -> "Shape":
        """As many ratings, of so many times as many users and films."""
        least, median, most = self.history
        first, second, third, seen_most = self.seen
        return replace(
            self,
            users=round(users * self.users),
            films=round(films * self.films),
            rated=round(films * self.rated),
            # No user sees more of the films than in the real files.
            history=(
                max(1, round(least / users)),
                median / users,
                round(most * min(1, 1 / users, films)),
            ),
            seen=(first / films, second / films, third / films, seen_most),
        )


SHAPES = {
    "ml-20m": Shape(
        138_493, 27_278, 26_744, 20_000_263, (20, 68, 9_254), (3, 18, 205, 67_310), (1995, 2015)
    ),
    "ml-32m": Shape(
        200_948, 87_585, 84_432, 32_000_204, (20, 73, 33_332), (2, 5, 25, 102_929), (1995, 2023)
    ),
}


def history_sizes(shape: Shape) -> NDArray[np.int64]:
    """Ratings of each user, ascending: the least and a lognormal number on top, of the given median, cut off at the most."""
    least, median, most = shape.history
    normal = NormalDist()
    # Quantiles of a standard normal, by interpolation: NormalDist gives one at a time.
    grid = np.array([normal.inv_cdf(p) for p in np.linspace(1e-7, 1 - 1e-7, 20_001)])
    z = np.interp(
        (np.arange(shape.users) + 0.5) / shape.users, np.linspace(1e-7, 1 - 1e-7, 20_001), grid
    )
    most = min(most, shape.rated * 3 // 4)

    def sizes(sigma: float) -> NDArray[np.float64]:
        drawn = np.minimum(least + (median - least) * np.exp(sigma * z), min(most, NEXT))
        drawn[-1] = most
        return drawn

    return _whole(
        sizes(_solve(lambda sigma: sizes(sigma).sum(), shape.ratings, 0.1, 6.0)),
        shape.ratings,
        least,
        most,
    )


def film_counts(shape: Shape) -> NDArray[np.int64]:
    """Ratings of each film, ascending: log-linear between the quartiles; of the upper quarter C/(rank + b)^a, as Zipf and
    Mandelbrot have it, with the most at rank 1, the quartile at its end, and b such that the sum is right."""
    first, median, third, most = shape.seen
    p = (np.arange(shape.rated) + 0.5) / shape.rated
    most = min(most, shape.users * 9 // 10)
    upper = int((p > 0.75).sum())
    lower = np.exp(
        np.interp(
            p[: shape.rated - upper],
            [0, 0.25, 0.5, 0.75],
            np.log(np.maximum([1, first, median, third], 1)),
        )
    )
    steepness = np.log(most / max(third, 1))
    ranks = np.arange(upper, 0, -1)

    def counts(log_b: float) -> NDArray[np.float64]:
        b = np.exp(log_b)
        a = steepness / np.log((upper + b) / (1 + b))
        return np.concatenate([lower, most * ((1 + b) / (ranks + b)) ** a])

    return _whole(
        counts(_solve(lambda log_b: counts(log_b).sum(), shape.ratings, -5, 15)),
        shape.ratings,
        1,
        most,
    )


def _solve(rising: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Where a rising function has this value, by halving."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return (low + high) / 2


def _whole(values: NDArray[np.float64], total: int, least: int, most: int) -> NDArray[np.int64]:
    """Rounded to whole numbers from `least` to `most` with this sum, which the values have nearly."""
    if not least * len(values) <= total <= most * len(values):
        raise SystemExit(
            f"{len(values):,} counts from {least:,} to {most:,} cannot come to {total:,} ratings in all"
        )
    whole = np.clip(np.rint(values), least, most).astype(np.int64)
    while missing := total - int(whole.sum()):
        free = np.flatnonzero((whole < most) if missing > 0 else (whole > least))
        count = min(abs(missing), len(free))
        start = (len(free) - count) // 2  # the ends are as the law says
        whole[free[start : start + count]] += np.sign(missing)
    return whole


def draw(shape: Shape, random: np.random.Generator) -> Interactions:
    """User index, film index and time of each rating, sorted by user and film as GroupLens does."""
    sizes, counts = random.permutation(history_sizes(shape)), random.permutation(film_counts(shape))
    of_film = random.integers(GROUPS, size=shape.rated, dtype=np.uint8)
    mass = np.bincount(of_film, counts, GROUPS)
    of_user = random.choice(GROUPS, shape.users, p=mass / mass.sum()).astype(np.uint8)
    first = np.cumsum(sizes) - sizes
    keys = np.repeat(np.arange(shape.users, dtype=np.int64) * shape.rated, sizes)
    # Whoever sees many films takes them before the others, each at most once, by chance in proportion to the tickets left: of
    # tickets that are dealt, half of theirs would be doubles.
    many = np.flatnonzero(sizes > MANY)
    for user in many[np.argsort(-sizes[many])].tolist():
        weights = counts.astype(np.float32)
        weights[of_film == of_user[user]] *= 3
        drawn = random.standard_exponential(shape.rated, dtype=np.float32)
        race = np.divide(
            drawn, weights, out=np.full(shape.rated, np.inf, dtype=np.float32), where=weights > 0
        )
        if np.count_nonzero(weights) < sizes[user]:
            raise SystemExit(
                f"no tickets are left for a user with {sizes[user]:,} ratings: this shape is too dense"
            )
        taken = np.argpartition(race, sizes[user])[: sizes[user]]
        keys[first[user] : first[user] + sizes[user]] += taken
        counts[taken] -= 1
    few = np.where(sizes > MANY, 0, sizes)
    seats = np.flatnonzero(np.repeat(few > 0, sizes))
    # A group has not films enough for any number of ratings.
    own = random.random(len(seats), dtype=np.float32) < np.repeat(
        AFFINITY * np.minimum(1, 40 / sizes), few
    )
    line = np.where(own, np.repeat(of_user, few), np.uint8(GROUPS)).astype(np.uint32) << 26
    wanted = np.bincount(line >> 26, minlength=GROUPS)[:GROUPS] / np.maximum(
        np.bincount(of_film, counts, GROUPS), 1
    )
    # The tickets of a film lie side by side and the seats of a user far apart, one in each stretch of a line as long for all: so
    # there are few doubles. Each group has such a line, and what is of any group.
    place = (
        np.arange(len(seats))
        - np.repeat(np.cumsum(few) - few, few)
        + random.random(len(seats), dtype=np.float32)
    )
    place *= (1 << 26) / np.repeat(few, few)
    line += np.minimum(place, (1 << 26) - 1).astype(np.uint32)
    seats = seats[np.argsort(line)]
    del line, place, own
    in_group = random.binomial(counts, np.minimum(wanted[of_film], 0.95))
    films = random.permutation(shape.rated)
    films = films[np.argsort(of_film[films], kind="stable")]
    anywhere = random.permutation(shape.rated)
    keys[seats] += np.concatenate(
        [np.repeat(films, in_group[films]), np.repeat(anywhere, (counts - in_group)[anywhere])]
    )
    del seats
    _swap_doubles(keys, shape.rated, random)
    users = np.repeat(np.arange(shape.users, dtype=np.int32), sizes)
    return Interactions(users, (keys % shape.rated).astype(np.int32), _times(sizes, shape, random))


def _swap_doubles(keys: NDArray[np.int64], width: int, random: np.random.Generator) -> None:
    """Sort `keys`, user × width + film. Where a user has a film twice, exchange one with anyone's, until nobody has."""
    for _ in range(ROUNDS):
        keys.sort()
        double = np.append(False, keys[1:] == keys[:-1])
        rows = np.flatnonzero(double)
        if not len(rows):
            return
        rows = np.repeat(
            rows, np.clip(len(keys) // (4 * len(rows)), 4, 256)
        )  # the few that are left are offered more
        partners = np.sort(random.integers(len(keys), size=len(rows)))
        partners = partners[np.diff(partners, prepend=-1) > 0]  # each once
        partners = random.permutation(partners[~double[partners]])
        rows = random.permutation(rows)[: len(partners)]
        change = keys[partners] % width - keys[rows] % width
        mine, theirs = keys[rows] + change, keys[partners] - change
        fair = np.flatnonzero(~(_among(keys, mine) | _among(keys, theirs)))
        fair = fair[np.unique(rows[fair], return_index=True)[1]]
        keys[rows[fair]], keys[partners[fair]] = mine[fair], theirs[fair]
    raise SystemExit(
        f"after {ROUNDS} rounds {len(rows):,} ratings are still double: this shape is too dense"
    )


def _among(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    order = np.argsort(wanted)  # found faster in this order
    found = np.empty(len(wanted), dtype=bool)
    found[order] = (
        keys[np.searchsorted(keys, wanted[order]).clip(max=len(keys) - 1)] == wanted[order]
    )
    return found


def _times(
    sizes: NDArray[np.int64], shape: Shape, random: np.random.Generator
) -> NDArray[np.int64]:
    """Unix seconds: users come at any time of the years, rate one film after the other, and come back now and then."""
    first, last = ((year - 1970) * 365 * _DAY + (year - 1969) // 4 * _DAY for year in shape.years)
    rows = int(sizes.sum())
    steps = random.integers(1, 30, size=rows, dtype=np.int32)
    pauses = np.flatnonzero(random.random(rows, dtype=np.float32) < 0.01)
    steps[pauses] += random.integers(_DAY, 60 * _DAY, size=len(pauses), dtype=np.int32)
    times = np.cumsum(steps, dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    begun = random.integers(first, last, size=len(sizes))
    times += np.repeat(begun - times[starts], sizes)
    np.minimum(times, last + 5 * 365 * _DAY, out=times)
    # The films of a user are in the order of their ids, and were seen in any other.
    keys = np.repeat(np.arange(len(sizes), dtype=np.int64) << 32, sizes)
    keys += random.integers(1 << 32, size=rows, dtype=np.uint32)
    return times[np.argsort(keys, kind="stable")]


def film_ids(shape: Shape, random: np.random.Generator) -> NDArray[np.int64]:
    """Ascending, with gaps, of all films."""
    return np.sort(random.choice(np.arange(1, 5 * shape.films), shape.films, replace=False))


def make_catalogue(ids: list[str], random: np.random.Generator) -> Catalogue:
    """Made-up titles."""
    from benchmarks.datasets.synthetic_run import make_catalogue as invent

    made = invent(len(ids), random)
    titles = [title.strip() or "Untitled" for title in made.titles]
    return Catalogue(ids, titles, made.years, made.genres)


def make_dataset(shape: Shape, name: str, seed: int = 0) -> Dataset:
    """The prepared dataset of a shape, without its files."""
    random = np.random.default_rng(seed)
    rows = draw(shape, random)
    ids = film_ids(shape, random)
    rated = np.sort(random.choice(shape.films, shape.rated, replace=False))
    catalogue = make_catalogue([str(film) for film in ids[rated].tolist()], random)
    users = [str(user) for user in range(1, shape.users + 1)]
    return prepare(
        f"synthetic-{name}",
        f"invented in the shape of {name}",
        users,
        catalogue,
        rows,
        simulated=True,
    )


def write_csv(shape: Shape, folder: Path, seed: int = 0) -> None:
    """ratings.csv and movies.csv, of the same interactions as `make_dataset`."""
    random = np.random.default_rng(seed)
    rows = draw(shape, random)
    ids = film_ids(shape, random)
    rated = ids[np.sort(random.choice(shape.films, shape.rated, replace=False))]
    folder.mkdir(parents=True, exist_ok=True)
    stars = pa.array([f"{half / 2:.1f}" for half in range(1, 11)])
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    with (folder / "ratings.csv").open("wb") as file:
        file.write(b"userId,movieId,rating,timestamp\n")
        for start in range(0, len(rows.users), _BATCH):
            part = slice(start, start + _BATCH)
            drawn = pa.array(np.minimum(random.integers(10, size=len(rows.users[part])) + 2, 9))
            columns = [
                pa.array(rows.users[part] + 1),
                pa.array(rated[rows.items[part]]),
                stars.take(drawn),
                pa.array(rows.times[part]),
            ]
            csv.write_csv(
                pa.table(columns, names=["user", "movie", "rating", "time"]), file, options
            )
    catalogue = make_catalogue([str(film) for film in ids.tolist()], random)
    titles = [
        f"{title} ({year})" if year else title
        for title, year in zip(catalogue.titles, catalogue.years, strict=True)
    ]
    genres = ["|".join(names) or "(no genres listed)" for names in catalogue.genres]
    table = pa.table({"movieId": ids, "title": titles, "genres": genres})
    with (folder / "movies.csv").open("wb") as file:
        file.write(b"movieId,title,genres\n")
        csv.write_csv(table, file, csv.WriteOptions(include_header=False))


def told(shape: Shape, rows: Interactions) -> str:
    """How the shape came out."""
    sizes, counts = np.bincount(rows.users), np.bincount(rows.items, minlength=shape.rated)
    return (
        f"{len(rows.users):,} ratings of {len(sizes):,} users and {int((counts > 0).sum()):,} films; a user's: at least "
        f"{sizes.min():,}, median {np.median(sizes):,.0f}, at most {sizes.max():,}; a film's: quartiles "
        f"{' '.join(f'{q:,.0f}' for q in np.quantile(counts, [0.25, 0.5, 0.75]))}, at most {counts.max():,}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="ml-20m")
    parser.add_argument("--fraction", type=float, default=1.0, help="of the users and ratings")
    parser.add_argument(
        "--users", type=float, default=1.0, help="so many times as many, with as many ratings"
    )
    parser.add_argument("--films", type=float, default=1.0, help="the same of films")
    parser.add_argument(
        "--prepared", action="store_true", help="FOLDER is a home, and gets a prepared dataset"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    shape = SHAPES[options.shape].part(options.fraction).stretched(options.users, options.films)
    begun = time.monotonic()
    if options.prepared:
        dataset = make_dataset(shape, options.shape, options.seed)
        save(dataset, prepared_dir(options.folder))
        print(prepared_dir(options.folder) / dataset.fingerprint)
    else:
        write_csv(shape, options.folder, options.seed)
        print(options.folder)
    print(f"{time.monotonic() - begun:.0f} s")
    print(told(shape, draw(shape, np.random.default_rng(options.seed))))


if __name__ == "__main__":
    main()
