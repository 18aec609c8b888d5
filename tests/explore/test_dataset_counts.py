"""How interactions are spread, compared with plain counting."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.options import make_options
from neumf_tui.data.prepare import Content, prepare_content
from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.data.split import Interactions
from neumf_tui.explore.dataset_counts import MOST_BINS, Bin, count_dataset, later_share

DAY = 86_400


def drawn(split: str, days: int = 300, users: int = 40, items: int = 60) -> Dataset:
    """Draw interactions of which many share user and day."""
    rng = np.random.default_rng(5)
    pairs = np.unique(rng.integers(0, [users, items], (600, 2)), axis=0)
    times = 1_700_000_000 // DAY * DAY + DAY * rng.integers(0, days, len(pairs))
    ratings = rng.integers(1, 11, len(pairs)).astype(np.float32) / 2
    names = [f"i{item}" for item in range(items)]
    catalogue = Catalogue(names, names, [None] * items, [[] for _ in names])
    rows = Interactions(pairs[:, 0], pairs[:, 1], times, ratings)
    content = Content([f"u{user}" for user in range(users)], catalogue, rows)
    return prepare_content("drawn", "a test", content, make_options(split=split))


def interactions(data: Dataset) -> list[tuple[int, int, int]]:
    """Return user, item and time of every interaction that is learned from or held out."""
    split = data.split
    pairs = list(zip(split.users, split.items, split.times, strict=True))
    held = zip(range(data.num_users), split.heldout, split.heldout_times, strict=True)
    return [*pairs, *(one for one in held if one[1] >= 0)]


def in_bins(bins: list[Bin], sizes: list[int]) -> list[int]:
    """Count the sizes in the bins that the labels name."""
    ends = [[int(end.replace(",", "")) for end in one.label.split("–")] for one in bins]
    return [sum(low[0] <= size <= low[-1] for size in sizes) for low in ends]


@pytest.mark.parametrize("split", ["latest", "time", "random"])
def test_counts_are_those_of_plain_counting(split: str) -> None:
    data = drawn(split)
    found, rows = count_dataset(data), interactions(data)
    for bins, column in ((found.user_sizes, 0), (found.item_sizes, 1)):
        sizes = list(Counter(row[column] for row in rows).values())
        assert [one.count for one in bins] == in_bins(bins, sizes)
        assert sum(one.count for one in bins) == len(sizes)
    groups = Counter((user, time) for user, _, time in rows)
    tied = [groups[user, time] for user, _, time in rows]
    assert [one.count for one in found.ties] == in_bins(found.ties, tied)
    months = Counter(f"{datetime.fromtimestamp(time, UTC):%Y-%m}" for _, _, time in rows)
    assert {one.label: one.count for one in found.times if one.count} == months
    assert sum(one.count for one in found.ratings) == data.facts.interactions
    assert [one.label for one in found.ratings][:3] == ["0.5", "1", "1.5"]


@pytest.mark.parametrize("split", ["latest", "random", "time"])
def test_the_share_of_later_pairs_is_that_of_plain_counting(split: str) -> None:
    data = drawn(split)
    times = data.split.times.tolist()
    held = [time for time in data.split.heldout_times.tolist() if time >= 0]
    shares = [sum(one > time for one in times) / len(times) for time in held]
    found = later_share(data.split)
    assert found == pytest.approx(sum(shares) / len(shares))
    assert (found == 0) == (split == "time")


def test_two_fifths_of_the_pairs_of_ml100k_are_later(ml100k: Path, own_home: Path) -> None:
    data = open_dataset("auto", ml100k, own_home, silent, silent)
    assert later_share(data.split) == pytest.approx(0.413, abs=0.001)


@pytest.mark.parametrize(
    ("days", "first", "last"),
    [(20, "2023-11-14", "2023-12-03"), (9_000, "2023", "2048"), (900_000, "1988–2058", "4473")],
)
def test_times_are_counted_in_few_bins(days: int, first: str, last: str) -> None:
    times = count_dataset(drawn("latest", days)).times
    assert (times[0].label, len(times) <= MOST_BINS) == (first, True)
    assert times[-1].label.startswith(last[:4])


def test_what_is_not_known_is_left_out() -> None:
    data = drawn("latest")
    assert count_dataset(data, lambda: True).ties == []
