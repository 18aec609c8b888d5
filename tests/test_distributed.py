"""Several processes train as one: the same ranks, the same orders, and on again after any of them has died."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from conftest import Cli, run_cli

from neumf_tui.errors import UsageError
from neumf_tui.runs.control import ask, stop_now
from neumf_tui.runs.events import Checkpointed, Extended, Paused, Requested, Resumed, Started
from neumf_tui.runs.reader import EventTail, is_locked, rank_epochs, read_info, read_ranks, read_snapshot, read_status
from neumf_tui.runs.requests import CHECKPOINT, EXTEND, PAUSE, RESUME, STOP
from neumf_tui.training.device import pick_device
from neumf_tui.training.torchrun import Member

# Of many ways to learn, one that forgives rounding: the sums of two processes differ in the last bit from those of one, and
# where a gradient is zero up to rounding, as with BPR, Adam makes whole steps of that. See docs/scaling.md.
ARGS = (
    "--dataset", "demo", "--preset", "d2l", "--scaled-init", "--loss", "bce", "--weight-decay", "0", "--learning-rate", "0.001",
    "--threads", "1", "--device", "cpu",
)  # fmt: skip
SHORT = (*ARGS, "--epochs", "2")
MORE = (*ARGS, "--epochs", "6")
"""Time to strike."""
LONG = (*ARGS, "--epochs", "2000")


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Those that train the run, torchrun included, oldest first."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if str(folder) in command and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return sorted(found, key=lambda process: process.create_time())


def ranks_of_run(folder: Path) -> list[psutil.Process]:
    return [process for process in processes_of(folder) if "torch.distributed.run" not in process.cmdline()]


def kinds(folder: Path, *kind: type) -> list[type]:
    return [type(event) for event in EventTail(folder / "events.jsonl").read() if isinstance(event, kind)]


def assert_same_ranks(one: Path, many: Path) -> None:
    """Every rank of every epoch up to 1, nearly all of them exactly; and the loss up to 1e-6 of it."""
    assert rank_epochs(one) == rank_epochs(many)
    for epoch in rank_epochs(one):
        a, b = read_ranks(one, epoch), read_ranks(many, epoch)
        np.testing.assert_allclose(a, b, rtol=0, atol=1)
        assert np.mean(a != b) < 0.01
    losses = [[epoch.loss for epoch in read_snapshot(folder).epochs] for folder in (one, many)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def alone(tmp_path_factory: pytest.TempPathFactory, *args: str) -> Path:
    """An undisturbed run of one process."""
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


@pytest.fixture
def live(own_home: Path, cli: Cli) -> Iterator[Path]:
    """Two processes in a long training, of which nothing is left after the test."""
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


def test_orders_reach_every_process(live: Path) -> None:
    """Pause, save, go on, extend, stop: nothing hangs, and both processes are gone at the end."""
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
    wanted = [Started, Requested, Paused, Requested, Checkpointed, Requested, Resumed, Extended, Requested, Requested]
    found = [kind for kind in kinds(live, *wanted) if kind is not Checkpointed]
    assert found == [kind for kind in wanted if kind is not Checkpointed]


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_is_started_again(victim: int, longer: Path, own_home: Path) -> None:
    command = [sys.executable, "-m", "neumf_tui", "train", *MORE, "--processes", "2", "--name", "hurt", "--plain"]
    folder = own_home / "runs" / "hurt"
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as train:
        wait_for(lambda: folder.exists() and read_snapshot(folder).checkpoint is not None)
        ranks = {process.environ()["RANK"]: process for process in ranks_of_run(folder)}
        ranks[str(victim)].kill()
        states = set()
        while train.poll() is None:
            states.add(read_status(folder).state)
            time.sleep(0.01)
        assert train.stderr is not None
        told = train.stderr.read()
    assert train.returncode == 0, told
    assert "crashed" not in states, "while torchrun lives, the run does"
    assert kinds(folder, Started).count(Started) == 2
    assert ", from epoch" in told
    assert_same_ranks(longer, folder)


@pytest.mark.slow
def test_without_torchrun_none_lingers_and_another_number_goes_on(cli: Cli, longer: Path, own_home: Path) -> None:
    result = cli("train", *MORE, "--processes", "2", "--name", "orphans", "--detach")
    assert result.returncode == 0, result.stderr
    folder = own_home / "runs" / "orphans"
    wait_for(lambda: read_snapshot(folder).checkpoint is not None)
    agent = processes_of(folder)[0]
    assert agent.pid == read_status(folder).pid
    agent.kill()
    wait_for(lambda: not processes_of(folder), 30)
    assert read_status(folder).state == "crashed"
    result = cli("train", "--resume", "orphans", "--processes", "3", "--plain")
    assert result.returncode == 0 and "training on 3 × cpu ×1, from epoch" in result.stderr, result.stderr
    assert_same_ranks(longer, folder)
    result = cli("train", "--resume", "orphans", "--epochs", "7", "--processes", "1", "--plain")
    assert result.returncode == 0 and "training on cpu ×1, from epoch 7" in result.stderr, result.stderr
    assert read_info(folder).settings["processes"] == 1


@pytest.mark.slow
def test_processes_that_hang_are_stopped_all_the_same(live: Path) -> None:
    for process in ranks_of_run(live):
        process.suspend()
    stopped: list[str] = []
    try:
        stopped.append(stop_now(live).state)
    except Exception:
        for process in ranks_of_run(live):
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
    assert "training has diverged; try a smaller --learning-rate" in result.stderr and " step " in result.stderr
    assert kinds(folder, Started) == [Started], "what would only happen again is not tried again"
    wait_for(lambda: not processes_of(folder))


def test_a_gpu_for_each_process_or_a_word_of_how_many_there_are(cli: Cli, own_home: Path) -> None:
    import torch

    have = torch.cuda.device_count()
    with pytest.raises(UsageError, match=f"{have} CUDA device|finds no CUDA"):
        pick_device("cuda", Member(0, have + 2, 0, have + 2, 0, 3, ""))
    assert pick_device("cpu", Member(1, 2, 1, 2, 0, 3, "")).type == "cpu"
    for flags, problem in (
        (("--gpus", "2", "--device", "cpu"), "--gpus 2 means --device cuda"),
        (("--processes", "2", "--device", "cuda:1"), "expected auto, cpu or cuda"),
    ):
        result = cli("train", "--dataset", "demo", *flags)
        assert result.returncode == 2 and problem in result.stderr, result.stderr
    assert not (own_home / "runs").exists()
