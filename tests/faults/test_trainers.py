"""Trainers that are killed, stopped, moved, or see the clock being set."""

import errno
import fcntl
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.waiting import wait_for
from neumf_tui.errors import RunError
from neumf_tui.runs import requests
from neumf_tui.runs.control import ask
from neumf_tui.runs.reader import EventTail, read_snapshot, read_status
from neumf_tui.runs.writer import RunWriter
from neumf_tui.training.distributed.processes import WorkerMessage
from neumf_tui.training.worker import fail
from tests.support.commands import Cli, run_cli
from tests.support.golden_runs import make_run
from tests.support.killed_trainers import MOMENTS, kill_all
from tests.support.processes import long_run
from tests.support.whole_runs import ARGS, assert_same, restarted

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>
static long shift(void) {
    char text[32] = {0};
    const char *path = getenv("CLOCK_SHIFT_FILE");
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) return 0;
    long length = read(file, text, 31);
    close(file);
    return length > 0 ? atol(text) : 0;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += shift();
    return result;
}
time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *to, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    to->tv_sec = now.tv_sec;
    to->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""
"""CLOCK_REALTIME, moved by as many seconds as a file says at each call."""


@pytest.mark.slow
def test_killed_at_each_named_moment_a_run_resumes_to_the_same_bits(whole: Path) -> None:
    folders = {moment: restarted(whole, moment) for moment in MOMENTS}
    assert kill_all(folders) == {moment: [-signal.SIGKILL, "crashed", 0] for moment in MOMENTS}
    for folder in folders.values():
        assert_same(folder, whole)
        assert not list(folder.rglob("*~")), "what was half written is gone"
        assert (folder / "checkpoints" / "best").read_text() == (
            whole / "checkpoints" / "best"
        ).read_text()


@pytest.mark.slow
def test_a_home_that_was_moved_trains_on(
    whole: Path, own_home: Path, tmp_path: Path, inside: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the path in run.json is used, nor folders that a copy has left out."""
    moved = own_home.rename(tmp_path / "moved")
    monkeypatch.setenv("NEUMF_TUI_HOME", str(moved))
    folder = moved / "runs" / "whole"
    (folder / "requests").rmdir()
    result = inside("train", "--resume", "whole", "--epochs", "4", "--plain")
    assert result.returncode == 0, result.stderr
    assert len(read_snapshot(folder).evaluations) == 4 and not own_home.exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_named_before_a_run_is_made(
    own_home: Path, inside: Cli, monkeypatch: pytest.MonkeyPatch, number: int, shared_home: Path
) -> None:
    shutil.copytree(shared_home, own_home)
    make_run(own_home, "running", name="copied")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)
    refused = inside("train", *ARGS, "--name", "new")
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert "no file can be locked here" in refused.stderr
    assert [path.name for path in (own_home / "runs").iterdir()] == ["copied"]
    for command in ("status", "runs", "logs", "stop", "resume"):
        done = inside(command) if command == "runs" else inside(command, "copied")
        assert done.returncode in (0, 1, 4) and "Traceback" not in done.stderr, done.stderr
        assert done.returncode == 0 or os.strerror(number) in done.stderr, done.stderr


def test_on_a_full_disk_the_reason_is_kept(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neumf_tui import files

    folder = make_run(own_home, "running")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x")

    stderr = io.StringIO()
    stderr.write = full  # type: ignore[assignment]
    with RunWriter(folder) as writer:
        monkeypatch.setattr(files, "replace", full)
        monkeypatch.setattr(RunWriter, "event", full)
        monkeypatch.setattr(sys, "stderr", stderr)
        assert fail(writer, WorkerMessage("no space: " + "x" * 5000, 1, final=True)) == 1

    status = read_status(folder)
    assert (status.state, status.exit_code, status.epoch) == ("failed", 1, 3)
    assert status.reason.startswith("no space: x")
    assert (folder / "status.json").stat().st_size <= 4096


@pytest.mark.slow
def test_a_full_disk_of_any_size_is_told(own_home: Path, shared_home: Path, tmp_path: Path) -> None:
    """From too little for a run up to enough for some of its checkpoints."""
    shutil.copytree(shared_home, own_home)
    disk = own_home / "runs"
    disk.mkdir()
    for kibibytes in (0, 4, 8, 12, 16, 24, 500, 1100):
        mounting = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes + 4}k", "tmpfs", str(disk)]
        if subprocess.run(mounting, capture_output=True, check=False).returncode:
            pytest.skip("this account cannot mount a file system")
        try:
            (disk / "filling").write_bytes(bytes(4096))
            done = run_cli("train", *ARGS, "--name", "full")
            assert done.returncode == 1 and "No space left on device" in done.stderr, done.stderr
            assert "Traceback" not in done.stderr and "crashed" not in done.stderr
            if (disk / "full").exists():
                status = read_status(disk / "full")
                assert status.state == "failed" and "No space left" in status.reason
        finally:
            subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_a_stopped_trainer_answers_when_it_is_continued(cli: Cli, with_demo: Path) -> None:
    with long_run(cli, with_demo) as folder:
        pid = read_status(folder).pid
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(RunError, match="no answer in 0 s; the request stays"):
            ask(folder, requests.CHECKPOINT, limit=0.2)
        assert read_status(folder).state == "running"
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: "request: checkpoint" in [text for _, text in read_snapshot(folder).log])
        assert cli("stop", "live").returncode == 0


@pytest.mark.slow
def test_of_three_that_resume_a_run_one_does_and_the_others_say_why(whole: Path) -> None:
    command = [sys.executable, "-m", "neumf_tui", "train", "--resume", "whole", "--epochs", "9"]
    started = [
        subprocess.Popen([*command, "--plain"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    messages = [process.communicate(timeout=300)[1].decode() for process in started]
    codes = sorted(process.returncode for process in started)
    # Who comes while the winner trains extends it, to the same number; after it there is no more.
    assert codes[0] == 0 and set(codes) <= {0, 2, 4}, messages
    for process, message in zip(started, messages, strict=True):
        known = ("trained right now", "now continues to epoch 9", "already done 9", "training on")
        assert any(text in message for text in known), (process.returncode, message)
        assert "starting: " not in message
    assert read_status(whole).state == "finished" and len(read_snapshot(whole).evaluations) == 9


@pytest.mark.slow
def test_a_clock_that_is_set_changes_no_duration(
    cli: Cli, with_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler, and Linux, to replace the clock of a process")
    source, library, shift = (tmp_path / name for name in ("clock.c", "clock.so", "shift"))
    source.write_text(CLOCK)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True
    )
    with monkeypatch.context() as clock:
        clock.setenv("LD_PRELOAD", str(library))
        clock.setenv("CLOCK_SHIFT_FILE", str(shift))
        with long_run(cli, with_demo) as folder:
            for seconds in (-5, 100_000_000, -100_000_000, 0):
                shift.write_text(str(seconds))
                seen = len(read_snapshot(folder).evaluations)
                wait_for(lambda: len(read_snapshot(folder).evaluations) > seen + 1)  # noqa: B023 - called at once
                facts = json.loads(cli("status", "live", "--json").stdout)
                assert 0 < facts["seconds"] < 3600, facts["seconds"]
            assert cli("stop", "live").returncode == 0
    times = [event.t for event in EventTail(folder).read()]
    assert times == sorted(times) and times[-1] - times[0] < 3600
