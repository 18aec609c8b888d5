"""The result of the check of the order, as a sheet and as text."""

from typing import TYPE_CHECKING, Any

from neumf_tui.data.dataset import Dataset
from neumf_tui.runs.events import METRIC_NAMES, RunInfo
from neumf_tui.runs.protocol import protocol_line, protocol_of
from neumf_tui.text import counted
from neumf_tui.views.moves import signed
from neumf_tui.views.output import print_line, print_table
from neumf_tui.views.sheet import Row, Sheet
from neumf_tui.views.sheet_keys import run_keys, run_line

if TYPE_CHECKING:
    from neumf_tui.training.order import OrderCheck

_NAMES = {name: METRIC_NAMES[name] for name in ("hit@50", "ndcg@10", "auc")}
_ORDERS = {
    "own": "the run's own",
    "ties": "equal times shuffled",
    "all": "everything shuffled",
}
_ADDS = "own adds"
_NUMBERS = ("model", "popularity", _ADDS)


def order_sheet(info: RunInfo, data: Dataset, result: "OrderCheck") -> Sheet:
    """Return what `check-order --json` prints: a row for each order, model and popularity.

    `difference` is the metric in the run's own order less that of the row, `low` and `high` its
    interval of `level` over users.
    """
    from neumf_tui.training.order import LEVEL

    about = {
        **run_keys(info),
        "fingerprint": data.fingerprint,
        "ties": data.facts.ties,
        "num_users": result.users,
        "tied_heldout": result.tied,
        "rounds": result.rounds,
        "level": LEVEL,
        "epochs": {order: list(epochs) for order, epochs in result.epochs.items()},
        "metric_with_difference": result.shown or None,
        "meaning": verdict_text(result, data.facts.ties),
        "order_meaning": order_text(result),
        "protocol": protocol_of(info),
    }
    rows = [
        {"order": one.order, "model": info.name if one.model == "run" else one.model}
        | {key: value for name in _NAMES for key, value in _figures(one, name).items()}
        for one in result.orderings
    ]
    return Sheet("check-order", about, "orders", rows, tuple(rows[0]))


def _figures(one: Any, name: str) -> Row:
    found = one.differences.get(name)
    low, high = found.interval if found else (None, None)
    return {
        name: one.metrics[name],
        f"{name}_difference": found and found.value,
        f"{name}_low": low,
        f"{name}_high": high,
    }


def verdict_text(result: "OrderCheck", ties: str) -> str:
    """Return in one sentence what the order of equal timestamps does to the run's metrics."""
    name = result.shown
    if not result.any_ties:
        return "No user has two interactions at the same time, so no tie decides anything."
    rounds = f"{result.rounds} round{'s' * (result.rounds > 1)}"
    if not name:
        found = result.find("ties").differences["hit@50"]
        return (
            f"Equal timestamps make no difference that {rounds} can show "
            f"(Hit@50 {signed(found.value, 3)}, interval {_interval(found.interval)})."
        )
    found = result.find("ties").differences[name]
    change = "inflate" if found.verdict == "above" else "lower"
    cause = (
        "the file's order leaks into what is the latest"
        if ties == "file order"
        else "a hash breaks the ties, so this may be chance: try more --rounds"
    )
    return (
        f"Equal timestamps {change} {_NAMES[name]} by {abs(found.value):.3f} "
        f"(interval {_interval(found.interval)}): {cause}."
    )


def order_text(result: "OrderCheck") -> str:
    """Return in one sentence what the order in time does, beside that of equal times."""
    ties, shuffled = (result.find(one).metrics["hit@50"] for one in ("ties", "all"))
    return (
        f"The order in time changes Hit@50 from {shuffled:.3f}, with everything shuffled, to "
        f"{ties:.3f}, with equal times shuffled."
    )


def _interval(interval: tuple[float, float]) -> str:
    return " to ".join(signed(end, 3) for end in interval)


def print_order(sheet: Sheet) -> None:
    """Print the sheet of `order_sheet` for people."""
    about = sheet.about
    rounds = about["rounds"]
    print_line(f"{run_line(about)}  {rounds} training{'s' * (rounds > 1)} in each order")
    print_line(
        f"{counted(about['num_users'], 'user')} with a held-out item; for "
        f"{about['tied_heldout']:,} another has the same time, to the second"
    )
    for name, title in _NAMES.items():
        rows = [[row for row in sheet.rows if row["order"] == order] for order in _ORDERS]
        cells = [
            (_ORDERS[of_run["order"]], *_cells(of_run, name), *_cells(popular, name))
            for of_run, popular in rows
        ]
        print_table((title, "model", _ADDS, "popularity", _ADDS), cells, _NUMBERS)
        print_line()
    print_line("own adds: interval of the metric in the run's own order less the row's, over the")
    print_line(
        f"same users (paired bootstrap, {100 * about['level']:.1f} %: 95 % for the three metrics)"
    )
    print_line(f"protocol: {protocol_line(about['protocol'])}")
    print_line(about["order_meaning"])
    print_line(about["meaning"])


def _cells(row: Row, name: str) -> tuple[str, str]:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{row[name]:.4f}", "–" if low is None else _interval((low, high))
