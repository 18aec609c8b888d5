"""Copies of runs: each point once, also after a break, and nothing of another run."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from neumf_tui.errors import RunError, UsageError
from neumf_tui.mirrors.copier import Copier, mirror
from neumf_tui.mirrors.sink import Batch, Place, Position, RankHistogram
from neumf_tui.runs import events
from neumf_tui.runs.reader import read_info
from neumf_tui.runs.writer import RunWriter
from tests.support.golden_runs import T0, make_run
from tests.support.logged_runs import make_logged


class Kept:
    """A sink that keeps what it is given; `void_after` are the steps it went back to."""

    keeps_void_points = True

    def __init__(self) -> None:
        self.points: list[tuple[str, int, float]] = []
        self.histograms: list[RankHistogram] = []
        self.void_after: list[int] = []
        self.at: Position | None = None
        self.state: str | None = None

    def position(self) -> Position | None:
        return self.at

    def go_back(self, step: int, t: float) -> None:
        self.void_after.append(step)

    def write(self, batch: Batch, position: Position) -> None:
        self.points += [(point.name, point.step, point.value) for point in batch.points]
        self.histograms += batch.histograms
        self.at = position

    def close(self, state: str) -> None:
        self.state = state

    def steps(self, name: str) -> list[int]:
        return [step for found, step, _ in self.points if found == name]


def copy(folder: Path, sink: Kept) -> list[str]:
    told: list[str] = []
    mirror(folder, sink, told.append, once=True)
    return told


def test_a_run_is_copied_once_however_often(own_home: Path) -> None:
    folder, sink = make_run(own_home, "finished", validation=(0.1, 0.2, 0.3)), Kept()
    assert copy(folder, sink) == [] and sink.state == "finished"
    assert sink.steps("loss") == list(range(1, 31))
    assert sink.steps("heldout/hit@50") == sink.steps("validation/auc") == [10, 20, 30]
    assert ("validation/hit@50", 20, 0.2) in sink.points
    assert [histogram.step for histogram in sink.histograms] == [10, 20, 30]
    first = sink.histograms[0]
    assert first.counts.sum() == 4 and len(first.edges) == len(first.counts) + 1
    assert first.named_shares["1-10"] == 0.25 and sum(first.named_shares.values()) == 1
    before = list(sink.points)
    copy(folder, sink)
    assert sink.points == before, "nothing is repeated"
    with RunWriter(folder) as writer:
        writer.event(events.Steps(t=T0 + 9, steps=[31], losses=[None]))
    copy(folder, sink)
    assert sink.points[: len(before)] == before
    ((name, step, value),) = sink.points[len(before) :]
    assert (name, step) == ("loss", 31) and np.isnan(value)
    assert sink.void_after == [30], "what a killed copier wrote without remembering it is void"


def test_a_resumed_run_takes_back_what_it_repeats(own_home: Path) -> None:
    folder, sink = make_run(own_home, "stopped"), Kept()
    copy(folder, sink)
    with RunWriter(folder) as writer:
        writer.event(events.Started(t=T0 + 9, device="cpu", epoch=1, step=5, steps=10))
        writer.event(events.Steps(t=T0 + 9, steps=[16, 17], losses=[1.0, 2.0]))
    told = copy(folder, sink)
    assert sink.void_after == [30, 15] and sink.steps("loss")[-2:] == [16, 17]
    assert len(told) == 1 and "resumed at step 15" in told[0]


def test_a_loop_of_ones_own_has_the_steps_that_it_tells(own_home: Path) -> None:
    sink = Kept()
    copy(make_logged(own_home, scalars=["lr"]), sink)
    assert sink.steps("heldout/auc") == [10, 20, 30] and sink.steps("logged/lr")[-1] == 30
    assert len(sink.steps("logged/lr")) == 30
    silent = Kept()
    copy(make_logged(own_home, name="silent", loss=False), silent)
    assert silent.steps("heldout/auc") == [1, 2, 3], "without steps by epochs"


def test_what_is_wrong_with_a_run_is_said(own_home: Path) -> None:
    folder, sink = make_run(own_home, "finished"), Kept()
    with (folder / "events.jsonl").open("ab") as file:
        file.write(b"not JSON\n")
    (folder / "ranks" / "00002.npy").write_bytes(b"x")
    told = copy(folder, sink)
    assert [text.split(":")[0] for text in told] == ["warning", "warning"]
    assert "epoch 2" in told[0] and "is damaged" in told[1]
    assert [histogram.step for histogram in sink.histograms] == [10, 30]
    other = msgspec.structs.replace(read_info(folder), created=T0 + 1)
    (folder / "run.json").write_bytes(msgspec.json.encode(other))
    with pytest.raises(UsageError, match="another run named golden"):
        copy(folder, sink)


def test_a_run_that_goes_away_ends_the_copy(own_home: Path) -> None:
    folder, sink = make_run(own_home, "running"), Kept()
    with RunWriter(folder), pytest.raises(RunError, match="not there any more"):
        mirror(folder, sink, print, stop=lambda _: not folder.rename(own_home / "elsewhere"))
    assert sink.points and sink.state == ""
    folder, sink = make_run(own_home, "finished", name="cut"), Kept()
    copier = Copier(folder, sink, print)
    copier.copy()
    (folder / "events.jsonl").write_bytes(b"")
    with pytest.raises(RunError, match="replaced or shortened"):
        copier.copy()


def test_one_folder_takes_one_copy_at_a_time(tmp_path: Path) -> None:
    place = Place(tmp_path / "board")
    with pytest.raises(RunError, match="another `neumf-tui mirror`"):
        Place(tmp_path / "board")
    place.write(Position(run="a", created=1.5, events=3, t=2.5))
    place.close()
    again = Place(tmp_path / "board")
    assert again.read() == Position(run="a", created=1.5, events=3, t=2.5)
    again.close()
