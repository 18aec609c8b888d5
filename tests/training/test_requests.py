"""What a trainer does with whatever lies in its folder of requests."""

import os
import shutil
from pathlib import Path

import pytest

from neumf_tui.runs.events import Warned
from neumf_tui.runs.pending_requests import MOST_IGNORED
from neumf_tui.runs.reader import EventTail
from neumf_tui.runs.requests import send_request
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.runs.writer import RunWriter
from neumf_tui.training.distributed.group import Group
from neumf_tui.training.pending_requests import GroupRequests
from tests.support.golden_runs import make_run


def put_strays(folder: Path) -> set[str]:
    """Fill a folder of requests with what is not a request; return the names."""
    (folder / "stop").mkdir()
    (folder / "pause").symlink_to("/nowhere")
    (folder / "checkpoint").symlink_to("/dev/zero")
    os.mkfifo(folder / "unpin")
    (folder / "thesis.tex").write_text("mine")
    (folder / "stop-now").write_bytes(b"\xff\xfe")
    os.truncate(os.open(folder / "pin", os.O_CREAT | os.O_WRONLY), 2**40)
    (folder / "\x1b[31m\n").touch()
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe")).touch()
    return set(os.listdir(folder))  # noqa: PTH208


def warnings(folder: Path) -> list[str]:
    return [event.text for event in EventTail(folder).read() if isinstance(event, Warned)]


def test_what_is_not_a_request_is_ignored_with_one_warning_each(own_home: Path) -> None:
    folder = make_run(own_home, "running")
    names = put_strays(folder / "requests")
    with RunWriter(folder) as writer:
        pending = GroupRequests(writer, ["a"], Snapshot(), Group())
        for _ in range(3):
            pending.read(1)
        send_request(folder, "extend", "7")
        send_request(folder, "pin", "a")
        pending.read(1)
    assert pending.epochs == 7 and not (pending.stop_reason or pending.pause or pending.save)
    assert len(warnings(folder)) == len(names), warnings(folder)
    assert all(text.endswith("; it is ignored") for text in warnings(folder))
    assert set(os.listdir(folder / "requests")) == names, "and they stay"  # noqa: PTH208


@pytest.mark.parametrize("digits", ["9" * 4000, "1" * 4096, "٣" * 2000, "-5", "1e3", " "])
def test_numbers_of_epochs_that_are_none_are_refused(own_home: Path, digits: str) -> None:
    folder = make_run(own_home, "running")
    send_request(folder, "extend", digits)
    with RunWriter(folder) as writer:
        pending = GroupRequests(writer, [], Snapshot(), Group())
        pending.read(1)
    (text,) = warnings(folder)
    assert pending.epochs == 4 and "not a number of epochs from 1" in text and len(text) < 120


def test_many_strays_do_not_fill_the_events(own_home: Path) -> None:
    folder = make_run(own_home, "running")
    for number in range(3 * MOST_IGNORED):
        (folder / "requests" / f"{number}.txt").touch()
    with RunWriter(folder) as writer:
        pending = GroupRequests(writer, [], Snapshot(), Group())
        pending.read(1)
        pending.read(1)
    assert len(warnings(folder)) == MOST_IGNORED


def test_a_lost_folder_of_requests_is_made_again(own_home: Path) -> None:
    folder = make_run(own_home, "running")
    with RunWriter(folder) as writer:
        pending = GroupRequests(writer, [], Snapshot(), Group())
        shutil.rmtree(folder / "requests")
        pending.read(1)
        assert (folder / "requests").is_dir() and not warnings(folder)
        (folder / "requests").rmdir()
        send_request(folder, "stop")
        pending.read(1)
        assert pending.stop_reason
        (folder / "requests").rmdir()
        (folder / "requests").symlink_to("/etc")
        pending.read(1)
        pending.read(1)
    (text,) = warnings(folder)
    assert text.startswith("requests: expected a folder, found a symbolic link")


def test_a_request_that_is_gone_again_is_none(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neumf_tui import files

    folder = make_run(own_home, "running")
    send_request(folder, "stop")
    found = files.entries(folder, "requests")
    monkeypatch.setattr(files, "entries", lambda *_: found)
    (folder / "requests" / "stop").unlink()
    with RunWriter(folder) as writer:
        pending = GroupRequests(writer, [], Snapshot(), Group())
        pending.read(1)
    assert not pending.stop_reason and not warnings(folder)
