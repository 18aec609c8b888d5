"""What a run directory consists of: nothing outside it is written to, and nothing else removed."""

import errno
import fcntl
import os
import shutil
import socket
import stat
from pathlib import Path

import pytest

from neumf_tui.errors import RunError
from neumf_tui.runs import control, writer
from neumf_tui.runs.control import make_ready, rename_run
from neumf_tui.runs.events import Warned
from neumf_tui.runs.reader import is_locked
from neumf_tui.runs.requests import Request, send_request, take_requests
from neumf_tui.runs.writer import RunWriter, create_run
from tests.support.commands import Cli
from tests.support.golden_runs import make_info, make_run

FOLDERS = ("ranks", "validation", "checkpoints", "requests")
FILES = ("status.json", "events.jsonl", "trainer.log", "lock", "agent.lock", "checkpoints/best")


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return modes and contents of all that lies in a folder, links themselves."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() and not path.is_symlink() else b"",
        )
        for path in folder.rglob("*")
    }


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Return a folder that no run may change, with files that have the names of a run's."""
    folder = tmp_path / "outside"
    folder.mkdir()
    for name in ("stop", "00001.npy", "best", "00001.safetensors", "precious"):
        (folder / name).write_bytes(b"precious\nwithout a line end")
    return folder


def put(path: Path, kind: str, outside: Path) -> None:
    """Put something in the place of a part of a run."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    target = outside if path.name in FOLDERS else outside / "precious"
    if kind == "link":
        path.symlink_to(target)
    elif kind == "dangling":
        path.symlink_to(outside / "made")
    elif kind == "hard link":
        os.link(outside / "precious", path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.relpath(path))  # a socket's path must be short
    elif path.name in FOLDERS:
        path.write_bytes(b"")
    else:
        path.mkdir()


KINDS = [
    *((name, kind) for name in (*FOLDERS, *FILES) for kind in ("link", "dangling", "fifo")),
    *((name, "hard link") for name in ("events.jsonl", "trainer.log")),
    *((name, kind) for name in ("ranks", "events.jsonl") for kind in ("socket", "other")),
]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_run_that_leads_out_of_its_folder_is_refused_before_anything_changes(
    own_home: Path, outside: Path, name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(own_home, "stopped")
    monkeypatch.chdir(folder)
    put(folder / name, kind, outside)
    before = tree(folder), tree(outside)
    with pytest.raises(OSError, match=name):
        make_ready(folder, 9)
    with pytest.raises(OSError, match=name), RunWriter(folder) as trainer:  # started by hand
        trainer.event(Warned(text="x"))
    if name == "requests":
        with pytest.raises(OSError, match=name):
            send_request(folder, "stop")
    assert (tree(folder), tree(outside)) == before


def test_a_request_that_is_a_link_is_not_followed_when_a_run_is_resumed(
    own_home: Path, outside: Path
) -> None:
    folder = make_run(own_home, "stopped")
    (folder / "requests" / "extend").symlink_to(outside / "precious")
    (folder / "requests" / "stop").mkdir()
    (folder / "requests" / "thesis.tex").write_text("mine")
    send_request(folder, "pause")
    before = tree(outside)
    make_ready(folder, None).close()
    assert tree(outside) == before
    assert sorted(path.name for path in (folder / "requests").iterdir()) == [
        "extend", "stop", "thesis.tex",
    ]  # fmt: skip


def test_delete_removes_what_a_run_consists_of_and_follows_no_link(
    own_home: Path, outside: Path, inside: Cli
) -> None:
    folder, before = make_run(own_home, "finished"), tree(outside)
    shutil.rmtree(folder / "requests")
    (folder / "requests").symlink_to(outside)
    (folder / "trainer.log").symlink_to(outside / "precious")
    (folder / "checkpoints" / "00001.safetensors").symlink_to(outside / "precious")
    (folder / "validation").mkdir()
    os.mkfifo(folder / "agent.lock")
    for scratch in (".status.json.123", ".run.json.1.a1b2c3~", "ranks/.00004.npy.h-1.a1b2c3~"):
        (folder / scratch).write_bytes(b"")
    done = inside("delete", str(folder), "--yes")
    assert (done.returncode, done.stderr) == (0, "golden is deleted\n")
    assert not folder.exists() and tree(outside) == before


def test_delete_keeps_what_is_not_of_a_run(own_home: Path, inside: Cli) -> None:
    folder = make_run(own_home, "finished")
    for name in ("notes.txt", "checkpoints/epoch-3.pt", "ranks/readme", "requests/thesis.tex"):
        (folder / name).write_text("mine")
    (folder / "trainer.log").mkdir()
    done = inside("delete", "golden", "--yes")
    assert done.returncode == 0
    assert "golden is deleted; " in done.stderr and "stays, since it holds other" in done.stderr
    assert {name for name, (mode, _) in tree(folder).items() if stat.S_ISREG(mode)} == {
        "notes.txt", "checkpoints/epoch-3.pt", "ranks/readme", "requests/thesis.tex",
    }  # fmt: skip
    assert inside("delete", str(folder), "--yes").returncode == 4, "it is not a run any more"


def test_a_link_to_a_run_is_neither_deleted_nor_renamed(own_home: Path, inside: Cli) -> None:
    folder = make_run(own_home, "finished")
    real = folder.rename(own_home / "elsewhere")
    folder.symlink_to(real)
    before = tree(own_home)
    for command in (["delete", "golden", "--yes"], ["rename", "golden", "other"]):
        refused = inside(*command)
        assert refused.returncode == 4
        assert f"golden: this is a link to {real}; {command[0]} the run there" in refused.stderr
    assert tree(own_home) == before


def test_renaming_is_undone_when_it_cannot_be_written(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(own_home, "finished")
    before = tree(folder)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "run.json")

    monkeypatch.setattr(control, "write_info", full)
    with pytest.raises(OSError, match="No space"):
        rename_run(folder, "other")
    assert tree(folder) == before and not folder.with_name("other").exists()


def test_folders_that_a_copy_has_lost_are_made_again(own_home: Path) -> None:
    folder = make_run(own_home, "stopped")
    for name in ("checkpoints", "requests"):
        (folder / name).rmdir()
    make_ready(folder, 9).close()
    assert take_requests(folder) == ([Request("extend", "9")], {})
    with RunWriter(folder) as trainer:
        trainer.event(Warned(text="x"))
    assert (folder / "checkpoints").is_dir()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_where_no_file_can_be_locked_no_run_is_made(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    info = make_info("new", own_home)
    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError, match=r"no file can be locked here .*home on another disk"):
        create_run(own_home / "runs" / "new", info)
    assert not list((own_home / "runs").iterdir())


def test_a_run_that_cannot_be_written_leaves_nothing_behind(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "run.json")

    monkeypatch.setattr(writer, "write_info", full)
    with pytest.raises(OSError, match="No space"):
        create_run(own_home / "runs" / "new", make_info("new", own_home))
    assert not list((own_home / "runs").iterdir())


def test_of_two_runs_of_one_name_the_first_stays(own_home: Path) -> None:
    folder = make_run(own_home, "finished")
    before = tree(folder)
    with pytest.raises(RunError, match="a run with this name exists"):
        create_run(folder, make_info("golden", own_home))
    assert tree(folder) == before and [*folder.parent.iterdir()] == [folder]


def test_the_losers_of_a_race_for_a_run_say_why(own_home: Path) -> None:
    folder = make_run(own_home, "stopped")
    with make_ready(folder, 9):
        assert is_locked(folder)
        with pytest.raises(RunError, match=r"is being trained right now; .* attach golden"):
            make_ready(folder, 20)
        assert take_requests(folder) == ([Request("extend", "9")], {}), "they changed nothing"
    assert not is_locked(folder)
