"""The split: which interactions are learned from, and which one of each user is held out."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.options import SplitName

LATEST_TIME = 253_402_300_799
"""The last second of the year 9999; later times have no date."""
CHUNK_ROWS = 1 << 20
"""Rows per piece of work: needs little memory, and the pieces keep all cores busy."""
_FEWEST_HASH_BITS = 12
TRAIN, VALID, TEST = range(3)
"""Values of `Interactions.parts`."""

Ties = Literal["file order", "hash"]
"""What orders a user's interactions of the same time: the first row of the file counts as the
latest, or the row with the greatest `pair_hashes`. Only u.data, which is shuffled, uses its rows:
where a file is sorted by item, the ids of the items would leak into what is the latest."""


@dataclass(frozen=True)
class Interactions:
    """User, item and time of every interaction, in file order: arrays of shape (interactions,)."""

    users: NDArray[Any]
    items: NDArray[Any]
    times: NDArray[Any]
    """Since 1970, in `units_per_second`; all 0 where the times are not known."""
    ratings: NDArray[np.float32] | None = None
    parts: NDArray[np.uint8] | None = None
    """TRAIN, VALID or TEST, where the files come split."""
    units_per_second: int = 1

    def select(self, rows: NDArray[Any]) -> "Interactions":
        """Return these rows: a mask, or their numbers."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {key: one[rows] for key, one in values.items() if isinstance(one, np.ndarray)}
        return Interactions(**values | arrays)


@dataclass(frozen=True)
class SplitRule:
    """How interactions are split, and how those of the same time are ordered."""

    name: SplitName = "latest"
    ties: Ties = "file order"
    cut: int = 0
    """The time of the cut, in the units of the interactions."""
    validation_cut: int = 0

    @property
    def text(self) -> str:
        """What the fingerprint of a dataset starts with: do not reword."""
        cuts = f" at {self.cut} and {self.validation_cut}" if self.name == "time" else ""
        return f"split: {self.name}{cuts}; equal timestamps: by {self.ties}"


@dataclass(frozen=True)
class Split:
    """Training pairs sorted by user and time, and one held-out item per user.

    Indices are int64, because user × items + item, the number of a pair, exceeds 32 bits at the
    size of ML-20M.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    times: NDArray[np.int64]
    """Unix seconds."""
    heldout: NDArray[np.int64]
    """Shape (num_users,): item index held out, or -1 for a user with nothing to hold out."""
    heldout_times: NDArray[np.int64]
    """Shape (num_users,): Unix seconds, -1 where nothing is held out."""
    offsets: NDArray[np.int64]
    """Shape (num_users + 1,): user u's training pairs are rows offsets[u]:offsets[u + 1]."""
    known: NDArray[np.int64]
    """Shape (num_users,): how many of each user's training pairs come before validation. The next
    pair, if there is one, is the validation item of a user with at least one known pair."""


@dataclass(frozen=True)
class Ordered:
    """A split, and what only the interactions can tell about it."""

    split: Split
    heldout_ratings: NDArray[np.float32]
    """Ratings of the held-out interactions that have one, in the order of the users."""
    tied: int
    """Interactions whose user has another at the same time."""
    tied_last: int
    """Users whose held-out interaction has the time of another that could have been held out."""


def drop_duplicates(rows: Interactions, chunk_rows: int = CHUNK_ROWS) -> tuple[Interactions, int]:
    """Return the latest of each (user, item) pair, and the number of rows dropped.

    Of equal times the first in file order is kept. Where the files come split, a pair of the
    training part stays there.
    """
    # MovieLens 20M and later are sorted by user and item: this needs no further memory.
    width = int(rows.items.max(initial=0)) + 1
    if all(
        _is_increasing(_pair_numbers(rows, width, start, start + chunk_rows + 1))
        for start in range(0, len(rows.users), chunk_rows)
    ):
        return rows, 0
    keys = _pair_numbers(rows, width)
    keys.sort()
    repeated = np.unique(keys[1:][keys[1:] == keys[:-1]])
    del keys
    if not len(repeated):
        return rows, 0
    keep = np.ones(len(rows.users), dtype=bool)
    # Only the rows of repeated pairs are sorted; stable, so equal times stay in file order.
    places, pairs = _rows_of(rows, width, repeated, chunk_rows)
    parts = () if rows.parts is None else (rows.parts[places],)
    order = np.lexsort((-rows.times[places].astype(np.int64), *parts, pairs))
    keep[places[order[1:][pairs[order][1:] == pairs[order][:-1]]]] = False
    return rows.select(keep), int((~keep).sum())


def split_interactions(
    rows: Interactions,
    num_users: int,
    rule: SplitRule,
    hashes: tuple[NDArray[np.uint64], NDArray[np.uint64]] | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Ordered:
    """Split the interactions, of which no (user, item) pair may occur twice.

    `hashes`: those of the ids of all users and all items, (num_users,) and (num_items,), needed for
    ties by hash and for the random split.
    """
    rows = _by_user(rows)
    starts, pairs, held, known = _counts(rows, num_users, rule)
    offsets = np.concatenate(([0], np.cumsum(pairs)))
    users, items, times = (np.empty(offsets[-1], dtype=np.int64) for _ in range(3))
    heldout_rows = np.full(num_users, -1, dtype=np.int64)
    order_rows = _Order(rows, rule, hashes)

    def split(bounds: tuple[int, int]) -> tuple[int, int]:
        first, end = bounds
        here = slice(first, end)
        order = order_rows(int(starts[first]), int(starts[end]))
        begins = starts[here] - starts[first]
        rest = np.diff(starts[first : end + 1]) - pairs[here]
        next_rows = (begins + pairs[here])[held[here]]
        heldout_rows[here][held[here]] = order[next_rows]
        ties = _count_ties(rows, order, rule, next_rows)
        trained = np.delete(order, stretches(begins + pairs[here], rest))
        target = slice(offsets[first], offsets[end])
        users[target] = np.repeat(np.arange(first, end), pairs[here])
        items[target] = rows.items[trained]
        times[target] = rows.times[trained] // rows.units_per_second
        return ties

    cuts = np.unique(
        np.append(np.searchsorted(starts, np.arange(0, len(rows.users), chunk_rows)), num_users)
    ).clip(max=num_users)
    from concurrent.futures import ThreadPoolExecutor  # viewers split nothing

    with ThreadPoolExecutor() as pool:
        ties = np.array([*pool.map(split, pairwise([0, *cuts.tolist()]))]).reshape(-1, 2).sum(0)
    heldout, heldout_times = (np.full(num_users, -1, dtype=np.int64) for _ in range(2))
    heldout[held] = rows.items[heldout_rows[held]]
    heldout_times[held] = rows.times[heldout_rows[held]] // rows.units_per_second
    ratings = np.zeros(0, np.float32) if rows.ratings is None else rows.ratings[heldout_rows[held]]
    split_of_all = Split(users, items, times, heldout, heldout_times, offsets, known)
    rated = ratings[np.isfinite(ratings)]
    return Ordered(split_of_all, rated, int(ties[0]), int(ties[1]))


def id_hashes(ids: Sequence[str]) -> NDArray[np.uint64]:
    """Return a hash of each id, shape (ids,): the first 8 bytes of BLAKE2b, little endian."""
    digests = (hashlib.blake2b(one.encode(), digest_size=8).digest() for one in ids)
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def pair_hashes(users: NDArray[np.uint64], items: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a hash of each pair of a user's and an item's hash.

    The last steps are those of the generator SplitMix64 (Steele et al. 2014, figure 16).
    """
    mixed = users * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= items
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _counts(
    rows: Interactions, num_users: int, rule: SplitRule
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return where each user's rows start, (num_users + 1,), and three arrays (num_users,).

    These are each user's number of training pairs, whether the next row is held out, and how many
    of the pairs come before validation. The rows are sorted by user.
    """

    def count(mask: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        users = rows.users if mask is None else rows.users[mask]
        return np.bincount(users, minlength=num_users)

    counts = count()
    starts = np.concatenate(([0], np.cumsum(counts)))
    if rule.name == "time":
        pairs, known = count(rows.times < rule.cut), count(rows.times < rule.validation_cut)
    elif rule.name == "given":
        assert rows.parts is not None
        pairs, known = count(rows.parts < TEST), count(rows.parts == TRAIN)
    else:
        pairs = known = counts - (counts > 1)
    if np.array_equal(pairs, known):  # the latest pair is the validation item
        known = pairs - (pairs > 1)
    return starts, pairs, (counts > pairs) & (pairs > 0), known


def _by_user(rows: Interactions) -> Interactions:
    """Return the rows sorted by user, those of a user in file order."""
    users = rows.users
    if (users[1:] >= users[:-1]).all():
        return rows
    # By the lower 16 bits, then by the upper: numpy uses a radix sort for 16-bit numbers.
    order = np.argsort(users.astype(np.uint16), kind="stable")
    for shift in range(16, int(users.max()).bit_length(), 16):
        order = order[np.argsort((users >> shift).astype(np.uint16)[order], kind="stable")]
    return rows.select(order)


class _Order:
    """Orders the rows of whole users by user, part and time, and by what breaks ties."""

    def __init__(
        self,
        rows: Interactions,
        rule: SplitRule,
        hashes: tuple[NDArray[np.uint64], NDArray[np.uint64]] | None,
    ) -> None:
        self._rows, self._hashes = rows, hashes
        self._by_hash = rule.ties == "hash" or rule.name == "random"
        self._columns = [rows.users]
        if rule.name == "given" and rows.parts is not None:
            self._columns.append(rows.parts)
        if rule.name != "random":
            self._columns.append(rows.times)

    def __call__(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the numbers of the rows from `start` to `stop` in their order."""
        columns = [column[start:stop] for column in self._columns]
        if self._by_hash:
            assert self._hashes is not None
            users, items = self._hashes
            here = slice(start, stop)
            hashes = pair_hashes(users[self._rows.users[here]], items[self._rows.items[here]])
            return start + _sorted_with_hashes(columns, hashes)
        # At equal times descending file order, so that the row to hold out (latest, first in the
        # file) comes last.
        return stop - 1 - _sorted([column[::-1] for column in columns])


def _sorted(columns: list[NDArray[Any]]) -> NDArray[np.int64]:
    """Return the rows sorted by the columns, the first before the others, then by place.

    If the columns fit into one number, one stable sort does it, which is fast for files that are
    already sorted by user.
    """
    keys, bits = _packed(columns)
    return np.lexsort(columns[::-1]) if bits > 63 else np.argsort(keys, kind="stable")


def _sorted_with_hashes(
    columns: list[NDArray[Any]], hashes: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Return the rows sorted by the columns, then by hash.

    The bits that the columns leave free in a number take the first bits of the hash; the few rows
    whose numbers are still equal are then sorted by the whole hash.
    """
    keys, bits = _packed(columns)
    free = 63 - bits
    if free < _FEWEST_HASH_BITS:
        return np.lexsort([hashes, *columns[::-1]])
    keys <<= free
    keys |= (hashes >> np.uint64(64 - free)).astype(np.int64)
    order = np.argsort(keys)
    keys = keys[order]
    equal = keys[1:] == keys[:-1]
    if equal.any():
        places = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
        rows = order[places]
        order[places] = rows[np.lexsort((hashes[rows], keys[places]))]
    return order


def _packed(columns: list[NDArray[Any]]) -> tuple[NDArray[np.int64], int]:
    """Return one number for each row that sorts as its columns, and how many bits it takes.

    With more than 63 bits the numbers are not valid.
    """
    keys, all_bits = np.zeros(len(columns[0]), dtype=np.int64), 0
    for column in columns:
        if not len(column):
            break
        first = int(column.min())
        bits = (int(column.max()) - first).bit_length()
        all_bits += bits
        if all_bits > 63:
            break
        keys <<= bits
        keys += column
        keys -= first
    return keys, all_bits


def stretches(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of all stretches of `lengths` from `starts` on, one after the other."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(ends[-1] if len(ends) else 0)


def _count_ties(
    rows: Interactions, order: NDArray[np.int64], rule: SplitRule, heldout: NDArray[np.int64]
) -> tuple[int, int]:
    """Count the interactions in `order` that share user and time, and the held-out ones of them.

    heldout: the places in `order` of the held-out interactions. Such a one counts if a neighbour of
    the same time could have been held out in its place.
    """
    users, times = rows.users[order], rows.times[order]
    same = np.zeros(len(order) + 1, dtype=bool)
    same[1:-1] = (times[1:] == times[:-1]) & (users[1:] == users[:-1])
    tied = int((same[1:] | same[:-1]).sum())
    # The split by time, and a given one, hold out the first of several; the others the last.
    first_of = rule.name in ("time", "given")
    beside = same[heldout + 1] if first_of else same[heldout]
    return tied, 0 if rule.name == "random" else int(beside.sum())


def _pair_numbers(
    rows: Interactions, width: int, start: int = 0, stop: int | None = None
) -> NDArray[np.int64]:
    """Return user × width + item for each row; items are below `width`."""
    numbers = rows.users[start:stop].astype(np.int64)
    numbers *= width
    numbers += rows.items[start:stop]
    return numbers


def _is_increasing(numbers: NDArray[np.int64]) -> bool:
    return bool((numbers[1:] > numbers[:-1]).all())


def _rows_of(
    rows: Interactions, width: int, wanted: NDArray[np.int64], chunk_rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows, ascending, whose pair number is in `wanted` (sorted), and these numbers."""
    numbers = _pair_numbers(rows, width)
    found = np.empty(len(numbers), dtype=bool)
    for start in range(0, len(numbers), chunk_rows):
        part = numbers[start : start + chunk_rows]
        nearest = wanted[np.searchsorted(wanted, part).clip(max=len(wanted) - 1)]
        found[start : start + chunk_rows] = nearest == part
    places = np.flatnonzero(found)
    return places, numbers[places]
