"""Every command with something in its way: one message, a documented exit code, nothing lost."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from neumf_tui.cli.main import EXAMPLES
from neumf_tui.runs.reader import read_info
from tests.support.every_command import EVERY_COMMAND
from tests.support.faulty import Job, Outcome, open_folder, run_jobs

WRITERS = (
    "train",
    "adopt",
    "extend",
    "pin",
    "prune",
    "rename",
    "delete",
    "recommend",
    "export",
    "baselines",
)
READERS = ("status", "runs", "rank", "logs")
FAILED_FILE = re.compile("Permission denied|File too large|No space left on device|Read-only")
MIB = 1 << 20


def jobs_for(names: object, home: Path, scratch: Path, fault: str, value: int = 0) -> list[Job]:
    """Return a job for each command; each gets a copy of `home`."""
    folder = scratch / f"{fault}-{value}".replace(" ", "-")
    folder.mkdir()
    return [
        Job([name, *args], str(home), fault, value, str(folder / name))
        for name, args in EVERY_COMMAND.items()
        if name in names  # type: ignore[operator]
    ]


def problems(done: list[tuple[Job, Outcome]]) -> list[str]:
    """Return what is wrong with how the commands ended."""
    return [f"{job.fault} {job.value}: {' '.join(job.args)}: {what}\n{outcome.err}"
            for job, outcome in done for what in wrong_with(job, outcome)]  # fmt: skip


def wrong_with(job: Job, outcome: Outcome) -> Iterator[str]:
    text = outcome.out + outcome.err
    if not 0 <= outcome.code <= 4:
        yield f"exit code {outcome.code}"
    if "Traceback" in text or "a fault of the program" in text:
        yield "no message for people"
    if outcome.code and job.args[0] not in ("doctor", "check-leak"):  # their code is their finding
        messages = [line for line in outcome.err.splitlines() if line.startswith("neumf-tui: ")]
        if job.args[0] == "tune" and "trial 0 failed" in outcome.err:
            return  # the line of the trial has the message
        if (job.fault, job.value) in (("full stderr", 0), ("closed", 2)):
            return  # there is no place for a message
        if len(messages) != 1:
            yield f"{len(messages)} messages"
        elif FAILED_FILE.search(messages[0]) and not re.search("stdout|/", messages[0]):
            yield "no path"
    yield from lost(job, outcome)


def lost(job: Job, outcome: Outcome) -> Iterator[str]:
    """Yield what the run of the copied home lacks, and what was left behind."""
    home, before = Path(job.copy), Path(job.home, "runs", "trained")
    if scratch := [str(path) for path in home.rglob("*") if path.name.endswith("~")]:
        yield f"left behind: {scratch}"
    runs = [home / "runs" / name for name in ("trained", "other")]
    runs = [run for run in runs if run.exists()]
    if job.args[0] == "delete" and outcome.code == 0:
        if runs:
            yield "the run is still there"
        return
    if len(runs) != 1:
        yield f"{len(runs)} runs instead of one"
        return
    (run,) = runs
    if read_info(run).name != run.name:
        yield f"{run.name} has another name in its file"
    for part in ("checkpoints", "ranks", "validation"):
        for path in (before / part).glob("*"):
            now = run / part / path.name
            if not now.exists():
                if job.args[0] != "prune":
                    yield f"{part}/{path.name} is gone"
            elif path.name not in ("best", "last") and now.read_bytes() != path.read_bytes():
                yield f"{part}/{path.name} has changed"


@contextmanager
def small_disk(size: int) -> Iterator[Path]:
    """Mount a file system in memory, which only root may do."""
    with open_folder() as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "none", str(folder)]
        if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this account cannot mount a file system")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def test_the_list_has_every_command() -> None:
    assert EXAMPLES.keys() == EVERY_COMMAND.keys()


@pytest.mark.slow
def test_what_is_in_the_way_is_one_message(trained_home: Path) -> None:
    with open_folder() as scratch:
        jobs = jobs_for((*WRITERS, *READERS), trained_home, scratch, "read-only")
        jobs += jobs_for(WRITERS, trained_home, scratch, "file size", 0)
        jobs += jobs_for(("status", "rank"), trained_home, scratch, "full stdout")
        jobs += jobs_for(("status",), trained_home, scratch, "closed", 1)
        jobs += jobs_for(("status",), trained_home, scratch, "full stderr")
        done = run_jobs(jobs)
        assert problems(done) == []
    for job, outcome in done:
        if job.fault in ("full stdout", "closed"):
            assert outcome.code == 1 and "stdout cannot be written" in outcome.err, job
        if job.fault == "file size" and job.args[0] not in ("delete", "pin", "prune"):
            assert outcome.code == 1 and "File too large" in outcome.err, job
    refusals = "Permission denied", "read-only: this run belongs to"
    denied = [job.args[0] for job, found in done if any(why in found.err for why in refusals)]
    assert {"train", "extend", "rename", "delete"} <= set(denied)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "value"),
    [
        ("", 0),
        ("read-only", 0),
        *(("file size", size) for size in (100, 4096, 100_000)),
        *(("descriptors", number) for number in (8, 12, 16, 32)),
        *(("memory", MIB * size) for size in (1, 16, 256)),
        ("full stdout", 0),
        ("full stderr", 0),
        *(("closed", number) for number in (0, 1, 2)),
    ],
)
def test_every_command_with_everything_in_its_way(
    trained_home: Path, fault: str, value: int
) -> None:
    with open_folder() as scratch:
        jobs = jobs_for(EVERY_COMMAND, trained_home, scratch, fault, value)
        assert problems(run_jobs(jobs)) == []


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-16"])
def test_every_command_in_every_encoding(trained_home: Path, encoding: str) -> None:
    with open_folder() as scratch:
        jobs = jobs_for(EVERY_COMMAND, trained_home, scratch, "")
        done = run_jobs(jobs, {"PYTHONIOENCODING": encoding})
        assert encoding == "utf-16" or problems(done) == []
        assert all("Traceback" not in outcome.err for _, outcome in done)


@pytest.mark.slow
@pytest.mark.parametrize("free", [0, 20_000, 300_000])
def test_every_command_on_a_full_disk(trained_home: Path, free: int) -> None:
    size = sum(path.stat().st_blocks * 512 for path in trained_home.rglob("*"))
    with ExitStack() as disks:
        jobs = []
        for name in EVERY_COMMAND:
            disk = disks.enter_context(small_disk(2 * size + 4 * MIB))
            jobs += jobs_for((name,), trained_home, disk, "full disk", free)
        assert problems(run_jobs(jobs)) == []
