"""Checks of adopted ranks: beside popularity, with other rows, and with what was reported."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neumf_tui.adopt.adopt import Order, Outcome, Unmet, adopt
from neumf_tui.adopt.check import (
    SAMPLE,
    Expectation,
    _sampled_aucs,
    beside_popularity,
    parse_expectations,
)
from neumf_tui.adopt.rows import Given
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.progress import silent
from neumf_tui.errors import UsageError
from neumf_tui.scorers.scorer import FloatArray
from neumf_tui.scorers.table import TableScorer
from tests.support.datasets import random_dataset
from tests.support.foreign_models import ITEM_IDS, ITEMS, USERS, good_vectors


def save(path: Path, shift: tuple[int, int] = (0, 0), padding: int = 0) -> Path:
    """Save good vectors, whose rows are shifted, after rows of padding."""
    users, items = good_vectors()
    tables = {"users": np.roll(users, shift[0], 0), "items": np.roll(items, shift[1], 0)}
    zeros = np.zeros((padding, 3), np.float32)
    np.savez(path, **{name: np.concatenate([zeros, table]) for name, table in tables.items()})
    return path


def made(home: Path, path: Path, data: Dataset, rows: str | None = None, *expect: str) -> Outcome:
    expected = parse_expectations(list(expect))
    order = Order(f"run-{path.stem}", [path], given=Given(rows), expected=expected)
    return adopt(home, data, order, silent)


def test_a_good_model_is_above_popularity(tmp_path: Path, planted: Dataset) -> None:
    found = made(tmp_path / "home", save(tmp_path / "good.npz"), planted)
    assert found.beside.is_better and not found.beside.by_chance
    assert not found.warnings and found.better_rows is None
    assert found.beside.auc == pytest.approx(found.metrics["auc"] - found.popularity["auc"])


@pytest.mark.parametrize(
    ("shift", "said"),
    [((1, 0), "the users' rows one later"), ((0, -1), "the items' rows one earlier")],
)
def test_rows_shifted_by_one_are_found(
    shift: tuple[int, int], said: str, tmp_path: Path, planted: Dataset
) -> None:
    found = made(tmp_path / "home", save(tmp_path / "bad.npz", shift), planted)
    assert not found.beside.is_better
    assert "rows belong to other" in found.warnings[0]
    assert found.better_rows and found.better_rows.what == said
    assert found.better_rows.better_auc > found.better_rows.auc + 0.2
    assert "--user-ids, --item-ids" in found.warnings[1]


def test_a_padding_row_that_was_not_thought_of_is_found(tmp_path: Path, planted: Dataset) -> None:
    users, items = good_vectors()
    places = [int(one) for one in ITEM_IDS]
    wide = np.zeros((101, 3), np.float32)
    wide[places] = items
    path = tmp_path / "padded.npz"
    np.savez(path, users=np.concatenate([users[:1], users]), items=wide)
    found = made(tmp_path / "home", path, planted, "id-1")
    assert found.better_rows and found.better_rows.remedy == "adopt it again with --rows id"
    assert "id" in found.warnings[-1]
    (tmp_path / "home" / "runs" / "run-padded" / "run.json").unlink()
    with pytest.raises(Unmet, match="--rows id"):
        made(tmp_path / "other", path, planted, "id-1", "auc=0.9")
    assert not list((tmp_path / "other" / "runs").iterdir()), "nothing is left of it"


def test_ids_sorted_as_text_are_found(tmp_path: Path, planted: Dataset) -> None:
    users, items = good_vectors()
    order = sorted(range(ITEMS), key=ITEM_IDS.__getitem__)
    np.savez(tmp_path / "text.npz", users=users, items=items[order])
    found = made(tmp_path / "home", tmp_path / "text.npz", planted)
    assert found.better_rows and "order of ids as text" in found.better_rows.what


def test_ranks_by_chance_are_called_that(tmp_path: Path, planted: Dataset) -> None:
    np.save(tmp_path / "scores.npy", np.random.default_rng(0).random((USERS, ITEMS)))
    found = made(tmp_path / "home", tmp_path / "scores.npy", planted)
    assert found.beside.by_chance and "random order" in found.warnings[0]


def test_popularity_is_not_better_than_itself() -> None:
    ranks = np.array([1, 30, 200, np.nan], np.float32)
    beside = beside_popularity(ranks, ranks, np.full(4, 300))
    assert (beside.hits, beside.auc, beside.is_better) == (0, 0, False)


def test_what_was_reported_holds_to_its_last_digit() -> None:
    (one,) = parse_expectations(["Hit@50=0.361"])
    assert one.holds(0.3605) and one.holds(0.36149) and not one.holds(0.3616)
    exact = Expectation("auc", "0.8537808718526595")
    assert exact.holds(0.8537808718526594) and not exact.holds(0.85378088)
    assert Expectation("mrr", "1").holds(0.6) and not Expectation("mrr", "1.0").holds(0.9)
    assert len(parse_expectations(["mrr=0.1,auc=0.9", "hit@10=0"])) == 3


@pytest.mark.parametrize(
    "text", ["hit@50", "hit@50=", "hr@10=0.5", "auc=1e-3", "auc=-0.1", "auc=2"]
)
def test_what_cannot_be_expected(text: str) -> None:
    with pytest.raises(UsageError, match=r"the metrics are hit@10"):
        parse_expectations([text])


def test_about_as_many_users_are_judged_however_few_have_a_held_out_item() -> None:
    """With a split by time most users may have none."""
    data, draw, users = random_dataset(2000, 20, 3), np.random.default_rng(0), 2000
    table = draw.random((users, 20)).astype(np.float32)
    for share in (0.02, 0.4, 1.0):
        none = draw.random(users) >= share
        heldout = np.where(none, -1, data.split.heldout)
        sparse = replace(data, split=replace(data.split, heldout=heldout))
        for size in (1, 7, 100, 2000):
            asked: list[int] = []

            class Asked(TableScorer):
                chunk_users = size

                def scores(self, users: range, asked: list[int] = asked) -> FloatArray:
                    asked.extend(users)
                    return super().scores(users)

            found = _sampled_aucs(Asked(table), sparse)
            assert len(set(asked)) == len(asked)
            enough = min(SAMPLE, int((~none).sum()))
            assert 0.6 * enough <= len(found) <= 1.7 * enough + size, (share, size)
