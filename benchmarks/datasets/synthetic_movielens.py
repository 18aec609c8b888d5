"""Synthetic interactions of the shape of MovieLens 20M or 32M.

    python -m benchmarks.datasets.synthetic_movielens FOLDER [--shape ml-20m|ml-32m]
        [--fraction 1.0] [--prepared] [--seed 0]

They have as many users, items and ratings, and histories of the same lengths. Writes ratings.csv
and movies.csv into FOLDER as GroupLens does, or with --prepared a prepared dataset into the home
FOLDER, and prints the shape that came out.

Items and users belong to one of GROUPS groups, and up to AFFINITY of a user's history is drawn from
the user's own group, so that there is something to learn. Lengths of histories and numbers of
ratings are exactly those of their distributions: every rating joins a place of a user with a ticket
of an item at random. A user who gets two tickets of the same item exchanges one.
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

from benchmarks.datasets.synthetic_run import make_catalogue
from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepare import prepare
from neumf_tui.data.prepared import prepared_dir, save
from neumf_tui.data.split import Interactions

Ints = NDArray[np.int64]
GROUPS = 20
AFFINITY = 0.6
_DAY = 86_400
_BATCH = 1 << 20
"""Number of lines written at once."""
MANY = 400
"""Users with more ratings than this are drawn without replacement."""
SECOND_MOST = 10_000
"""Most ratings of any user except the one with the most."""
ROUNDS = 60
"""Most attempts to exchange double tickets."""


@dataclass(frozen=True)
class Shape:
    """Counts of a release.

    Those of 20M are the real ones. Of 32M the numbers of users, items and ratings are real; the
    rest is assumed to be similar.
    """

    users: int
    listed: int
    """Items in movies.csv."""
    items: int
    """Items with a rating."""
    ratings: int
    history: tuple[int, float, int]
    """Least, median and most ratings of a user."""
    seen: tuple[float, float, float, int]
    """Ratings of an item: the quartiles, and the most."""
    years: tuple[int, int]

    def part(self, fraction: float) -> "Shape":
        """Return this fraction of the users and ratings, with all items."""
        first, median, third, most = self.seen
        quartiles = (fraction * first, fraction * median, fraction * third)
        return replace(
            self,
            users=max(1, round(fraction * self.users)),
            ratings=round(fraction * self.ratings),
            seen=(*quartiles, max(1, round(fraction * most))),
        )

    def stretched(self, users: float = 1, items: float = 1) -> "Shape":
        """Return as many ratings, with the numbers of users and items multiplied."""
        least, median, most = self.history
        first, second, third, seen_most = self.seen
        # No user sees a larger share of the items than in the real files.
        most = round(most * min(1, 1 / users, items))
        return replace(
            self,
            users=round(users * self.users),
            listed=round(items * self.listed),
            items=round(items * self.items),
            history=(max(1, round(least / users)), median / users, most),
            seen=(first / items, second / items, third / items, seen_most),
        )


SHAPES = {
    "ml-20m": Shape(
        138_493, 27_278, 26_744, 20_000_263, (20, 68, 9_254), (3, 18, 205, 67_310), (1995, 2015)
    ),
    "ml-32m": Shape(
        200_948, 87_585, 84_432, 32_000_204, (20, 73, 33_332), (2, 5, 25, 102_929), (1995, 2023)
    ),
}


def history_sizes(shape: Shape) -> Ints:
    """Return the number of ratings of each user, ascending.

    It is the least number plus a lognormal one that has the wanted median and is cut at the most.
    """
    least, median, most = shape.history
    most = min(most, shape.items * 3 // 4)
    # Quantiles of a standard normal, interpolated: NormalDist gives one at a time.
    grid = np.linspace(1e-7, 1 - 1e-7, 20_001)
    quantiles = np.array([NormalDist().inv_cdf(p) for p in grid])
    z = np.interp((np.arange(shape.users) + 0.5) / shape.users, grid, quantiles)

    def sizes(sigma: float) -> NDArray[np.float64]:
        drawn: NDArray[np.float64] = least + (median - least) * np.exp(sigma * z)
        drawn = np.minimum(drawn, min(most, SECOND_MOST))
        drawn[-1] = most
        return drawn

    sigma = _solve(lambda sigma: sizes(sigma).sum(), shape.ratings, 0.1, 6.0)
    return _round_to_sum(sizes(sigma), shape.ratings, least, most)


def item_counts(shape: Shape) -> Ints:
    """Return the number of ratings of each item, ascending.

    It is log-linear between the quartiles. In the upper quarter it is C / (rank + b)^a, the law of
    Zipf and Mandelbrot, with the most at rank 1, the quartile at the end, and b so that the sum is
    right.
    """
    first, median, third, most = shape.seen
    p = (np.arange(shape.items) + 0.5) / shape.items
    most = min(most, shape.users * 9 // 10)
    upper = int((p > 0.75).sum())
    quartiles = np.log(np.maximum([1, first, median, third], 1))
    lower = np.exp(np.interp(p[: shape.items - upper], [0, 0.25, 0.5, 0.75], quartiles))
    steepness = np.log(most / max(third, 1))
    ranks = np.arange(upper, 0, -1)

    def counts(log_b: float) -> NDArray[np.float64]:
        b = np.exp(log_b)
        a = steepness / np.log((upper + b) / (1 + b))
        return np.concatenate([lower, most * ((1 + b) / (ranks + b)) ** a])

    log_b = _solve(lambda log_b: counts(log_b).sum(), shape.ratings, -5, 15)
    return _round_to_sum(counts(log_b), shape.ratings, 1, most)


def _solve(rising: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Return where a rising function has this value, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return (low + high) / 2


def _round_to_sum(values: NDArray[np.float64], total: int, least: int, most: int) -> Ints:
    """Round values to whole numbers from `least` to `most` that add up to `total`.

    The values must nearly add up to it already.
    """
    if not least * len(values) <= total <= most * len(values):
        raise SystemExit(
            f"{len(values):,} counts from {least:,} to {most:,} cannot add up to {total:,} ratings"
        )
    whole = np.clip(np.rint(values), least, most).astype(np.int64)
    while missing := total - int(whole.sum()):
        free = np.flatnonzero((whole < most) if missing > 0 else (whole > least))
        count = min(abs(missing), len(free))
        start = (len(free) - count) // 2  # the middle: both ends stay as the distribution has them
        whole[free[start : start + count]] += np.sign(missing)
    return whole


def draw(shape: Shape, random: np.random.Generator) -> Interactions:
    """Return user index, item index and time of each rating, sorted by user and item."""
    sizes, counts = random.permutation(history_sizes(shape)), random.permutation(item_counts(shape))
    item_group = random.integers(GROUPS, size=shape.items, dtype=np.uint8)
    mass = np.bincount(item_group, counts, GROUPS)
    user_group = random.choice(GROUPS, shape.users, p=mass / mass.sum()).astype(np.uint8)
    keys = np.repeat(np.arange(shape.users, dtype=np.int64) * shape.items, sizes)
    _draw_long_histories(keys, sizes, counts, user_group, item_group, random)
    _deal_tickets(keys, sizes, counts, user_group, item_group, random)
    _swap_doubles(keys, shape.items, random)
    users = np.repeat(np.arange(shape.users, dtype=np.int32), sizes)
    return Interactions(users, (keys % shape.items).astype(np.int32), _times(sizes, shape, random))


def _draw_long_histories(
    keys: Ints,
    sizes: Ints,
    counts: Ints,
    user_group: NDArray[np.uint8],
    item_group: NDArray[np.uint8],
    random: np.random.Generator,
) -> None:
    """Draw the items of users with more than MANY ratings, each item at most once.

    The chance of an item is proportional to its tickets. These users come first: of tickets that
    are dealt, half of theirs would be doubles. Adds the items to their `keys` (user × number of
    items) and takes the tickets out of `counts`.
    """
    num_items, first = len(counts), np.cumsum(sizes) - sizes
    many = np.flatnonzero(sizes > MANY)
    for user in many[np.argsort(-sizes[many])].tolist():
        weights = counts.astype(np.float32)
        weights[item_group == user_group[user]] *= 3
        drawn = random.standard_exponential(num_items, dtype=np.float32)
        never = np.full(num_items, np.inf, dtype=np.float32)
        race = np.divide(drawn, weights, out=never, where=weights > 0)
        if np.count_nonzero(weights) < sizes[user]:
            raise SystemExit(
                f"no tickets are left for a user with {sizes[user]:,} ratings: "
                "this shape is too dense"
            )
        chosen = np.argpartition(race, sizes[user])[: sizes[user]]
        keys[first[user] : first[user] + sizes[user]] += chosen
        counts[chosen] -= 1


def _deal_tickets(
    keys: Ints,
    sizes: Ints,
    counts: Ints,
    user_group: NDArray[np.uint8],
    item_group: NDArray[np.uint8],
    random: np.random.Generator,
) -> None:
    """Join the places of all other users with the tickets that are left.

    The tickets of an item lie side by side, and the places of a user are spread out: one in each
    stretch of a line that has the same length for all. So there are few doubles. There is such a
    line for each group, and one for places that take an item of any group.
    """
    few = np.where(sizes > MANY, 0, sizes)
    places = np.flatnonzero(np.repeat(few > 0, sizes))
    # A group does not have enough items for very long histories.
    affinity = np.repeat(AFFINITY * np.minimum(1, 40 / sizes), few)
    own = random.random(len(places), dtype=np.float32) < affinity
    line = np.where(own, np.repeat(user_group, few), np.uint8(GROUPS)).astype(np.uint32) << 26
    tickets = np.maximum(np.bincount(item_group, counts, GROUPS), 1)
    wanted = np.bincount(line >> 26, minlength=GROUPS)[:GROUPS] / tickets
    number = np.arange(len(places)) - np.repeat(np.cumsum(few) - few, few)
    position = number + random.random(len(places), dtype=np.float32)
    position *= (1 << 26) / np.repeat(few, few)
    line += np.minimum(position, (1 << 26) - 1).astype(np.uint32)
    places = places[np.argsort(line)]
    del line, position, own, number, affinity  # gigabytes at full size
    in_group = random.binomial(counts, np.minimum(wanted[item_group], 0.95))
    by_group = random.permutation(len(counts))
    by_group = by_group[np.argsort(item_group[by_group], kind="stable")]
    anywhere = random.permutation(len(counts))
    keys[places] += np.concatenate(
        [
            np.repeat(by_group, in_group[by_group]),
            np.repeat(anywhere, (counts - in_group)[anywhere]),
        ]
    )


def _swap_doubles(keys: Ints, width: int, random: np.random.Generator) -> None:
    """Sort `keys` (user × width + item), and exchange items until no user has one twice."""
    for _ in range(ROUNDS):
        keys.sort()
        double = np.append(False, keys[1:] == keys[:-1])
        rows = np.flatnonzero(double)
        if not len(rows):
            return
        # The last few doubles get more partners.
        rows = np.repeat(rows, np.clip(len(keys) // (4 * len(rows)), 4, 256))
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


def _among(keys: Ints, wanted: Ints) -> NDArray[np.bool_]:
    """Return whether each of `wanted` is in the sorted `keys`."""
    order = np.argsort(wanted)  # searches in ascending order are faster
    places = np.searchsorted(keys, wanted[order]).clip(max=len(keys) - 1)
    found = np.empty(len(wanted), dtype=bool)
    found[order] = keys[places] == wanted[order]
    return found


def _times(sizes: Ints, shape: Shape, random: np.random.Generator) -> Ints:
    """Return Unix seconds of all ratings.

    Users arrive at any time, rate one item after the other, and sometimes return weeks later.
    """
    first, last = ((year - 1970) * 365 * _DAY + (year - 1969) // 4 * _DAY for year in shape.years)
    rows = int(sizes.sum())
    steps = random.integers(1, 30, size=rows, dtype=np.int32)
    pauses = np.flatnonzero(random.random(rows, dtype=np.float32) < 0.01)
    steps[pauses] += random.integers(_DAY, 60 * _DAY, size=len(pauses), dtype=np.int32)
    times = np.cumsum(steps, dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    arrivals = random.integers(first, last, size=len(sizes))
    times += np.repeat(arrivals - times[starts], sizes)
    np.minimum(times, last + 5 * 365 * _DAY, out=times)
    # A user's items are sorted by id, but were rated in random order.
    keys = np.repeat(np.arange(len(sizes), dtype=np.int64) << 32, sizes)
    keys += random.integers(1 << 32, size=rows, dtype=np.uint32)
    return times[np.argsort(keys, kind="stable")]


def _item_ids(shape: Shape, random: np.random.Generator) -> Ints:
    """Return the ids of all listed items, ascending, with gaps."""
    return np.sort(random.choice(np.arange(1, 5 * shape.listed), shape.listed, replace=False))


def _catalogue(ids: Ints, random: np.random.Generator) -> Catalogue:
    made = make_catalogue(len(ids), random)
    titles = [title.strip() or "Untitled" for title in made.titles]
    return Catalogue([str(item) for item in ids.tolist()], titles, made.years, made.genres)


def make_dataset(shape: Shape, name: str, seed: int = 0) -> Dataset:
    """Return the prepared dataset of a shape, without writing its files."""
    random = np.random.default_rng(seed)
    rows = draw(shape, random)
    ids = _item_ids(shape, random)
    rated = np.sort(random.choice(shape.listed, shape.items, replace=False))
    return prepare(
        f"synthetic-{name}",
        f"synthetic, in the shape of {name}",
        [str(user) for user in range(1, shape.users + 1)],
        _catalogue(ids[rated], random),
        rows,
        simulated=True,
        ties="hash",  # as the files of `write_csv` are read
    )


def write_csv(shape: Shape, folder: Path, seed: int = 0) -> None:
    """Write ratings.csv and movies.csv with the interactions of `make_dataset`."""
    random = np.random.default_rng(seed)
    rows = draw(shape, random)
    ids = _item_ids(shape, random)
    rated = ids[np.sort(random.choice(shape.listed, shape.items, replace=False))]
    folder.mkdir(parents=True, exist_ok=True)
    stars = pa.array([f"{half / 2:.1f}" for half in range(1, 11)])
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    names = ["user", "movie", "rating", "time"]
    with (folder / "ratings.csv").open("wb") as file:
        file.write(b"userId,movieId,rating,timestamp\n")
        for start in range(0, len(rows.users), _BATCH):
            part = slice(start, start + _BATCH)
            users = pa.array(rows.users[part] + 1)
            drawn = pa.array(np.minimum(random.integers(10, size=len(users)) + 2, 9))
            items, times = pa.array(rated[rows.items[part]]), pa.array(rows.times[part])
            table = pa.table([users, items, stars.take(drawn), times], names=names)
            csv.write_csv(table, file, options)
    catalogue = _catalogue(ids, random)
    titles = [
        f"{title} ({year})" if year else title
        for title, year in zip(catalogue.titles, catalogue.years, strict=True)
    ]
    genres = ["|".join(names) or "(no genres listed)" for names in catalogue.genres]
    table = pa.table({"movieId": ids, "title": titles, "genres": genres})
    with (folder / "movies.csv").open("wb") as file:
        file.write(b"movieId,title,genres\n")
        csv.write_csv(table, file, csv.WriteOptions(include_header=False))


def describe(shape: Shape, rows: Interactions) -> str:
    """Return the shape that came out."""
    sizes, counts = np.bincount(rows.users), np.bincount(rows.items, minlength=shape.items)
    quartiles = " ".join(f"{q:,.0f}" for q in np.quantile(counts, [0.25, 0.5, 0.75]))
    return (
        f"{len(rows.users):,} ratings of {len(sizes):,} users and {int((counts > 0).sum()):,} "
        f"items; a user's: at least {sizes.min():,}, median {np.median(sizes):,.0f}, at most "
        f"{sizes.max():,}; an item's: quartiles {quartiles}, at most {counts.max():,}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("folder", type=Path)
    add("--shape", choices=sorted(SHAPES), default="ml-20m")
    add("--fraction", type=float, default=1.0, help="part of the users and ratings")
    add("--users", type=float, default=1.0, help="multiply the users, with as many ratings")
    add("--items", type=float, default=1.0, help="multiply the items, with as many ratings")
    add("--prepared", action="store_true", help="write a prepared dataset into the home FOLDER")
    add("--seed", type=int, default=0)
    options = parser.parse_args()
    shape = SHAPES[options.shape].part(options.fraction).stretched(options.users, options.items)
    started = time.monotonic()
    if options.prepared:
        dataset = make_dataset(shape, options.shape, options.seed)
        save(dataset, prepared_dir(options.folder))
        print(prepared_dir(options.folder) / dataset.fingerprint)
    else:
        write_csv(shape, options.folder, options.seed)
        print(options.folder)
    print(f"{time.monotonic() - started:.0f} s")
    print(describe(shape, draw(shape, np.random.default_rng(options.seed))))


if __name__ == "__main__":
    main()
