"""The splits of prepared datasets, against plain pandas (tests/support/plain_split.py)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.demo import make_demo
from neumf_tui.data.formats import source_at, sources_in
from neumf_tui.data.options import make_options
from neumf_tui.data.prepare import Content, prepare_content
from neumf_tui.data.split import (
    Interactions,
    SplitRule,
    id_hashes,
    pair_hashes,
    split_interactions,
)
from neumf_tui.errors import DatasetError, UsageError
from tests.support import plain_split
from tests.support.plain_split import PlainSplit

START = 1_700_000_000


def table(seed: int, rows: int = 400, users: int = 25, items: int = 40) -> pd.DataFrame:
    """Draw interactions: most times are shared, some pairs occur twice, users are short or long."""
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user": [f"u{int(one)}" for one in users * draw.random(rows) ** 2],
            "item": [f"i{one}" for one in draw.integers(0, items, rows)],
            "time": START + 86_400 * draw.integers(0, 30, rows),
            "rating": draw.integers(1, 6, rows),
            "part": draw.choice(3, rows, p=(0.7, 0.2, 0.1)),
        }
    )


def content(frame: pd.DataFrame, *, parts: bool = False, has_times: bool = True) -> Content:
    users, items = (sorted(set(frame[name])) for name in ("user", "item"))
    rows = Interactions(
        frame["user"].map({one: row for row, one in enumerate(users)}).to_numpy(np.int32),
        frame["item"].map({one: row for row, one in enumerate(items)}).to_numpy(np.int32),
        frame["time"].to_numpy() if has_times else np.zeros(len(frame), np.int64),
        frame["rating"].to_numpy(np.float32),
        frame["part"].to_numpy(np.uint8) if parts else None,
    )
    catalogue = Catalogue(items, items, [None] * len(items), [[] for _ in items])
    return Content(users, catalogue, rows, has_times=has_times)


def prepared(frame: pd.DataFrame, options: dict[str, Any], **kind: bool) -> Dataset:
    return prepare_content("table", "here", content(frame, **kind), make_options(**options))


def plain(data: Dataset) -> PlainSplit:
    """Return the split of a dataset by ids; check that every user and item is needed."""
    ids, items, split = data.user_ids, data.catalogue.item_ids, data.split
    assert np.array_equal(split.users, np.repeat(range(len(ids)), np.diff(split.offsets)))
    assert set(split.items) | set(split.heldout[split.heldout >= 0]) == set(range(len(items)))
    assert all(
        (np.diff(split.times[split.offsets[u] : split.offsets[u + 1]]) >= 0).all()
        for u in range(len(ids))
        if data.facts.split not in ("random", "given")
    )
    return PlainSplit(
        {one: [items[i] for i in data.history(u)] for u, one in enumerate(ids)},
        {one: int(split.known[u]) for u, one in enumerate(ids)},
        {one: items[i] for one, i in zip(ids, split.heldout, strict=True) if i >= 0},
    )


def assert_facts(data: Dataset, frame: pd.DataFrame, found: PlainSplit) -> None:
    """Count again what the facts of a dataset say; `frame` has what was split."""
    facts, sizes = data.facts, {one: len(items) for one, items in found.history.items()}
    everybody = set(frame["user"])
    trained = {item for items in found.history.values() for item in items}
    assert facts.interactions == len(frame)
    assert facts.heldout == len(found.heldout)
    assert facts.validated == sum(0 < found.known[one] < sizes[one] for one in sizes)
    assert facts.cold_users == len(everybody - found.history.keys())
    assert facts.cold_items == sum(item not in trained for item in found.heldout.values())
    assert facts.unused == len(frame) - sum(sizes.values()) - len(found.heldout)
    rated = frame.set_index(["user", "item"])["rating"]
    low = sum(rated[pair] <= 2 for pair in found.heldout.items())
    assert (facts.rated, facts.rated_low) == (len(found.heldout), low)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cut", [0.5, 0.8, 0.93, "2023-11-25", "2023-12-10"])
def test_time_holds_out_the_first_after_the_cut(seed: int, cut: float | str) -> None:
    frame = table(seed)
    data = prepared(frame, {"split": "time", "cut": str(cut)})
    kept = plain_split.filtered(frame)
    found = plain_split.split_time(kept, cut)
    assert plain(data) == found
    assert_facts(data, kept, found)
    assert data.facts.cut is not None and (data.split.times < data.facts.cut).all()
    assert (data.split.heldout_times[data.split.heldout >= 0] >= data.facts.cut).all()
    validated = data.validation >= 0
    rows = data.offsets[:-1][validated] + data.split.known[validated]
    assert data.facts.validation_cut is not None
    assert (data.split.times[rows] >= data.facts.validation_cut).all()
    assert (data.split.times[data.learned] < data.facts.validation_cut).all()


@pytest.mark.parametrize("seed", range(3))
def test_latest_random_and_given_are_as_written_plainly(seed: int) -> None:
    frame = table(seed)
    kept = plain_split.filtered(frame)
    for options, found in (
        ({}, plain_split.split_latest(kept)),
        ({"split": "random"}, plain_split.split_latest(kept, at_random=True)),
    ):
        data = prepared(frame, options)
        assert plain(data) == found
        assert_facts(data, kept, found)
    timeless = prepared(frame, {}, has_times=False)
    assert plain(timeless) == plain_split.split_latest(kept, at_random=True)
    # A pair of two parts stays in that which is learned from.
    order = frame.sort_values(["part", "time"], ascending=[True, False], kind="stable")
    parted = order.drop_duplicates(["user", "item"])
    given = prepared(frame, {}, parts=True)
    assert given.facts.split == "given"
    assert plain(given) == plain_split.split_given(parted)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("split", ["latest", "time"])
def test_filters_come_first_and_are_repeated(seed: int, split: str) -> None:
    frame = table(seed, rows=600)
    wanted = {"min_rating": 2, "min_user_count": 8, "min_item_count": 6}
    kept = plain_split.filtered(frame, 2, 8, 6)
    assert len(kept)
    split_plainly = plain_split.split_latest if split == "latest" else plain_split.split_time
    found = split_plainly(kept)
    data = prepared(frame, {"split": split, **wanted})
    assert plain(data) == found
    assert_facts(data, kept, found)
    high = plain_split.without_duplicates(frame[frame["rating"] >= 2])
    assert data.facts.below_rating == (frame["rating"] < 2).sum()
    assert data.facts.duplicates == (frame["rating"] >= 2).sum() - len(high)
    assert data.facts.below_counts == len(high) - len(kept)


def test_filters_that_leave_nothing_are_refused() -> None:
    with pytest.raises(DatasetError, match="leave no interactions; give lower numbers"):
        prepared(table(0), {"min_user_count": 1000})
    without = content(table(0))
    no_ratings = replace(without.interactions, ratings=None)
    with pytest.raises(UsageError, match="--min-rating 3: the interactions have no ratings"):
        bare = replace(without, interactions=no_ratings)
        prepare_content("table", "here", bare, make_options(min_rating=3))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"split": "time", "cut": "2020-01-01"}, "--cut 2020-01-01: all interactions are on one"),
        ({"split": "time", "cut": "2030-01-01"}, "a date after 2023-11-14 and until 2023-12-13"),
        ({"split": "time", "cut": "1.5"}, "--cut 1.5: expected a date such as"),
        ({"split": "time", "cut": "soon"}, "--cut soon: expected a date such as"),
        ({"cut": "0.9"}, "--cut 0.9 needs --split time"),
        ({"split": "given"}, "--split given: here does not come split"),
    ],
)
def test_splits_that_do_not_fit_the_data_are_refused(options: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        prepared(table(0), options)


def test_latest_and_time_need_times() -> None:
    for split in ("latest", "time"):
        with pytest.raises(UsageError, match=f"--split {split}: here has no times"):
            prepared(table(0), {"split": split}, has_times=False)


@pytest.mark.parametrize("rule", ["latest", "time", "random", "given"])
@pytest.mark.parametrize("order", ["drawn", "reversed", "by item"])
def test_rows_in_any_order_and_pieces_of_any_size_give_one_split(rule: str, order: str) -> None:
    frame = plain_split.without_duplicates(table(7))
    other = {
        "drawn": frame.sample(frac=1, random_state=1),
        "reversed": frame[::-1],
        "by item": frame.sort_values(["user", "item"]),
    }[order]
    kinds = {"parts": rule == "given"}
    one, two = (prepared(each, {"split": rule}, **kinds) for each in (frame, other))
    assert one.fingerprint == two.fingerprint
    assert one.facts == two.facts
    rows = content(frame, **kinds)
    hashes = id_hashes(rows.user_ids), id_hashes(rows.catalogue.item_ids)
    middle = START + 20 * 86_400
    plan = SplitRule(rule, "hash", middle, middle - 86_400)  # type: ignore[arg-type]
    pieces = [
        split_interactions(rows.interactions, len(rows.user_ids), plan, hashes, chunk_rows=size)
        for size in (1, 7, 1 << 20)
    ]
    for name in one.split.__dataclass_fields__:
        assert np.array_equal(getattr(one.split, name), getattr(two.split, name)), name
        first, *others = (getattr(each.split, name) for each in pieces)
        assert all(np.array_equal(first, each) for each in others), name
    assert len({(each.tied, each.tied_last) for each in pieces}) == 1


def test_every_choice_of_the_split_is_in_the_fingerprint() -> None:
    frame = table(3)
    choices: list[dict[str, Any]] = [
        {}, {"split": "random"}, {"split": "time"}, {"split": "time", "cut": "0.8"},
        {"min_rating": 2}, {"min_user_count": 5}, {"min_item_count": 9},
    ]  # fmt: skip
    assert len({prepared(frame, one).fingerprint for one in choices}) == len(choices)


def test_ties_are_counted() -> None:
    frame = pd.DataFrame(
        {
            "user": list("aaabbbccd"),
            "item": list("xyzxyzxyx"),
            "time": [1, 2, 2, 1, 1, 2, 5, 5, 9],
            "rating": 5,
            "part": 0,
        }
    )
    latest = prepared(frame, {}).facts
    assert (latest.tied, latest.tied_last) == (6, 2)  # of a and c; b's tie is not at the end
    # After the cut, the first of several is held out.
    timed = prepared(frame, {"split": "time", "cut": "1970-01-01T00:00:02"}).facts
    assert (timed.tied, timed.tied_last) == (6, 1)
    assert timed.cold_users == 2


def test_hashes_are_those_of_plain_integers() -> None:
    users, items = ["1", "u", "ü", ""], ["7", "item", "🎬", "x" * 300]
    found = pair_hashes(id_hashes(users), id_hashes(items))
    wanted = [plain_split.tie_of(*pair) for pair in zip(users, items, strict=True)]
    assert found.tolist() == wanted


# MovieLens 100K.


def read(path: Path) -> Dataset:
    source = source_at(path)
    assert source
    return source.read()


def test_figures_of_version_0_1_0_stay(ml100k: Path) -> None:
    (source,) = sources_in(ml100k)
    data = source.read()
    assert data.fingerprint == "d3033d37d5144828d76d85a1d52e4fd20becea333c86f8281ac6ba0cd4bc0bec"
    assert data.facts.ties == "file order"
    demo = "5531acb972fcef7ad8d6766470e60f819385a28c814c891b70466ea18c2ac867"
    assert make_demo().fingerprint == demo


def test_ml100k_in_four_orders_and_as_numbers_is_one_split(ml100k: Path, tmp_path: Path) -> None:
    """As in u.data, twice at random, by user and item; and Parquet with ids as numbers."""
    names = ["user_id", "item_id", "rating", "timestamp"]
    frame = pd.read_csv(ml100k / "u.data", sep="\t", names=names)
    forms = [
        frame,
        frame.sample(frac=1, random_state=1),
        frame.sample(frac=1, random_state=2),
        frame.sort_values(["user_id", "item_id"]),
    ]
    path = tmp_path / "ratings.csv"
    found = []
    for form in forms:
        form.to_csv(path, index=False)
        found.append(read(path))
    frame[::-1].to_parquet(tmp_path / "ratings.parquet")
    found.append(read(tmp_path / "ratings.parquet"))
    first, *others = found
    for other in others:
        assert other.fingerprint == first.fingerprint
        assert (other.user_ids, other.catalogue) == (first.user_ids, first.catalogue)
        assert other.facts == first.facts
        for name in first.split.__dataclass_fields__:
            mine, its = getattr(first.split, name), getattr(other.split, name)
            assert mine.dtype == its.dtype and np.array_equal(mine, its), name
