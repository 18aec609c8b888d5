"""The facts of runs: as the documented JSON objects, and as text for people."""

import time
from pathlib import Path
from typing import Any

from neumf_tui.errors import RunError
from neumf_tui.home import runs_dir
from neumf_tui.runs.events import FINAL_STATES, Evaluated, RunInfo, Status
from neumf_tui.runs.protocol import BY_VALIDATION, is_flattered, protocol_line, protocol_of
from neumf_tui.runs.reader import read_info, read_snapshot, read_status
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.runs.store import run_folders
from neumf_tui.text import clock
from neumf_tui.views.output import print_json, print_line, print_metrics, print_table, say

BEST_NOTE = "best: held-out Hit@50 at the epoch that validation chose; without validation its highest, which flatters"


def train_summary(folder: Path) -> dict[str, Any]:
    """What `train --json` prints; figures that the run never reached are None."""
    info, status, snapshot = read_info(folder), read_status(folder), read_snapshot(folder)
    reported, last = snapshot.reported, snapshot.evaluations[-1] if snapshot.evaluations else None
    epoch = snapshot.epochs[-1] if snapshot.epochs else None
    finished = snapshot.finished
    train = finished.train_seconds if finished else 0.0
    pairs = info.dataset.num_train * len(snapshot.epochs)
    return {
        "run": folder.name,
        "run_dir": str(folder),
        "dataset": info.dataset.label,
        "num_users": info.dataset.num_users,
        "num_items": info.dataset.num_items,
        "num_train": info.dataset.num_train,
        "preset": info.preset,
        "config": info.settings,
        "epochs": epoch.epoch if epoch else 0,
        "train_loss": epoch.loss if epoch else None,
        "metrics": reported.metrics if reported else None,
        "hit@50_ci": list(reported.interval) if reported else None,
        "validation": reported.validation if reported else None,
        "metrics_epoch": reported.epoch if reported else None,
        "chosen_by": _chosen_by(reported),
        "last": {"epoch": last.epoch, "metrics": last.metrics} if last else None,
        "popularity": snapshot.started.popularity if snapshot.started else None,
        "popularity_validation": snapshot.started.popularity_validation
        if snapshot.started
        else None,
        "protocol": protocol_of(info),
        "seconds": {
            "train": train,
            "evaluate": finished.evaluate_seconds if finished else 0.0,
            "total": finished.total_seconds if finished else 0.0,
        },
        "examples_per_second": pairs / train if train else None,
        "device": status.device,
        "seed": info.settings["seed"],
        "state": status.state,
        "reason": status.reason,
    }


def _chosen_by(reported: Evaluated | None) -> str | None:
    """What says that this evaluation stands for the run."""
    return (BY_VALIDATION if reported.validation else "last epoch") if reported else None


def status_object(folder: Path) -> dict[str, Any]:
    """What `status --json` prints, one entry of `runs --json`; figures that the run never reached are None."""
    return run_facts(folder, read_info(folder), read_status(folder), read_snapshot(folder))


def run_facts(folder: Path, info: RunInfo, status: Status, snapshot: Snapshot) -> dict[str, Any]:
    """How a run stands, from what has been read of it."""
    last, best = (snapshot.evaluations[-1] if snapshot.evaluations else None), snapshot.best
    return {
        "run": folder.name,
        "run_dir": str(folder),
        "state": status.state,
        "reason": status.reason,
        "pid": status.pid if status.state not in FINAL_STATES else None,
        "host": info.host,
        "device": status.device,
        "dataset": info.dataset.label,
        "preset": info.preset,
        "epoch": status.epoch,
        "epochs": snapshot.planned or info.epochs,
        "step": status.step,
        "steps": status.steps,
        "evaluated": status.evaluated,
        "seconds": round(snapshot.seconds(status), 1),
        "hit@50": last.metrics["hit@50"] if last else None,
        "hit@50_ci": list(last.interval) if last else None,
        "auc": last.metrics["auc"] if last else None,
        "validation_hit@50": last.validation["hit@50"] if last and last.validation else None,
        "best_epoch": best.epoch if best else None,
        "best_chosen_by": (BY_VALIDATION if best.validation else "held-out items")
        if best
        else None,
        "best_hit@50": best.metrics["hit@50"] if best else None,
        "best_hit@50_ci": list(best.interval) if best else None,
        "best_auc": best.metrics["auc"] if best else None,
        "best_validation_hit@50": best.validation["hit@50"] if best and best.validation else None,
        "popularity_hit@50": snapshot.started.popularity["hit@50"] if snapshot.started else None,
        "checkpoint": snapshot.checkpoint.file if snapshot.checkpoint else None,
        "pinned": list(info.pins if snapshot.pinned is None else snapshot.pinned),
        "protocol": protocol_of(info),
        "created": info.created,
    }


def card_lines(facts: dict[str, Any]) -> list[str]:
    """How a run stands, in a few lines for the terminal's scrollback: state, best epoch, metrics, where it is, what next."""
    state = facts["state"]
    lines = [
        f"{facts['run']}  {facts['dataset']}  {facts['preset']}  {facts['device'] or 'no device yet'}",
        f"  {state:<8} epoch {facts['epoch']} of {facts['epochs']} in {clock(facts['seconds'])}"
        + (f", evaluating {facts['evaluated']:.0%}" if facts["evaluated"] else "")
        + (f": {facts['reason']}" if facts["reason"] else ""),
    ]
    if facts["best_epoch"] is not None:
        lines.append(f"  Hit@50   {_hit_words(facts)}")
        lines.append(f"  protocol {protocol_line(facts['protocol'])}")
    lines.append(f"  files    {facts['run_dir']}")
    name = facts["run"]
    after = {
        "starting": f"neumf-tui attach {name}",
        "running": f"neumf-tui attach {name}   neumf-tui stop {name}",
        "paused": f"neumf-tui resume {name}   neumf-tui attach {name}",
        "finished": f"neumf-tui explore {name}   neumf-tui attach {name}",
        "crashed": f"neumf-tui logs {name}   neumf-tui resume {name}",
        "failed": f"neumf-tui logs {name}   neumf-tui resume {name}",
        "stopped": f"neumf-tui resume {name}   neumf-tui attach {name}",
    }
    lines.append(f"  next     {after.get(state, f'neumf-tui attach {name}')}")
    return lines


def _hit_words(facts: dict[str, Any]) -> str:
    """Hit@50 and AUC that stand for a run, and why these."""
    popular = f"popularity {facts['popularity_hit@50']:.4f}"
    if facts["best_validation_hit@50"] is None:
        return (
            f"{facts['hit@50']:.4f} ±{_half(facts['hit@50_ci']):.3f}, AUC {facts['auc']:.4f}, {popular}; "
            f"highest {facts['best_hit@50']:.4f} at epoch {facts['best_epoch']}, chosen on the held-out items: flatters"
        )
    return (
        f"{facts['best_hit@50']:.4f} ±{_half(facts['best_hit@50_ci']):.3f}, AUC {facts['best_auc']:.4f}, {popular}; "
        f"epoch {facts['best_epoch']}, best by validation ({facts['best_validation_hit@50']:.4f})"
    )


def _half(interval: list[float]) -> float:
    return (interval[1] - interval[0]) / 2


def print_summary(summary: dict[str, Any]) -> None:
    """The summary of a training run for people, on stdout."""
    print(
        f"run {summary['run']}  {summary['dataset']}  {summary['preset']}  {summary['state']}  epoch {summary['epochs']}"
    )
    if summary["reason"]:
        print_line(summary["reason"])
    if summary["metrics"] is None:
        print("no evaluation yet")
        return
    print_metrics(summary)
    protocol = summary["protocol"]
    if summary["validation"] is None:
        print(
            f"after epoch {summary['metrics_epoch']}, the last; without validation nothing chooses one (--validation)"
        )
    else:
        print(
            f"after epoch {summary['metrics_epoch']} of {summary['epochs']}, the best by validation Hit@50"
        )
    low, high = summary["hit@50_ci"]
    print(f"Hit@50 lies in {low:.4f} to {high:.4f} (95 %, over users)")
    print(f"protocol: {protocol_line(protocol)}, seed {summary['seed']}")
    if is_flattered(protocol):
        print(
            "note: held-out items were kept out of the negatives, which flatters Hit@50 (--no-exclude-heldout)"
        )
    print(f"look at it: neumf-tui explore {summary['run']}")


def print_runs(home: Path, as_json: bool) -> None:
    """All runs as a table, or as a list of objects; a damaged run is named on stderr."""
    rows = []
    for folder in run_folders(home):
        try:
            rows.append(status_object(folder))
        except RunError as error:
            say(f"warning: {error}")
    if as_json:
        print_json(rows)
    elif not rows:
        say(f"no runs in {runs_dir(home)}; start one with `neumf-tui train`")
    else:
        header = (
            "run", "state", "dataset", "preset", "epoch", "hit@50", "best", "@", "validation", "best auc", "device", "begun",
        )  # fmt: skip
        print_table(
            header,
            [
                (
                    row["run"],
                    row["state"],
                    row["dataset"],
                    row["preset"],
                    f"{row['epoch']}/{row['epochs']}",
                    _figure(row["hit@50"]),
                    _figure(row["best_hit@50"]),
                    str(row["best_epoch"] or ""),
                    _figure(row["best_validation_hit@50"]),
                    _figure(row["best_auc"]),
                    row["device"],
                    time.strftime("%Y-%m-%d %H:%M", time.localtime(row["created"])),
                )
                for row in rows
            ],
            numbers=("epoch", "hit@50", "best", "@", "validation", "best auc"),
        )
        say(BEST_NOTE)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
