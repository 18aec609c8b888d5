"""A rank on a logarithmic scale with a line at 50, and ranks over epochs, as text."""

import math
from collections.abc import Sequence

from neumf_tui.runs.events import CUTOFF

BLOCKS = "▁▂▃▄▅▆▇█"


def place(rank: float, last: int, width: int) -> int:
    """Return the cell, 0 to width − 1, of `rank` on a log scale from 1 to `last`."""
    if last <= 1:
        return 0
    return round((width - 1) * math.log(max(rank, 1)) / math.log(last))


def ruler(rank: float | None, last: int, width: int) -> str:
    """Return a line of `width` cells with a dot at `rank`: `1 ────●──┊50──── 1,644`.

    A hit is always left of the line at 50, a miss right of it, also where both round to its cell.
    """
    end = f" {last:,}"
    cells = ["─"] * max(10, width - 2 - len(end))
    dot = place(rank, last, len(cells)) if rank is not None else -1
    if last > CUTOFF:
        line = min(place(CUTOFF, last, len(cells)), len(cells) - 2)
        if rank is not None:
            dot = min(dot, line - 1) if rank <= CUTOFF else max(dot, line + 1)
        # The dot is not drawn into the label.
        label = ["┊"] if line < dot <= line + 2 else ["┊", *"50"]
        cells[line : line + len(label)] = label[: len(cells) - line]
    if dot >= 0:
        cells[dot] = "●"
    return "1 " + "".join(cells) + end


def sparkline(ranks: Sequence[float], last: int, width: int) -> str:
    """Return the newest `width` ranks as blocks on a log scale; the best rank is the tallest."""
    scale = math.log(max(last, 2))
    heights = [1 - math.log(max(rank, 1)) / scale for rank in ranks[-width:]]
    return "".join(BLOCKS[min(7, int(8 * height))] for height in heights)
