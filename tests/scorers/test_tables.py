"""Tables of scores, lists of best items, and runs that kept no model."""

from pathlib import Path

import numpy as np
import pytest

from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.scorers.scorer import CannotError
from neumf_tui.scorers.table import NoScorer, TableScorer, TopScorer
from tests.support.datasets import random_dataset
from tests.support.scorers import best_of, normal

NOBODY = np.empty(0, np.int64)


def test_a_table_is_read_where_it_is_mapped(tmp_path: Path) -> None:
    table = normal(9, 30)
    np.save(tmp_path / "table.npy", table)
    scorer = TableScorer(np.load(tmp_path / "table.npy", mmap_mode="r"))
    found = scorer.scores(range(2, 7))
    np.testing.assert_array_equal(found, table[2:7])
    assert type(found) is np.ndarray and found.flags.writeable
    np.testing.assert_array_equal(scorer.item_scores(scorer.profile(8, NOBODY)).total, table[8])
    assert (scorer.num_users, scorer.num_items) == (9, 30)


def test_beyond_the_best_items_nothing_is_known() -> None:
    scores = normal(9, 30)
    items, best = best_of(scores, 4)
    scorer = TopScorer(items, best, 30)
    assert scorer.num_items == 30
    found = scorer.scores(range(9))
    for user in range(9):
        known = np.flatnonzero(found[user] > -np.inf)
        assert sorted(known) == sorted(items[user][items[user] >= 0].tolist())
        np.testing.assert_array_equal(found[user, known], scores[user, known])
    assert (found[1] > -np.inf).sum() == 3, "a list can be shorter"
    np.testing.assert_array_equal(scorer.scores(range(4, 6)), found[4:6])
    np.testing.assert_array_equal(scorer.item_scores(scorer.profile(5, NOBODY)).total, found[5])


def test_items_beyond_a_list_share_one_rank() -> None:
    data = random_dataset(12, 30, 9)
    scores = normal(12, 30)
    items, best = best_of(scores, 8)
    ranks = Evaluator(data).ranks(TopScorer(items, best, 30))
    for user in range(12):
        history, heldout = data.history(user), int(data.split.heldout[user])
        listed = [item for item in items[user].tolist() if item >= 0 and item not in history]
        if heldout in listed:
            assert ranks[user] == 1 + listed.index(heldout)
        else:
            rest = 30 - len(history) - len(listed)
            assert ranks[user] == 1 + len(listed) + (rest - 1) / 2


def test_a_run_that_kept_no_model_says_so() -> None:
    scorer = NoScorer(9, 30)
    for ask in (
        lambda: scorer.scores(range(2)),
        lambda: scorer.item_scores(scorer.profile(1, NOBODY)),
    ):
        with pytest.raises(CannotError, match="kept no model"):
            ask()
