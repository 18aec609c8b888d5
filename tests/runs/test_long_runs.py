"""Runs of many epochs are read in bounded memory, and what matters of them stays."""

from pathlib import Path

import numpy as np
import pytest

from neumf_tui.runs import events, reader
from neumf_tui.runs.curve import LIMIT, Points
from neumf_tui.runs.live_runs import RunList
from neumf_tui.runs.reader import EventTail, SnapshotTail, read_losses, read_snapshot
from neumf_tui.runs.snapshot import EPOCHS_LIMIT, LOG_LIMIT
from neumf_tui.runs.writer import RunWriter
from neumf_tui.tui.widgets.curves import RunSeries
from neumf_tui.views.log import follow_log
from tests.support.golden_runs import METRICS, make_info, make_run

LAST = 5_000
PEAK, LOW = 1_501, 777
"""Epochs with the highest and the lowest Hit@50; neither is a multiple of two."""


def add_epochs(writer: RunWriter, first: int, last: int) -> None:
    for epoch in range(first, last + 1):
        t, loss = 1e9 + epoch, 1 / epoch
        hit = {PEAK: 0.9, LOW: 0.01}.get(epoch, 0.3)
        writer.event(events.Steps(t=t, steps=[2 * epoch - 1, 2 * epoch], losses=[loss, loss]))
        done = events.Epoch(t=t, epoch=epoch, loss=loss, examples_per_second=1.0, seconds=1.0)
        writer.event(done)
        found = METRICS | {"hit@50": hit}
        interval = (0.2, 0.4)
        writer.event(
            events.Evaluated(t=t, epoch=epoch, metrics=found, interval=interval, seconds=0.1)
        )


@pytest.fixture
def long(own_home: Path) -> Path:
    folder = make_run(own_home, "finished", epochs=0, name="long")
    with RunWriter(folder) as writer:
        add_epochs(writer, 1, LAST)
    return folder


def test_a_snapshot_keeps_the_first_the_newest_and_the_extremes(long: Path) -> None:
    snapshot = read_snapshot(long)
    epochs = [evaluation.epoch for evaluation in snapshot.evaluations]
    assert epochs == sorted(set(epochs)) and len(epochs) <= EPOCHS_LIMIT + 1
    assert {1, LOW, PEAK, *range(LAST - 99, LAST + 1), *range(32, LAST, 32)} <= set(epochs)
    assert snapshot.best is not None and snapshot.best.epoch == PEAK
    assert len(snapshot.evaluated_at) == len(epochs)
    assert len(snapshot.epochs) <= EPOCHS_LIMIT + 1 and snapshot.epochs[-1].epoch == LAST
    assert len(snapshot.points) <= LIMIT and snapshot.points.steps[-1] == 2 * LAST
    assert snapshot.points.values[0] == 1
    assert len(snapshot.log) == LOG_LIMIT and snapshot.logged == LAST + 2
    assert read_losses(long) == {epoch: 1 / epoch for epoch in range(1, LAST + 1)}


def test_reading_at_once_and_as_it_grows_give_the_same(own_home: Path, long: Path) -> None:
    folder = make_run(own_home, "finished", epochs=0, name="grown")
    tail, series = SnapshotTail(folder), RunSeries(make_info("grown", own_home))
    tail.read()
    with RunWriter(folder) as writer:
        for first in range(1, LAST, 250):
            add_epochs(writer, first, first + 249)
            series.update(tail.read())
    whole, grown = read_snapshot(long), tail.read()
    assert grown.evaluations == whole.evaluations and grown.epochs == whole.epochs
    assert grown.log[-9:] == whole.log[-9:] and grown.logged == whole.logged
    np.testing.assert_array_equal(grown.points.steps, whole.points.steps)
    np.testing.assert_array_equal(grown.points.values, whole.points.values)
    at_once = RunSeries(series.info)
    at_once.update(grown)
    np.testing.assert_array_equal(series.smoothed, at_once.smoothed)
    assert tail.read() is grown


def test_the_log_is_printed_whole_and_events_are_read_in_pieces(
    long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "PIECE", 700)
    assert max(map(len, EventTail(long).pieces())) == 700
    assert sum("Hit@50" in line for line in follow_log(long, follow=False)) == LAST


def test_peaks_of_a_curve_stay() -> None:
    points, rng = Points(), np.random.default_rng(0)
    losses = rng.random(50_000)
    losses[[7_001, 31_003]] = 5.0, -5.0
    for start in range(0, 50_000, 16):
        steps = list(range(start + 1, start + 17))
        points = points.appended(steps, np.array(steps, float), losses[start : start + 16].tolist())
        assert len(points) <= LIMIT
    assert {7_002, 31_004} <= set(points.steps.tolist())
    np.testing.assert_array_equal(losses[points.steps - 1], points.values)
    gaps = np.diff(points.steps)
    assert gaps.min() > 0 and gaps.max() < 50_000 / LIMIT * 20
    before = points.until(20_000)
    assert before.steps[-1] <= 20_000 < points.steps[-1]


def test_ended_runs_are_not_read_again(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        make_run(own_home, "finished", name=f"run-{number}")
    runs = RunList(own_home)
    first = runs.read()
    opened: list[str] = []
    whole = reader.files.open_to_read

    def counted(folder: Path, name: str) -> object:
        opened.append(f"{folder.name}/{name}")
        return whole(folder, name)

    monkeypatch.setattr(reader.files, "open_to_read", counted)
    again = runs.read()
    assert opened == [] and all(a is b for a, b in zip(first, again, strict=True))
    with RunWriter(own_home / "runs" / "run-1") as writer:
        writer.event(events.Warned(text="careful"))
    opened.clear()
    third = {row.folder.name: row for row in runs.read()}
    assert {name.partition("/")[0] for name in opened} == {"run-1"}
    before = {row.folder.name: row.snapshot for row in first}
    assert third["run-1"].snapshot.logged == before["run-1"].logged + 1
    assert not third["run-1"].snapshot.log, "nobody sees the lines here, so they take no memory"
