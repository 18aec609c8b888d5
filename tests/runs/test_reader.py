"""Reading run directories: incomplete, truncated, replaced, resumed and crashed ones."""

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from neumf_tui.errors import RunError, UsageError
from neumf_tui.runs import events
from neumf_tui.runs.reader import EventTail, read_info, read_snapshot, read_status
from neumf_tui.runs.snapshot import Snapshot, fold
from neumf_tui.runs.store import find_run, new_run_name
from neumf_tui.runs.writer import RunWriter
from tests.support.golden_runs import POPULARITY, T0, make_run


def test_a_torn_last_line_waits_for_its_end(own_home: Path) -> None:
    path = make_run(own_home, "running", epochs=1) / "events.jsonl"
    whole = path.read_bytes()
    cut = len(whole) - 7
    path.write_bytes(whole[:cut])
    tail = EventTail(path.parent)
    first = tail.read()
    with path.open("ab") as file:
        file.write(whole[cut:])
    rest = tail.read()
    assert len(rest) == 1 and isinstance(rest[0], events.Checkpointed)
    assert len(first) == 4 and not tail.restarted


def test_a_truncated_or_replaced_file_is_read_anew(own_home: Path) -> None:
    path = make_run(own_home, "running", epochs=2) / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    tail = EventTail(path.parent)
    assert len(tail.read()) == len(lines)
    path.write_bytes(b"".join(lines[:3]))
    assert len(tail.read()) == 3 and tail.restarted
    other = path.with_name("other")
    other.write_bytes(b"".join(lines))
    os.replace(other, path)
    assert len(tail.read()) == len(lines) and tail.restarted


def test_unknown_kinds_fields_and_damaged_lines_are_passed_over(own_home: Path) -> None:
    path = make_run(own_home, "running", epochs=1) / "events.jsonl"
    with path.open("ab") as file:
        file.write(b'{"t":1,"kind":"from-the-future","x":1}\n\xff{garbage\n')
        file.write(b'{"t":1,"kind":"warning","text":"careful","more":2}\n')
    assert read_snapshot(path.parent).log[-1] == (1.0, "careful")


def test_a_resumed_run_holds_no_figure_twice(own_home: Path) -> None:
    folder = make_run(own_home, "running", epochs=3)
    before = read_snapshot(folder)
    again = events.Started(t=T0, device="cpu", epoch=1, step=4, steps=10, popularity=POPULARITY)
    after = fold(before, [again, events.Steps(t=T0, steps=[15, 16], losses=[0.1, None])])
    assert after.points.steps.tolist() == [*range(1, 15), 15, 16] and np.isnan(
        after.points.values[-1]
    )
    assert [e.epoch for e in after.epochs] == [e.epoch for e in after.evaluations] == [1]
    assert before.points.steps[-1] == 30, "the snapshot before is not changed"


def test_best_is_the_earliest_of_the_highest(own_home: Path) -> None:
    snapshot = read_snapshot(make_run(own_home, "finished"))
    assert snapshot.best is not None and snapshot.best.epoch == 3
    assert Snapshot().best is None


def test_a_killed_writers_torn_line_is_cut_before_going_on(own_home: Path) -> None:
    folder = make_run(own_home, "running", epochs=1)
    with (folder / "events.jsonl").open("ab") as file:
        file.write(b'{"kind":"warn')
    with RunWriter(folder) as writer:
        writer.event(events.Warned(t=T0, text="on we go"))
    assert read_snapshot(folder).log[-1][1] == "on we go"


def test_state_is_crashed_only_where_nobody_holds_the_lock(own_home: Path) -> None:
    folder = make_run(own_home, "running")
    assert read_status(folder).state == "crashed"
    with RunWriter(folder):
        assert read_status(folder).state == "running"
        with pytest.raises(RunError, match="another trainer is working"), RunWriter(folder):
            pass
    assert read_status(make_run(own_home, "finished", name="f")).state == "finished"
    starting = make_run(own_home, "starting", name="s")
    assert read_status(starting).state == "starting"
    old = events.Status(state="starting", pid=0, t=T0)
    (starting / "status.json").write_bytes(msgspec.json.encode(old))
    assert read_status(starting).state == "crashed", "a trainer that never came up"


def test_runs_are_found_by_name_prefix_path_or_as_the_latest(own_home: Path) -> None:
    with pytest.raises(RunError, match="neumf-tui train"):
        find_run(own_home, None)
    make_run(own_home, "finished", name="quiet-owl-01")
    late = make_run(own_home, "finished", name="quiet-fox-02")
    os.utime(late / "run.json", (T0 + 9e8, T0 + 9e8))
    assert find_run(own_home, None) == late
    assert find_run(own_home, "quiet-f") == late
    assert find_run(own_home, str(late)) == late
    with pytest.raises(RunError, match="not unique"):
        find_run(own_home, "quiet")
    with pytest.raises(RunError, match="there are quiet-fox-02"):
        find_run(own_home, "loud")


def test_damaged_run_files_are_named(own_home: Path) -> None:
    folder = make_run(own_home, "finished")
    (folder / "status.json").write_text("{")
    assert "status.json cannot be read" in read_status(folder).reason
    (folder / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"run.json: cannot be read"):
        read_info(folder)


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a b", "-x"])
def test_names_that_are_no_folder_names(own_home: Path, name: str) -> None:
    with pytest.raises(UsageError, match="run name"):
        new_run_name(own_home, name)
