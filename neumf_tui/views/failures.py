"""Users beside popularity alone and cohorts of users, as sheets, cells and text."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from rich.text import Text

from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.protocol import protocol_line, protocol_of, why_nothing_held_out
from neumf_tui.text import clean, rank_text
from neumf_tui.views.beyond import NONE, tape_rank_text, way_text
from neumf_tui.views.histogram import histogram
from neumf_tui.views.output import print_drawing, print_line, print_table
from neumf_tui.views.ruler import sparkline
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import item_keys, model_keys, run_keys, run_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neumf_tui.evaluation.intervals import Interval
    from neumf_tui.evaluation.rank_bins import RankBin
    from neumf_tui.explore.cohorts import Cohort
    from neumf_tui.explore.failures import Failures

SORTS = {
    "rank": "worst rank first",
    "gain": "least gain over popularity first",
    "history": "shortest history first",
    "popularity": "{item} seen by fewest first",
    "age": "oldest {item} first",
    "dataset": "dataset order",
}
"""What each of `failures.ORDERS` is called on screen, as a template of `Noun.fill`."""
USER_LINES = 9  # lines that `user_text` needs with a long title and ranks, and one before it
WHISKER = 24  # cells of an interval drawn as a line
_BAR_WIDTH = 60
_COMMON = ("run", "kind", "model_label", "dataset", "simulated", "epoch", "protocol")
"""Keys that the JSON object has once for all its parts."""


def summary(failures: "Failures") -> dict[str, Any]:
    """Return the keys that hold for all users: the model, and its metrics beside popularity's."""
    return model_keys(failures.users.info, failures.epoch) | failures.metrics()


def summary_text(failures: "Failures") -> str:
    """Return one line about all users."""
    found = failures.metrics()
    if not found["num_users"]:
        noun = failures.dataset.noun
        return f"no user has a held-out {noun.singular}, so there are no ranks"
    low, high = found["hit@50_ci"]
    ranked, everybody, noun = found["num_users"], len(failures.ranks), failures.dataset.noun
    few = ranked < everybody
    who = f"{ranked:,} of {everybody:,} users, who have a held-out {noun.singular}"
    return (
        f"{who if few else f'{ranked:,} users'} · "
        f"Hit@{CUTOFF} {found['hit@50']:.3f} ({low:.3f}–{high:.3f}), "
        f"popularity {found['popularity_hit@50']:.3f} · "
        f"median rank {_median_text(found)} · "
        f"{found['num_below_popularity']:,} better off with popularity"
    )


def _median_text(found: dict[str, Any]) -> str:
    median = found["median_rank"]
    return "beyond most lists" if median is None else rank_text(median)


def failures_sheet(
    failures: "Failures", order: "NDArray[np.int64]", by: str, cohort: "Cohort | None" = None
) -> Sheet:
    """Return one row for each user index of `order`; None for what is not known."""
    dataset, users = failures.dataset, failures.users
    nothing = dict.fromkeys(("item_id", "title", "year"))
    items = dataset.split.heldout[order].tolist()
    named = [item_keys(dataset, item) if item >= 0 else nothing for item in items]
    # Whole columns as lists: reading arrays one by one would take most of the time.
    columns: dict[str, list[Any]] = {
        "user": [dataset.user_ids[user] for user in order.tolist()],
        "rank": _known(failures.ranks[order]),
        "popularity_rank": _known(failures.popularity_ranks[order]),
        "gain": _known(failures.gains[order]),
        "num_candidates": failures.candidates[order].tolist(),
        "history_size": users.history_sizes[order].tolist(),
        **{key: [keys[key] for keys in named] for key in nothing},
        "seen_by": _known(failures.seen_by[order], int),
        "age": _known(failures.ages[order], int),
    }
    if users.list_size is not None:
        pairs = zip(order.tolist(), failures.ranks[order].tolist(), strict=True)
        columns["beyond"] = [users.beyond(*pair) for pair in pairs]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    whose = f"{cohort.kind}: {cohort.name}" if cohort else None
    about = summary(failures) | {"by": by, "cohort": whose}
    return Sheet(f"{users.info.name}-failures", about, "users", rows, tuple(columns))


def _known(values: "NDArray[Any]", kind: type = float) -> list[Any]:
    """Return None for NaN."""
    return [None if value != value else kind(value) for value in values.tolist()]


def cohorts_sheet(failures: "Failures", cohorts: "Sequence[Cohort]") -> Sheet:
    """Return one row for each cohort."""
    rows = [
        {
            "kind": cohort.kind,
            "cohort": cohort.name,
            "num_users": len(cohort.members),
            "hit@50": cohort.hit,
            **_ends("hit@50", cohort.hit_interval),
            "auc": cohort.auc,
            **_ends("auc", cohort.auc_interval),
            "popularity_hit@50": cohort.popularity_hit,
            "note": "few users" if cohort.small else "",
        }
        for cohort in cohorts
    ]
    name = f"{failures.users.info.name}-cohorts"
    return Sheet(name, summary(failures), "cohorts", rows, tuple(rows[0]))


def _ends(name: str, interval: "Interval | None") -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def gain_text(gain: float) -> str:
    """Return the places gained over popularity alone, with a sign."""
    return NONE if gain != gain else f"{'−' if gain < 0 else '+'}{rank_text(abs(gain))}"


def width_of(values: "NDArray[np.float32]") -> int:
    """Return how many cells the longest rank or gain takes, without a sign or NaN."""
    known = abs(values[values == values])
    return len(f"{int(known.max(initial=0)):,}") + (2 if (known % 1).any() else 0)


def user_cells(failures: "Failures", user: int) -> list[str]:
    """Return id, held-out item, rank, popularity's rank, gain, history size, seen by, and age."""
    rank, popular = float(failures.ranks[user]), float(failures.popularity_ranks[user])
    seen, age = float(failures.seen_by[user]), float(failures.ages[user])
    return [
        failures.dataset.user_ids[user],
        failures.users.heldout_title(user),
        tape_rank_text(failures.users, user, rank, short=True),
        NONE if popular != popular else rank_text(popular),
        gain_text(float(failures.gains[user])),
        f"{failures.users.history_sizes[user]:,}",
        NONE if seen != seen else f"{seen:,.0f}",
        NONE if age != age else f"{age:.0f}",
    ]


def user_text(failures: "Failures", user: int) -> Text:
    """Return the same in sentences, with the ranks after all epochs."""
    name, title, rank, popular, gain, history, seen, age = user_cells(failures, user)
    text = Text.assemble((f"user {clean(name)}", "bold"), f" · history {history}\n")
    if failures.seen_by[user] != failures.seen_by[user]:
        why = why_nothing_held_out(protocol_of(failures.users.info))
        return text.append(f"nothing is held out: {why}")
    text.append(clean(title), "bold")
    text.append(f"\nseen by {seen}")
    text.append("" if age == NONE else f" · {age} years old" if age != "1" else " · 1 year old")
    hit = "hit ✓" if failures.ranks[user] <= CUTOFF else "miss ✗"
    rank = rank.replace(">", "beyond ")
    text.append(f"\n{hit} rank {rank} of {failures.candidates[user]:,}")
    text.append(f"\npopularity alone {popular}\ngain {gain}")
    if way := way_text(failures.users, user):
        tape = [float(known) for known in failures.users.tape[:, user] if known == known]
        text.append(f"\n{way} {sparkline(tape, int(failures.candidates[user]), 20)}")
    return text


def fewer(bins: "list[RankBin]") -> "list[RankBin]":
    """Return bins beyond the top 50 joined in pairs."""
    inside, outside = [b for b in bins if b.last <= CUTOFF], [b for b in bins if b.last > CUTOFF]
    pairs = [outside[at : at + 2] for at in range(0, len(outside), 2)]
    joined = [replace(p[0], last=p[-1].last, count=sum(b.count for b in p)) for p in pairs]
    return inside + joined


def verdict(cohort: "Cohort", everybody: "Cohort") -> int:
    """Return 1 or −1 if the whole interval of Hit@50 lies above or below all users' Hit@50."""
    low, high = cohort.hit_interval
    return int(low > everybody.hit) - int(high < everybody.hit)


def whisker(low: float, high: float, value: float, beside: float, scale: float, width: int) -> str:
    """Return an interval with its value `●` and another `○`, from 0 to `scale` in `width` cells."""

    def cell(share: float) -> int:
        return min(width - 1, round((width - 1) * share / scale)) if scale else 0

    cells = [" "] * width
    cells[cell(low) : cell(high) + 1] = "─" * (cell(high) - cell(low) + 1)
    cells[cell(beside)] = "○"
    cells[cell(value)] = "●"
    return "".join(cells).rstrip()


def cohort_cells(cohort: "Cohort", everybody: "Cohort", scale: float, first: bool) -> list[str]:
    """Return a row's cells; the interval's column ends at `scale`, `first` shows the kind."""
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


def failures_object(failures: "Failures", sheets: Sequence[Sheet]) -> dict[str, Any]:
    """Return what `failures --json` prints: `summary`, and a key for each of the sheets."""
    result = summary(failures)
    for sheet in sheets:
        if sheet.key == "never":
            whole = sheet.object.items()
            result["catalogue"] = {key: value for key, value in whole if key not in _COMMON}
            continue
        if sheet.key == "users":
            result["by"] = sheet.about["by"]
            result["spread"] = [asdict(one) for one in failures.bins()]
        result[sheet.key] = list(sheet.rows)
    return result


def print_summary(failures: "Failures") -> None:
    """Print the model, and its metrics beside popularity's."""
    info = failures.users.info
    print_line(f"{run_line(run_keys(info))}  epoch {failures.epoch}")
    print_line(f"protocol: {protocol_line(protocol_of(info))}")
    print_line(summary_text(failures))


def print_users(failures: "Failures", order: "NDArray[np.int64]", by: str) -> None:
    """Print the distribution of ranks, and a line for each user index of `order`."""
    print_drawing(histogram(failures.bins(), _BAR_WIDTH).plain.splitlines())
    if len(failures.unlisted):
        print_line(f"beyond their lists: {len(failures.unlisted):,}")
    print_line()
    data = failures.dataset
    sort = data.noun.fill(SORTS[by])
    print_line(f"{len(order):,} of {data.num_users:,} users, {sort}")
    held_out = f"held-out {data.noun.singular}"
    header = ["user", held_out, "rank", "popularity", "gain", "history", "seen by", "age"]
    header = header if data.has_ages else header[:-1]
    cells = [user_cells(failures, user)[: len(header)] for user in order.tolist()]
    print_table(header, cells, numbers=header[2:])


def print_cohorts(cohorts: "Sequence[Cohort]") -> None:
    """Print a line for each cohort; the first holds all users."""
    header = ("", "kind", "cohort", "users", "Hit@50", "95 %", "popularity", "AUC", "95 % of AUC")
    table = [cohort_cells(cohort, cohorts[0], 1.0, True) for cohort in cohorts]
    without_drawing = [[*cells[:6], *cells[7:]] for cells in table]
    print_table(header, without_drawing, numbers=("users", "Hit@50", "popularity", "AUC"))
    print_line("▲▼ the whole interval is above or below the Hit@50 of all users")
