"""Runs of other accounts of the host: read, but never steered, and nothing is written to them."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from neumf_tui import files
from neumf_tui.data.load import load_dataset
from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.explore.users import load_users
from neumf_tui.home import home_of_run, home_to_write, runs_dir
from neumf_tui.runs.access import account_name, why_read_only
from neumf_tui.runs.checkpoint import Checkpoint, TrainingProgress, save_checkpoint
from neumf_tui.runs.launch import hold
from neumf_tui.runs.requests import STOP, send_request
from neumf_tui.tui.app import NeumfApp
from tests.support.commands import Cli
from tests.support.faulty import NOBODY, Job, open_folder, run_jobs
from tests.support.golden_runs import make_run
from tests.support.rating_files import as_csv
from tests.support.screens import settle, text_of
from tests.support.umask import umask

STEERING = {
    "pause": ["golden"],
    "resume": ["golden"],
    "checkpoint": ["golden"],
    "stop": ["golden"],
    "stop --now": ["golden"],
    "extend": ["20", "golden"],
    "pin": ["196", "--run", "golden"],
    "rename": ["golden", "mine"],
    "delete": ["golden", "--yes"],
    "prune": ["golden", "--yes"],
    "train": ["--resume", "golden", "--plain"],
}
"""Arguments of every command that steers or changes a run."""
READING = {
    "status": [], "logs": [], "runs": ["--plain"], "rank": ["sim-001"], "why": ["sim-001", "Alien"],
    "journey": ["sim-001"], "near-miss": ["sim-001", "--margin-only"], "similar": ["Alien"],
    "item": ["Alien"], "recommend": ["--likes", "Alien; Blade Runner; Brazil"], "guests": [],
    "compare": ["trained@2", "trained@10"], "failures": ["trained", "--cohorts"], "evaluate": [],
    "config": [],
}  # fmt: skip
"""Arguments of the commands that read a run, which is the only one of its home."""


def tree(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return mode, size and times of change of everything in a folder."""
    found = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        about = path.lstat()
        found[str(path)] = (about.st_mode, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
    return found


@pytest.fixture
def foreign(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a run in a home that belongs to another account, which this one may only read."""
    home = tmp_path / "foreign"
    folder = make_run(home, "stopped", with_data=True)
    real = os.access

    def access(path: Path, mode: int) -> bool:
        return not (Path(path).is_relative_to(home) and mode & os.W_OK) and real(path, mode)

    monkeypatch.setattr(os, "access", access)  # modes forbid root nothing
    monkeypatch.setattr(files, "owner", lambda path: NOBODY)
    before = tree(home)
    yield folder
    assert tree(home) == before, "nothing is written into the home of another account"


def test_commands_that_steer_refuse_with_one_message(foreign: Path, inside: Cli) -> None:
    owner = account_name(NOBODY)
    assert why_read_only(foreign) == f"read-only: this run belongs to {owner}"
    for command, args in STEERING.items():
        done = inside(*command.split(), *args, "--home", str(home_of_run(foreign)))
        assert done.returncode == 4 and done.stderr.count("\n") == 1, (command, done.stderr)
        assert f"golden is read-only: this run belongs to {owner}" in done.stderr, command
    assert inside("status", str(foreign)).stdout.startswith("golden")


def test_the_dataset_is_found_where_the_run_lies_or_prepared_in_the_own_home(
    foreign: Path, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By path, by a link among the own runs, and by --home."""
    own_home.mkdir()
    home, link = foreign.parents[1], runs_dir(own_home) / "linked"
    link.parent.mkdir()
    link.symlink_to(foreign)
    assert home_of_run(link) == home and home_to_write(home) == own_home
    for folder, at in ((foreign, own_home), (link, own_home), (foreign, home)):
        assert load_users(folder, at).dataset.num_users == 5
    users = load_users(foreign, home).dataset.split.users
    assert not isinstance(users.base, np.memmap), "its owner could change a file that is mapped"
    assert not (own_home / "datasets").exists()
    place = as_csv(tmp_path)
    made = open_dataset("auto", place, tmp_path / "another", silent, silent)
    wanted = made.fingerprint, made.name, home, str(place), made.options
    assert load_dataset(*wanted).num_users == made.num_users
    assert (own_home / "datasets").exists()
    monkeypatch.setattr(files, "may_write", lambda _: False)
    shutil.rmtree(own_home / "datasets")
    assert load_dataset(*wanted).num_users == made.num_users, "in memory"
    assert not (own_home / "datasets").exists()


async def test_screens_offer_no_key_that_steers_and_say_why(foreign: Path, own_home: Path) -> None:
    home = foreign.parents[1]
    app = NeumfApp(foreign, own_home, "train")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        says = f"read-only: this run belongs to {account_name(NOBODY)}"
        assert text_of(app, "#notice").startswith(says)
        offered = {binding.binding.action for binding in app.screen.active_bindings.values()}
        assert not offered & {"resume", "stop", "stop_now", "pause", "checkpoint", "extend", "more"}
        assert {"explore", "pin", "leave"} <= offered
    app = NeumfApp(None, home, "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert text_of(app, "#notice").startswith(says)
        offered = {binding.binding.action for binding in app.screen.active_bindings.values()}
        assert not offered & {"resume", "stop", "rename", "delete", "baselines"}
        assert {"open", "explore"} <= offered
        app.copy_to_clipboard("text")
    assert (own_home / "clipboard.txt").read_text() == "text\n"


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_modes_of_a_run_follow_the_umask(own_home: Path, mask: int) -> None:
    with umask(mask):
        folder = make_run(own_home, "stopped", with_data=True)
        about = Checkpoint(fingerprint="f" * 64, progress=TrainingProgress(epoch=1), shape={})
        save_checkpoint(folder, {"items": np.zeros((2, 2), np.float32)}, about)
        send_request(folder, STOP)
        hold(folder).close()
        files.open_to_append(folder, "trainer.log").close()
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in own_home.rglob("*")}
    names = {path.name for path in found}
    assert {"run.json", "status.json", "events.jsonl", "trainer.log", "lock", "agent.lock"} <= names
    assert {"00001.npy", "00001.safetensors", "last", "stop", "dataset.json"} <= names
    wrong = {
        str(path): oct(mode)
        for path, mode in found.items()
        if mode != (0o777 if path.is_dir() else 0o666) & ~mask
    }
    assert wrong == {}


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_another_account_reads_what_the_modes_let_it_read(trained_home: Path, mask: int) -> None:
    with open_folder() as folder:
        home = folder / "home"
        shutil.copytree(trained_home, home)
        for path in (home, *home.rglob("*")):
            path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)
        before = tree(home)
        commands = READING | {
            name: [one.replace("golden", "trained").replace("196", "sim-001") for one in args]
            for name, args in STEERING.items()
        }
        jobs = [
            Job([*name.split(), *args], str(home), "read-only") for name, args in commands.items()
        ]
        env = {"HOME": str(folder), "NEUMF_TUI_CONFIG": str(folder / "config.toml")}
        for job, outcome in run_jobs(jobs, env):
            name = job.args[0]
            assert "Traceback" not in outcome.err and outcome.err.count("\n") <= 3, (job, outcome)
            if mask == 0o077 and name != "config":
                assert outcome.code and "ermission" in outcome.err, (job, outcome)
            elif name in {one.split()[0] for one in STEERING}:
                assert outcome.code == 4 and "read-only: this run belongs to root" in outcome.err
            else:
                assert outcome.code == 0, (job, outcome)
        by_path = Job(["status", str(home / "runs" / "trained")], str(folder / "own"), "read-only")
        ((_, outcome),) = run_jobs([by_path], env)
        found = "ask its owner" in outcome.err if mask == 0o077 else outcome.code == 0
        assert found, outcome
        assert tree(home) == before
