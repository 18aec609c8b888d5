"""Bytes and operations of a training step and of an evaluation, calculated."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

FLOAT, INDEX = 4, 8
"""Bytes."""


@dataclass(frozen=True)
class Work:
    """Bytes moved to and from memory, and additions and products, if nothing is fused."""

    bytes: float
    operations: float


def step_work(
    batch: int, negatives: int, factors: int, layers: Sequence[int], weights: int
) -> Work:
    """Return the work of a step on `batch` pairs, for a model with `weights` parameters.

    Bytes: the rows of both embedding tables of each user and item in the batch are read, and their
    gradients written and read. Each hidden layer is written once and read twice (by the next layer
    and by the gradient), its gradient written and read. The gradient of all weights is set to 0.
    Adam reads weight, gradient and both moments, and writes all except the gradient.
    Operations: a matrix product takes two for each weight and pair; its gradients take twice that.
    """
    scored = batch * (1 + negatives)
    rows = 2 * (batch + scored)
    embeddings = rows * factors * FLOAT * 3 + (batch + scored) * INDEX
    hidden = sum(layers) * scored * FLOAT * 5
    adam = weights * FLOAT * (1 + 4 + 3)
    widths = (2 * factors, *layers)
    mlp = 2 * sum(a * b for a, b in pairwise(widths))
    forward = scored * (mlp + factors + 2 * (factors + widths[-1]))
    return Work(embeddings + hidden + adam, 3 * forward + 12 * weights)


def evaluation_work(users: int, items: int, factors: int, layers: Sequence[int]) -> Work:
    """Return the work of ranking all items for all users.

    The first layer is computed in halves, once for each user and each item; the rest for each pair.
    Bytes: every table once; each pair's hidden layers, GMF part and score written and read once.
    """
    pairs, widths = users * items, tuple(layers)
    deep = 2 * sum(a * b for a, b in pairwise(widths))
    of_pair = deep + 2 * widths[0] + 2 * widths[-1] + 2 * factors + 2
    operations = pairs * of_pair + 2 * factors * widths[0] * (users + items)
    moved = 2 * FLOAT * pairs * (sum(widths) + 2) + 2 * FLOAT * factors * (users + items)
    return Work(moved, operations)
