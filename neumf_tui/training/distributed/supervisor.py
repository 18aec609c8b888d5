"""Train a run in several processes: `python -m neumf_tui.training.distributed.supervisor RUN N`.

It starts the processes, and all of them again when one has died. They get Unix sockets to each
other, and a file of messages that no other account can read. It does not load torch.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec
import psutil

from neumf_tui import files
from neumf_tui.errors import NeumfTuiError
from neumf_tui.runs.contents import MESSAGES, STORE
from neumf_tui.runs.events import FINAL_STATES
from neumf_tui.runs.reader import read_status
from neumf_tui.runs.writer import RunWriter
from neumf_tui.training.distributed.processes import Worker, WorkerMessage
from neumf_tui.training.worker import fail

RESTARTS = 3
"""How often the processes of a run are started again after one of them died."""
END_SECONDS = 30.0
"""Time for the others to end by themselves after one has died; then they are killed."""
POLL_SECONDS = 0.05


class Supervisor:
    """Starts the processes of a run, watches them, and passes signals on to them."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size
        self._workers: list[subprocess.Popen[bytes]] = []
        self._signals: list[int] = []
        self._stopping = False

    def on_signal(self, number: int, _frame: object) -> None:
        """Pass a signal on, and start nothing again; a handler for `signal.signal`."""
        self._signals.append(number)

    def run(self) -> int:
        """Train until the run has ended, and return 0, or 1 if its processes die too often."""
        try:
            for attempt in range(RESTARTS + 1):
                self._start_all(attempt)
                self._wait()
                if not any(worker.returncode for worker in self._workers):
                    return 0
                self._report_deaths(attempt)
                if self._stopping or read_status(self._folder).state in FINAL_STATES:
                    break
            return 1
        finally:
            for worker in self._workers:
                worker.kill()
                worker.wait()
            self._remove_store()

    def _start_all(self, attempt: int) -> None:
        self._remove_store()
        files.make_private_folder(self._folder, STORE, MESSAGES)
        with ExitStack() as stack:
            # Process `rank` receives at ends[rank][0], to which the next one sends.
            ends = [socket.socketpair() for _ in range(self._size)]
            for end in (end for pair in ends for end in pair):
                stack.enter_context(end)
            self._workers = []
            for rank in range(self._size):
                sockets = ends[rank - 1][1].fileno(), ends[rank][0].fileno()
                self._workers.append(self._start(rank, attempt, sockets))

    def _remove_store(self) -> None:
        files.remove(self._folder, f"{STORE}/{MESSAGES}")
        files.remove_if_empty(self._folder, STORE)

    def _start(
        self, rank: int, attempt: int, sockets: tuple[int, int]
    ) -> "subprocess.Popen[bytes]":
        place = Worker(
            rank, self._size, rank, self._size, attempt, RESTARTS, job="", sockets=sockets
        )
        return subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "neumf_tui.training.distributed.member",
                str(self._folder),
                msgspec.json.encode(place).decode(),
            ],
            stdin=subprocess.PIPE,  # tells the process when this one ends
            env=environment(),
            pass_fds=sockets,
        )

    def _wait(self) -> None:
        """Wait until all processes have ended; kill the others some time after one has died."""
        until = None
        while None in (codes := [worker.poll() for worker in self._workers]):
            while self._signals:
                self._stopping = True
                number = self._signals.pop()
                for worker in self._workers:
                    worker.send_signal(number)
            if until is None and any(codes):
                until = time.monotonic() + END_SECONDS
            if until is not None and time.monotonic() > until:
                for worker in self._workers:
                    worker.kill()
            time.sleep(POLL_SECONDS)

    def _report_deaths(self, attempt: int) -> None:
        for rank, worker in enumerate(self._workers):
            if worker.returncode < 0:
                name = signal.Signals(-worker.returncode).name
                print(
                    f"process {rank} of {self._size} was ended by {name} "
                    f"(start {attempt + 1} of {RESTARTS + 1})",
                    file=sys.stderr,
                )


def environment() -> dict[str, str]:
    """Return this process's environment with variables that keep NCCL on this machine."""
    inherited = {name: value for name, value in os.environ.items() if name != "NCCL_COMM_ID"}
    return (
        {"OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
        | inherited
        | {
            "NCCL_SOCKET_IFNAME": f"={loopback_interface()}",  # the name, not what begins with it
            "NCCL_RAS_ENABLE": "0",  # would listen for questions about its state
            "TORCH_NCCL_DUMP_ON_TIMEOUT": "0",  # would write to a file with a predictable name
        }
    )


def loopback_interface() -> str:
    """Return the name of the interface with the address 127.0.0.1."""
    for name, addresses in psutil.net_if_addrs().items():
        if any(address.address == "127.0.0.1" for address in addresses):
            return name
    return "lo"


def main(folder: Path, size: int) -> int:
    """Train the run in `folder` with `size` processes, and return the exit code."""
    supervisor = Supervisor(folder, size)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, supervisor.on_signal)
    try:
        return supervisor.run()
    except (NeumfTuiError, OSError) as error:
        with RunWriter(folder) as writer:
            return fail(writer, WorkerMessage(str(error), 1, final=True))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
