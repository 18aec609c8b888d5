"""What came of an adoption, as a JSON object and as printed text."""

from typing import Any

from neumf_tui.adopt.adopt import Outcome
from neumf_tui.runs.protocol import protocol_line
from neumf_tui.views.moves import signed
from neumf_tui.views.output import print_line, print_metrics, say


def outcome_object(outcome: Outcome) -> dict[str, Any]:
    """Return what `adopt --json` prints."""
    info, beside, better = outcome.info, outcome.beside, outcome.better_rows
    return {
        "run": info.name,
        "run_dir": str(outcome.folder),
        "dataset": info.dataset.name,
        "simulated": info.dataset.simulated,
        "num_users": info.dataset.num_users,
        "num_items": info.dataset.num_items,
        "model": info.model,
        "settings": info.settings,
        "epochs": outcome.epochs,
        "metrics": outcome.metrics,
        "hit@50_ci": list(outcome.interval),
        "popularity": outcome.popularity,
        "beside_popularity": {
            "hit@50": beside.hits,
            "hit@50_ci": list(beside.hits_interval),
            "auc": beside.auc,
            "auc_ci": list(beside.auc_interval),
            "better": beside.is_better,
            "by_chance": beside.by_chance,
        },
        "better_rows": better
        and {
            "rows": better.what,
            "remedy": better.remedy,
            "num_users": better.users,
            "auc": better.auc,
            "better_auc": better.better_auc,
        },
        "expected": [
            {"metric": one.metric, "expected": one.value, "found": outcome.metrics[one.metric]}
            for one in outcome.expected
        ],
        "warnings": outcome.warnings,
        "notices": outcome.notices,
        "protocol": info.protocol,
    }


def print_outcome(outcome: Outcome) -> None:
    """Print the figures on stdout; warnings and notices on stderr."""
    info, beside, epochs = outcome.info, outcome.beside, outcome.epochs
    many = f", epochs {epochs[0]} to {epochs[-1]} ({len(epochs)} files)" if len(epochs) > 1 else ""
    rows = info.settings["rows"]
    print_line(f"run {info.name}: {info.settings['layout']}{many}; {rows}; {info.dataset.label}")
    print_metrics(
        {"metrics": outcome.metrics, "validation": None, "popularity": outcome.popularity}
    )
    low, high = outcome.interval
    print_line(f"Hit@50 95 % interval {low:.3f} to {high:.3f}")
    print_line(
        f"beside popularity, 95 % intervals over the same users: "
        f"Hit@50 {_signed(*beside.hits_interval)}, AUC {_signed(*beside.auc_interval)}"
    )
    for one in outcome.expected:
        print_line(f"as reported: {one.metric} {one.text} (here {outcome.metrics[one.metric]:.6f})")
    print_line(f"protocol: {protocol_line(info.protocol)}")
    for notice in outcome.notices:
        say(notice)
    for warning in outcome.warnings:
        say(f"warning: {warning}")
    print_line(f"explore it: neumf-tui explore {info.name}")


def _signed(low: float, high: float) -> str:
    return f"{signed(low, 3)} to {signed(high, 3)}"
