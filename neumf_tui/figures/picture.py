"""A picture for a paper: how it looks, and how it becomes a file that is always the same."""

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from neumf_tui.extras import require
from neumf_tui.text import clean
from neumf_tui.text import shortened as text_shortened

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS = (".svg", ".pdf", ".png")
WIDTH = 3.5
"""Inches of a column of a paper in two columns."""
SIZES = (1.0, 40.0)
"""Inches that a side of a picture can have."""
INK, SOFT = "#000000", "#595959"
"""Colours of texts and of lines that only compare: 7:1 on white."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", INK)
"""Colours that people with any colour blindness tell apart (Okabe and Ito 2008)."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
MARKERS = ("o", "s", "^", "D", "v")
"""With the dashes, what tells lines apart in print without colours."""
LEVELS: tuple[Any, ...] = ((0, (1, 2)), (0, (6, 2)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)))
"""Dashes of horizontal lines."""
MOST_MARKERS = 8
LONGEST_LABEL = 44
STYLE: Mapping[str, Any] = {
    # matplotlib brings the first; the others have letters of more scripts, where they are there.
    "font.family": ["DejaVu Sans", "Noto Sans CJK JP", "Noto Sans", "sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "legend.fontsize": 7.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "text.parse_math": False,  # a title with two dollars is no formula
    "svg.fonttype": "none",  # texts stay texts: they can be searched, changed, and read aloud
    "svg.hashsalt": "neumf-tui",
    "pdf.fonttype": 42,  # TrueType, which publishers ask for
    "savefig.dpi": 300,
}


@dataclass(frozen=True)
class Picture:
    """What is drawn into an empty figure, and what has to be known beside it."""

    draw: Callable[["Figure"], None]
    caption: str
    height: float
    """Inches that suit it at the width WIDTH."""


def check_matplotlib() -> None:
    """Raise UsageError if the package that draws is not installed."""
    # A cache that cannot be written only costs time, and fonts that are missing nothing.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    require("a picture", "paper", "matplotlib")


def save_picture(
    picture: Picture, file: BinaryIO, form: str, width: float = WIDTH, height: float | None = None
) -> list[str]:
    """Write a picture in the form `svg`, `pdf` or `png`; its sides are in inches.

    Equal pictures are equal files. Returns warnings, such as letters that the font does not have.
    """
    check_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    about: dict[str, str | None] = {"Creator": "neumf-tui"}
    caption = drawable(picture.caption)
    metadata: dict[str, dict[str, str | None]] = {
        "svg": about | {"Date": None, "Description": caption},
        "pdf": about | {"CreationDate": None, "Producer": None, "Subject": caption},
        "png": {"Software": None, "Description": caption},
    }
    style: dict[Any, Any] = dict(STYLE)
    with mpl.rc_context(style), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure = Figure(figsize=(width, height or picture.height), layout="constrained")
        picture.draw(figure)
        figure.savefig(file, format=form, metadata=metadata[form])
    texts = [str(one.message) for one in caught]
    missing = [text for text in texts if "missing from font" in text]
    others = list(dict.fromkeys(text for text in texts if text not in missing))
    if missing and form != "svg":  # which keeps texts
        letters = f"{len(set(missing))} letters of its texts"
        others.append(f"no font here has {letters}: install one, or write an .svg")
    return others


def look(number: int) -> dict[str, Any]:
    """Return colour, dashes and marker of the line with this number; the first 28 differ."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": DASHES[number % len(DASHES)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def spaced_markers(count: int) -> int:
    """Return at every which point a marker stands, so that at most MOST_MARKERS do."""
    return max(1, -(-count // MOST_MARKERS))


def drawable(text: str) -> str:
    """Return a text without characters that a terminal executes or that XML cannot hold."""
    return clean(text).replace("\ufffe", "·").replace("\uffff", "·")


def shortened(text: str) -> str:
    """Return a text that can be drawn and is short enough for a legend."""
    return text_shortened(drawable(text), LONGEST_LABEL)


def add_legend(figure: "Figure", named: Mapping[str, "Artist"], columns: int) -> None:
    """Name lines below all axes; a name may start with `_`, which matplotlib would hide."""
    if named:
        columns = min(columns, len(named))
        figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=columns)


def whole_numbers(axes: "Axes") -> None:
    """Put ticks of the x axis at whole numbers alone, such as epochs."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    low, high = axes.get_xlim()
    if high - low < 1:  # a single epoch
        axes.set_xlim(low - 1, high + 1)
