"""Counts in bins as lines of blocks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text

from neumf_tui.runs.events import CUTOFF

if TYPE_CHECKING:
    from neumf_tui.evaluation.rank_bins import RankBin

_EIGHTHS = " ▏▎▍▌▋▊▉"


def blocks(share: float, width: int) -> str:
    """Return a bar of at most `width` cells in eighths of a cell; a share above 0 is visible."""
    eighths = max(round(share * width * 8), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def histogram(bins: Sequence["RankBin"], width: int, inside: Style, outside: Style) -> Text:
    """Return one line for each bin: ranks, count, bar; `inside` styles bins within the top 50."""
    labels = [f"{b.first:,}–{b.last:,}" for b in bins]
    counts = [f"{b.count:,}" for b in bins]
    left, right = max(map(len, labels), default=0), max(map(len, counts), default=0)
    most = max((b.count for b in bins), default=0) or 1
    text = Text()
    for b, label, count in zip(bins, labels, counts, strict=True):
        text.append(f"{label:>{left}} {count:>{right}} ")
        bar = blocks(b.count / most, max(1, width - left - right - 2))
        text.append(bar, inside if b.last <= CUTOFF else outside)
        text.append("\n")
    text.right_crop(1)
    return text
