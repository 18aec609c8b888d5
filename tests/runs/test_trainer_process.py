"""Which process `stop --now` kills: the trainer, and never another one."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
import pytest

from neumf_tui import files
from neumf_tui.errors import RunError
from neumf_tui.runs import control
from neumf_tui.runs.control import stop_now
from neumf_tui.runs.events import Status
from neumf_tui.runs.reader import read_status
from neumf_tui.runs.trainer_process import HOST, identity
from neumf_tui.runs.writer import RunWriter, write_status
from tests.support.golden_runs import make_run


@pytest.fixture
def folder(own_home: Path) -> Path:
    return make_run(own_home, "running")


@pytest.fixture
def innocent() -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process that must live on."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


@pytest.fixture
def locking(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process that holds the lock of the run, as a trainer does; a child of it sleeps."""
    with files.open_lock(folder, "lock") as lock:
        assert files.take_lock(lock)
        process = subprocess.Popen(
            ["sh", "-c", "sleep 1000 & echo; wait"],
            pass_fds=[lock.fileno()],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
    assert process.stdout and process.stdout.readline() == b"\n"
    yield process
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Kill nothing: return the list of the processes that would have been killed."""
    numbers: list[int] = []
    monkeypatch.setattr(psutil.Process, "kill", lambda process: numbers.append(process.pid))
    return numbers


def running(folder: Path, pid: int, **changes: str) -> None:
    """Say that the process `pid` trains the run."""
    status = Status(state="running", pid=pid, host=HOST, process=identity(pid))
    write_status(folder, msgspec.structs.replace(status, **changes))


def test_a_trainer_that_hangs_is_killed_with_its_children(
    folder: Path, locking: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    killed, group = [], [locking.pid, psutil.Process(locking.pid).children()[0].pid]

    def kill(process: psutil.Process) -> None:
        killed.append(process.pid)
        if process.pid in group:
            os.kill(process.pid, signal.SIGKILL)

    monkeypatch.setattr(psutil.Process, "kill", kill)
    running(folder, locking.pid)
    assert stop_now(folder, limit=0.1).state == "crashed"
    assert killed == group and locking.wait() == -signal.SIGKILL


def test_a_process_without_the_lock_is_not_killed(
    folder: Path,
    innocent: "subprocess.Popen[bytes]",
    locking: "subprocess.Popen[bytes]",
    killed: list[int],
) -> None:
    for changes in ({}, {"host": "", "process": ""}):  # the latter as older versions wrote it
        running(folder, innocent.pid, **changes)
        with pytest.raises(RunError, match=rf"process {innocent.pid} is not its trainer: find"):
            stop_now(folder, limit=0.1)
    assert killed == []


def test_neither_the_parent_of_a_trainer_nor_the_first_process_is_killed(
    folder: Path, locking: "subprocess.Popen[bytes]", killed: list[int]
) -> None:
    for pid in (os.getpid(), os.getppid(), 1):
        running(folder, pid)
        with pytest.raises(RunError, match="is not its trainer"):
            stop_now(folder, limit=0.1)
    assert killed == []


@pytest.mark.parametrize("pid", [2**22 + 1, 10**9])
def test_numbers_that_no_trainer_has_are_harmless(
    folder: Path, locking: "subprocess.Popen[bytes]", killed: list[int], pid: int
) -> None:
    running(folder, pid)
    with pytest.raises(RunError, match="is not its trainer"):
        stop_now(folder, limit=0.1)
    assert killed == []


def test_without_a_number_nothing_is_killed(
    folder: Path, locking: "subprocess.Popen[bytes]", killed: list[int]
) -> None:
    for content in (b'{"state":"running","pid":0}', b'{"state":"running","pid":-1}', b""):
        (folder / "status.json").write_bytes(content)
        with pytest.raises(RunError, match="no answer in 0 s"):
            stop_now(folder, limit=0.1)
    assert killed == []


def test_a_process_that_has_the_number_of_a_former_trainer_is_not_killed(
    folder: Path, locking: "subprocess.Popen[bytes]", killed: list[int]
) -> None:
    running(folder, locking.pid, process=f"1{identity(locking.pid)}")
    with pytest.raises(RunError, match="is not its trainer"):
        stop_now(folder, limit=0.1)
    assert killed == []


def test_a_process_of_another_machine_is_left_alone(
    folder: Path, locking: "subprocess.Popen[bytes]", killed: list[int]
) -> None:
    running(folder, locking.pid, host="far-away")
    with pytest.raises(RunError, match=rf"process {locking.pid} on far-away: kill it there"):
        stop_now(folder, limit=0.1)
    assert killed == []


def test_waiting_for_a_killed_trainer_has_an_end(
    folder: Path, locking: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "kill_trainer", lambda *_: None)
    monkeypatch.setattr(control, "KILL_SECONDS", 0.1)
    running(folder, locking.pid)
    with pytest.raises(RunError, match="was killed but does not end"):
        stop_now(folder, limit=0.1)


def test_a_trainer_says_who_it_is(folder: Path) -> None:
    with RunWriter(folder) as writer:
        writer.status(Status(state="running", pid=os.getpid()))
        status = read_status(folder)
    assert status.host == HOST and status.process == identity(os.getpid()) != ""
    started, _, command = status.process.partition(" ")
    assert float(started) > 0 and "python" in command
