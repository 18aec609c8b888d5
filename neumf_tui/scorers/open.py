"""Make a scorer of what a checkpoint holds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.runs.events import ModelKind
from neumf_tui.scorers.item_item import ItemItemScorer, Recency, SparseWeights
from neumf_tui.scorers.neumf import NeuMFScorer
from neumf_tui.scorers.place_weights import PlaceWeights
from neumf_tui.scorers.scorer import Histories, Scorer
from neumf_tui.scorers.table import NoScorer, TableScorer, TopScorer
from neumf_tui.scorers.vectors import VectorScorer

Tensors = Mapping[str, NDArray[Any]]
Shape = Mapping[str, Any]
"""`Checkpoint.shape`: what a model needs to know beside its tensors."""
_LONGEST = 10**6  # items of a history with vectors; settings allow fewer


def open_scorer(
    model: ModelKind,
    tensors: Tensors,
    shape: Shape,
    dataset: Dataset,
    weight_decay: float = 0.0,
    fuse: float | None = None,
) -> Scorer:
    """Return a scorer of the checkpoint's `tensors` for the users and items of `dataset`.

    `weight_decay` is that of the training, for fold-in. `fuse`: GMF's share where both paths of a
    NeuMF were trained separately so far. Raises RunError where the tensors are not those of such a
    model, or are of other numbers of users and items.
    """
    find = _Tensors(model, tensors)
    users, items = dataset.num_users, dataset.num_items
    match model:
        case "neumf":
            scorer = _open_neumf(find, shape, dataset, weight_decay)
            return scorer if fuse is None else scorer.fused(fuse)
        case "vectors":
            width = find("users", users, None).shape[1]
            similarity = shape.get("similarity", "dot")
            if similarity not in ("dot", "cosine"):
                raise find.problem(f"similarity is {similarity!r}, expected dot or cosine")
            return VectorScorer(
                find("users", users, width),
                find("items", items, width),
                find("user_bias", users) if "user_bias" in tensors else None,
                find("item_bias", items) if "item_bias" in tensors else None,
                cosine=similarity == "cosine",
                weight_decay=weight_decay,
            )
        case "item_item":
            recency = Recency(*_decay(find, shape)) if "decay" in shape else None
            return ItemItemScorer(_weights(find, items), all_histories(dataset), recency)
        case "scores":
            return TableScorer(find("scores", users, items))
        case "top_k":
            best = find("items", users, None, kinds="i4")
            if best.size and not (best.min() >= -1 and best.max() < items):
                raise find.problem(f"items from {best.min()} to {best.max()}")
            return TopScorer(best, find("scores", *best.shape), items)
        case "none":
            return NoScorer(users, items)


def all_histories(dataset: Dataset) -> Histories:
    """Return the histories of all users of a dataset."""
    offsets = dataset.offsets
    return Histories(np.asarray(dataset.split.items), offsets[:-1], np.diff(offsets))


class _Tensors:
    """The tensors of a checkpoint, whose shapes are checked when they are asked for."""

    def __init__(self, model: ModelKind, tensors: Tensors) -> None:
        self._model, self.all = model, tensors

    def __call__(self, name: str, *shape: int | None, kinds: str = "f4") -> NDArray[Any]:
        """Return a tensor of this shape, None for any length, and of one of the dtypes `kinds`."""
        wanted = ", ".join("any" if size is None else f"{size:,}" for size in shape)
        tensor = self.all.get(name)
        if tensor is None:
            raise self.problem(f"{name} is missing, expected shape ({wanted})")
        is_shaped = len(tensor.shape) == len(shape) and all(
            size in (None, found) for size, found in zip(shape, tensor.shape, strict=True)
        )
        if not is_shaped or tensor.dtype.str[1:] not in kinds.split():
            found = f"{tensor.dtype} of shape {tensor.shape}"
            raise self.problem(f"{name} is {found}, expected {kinds} of shape ({wanted})")
        return tensor

    def width(self, name: str, *shape: int | None, axis: int = 1) -> int:
        """Return the length of a matrix along `axis`, which is not 0."""
        width: int = self(name, *shape).shape[axis]
        if not width:
            raise self.problem(f"{name} has no numbers")
        return width

    def problem(self, what: str) -> RunError:
        return RunError(
            f"a checkpoint of another model than run.json says ({self._model}): {what}; "
            "open it with the run it belongs to"
        )


def _weights(find: _Tensors, items: int) -> NDArray[Any] | SparseWeights:
    if "weights.indptr" not in find.all:
        return find("weights", items, items, kinds="f4 f8")
    data = find("weights.data", None, kinds="f4 f8")
    indices = find("weights.indices", len(data), kinds="i4")
    indptr = find("weights.indptr", items + 1, kinds="i8")
    is_sound = indptr[0] == 0 and indptr[-1] == len(data) and (np.diff(indptr) >= 0).all()
    if not is_sound or (len(data) and not (indices.min() >= 0 and indices.max() < items)):
        raise find.problem("weights.indices and weights.indptr are not those of a matrix")
    return SparseWeights(data, indices, indptr)


def _decay(find: _Tensors, shape: Shape, prefix: str = "") -> tuple[float, float]:
    """Return how fast items of a history lose weight, and the weight that they keep."""
    decay, floor = (shape.get(f"{prefix}{name}") for name in ("decay", "floor"))
    match decay, floor:
        case (int() | float(), int() | float()) if 1e-30 < decay < 1e30 and 0 <= floor < 1e30:
            return float(decay), float(floor)
    raise find.problem(f"{prefix}decay is {decay!r} and {prefix}floor is {floor!r}")


def _places(find: _Tensors, shape: Shape) -> PlaceWeights | None:
    length = shape.get("history", 0)
    if length == 0:
        return None
    if not (isinstance(length, int) and 0 < length <= _LONGEST):
        raise find.problem(f"history is {length!r}")
    return PlaceWeights(length, *_decay(find, shape, "history_"))


def _open_neumf(find: _Tensors, shape: Shape, dataset: Dataset, weight_decay: float) -> NeuMFScorer:
    users, items = dataset.num_users, dataset.num_items
    places = _places(find, shape)
    widths, known = {}, {"head.weight", "head.bias"}
    for path in ("gmf", "mlp"):
        names = f"user_{path}.weight", f"item_{path}.weight", f"history_{path}.weight"
        if path == "gmf" and names[1] not in find.all:
            widths[path] = 0
            continue
        widths[path] = find.width(names[1], items, None)
        find(names[0], users, widths[path])
        if places:
            find(names[2], items, widths[path])
        known.update(names[: 2 + bool(places)])
    before, layer = 2 * widths["mlp"], 0
    while layer == 0 or f"mlp.{layer}.weight" in find.all:
        weight, bias = f"mlp.{layer}.weight", f"mlp.{layer}.bias"
        width = find.width(weight, None, before, axis=0)
        find(bias, width)
        known |= {weight, bias}
        before, layer = width, layer + 1
    find("head.weight", 1, widths["gmf"] + before)
    if "head.bias" in find.all:
        find("head.bias", 1)
    if odd := sorted(find.all.keys() - known):
        raise find.problem(f"{odd[0]} is {find.all[odd[0]].shape}, expected nothing")
    histories = all_histories(dataset) if places else None
    return NeuMFScorer(find.all, places, histories, weight_decay)
