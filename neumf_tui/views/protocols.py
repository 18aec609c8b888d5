"""A run's settings under several protocols, as a sheet and as text."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

from neumf_tui.evaluation.intervals import mean_difference_interval, mean_interval
from neumf_tui.runs.checkpoint import describe_epoch
from neumf_tui.runs.events import METRIC_NAMES, RunInfo
from neumf_tui.runs.protocol import RANKING, split_protocol
from neumf_tui.text import counted
from neumf_tui.views.evaluation import WARNING
from neumf_tui.views.moves import signed
from neumf_tui.views.output import print_line, print_table
from neumf_tui.views.sheet import Row, Sheet
from neumf_tui.views.sheet_keys import run_keys, run_line

if TYPE_CHECKING:
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.training.protocols import ProtocolResult, Standing

_NAMES = {name: METRIC_NAMES[name] for name in ("hit@10", "hit@50", "ndcg@10", "auc")}
_TITLES = {"ease": "EASE", "popularity": "popularity"}
_COUNTS = ("heldout", "validated", "cold_users", "cold_items", "unused", "below_counts")


def protocols_sheet(ranker: "Ranker", results: "list[ProtocolResult]") -> Sheet:
    """Return what `evaluate --protocols --json` prints: a row for each protocol and model."""
    about = {
        **run_keys(ranker.info),
        "epoch": ranker.epoch,
        "standing": describe_epoch(ranker.folder, ranker.epoch),
        "protocols": [_protocol(ranker.info, result) for result in results],
        "changes": list(_changes(ranker.info, results)),
    }
    rows = [
        _row(result.name, _label(ranker.info, one.model), one)
        for result in results
        for one in result.standings
    ]
    columns = tuple(rows[0]) if rows else ("protocol", "model")
    return Sheet("protocols", about, "models", rows, columns)


def _protocol(info: RunInfo, result: "ProtocolResult") -> dict[str, Any]:
    found: dict[str, Any] = {"protocol": result.name, "notes": list(result.notes)}
    if result.data is None:
        return found
    data, facts = result.data, result.data.facts
    return found | {
        "fingerprint": data.fingerprint,
        "num_users": data.num_users,
        "num_items": data.num_items,
        "num_train": data.num_train,
        **{name: getattr(facts, name) for name in _COUNTS},
        "trained_again": result.epoch is not None,
        "epoch": result.epoch,
        **split_protocol(facts, data.options.splitting),
        **RANKING,
    }


def _row(protocol: str, model: str, standing: "Standing") -> Row:
    row: Row = {"protocol": protocol, "model": model}
    for name in _NAMES:
        row |= {
            name: float(standing.values[name].mean()),
            f"{name}_place": standing.places[name],
            f"{name}_moved": standing.moved[name],
        }
    row["hit@50_low"], row["hit@50_high"] = mean_interval(standing.values["hit@50"])
    return row


def _label(info: RunInfo, model: str) -> str:
    return info.name if model == "run" else _TITLES[model]


def _changes(info: RunInfo, results: "list[ProtocolResult]") -> Iterator[dict[str, Any]]:
    """Yield which of two models overtakes the other by Hit@50 under another protocol."""
    for result in results:
        first = next(one for one in results if len(one.standings) == len(result.standings))
        pairs = zip(
            combinations(first.standings, 2), combinations(result.standings, 2), strict=True
        )
        for (a_before, b_before), (a, b) in pairs:
            before, after = (
                one.places["hit@50"] - other.places["hit@50"]
                for one, other in ((a_before, b_before), (a, b))
            )
            if before * after >= 0:
                continue
            up, down = (a, b) if after < 0 else (b, a)
            values = up.values["hit@50"] - down.values["hit@50"]
            low, high = mean_difference_interval(values, resamples=2_000)
            yield {
                "protocol": result.name,
                "up": _label(info, up.model),
                "down": _label(info, down.model),
                "difference": float(values.mean()),
                "low": low,
                "high": high,
            }


def print_protocol_table(sheet: Sheet) -> None:
    """Print the sheet of `protocols_sheet` for people."""
    about = sheet.about
    print_line(f"{run_line(about)}  epoch {about['epoch']} ({about['standing']})")
    table = []
    for protocol in about["protocols"]:
        rows = [row for row in sheet.rows if row["protocol"] == protocol["protocol"]]
        for place, row in enumerate(rows):
            first = (protocol["protocol"], f"{protocol['heldout']:,}") if not place else ("", "")
            table.append((*first, row["model"], *(_cell(row, name) for name in _NAMES)))
        if not rows:
            table.append((protocol["protocol"], "–", "–", *["–"] * len(_NAMES)))
    numbers = ("users", *_NAMES.values())
    print_table(("protocol", "users", "model", *_NAMES.values()), table, numbers)
    print_line("▲ ▼ places up or down by this metric, compared with the first protocol")
    for protocol in about["protocols"]:
        for line in _lines(protocol):
            print_line(line)
    for change in about["changes"]:
        print_line(_change_line(change))
    if not about["changes"]:
        print_line("no two models change places by Hit@50")


def _cell(row: Row, name: str) -> str:
    moved = row[f"{name}_moved"]
    mark = f" {'▲' if moved > 0 else '▼'}{abs(moved)}" if moved else "   "
    return f"{row[name]:.4f}{mark}"


def _lines(protocol: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a person must know of one protocol."""
    name = protocol["protocol"]
    for note in protocol["notes"]:
        yield f"{name}: {note}"
    if "fingerprint" not in protocol:
        return
    if name.startswith("sampled"):
        ranks = protocol["split_name"]
        yield f"{name}: the ranks of {ranks}, each among 99 of its other candidates, drawn"
        yield f"  uniformly: means over all draws; {WARNING}"
        return
    counts = {
        "cold_users": "users have no history before the cut: left out",
        "cold_items": "held-out items that nobody had before",
        "unused": "interactions after the held-out ones: not used",
        "below_counts": "interactions of rare users or items: left out",
    }
    said = [f"{protocol[key]:,} {text}" for key, text in counts.items() if protocol[key]]
    how = "the run's checkpoint"
    if protocol["trained_again"]:
        how = f"trained again, epoch {protocol['epoch']}"
    sizes = f"{counted(protocol['num_users'], 'user')}, {protocol['num_items']:,} items"
    yield f"{name}: {how}; {'; '.join([sizes, *said])}"


def _change_line(change: Mapping[str, Any]) -> str:
    low, high = (signed(change[key], 3) for key in ("low", "high"))
    chance = "" if change["low"] > 0 else ": may be chance"
    return (
        f"{change['protocol']}: {change['up']} overtakes {change['down']} by Hit@50, "
        f"{signed(change['difference'], 3)} (95 % {low} to {high}){chance}"
    )
