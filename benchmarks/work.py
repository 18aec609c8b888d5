"""Bytes and operations of a training step and of an evaluation, by calculation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

FLOAT, INDEX = 4, 8
"""Bytes."""


@dataclass(frozen=True)
class Work:
    """Bytes that memory reads and writes, and additions and products, where no two operations are fused."""

    bytes: float
    operations: float


def step_work(
    batch: int, negatives: int, factors: int, layers: Sequence[int], weights: int
) -> Work:
    """A step on `batch` pairs with so many negatives each, of a model of `weights` parameters, with Adam on all of them.

    Bytes: the rows of both embedding tables of every user and item of the batch are read, and their gradients read and written;
    every hidden layer is written once and read twice (by the next one and by the gradient), its gradient written and read; the
    gradient of all weights is set to 0; Adam reads weight, gradient and both moments, and writes all but the gradient.
    Operations: a product of matrices takes two for each weight and pair, and its gradients twice as many again.
    """
    scored = batch * (1 + negatives)
    rows = 2 * (batch + scored)
    embeddings = rows * factors * FLOAT * 3 + (batch + scored) * INDEX
    hidden = sum(layers) * scored * FLOAT * 5
    adam = weights * FLOAT * (1 + 4 + 3)
    widths = (2 * factors, *layers)
    forward = scored * (
        2 * sum(a * b for a, b in pairwise(widths)) + factors + 2 * (factors + widths[-1])
    )
    return Work(embeddings + hidden + adam, 3 * forward + 12 * weights)


def evaluation_work(users: int, items: int, factors: int, layers: Sequence[int]) -> Work:
    """All users ranked: the first layer in halves, once a user and once an item, the rest for every pair.

    Bytes: every table once, and each pair's hidden layers, GMF part and score written and read once.
    """
    pairs = users * items
    widths = tuple(layers)
    deep = sum(a * b for a, b in pairwise(widths))
    operations = pairs * (
        2 * deep + 2 * widths[0] + 2 * widths[-1] + 2 * factors + 2
    ) + 2 * factors * widths[0] * (users + items)
    moved = 2 * FLOAT * pairs * (sum(widths) + 2) + 2 * FLOAT * factors * (users + items)
    return Work(moved, operations)
