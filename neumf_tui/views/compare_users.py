"""Two models side by side for all users, as a sheet and as text."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.nouns import Noun
from neumf_tui.evaluation.intervals import Interval
from neumf_tui.explore.compare_users import AllComparison, ordered
from neumf_tui.runs.events import CUTOFF, RunInfo
from neumf_tui.runs.protocol import is_optimistic, protocol_line, protocol_of
from neumf_tui.text import counted, rank_text
from neumf_tui.views.beyond import beyond_text
from neumf_tui.views.moves import move_text, signed
from neumf_tui.views.output import column, number, print_line, print_rows
from neumf_tui.views.sheet import Row, Sheet
from neumf_tui.views.sheet_keys import model_keys

COLUMNS = ("user", "heldout", "rank_a", "rank_b", "hit_a", "hit_b", "auc_difference")
LEVEL = 0.05  # below this p, and outside 95 % intervals, a difference is called one
CAVEAT = (
    "This holds for these two models and for users like these: another seed trains another model, "
    "and nothing here corrects for looking at many pairs."
)


def about_models(label_a: str, label_b: str, info_a: RunInfo, info_b: RunInfo) -> dict[str, Any]:
    """Return the keys that say which models were compared; a label is `run@epoch`."""
    about = model_keys(info_a, int(label_a.rpartition("@")[2]))
    return about | {
        "other_run": info_b.name,
        "other_epoch": int(label_b.rpartition("@")[2]),
        "a": label_a,
        "b": label_b,
        "other_protocol": protocol_of(info_b),
    }


def compare_all_sheet(
    dataset: Dataset, comparison: AllComparison, rows: NDArray[np.int64] | None = None
) -> Sheet:
    """Return one row for each user ranked in both; `rows` selects and orders them."""
    c = comparison
    about = about_models(c.a.label, c.b.label, c.a.info, c.b.info) | {
        "num_users": len(c.users),
        "left_out": c.left_out,
        "won": c.won,
        "lost": c.lost,
        "hit@50_a": float(c.hit_a.mean()),
        "hit@50_b": float(c.hit_b.mean()),
        "hit@50_difference": c.hit_difference,
        "hit@50_difference_ci": list(c.hit_interval),
        "mcnemar_p": c.p,
        "auc_a": float(c.auc_a.mean()),
        "auc_b": float(c.auc_b.mean()),
        "auc_difference": c.auc_difference,
        "auc_difference_ci": list(c.auc_interval),
        "verdict": verdict(c, dataset.noun),
        "words": all_words(c, dataset.noun),
    }
    table = [
        {
            "user": dataset.user_ids[int(c.users[row])],
            "heldout": dataset.catalogue.item_title(int(dataset.split.heldout[c.users[row]])),
            "rank_a": float(c.rank_a[row]),
            "rank_b": float(c.rank_b[row]),
            "hit_a": bool(c.hit_a[row]),
            "hit_b": bool(c.hit_b[row]),
            "auc_difference": float(c.auc_b[row] - c.auc_a[row]),
            **({"beyond_a": c.beyond(row)[0]} if c.a.list_size is not None else {}),
            **({"beyond_b": c.beyond(row)[1]} if c.b.list_size is not None else {}),
        }
        for row in (range(len(c.users)) if rows is None else rows.tolist())
    ]
    name = f"compare-{c.a.label}-{c.b.label}"
    sides = {"beyond_a": c.a.list_size, "beyond_b": c.b.list_size}
    columns = (*COLUMNS, *(key for key, size in sides.items() if size is not None))
    return Sheet(name, about, "users", table, columns, ("a", "b"))


def verdict(comparison: AllComparison, noun: Noun) -> str:
    """Return which model is better: in hits if test and interval agree, in AUC by the interval."""
    c = comparison
    if (c.rank_a == c.rank_b).all():
        return f"Both models rank every held-out {noun.singular} the same."
    better = {1: "B is better", -1: "A is better"}
    chance = f"no difference beyond chance was found among these {len(c.users):,} users"
    hits, auc = _sign(c.hit_interval), _sign(c.auc_interval)
    if (c.p < LEVEL) != (hits != 0):
        in_hits = "it is too close to call: test and interval disagree"
    elif hits == auc:
        if hits:
            return f"{better[hits]}, in Hit@{CUTOFF} and in AUC."
        return f"{chance[0].upper()}{chance[1:]}."
    else:
        in_hits = better.get(hits, chance)
    return f"In Hit@{CUTOFF} {in_hits}; in AUC {better.get(auc, chance)}."


def _sign(interval: Interval) -> int:
    """1 if the interval is above zero, −1 if below, 0 if zero lies in it."""
    low, high = interval
    return int(low > 0) - int(high < 0)


def all_words(comparison: AllComparison, noun: Noun) -> list[str]:
    """Return the comparison in sentences, without the verdict."""
    c = comparison
    hits = f"Both put the same {_of_users(int(c.hit_a.sum()), noun)} into the top {CUTOFF}."
    if c.won or c.lost:
        won = _of_users(c.won, noun)
        hits = f"B puts {won} into the top {CUTOFF} that A does not, and loses {c.lost:,}."
    lines = [
        hits,
        f"Hit@{CUTOFF} {c.hit_a.mean():.4f} → {c.hit_b.mean():.4f}, "
        f"by {signed(c.hit_difference, 3)} ({_interval(c.hit_interval, 3)}); "
        f"{chance_text(c.p)} (McNemar).",
        f"AUC {c.auc_a.mean():.4f} → {c.auc_b.mean():.4f}, by {signed(c.auc_difference, 4)} "
        f"({_interval(c.auc_interval, 4)}).",
    ]
    models = {"A": c.a, "B": c.b}
    optimistic = [name for name in models if is_optimistic(protocol_of(models[name].info))]
    if len(optimistic) == 1:
        lines.append(
            f"{optimistic[0]}'s Hit@{CUTOFF} is optimistic: held-out items were never drawn as its "
            "negatives; for the other model they could be."
        )
    lines += [
        f"Items beyond {name}'s lists share one rank, so its AUC is lower than if all were ranked."
        for name, tape in models.items()
        if tape.list_size is not None
    ]
    if c.left_out:
        users = "user is" if c.left_out == 1 else "users are"
        lines.append(f"{c.left_out:,} {users} left out: no rank in A or in B.")
    return lines


def _interval(interval: Interval, digits: int) -> str:
    return f"95 % {signed(interval[0], digits)} to {signed(interval[1], digits)}"


def _of_users(count: int, noun: Noun) -> str:
    return f"1 user's {noun.singular}" if count == 1 else f"{count:,} users' {noun.plural}"


def chance_text(p: float) -> str:
    """Return in how many cases chance alone would give at least this difference."""
    if p >= 1:
        return "chance alone would do at least this in every case"
    if p >= 0.1:
        return f"chance alone would do this in {100 * p:.0f} of 100 cases"
    if p < 1e-9:
        return "chance alone would do this in fewer than 1 of 1,000,000,000 cases"
    return f"chance alone would do this in 1 of {float(f'{1 / p:.2g}'):,.0f} cases"


def print_all(
    sheet: Sheet,
    dataset: Dataset,
    comparison: AllComparison,
    top: int | None = None,
    with_metrics: bool = False,
) -> None:
    """Print a comparison over all users for people; at most `top` users won, and as many lost.

    `with_metrics`: as a table, too, not only in sentences.
    """
    c = comparison
    print_line(f"A {c.a.label}  B {c.b.label}  {dataset.label}  {counted(len(c.users), 'user')}")
    print_protocols(sheet)
    if with_metrics:
        _print_metrics(comparison)
    for line in (*all_words(c, dataset.noun), verdict(c, dataset.noun), CAVEAT):
        print_line(line)
    for title, sort, moved in (
        ("biggest wins of B", "biggest win", c.rank_b < c.rank_a),
        ("biggest losses of B", "biggest loss", c.rank_b > c.rank_a),
    ):
        rows = ordered(c, sort)
        rows = rows[moved[rows]][:top]
        if len(rows):
            print_line("")
            print_line(title)
            _print_users(compare_all_sheet(dataset, c, rows))


def _print_metrics(comparison: AllComparison) -> None:
    c = comparison
    rows = (
        (f"Hit@{CUTOFF}", c.hit_a, c.hit_b, c.hit_difference, c.hit_interval, f"{c.p:.2g}"),
        ("AUC", c.auc_a, c.auc_b, c.auc_difference, c.auc_interval, None),
    )
    print_rows(
        rows,
        column("metric", lambda row: row[0]),
        number("A", lambda row: row[1].mean(), ".4f"),
        number("B", lambda row: row[2].mean(), ".4f"),
        number("B − A", lambda row: signed(row[3], 4), str),
        number("95 %", lambda row: " to ".join(signed(end, 4) for end in row[4]), str),
        number("p (McNemar)", lambda row: row[5], str),
    )


def print_protocols(sheet: Sheet) -> None:
    """Print the protocol of both models, on two lines if they differ."""
    a, b = (protocol_line(sheet.about[key]) for key in ("protocol", "other_protocol"))
    for line in [f"protocol: {a}"] if a == b else [f"protocol of A: {a}", f"protocol of B: {b}"]:
        print_line(line)


def _print_users(sheet: Sheet) -> None:
    def hit(row: Row) -> str:
        return "" if row["hit_a"] == row["hit_b"] else "won" if row["hit_b"] else "lost"

    def rank(row: Row, side: str) -> str:
        beyond = row.get(f"beyond_{side}")
        return rank_text(row[f"rank_{side}"]) if beyond is None else beyond_text(beyond, short=True)

    def move(row: Row) -> str:
        is_known = row.get("beyond_a") is None and row.get("beyond_b") is None
        return move_text(row["rank_a"], row["rank_b"]) if is_known else ""

    print_rows(
        sheet.rows,
        column("user", "user"),
        column("held out", "heldout"),
        number("rank A", lambda row: rank(row, "a"), str),
        number("rank B", lambda row: rank(row, "b"), str),
        number("move", move, str),
        column("hit", hit),
    )
