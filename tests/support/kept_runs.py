"""Runs of every kind of model on any dataset, made in the way of `adopt` and `baselines --keep`."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.baselines.histories import UserHistories
from neumf_tui.baselines.item_models import item_knn
from neumf_tui.data.dataset import Dataset
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.evaluation.intervals import hit_interval
from neumf_tui.evaluation.metrics import metrics_from_ranks
from neumf_tui.home import runs_dir
from neumf_tui.runs import events
from neumf_tui.runs.checkpoint import Checkpoint, TrainingProgress, save_checkpoint, set_pointer
from neumf_tui.runs.create_run import make_info
from neumf_tui.runs.writer import RunWriter, new_run
from neumf_tui.scorers.open import open_scorer
from neumf_tui.scorers.scorer import Kept

KINDS = (
    "neumf", "mlp", "vectors", "biases", "cosine", "popularity", "item_item", "scores", "top_k",
    "none",
)  # fmt: skip
LISTED = 60
"""Items of each user in the lists of a `top_k`."""


def make_model(kind: str, data: Dataset, seed: int = 0) -> Kept:
    """Return a model of one of KINDS that is about as good as popularity; `none` has vectors."""
    draw = np.random.default_rng(seed)
    users, items = data.num_users, data.num_items

    def table(rows: int, width: int) -> NDArray[np.float32]:
        return draw.normal(0, 0.3, (rows, width)).astype(np.float32)

    popular = np.log1p(data.seen_by).astype(np.float32)
    vectors = {"users": table(users, 8), "items": table(items, 8)}
    # So that the first factor is popularity.
    vectors["users"][:, 0], vectors["items"][:, 0] = 1, popular
    scores = vectors["users"] @ vectors["items"].T
    match kind:
        case "neumf" | "mlp":
            tensors = {
                "user_mlp.weight": table(users, 4), "item_mlp.weight": table(items, 4),
                "mlp.0.weight": table(6, 8), "mlp.0.bias": table(1, 6)[0],
                "head.weight": table(1, 6), "head.bias": table(1, 1)[0],
            }  # fmt: skip
            if kind == "neumf":
                tensors |= {
                    "user_gmf.weight": vectors["users"],
                    "item_gmf.weight": vectors["items"],
                }
                tensors["head.weight"] = np.concatenate(
                    [np.ones((1, 8), np.float32), table(1, 6)], 1
                )
            return Kept("neumf", tensors, {})
        case "biases":
            biases = {"user_bias": table(1, users)[0], "item_bias": popular}
            return Kept("vectors", vectors | biases, {"similarity": "dot"})
        case "cosine":
            return Kept("vectors", vectors, {"similarity": "cosine"})
        case "popularity":
            empty = {"users": table(users, 0), "items": table(items, 0), "item_bias": popular}
            return Kept("vectors", empty, {"similarity": "dot"})
        case "item_item":
            evaluator = Evaluator(data)
            return item_knn(UserHistories(evaluator.items, evaluator.offsets, items), 20).kept()
        case "scores":
            return Kept("scores", {"scores": scores}, {})
        case "top_k":
            for user in range(users):
                scores[user, data.history(user)] = -np.inf
            best = np.argsort(-scores, axis=1, kind="stable")[:, :LISTED].astype(np.int32)
            return Kept("top_k", {"items": best, "scores": np.take_along_axis(scores, best, 1)}, {})
        case _:
            return Kept("vectors", vectors, {"similarity": "dot"})


def kept_run(
    home: Path, data: Dataset, kind: str, *, name: str | None = None, epochs: int = 1
) -> Path:
    """Make a run `name`, by default `kind`, of a model of one of KINDS, and return its folder."""
    models = [make_model(kind, data, seed) for seed in range(epochs)]
    model: events.ModelKind = "none" if kind == "none" else models[0].model
    by: events.Kind = "logged" if kind == "none" else "adopted"
    info = make_info(home, data, name or kind, {}, kind=by, model=model, planned=epochs)
    evaluator = Evaluator(data)
    popular = metrics_from_ranks(evaluator.popularity_ranks(), evaluator.candidates)
    folder = runs_dir(home) / info.name
    with new_run(folder, info) as scratch, RunWriter(scratch) as writer:
        writer.event(events.Started(device="", epoch=0, step=0, steps=1, popularity=popular))
        for epoch, kept in enumerate(models, 1):
            _add_epoch(writer, evaluator, epoch, kept, with_model=kind != "none")
        writer.event(events.Finished(state="finished", reason=""))
        ended: dict[str, Any] = {"epoch": epochs, "epochs": epochs, "steps": 1}
        writer.status(events.Status(state="finished", pid=os.getpid(), **ended))
    return folder


def _add_epoch(
    writer: RunWriter, evaluator: Evaluator, epoch: int, kept: Kept, with_model: bool
) -> None:
    data = evaluator.dataset
    ranks = evaluator.ranks(open_scorer(*kept, data))
    writer.ranks(epoch, ranks)
    metrics = metrics_from_ranks(ranks, evaluator.candidates)
    interval = hit_interval(ranks)
    writer.event(events.Evaluated(epoch=epoch, metrics=metrics, interval=interval, seconds=0.0))
    if with_model:
        progress = TrainingProgress(epoch=epoch)
        about = Checkpoint(fingerprint=data.fingerprint, progress=progress, shape=kept.shape)
        path = save_checkpoint(writer.folder, kept.tensors, about)
        set_pointer(writer.folder, "best", path.name)
        writer.event(events.Checkpointed(epoch=epoch, step=0, file=path.name))
