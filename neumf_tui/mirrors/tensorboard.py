"""Copies for TensorBoard: event files in a folder for each run. Needs no torch, no TensorFlow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from neumf_tui.mirrors.sink import Batch, Place, Position, RankHistogram


class TensorBoardSink:
    """Writes a run's curves to `FOLDER/RUN`."""

    keeps_void_points = False

    def __init__(self, folder: Path, run: str, settings: Mapping[str, Any]) -> None:
        self._place = Place(folder / run)
        is_new = self._place.read() is None
        self._writer = EventFileWriter(str(self._place.folder))
        if is_new:
            self._add(0, 0.0, _settings(settings))

    def position(self) -> Position | None:
        return self._place.read()

    def go_back(self, step: int, t: float) -> None:
        # TensorBoard discards the points from the step of such an event on.
        start = SessionLog(status=SessionLog.START)
        self._writer.add_event(Event(wall_time=t, step=step + 1, session_log=start))

    def write(self, batch: Batch, position: Position) -> None:
        for point in batch.points:
            value = Summary.Value(tag=point.name, simple_value=point.value)
            self._add(point.step, point.t, Summary(value=[value]))
        for histogram in batch.histograms:
            value = Summary.Value(tag="ranks", histo=_histogram(histogram))
            self._add(histogram.step, histogram.t, Summary(value=[value]))
        self._writer.flush()
        self._place.write(position)

    def _add(self, step: int, t: float, summary: Summary) -> None:
        self._writer.add_event(Event(wall_time=t, step=step, summary=summary))

    def close(self, state: str) -> None:
        self._writer.close()
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
