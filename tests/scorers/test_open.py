"""Making scorers of what checkpoints hold, and messages about what they must not hold."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.scorers.item_item import ItemItemScorer, Recency
from neumf_tui.scorers.neumf import NeuMFScorer
from neumf_tui.scorers.open import all_histories, open_scorer
from neumf_tui.scorers.place_weights import PlaceWeights
from neumf_tui.scorers.scorer import Scorer
from neumf_tui.scorers.table import NoScorer, TableScorer, TopScorer
from neumf_tui.scorers.vectors import VectorScorer
from tests.support.datasets import random_dataset
from tests.support.scorers import best_of, neumf_tensors, normal, sparse_weights

USERS, ITEMS = 12, 30
HISTORY = {"history": 6, "history_decay": 5.0, "history_floor": 0.05}
DATA = random_dataset(USERS, ITEMS)
Tensors = dict[str, Any]


def csr() -> Tensors:
    names = "weights.data", "weights.indices", "weights.indptr"
    return dict(zip(names, sparse_weights(ITEMS)[1], strict=True))


def vectors(width: int = 4) -> Tensors:
    return {"users": normal(USERS, width), "items": normal(ITEMS, width)}


def biased() -> Tensors:
    return vectors() | {"user_bias": normal(USERS), "item_bias": normal(ITEMS)}


def best() -> Tensors:
    return dict(zip(("items", "scores"), best_of(normal(USERS, ITEMS), 5), strict=True))


def neumf(**changes: Any) -> Tensors:
    return neumf_tensors(USERS, ITEMS, **changes)


def dense(dtype: str = "f4") -> Tensors:
    return {"weights": normal(ITEMS, ITEMS).astype(dtype)}


def history() -> Tensors:
    return neumf(history=True)


def of_history(data: Dataset) -> Scorer:
    return NeuMFScorer(history(), PlaceWeights(6, 5.0, 0.05), all_histories(data))


def of_items(weights: Any, recency: Recency | None = None) -> Callable[[Dataset], Scorer]:
    return lambda data: ItemItemScorer(weights, all_histories(data), recency)


SOUND: list[tuple[Any, Tensors, dict[str, Any], Callable[[Dataset], Scorer]]] = [
    ("neumf", neumf(), {}, lambda _: NeuMFScorer(neumf())),
    ("neumf", neumf(), {"history": 0, "embedding_size": 4}, lambda _: NeuMFScorer(neumf())),
    ("neumf", neumf(gmf=3, mlp=7, bias=True), {},
     lambda _: NeuMFScorer(neumf(gmf=3, mlp=7, bias=True))),
    ("neumf", neumf(gmf=0), {}, lambda _: NeuMFScorer(neumf(gmf=0))),
    ("neumf", history(), HISTORY, of_history),
    ("vectors", vectors(), {}, lambda _: VectorScorer(**vectors())),
    ("vectors", vectors(0), {"similarity": "dot"}, lambda _: VectorScorer(**vectors(0))),
    ("vectors", biased(), {"similarity": "dot"}, lambda _: VectorScorer(**biased())),
    ("vectors", biased(), {"similarity": "cosine"},
     lambda _: VectorScorer(**biased(), cosine=True)),
    ("item_item", dense(), {}, of_items(dense()["weights"])),
    ("item_item", dense("f8"), {}, of_items(dense("f8")["weights"])),
    ("item_item", csr(), {}, of_items(sparse_weights(ITEMS)[1])),
    ("item_item", dense(), {"decay": 2.0, "floor": 0},
     of_items(dense()["weights"], Recency(2.0, 0.0))),
    ("scores", {"scores": normal(USERS, ITEMS)}, {}, lambda _: TableScorer(normal(USERS, ITEMS))),
    ("top_k", best(), {}, lambda _: TopScorer(*best().values(), ITEMS)),
]  # fmt: skip


@pytest.mark.parametrize(("model", "tensors", "shape", "wanted"), SOUND)
def test_each_kind_is_opened(
    model: Any, tensors: Tensors, shape: dict[str, Any], wanted: Callable[[Dataset], Scorer]
) -> None:
    found, other = open_scorer(model, tensors, shape, DATA), wanted(DATA)
    assert type(found) is type(other) and found.part_names == other.part_names
    np.testing.assert_array_equal(found.scores(range(USERS)), other.scores(range(USERS)))
    assert (found.num_users, found.num_items) == (USERS, ITEMS)


def test_nothing_is_opened_where_nothing_is_kept() -> None:
    assert isinstance(open_scorer("none", {}, {}, DATA), NoScorer)


def without(tensors: Tensors, name: str) -> Tensors:
    return {other: tensor for other, tensor in tensors.items() if other != name}


def swapped(name: str, value: Any) -> Tensors:
    return csr() | {name: np.asarray(value)}


INDPTR = csr()["weights.indptr"]
WRONG: list[tuple[Any, Tensors, dict[str, Any], str]] = [
    ("neumf", {}, {}, r"item_mlp.weight is missing, expected shape \(30, any\)"),
    ("neumf", without(neumf(), "user_gmf.weight"), {}, "user_gmf.weight is missing"),
    ("neumf", without(neumf(), "item_gmf.weight"), {}, "expected float32|head.weight|f4"),
    ("neumf", neumf() | {"user_mlp.weight": normal(11, 4)}, {},
     r"user_mlp.weight is float32 of shape \(11, 4\), expected f4 of shape \(12, 4\)"),
    ("neumf", neumf() | {"item_mlp.weight": normal(30, 4).astype("f8")}, {}, "float64"),
    ("neumf", neumf() | {"item_mlp.weight": normal(30)}, {}, "item_mlp.weight"),
    ("neumf", neumf() | {"mlp.1.weight": normal(3, 7)}, {}, "mlp.1.weight"),
    ("neumf", without(neumf(), "mlp.1.bias"), {}, "mlp.1.bias is missing"),
    ("neumf", without(neumf(), "mlp.0.weight"), {}, "mlp.0.weight is missing"),
    ("neumf", neumf() | {"head.weight": normal(1, 8)}, {}, r"expected f4 of shape \(1, 7\)"),
    ("neumf", neumf() | {"head.bias": normal(2)}, {}, "head.bias"),
    ("neumf", neumf() | {"mlp.3.weight": normal(2, 2)}, {}, r"mlp.3.weight is .*nothing"),
    ("neumf", neumf() | {"mlp.1.weight": normal(0, 6), "mlp.1.bias": normal(0)}, {}, "no numbers"),
    ("neumf", neumf() | {"item_gmf.weight": normal(30, 0)}, {}, "item_gmf.weight has no numbers"),
    ("neumf", neumf(gmf=0) | {"user_gmf.weight": normal(12, 5)}, {}, "user_gmf.weight is"),
    ("neumf", neumf(), HISTORY, "history_gmf.weight is missing"),
    ("neumf", history(), {}, r"history_gmf.weight is \(30, 4\), expected nothing"),
    *(("neumf", history(), HISTORY | {"history": odd}, "history is")
      for odd in (-1, 1.5, "6", [6], 10**12)),
    *(("neumf", history(), HISTORY | {f"history_{name}": odd}, "history_decay is")
      for name in ("decay", "floor") for odd in (-1.0, "1", None, float("nan"), [1], 10**400)),
    ("neumf", history(), {"history": 6}, "history_decay is None"),
    ("neumf", history(), HISTORY | {"history_decay": 0}, "history_decay is 0"),
    ("vectors", without(vectors(), "items"), {}, r"items is missing, expected shape \(30, 4\)"),
    ("vectors", vectors() | {"items": normal(30, 5)}, {}, "items is float32"),
    ("vectors", vectors() | {"users": normal(30, 4)}, {}, "users is float32"),
    ("vectors", vectors() | {"users": normal(12)}, {}, "users is float32"),
    ("vectors", vectors() | {"item_bias": normal(30, 1)}, {}, "item_bias is float32"),
    ("vectors", vectors() | {"user_bias": np.zeros(12)}, {}, "user_bias is float64"),
    *(("vectors", vectors(), {"similarity": odd}, "similarity is .*expected dot or cosine")
      for odd in ("euclid", 3, ["dot"])),
    ("item_item", {}, {}, "weights is missing"),
    ("item_item", {"weights": normal(30, 29)}, {}, "weights is float32"),
    ("item_item", dense("i4"), {}, "weights is int32"),
    ("item_item", without(csr(), "weights.data"), {}, "weights.data is missing"),
    ("item_item", swapped("weights.indices", csr()["weights.indices"].astype("i8")), {}, "int64"),
    ("item_item", swapped("weights.indices", csr()["weights.indices"] + 1), {}, "of a matrix"),
    ("item_item", swapped("weights.indices", csr()["weights.indices"] - 30), {}, "of a matrix"),
    ("item_item", swapped("weights.indptr", INDPTR[:-1]), {}, "weights.indptr is int64"),
    ("item_item", swapped("weights.indptr", INDPTR + 1), {}, "of a matrix"),
    ("item_item", swapped("weights.indptr", INDPTR[::-1].copy()), {}, "of a matrix"),
    ("item_item", swapped("weights.indptr", np.r_[0, 10**9, INDPTR[2:]]), {}, "of a matrix"),
    *(("item_item", dense(), {"decay": 2.0, "floor": odd}, "floor is") for odd in ("x", None, -1)),
    ("item_item", dense(), {"decay": 0.0, "floor": 0.1}, "decay is 0"),
    ("scores", {"scores": normal(30, 12)}, {}, "scores is float32"),
    ("scores", {"scores": np.zeros((12, 30))}, {}, "scores is float64"),
    ("top_k", without(best(), "scores"), {}, r"scores is missing, expected shape \(12, 5\)"),
    ("top_k", best() | {"items": best()["items"].astype("i8")}, {}, "items is int64"),
    ("top_k", best() | {"items": best()["items"] - 1}, {}, "items from -2"),
    ("top_k", best() | {"items": best()["items"] + 1}, {}, "to 30"),
    ("top_k", best() | {"scores": normal(12, 4)}, {}, "scores is float32"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "tensors", "shape", "problem"), WRONG)
def test_what_does_not_fit_is_named(
    model: Any, tensors: Tensors, shape: dict[str, Any], problem: str
) -> None:
    with pytest.raises(RunError, match=problem) as caught:
        open_scorer(model, tensors, shape, DATA)
    text = str(caught.value)
    assert text.startswith(f"a checkpoint of another model than run.json says ({model}): ")
    assert text.endswith("open it with the run it belongs to") and "\n" not in text
