"""The facts of runs: as the documented JSON objects, and as text for people."""

import time
from pathlib import Path
from typing import Any

from neumf_tui.errors import RunError
from neumf_tui.home import runs_dir
from neumf_tui.output import print_json, print_table, say
from neumf_tui.runs.reader import read_info, read_snapshot, read_status
from neumf_tui.runs.store import run_folders


def train_summary(folder: Path) -> dict[str, Any]:
    """What `train --json` prints; figures that the run never reached are None."""
    info, status, snapshot = read_info(folder), read_status(folder), read_snapshot(folder)
    last = snapshot.evaluations[-1] if snapshot.evaluations else None
    epoch = snapshot.epochs[-1] if snapshot.epochs else None
    finished = snapshot.finished
    train = finished.train_seconds if finished else 0.0
    pairs = info.dataset.num_train * len(snapshot.epochs)
    return {
        "run": info.name,
        "run_dir": str(folder),
        "dataset": info.dataset.label,
        "num_users": info.dataset.num_users,
        "num_items": info.dataset.num_items,
        "num_train": info.dataset.num_train,
        "preset": info.preset,
        "config": info.settings,
        "epochs": epoch.epoch if epoch else 0,
        "train_loss": epoch.loss if epoch else None,
        "metrics": last.metrics if last else None,
        "popularity": snapshot.started.popularity if snapshot.started else None,
        "hit@50_ci": list(last.interval) if last else None,
        "protocol": info.protocol,
        "seconds": {
            "train": train,
            "evaluate": finished.evaluate_seconds if finished else 0.0,
            "total": finished.total_seconds if finished else 0.0,
        },
        "examples_per_second": pairs / train if train else None,
        "device": status.device,
        "seed": info.settings["seed"],
        "state": status.state,
    }


def run_row(folder: Path) -> dict[str, Any]:
    """One entry of `runs --json`."""
    info, status, snapshot = read_info(folder), read_status(folder), read_snapshot(folder)
    last, best = (snapshot.evaluations[-1] if snapshot.evaluations else None), snapshot.best
    return {
        "run": info.name,
        "run_dir": str(folder),
        "state": status.state,
        "reason": status.reason,
        "dataset": info.dataset.label,
        "preset": info.preset,
        "epoch": status.epoch,
        "epochs": info.epochs,
        "hit@50": last.metrics["hit@50"] if last else None,
        "best_hit@50": best.metrics["hit@50"] if best else None,
        "auc": last.metrics["auc"] if last else None,
        "device": status.device,
        "created": info.created,
    }


def print_summary(summary: dict[str, Any]) -> None:
    """The summary of a training run for people, on stdout."""
    print(f"run {summary['run']}  {summary['dataset']}  {summary['preset']}  {summary['state']}  epoch {summary['epochs']}")
    metrics, popularity = summary["metrics"], summary["popularity"]
    if metrics is None:
        print("no evaluation yet")
        return
    print_table(
        ("metric", "model", "popularity"),
        [(key, f"{value:.4f}", f"{popularity[key]:.4f}") for key, value in metrics.items()],
        numbers=("model", "popularity"),
    )
    low, high = summary["hit@50_ci"]
    print(f"Hit@50 lies in {low:.4f} to {high:.4f} (95 %, over users)")
    if summary["protocol"]["exclude_heldout"]:
        print("note: held-out items were kept out of the negatives, which flatters Hit@50 (--no-exclude-heldout)")
    print(f"look at it: neumf-tui explore {summary['run']}")


def print_runs(home: Path, as_json: bool) -> None:
    """All runs as a table, or as a list of objects; a damaged run is named on stderr."""
    rows = []
    for folder in run_folders(home):
        try:
            rows.append(run_row(folder))
        except RunError as error:
            say(f"warning: {error}")
    if as_json:
        print_json(rows)
    elif not rows:
        say(f"no runs in {runs_dir(home)}; start one with `neumf-tui train`")
    else:
        header = ("run", "state", "dataset", "preset", "epoch", "hit@50", "best", "auc", "device", "begun")
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
                    _figure(row["auc"]),
                    row["device"],
                    time.strftime("%Y-%m-%d %H:%M", time.localtime(row["created"])),
                )
                for row in rows
            ],
            numbers=("epoch", "hit@50", "best", "auc"),
        )


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
