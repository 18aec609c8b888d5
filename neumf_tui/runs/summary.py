"""The documented JSON objects of runs."""

from pathlib import Path
from typing import Any

from neumf_tui.runs.events import BY_VALIDATION, FINAL_STATES, Evaluated, RunInfo, Status
from neumf_tui.runs.protocol import protocol_of, split_label
from neumf_tui.runs.reader import read_info, read_snapshot, read_status
from neumf_tui.runs.snapshot import Snapshot

FACTS = (
    "run", "run_dir", "kind", "model", "state", "reason", "pid", "host", "device", "dataset",
    "simulated", "split", "preset", "epoch", "epochs", "step", "steps", "evaluated", "seconds",
    "hit@50", "hit@50_ci", "auc", "validation_hit@50", "best_epoch", "best_chosen_by",
    "best_hit@50", "best_hit@50_ci",
    "best_auc", "best_validation_hit@50", "popularity_hit@50", "checkpoint", "pinned", "alarms",
    "protocol", "created",
)  # fmt: skip
"""The keys of `run_facts`."""


def train_summary(folder: Path) -> dict[str, Any]:
    """Return what `train --json` prints; metrics that the run never reached are None."""
    info, status, snapshot = read_info(folder), read_status(folder), read_snapshot(folder)
    reported, last = snapshot.reported, snapshot.evaluations[-1] if snapshot.evaluations else None
    epoch = snapshot.epochs[-1] if snapshot.epochs else None
    started, finished = snapshot.started, snapshot.finished
    train = finished.train_seconds if finished else 0.0
    pairs = info.dataset.num_train * (epoch.epoch if epoch else 0)
    return {
        "run": folder.name,
        "run_dir": str(folder),
        "dataset": info.dataset.name,
        "simulated": info.dataset.simulated,
        "split": split_label(protocol_of(info)),
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
        "chosen_by": _chosen_by(reported, "last epoch"),
        "last": {"epoch": last.epoch, "metrics": last.metrics} if last else None,
        "popularity": started.popularity if started else None,
        "popularity_validation": started.popularity_validation if started else None,
        "protocol": protocol_of(info),
        "seconds": {
            "train": train,
            "evaluate": finished.evaluate_seconds if finished else 0.0,
            "total": finished.total_seconds if finished else 0.0,
        },
        "examples_per_second": pairs / train if train else None,
        "device": status.device,
        "seed": info.settings.get("seed"),
        "state": status.state,
        "reason": status.reason,
    }


def _chosen_by(evaluation: Evaluated | None, otherwise: str) -> str | None:
    return (BY_VALIDATION if evaluation.validation else otherwise) if evaluation else None


def _figures(evaluation: Evaluated | None) -> dict[str, Any]:
    validation = evaluation.validation if evaluation else None
    return {
        "hit@50": evaluation.metrics["hit@50"] if evaluation else None,
        "hit@50_ci": list(evaluation.interval) if evaluation else None,
        "auc": evaluation.metrics["auc"] if evaluation else None,
        "validation_hit@50": validation["hit@50"] if validation else None,
    }


def status_object(folder: Path) -> dict[str, Any]:
    """Return what `status --json` prints and `runs --json` lists; missing metrics are None."""
    return run_facts(folder, read_info(folder), read_status(folder), read_snapshot(folder))


def damaged_facts(folder: Path, problem: str) -> dict[str, Any]:
    """Return the object of a run that cannot be read: all but a few values are None."""
    state = {"state": "damaged", "reason": problem}
    return dict.fromkeys(FACTS) | {"run": folder.name, "run_dir": str(folder)} | state


def run_facts(folder: Path, info: RunInfo, status: Status, snapshot: Snapshot) -> dict[str, Any]:
    """Return the object of `status_object` from what has already been read."""
    last, best = (snapshot.evaluations[-1] if snapshot.evaluations else None), snapshot.best
    damaged = bool(snapshot.problem) and status.state in FINAL_STATES
    popularity = snapshot.started.popularity if snapshot.started else None
    return {
        "run": folder.name,
        "run_dir": str(folder),
        "kind": info.kind,
        "model": info.model,
        "state": "damaged" if damaged else status.state,
        "reason": snapshot.problem if damaged else status.reason,
        "pid": status.pid if status.state not in FINAL_STATES else None,
        "host": info.host,
        "device": status.device,
        "dataset": info.dataset.name,
        "simulated": info.dataset.simulated,
        "split": split_label(protocol_of(info)),
        "preset": info.preset,
        "epoch": status.epoch,
        "epochs": snapshot.planned or info.epochs or None,
        "step": status.step,
        "steps": status.steps,
        "evaluated": status.evaluated,
        "seconds": round(snapshot.seconds(status), 1),
        **_figures(last),
        "best_epoch": best.epoch if best else None,
        "best_chosen_by": _chosen_by(best, "held-out items"),
        **{f"best_{key}": value for key, value in _figures(best).items()},
        "popularity_hit@50": popularity["hit@50"] if popularity else None,
        "checkpoint": snapshot.checkpoint.file if snapshot.checkpoint else None,
        "pinned": list(info.pins if snapshot.pinned is None else snapshot.pinned),
        "alarms": [
            {"alarm": alarm.alarm, "text": alarm.text, "since": alarm.t}
            for alarm in snapshot.alarms.values()
        ],
        "protocol": protocol_of(info),
        "created": info.created,
    }
