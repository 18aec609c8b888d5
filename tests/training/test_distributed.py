"""Several processes train as one: same ranks, shared requests, and a restart if one dies."""

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest

from benchmarks.waiting import wait_for
from neumf_tui.cli.torchrun import choose_run
from neumf_tui.errors import UsageError
from neumf_tui.runs.control import ask, stop_now
from neumf_tui.runs.events import Checkpointed, Extended, Paused, Requested, Resumed, Started
from neumf_tui.runs.reader import (
    EventTail,
    is_locked,
    rank_epochs,
    read_info,
    read_ranks,
    read_snapshot,
    read_status,
)
from neumf_tui.runs.requests import CHECKPOINT, EXTEND, PAUSE, RESUME, STOP
from neumf_tui.runs.writer import write_info, write_status
from neumf_tui.training.device import pick_device
from neumf_tui.training.distributed.processes import Worker
from tests.support.commands import Cli, run_cli

# These settings do not depend on rounding: the sums of two processes differ in the last bit from
# those of one, and where a gradient is zero up to rounding, as with BPR, Adam takes whole steps.
# See docs/scaling.md.
ARGS = (
    "--dataset", "demo", "--preset", "d2l", "--scaled-init", "--loss", "bce",
    "--weight-decay", "0", "--learning-rate", "0.001",
    "--threads", "1", "--device", "cpu",
)  # fmt: skip
SHORT = (*ARGS, "--epochs", "2")
MORE = (*ARGS, "--epochs", "6")
"""Epochs enough to interrupt the training."""
LONG = (*ARGS, "--epochs", "2000")


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the processes that train the run, with their supervisor, oldest first."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if str(folder) in command and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return sorted(found, key=lambda process: process.create_time())


def ranks_of_run(folder: Path) -> dict[int, psutil.Process]:
    return {
        msgspec.json.decode(process.cmdline()[-1], type=Worker).rank: process
        for process in processes_of(folder)
        if "neumf_tui.training.distributed.member" in process.cmdline()
    }


def kinds(folder: Path, *kind: type) -> list[type]:
    return [type(event) for event in EventTail(folder).read() if isinstance(event, kind)]


def assert_same_ranks(
    one: Path, many: Path, at_most: float = 1, unequal: float = 0.01, loss: float = 1e-6
) -> None:
    """Ranks of all epochs differ by `at_most`, and fewer than the share `unequal` at all.

    Losses differ by the factor `loss`. `many` may have more epochs.
    """
    epochs = rank_epochs(one)
    assert rank_epochs(many)[: len(epochs)] == epochs
    for epoch in epochs:
        a, b = read_ranks(one, epoch), read_ranks(many, epoch)
        np.testing.assert_allclose(a, b, rtol=0, atol=at_most)
        assert np.mean(a != b) < unequal
    losses, others = ([epoch.loss for epoch in read_snapshot(run).epochs] for run in (one, many))
    assert losses == pytest.approx(others[: len(losses)], rel=loss)


def alone(tmp_path_factory: pytest.TempPathFactory, *args: str) -> Path:
    """Train a run without interruption."""
    home = tmp_path_factory.mktemp("home")
    result = run_cli("train", *args, "--home", str(home), "--name", "whole", "--plain")
    assert result.returncode == 0, result.stderr
    return home / "runs" / "whole"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return alone(tmp_path_factory, *SHORT)


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return alone(tmp_path_factory, *MORE)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return alone(tmp_path_factory, *MORE, "--processes", "2")


@pytest.fixture
def live(own_home: Path, cli: Cli) -> Iterator[Path]:
    """Start a long training with two processes, and end it after the test."""
    result = cli("train", *LONG, "--processes", "2", "--name", "live", "--detach")
    assert result.returncode == 0, result.stderr
    folder = own_home / "runs" / "live"
    wait_for(lambda: bool(read_snapshot(folder).checkpoint))
    yield folder
    for process in processes_of(folder):
        process.kill()


def test_two_processes_give_the_ranks_of_one(cli: Cli, whole: Path, own_home: Path) -> None:
    result = cli("train", *SHORT, "--processes", "2", "--name", "two", "--plain")
    assert result.returncode == 0, result.stderr
    two = own_home / "runs" / "two"
    assert "training on 2 × cpu" in result.stderr
    assert read_status(two).device == "2 × cpu"
    assert_same_ranks(whole, two)
    assert processes_of(two) == [] and not is_locked(two)
    assert not (two / "trainer.log").read_text()


def test_requests_reach_every_process(live: Path) -> None:
    """Pause, save, resume, extend, stop: nothing hangs, and both processes end."""
    assert len(ranks_of_run(live)) == 2
    assert ask(live, PAUSE).state == "paused"
    ask(live, CHECKPOINT)
    step = read_status(live).step
    assert step == read_status(live).step
    assert ask(live, RESUME).state == "running"
    ask(live, EXTEND, "3000")
    assert read_snapshot(live).planned == 3000
    status = ask(live, STOP)
    assert (status.state, status.exit_code) == ("stopped", 0)
    wait_for(lambda: not processes_of(live))
    wanted = [
        Started,
        Requested,
        Paused,
        Requested,
        Checkpointed,
        Requested,
        Resumed,
        Extended,
        Requested,
        Requested,
    ]
    found = [kind for kind in kinds(live, *wanted) if kind is not Checkpointed]
    assert found == [kind for kind in wanted if kind is not Checkpointed]


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_is_started_again(
    victim: int, longer: Path, pair: Path, own_home: Path
) -> None:
    command = [
        sys.executable,
        "-m",
        "neumf_tui",
        "train",
        *MORE,
        "--processes",
        "2",
        "--name",
        "hurt",
        "--plain",
    ]
    folder = own_home / "runs" / "hurt"
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as train:
        wait_for(lambda: len(ranks_of_run(folder)) == 2)
        process = ranks_of_run(folder)[victim]
        wait_for(lambda: read_snapshot(folder).checkpoint is not None)
        process.kill()
        states = set()
        while train.poll() is None:
            states.add(read_status(folder).state)
            time.sleep(0.01)
        assert train.stderr is not None
        told = train.stderr.read()
    assert train.returncode == 0, told
    assert "crashed" not in states, "while the supervisor lives, the run does"
    assert kinds(folder, Started).count(Started) == 2
    assert ", from epoch" in told
    for epoch in rank_epochs(pair):
        np.testing.assert_array_equal(read_ranks(folder, epoch), read_ranks(pair, epoch))
    assert_same_ranks(longer, folder)


@pytest.mark.slow
def test_without_a_supervisor_all_processes_end_and_another_number_resumes(
    cli: Cli, longer: Path, own_home: Path
) -> None:
    result = cli("train", *LONG, "--processes", "2", "--name", "orphans", "--detach")
    assert result.returncode == 0, result.stderr
    folder = own_home / "runs" / "orphans"
    wait_for(lambda: len(ranks_of_run(folder)) == 2)
    supervisor = processes_of(folder)[0]
    wait_for(lambda: read_snapshot(folder).checkpoint is not None)
    supervisor.kill()
    assert supervisor.pid == read_status(folder).pid
    wait_for(lambda: not processes_of(folder), seconds=30)
    wait_for(lambda: read_status(folder).state == "crashed")
    # All epochs of `longer`; and one at least, if so many were done before the kill.
    epochs = max(rank_epochs(longer)[-1], read_status(folder).epoch + 1)
    result = cli(
        "train", "--resume", "orphans", "--processes", "3", "--epochs", str(epochs), "--plain"
    )
    assert result.returncode == 0 and "training on 3 × cpu ×1, from epoch" in result.stderr, (
        result.stderr
    )
    # When it was killed decides how its sums are rounded, and that can switch hidden units.
    assert_same_ranks(longer, folder, at_most=1e6, unequal=0.5, loss=1e-3)
    result = cli(
        "train", "--resume", "orphans", "--epochs", str(epochs + 1), "--processes", "1", "--plain"
    )
    again = f"training on cpu ×1, from epoch {epochs + 1}"
    assert result.returncode == 0 and again in result.stderr, result.stderr
    assert read_info(folder).settings["processes"] == 1


@pytest.mark.slow
def test_processes_that_hang_are_stopped_all_the_same(live: Path) -> None:
    for process in ranks_of_run(live).values():
        process.suspend()
    stopped: list[str] = []
    try:
        stopped.append(stop_now(live).state)
    except Exception:
        for process in ranks_of_run(live).values():
            process.resume()
        raise
    assert stopped == ["crashed"]
    assert not is_locked(live)


@pytest.mark.slow
def test_a_diverged_group_fails_once_and_says_where(cli: Cli, own_home: Path) -> None:
    wild = ("--loss", "bpr", "--learning-rate", "1e6", "--mlp-layers", "8,8,8,8,8,8,8,8")
    result = cli("train", *SHORT, *wild, "--processes", "2", "--name", "wild", "--plain")
    folder = own_home / "runs" / "wild"
    assert result.returncode == 1, result.stderr
    assert (
        "training has diverged; try a smaller --learning-rate" in result.stderr
        and " step " in result.stderr
    )
    assert kinds(folder, Started) == [Started], "what would only happen again is not tried again"
    wait_for(lambda: not processes_of(folder))


def test_fewer_gpus_than_processes_are_refused_with_their_number(cli: Cli, own_home: Path) -> None:
    import torch

    have = torch.cuda.device_count()
    with pytest.raises(UsageError, match=f"{have} CUDA device|finds no CUDA"):
        pick_device("cuda", Worker(0, have + 2, 0, have + 2, 0, 3, job=""))
    assert pick_device("cpu", Worker(1, 2, 1, 2, 0, 3, job="")).type == "cpu"
    for flags, problem in (
        (("--gpus", "2", "--device", "cpu"), "--gpus 2 means --device cuda"),
        (("--processes", "2", "--device", "cuda:1"), "expected auto, cpu or cuda"),
    ):
        result = cli("train", "--dataset", "demo", *flags)
        assert result.returncode == 2 and problem in result.stderr, result.stderr
    assert not (own_home / "runs").exists()


def torchrun(*args: str) -> list[str]:
    restarts = ("--standalone", "--nproc-per-node=2", "--max-restarts=2")
    return [
        sys.executable,
        "-m",
        "torch.distributed.run",
        *restarts,
        "-m",
        "neumf_tui",
        "train",
        *args,
    ]


@pytest.mark.slow
def test_torchrun_itself_goes_on_with_its_run_after_a_restart(pair: Path, own_home: Path) -> None:
    quiet = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        torchrun(*MORE), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet
    ) as train:
        runs = own_home / "runs"
        wait_for(
            lambda: (
                runs.exists() and any(read_snapshot(folder).checkpoint for folder in runs.iterdir())
            )
        )
        victims = [
            p for p in psutil.Process(train.pid).children() if p.environ().get("RANK") == "1"
        ]
        victims[0].kill()
        out, err = train.communicate(timeout=120)
    assert train.returncode == 0, err
    (folder,) = runs.iterdir()
    assert kinds(folder, Started).count(Started) == 2
    assert err.count(f"run {folder.name} in") == 2 and ", from epoch" in err, (
        "once a start: rank 0 alone speaks"
    )
    assert out.count("hit@50") == 1
    for epoch in rank_epochs(pair):
        np.testing.assert_array_equal(read_ranks(folder, epoch), read_ranks(pair, epoch))


def part(**changes: object) -> Worker:
    return dataclasses.replace(Worker(0, 2, 0, 2, 0, 3, job="films"), **changes)  # type: ignore[arg-type]


@pytest.fixture
def made(trained: Path) -> list[str]:
    """Return the list of jobs for which new runs were made."""
    return []


def test_a_command_of_a_job_goes_on_with_its_own_run(
    trained: Path, own_home: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(job: str) -> Path:
        made.append(job)
        return own_home / "runs" / "new"

    def choose(
        member: Worker, name: str | None = None, resume: str | None = None
    ) -> tuple[str, bool]:
        folder, ended = choose_run(member, own_home, name, resume, None, make)
        return folder.name, ended

    monkeypatch.setattr(sys, "argv", ["neumf-tui", "train", "--epochs", "10"])
    assert choose(part()) == ("new", False)
    assert made == ["films: train --epochs 10"]
    write_info(trained, msgspec.structs.replace(read_info(trained), job=made[0]))
    assert choose(part()) == ("trained", True), "finished, so there is nothing to do"
    before = read_status(trained)
    write_status(trained, msgspec.structs.replace(before, state="stopped", epoch=1))
    assert choose(part(restarts=1)) == ("trained", True), (
        "stopped by someone, and torchrun does not know"
    )
    assert choose(part()) == ("trained", False), "queued again: it goes on"
    assert (
        read_status(trained).state == "starting" and read_info(trained).settings["processes"] == 2
    )
    assert len(made) == 1
    assert choose(part(job="other")) == ("new", False)
    monkeypatch.setattr(sys, "argv", ["neumf-tui", "train", "--epochs", "20"])
    assert choose(part()) == ("new", False), "another command of the job"


def test_a_job_without_a_name_goes_on_by_the_runs_name(
    trained: Path, own_home: Path, made: list[str]
) -> None:
    def make(job: str) -> Path:
        made.append(job)
        return own_home / "runs" / "new"

    write_status(trained, msgspec.structs.replace(read_status(trained), state="running", epoch=1))
    with pytest.raises(
        UsageError, match="--rdzv-id or --standalone to torchrun, or --name to train"
    ):
        choose_run(part(job=""), own_home, None, None, None, make)
    assert (
        choose_run(part(job="", max_restarts=0), own_home, None, None, None, make)[0].name == "new"
    )
    assert choose_run(part(job=""), own_home, "trained", None, None, make)[0].name == "new", (
        "make refuses a name that is taken"
    )
    assert choose_run(part(job="", restarts=1), own_home, "trained", None, None, make) == (
        trained,
        False,
    )
    assert made == ["", ""]
