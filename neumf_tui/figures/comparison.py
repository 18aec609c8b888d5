"""Ranks in one model against ranks in another, a point for each user."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from neumf_tui.explore.compare_users import (
    AllComparison,
    check_same_dataset,
    compare_all,
    read_tape_ranks,
)
from neumf_tui.explore.users import dataset_of
from neumf_tui.figures.captions import named_runs, protocol_text
from neumf_tui.figures.picture import COLOURS, INK, SOFT, WIDTH, Picture, add_legend, shortened
from neumf_tui.figures.ranks import EDGE, rank_axis
from neumf_tui.runs.events import CUTOFF
from neumf_tui.views.compare_users import verdict

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

At = tuple[Path, str | None]
MANY = 2_000
"""Points from which on they are drawn as an image: as many shapes would make a slow file."""


def compare_picture(a: At, b: At, home: Path) -> Picture:
    """Return the ranks of all users in A and in B; raises RunError, UsageError."""
    one, other = read_tape_ranks(*a), read_tape_ranks(*b)
    check_same_dataset(one.info, other.info)
    dataset = dataset_of(one.info, home, a[0])
    comparison = compare_all(dataset, one, other)
    infos = [one.info] if one.info.name == other.info.name else [one.info, other.info]
    caption = (
        f"Rank of each of {len(comparison.users):,} users' held-out {dataset.noun.singular} in "
        f"{one.label} (A) and in {other.label} (B), of {named_runs(infos)}; logarithmic axes, 1 is "
        f"best. Below the diagonal B is better; dashed: between rank {CUTOFF}, the last hit, and "
        f"{CUTOFF + 1}. {verdict(comparison, dataset.noun)} {protocol_text(infos)}"
    )
    return Picture(partial(_draw, comparison=comparison), caption, WIDTH + 0.4)


def _draw(figure: "Figure", comparison: AllComparison) -> None:
    c = comparison
    axes = figure.subplots()
    named: dict[str, Artist] = {}
    last = max(2, int(c.candidates.max()))
    for set_scale, set_limits, set_ticks in (
        (axes.set_xscale, axes.set_xlim, axes.xaxis.set_ticks),
        (axes.set_yscale, axes.set_ylim, axes.yaxis.set_ticks),
    ):
        rank_axis(set_scale, set_limits, set_ticks, (1, last))
    axes.plot((1, last), (1, last), color=SOFT, linewidth=0.6)
    if last > CUTOFF:
        for draw_line in (axes.axvline, axes.axhline):
            draw_line(EDGE, color=INK, linestyle="--", linewidth=0.6)
    for side, name, marker, colour in (
        (0, "same side of rank 50", ".", SOFT),
        (1, "hit only in B", "^", COLOURS[0]),
        (-1, "hit only in A", "v", COLOURS[1]),
    ):
        kept = c.side == side
        named[f"{name}: {int(kept.sum()):,}"] = axes.scatter(
            c.rank_a[kept],
            c.rank_b[kept],
            s=7,
            marker=marker,
            color=colour,
            alpha=0.8,
            linewidths=0,
            rasterized=len(c.users) > MANY,
        )
    axes.set_aspect("equal")
    axes.set_xlabel(f"rank in A: {shortened(c.a.label)}")
    axes.set_ylabel(f"rank in B: {shortened(c.b.label)}")
    add_legend(figure, named, 2)
