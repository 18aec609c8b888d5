"""Run commands while something is in their way: a full disk, few file descriptors, another account.

The commands run in forks of one new process, which has imported what they need: each costs a tenth
of a second and not one or two.
"""

import importlib
import io
import json
import os
import pkgutil
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict, dataclass
from fcntl import fcntl
from pathlib import Path

import neumf_tui

NOBODY = 65534
F_SETPIPE_SZ = 1031
"""fcntl's number for the size of a pipe, which has no name in Python 3.11."""


@dataclass(frozen=True)
class Job:
    """A command, the home that it gets a copy of, and what is in its way."""

    args: list[str]
    home: str
    fault: str = ""
    value: int = 0
    copy: str = ""
    """Where the copy of `home` is made; the home itself is used if it is empty."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended; a negative code is the number of a signal."""

    code: int
    out: str
    err: str


def run_jobs(jobs: Iterable[Job], env: dict[str, str] | None = None) -> list[tuple[Job, Outcome]]:
    """Run the commands one after the other."""
    jobs = list(jobs)
    result = subprocess.run(
        [sys.executable, "-m", "tests.support.faulty"],
        input=json.dumps([asdict(job) for job in jobs]),
        capture_output=True, text=True, check=False, timeout=1500, env=os.environ | (env or {}),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found = [Outcome(**outcome) for outcome in json.loads(result.stdout)]
    return list(zip(jobs, found, strict=True))


@contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder that other accounts can enter, which pytest's own folders are not."""
    folder = Path(tempfile.mkdtemp(prefix="neumf-tui-test-"))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(job: Job, output: int) -> Outcome:
    home = job.home
    if job.copy:
        home = job.copy
        shutil.copytree(job.home, home, dirs_exist_ok=True)
    read, write = os.pipe()
    fcntl(write, F_SETPIPE_SZ, 1 << 20)
    read_err, write_err = os.pipe()
    fcntl(write_err, F_SETPIPE_SZ, 1 << 20)
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            for number in (read, read_err, output):
                os.close(number)
            os.dup2(write, 1)
            os.dup2(write_err, 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.closerange(3, 64)
            code = _command(job, home)
        finally:
            os._exit(code)
    os.close(write)
    os.close(write_err)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    texts = []
    for number in (read, read_err):
        os.set_blocking(number, False)  # a trainer in the background may hold the other end
        content = b""
        with suppress(BlockingIOError):
            while part := os.read(number, 1 << 20):
                content += part
        os.close(number)
        texts.append(content.decode("utf-8", "backslashreplace"))
    return Outcome(code, *texts)


def _command(job: Job, home: str) -> int:
    """Put the fault in the way, run the command and return its exit code."""
    from neumf_tui.cli.main import main

    os.environ["NEUMF_TUI_HOME"] = home
    os.chdir(home if Path(home).is_dir() else "/")
    sys.argv = ["neumf-tui", *job.args]
    _obstruct(job, home)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _obstruct(job: Job, home: str) -> None:
    value = job.value
    match job.fault:
        case "":
            pass
        case "file size":
            resource.setrlimit(resource.RLIMIT_FSIZE, (value, value))
        case "descriptors":
            resource.setrlimit(resource.RLIMIT_NOFILE, (value, value))
        case "memory":
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + value
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        case "read-only" if os.geteuid() == 0:  # nothing is read-only for root
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        case "read-only":
            for path in (Path(home), *Path(home).rglob("*")):
                path.chmod(0o555 if path.is_dir() else 0o444)
        case "full disk":
            _fill(Path(home), value)
        case "full stdout":
            os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
        case "full stderr":
            os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
        case "closed":  # stdin, stdout or stderr
            os.close(value)
        case _:
            raise ValueError(job.fault)


def _fill(folder: Path, free: int) -> None:
    """Leave `free` bytes on the disk of a folder."""
    with (folder / "ballast").open("wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(bytes(1 << 12)):
                pass
        file.truncate(max(0, file.tell() - free))


def _serve() -> None:
    jobs = [Job(**job) for job in json.load(sys.stdin.buffer)]  # not in the encoding of a job
    for module in pkgutil.walk_packages(neumf_tui.__path__, "neumf_tui."):
        if not module.name.startswith(("neumf_tui.tui", "neumf_tui.__main__")):
            with suppress(ModuleNotFoundError):  # an extra is not installed
                importlib.import_module(module.name)
    # An account that may not read the interpreter's own files can import nothing any more.
    from neumf_tui.cli.main import main
    from neumf_tui.settings import make_settings

    make_settings("fast", {})
    "".encode("utf-8-sig")

    for args in (["runs", "--plain", "--home", jobs[0].home], ["config"]):
        sys.argv = ["neumf-tui", *args]
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), suppress(SystemExit):
            main()
    output = os.dup(1)
    outcomes = [asdict(_run(job, output)) for job in jobs]
    with os.fdopen(output, "w") as file:
        json.dump(outcomes, file)


if __name__ == "__main__":
    _serve()
