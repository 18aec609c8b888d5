"""What a file's arrays are: which kind of model, under our names, with the rows of the file.

A name decides where it can, and shapes where it cannot.
"""

import json
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from neumf_tui.adopt.contents import (
    Arrays,
    Contents,
    Side,
    Triples,
    WeightsError,
    shape_text,
    side_of,
    words_of,
)
from neumf_tui.adopt.neumf_layouts import FoundNeuMF, find_neumf
from neumf_tui.errors import UsageError
from neumf_tui.runs.events import ModelKind

KINDS: tuple[ModelKind, ...] = ("neumf", "vectors", "item_item", "scores", "top_k")
Shape = dict[str, bool | int | float | str | list[int]]
_BIASES = frozenset({"bias", "biases"})
_PATHS = frozenset({"gmf", "mlp", "mf"})
_PAIRS = {"p": "q", "u": "v", "pu": "qi"}
"""Short names of two matrices, of users and of items."""
_SHORT = {"bu": "user_bias", "bi": "item_bias", "mu": "offset"}
_OFFSETS = frozenset({"global_bias", "global_mean", "bias", "offset"})
_ITEM_ITEM = (
    "weights", "item_item", "similarity", "item_similarity", "similarities", "coef", "coef_",
    "ease", "slim", "b", "w", "s",
)  # fmt: skip
_SCORES = ("scores", "score", "predictions", "prediction", "preds", "ratings", "score_table")
_SPARSE = {"data", "indices", "indptr"}

AXES: dict[str, tuple[Side, ...]] = {
    "user_gmf.weight": ("user",), "user_mlp.weight": ("user",),
    "item_gmf.weight": ("item",), "item_mlp.weight": ("item",),
    "history_gmf.weight": ("item",), "history_mlp.weight": ("item",),
    "users": ("user",), "items": ("item",), "user_bias": ("user",), "item_bias": ("item",),
    "weights": ("item", "item"), "scores": ("user", "item"),
    "best": ("user",), "best_scores": ("user",),
}  # fmt: skip
"""What the rows and columns of each array stand for."""


@dataclass(frozen=True, eq=False)
class Sparse:
    """A square matrix of item weights, of which most are 0; in coordinates of the file."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[Any]
    size: int


@dataclass(frozen=True, eq=False)
class Model:
    """A model whose rows are those of its file."""

    kind: ModelKind
    what: str
    """How it was recognised, for people."""
    arrays: Arrays = field(default_factory=dict)
    """By the names of AXES, or without rows of users or items."""
    shape: Shape = field(default_factory=dict)
    sparse: Sparse | None = None
    triples: Triples | None = None


def recognise(contents: Contents, kind: ModelKind | None, cosine: bool, items: int) -> Model:
    """Return the model that a file holds.

    `kind` is what a person says it is. `cosine`: vectors are compared by it. `items` of the
    dataset tell a table of scores from one of item weights. Raises WeightsError, UsageError.
    """
    if contents.triples:
        _check_kind(contents, kind, "top_k")
        return Model("top_k", "a table of users and items", triples=contents.triples)
    if kind in (None, "neumf") and (found := find_neumf(contents)):
        return _neumf(contents, found, cosine)
    if kind == "neumf":
        raise WeightsError(
            f"{contents.where}: not a NeuMF that is known here; found {contents.listing}; rename "
            "its arrays as neumf-tui's: user_gmf.weight, item_gmf.weight, user_mlp.weight, "
            "item_mlp.weight, mlp.0.weight, mlp.0.bias, …, head.weight"
        )
    if kind in (None, "item_item") and contents.arrays.keys() >= _SPARSE:
        return Model("item_item", "sparse item weights", sparse=_sparse(contents))
    arrays = {name: a for name, a in contents.arrays.items() if a.size > 1 or kind or a.ndim > 1}
    if kind in (None, "top_k") and (lists := _lists(contents)):
        return Model("top_k", "lists of items", lists)
    matrices = [name for name, array in arrays.items() if array.ndim == 2]
    vectors = _roles(contents) if kind in (None, "vectors") else {}
    if {"users", "items"} <= vectors.keys():
        shape: Shape = {"similarity": "cosine" if cosine else "dot"}
        return Model("vectors", "vectors of users and items", _vectors(contents, vectors), shape)
    if len(matrices) == 1 and len(arrays) == 1 and kind != "vectors":
        name = matrices[0]
        decided = kind or _kind_of_matrix(contents, name, items)
        if decided == "scores":
            return Model(decided, "a table of scores", {"scores": arrays[name]})
        if decided == "item_item":
            return Model(decided, "item weights", {"weights": arrays[name]})
    raise WeightsError(
        f"{contents.where}: nothing that is known here; found {contents.listing or 'no arrays'}; "
        "expected a NeuMF, `users` and `items` (vectors), `scores` (users × items), or `weights` "
        "(items × items); --as says what it is, and `neumf-tui adopt --help` the names"
    )


def _check_kind(contents: Contents, kind: ModelKind | None, found: ModelKind) -> None:
    if kind not in (None, found):
        raise UsageError(f"--as {kind}: {contents.where} is {found}; leave --as out")


def _neumf(contents: Contents, found: FoundNeuMF, cosine: bool) -> Model:
    if cosine:
        raise UsageError(f"--similarity cosine: {contents.where} is a NeuMF, not two matrices")
    what = f"NeuMF as in {found.layout}"
    if found.has_mlp:
        return Model("neumf", what, found.tensors, _history(contents))
    # Without an MLP the head is a weight for each factor: a plain product of vectors.
    users = found.tensors["user_gmf.weight"] * found.tensors["head.weight"]
    arrays = {"users": users, "items": found.tensors["item_gmf.weight"]}
    if found.bias:
        arrays["user_bias"] = np.full(len(users), found.bias, np.float32)
    return Model("vectors", f"GMF as in {found.layout}", arrays, {"similarity": "dot"})


def _history(contents: Contents) -> Shape:
    """Return how a NeuMF of ours weighs the history; empty if it has none."""
    if "history_gmf.weight" not in contents.arrays:
        return {}
    try:
        shape = json.loads(contents.about["checkpoint"])["shape"]
        history, decay, floor = (shape[f"history{end}"] for end in ("", "_decay", "_floor"))
        numbers = int(history), float(decay), float(floor)
    except (KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
        raise WeightsError(
            f"{contents.where}: vectors of a history, but not how they are weighed; give a "
            "checkpoint of a neumf-tui run as it is"
        ) from error
    if not (1 <= numbers[0] <= 10**6 and numbers[1] > 0 and 0 <= numbers[2] < 1e6):
        raise WeightsError(f"{contents.where}: cannot weigh a history by {numbers}")
    return {"history": numbers[0], "history_decay": numbers[1], "history_floor": numbers[2]}


def _sparse(contents: Contents) -> Sparse:
    """Return item weights saved by scipy.sparse.save_npz, or by implicit."""
    arrays, form = contents.arrays, contents.about.get("format", "csr")
    data, indices, indptr = (np.asarray(arrays[name]) for name in ("data", "indices", "indptr"))
    shape = tuple(np.asarray(arrays.get("shape", ())).reshape(-1).tolist())
    if form not in ("csr", "csc"):
        raise WeightsError(f"{contents.where}: sparse in the form {form[:20]!r}; save it .tocsr()")
    size = shape[0] if shape else len(indptr) - 1
    flat = data.ndim == indices.ndim == indptr.ndim == 1 and len(data) == len(indices)
    whole = all(array.dtype.kind in "iu" for array in (indices, indptr))
    if not flat or not whole or len(indptr) != size + 1 or shape not in ((), (size, size)):
        raise WeightsError(
            f"{contents.where}: not a whole square sparse matrix; found {contents.listing}, "
            f"shape {shape}"
        )
    starts, places = indptr.astype(np.int64), indices.astype(np.int64)
    ascends = starts[0] == 0 and starts[-1] == len(data) and (np.diff(starts) >= 0).all()
    if not ascends or (len(places) and not 0 <= places.min() <= places.max() < size):
        raise WeightsError(f"{contents.where}: indices and indptr are not those of a matrix")
    lines = np.repeat(np.arange(size), np.diff(starts))
    rows, columns = (lines, places) if form == "csr" else (places, lines)
    return Sparse(rows, columns, data, size)


def _lists(contents: Contents) -> Arrays:
    """Return `items` (users × k, row numbers) and `scores` of the same shape, if they are there."""
    items, scores = contents.arrays.get("items"), contents.arrays.get("scores")
    if items is None or scores is None or items.dtype.kind not in "iu" or items.ndim != 2:
        return {}
    if items.shape != scores.shape:
        raise WeightsError(
            f"{contents.where}: items {shape_text(items.shape)} and scores "
            f"{shape_text(scores.shape)} differ in shape"
        )
    return {"best": items, "best_scores": scores}


def _roles(contents: Contents) -> dict[str, str]:
    """Return the array that has each of the roles `users items user_bias item_bias offset`."""
    roles: dict[str, str] = {}
    short = {name.lower().removesuffix(".weight"): name for name in contents.arrays}
    for users, items in _PAIRS.items():
        if users in short and items in short:
            roles |= {"users": short[users], "items": short[items]}
    for name, array in contents.arrays.items():
        if name in roles.values():
            continue
        plain, words = name.lower().removesuffix(".weight"), set(words_of(name))
        side = None if "." in plain or words & _PATHS else side_of(name)
        if plain in _OFFSETS and array.size == 1:
            role = "offset"
        elif plain in _SHORT:
            role = _SHORT[plain]
        elif side:
            role = f"{side}_bias" if words & _BIASES else f"{side}s"
        else:
            continue
        if role in roles:
            raise WeightsError(
                f"{contents.where}: {roles[role]} and {name} may both be the {role}; keep one"
            )
        roles[role] = name
    return roles


def _vectors(contents: Contents, roles: dict[str, str]) -> Arrays:
    """Return users, items and biases; raise WeightsError if anything is left over."""
    left = [n for n, a in contents.arrays.items() if n not in roles.values() and a.size > 1]
    if left:
        raise WeightsError(
            f"{contents.where}: a product of {roles['users']} and {roles['items']} has no use for "
            f"{', '.join(left[:4])}; if the model computes more than that, adopt a table of its "
            "scores; else leave them out of the file"
        )
    arrays = {role: np.asarray(contents.arrays[name]) for role, name in roles.items()}
    for role in ("users", "items"):
        if arrays[role].ndim != 2:
            shape = shape_text(arrays[role].shape)
            raise WeightsError(f"{contents.where}: {roles[role]} has shape {shape}; expected rows")
    if arrays["users"].shape[1] != arrays["items"].shape[1]:
        raise WeightsError(
            f"{contents.where}: vectors of {arrays['users'].shape[1]:,} numbers for users and of "
            f"{arrays['items'].shape[1]:,} for items; if they lie in columns, save the .T"
        )
    for side in get_args(Side):
        if (bias := arrays.get(f"{side}_bias")) is not None:
            flat = bias.reshape(-1)
            if len(flat) != len(arrays[f"{side}s"]):
                raise WeightsError(
                    f"{contents.where}: {roles[f'{side}_bias']} has {len(flat):,} numbers for "
                    f"{len(arrays[f'{side}s']):,} {side}s"
                )
            arrays[f"{side}_bias"] = flat
    if (offset := arrays.pop("offset", None)) is not None and float(offset.reshape(-1)[0]):
        before = arrays.get("user_bias", np.zeros(len(arrays["users"]), np.float32))
        arrays["user_bias"] = before + offset.reshape(-1)[0]
    return arrays


def _kind_of_matrix(contents: Contents, name: str, items: int) -> ModelKind | None:
    plain = name.lower().removesuffix(".weight")
    if plain in _ITEM_ITEM:
        return "item_item"
    if plain in _SCORES:
        return "scores"
    rows, columns = contents.arrays[name].shape
    if rows == columns:
        return "item_item" if rows >= items else None
    return "scores" if columns >= items else None
