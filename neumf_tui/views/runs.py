"""The state of one run, the summary of a training, and the list of runs, as text."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from neumf_tui.runs.events import MEASURED, RunInfo
from neumf_tui.runs.protocol import is_optimistic, protocol_line, protocol_of
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.runs.summary import FACTS
from neumf_tui.text import clock, epoch_text
from neumf_tui.views.alarms import SIGN
from neumf_tui.views.model_label import label_of_kind, label_title
from neumf_tui.views.output import column, filled, number, print_line, print_metrics, print_rows
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import dataset_keys, label_with_split

BEST_NOTE = (
    "best: held-out Hit@50 at the epoch that validation chose; without validation the highest one, "
    "which is optimistic"
)
NEXT_COMMANDS = {
    "starting": ("attach",),
    "running": ("attach", "stop"),
    "paused": ("resume", "attach"),
    "finished": ("explore", "attach"),
    "crashed": ("logs", "resume"),
    "failed": ("logs", "resume"),
    "stopped": ("resume", "attach"),
    "damaged": ("logs", "explore"),
}
"""Useful commands for each state of a run."""
OF_OTHERS = {
    "running": ("attach", "stop"),
    "paused": ("resume", "attach"),
    "crashed": ("logs", "attach"),
    "failed": ("logs", "attach"),
    "stopped": ("explore", "attach"),
}
"""The same where our trainer has not made the run, so that it cannot go on with it."""


def card_lines(facts: Mapping[str, Any], width: int | None = None) -> list[str]:
    """Return a few lines about a run: state, best epoch, metrics, folder and useful commands.

    `facts` is an object of `run_facts`. The lines are safe to print.
    width: lines break between words to fit into so many cells; None breaks none.
    """
    state, name = facts["state"], facts["run"]
    is_trained = facts["kind"] == "trained"
    device = facts["device"] or ("no device yet" if is_trained else "")
    planned = f" of {facts['epochs']}" if facts["epochs"] else ""
    progress = f"epoch {facts['epoch']}{planned} in {clock(facts['seconds'])}"
    if facts["evaluated"]:
        progress += f", evaluating {facts['evaluated']:.0%}"
    if facts["reason"]:
        progress += f": {facts['reason']}"
    what = label_of_kind(facts["kind"], facts["model"], facts["preset"])
    rows = [(state, progress)]
    if facts["best_epoch"] is not None:
        rows.append(("Hit@50", _hit_text(facts)))
        rows.append(("protocol", protocol_line(facts["protocol"])))
    rows += [("alarm", f"{SIGN} {alarm['text']}") for alarm in facts["alarms"] or ()]
    rows.append(("files", facts["run_dir"]))
    commands = NEXT_COMMANDS.get(state, ("attach",))
    if not is_trained:
        commands = OF_OTHERS.get(state, commands)
    title = filter(None, (name, label_with_split(facts), what, device))
    lines = filled(title, width, gap="  ")
    for label, text in rows:
        lines += filled(text.split(" "), width, f"  {label:<8} ")
    # A command is whole in a line, so that it can be copied.
    ways = (f"neumf-tui {command} {name}" for command in commands)
    return lines + filled(ways, width, "  next     ", gap="   ")


def _hit_text(facts: Mapping[str, Any]) -> str:
    """Hit@50 and AUC that a run reports, and why these."""
    chosen = facts["best_validation_hit@50"] is not None
    prefix = "best_" if chosen else ""
    low, high = facts[f"{prefix}hit@50_ci"]
    hit, auc, popular = facts[f"{prefix}hit@50"], facts[f"{prefix}auc"], facts["popularity_hit@50"]
    text = f"{hit:.4f} ±{(high - low) / 2:.3f}, AUC {auc:.4f}"
    text += f", popularity {popular:.4f}; " if popular is not None else "; "
    if chosen:
        validation = facts["best_validation_hit@50"]
        return f"{text}epoch {facts['best_epoch']}, best by validation ({validation:.4f})"
    return (
        f"{text}highest {facts['best_hit@50']:.4f} at epoch {facts['best_epoch']}, "
        "chosen on the held-out items, so it is optimistic"
    )


def metrics_sheet(info: RunInfo, snapshot: Snapshot) -> Sheet:
    """Return one row for each evaluation: its metrics, and the mean loss until then."""
    losses = {epoch.epoch: epoch.loss for epoch in snapshot.epochs}
    rows = []
    for found in snapshot.evaluations:
        low, high = found.interval
        valid = found.validation or {}
        rows.append(
            {"epoch": found.epoch, "loss": losses.get(found.epoch)}
            | {name: found.metrics[name] for name in MEASURED}
            | {"hit@50_low": low, "hit@50_high": high}
            | {f"validation_{name}": valid.get(name) for name in MEASURED}
        )
    validation = (f"validation_{name}" for name in MEASURED)
    columns = ("epoch", "loss", *MEASURED, "hit@50_low", "hit@50_high", *validation)
    best = snapshot.best
    about = {
        "run": info.name,
        **dataset_keys(info.dataset),
        "protocol": protocol_of(info),
        "best_epoch": best.epoch if best else None,
        "popularity": snapshot.started.popularity if snapshot.started else None,
    }
    return Sheet("metrics", about, "evaluations", rows, columns, ("run",))


def print_summary(summary: Mapping[str, Any]) -> None:
    """Print the object of `train_summary` as text."""
    print_line(
        f"run {summary['run']}  {label_with_split(summary)}  {summary['preset']}  "
        f"{summary['state']}  epoch {summary['epochs']}"
    )
    if summary["reason"]:
        print_line(summary["reason"])
    if summary["metrics"] is None:
        print_line("no evaluation yet")
        return
    print_metrics(summary)
    protocol, epoch = summary["protocol"], summary["metrics_epoch"]
    if summary["validation"] is None:
        print_line(f"metrics of the last epoch, {epoch}; add --validation to choose the best epoch")
    else:
        epochs = summary["epochs"]
        print_line(f"metrics of epoch {epoch} of {epochs}, the best by validation Hit@50")
    low, high = summary["hit@50_ci"]
    print_line(f"95 % interval of Hit@50 over users: {low:.4f} to {high:.4f}")
    print_line(f"protocol: {protocol_line(protocol)}, seed {summary['seed']}")
    if is_optimistic(protocol):
        print_line(
            "note: Hit@50 is optimistic: held-out items are never drawn as negatives "
            "(--no-exclude-heldout)"
        )
    print_line(f"explore it: neumf-tui explore {summary['run']}")


def metrics_of_runs(runs: Sequence[tuple[RunInfo, Snapshot]]) -> Sheet:
    """Return the rows of `metrics_sheet` of several runs, each with its run and dataset."""
    sheets = [metrics_sheet(info, snapshot) for info, snapshot in runs]
    stamp = ("run", "dataset", "simulated")
    rows = [
        {key: sheet.about[key] for key in stamp} | row for sheet in sheets for row in sheet.rows
    ]
    return Sheet("metrics", {}, "evaluations", rows, (*stamp, *sheets[0].columns))


def runs_sheet(runs: Sequence[Mapping[str, Any]]) -> Sheet:
    """Return one row for each run, from objects of `run_facts`; a protocol is no cell."""
    columns = tuple(key for key in FACTS if key != "protocol")
    return Sheet("runs", {}, "runs", [dict(run) for run in runs], columns)


def print_runs(runs: Sequence[Mapping[str, Any]]) -> None:
    """Print the objects of `status_object` as a table."""

    def started(run: Mapping[str, Any]) -> str | None:
        when = run["created"]
        return None if when is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(when))

    def data(run: Mapping[str, Any]) -> str | None:
        return None if run["dataset"] is None else label_with_split(run)

    def model(run: Mapping[str, Any]) -> str | None:
        keys = run["kind"], run["model"], run["preset"]
        return None if run["kind"] is None else label_of_kind(*keys)

    def epoch(run: Mapping[str, Any]) -> str | None:
        return None if run["epoch"] is None else epoch_text(run["epoch"], run["epochs"])

    def alarms(run: Mapping[str, Any]) -> str:
        return ", ".join(alarm["alarm"] for alarm in run["alarms"] or ())

    print_rows(
        runs,
        column("run", "run"),
        column("state", "state"),
        replace(column("alarms", alarms), is_optional=True),
        column(
            "dataset", lambda run: label_with_split(run) if run["dataset"] is not None else None
        ),
        column(label_title(run["kind"] for run in runs), model),
        number("epoch", epoch, str),
        number("Hit@50", "hit@50", ".4f"),
        number("best", "best_hit@50", ".4f"),
        number("@", "best_epoch", str, none=""),
        number("validation", "best_validation_hit@50", ".4f"),
        number("best AUC", "best_auc", ".4f"),
        column("device", "device"),
        column("started", started),
        in_parts=True,
    )
    print_line(BEST_NOTE)
