"""Models of two vectors against plain products, and their neighbours."""

import numpy as np
import pytest

from neumf_tui.errors import RunError
from neumf_tui.scorers.fold_in import INIT_STD, PRIOR
from neumf_tui.scorers.nearest import nearest
from neumf_tui.scorers.scorer import CannotError
from neumf_tui.scorers.vectors import VectorScorer
from tests.support.scorers import normal

USERS, ITEMS = 300, 1700
NOBODY = np.empty(0, np.int64)


def exact(
    users: np.ndarray, items: np.ndarray, cosine: bool, *biases: np.ndarray | None
) -> np.ndarray:
    users, items = users.astype(np.float64), items.astype(np.float64)
    scores = users @ items.T
    if cosine:
        lengths = np.linalg.norm(users, axis=1)[:, None] * np.linalg.norm(items, axis=1)
        scores /= np.where(lengths > 0, lengths, 1)
    of_users, of_items = biases
    scores += 0 if of_users is None else of_users[:, None]
    return scores + (0 if of_items is None else of_items)


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("width", [0, 1, 20])
@pytest.mark.parametrize("biased", ["", "user", "item", "user item"])
def test_scores(width: int, biased: str, cosine: bool) -> None:
    users, items = normal(USERS, width), normal(ITEMS, width, seed=1)
    users[3] = items[4] = 0  # which has no direction
    biases = (
        normal(USERS) if "user" in biased else None,
        normal(ITEMS, seed=1) if "item" in biased else None,
    )
    scorer = VectorScorer(users, items, *biases, cosine=cosine)
    wanted = exact(users, items, cosine, *biases)
    assert scorer.chunk_users == (1 << 18) // ITEMS, "more than one chunk"
    for rows in (range(scorer.chunk_users), range(250, USERS), range(3, 4)):
        np.testing.assert_allclose(scorer.scores(rows), wanted[rows], rtol=1e-4, atol=2e-5)
    last = scorer.scores(range(scorer.chunk_users, 2 * scorer.chunk_users - 10))
    for user in (3, 154, 200, 288):
        found = scorer.item_scores(scorer.profile(user, NOBODY))
        np.testing.assert_array_equal(found.total, scorer.scores(range(user, user + 1))[0])
        if user >= 154:
            np.testing.assert_array_equal(found.total, last[user - scorer.chunk_users])
        assert tuple(found.parts) == (("product", "bias") if biased and width else ())
        if biased and width:
            product = exact(users, items, cosine, None, None)[user]
            np.testing.assert_allclose(found.parts["product"], product, rtol=1e-4, atol=2e-5)


def test_a_fitted_vector_is_at_the_minimum_of_its_loss() -> None:
    """Compare with a plain computation of the loss around the vector."""
    users, items, bias = normal(50, 4), normal(80, 4, seed=1), normal(80)
    scorer = VectorScorer(users, items, item_bias=bias, weight_decay=0.1)
    history = np.array([3, 50, 7])
    found = scorer.newcomer(history).vectors["vectors"].astype(np.float64)
    covariance = np.cov(users.T.astype(np.float64), bias=True) + INIT_STD**2 * np.eye(4)
    prior, mean = PRIOR * np.linalg.inv(covariance), users.mean(0, dtype=np.float64)
    negatives = np.setdiff1d(np.arange(80), history)

    def loss(vector: np.ndarray) -> float:
        scores = items.astype(np.float64) @ vector + bias
        ahead = scores[negatives] - scores[history][:, None]
        away = vector - mean
        decay = 0.05 * float(vector @ vector)
        return float(np.logaddexp(0, ahead).mean(1).sum() + decay + away @ prior @ away / 2)

    for step in np.vstack([np.eye(4), -np.eye(4)]) * 0.05:
        assert loss(found + step) > loss(found)
    by_cosine = VectorScorer(users, items, cosine=True).newcomer(history)
    assert np.linalg.norm(by_cosine.vectors["vectors"]) == pytest.approx(1, abs=1e-6)


def test_average_is_the_mean_vector() -> None:
    users = normal(USERS, 5)
    scorer = VectorScorer(users, normal(ITEMS, 5), normal(USERS), normal(ITEMS))
    found = scorer.average()
    np.testing.assert_allclose(found.vectors["vectors"], users.mean(0), atol=1e-6)
    bias = scorer.item_scores(found).parts["bias"]
    np.testing.assert_array_equal(bias, normal(ITEMS)), "nobody's own"


def test_popularity_has_no_vectors() -> None:
    scorer = VectorScorer(normal(9, 0), normal(20, 0), item_bias=normal(20))
    for ask in (
        lambda: scorer.similar_items(3, 5),
        lambda: scorer.similar_users(scorer.profile(3, NOBODY), 5),
    ):
        with pytest.raises(CannotError, match="has no vectors"):
            ask()
    np.testing.assert_array_equal(
        scorer.item_scores(scorer.newcomer(np.array([3]))).total, normal(20)
    )


def test_all_vectors_and_biases_by_name() -> None:
    users, items = normal(9, 3), normal(20, 3)
    plain = VectorScorer(users, items).embeddings()
    assert plain.keys() == {"user", "item"} and plain["user"] is users
    found = VectorScorer(users, items, normal(9), normal(20)).embeddings()
    assert found["user_bias"].shape == (9, 1) and found["item_bias"].shape == (20, 1)
    unit = VectorScorer(users, items, cosine=True).embeddings()
    np.testing.assert_allclose(np.linalg.norm(unit["item"], axis=1), 1, atol=1e-6)


# Neighbours.


def test_neighbours_of_equal_cosine_are_in_the_order_of_rows() -> None:
    table = normal(2000, 6)
    twins = np.array([5, 900, 1999, 42])
    table[twins] = table[7] * np.array([[1], [2], [0.25], [8]], np.float32)
    found = nearest(table, table[7], 6, 7)
    assert found.rows[:4].tolist() == [5, 42, 900, 1999] and found.close == 4
    np.testing.assert_allclose(found.values[:4], 1, atol=1e-12)
    assert 7 in nearest(table, table[7], 6).rows


def test_vectors_without_direction_are_no_neighbours() -> None:
    table = normal(10, 3)
    table[4] = 0
    assert 4 not in nearest(table, table[1], 20).rows
    assert len(nearest(table, table[1], 20, 1).rows) == 8
    found = nearest(table, table[4], 5)
    assert found.zero and not len(found.rows)
    none = nearest(table, table[1], 0)
    assert not none.zero and not len(none.rows)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_no_numbers_are_an_error(odd: float) -> None:
    table = normal(10, 3)
    table[4, 1] = odd
    for vector in (table[1], table[4]):
        with pytest.raises(RunError, match="not a number"):
            nearest(table, vector, 5)
