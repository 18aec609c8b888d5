"""Sums of float32 numbers in one order, whatever the number of rows, the library and its threads.

A score must be the same bits whether all users are scored or one is: otherwise one person's list
could differ from the ranks of an evaluation. The order is that of PyTorch on a CPU for at most 500
terms, so that the ranks of older runs are computed again to the bit.
"""

import numpy as np
from numpy.typing import NDArray

from neumf_tui.scorers.scorer import FloatArray

_LANES, _TOGETHER = 8, 4


def sum_in_order(terms: FloatArray) -> FloatArray:
    """Return the sum along the first axis: (d, ...) gives (...)."""
    whole = len(terms) // _LANES * _LANES
    if not whole:
        return _four_at_once(terms)
    total = _one_by_one(terms[whole:])
    for lane in _four_at_once(terms[:whole].reshape(-1, _LANES, *terms.shape[1:])):
        total += lane
    return total


def _four_at_once(rows: FloatArray) -> FloatArray:
    whole = len(rows) // _TOGETHER * _TOGETHER
    sums = _one_by_one(rows[:whole].reshape(-1, _TOGETHER, *rows.shape[1:]))
    for row in rows[whole:]:
        sums[0] += row
    return _one_by_one(sums)


def _one_by_one(rows: FloatArray) -> FloatArray:
    total: NDArray[np.float32] = np.zeros(rows.shape[1:], np.float32)
    for row in rows:
        total += row
    return total
