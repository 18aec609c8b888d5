"""The supervisor of a run of several processes: restarts, signals, and its folder `store`."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from neumf_tui import files
from neumf_tui.runs.contents import MESSAGES, STORE
from neumf_tui.runs.events import Status
from neumf_tui.runs.reader import AGENT_LOCK, read_status
from neumf_tui.runs.writer import write_status
from neumf_tui.training.distributed import supervisor
from neumf_tui.training.distributed.supervisor import RESTARTS, Supervisor, environment, main


class Scripted(Supervisor):
    """Starts `scripts[rank]` of a shell instead of trainers."""

    def __init__(self, folder: Path, *scripts: str) -> None:
        super().__init__(folder, len(scripts))
        self.scripts = scripts
        self.started: list[int] = []
        self.modes: set[str] = set()

    def _start(
        self, rank: int, attempt: int, sockets: tuple[int, int]
    ) -> "subprocess.Popen[bytes]":
        self.started.append(attempt)
        store = self._folder / STORE
        assert (store / MESSAGES).stat().st_size == 0
        self.modes |= {stat.filemode(path.stat().st_mode) for path in (store, store / MESSAGES)}
        if rank == self._size - 1:
            (store / MESSAGES).write_text("the next start must not read this")
        return subprocess.Popen(["sh", "-c", self.scripts[rank]], stdin=subprocess.PIPE)


@pytest.fixture
def running(trained: Path) -> Iterator[Path]:
    """Return a run whose supervisor is this process."""
    write_status(trained, Status(state="running", pid=os.getpid()))
    with files.open_lock(trained, AGENT_LOCK) as lock:
        assert files.take_lock(lock)
        yield trained


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_all_start_again_as_often_as_one_dies(running: Path, open_umask: None) -> None:
    group = Scripted(running, "exit 75", "exit 0")
    assert group.run() == 1
    assert group.started == sorted([*range(RESTARTS + 1)] * 2)
    assert group.modes == {"drwx------", "-rw-------"}, "for no other account, whatever the umask"
    assert not (running / STORE).exists()


def test_a_run_that_has_ended_is_not_started_again(trained: Path) -> None:
    group = Scripted(trained, "exit 0", "kill -9 $$")
    assert read_status(trained).state == "finished"
    assert group.run() == 1 and group.started == [0, 0]
    assert Scripted(trained, "exit 0", "exit 0").run() == 0


def test_processes_that_hang_beside_a_dead_one_are_killed(
    running: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "END_SECONDS", 0.05)
    monkeypatch.setattr(supervisor, "RESTARTS", 0)
    assert Scripted(running, "exec sleep 1000", "kill -9 $$").run() == 1
    assert "process 1 of 2 was ended by SIGKILL" in capfd.readouterr().err


def test_a_signal_is_passed_on_and_nothing_starts_again(running: Path) -> None:
    group = Scripted(running, "exec sleep 1000", "exec sleep 1000")
    group.on_signal(signal.SIGTERM, None)
    assert group.run() == 1 and group.started == [0, 0]


def test_a_link_in_place_of_the_store_is_refused(
    running: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    (running / STORE).symlink_to(precious)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert main(running, 2) == 1
    status = read_status(running)
    assert (status.state, status.exit_code) == ("failed", 1)
    assert "store" in status.reason and "link" in status.reason
    assert (precious / "file").read_text() == "kept"


def test_the_end_of_the_supervisor_is_the_end_of_its_processes(tmp_path: Path) -> None:
    code = (
        "from neumf_tui.training.distributed.processes import end_with_supervisor\n"
        "import time; end_with_supervisor(); print('ready', flush=True); time.sleep(1000)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
        assert process.poll() is None
        process.stdin.close()  # what the kernel does when a supervisor is killed
        assert process.wait(60) == 75


def test_nccl_stays_on_the_loopback_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCCL_COMM_ID", "0.0.0.0:2000")
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "eth0")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    found = environment()
    assert "NCCL_COMM_ID" not in found
    assert found["NCCL_SOCKET_IFNAME"] in ("=lo", "=lo0")
    assert found["OMP_NUM_THREADS"] == "2", "as the person has set it"


def test_the_supervisor_starts_without_torch() -> None:
    code = (
        "import sys; import neumf_tui.training.distributed.supervisor; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_worker_reads_its_place_from_its_arguments() -> None:
    from neumf_tui.training.distributed.processes import Worker

    place = Worker(1, 2, 1, 2, 0, 3, job="", sockets=(5, 6))
    assert msgspec.json.decode(msgspec.json.encode(place), type=Worker) == place
