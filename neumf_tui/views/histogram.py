"""Counts in bins as lines of blocks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from neumf_tui.runs.events import CUTOFF

if TYPE_CHECKING:
    from neumf_tui.evaluation.rank_bins import RankBin

_EIGHTHS = " ▏▎▍▌▋▊▉"


def blocks(share: float, width: int) -> str:
    """Return a bar of at most `width` cells in eighths of a cell; a share above 0 is visible."""
    eighths = max(round(share * width * 8), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def bars(rows: Sequence[tuple[str, int, str]], width: int) -> Text:
    """Return one line for each row: its label, its count, and a bar in its style."""
    counts = [f"{count:,}" for _, count, _ in rows]
    left = max((cell_len(label) for label, _, _ in rows), default=0)
    right = max(map(len, counts), default=0)
    most = max((count for _, count, _ in rows), default=0) or 1
    text = Text()
    for (label, count, style), shown in zip(rows, counts, strict=True):
        text.append(f"{' ' * (left - cell_len(label))}{label} {shown:>{right}} ")
        text.append(blocks(count / most, max(1, width - left - right - 2)), style)
        text.append("\n")
    text.right_crop(1)
    return text


def histogram(bins: Sequence["RankBin"], width: int, outside: str = "dim") -> Text:
    """Return one line for each bin: ranks, count, bar; bins of hits are marked ✓ and green.

    outside: the style of the other bins.
    """
    ranges = [f"{b.first:,}–{b.last:,}" for b in bins]
    widest = max(map(len, ranges), default=0)
    rows = []
    for b, label in zip(bins, ranges, strict=True):
        is_hit = b.last <= CUTOFF
        rows.append(
            (f"{'✓' if is_hit else ' '} {label:>{widest}}", b.count, "green" if is_hit else outside)
        )
    return bars(rows, width)
