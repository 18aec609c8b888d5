"""Synthetic MovieLens has the shape of the real one, and its files read as its prepared dataset."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets import synthetic_movielens as synthetic
from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset

SMALL = synthetic.Shape(900, 420, 400, 30_000, (5, 20, 250), (6, 20, 60, 500), (1995, 2015))


@pytest.mark.parametrize("name", sorted(synthetic.SHAPES))
def test_distributions_match_the_release(name: str) -> None:
    shape = synthetic.SHAPES[name]
    sizes, counts = synthetic.history_sizes(shape), synthetic.item_counts(shape)
    assert len(sizes) == shape.users and len(counts) == shape.items
    assert sizes.sum() == counts.sum() == shape.ratings
    assert (sizes.min(), np.median(sizes), sizes.max()) == pytest.approx(shape.history, rel=0.02)
    assert [*np.quantile(counts, [0.25, 0.5, 0.75]), counts.max()] == pytest.approx(
        shape.seen, rel=0.1, abs=1
    )


def test_each_user_has_each_item_once() -> None:
    rows = synthetic.draw(SMALL, np.random.default_rng(0))
    pairs = rows.users.astype(np.int64) * SMALL.items + rows.items
    assert len(pairs) == SMALL.ratings
    assert (pairs[1:] > pairs[:-1]).all(), "sorted, and no item twice"
    np.testing.assert_array_equal(
        np.sort(np.bincount(rows.users)), np.sort(synthetic.history_sizes(SMALL))
    )
    np.testing.assert_array_equal(
        np.sort(np.bincount(rows.items)), np.sort(synthetic.item_counts(SMALL))
    )
    again = synthetic.draw(SMALL, np.random.default_rng(0))
    assert all(
        (getattr(rows, key) == getattr(again, key)).all() for key in ("users", "items", "times")
    )


def test_the_files_read_as_the_dataset_prepared_without_them(
    tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic.write_csv(SMALL, tmp_path / "files")
    data = open_dataset("auto", tmp_path / "files", own_home, silent, silent)
    made = synthetic.make_dataset(SMALL, "ml-20m")
    assert made.fingerprint == data.fingerprint
    assert made.simulated and made.label.endswith("(simulated)")
    assert (data.num_users, data.num_items, data.num_train) == (900, 400, 30_000 - 900)
