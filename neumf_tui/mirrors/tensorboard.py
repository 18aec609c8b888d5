"""Copies for TensorBoard: event files in a folder for each run. Needs no torch, no TensorFlow."""

import io
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo
from tensorboard.summary.writer.record_writer import RecordWriter

from neumf_tui import files
from neumf_tui.mirrors.sink import Batch, Place, Position, RankHistogram

VERSION = "brain.Event:2"
"""What an event file starts with."""


class TensorBoardSink:
    """Writes a run's curves to `FOLDER/RUN`.

    TensorBoard's own writer has a thread, in which errors such as a full disk are lost.
    """

    keeps_void_points = False

    def __init__(self, folder: Path, run: str, settings: Mapping[str, Any]) -> None:
        self._place = Place(folder / run)
        parts = f"{time.time():.0f}", socket.gethostname(), str(os.getpid()), "neumf-tui"
        self._name = f"events.out.tfevents.{'.'.join(parts)}"  # they are read in this order
        self._file = files.open_to_append(self._place.folder, self._name)
        self._batch = io.BytesIO()
        self._records = RecordWriter(self._batch)
        self._add(Event(wall_time=time.time(), file_version=VERSION))
        if self._place.read() is None:
            self._add(Event(wall_time=time.time(), summary=_settings(settings)))

    def position(self) -> Position | None:
        return self._place.read()

    def go_back(self, step: int, t: float) -> None:
        # TensorBoard discards the points from the step of such an event on.
        start = SessionLog(status=SessionLog.START)
        self._add(Event(wall_time=t, step=step + 1, session_log=start))

    def write(self, batch: Batch, position: Position) -> None:
        values = [
            (point.step, point.t, Summary.Value(tag=point.name, simple_value=point.value))
            for point in batch.points
        ]
        values += [
            (one.step, one.t, Summary.Value(tag="ranks", histo=_histogram(one)))
            for one in batch.histograms
        ]
        for step, t, value in values:
            self._add(Event(wall_time=t, step=step, summary=Summary(value=[value])))
        with files.named(self._place.folder / self._name):
            rest = self._batch.getvalue()
            while rest:
                rest = rest[self._file.write(rest) :]
        self._batch.seek(0)
        self._batch.truncate()
        self._place.write(position)

    def _add(self, event: Event) -> None:
        self._records.write(event.SerializeToString())

    def close(self, state: str) -> None:
        self._file.close()
        self._place.close()


def _settings(settings: Mapping[str, Any]) -> Summary:
    """Return the hyper-parameters of the run, for the table of them."""
    start = SessionStartInfo()
    for name, value in settings.items():
        match value:
            case bool():
                start.hparams[name].bool_value = value
            case int() | float():
                start.hparams[name].number_value = value
            case _:
                start.hparams[name].string_value = str(value)
    about = metadata.create_summary_metadata(HParamsPluginData(session_start_info=start))
    value = Summary.Value(
        tag=metadata.SESSION_START_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR
    )
    return Summary(value=[value])


def _histogram(found: RankHistogram) -> HistogramProto:
    return HistogramProto(
        min=found.edges[0],
        max=found.edges[-1],
        num=len(found.ranks),
        sum=float(found.ranks.sum()),
        sum_squares=float((found.ranks**2).sum()),
        bucket_limit=found.edges[1:].tolist(),
        bucket=found.counts.tolist(),
    )
