"""Kept baselines, as a sheet and as printed tables."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neumf_tui.baselines.kept import KeptBaseline
from neumf_tui.runs.protocol import RANKING, split_protocol
from neumf_tui.text import counted
from neumf_tui.views.output import print_line, print_table
from neumf_tui.views.protocol_facts import protocol_facts
from neumf_tui.views.sheet import Row, Sheet
from neumf_tui.views.sheet_keys import dataset_keys, label_of

if TYPE_CHECKING:
    from neumf_tui.baselines.compute import BaselineOutcome
    from neumf_tui.data.dataset import Dataset

COLUMNS = (
    "baseline", "title", "settings", "hit@10", "hit@50", "hit@50_low", "hit@50_high", "ndcg@10",
    "mrr", "auc", "validation_hit@10", "validation_hit@50", "validation_hit@50_low",
    "validation_hit@50_high", "validation_ndcg@10", "validation_mrr", "validation_auc", "tried",
    "seconds",
)  # fmt: skip
METRIC_HEADER = ("Hit@10", "Hit@50", "95 %", "NDCG@10", "MRR", "AUC")


def baselines_sheet(data: "Dataset", outcomes: "Sequence[BaselineOutcome]") -> Sheet:
    """Return one row for each baseline; one that is not available has only names and a `note`."""
    rows = []
    for outcome in outcomes:
        names = {"baseline": outcome.baseline.name, "title": outcome.baseline.title}
        figures = baseline_row(outcome.result) if outcome.result else dict.fromkeys(COLUMNS)
        rows.append(figures | names | {"note": outcome.note})
    about = {
        **dataset_keys(data),
        "fingerprint": data.fingerprint,
        "num_users": next((o.result.heldout.num_users for o in outcomes if o.result), None),
        "protocol": split_protocol(data.facts, data.options.splitting) | RANKING,
    }
    return Sheet("baselines", about, "baselines", rows, (*COLUMNS, "note"))


def baseline_row(result: KeptBaseline) -> Row:
    """Return a kept result as a row with the keys COLUMNS."""
    row: Row = {
        "baseline": result.name,
        "title": result.title,
        "settings": " ".join(f"{key}={value}" for key, value in result.settings.items()),
        "tried": result.tried,
        "seconds": result.seconds,
    }
    for prefix, fold in (("", result.heldout), ("validation_", result.validation)):
        row |= {prefix + key: value for key, value in fold.metrics.items()}
        row[f"{prefix}hit@50_low"], row[f"{prefix}hit@50_high"] = fold.interval
    return {key: row.get(key) for key in COLUMNS}


def print_baselines(sheet: Sheet) -> None:
    """Print the sheet of `baselines_sheet` for people."""
    users = sheet.about["num_users"] or 0
    print_line(f"{label_of(sheet.about)}  {counted(users, 'user')} with a held-out item")
    numbers = ("val. Hit@50", "val. AUC", "s")
    table = []
    for row in sheet.rows:
        name = row["baseline"]
        if row["hit@50"] is None:
            dashes = ["–"] * len(METRIC_HEADER + numbers)
            table.append((name, *dashes, row["note"].removeprefix(f"{name}: ")))
            continue
        validation = (f"{row[f'validation_{key}']:.4f}" for key in ("hit@50", "auc"))
        fit = f"{row['seconds']:.1f}", row["settings"]
        table.append((name, *metric_cells(row), *validation, *fit))
    header = ("baseline", *METRIC_HEADER, *numbers, "settings")
    print_table(header, table, (*METRIC_HEADER, *numbers), in_parts=True)
    print_line("metrics: of the held-out items, after fitting to all training pairs")
    print_line("95 %: interval of Hit@50 over users; s: seconds to fit once and rank")
    print_line("settings: the best by Hit@50 of the validation items (val.), fitted without these")
    for name, text in protocol_facts(sheet.about["protocol"]).items():
        print_line(f"{name}: {text}")


def runs_text(outcomes: "Sequence[BaselineOutcome]") -> str:
    """Return which runs keep them, and how to explore the best; empty where none was asked for."""
    hits = {o.run.name: o.result.heldout.metrics["hit@50"] for o in outcomes if o.run and o.result}
    if not hits:
        return ""
    best = max(hits, key=hits.__getitem__)
    return f"runs: {', '.join(hits)}; explore the best with `neumf-tui explore {best}`"


def metric_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells under METRIC_HEADER from the held-out metrics of a row."""
    interval = f"{row['hit@50_low']:.3f} to {row['hit@50_high']:.3f}"
    digits = [f"{row[key]:.4f}" for key in ("hit@10", "hit@50", "ndcg@10", "mrr", "auc")]
    return *digits[:2], interval, *digits[2:]
