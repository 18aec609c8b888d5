"""Copies for Weights & Biases, in a run of their project; offline where WANDB_MODE says so."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb
from wandb.errors import Error

from neumf_tui.errors import NeumfTuiError
from neumf_tui.mirrors.sink import Batch, Place, Position

PROJECT = "neumf-tui"


class WandbSink:
    """Writes a run's curves; what has been copied is remembered in wandb's own folder."""

    keeps_void_points = True

    def __init__(self, run: str, created: float, config: Mapping[str, Any], project: str) -> None:
        """`project`: the empty text is WANDB_PROJECT, or else PROJECT."""
        folder = Path(os.environ.get("WANDB_DIR") or ".") / "wandb"
        project = project or os.environ.get("WANDB_PROJECT") or PROJECT
        self._place = Place(folder / f"neumf-tui-{project}-{run}".replace("/", "_"))
        try:
            self._run = wandb.init(
                project=project,
                name=run,
                # The same run of theirs when this one is copied further.
                id=hashlib.sha256(f"{run} {created}".encode()).hexdigest()[:16],
                resume="allow",
                config=dict(config),
                settings=wandb.Settings(console="off", x_disable_stats=True, disable_git=True),
            )
        except Error as error:
            self._place.close()
            raise NeumfTuiError(f"wandb: {error}; WANDB_MODE=offline writes files only") from error
        self._run.define_metric("*", step_metric="step")

    def position(self) -> Position | None:
        return self._place.read()

    def go_back(self, step: int, t: float) -> None:
        """Do nothing: points cannot be taken back there."""

    def write(self, batch: Batch, position: Position) -> None:
        rows: dict[int, dict[str, Any]] = {}
        for point in batch.points:
            rows.setdefault(point.step, {})[point.name] = point.value
        for histogram in batch.histograms:
            bins = histogram.counts, histogram.edges
            rows.setdefault(histogram.step, {})["ranks"] = wandb.Histogram(np_histogram=bins)
        for step, values in rows.items():
            self._run.log({"step": step, **values})
        self._place.write(position)

    def close(self, state: str) -> None:
        self._run.finish(exit_code=int(state in ("failed", "crashed")))
        self._place.close()
