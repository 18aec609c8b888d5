"""A scorer of every kind for one dataset, with random weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.scorers.item_item import ItemItemScorer, Recency, SparseWeights
from neumf_tui.scorers.neumf import NeuMFScorer
from neumf_tui.scorers.open import all_histories
from neumf_tui.scorers.place_weights import PlaceWeights
from neumf_tui.scorers.scorer import FloatArray, Scorer
from neumf_tui.scorers.table import TableScorer, TopScorer
from neumf_tui.scorers.vectors import VectorScorer

PLACES = PlaceWeights(6, 5.0, 0.05)
RECENCY = Recency(3.0, 0.1)


def normal(*shape: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(np.float32)


def neumf_tensors(
    users: int,
    items: int,
    gmf: int = 4,
    mlp: int = 4,
    layers: tuple[int, ...] = (6, 3),
    *,
    bias: bool = False,
    history: bool = False,
) -> dict[str, FloatArray]:
    """Return random weights by their names; `gmf` 0 for a model without that path."""
    found = {}
    for path, width in (("gmf", gmf), ("mlp", mlp)):
        if width:
            for number, (table, rows) in enumerate(
                (("user", users), ("item", items), ("history", items))
            ):
                if table != "history" or history:
                    found[f"{table}_{path}.weight"] = normal(rows, width, seed=number)
    before = 2 * mlp
    for number, width in enumerate(layers):
        found[f"mlp.{number}.weight"] = normal(width, before) / np.float32(before**0.5)
        found[f"mlp.{number}.bias"] = normal(width, seed=1)
        before = width
    found["head.weight"] = normal(1, gmf + before, seed=2)
    if bias:
        found["head.bias"] = np.array([0.7], np.float32)
    return found


def sparse_weights(items: int, dtype: Any = np.float32) -> tuple[sp.csr_matrix, SparseWeights]:
    """Return a random matrix, of which some rows are empty, as scipy and as scorers have it."""
    dense = np.where(normal(items, items) > 1.6, normal(items, items, seed=1), 0).astype(dtype)
    dense[::7] = 0
    matrix = sp.csr_matrix(dense)
    weights = SparseWeights(
        matrix.data, matrix.indices.astype(np.int32), matrix.indptr.astype(np.int64)
    )
    return matrix, weights


def best_of(scores: FloatArray, k: int) -> tuple[NDArray[np.int32], FloatArray]:
    """Return items and scores of each user's best `k`; user 1 has one less."""
    items = np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int32)
    best = np.take_along_axis(scores, items.astype(np.int64), 1)
    items[1, -1] = -1
    return items, best


def _neumf(data: Dataset, places: PlaceWeights | None = None, **changes: Any) -> Scorer:
    tensors = neumf_tensors(data.num_users, data.num_items, history=bool(places), **changes)
    return NeuMFScorer(tensors, places, all_histories(data) if places else None, 0.01)


def _vectors(data: Dataset, width: int = 5, bias: bool = False, cosine: bool = False) -> Scorer:
    users, items = normal(data.num_users, width), normal(data.num_items, width, seed=1)
    biases = (normal(data.num_users), normal(data.num_items, seed=1)) if bias else ()
    return VectorScorer(users, items, *biases, cosine=cosine, weight_decay=0.01)


def _item_item(data: Dataset, sparse: bool = False, recency: Recency | None = None) -> Scorer:
    size = data.num_items
    weights = sparse_weights(size)[1] if sparse else normal(size, size)
    return ItemItemScorer(weights, all_histories(data), recency)


KINDS: dict[str, Callable[[Dataset], Scorer]] = {
    "neumf": _neumf,
    "neumf-wide": lambda data: _neumf(data, gmf=64, mlp=7, layers=(130, 5)),
    "neumf-one-layer": lambda data: _neumf(data, layers=(9,), bias=True),
    "neumf-without-gmf": lambda data: _neumf(data, gmf=0),
    "neumf-history": lambda data: _neumf(data, PLACES, gmf=3, mlp=9, bias=True),
    "neumf-history-without-gmf": lambda data: _neumf(data, PLACES, gmf=0),
    "vectors": _vectors,
    "vectors-cosine": lambda data: _vectors(data, 33, cosine=True),
    "vectors-biases": lambda data: _vectors(data, 70, bias=True),
    "popularity": lambda data: VectorScorer(
        normal(data.num_users, 0), normal(data.num_items, 0), item_bias=normal(data.num_items)
    ),
    "item-item": _item_item,
    "item-item-sparse": lambda data: _item_item(data, sparse=True),
    "item-item-recent": lambda data: _item_item(data, recency=RECENCY),
    "scores": lambda data: TableScorer(normal(data.num_users, data.num_items)),
    "top-k": lambda data: TopScorer(
        *best_of(normal(data.num_users, data.num_items), 9), data.num_items
    ),
}
"""By kind of model: what makes a scorer of the users and items of a dataset."""
