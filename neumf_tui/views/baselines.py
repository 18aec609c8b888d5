"""Tables of kept baselines, on stdout."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from neumf_tui.views.output import print_table

METRIC_HEADER = ("Hit@10", "Hit@50", "95 %", "NDCG@10", "MRR", "AUC")
_WIDE = 125
"""Columns of a terminal from which on a table stays in one piece."""


def metric_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Cells under METRIC_HEADER, of the held-out figures of a sheet's row."""
    interval = f"{row['hit@50_low']:.3f} to {row['hit@50_high']:.3f}"
    digits = [f"{row[key]:.4f}" for key in ("hit@10", "hit@50", "ndcg@10", "mrr", "auc")]
    return *digits[:2], interval, *digits[2:]


def print_in_parts(
    more: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str]
) -> None:
    """A table of baselines: name, METRIC_HEADER, and `more` columns; these below where the terminal is too narrow for all."""
    header = ("baseline", *METRIC_HEADER, *more)
    numbers = (*METRIC_HEADER, *numbers)
    if not sys.stdout.isatty() or shutil.get_terminal_size().columns >= _WIDE:
        print_table(header, rows, numbers)
        return
    cut = len(METRIC_HEADER) + 1
    print_table(header[:cut], [row[:cut] for row in rows], numbers)
    print()
    print_table((header[0], *header[cut:]), [(row[0], *row[cut:]) for row in rows], numbers)
