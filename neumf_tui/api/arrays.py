"""Arrays from a person's own code, checked: numpy, tensors, lists, whatever numpy can read."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import UsageError

VECTORS = {"users": 2, "items": 2, "user_bias": 1, "item_bias": 1}
"""Dimensions of the arrays of a model of vectors, by name; the biases can be left out."""


def to_numpy(value: Any, what: str) -> NDArray[Any]:
    """Return an array of numbers; raises UsageError. Tensors of PyTorch need no import of it."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if value.dtype.is_floating_point:
            value = value.float()  # numpy does not know bfloat16
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{what}: expected an array of numbers ({error})") from error
    if array.dtype.kind not in "fiub":
        kind = type(value).__name__ if array.dtype == object else f"an array of {array.dtype}"
        raise UsageError(f"{what}: expected an array of numbers, found {kind}")
    return array


def check_shape(array: NDArray[Any], shape: tuple[int, ...], what: str, meaning: str) -> None:
    """Raise UsageError unless the array has this shape."""
    if array.shape != shape:
        raise UsageError(f"{what}: expected shape {shape}, found {array.shape}; {meaning}")


def make_ranks(value: Any, dataset: Dataset, targets: NDArray[np.int64], what: str) -> Any:
    """Return the ranks of all users as float32, (num_users,).

    `targets`: what is ranked, -1 where nothing is. Raises UsageError.
    """
    ranks = to_numpy(value, what).astype(np.float32)
    meaning = "one rank for each user in the order of `user_ids`, NaN where nothing is held out"
    check_shape(ranks, (dataset.num_users,), what, meaning)
    ranked = targets >= 0
    good = (ranks >= 1) & (ranks <= dataset.num_items)
    if not good[ranked].all():
        user = int(np.flatnonzero(ranked & ~good)[0])
        raise UsageError(
            f"{what}: the rank of user {dataset.user_ids[user]!r} is {ranks[user]:g}; "
            f"expected a number from 1 to {dataset.num_items:,}"
        )
    return np.where(ranked, ranks, np.float32(np.nan))


def make_vectors(pair: Any, dataset: Dataset, what: str = "vectors") -> dict[str, NDArray[Any]]:
    """Return the tensors of a checkpoint of vectors.

    `pair`: (users, items), or a mapping with the names of VECTORS. Raises UsageError.
    """
    if isinstance(pair, Mapping):
        given = dict(pair)
    elif isinstance(pair, Sequence) and len(pair) == 2:
        given = dict(zip(("users", "items"), pair, strict=True))
    else:
        raise UsageError(
            f"{what}: expected (users, items), two matrices, or a dict with the keys "
            f"{', '.join(VECTORS)}"
        )
    if not {"users", "items"} <= given.keys() <= VECTORS.keys():
        found = ", ".join(map(str, given)) or "nothing"
        raise UsageError(
            f"{what}: found {found}; expected users and items, and perhaps user_bias and item_bias"
        )
    tensors = {}
    for name, value in given.items():
        array = to_numpy(value, f"{what}: {name}")
        rows = dataset.num_users if name.startswith("user") else dataset.num_items
        order = "user_ids" if name.startswith("user") else "item_ids"
        if VECTORS[name] == 1 and array.shape == (rows, 1):
            array = array[:, 0]
        if array.ndim != VECTORS[name] or len(array) != rows:
            shape = f"({rows}, d)" if VECTORS[name] == 2 else f"({rows},)"
            raise UsageError(
                f"{what}: {name}: expected shape {shape}, found {array.shape}; "
                f"one row each in the order of `{order}` of {dataset.label}"
            )
        tensors[name] = np.ascontiguousarray(array, dtype=np.float32)
        if not np.isfinite(tensors[name]).all():
            raise UsageError(f"{what}: {name}: a number is NaN or infinite")
    users, items = tensors["users"], tensors["items"]
    if users.shape[1] != items.shape[1]:
        raise UsageError(
            f"{what}: users have {users.shape[1]} numbers each and items {items.shape[1]}; "
            "expected the same"
        )
    return tensors
