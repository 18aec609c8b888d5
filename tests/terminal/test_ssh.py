"""A breaking SSH connection: training goes on, no viewer stays, and the next one shows the run."""

import contextlib
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmarks.pseudo_terminal import LIMIT, Terminal
from benchmarks.waiting import wait_for
from neumf_tui.runs.reader import is_locked, rank_epochs, read_ranks, read_snapshot, read_status
from tests.support.commands import Cli

BREAKS = 10
EPOCHS = 350
SETTINGS = (
    "--preset",
    "d2l",
    "--dataset",
    "demo",
    "--epochs",
    str(EPOCHS),
    "--threads",
    "1",
    "--seed",
    "3",
)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[list[str]]:
    """The command that opens a connection to this machine, to a server of the test's own."""
    server = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")
    if server is None or not shutil.which("ssh") or not shutil.which("ssh-keygen"):
        pytest.skip("sshd, ssh and ssh-keygen are not all here")
    if os.getuid() == 0:
        try:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it drops its rights
        except OSError as error:
            pytest.skip(f"sshd needs /run/sshd: {error}")
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
        )
    shutil.copy(folder / "user.pub", folder / "authorized_keys")
    port = _free_port()
    settings = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized_keys", "PidFile": folder / "pid",
        "StrictModes": "no", "UsePAM": "no", "PasswordAuthentication": "no", "PrintMotd": "no",
        "PermitRootLogin": "prohibit-password", "MaxStartups": "100",
    }  # fmt: skip
    (folder / "sshd_config").write_text(
        "".join(f"{key} {value}\n" for key, value in settings.items())
    )
    log = folder / "log"
    process = subprocess.Popen([server, "-D", "-f", str(folder / "sshd_config"), "-E", str(log)])
    client = [
        "ssh", "-F", "none", "-p", str(port), "-i", str(folder / "user"),
        "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
        "-o", f"UserKnownHostsFile={folder / 'known'}", "-o", "LogLevel=ERROR",
        f"{_user()}@127.0.0.1",
    ]  # fmt: skip
    try:
        until = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < until and not _listens(port):
            time.sleep(0.05)
        tried = subprocess.run(
            [*client, "true"], capture_output=True, text=True, check=False, timeout=LIMIT
        )
        if tried.returncode:
            why = f"{tried.stderr.strip()} {log.read_text()[-500:]}"
            pytest.skip(f"no connection to an SSH server of this test: {why}")
        yield client
    finally:
        process.terminate()
        process.wait()


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def children(predicate: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and predicate(process):
                found.append(process)
    return found


def viewers(home: Path) -> list[psutil.Process]:
    """Viewers of runs in `home`, however they were started; no trainers."""

    def watches(process: psutil.Process) -> bool:
        line = process.cmdline()
        return (
            "neumf_tui" in line
            and ("attach" in line or "train" in line)
            and process.environ().get("NEUMF_TUI_HOME") == str(home)
        )

    return children(watches)


def break_off(terminal: Terminal, home: Path, at_the_server: bool) -> None:
    """End a connection without a word, at one end of it."""
    if not at_the_server:
        terminal.kill(signal.SIGKILL)
        return
    for process in viewers(home):
        for parent in process.parents():
            if parent.name().startswith("sshd") and parent.terminal() is None:
                parent.kill()
                return
    raise AssertionError("no server's end found")


@pytest.mark.slow
def test_a_connection_that_breaks_ten_times_leaves_the_training_untouched(
    ssh: list[str], cli: Cli, own_home: Path
) -> None:
    whole = cli("train", *SETTINGS, "--name", "undisturbed", "--plain", timeout=600)
    assert whole.returncode == 0, whole.stderr
    draw = random.Random(5)
    folder = own_home / "runs" / "over-ssh"

    def connect(*arguments: str) -> Terminal:
        names = ("NEUMF_TUI_HOME", "NEUMF_TUI_CONFIG", "OMP_NUM_THREADS", "TZ")
        env = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
        return Terminal(
            [*ssh, "-tt", shlex.join(["env", *env, sys.executable, "-m", "neumf_tui", *arguments])]
        )

    alive_after = 0
    for number in range(BREAKS):
        command = ("attach", "over-ssh") if number else ("train", *SETTINGS, "--name", "over-ssh")
        with connect(*command) as terminal:
            terminal.wait_text("neumf-tui ▸ train  over-ssh", "demo (simulated)", "q Quit")
            terminal.wait_text(*(["● "] if number else ["● running"]))
            time.sleep(draw.uniform(0, 1))
            state = read_status(folder).state
            assert state in ("running", "finished")
            break_off(terminal, own_home, bool(number % 2))
            wait_for(lambda: not viewers(own_home), "the viewer to end", 10)
        if not is_locked(folder):
            wait_for(lambda: read_status(folder).state == "finished", "a proper end", 10)
            continue
        alive_after += 1
        before = read_snapshot(folder).points.steps[-1:]
        wait_for(
            lambda before=before: (
                read_snapshot(folder).points.steps[-1:] != before
                or read_status(folder).state == "finished"
            ),
            "progress",
        )
    epoch = read_status(folder).epoch
    print(f"alive after {alive_after} of {BREAKS} breaks, at epoch {epoch} of {EPOCHS}")
    assert alive_after >= BREAKS - 2
    wait_for(lambda: read_status(folder).state == "finished", "the end", 300)
    with connect("attach", "over-ssh") as terminal:
        terminal.wait_text("neumf-tui ▸ train  over-ssh", "● finished", f"epoch {EPOCHS}/{EPOCHS}")
        terminal.send("q")
        assert terminal.wait_exit() == 0
        terminal.caught_up()
        assert "over-ssh" in terminal.main_text and "finished" in terminal.main_text
    assert (
        rank_epochs(folder)
        == rank_epochs(own_home / "runs" / "undisturbed")
        == list(range(1, EPOCHS + 1))
    )
    for epoch in rank_epochs(folder):
        name = f"ranks/{epoch:05}.npy"
        assert (folder / name).read_bytes() == (
            folder.with_name("undisturbed") / name
        ).read_bytes(), name
    np.testing.assert_array_equal(
        read_ranks(folder, EPOCHS), read_ranks(folder.with_name("undisturbed"), EPOCHS)
    )
    metrics = [
        [(e.epoch, e.metrics) for e in read_snapshot(run).evaluations]
        for run in (folder, folder.with_name("undisturbed"))
    ]
    assert metrics[0] == metrics[1]
