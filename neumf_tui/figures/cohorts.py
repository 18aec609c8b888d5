"""Hit@50 of cohorts of users with its interval, beside popularity alone."""

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from neumf_tui.explore.cohorts import SMALL, Cohort, make_cohorts
from neumf_tui.explore.compare_users import check_same_dataset
from neumf_tui.explore.failures import Failures, failures_at
from neumf_tui.explore.users import load_users
from neumf_tui.figures.captions import listed, named_runs, protocol_text
from neumf_tui.figures.picture import INK, SOFT, Picture, add_legend, look, shortened
from neumf_tui.runs.checkpoint import find_rank_epoch
from neumf_tui.runs.events import CUTOFF

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

At = tuple[Path, str | None]
"""The folder of a run, and which of its epochs; None for the usual one."""
ROW_HEIGHT = 0.15
SMALL_MARK = " †"


def cohorts_picture(models: Sequence[At], home: Path) -> Picture:
    """Return a row for each cohort and a point for each model; raises RunError, UsageError."""
    every = [failures_at(load_users(at, home), find_rank_epoch(at, which)) for at, which in models]
    return picture_of_cohorts(every, [make_cohorts(failures) for failures in every])


def picture_of_cohorts(every: Sequence[Failures], cohorts: Sequence[list[Cohort]]) -> Picture:
    """Return the picture of cohorts that are made already, those of one model after another."""
    infos = [failures.users.info for failures in every]
    for info in infos:
        check_same_dataset(infos[0], info)
    caption = (
        f"Hit@{CUTOFF} of groups of users with 95 % intervals, of {named_runs(infos)} after epoch "
        f"{listed([str(failures.epoch) for failures in every])}; open circles: popularity "
        f"alone; line: all users. Genres and eras are those of the held-out item; †: fewer than "
        f"{SMALL} users. {protocol_text(infos)}"
    )
    labels = [shortened(f"{failures.users.info.name}@{failures.epoch}") for failures in every]
    rows = len(cohorts[0]) + len({cohort.kind for cohort in cohorts[0]})
    height = ROW_HEIGHT * rows * max(1.0, 0.5 + len(every) / 3) + 0.8
    return Picture(partial(_draw, cohorts=cohorts, labels=labels), caption, height)


def _draw(figure: "Figure", cohorts: Sequence[list[Cohort]], labels: Sequence[str]) -> None:
    axes = figure.subplots()
    named: dict[str, Artist] = {}
    place, places, texts = 0, {}, {}
    for kind, group in groupby(cohorts[0], key=lambda cohort: cohort.kind):
        if kind != "all":
            texts[place] = f"{kind}:"
            place += 1
        for cohort in group:
            places[cohort.kind, cohort.name] = place
            mark = SMALL_MARK if cohort.small else ""
            texts[place] = f"{shortened(cohort.name)} ({len(cohort.members):,}){mark}"
            place += 1
    for number, (label, found) in enumerate(zip(labels, cohorts, strict=True)):
        shift = (number - (len(cohorts) - 1) / 2) * 0.6 / len(cohorts)
        # Other ranks of the same users: a model can have no rank of somebody.
        known = [cohort for cohort in found if (cohort.kind, cohort.name) in places]
        y = [places[cohort.kind, cohort.name] + shift for cohort in known]
        hits = [cohort.hit for cohort in known]
        ends = [
            [cohort.hit - cohort.hit_interval[0] for cohort in known],
            [cohort.hit_interval[1] - cohort.hit for cohort in known],
        ]
        style = look(number) | {"linestyle": "none"}
        named[label] = axes.errorbar(hits, y, xerr=ends, elinewidth=0.8, **style).lines[0]
        axes.axvline(found[0].hit, color=style["color"], linewidth=0.6, alpha=0.7)
        if number == 0:
            popular = [cohort.popularity_hit for cohort in known]
            (named["popularity alone"],) = axes.plot(
                popular,
                y,
                "o",
                markerfacecolor="none",
                markeredgecolor=SOFT,
                clip_on=False,
            )
    axes.set_yticks(list(texts), labels=list(texts.values()))
    for tick, text in zip(axes.get_yticklabels(), texts.values(), strict=True):
        if text.endswith(":"):
            tick.set_fontweight("bold")
            tick.set_color(INK)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(place - 0.4, -0.6)
    axes.set_xlim(left=-0.02)
    axes.set_xlabel(f"Hit@{CUTOFF} (share of the users in the group)")
    axes.grid(axis="x", color=SOFT, alpha=0.25, linewidth=0.5)
    add_legend(figure, named, 2)
