"""The ranks of users' held-out items after each evaluation: several users, or one with the loss."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from neumf_tui.errors import RunError, UsageError
from neumf_tui.explore.compare_users import check_same_dataset
from neumf_tui.explore.race import default_pins
from neumf_tui.explore.users import Users, load_users
from neumf_tui.figures.captions import named_runs, protocol_text
from neumf_tui.figures.picture import (
    DASHES,
    INK,
    SOFT,
    Picture,
    add_legend,
    look,
    shortened,
    spaced_markers,
    whole_numbers,
)
from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.protocol import protocol_of, why_nothing_held_out
from neumf_tui.runs.reader import read_losses, read_snapshot

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TOP = f"rank {CUTOFF}"
LEGEND_HEIGHT = 0.16
EDGE = CUTOFF + 0.5
"""Between the last hit and the first miss; ties can give a rank of 50.5, which is a miss."""


@dataclass(frozen=True, eq=False)
class Racer:
    """A user with a held-out item, by index, and the name of the line."""

    user: int
    label: str


def read_users(folders: Sequence[Path], home: Path) -> list[Users]:
    """Read runs of one dataset; raises UsageError for others, RunError without evaluation."""
    every = [load_users(folder, home) for folder in folders]
    for users in every:
        check_same_dataset(every[0].info, users.info)
        if not users.epochs:
            raise RunError(f"{users.info.name}: no evaluation yet; wait for the first one")
    return every


def race_picture(folders: Sequence[Path], home: Path, user_ids: Sequence[str]) -> Picture:
    """Return the ranks of some users, by default of those that are pinned, else of all ranks."""
    every = read_users(folders, home)
    chosen = _chosen(every[0], folders[0], user_ids)
    found = [_racer(every[0], user, is_named=bool(user_ids)) for user in chosen]
    racers = [racer for racer in found if racer is not None]
    if not racers:
        raise RunError(f"{every[0].info.name}: no pinned user has a held-out item; add --user ID")
    infos = [users.info for users in every]
    noun = every[0].dataset.noun.singular
    caption = (
        f"Rank of the held-out {noun} of {len(racers)} users after each evaluation, of "
        f"{named_runs(infos)}; a logarithmic axis, 1 is best. Dashed: {TOP}, the last that counts "
        f"as a hit in Hit@{CUTOFF}. {protocol_text(infos)}"
    )
    rows = len(racers) + (len(every) if len(every) > 1 else 0)
    return Picture(
        partial(_draw_race, every=every, racers=racers), caption, 2.2 + LEGEND_HEIGHT * rows
    )


def _chosen(users: Users, folder: Path, user_ids: Sequence[str]) -> list[int]:
    if user_ids:
        return [users.dataset.user_index(user) for user in dict.fromkeys(user_ids)]
    pinned = read_snapshot(folder).pinned
    known = users.dataset.user_ids
    pins = [
        known.index(user)
        for user in (users.info.pins if pinned is None else pinned)
        if user in known
    ]
    return pins or default_pins(users.tape[0])


def _racer(users: Users, user: int, *, is_named: bool) -> Racer | None:
    """Return None for a user without a held-out item; raises UsageError if it was named."""
    name, title = users.dataset.user_ids[user], users.heldout_title(user)
    if not title and int(users.dataset.split.heldout[user]) < 0:
        if is_named:
            noun, why = users.dataset.noun, why_nothing_held_out(protocol_of(users.info))
            raise UsageError(
                f"--user {name}: no held-out {noun.singular} ({why}); name another user"
            )
        return None
    return Racer(user, f"{name}: {title}")


def journey_picture(folders: Sequence[Path], home: Path, user_id: str) -> Picture:
    """Return one user's rank and the loss over the epochs, a line for each run."""
    every = read_users(folders, home)
    racer = _racer(every[0], every[0].dataset.user_index(user_id), is_named=True)
    assert racer is not None
    infos = [users.info for users in every]
    losses = [read_losses(folder) for folder in folders]
    popular = every[0].popularity_rank(racer.user)
    caption = (
        f"Rank of user {user_id}'s held-out {every[0].dataset.noun.singular} "
        f"({every[0].heldout_title(racer.user)}) after each evaluation, and the loss per training "
        f"pair, of {named_runs(infos)}; 1 is the best rank, on a logarithmic axis. "
        f"Dashed: {TOP}, the last that counts as a hit in Hit@{CUTOFF}. "
        f"By popularity alone the rank is {popular:,.10g}. {protocol_text(infos)}"
    )
    has_losses = any(losses)
    draw = partial(_draw_journey, every=every, user=racer.user, losses=losses, popular=popular)
    return Picture(draw, caption, 2.1 + 1.2 * has_losses + LEGEND_HEIGHT * len(every))


def _draw_race(figure: "Figure", every: Sequence[Users], racers: Sequence[Racer]) -> None:
    axes: Axes = figure.subplots()
    named: dict[str, Artist] = {}
    for number, racer in enumerate(racers):
        for at, users in enumerate(every):
            style = look(number)
            if len(every) > 1:  # then dashes tell the runs apart, colours and markers the users
                style["linestyle"] = DASHES[at % len(DASHES)]
            (line,) = axes.plot(
                users.epochs,
                users.tape[: len(users.epochs), racer.user],
                markevery=spaced_markers(len(users.epochs)),
                **style,
            )
            named.setdefault(shortened(racer.label), line)
    if len(every) > 1:
        for at, users in enumerate(every):
            dashes = DASHES[at % len(DASHES)]
            (named[shortened(users.info.name)],) = axes.plot([], [], color=INK, linestyle=dashes)
    _finish_ranks(axes, every, [racer.user for racer in racers])
    axes.set_xlabel("epoch")
    add_legend(figure, named, 1)


def _draw_journey(
    figure: "Figure",
    every: Sequence[Users],
    user: int,
    losses: Sequence[dict[int, float]],
    popular: float,
) -> None:
    has_losses = any(losses)
    heights = [2, 1] if has_losses else [1]
    places = figure.subplots(
        len(heights), sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )[:, 0]
    named: dict[str, Artist] = {}
    for number, users in enumerate(every):
        (named[shortened(users.info.name)],) = places[0].plot(
            users.epochs,
            users.tape[: len(users.epochs), user],
            markevery=spaced_markers(len(users.epochs)),
            **look(number),
        )
        if has_losses:
            x, y = list(losses[number]), list(losses[number].values())
            places[1].plot(x, y, markevery=spaced_markers(len(x)), **look(number))
    named["popularity alone"] = places[0].axhline(
        popular, color=SOFT, linestyle=(0, (1, 2)), linewidth=0.9
    )
    _finish_ranks(places[0], every, [user])
    if has_losses:
        places[1].set_ylabel("loss per pair")
    places[-1].set_xlabel("epoch")
    add_legend(figure, named, 2)


def _finish_ranks(axes: "Axes", every: Sequence[Users], users: Sequence[int]) -> None:
    """Give an axis of ranks its scale, its ticks, its title and the line of the top 50."""
    candidates = max(
        one.dataset.num_items - int(one.history_sizes[user]) for one in every for user in users
    )
    rank_axis(axes.set_yscale, axes.set_ylim, axes.yaxis.set_ticks, (candidates, 1))
    axes.set_ylabel(f"rank of {candidates:,} (1 is best)")
    whole_numbers(axes)
    if candidates > CUTOFF:
        axes.axhline(EDGE, color=INK, linestyle="--", linewidth=0.6)


def rank_axis(
    set_scale: Callable[..., object],
    set_limits: Callable[..., object],
    set_ticks: Callable[..., object],
    ends: tuple[int, int],
) -> None:
    """Make an axis of ranks logarithmic, with ticks at 1, 10, 50, 100, 1,000 and so on."""
    first, last = (end * (1.15 if end > 1 else 1 / 1.15) for end in ends)
    set_scale("log")
    set_limits(first, last)
    most = max(ends)
    ticks = [rank for rank in (1, 10, CUTOFF, *(10**n for n in range(2, 10))) if rank <= most]
    set_ticks(ticks, labels=[f"{rank:,}" for rank in ticks])
    set_ticks([], minor=True)
