"""What another account can reach of a training in several processes."""

import stat
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.waiting import wait_for
from neumf_tui.runs.control import ask
from neumf_tui.runs.reader import read_snapshot
from neumf_tui.runs.requests import STOP
from tests.support.commands import Cli

LISTEN = "0A"
"""State of a listening socket in /proc/net/tcp."""


def listening_inodes() -> dict[str, str]:
    """Return the addresses of all listening TCP sockets of this machine, by their inodes."""
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN:
                found[fields[9]] = f"{table} {fields[1]}"
    return found


def listeners_of(folder: Path) -> set[str]:
    """Return the addresses where processes of the run listen."""
    listening, found = listening_inodes(), set()
    for process in psutil.process_iter():
        try:
            if str(folder) not in process.cmdline():
                continue
            links = [str(fd.readlink()) for fd in Path(f"/proc/{process.pid}/fd").iterdir()]
        except (psutil.Error, OSError):
            continue  # it has just ended
        found |= {address for inode, address in listening.items() if f"socket:[{inode}]" in links}
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's tables of sockets")
def test_nothing_listens_and_the_store_is_for_this_account_alone(cli: Cli, own_home: Path) -> None:
    options = ("--dataset", "demo", "--epochs", "100000", "--threads", "1", "--device", "cpu")
    result = cli("train", *options, "--processes", "2", "--name", "closed", "--detach")
    assert result.returncode == 0, result.stderr
    folder, listened = own_home / "runs" / "closed", set()

    def has_saved() -> bool:
        time.sleep(0.05)
        listened.update(listeners_of(folder))
        return read_snapshot(folder).checkpoint is not None

    try:
        wait_for(has_saved)
        store = folder / "store"
        modes = [stat.filemode(path.stat().st_mode) for path in (store, *store.iterdir())]
        assert modes == ["drwx------", "-rw-------"]
        time.sleep(0.2)
        listened |= listeners_of(folder)
    finally:
        ask(folder, STOP)
    assert listened == set(), "not even on the loopback interface"
    wait_for(lambda: not store.exists())
