"""Requests to a running trainer from the command line, and their effects."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.waiting import wait_for
from neumf_tui.errors import RunError, UsageError
from neumf_tui.runs import requests
from neumf_tui.runs.control import ask, delete_run, rename_run, stop_now
from neumf_tui.runs.events import Paused, Requested, Resumed
from neumf_tui.runs.reader import (
    EventTail,
    is_locked,
    rank_epochs,
    read_info,
    read_ranks,
    read_snapshot,
    read_status,
)
from neumf_tui.runs.requests import Request, send_request, take_requests
from neumf_tui.runs.writer import RunWriter
from tests.support.commands import Cli
from tests.support.golden_runs import make_run
from tests.support.processes import long_run


@pytest.fixture
def live(inside: Cli, with_demo: Path) -> Iterator[Path]:
    """Start a trainer on the demo dataset that would run for hours."""
    with long_run(inside, with_demo, "--pin", "sim-007") as folder:
        yield folder


def test_pause_checkpoint_and_resume(inside: Cli, live: Path) -> None:
    done = inside("pause", "live")
    assert done.returncode == 0 and "live is paused" in done.stderr
    snapshot = read_snapshot(live)
    first = snapshot.points.steps[-1]
    seconds = snapshot.seconds(read_status(live))
    assert inside("pause").returncode == 0, "it is so already"
    facts = json.loads(inside("status", "--json").stdout)
    assert facts["state"] == "paused" and facts["pinned"] == ["sim-007"] and facts["step"] > 0
    assert inside("checkpoint", "live").returncode == 0
    wait_for(lambda: len(list((live / "checkpoints").glob("*-*.safetensors"))) == 1)
    name = next((live / "checkpoints").glob("*-*.safetensors")).name
    assert name == f"{facts['epoch']:05}-{facts['step']:05}.safetensors"
    after = read_snapshot(live)
    assert after.points.steps[-1] == first, "nothing was trained meanwhile"
    assert after.seconds(read_status(live)) == seconds, "and the clock stood still"
    assert "resumed" not in [text for _, text in after.log]
    assert "live is running" in inside("resume", "live").stderr
    wait_for(lambda: int(read_snapshot(live).points.steps[-1]) > first)
    assert "paused" in inside("logs", "live").stdout and "resumed" in inside("logs", "live").stdout


@pytest.mark.slow
def test_stop_saves_inside_an_epoch_and_resume_goes_on_in_the_background(
    cli: Cli, live: Path
) -> None:
    done = cli("stop", "live")
    assert done.returncode == 0 and "live is stopped" in done.stderr
    at = read_snapshot(live).checkpoint
    assert at is not None and read_status(live).reason == "stopped on request"
    again = cli("resume", "live")
    assert again.returncode == 0, again.stderr
    wait_for(lambda: is_locked(live) and read_snapshot(live).evaluations[-1].epoch > at.epoch)
    assert not list((live / "requests").iterdir())


@pytest.mark.slow
def test_a_lost_prepared_dataset_is_made_anew_or_missed_before_the_start(
    inside: Cli, trained: Path, own_home: Path, ml100k: Path
) -> None:
    import shutil

    data = ("--dataset", "ml-100k", "--data-dir", str(ml100k))
    assert (
        inside(
            "train", "--preset", "d2l", *data, "--epochs", "1", "--plain", "--name", "real"
        ).returncode
        == 0
    )
    shutil.rmtree(own_home / "datasets" / "prepared")
    assert inside("rank", "196", "--run", "real").returncode == 0, "from where the run had it"
    shutil.rmtree(own_home / "datasets" / "prepared")
    info = own_home / "runs" / "real" / "run.json"
    info.write_text(info.read_text().replace(str(ml100k), "/nowhere"))
    lost = inside("extend", "2", "real")
    assert lost.returncode == 3 and "NEUMF_TUI_DATA" in lost.stderr
    facts = json.loads(inside("status", "real", "--json").stdout)
    assert (facts["state"], facts["epoch"]) == ("finished", 1), "nothing was begun"
    assert inside("extend", "11", "trained").returncode == 0, "the demo set is always to be had"
    wait_for(lambda: read_status(trained).epoch == 11)


def test_the_clock_counts_training_alone(own_home: Path) -> None:
    from neumf_tui.runs import events
    from neumf_tui.runs.snapshot import Snapshot, fold
    from tests.support.golden_runs import POPULARITY, T0

    def started(t: float, step: int) -> events.Started:
        return events.Started(
            t=T0 + t, device="cpu", epoch=0, step=step, steps=10, popularity=POPULARITY
        )

    def steps(t: float, *numbers: int) -> events.Steps:
        return events.Steps(t=T0 + t, steps=list(numbers), losses=[0.5] * len(numbers))

    status = events.Status(state="stopped", pid=1, t=T0 + 900)
    run = fold(Snapshot(), [started(0, 0), steps(4, 1, 2), events.Paused(t=T0 + 5)])
    assert run.seconds(status) == 5
    run = fold(
        run,
        [
            events.Requested(t=T0 + 60, what="stop"),
            events.Finished(t=T0 + 65, state="stopped", reason=""),
        ],
    )
    assert run.seconds(status) == 5, "a pause that ends in a stop"
    run = fold(
        run,
        [
            started(100, 2),
            steps(103, 3),
            events.Paused(t=T0 + 104),
            events.Resumed(t=T0 + 110),
            steps(112, 4),
        ],
    )
    assert run.seconds(status) == 4 + 4 + 2, (
        "what was done again after the last point does not count twice"
    )
    assert run.points.seconds.tolist() == [2, 4, 7, 10]
    assert run.seconds(events.Status(state="crashed", pid=1, t=T0 + 500)) == 10


def test_a_long_evaluation_stands_in_the_place_of_the_steps(own_home: Path) -> None:
    from neumf_tui.runs.summary import status_object
    from neumf_tui.tui.train.text import progress_line
    from neumf_tui.views.runs import card_lines

    folder = make_run(own_home, "running")
    info, snapshot = read_info(folder), read_snapshot(folder)
    status = msgspec.structs.replace(read_status(folder), state="running", epoch=3, evaluated=0.374)
    assert (
        "epoch 3/" in (line := progress_line(info, status, snapshot, 100).plain)
        and "evaluating 37%" in line
        and "step" not in line
    )
    line = progress_line(info, msgspec.structs.replace(status, evaluated=0.0), snapshot, 100).plain
    assert "evaluating" not in line and "step" in line
    (folder / "status.json").write_bytes(msgspec.json.encode(status))
    assert status_object(folder)["evaluated"] == 0.374
    assert ", evaluating 37%" in card_lines(status_object(folder))[1]


def test_a_run_about_to_be_trained_again_keeps_its_place(own_home: Path) -> None:
    from neumf_tui.runs.writer import reopen_run

    folder = make_run(own_home, "stopped")
    reopen_run(folder)
    status = read_status(folder)
    assert (status.state, status.epoch, status.device, status.reason) == ("starting", 3, "cpu", "")


def test_stop_now_writes_no_checkpoint(inside: Cli, live: Path) -> None:
    assert inside("pause", "live").returncode == 0
    before = sorted(path.name for path in (live / "checkpoints").iterdir())
    done = inside("stop", "live", "--now")
    assert done.returncode == 0 and "without a checkpoint" in read_status(live).reason
    assert sorted(path.name for path in (live / "checkpoints").iterdir()) == before
    assert not is_locked(live)


@pytest.mark.slow
def test_stop_now_kills_a_trainer_that_hangs(live: Path) -> None:
    os.kill(read_status(live).pid, signal.SIGSTOP)
    assert stop_now(live, limit=0.3).state == "crashed" and not is_locked(live)


@pytest.mark.slow
def test_extend_a_living_run_down_to_an_end_and_an_ended_one_further(
    inside: Cli, live: Path
) -> None:
    assert inside("pause", "live").returncode == 0
    near = read_status(live).epoch + 3
    refused = inside("extend", "0", "live")
    assert refused.returncode == 2
    assert inside("extend", str(near), "live").returncode == 0
    assert read_status(live).epochs in (near, 100_000)
    assert inside("resume", "live").returncode == 0
    wait_for(lambda: read_status(live).state == "finished")
    assert read_status(live).epoch == near and read_snapshot(live).planned == near
    # 15 epochs in two pieces are the same as in one.
    more = inside("train", "--resume", "live", "--epochs", str(near + 2), "--plain")
    assert more.returncode == 0, more.stderr
    whole = inside(
        "train",
        "--preset",
        "d2l",
        "--dataset",
        "demo",
        "--epochs",
        str(near + 2),
        "--threads",
        "1",
        "--name",
        "whole",
        "--plain",
    )
    assert whole.returncode == 0
    other = live.parent / "whole"
    assert rank_epochs(live) == rank_epochs(other)
    for epoch in rank_epochs(other):
        np.testing.assert_array_equal(read_ranks(live, epoch), read_ranks(other, epoch))
    facts = json.loads(inside("status", "live", "--json").stdout)
    assert (facts["epoch"], facts["epochs"], facts["state"]) == (near + 2, near + 2, "finished")


@pytest.mark.slow
def test_pins_are_kept_by_the_trainer(inside: Cli, live: Path) -> None:
    assert read_info(live).pins == ("sim-007",)
    assert (
        "sim-007, sim-100, sim-200" in inside("pin", "sim-100", "sim-200", "--run", "live").stderr
    )
    assert "sim-100, sim-200" in inside("pin", "sim-007", "--run", "live", "--remove").stderr
    assert read_snapshot(live).pinned == ("sim-100", "sim-200")
    with pytest.raises(RunError, match="no user 'nobody'"):
        ask(live, requests.PIN, "nobody")
    assert inside("stop", "live").returncode == 0 and inside("resume", "live").returncode == 0
    assert json.loads(inside("status", "live", "--json").stdout)["pinned"] == ["sim-100", "sim-200"]


def test_a_request_nobody_knows_is_a_warning(live: Path) -> None:
    send_request(live, "dance")
    wait_for(
        lambda: (
            "request dance: this version does not know it"
            in [text for _, text in read_snapshot(live).log]
        )
    )


def test_a_living_run_is_neither_deleted_nor_renamed(inside: Cli, live: Path) -> None:
    for command in (["delete", "live", "--yes"], ["rename", "live", "other"]):
        refused = inside(*command)
        assert refused.returncode == 4 and "stop it before" in refused.stderr
    assert inside("train", "--resume", "live", "--plain").returncode == 4
    refused = inside("train", "--resume", "live", "--epochs", "100001", "--on-finish", "true")
    assert (
        refused.returncode == 2
        and "leave these flags out" in refused.stderr
        and read_snapshot(live).planned is None
    )
    extended = inside("train", "--resume", "live", "--epochs", "100001")
    assert extended.returncode == 0 and "continues to epoch 100001" in extended.stderr
    assert read_snapshot(live).planned == 100_001


def test_each_request_is_answered_once_and_in_order(live: Path) -> None:
    tail = EventTail(live)
    tail.read()
    for what in (requests.PAUSE, requests.RESUME, requests.CHECKPOINT):
        ask(live, what)
    ask(live, requests.STOP)
    seen = [event for event in tail.read() if isinstance(event, Requested | Paused | Resumed)]
    assert [type(e).__name__ if not isinstance(e, Requested) else e.what for e in seen] == [
        "pause", "Paused", "resume", "Resumed", "checkpoint", "stop",
    ]  # fmt: skip


def test_rename_and_delete(own_home: Path, inside: Cli) -> None:
    folder = make_run(own_home, "finished", name="old")
    make_run(own_home, "finished", name="taken")
    with pytest.raises(RunError, match="exists"):
        rename_run(folder, "taken")
    with pytest.raises(UsageError, match="run name"):
        rename_run(folder, "../up")
    new = rename_run(folder, "new")
    assert not folder.exists() and read_info(new).name == "new"
    assert json.loads(inside("status", "new", "--json").stdout)["run"] == "new"
    assert inside("delete", "new", "--yes").returncode == 0 and not new.exists()
    (own_home / "runs" / "no-run").mkdir()
    with pytest.raises(RunError, match="not a run directory"):
        delete_run(own_home / "runs" / "no-run")


def test_a_held_run_is_not_deleted(own_home: Path) -> None:
    folder = make_run(own_home, "running")
    with RunWriter(folder), pytest.raises(RunError, match="stop it before"):
        delete_run(folder)


def test_requests_come_in_the_order_of_their_making(own_home: Path) -> None:
    folder = make_run(own_home, "finished")
    for number, (what, argument) in enumerate(
        [("resume", ""), ("pin", "a"), ("pause", ""), ("pin", "b")]
    ):
        send_request(folder, what, argument)
        newest = max((folder / "requests").iterdir(), key=lambda path: path.stat().st_ctime_ns)
        os.utime(newest, ns=(number, number))
    expected = [Request("resume"), Request("pin", "a"), Request("pause"), Request("pin", "b")]
    assert take_requests(folder) == (expected, {})
    assert take_requests(folder) == ([], {})


def test_nobody_answers(own_home: Path) -> None:
    folder = make_run(own_home, "running")
    with RunWriter(folder), pytest.raises(RunError, match="no answer in 0 s; the request stays"):
        ask(folder, requests.CHECKPOINT, limit=0.1)
    assert (folder / "requests" / "checkpoint").exists()


def test_on_finish_tells_of_the_end_and_of_a_crash(
    inside: Cli, with_demo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "told"
    names = "$NEUMF_TUI_RUN $NEUMF_TUI_STATE $NEUMF_TUI_EPOCH/$NEUMF_TUI_EPOCHS $NEUMF_TUI_HIT50"
    command = f"echo {names} >> {out}; exit 3"
    args = (
        "train",
        "--preset",
        "d2l",
        "--dataset",
        "demo",
        "--threads",
        "1",
        "--on-finish",
        command,
    )
    done = inside(*args, "--epochs", "1", "--name", "short", "--plain")
    assert done.returncode == 0, "the command's failure is harmless"
    facts = json.loads(inside("status", "short", "--json").stdout)
    assert out.read_text() == f"short finished 1/1 {facts['hit@50']}\n"
    assert "exit code 3" in inside("logs", "short").stdout
    assert inside(*args, "--epochs", "100000", "--name", "long", "--detach").returncode == 0
    folder = with_demo / "runs" / "long"
    wait_for(lambda: read_status(folder).state == "running")
    os.kill(read_status(folder).pid, signal.SIGKILL)
    wait_for(lambda: "long crashed" in out.read_text())
    assert command not in (folder / "run.json").read_text(), "a run directory carries no command"


def test_logs_follow_until_the_end(own_home: Path) -> None:
    folder = make_run(own_home, "running", epochs=1)
    (folder / "trainer.log").write_text("a native library speaks\n")
    import sys

    with RunWriter(folder):
        process = subprocess.Popen(
            [sys.executable, "-m", "neumf_tui", "logs", "-f", "golden"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        assert process.poll() is None
    rest, _ = process.communicate(timeout=60)
    assert (
        "training on cpu" in lines[0]
        and "epoch 1" in lines[1]
        and "trainer:  a native library speaks" in lines[2] + rest
    )
    assert process.returncode == 0
