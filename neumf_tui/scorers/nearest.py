"""Rows of a table of vectors that are nearest to one vector, by cosine."""

import numpy as np

from neumf_tui.errors import RunError
from neumf_tui.scorers.scorer import DIVERGED, FloatArray, Similar, quiet

CLOSE = 0.99
"""Cosine from which vectors are called close."""
_SLACK = 1e-5  # far more than float32 rounding changes a cosine


@quiet
def nearest(table: FloatArray, vector: FloatArray, count: int, leave_out: int = -1) -> Similar:
    """Return the `count` rows of `table` (n, d) with the greatest cosine to `vector` (d,).

    Equal cosines are in the order of rows. Row `leave_out` and rows of zeros are not neighbours; a
    zero `vector` has none. Raises RunError where a vector is not a number.
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", table, table, dtype=np.float64))
    wanted = vector.astype(np.float64)
    own = np.sqrt(wanted @ wanted)
    if not np.isfinite(lengths.sum() + own):
        raise RunError(f"an embedding {DIVERGED}")
    rows = np.flatnonzero(lengths)
    rows = rows[rows != leave_out]
    if own == 0 or not len(rows) or count < 1:
        return Similar(np.empty(0, np.int64), np.empty(0), 0, zero=bool(own == 0))
    rough = (table @ (wanted / own).astype(np.float32))[rows] / lengths[rows]
    count = min(count, len(rows))
    least = np.partition(rough, len(rows) - count)[len(rows) - count]
    # A matrix product may sum rows in different orders; one order gives equal vectors equal
    # cosines.
    rows = rows[rough >= min(least, CLOSE) - _SLACK]
    near = table[rows].astype(np.float64)
    cosines = np.clip((near * wanted).sum(1) / np.sqrt((near * near).sum(1)) / own, -1, 1)
    order = np.argsort(-cosines, kind="stable")[:count]
    return Similar(rows[order], cosines[order], int((cosines >= CLOSE).sum()))
