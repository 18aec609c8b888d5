"""The texts of the failures screen."""

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.text import Text

from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import clean, rank_text
from neumf_tui.views.ruler import journey, sparkline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neumf_tui.evaluation.spread import Bin
    from neumf_tui.explore.coverage import Catalogue
    from neumf_tui.explore.failures import Cohort, Failures

SORTS = {
    "rank": "worst rank first",
    "gain": "least gain over popularity first",
    "history": "shortest history first",
    "popularity": "film seen by fewest first",
    "age": "oldest film first",
    "dataset": "dataset order",
}
"""How ORDERS of ranking/failures.py are called on screen."""
USER_LINES = 8
"""Lines of `user_text`, a long title among them, and one before it."""
WHISKER = 24
"""Cells of an interval drawn as a line."""
NONE = "–"


def gain_text(gain: float) -> str:
    """Places gained over popularity alone, with a sign."""
    return NONE if gain != gain else f"{'−' if gain < 0 else '+'}{rank_text(abs(gain))}"


def width_of(values: "NDArray[np.float32]") -> int:
    """Cells that the longest of ranks or gains takes, without a sign; NaN is no number."""
    known = abs(values[values == values])
    return len(f"{int(known.max(initial=0)):,}") + (2 if (known % 1).any() else 0)


def user_cells(failures: "Failures", user: int) -> list[str]:
    """Id, held-out film, rank, popularity's rank, gain, history size, how many saw the film, its age in years."""
    rank, popular = float(failures.ranks[user]), float(failures.popularity_ranks[user])
    seen, age = float(failures.seen_by[user]), float(failures.ages[user])
    return [
        failures.dataset.user_ids[user],
        failures.users.heldout_title(user),
        NONE if rank != rank else rank_text(rank),
        NONE if popular != popular else rank_text(popular),
        gain_text(float(failures.gains[user])),
        f"{failures.users.history_sizes[user]:,}",
        NONE if seen != seen else f"{seen:,.0f}",
        NONE if age != age else f"{age:.0f}",
    ]


def user_text(failures: "Failures", user: int) -> Text:
    """The same in sentences, and the ranks after all epochs."""
    name, title, rank, popular, gain, history, seen, age = user_cells(failures, user)
    text = Text.assemble((f"user {clean(name)}", "bold"), f" · history {history}\n")
    if failures.seen_by[user] != failures.seen_by[user]:
        return text.append("nothing is held out: a single interaction")
    text.append(clean(title), "bold")
    text.append(f"\nseen by {seen}")
    text.append("" if age == NONE else f" · {age} years old" if age != "1" else " · 1 year old")
    text.append(
        f"\n{'hit ✓' if failures.ranks[user] <= CUTOFF else 'miss ✗'} rank {rank} of {failures.candidates[user]:,}"
    )
    text.append(f"\npopularity alone {popular}\ngain {gain}")
    tape = [float(known) for known in failures.users.tape[:, user] if known == known]
    if len(tape) > 1:
        text.append(f"\n{sparkline(tape, int(failures.candidates[user]), 20)} {journey(tape)}")
    return text


def fewer(bins: "list[Bin]") -> "list[Bin]":
    """Bins beyond the top 50 taken together by twos."""
    inside, outside = [b for b in bins if b.last <= CUTOFF], [b for b in bins if b.last > CUTOFF]
    pairs = [outside[at : at + 2] for at in range(0, len(outside), 2)]
    return inside + [
        replace(pair[0], last=pair[-1].last, count=sum(b.count for b in pair)) for pair in pairs
    ]


def verdict(cohort: "Cohort", everybody: "Cohort") -> int:
    """1 or −1 where the whole interval of Hit@50 lies above or below all users' Hit@50."""
    low, high = cohort.hit_interval
    return int(low > everybody.hit) - int(high < everybody.hit)


def whisker(low: float, high: float, value: float, beside: float, scale: float, width: int) -> str:
    """An interval with its value `●` and another `○`, from 0 to `scale` in `width` cells."""

    def cell(share: float) -> int:
        return min(width - 1, round((width - 1) * share / scale)) if scale else 0

    cells = [" "] * width
    cells[cell(low) : cell(high) + 1] = "─" * (cell(high) - cell(low) + 1)
    cells[cell(beside)] = "○"
    cells[cell(value)] = "●"
    return "".join(cells).rstrip()


def cohort_cells(cohort: "Cohort", everybody: "Cohort", scale: float, first: bool) -> list[str]:
    """Cells of a row; `scale` is where the interval's column ends, `first` whether its kind is said."""
    c = cohort
    return [
        ("", "▲", "▼")[verdict(c, everybody)],
        c.kind if first and c.kind != "all" else "",
        c.name,
        f"{len(c.members):,}",
        f"{c.hit:.3f}",
        "{:.3f}–{:.3f}".format(*c.hit_interval),
        whisker(*c.hit_interval, c.hit, c.popularity_hit, scale, WHISKER),
        f"{c.popularity_hit:.3f}",
        f"{c.auc:.3f}",
        "{:.3f}–{:.3f}".format(*c.auc_interval) if c.auc_interval else "few users",
    ]


def figures_text(catalogue: "Catalogue") -> str:
    """The figures of the catalogue, the model's beside popularity's."""
    model, popular = catalogue.model, catalogue.popularity
    rows = (
        ("", "model", "popularity", ""),
        (
            f"coverage@{CUTOFF}",
            f"{100 * model.coverage:.1f} %",
            f"{100 * popular.coverage:.1f} %",
            f"of {catalogue.dataset.num_items:,} films, in any top {CUTOFF}",
        ),
        (
            "Gini index",
            f"{model.gini:.3f}",
            f"{popular.gini:.3f}",
            "0 all as often, 1 a few for all",
        ),
        (
            "mean seen by",
            f"{model.mean_seen_by:,.1f}",
            f"{popular.mean_seen_by:,.1f}",
            f"users, over the top {CUTOFF}",
        ),
        ("never recommended", f"{len(model.never):,}", f"{len(popular.never):,}", "films"),
    )
    lines = [
        f"{name:<17} {left:>9} {right:>10}  {note}".rstrip() for name, left, right, note in rows
    ]
    return "\n".join([*lines, catalogue.whose])
