"""Baselines that score an item by its similarity to the history: popularity, item kNN, EASE."""

from functools import lru_cache

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp
from numpy.typing import NDArray

from neumf_tui.baselines.histories import UserHistories
from neumf_tui.scorers.item_item import ItemItemScorer, Recency
from neumf_tui.scorers.vectors import VectorScorer

Floats = NDArray[np.float64]
_ROWS = 512
"""Rows of a matrix that are computed at a time."""


def popularity(histories: UserHistories) -> VectorScorer:
    """Score every item by the number of users who have it."""
    seen = np.bincount(histories.items, minlength=histories.num_items).astype(np.float32)
    users, items = (
        np.zeros((rows, 0), np.float32) for rows in (histories.num_users, histories.num_items)
    )
    return VectorScorer(users, items, item_bias=seen)


def item_knn(histories: UserHistories, neighbours: int = 0) -> ItemItemScorer:
    """Score an item by the sum of its cosines with the history (Sarwar et al. 2001, section 3).

    The cosine of two items is the number of users with both, divided by the root of the product of
    the numbers with each. With `neighbours` k > 0 only an item's k nearest count, and all that are
    as near as the k-th.
    """
    matrix = histories.matrix
    cosines = _products(matrix.T)
    norms = np.sqrt(np.maximum(cosines.diagonal(), 1.0))
    cosines /= norms[:, None]
    cosines /= norms
    np.fill_diagonal(cosines, 0.0)
    if 0 < neighbours < len(cosines):
        nearest = np.partition(cosines, -neighbours, axis=1)[:, -neighbours]
        cosines[cosines < nearest[:, None]] = 0.0
    # Row i has the neighbours of i: a user's score of i is the sum of row i over their history.
    return ItemItemScorer(np.ascontiguousarray(cosines.T), histories.of_users)


def ease(histories: UserHistories, l2: float) -> ItemItemScorer:
    """Score by EASE (Steck 2019): ridge regression of each item on all others."""
    return ItemItemScorer(_ease_map(histories, l2), histories.of_users)


def ease_recent(histories: UserHistories, l2: float, decay: float, floor: float) -> ItemItemScorer:
    """Score by EASE with a history in which recent items count more; see `Recency`."""
    return ItemItemScorer(_ease_map(histories, l2), histories.of_users, Recency(decay, floor))


@lru_cache(maxsize=1)  # shared by settings of `ease_recent` with the same l2
def _ease_map(histories: UserHistories, l2: float) -> Floats:
    """Return B = I − P diag(P)⁻¹ with P = (XᵀX + l2·I)⁻¹ (Steck 2019, equation 8).

    float64 (num_items, num_items).
    """
    matrix, is_tall = histories.matrix, histories.num_users >= histories.num_items
    inverse = _ridge_inverse(matrix.T if is_tall else matrix, l2)
    if not is_tall:
        # Woodbury's identity: P = (I − Xᵀ(XXᵀ + l2·I)⁻¹X) / l2, where users are fewer than items.
        inverse = matrix.T @ (inverse @ matrix)
        inverse[np.diag_indices_from(inverse)] -= 1
        inverse /= -l2
    inverse /= -inverse.diagonal().copy()
    np.fill_diagonal(inverse, 0.0)
    return inverse


def _ridge_inverse(matrix: sp.spmatrix, l2: float) -> Floats:
    """Return (M·Mᵀ + l2·I)⁻¹ for the rows of M; nothing of its size but itself is made."""
    gram = _products(matrix)
    gram[np.diag_indices_from(gram)] += l2
    # Symmetric, so its transpose is the same matrix in the order of LAPACK, which needs no copy.
    factor, _ = sl.lapack.dpotrf(gram.T, lower=1, overwrite_a=1)
    inverse: Floats
    inverse, _ = sl.lapack.dpotri(factor, lower=1, overwrite_c=1)
    for start in range(0, len(inverse), _ROWS):  # LAPACK fills only the lower triangle
        rows = slice(start, start + _ROWS)
        square = np.tril(inverse[rows, rows])
        inverse[rows, rows] = square + np.tril(square, -1).T
        inverse[rows, start + _ROWS :] = inverse[start + _ROWS :, rows].T
    return inverse


def _products(matrix: sp.spmatrix) -> Floats:
    """Return the dot products of all rows, dense; a part of the rows at a time is sparse."""
    rows, others = matrix.tocsr(), matrix.T.tocsr()
    found = np.empty((rows.shape[0],) * 2, matrix.dtype)
    for start in range(0, len(found), _ROWS):
        found[start : start + _ROWS] = (rows[start : start + _ROWS] @ others).toarray()
    return found
