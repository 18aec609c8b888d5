"""Copies for MLflow, in a run of an experiment: on a server, in a database or in a folder."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from neumf_tui.errors import NeumfTuiError, RunError
from neumf_tui.mirrors.sink import Batch, Position

T = TypeVar("T")
EXPERIMENT = "neumf-tui"
RUN, CREATED, POSITION = "neumf_tui.run", "neumf_tui.created", "neumf_tui.position"
"""Tags of a run of theirs."""
STATES = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED", "crashed": "FAILED"}
MOST_METRICS, MOST_PARAMS = 500, 100
"""In one request, of which the server takes at most 1,000 together."""
LONGEST = 500
"""Characters of a setting's value."""


class MlflowSink:
    """Writes a run's curves; what has been copied is remembered in a tag of their run."""

    keeps_void_points = True

    def __init__(self, run: str, created: float, params: Mapping[str, Any], uri: str) -> None:
        """`uri`: the empty text is MLFLOW_TRACKING_URI, or else the folder `mlruns`."""
        with _errors():
            self._client = MlflowClient(tracking_uri=uri or None)
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
            found = self._client.get_experiment_by_name(name)
            experiment = found.experiment_id if found else self._client.create_experiment(name)
            self._id = self._find(experiment, run, created)
            if not self._id:
                tags = {RUN: run, CREATED: str(created)}
                made = self._client.create_run(experiment, run_name=run, tags=tags)
                self._id = made.info.run_id
                texts = [Param(_name(key), str(value)[:LONGEST]) for key, value in params.items()]
                for part in _parts(texts, MOST_PARAMS):
                    self._client.log_batch(self._id, params=part)
            self._client.update_run(self._id, status="RUNNING")

    def _find(self, experiment: str, run: str, created: float) -> str:
        """Return the id of the run of theirs that holds a copy already, or an empty text."""
        found = self._client.search_runs([experiment], f"tags.`{CREATED}` = '{created}'")
        return next((one.info.run_id for one in found if one.data.tags.get(RUN) == run), "")

    def position(self) -> Position | None:
        with _errors():
            text = self._client.get_run(self._id).data.tags.get(POSITION)
        if text is None:
            return None
        try:
            return msgspec.json.decode(text, type=Position)
        except ValueError as error:
            raise RunError(
                f"mlflow: the tag {POSITION} of {self._id} is damaged: {error}"
            ) from error

    def go_back(self, step: int, t: float) -> None:
        """Do nothing: points cannot be taken back there."""

    def write(self, batch: Batch, position: Position) -> None:
        metrics = [
            Metric(_name(point.name), point.value, int(1000 * point.t), point.step)
            for point in batch.points
        ]
        # There are no histograms: each bin is a curve.
        metrics += [
            Metric(f"ranks/{name}", share, int(1000 * histogram.t), histogram.step)
            for histogram in batch.histograms
            for name, share in histogram.named_shares.items()
        ]
        with _errors():
            for part in _parts(metrics, MOST_METRICS):
                self._client.log_batch(self._id, metrics=part)
            tag = RunTag(POSITION, msgspec.json.encode(position).decode())
            self._client.log_batch(self._id, tags=[tag])

    def close(self, state: str) -> None:
        if state:
            with _errors():
                self._client.set_terminated(self._id, STATES.get(state, "FINISHED"))


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        raise NeumfTuiError(f"mlflow: {error}") from error


def _parts(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _name(name: str) -> str:
    """Return a name with only characters that MLflow takes, and at most one `/`."""
    head, _, rest = name.replace("@", "_at_").partition("/")
    parts = (re.sub(r"[^\w. -]|^\.+$", "_", part) for part in (head, rest))
    return "/".join(filter(None, parts))
