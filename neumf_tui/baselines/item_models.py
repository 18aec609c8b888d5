"""Baselines that score an item by its likeness to the items of the history: popularity, item kNN, EASE."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from neumf_tui.baselines.histories import Histories

Floats = NDArray[np.float64]
Scores = Callable[[int, int], Floats]
"""Scores of users start to stop, shape (stop − start, num_items). In float64, so that equal ones are equal as float32."""


def popularity(histories: Histories) -> Scores:
    """Every item by the number of users who have it."""
    seen = np.bincount(histories.items, minlength=histories.num_items).astype(np.float64)
    return lambda start, stop: np.tile(seen, (stop - start, 1))


def item_knn(histories: Histories, neighbours: int = 0) -> Scores:
    """An item by the sum of its cosines with the items of the history (Sarwar et al. 2001, section 3).

    The cosine of two items is the number of users with both over the root of the product of the numbers with each.
    With `neighbours` k > 0 an item is like its k nearest alone, and all that are as near as the k-th.
    """
    matrix = histories.matrix
    cosines = _together(matrix)
    norms = np.sqrt(np.maximum(cosines.diagonal(), 1.0))
    cosines /= norms[:, None]
    cosines /= norms
    np.fill_diagonal(cosines, 0.0)
    if 0 < neighbours < len(cosines):
        nearest = np.partition(cosines, -neighbours, axis=1)[:, -neighbours]
        cosines[cosines < nearest[:, None]] = 0.0
    # Row i has the items that i is like: a user's score of i is the sum over their history of column i of the transpose.
    return _products(matrix, cosines.T)


def ease(histories: Histories, l2: float) -> Scores:
    """EASE (Steck 2019): the linear map from histories to themselves with a zero diagonal, by ridge regression."""
    return _products(histories.matrix, _ease_map(histories, l2))


def ease_recent(histories: Histories, l2: float, decay: float, floor: float) -> Scores:
    """The same map, applied to a history in which the latest items count most: exp(−place / decay) + floor."""
    return _products(histories.recent(decay, floor), _ease_map(histories, l2))


@lru_cache(maxsize=1)  # the settings of `ease_recent` that differ in decay and floor alone share it
def _ease_map(histories: Histories, l2: float) -> Floats:
    """B = I − P diag(P)⁻¹ with P = (XᵀX + l2·I)⁻¹ (Steck 2019, equation 8), shape (num_items, num_items)."""
    gram = torch.from_numpy(_together(histories.matrix))
    gram.diagonal().add_(l2)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    inverse /= -inverse.diagonal().clone()
    inverse.fill_diagonal_(0.0)
    return np.asarray(inverse.numpy())


def _together(matrix: sp.csr_matrix) -> Floats:
    """XᵀX: the number of users with both of two items, shape (num_items, num_items)."""
    return np.asarray((matrix.T @ matrix).toarray())


def _products(weights: sp.csr_matrix, items: Floats) -> Scores:
    return lambda start, stop: np.asarray(weights[start:stop] @ items)
