"""How well text can be read in every theme, and which colours look alike to the colour-blind."""

from collections.abc import Sequence
from itertools import combinations

from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from benchmarks.report import Options, Report, Table
from neumf_tui.tui.terminal.themes import AREAS, LINES, TEXTS, THEMES, contrast, readable

Matrix = Sequence[Sequence[float]]
BLINDNESS: dict[str, Matrix] = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""Linear RGB as seen with one kind of cones missing: Machado, Oliveira and Fernandes, A
Physiologically-based Model for Simulation of Color Vision Deficiency, IEEE TVCG 15(6), 2009,
severity 1.0."""
ALIKE = 10.0
"""Colours of thin text and lines that are nearer than this look alike; a large patch shows 2.3.
The Euclidean distance in CIELAB (1976)."""
MEANINGS = {
    "good": "text-success",
    "bad": "text-error",
    "caution": "text-warning",
    "muted": "text-muted",
    "normal": "foreground",
    "marked": "text-accent",
    "head, curve 1": "text-primary",
    "validation, curve 6": "text-secondary",
}
"""What colours stand for, and the variable of each."""


def run(options: Options) -> Report:
    del options
    themes = [theme for theme in (*THEMES, *BUILTIN_THEMES.values()) if not theme.ansi]
    contrasts, pairs, figures = [], [], {}
    for theme in themes:
        before = theme.to_color_system().generate() | theme.variables
        after = readable(theme, before)
        found = [_least(after, names) for names in (TEXTS, LINES)]
        looks = {name: alike(after, matrix) for name, matrix in BLINDNESS.items()}
        contrasts.append([theme.name, *(f"{value:.2f}" for value in found), str(_changed(theme))])
        pairs.append([theme.name, *("; ".join(names) or "none" for names in looks.values())])
        figures[theme.name] = {"text": found[0], "lines": found[1], "alike": looks}
    return Report(
        title="Colours",
        figures=figures,
        repeats="Computed, not measured",
        tables=[
            Table(["theme", "text", "lines and borders", "colours changed"], contrasts),
            Table(["looks alike in", *BLINDNESS], pairs),
        ],
        notes=[
            "The least contrast of any text (4.5 asked for) and line (3) with any background.",
            "Signs carry each meaning besides its colour: ✓ ✗ for hit and miss, ▲ ▼ and + − for "
            "better and worse, solid and shaded bars, ● for the marked row, ★ for the held-out "
            "item, dashes for validation, dots for baselines.",
        ],
    )


def _least(variables: dict[str, str], names: Sequence[str]) -> float:
    areas = AREAS if names is TEXTS else AREAS[:2]
    return min(
        contrast(Color.parse(variables[name]), Color.parse(variables[area]))
        for name in names
        for area in areas
    )


def _changed(theme: Theme) -> int:
    before = theme.to_color_system().generate() | theme.variables
    after = readable(theme, before)
    return sum(before[name].lower() != after[name].lower() for name in (*TEXTS, *LINES))


def alike(variables: dict[str, str], matrix: Matrix) -> list[str]:
    """Return the pairs of MEANINGS that look alike to somebody with this colour blindness."""
    seen = {
        meaning: _lab(_through(Color.parse(variables[name]), matrix))
        for meaning, name in MEANINGS.items()
    }
    return [
        f"{one} = {other}"
        for one, other in combinations(seen, 2)
        if sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) < ALIKE**2
    ]


def _through(colour: Color, matrix: Matrix) -> list[float]:
    """Return linear RGB as it is seen."""
    shares = [channel / 255 for channel in colour.rgb]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return [
        min(1.0, max(0.0, sum(w * value for w, value in zip(row, linear, strict=True))))
        for row in matrix
    ]


def _lab(linear: Sequence[float]) -> tuple[float, float, float]:
    """Return linear sRGB as CIELAB with the white of D65."""
    to_xyz = (
        (0.4124, 0.3576, 0.1805, 0.9505), (0.2126, 0.7152, 0.0722, 1.0),
        (0.0193, 0.1192, 0.9505, 1.089),
    )  # fmt: skip
    parts = [
        sum(w * value for w, value in zip(row, linear, strict=False)) / row[3] for row in to_xyz
    ]
    x, y, z = (p ** (1 / 3) if p > 0.008856 else 7.787 * p + 16 / 116 for p in parts)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)
