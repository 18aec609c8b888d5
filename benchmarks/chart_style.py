"""Colours and style of all charts."""

from typing import Any

# Each colour has a contrast of about 4.4 both to white and to GitHub's dark background, because
# the charts' background is transparent.
TEXT, NEUMF, BASELINE = "#767c85", "#2f7fd8", "#a0703c"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, and searchable
    "svg.hashsalt": "quality",  # the same figures give the same file
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}
