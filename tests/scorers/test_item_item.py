"""Models of item similarities against products of scipy."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from neumf_tui.scorers.item_item import ItemItemScorer, Recency, SparseWeights
from neumf_tui.scorers.scorer import CannotError, Histories
from tests.support.scorers import normal, sparse_weights

ITEMS = 60
SOME = [np.array(items) for items in ([3], [3, 4, 50], [59, 0, 7, 14, 21], list(range(40)), [])]
HISTORIES = Histories.of([items.astype(np.int64) for items in SOME])
RECENT = Recency(2.0, 0.1)


def counted(recency: Recency | None) -> sp.csr_matrix:
    """Return the histories as a matrix of how much each item counts; the latest is at place 1."""
    matrix = np.zeros((len(SOME), ITEMS))
    for user, items in enumerate(SOME):
        for place, item in enumerate(reversed(items.tolist()), 1):
            weight = np.exp(-place / recency.decay) + recency.floor if recency else 1
            matrix[user, item] = weight
    return sp.csr_matrix(matrix)


@pytest.mark.parametrize("recency", [None, RECENT])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sparse", [False, True])
def test_scores_are_the_product_of_matrices(
    sparse: bool, dtype: Any, recency: Recency | None
) -> None:
    matrix, weights = sparse_weights(ITEMS, dtype)
    dense = normal(ITEMS, ITEMS).astype(dtype)
    scorer = ItemItemScorer(weights if sparse else dense, HISTORIES, recency)
    wanted = counted(recency) @ (matrix.toarray() if sparse else dense).astype(np.float64)
    assert (scorer.num_users, scorer.num_items, scorer.part_names) == (5, ITEMS, ())
    found = scorer.scores(range(5))
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)
    assert found.dtype == np.float32 and not found[4].any(), "without a history all are equal"
    np.testing.assert_array_equal(scorer.scores(range(2, 4)), found[2:4])


@pytest.mark.parametrize("sparse", [False, True])
def test_sums_that_should_be_equal_are(sparse: bool) -> None:
    """In float64: tenths in another order would differ by rounding."""
    tenths = np.full((ITEMS, 1), 0.1) * np.arange(1, ITEMS + 1)[:, None]
    dense = np.hstack([np.roll(tenths, place, 0) for place in range(ITEMS)])
    whole = [np.arange(ITEMS), np.arange(ITEMS)[::-1]]
    csr = sp.csr_matrix(dense)
    weights = SparseWeights(csr.data, csr.indices.astype(np.int32), csr.indptr.astype(np.int64))
    scorer = ItemItemScorer(weights if sparse else dense, Histories.of(whole))
    assert len(np.unique(scorer.scores(range(2)))) == 1


@pytest.mark.parametrize("recency", [None, RECENT])
@pytest.mark.parametrize("sparse", [False, True])
def test_newcomers_are_scored_exactly(sparse: bool, recency: Recency | None) -> None:
    weights = sparse_weights(ITEMS)[1] if sparse else normal(ITEMS, ITEMS)
    scorer = ItemItemScorer(weights, HISTORIES, recency)
    whole = scorer.scores(range(5))
    for user in (0, 2, 3):
        np.testing.assert_array_equal(
            scorer.item_scores(scorer.newcomer(SOME[user])).total, whole[user]
        )
    other = scorer.with_histories(Histories.of([SOME[3], SOME[0]]))
    np.testing.assert_array_equal(other.scores(range(2)), whole[[3, 0]])
    with pytest.raises(CannotError, match="without a history"):
        scorer.average()


@pytest.mark.parametrize("recency", [None, RECENT])
@pytest.mark.parametrize("sparse", [False, True])
def test_shares_are_exact(sparse: bool, recency: Recency | None) -> None:
    matrix, weights = sparse_weights(ITEMS)
    dense = matrix.toarray()
    scorer = ItemItemScorer(weights if sparse else dense, HISTORIES, recency)
    beside, item = np.arange(10, 30), 45
    for user in (1, 2, 3):
        found = scorer.shares(scorer.profile(user, SOME[user]), item, beside)
        assert found and found.part == "score" and found.own == 0
        count = counted(recency)[user].toarray()[0][SOME[user]]
        each = [dense[one, item] - dense[one, beside].mean() for one in SOME[user]]
        np.testing.assert_allclose(found.items, count * each, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sparse", [False, True])
def test_similar_items_are_those_to_which_it_adds_most(sparse: bool) -> None:
    matrix, weights = sparse_weights(ITEMS)
    dense = matrix.toarray()
    scorer = ItemItemScorer(weights if sparse else dense, HISTORIES)
    similar = scorer.similar_items(3, 4)["weight"]
    row = dense[3].copy()
    row[3] = -np.inf
    best = [item for item in np.argsort(-row, kind="stable")[:4] if row[item] > 0]
    assert similar.rows.tolist() == best and similar.measure == "weight" and not similar.zero
    np.testing.assert_allclose(similar.values, row[best])
    alone = scorer.similar_items(7, 4)["weight"]  # whose row is empty
    assert alone.zero and not len(alone.rows)
    assert len(scorer.similar_items(3, 1000)["weight"].rows) < ITEMS
    np.testing.assert_array_equal(dense, matrix.toarray())
