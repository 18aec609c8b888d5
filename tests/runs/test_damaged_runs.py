"""Damaged runs among whole ones: each is listed, and none hides another."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from neumf_tui.errors import RunError
from neumf_tui.runs import events
from neumf_tui.runs.live_runs import RunList
from neumf_tui.runs.reader import EventTail, rank_epochs, read_ranks, read_snapshot, read_status
from neumf_tui.runs.snapshot import Snapshot, fold
from neumf_tui.runs.store import find_run
from neumf_tui.runs.summary import FACTS, status_object
from tests.support.commands import Cli
from tests.support.golden_runs import METRICS, T0, make_run

Damage = Callable[[Path], object]


def edit(name: str, change: Callable[[bytes], bytes]) -> Damage:
    """Return a function that changes the content of a run's file."""
    return lambda run: (run / name).write_bytes(change((run / name).read_bytes()))


def instead(name: str, make: Callable[[Path], object]) -> Damage:
    """Return a function that puts something else in the place of a run's file."""

    def put(run: Path) -> None:
        (run / name).unlink()
        make(run / name)

    return put


def info(**changes: object) -> Damage:
    return edit("run.json", lambda content: json.dumps(json.loads(content) | changes).encode())


def dataset(**changes: object) -> Damage:
    def change(content: bytes) -> bytes:
        values = json.loads(content)
        values["dataset"] |= changes
        return json.dumps(values).encode()

    return edit("run.json", change)


def event(line: bytes) -> Damage:
    return edit("events.jsonl", lambda content: content + line + b"\n")


DAMAGES: dict[str, Damage] = {
    "a byte that is not UTF-8": event(b'{"t":1,"kind":"warning","text":"\xff"}'),
    "an evaluation without hit@50": edit(
        "events.jsonl", lambda content: content.replace(b'"hit@50":0.2', b'"hit@5":0.2')
    ),
    "an evaluation of a huge epoch": event(b'{"t":1,"kind":"extended","epochs":99999999999999}'),
    "losses without steps": event(b'{"t":1,"kind":"steps","steps":[1],"losses":[]}'),
    "an event in the year 3e10": event(b'{"t":1e18,"kind":"paused"}'),
    "a NUL block": event(b"\0" * 700),
    "deep nesting": event(b'{"x":' + b"[" * 100_000),
    "created 1e18": info(created=1e18),
    "created 1e300": info(created=1e300),
    "no settings": info(settings={}),
    "epochs that are a text": info(settings={"epochs": "4"}),
    "a fingerprint that is a path": dataset(fingerprint="../../../secret"),
    "candidates that are no numbers": info(protocol={"num_candidates": "many"}),
    "a split that nobody knows": info(protocol={"split_name": "by moonlight"}),
    "a share that is not a number": info(protocol={"tied_share": "half"}),
    "an empty run.json": edit("run.json", lambda _: b""),
    "NULs in run.json": edit("run.json", lambda content: b"\0" * len(content)),
    "a newer format": info(format=9),
    "run.json is a link": instead("run.json", lambda path: path.symlink_to("/etc/hostname")),
    "run.json is a FIFO": instead("run.json", os.mkfifo),
    "run.json is a folder": instead("run.json", Path.mkdir),
    "run.json is too large": lambda run: os.truncate(run / "run.json", 2**33),
    "events.jsonl is a FIFO": instead("events.jsonl", os.mkfifo),
    "events.jsonl is a link": instead("events.jsonl", lambda path: path.symlink_to("/dev/zero")),
    "status.json is a FIFO": instead("status.json", os.mkfifo),
    "an empty status.json": edit("status.json", lambda _: b""),
    "an odd file among the ranks": lambda run: (run / "ranks" / "9x.npy").write_bytes(b""),
    "a folder among the requests": lambda run: (run / "requests" / "dir").mkdir(),
    "ranks is a link": lambda run: (
        shutil.rmtree(run / "ranks"),
        (run / "ranks").symlink_to("/etc"),
    ),
}
HARMLESS = {"an odd file among the ranks", "a folder among the requests", "ranks is a link"}
CRASHED = {"status.json is a FIFO", "an empty status.json"}


def test_every_damaged_run_is_listed_and_hides_no_other(own_home: Path, inside: Cli) -> None:
    make_run(own_home, "finished", name="whole")
    for number, damage in enumerate(DAMAGES.values()):
        run = own_home / "runs" / f"bad-{number:02}"
        shutil.copytree(own_home / "runs" / "whole", run)
        damage(run)
    rows = {row.folder.name: row for row in RunList(own_home).read()}
    wrong = {}
    for number, kind in enumerate(DAMAGES):
        row = rows[f"bad-{number:02}"]
        wanted = "finished" if kind in HARMLESS else "crashed" if kind in CRASHED else "damaged"
        if row.state != wanted or (kind not in HARMLESS and not row.facts["reason"]):
            wrong[kind] = (row.state, row.facts["reason"])
    assert wrong == {}
    assert rows["whole"].state == "finished"

    listed = inside("runs", "--json")
    assert listed.returncode == 0
    assert {run["run"]: run["state"] for run in json.loads(listed.stdout)} == {
        name: row.state for name, row in rows.items()
    }
    table = inside("runs", "--plain")
    assert table.returncode == 0 and table.stdout.count("\n") == len(rows) + 2
    assert table.stderr.count("warning: bad-") == sum(r.state == "damaged" for r in rows.values())


def test_a_damaged_run_is_read_again_until_it_is_whole(own_home: Path) -> None:
    run = make_run(own_home, "finished")
    runs, whole = RunList(own_home), (run / "run.json").read_bytes()
    (run / "run.json").write_bytes(b"{")
    assert [row.state for row in runs.read()] == ["damaged"]
    (run / "run.json").write_bytes(whole)
    (row,) = runs.read()
    assert row.state == "finished" and len(row.snapshot.evaluations) == 3


def test_the_latest_run_is_one_that_can_be_read(own_home: Path, inside: Cli) -> None:
    make_run(own_home, "finished", name="whole")
    latest = make_run(own_home, "finished", name="latest")
    (latest / "run.json").write_bytes(b"{")
    os.utime(own_home / "runs" / "whole" / "run.json", (T0, T0))
    assert find_run(own_home, None).name == "whole"
    assert inside("status").stdout.startswith("whole")
    named = inside("status", "latest")
    assert named.returncode == 4 and "run.json: cannot be read" in named.stderr
    shutil.rmtree(own_home / "runs" / "whole")
    with pytest.raises(RunError, match="the run is damaged"):
        find_run(own_home, None)


@pytest.mark.parametrize("name", ["~nobody-of-this-name", "a\0b", "x" * 5000, "../..", "/etc"])
def test_odd_names_of_runs_are_errors(own_home: Path, name: str) -> None:
    make_run(own_home, "finished")
    with pytest.raises(RunError):
        find_run(own_home, name)


def test_facts_of_damaged_runs_have_the_keys_of_whole_ones(own_home: Path) -> None:
    assert tuple(status_object(make_run(own_home, "finished"))) == FACTS


def test_only_the_first_damaged_line_is_told(own_home: Path) -> None:
    run = make_run(own_home, "finished", epochs=1)
    path = run / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"x" * 3 * 2**20 + b"\n{\n" + b"".join(lines[1:]))
    damaged = [event for event in EventTail(run).read() if isinstance(event, events.Damaged)]
    assert len(damaged) == 1 and "line 2" in damaged[0].text and "longer than" in damaged[0].text
    assert len(read_snapshot(run).evaluations) == 1


def test_a_lost_status_is_that_of_a_crashed_run(own_home: Path) -> None:
    run = make_run(own_home, "finished")
    for damage in (b"", b"\0" * 150, b'{"state":"finished"}', None):
        (run / "status.json").write_bytes(damage) if damage is not None else (
            run / "status.json"
        ).unlink()
        status = read_status(run)
        assert (status.state, status.epoch) == ("crashed", 3) and "resume" in status.reason
    shutil.rmtree(run)
    with pytest.raises(RunError, match="not there any more"):
        read_status(run)


def test_ranks_are_read_from_files_that_are_ranks(own_home: Path) -> None:
    import numpy as np

    run = make_run(own_home, "finished")
    good = (run / "ranks" / "00001.npy").read_bytes()
    for name in ("9x.npy", "1.npy", "٣٣٣٣٣.npy", "0000000000001.npy", "00009.npy~"):
        (run / "ranks" / name).write_bytes(good)
    assert rank_epochs(run) == [1, 2, 3]
    for odd in (np.ones(5), np.ones((5, 1), np.float32), np.float32([0.5, 1]), np.array(["a"])):
        np.save(run / "ranks" / "00002.npy", odd)
        with pytest.raises(RunError, match="expected float32 ranks"):
            read_ranks(run, 2)


def started(t: float, epoch: int = 0) -> events.Started:
    return events.Started(t=t, device="cpu", epoch=epoch, step=0, steps=10, popularity=METRICS)


@pytest.mark.parametrize(("shift", "most"), [(-5.0, 12), (-1e8, 8), (1e8, 8), (86_400.0, 8)])
def test_a_clock_that_was_set_adds_little_time(shift: float, most: float) -> None:
    """Runs of older versions have the times of the machine's clock."""
    losses: list[events.AnyEvent] = [started(T0)]
    for step in range(1, 9):
        late = shift if 3 < step < 6 else 0.0
        losses.append(events.Steps(t=T0 + step + late, steps=[step], losses=[0.5]))
    run = fold(Snapshot(), losses)
    seconds = run.points.seconds
    assert (seconds[1:] >= seconds[:-1]).all() and 5 <= seconds[-1] <= most
    status = events.Status(state="running", pid=1, t=T0 + 9)
    assert 6 <= run.seconds(status) <= most + 1
    done = events.Finished(t=T0 - 1e8, state="finished", reason="", total_seconds=9.5)
    assert fold(run, [done]).seconds(status) == 9.5


def test_epochs_and_steps_that_come_twice_count_once(own_home: Path) -> None:
    run = make_run(own_home, "finished")
    path = run / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4] + lines[1:4] + lines[4:] + lines[2:8]))
    snapshot = read_snapshot(run)
    steps = snapshot.points.steps
    assert (steps[1:] > steps[:-1]).all()
    epochs = [evaluated.epoch for evaluated in snapshot.evaluations]
    assert epochs == sorted(set(epochs)) and len(snapshot.evaluated_at) == len(epochs)


def test_times_of_one_process_never_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = events.Paused()
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert 0 <= events.Resumed().t - first.t < 60


def test_a_strangers_run_names_no_place_to_look_for_data(
    own_home: Path, inside: Cli, tmp_path: Path, ml100k: Path
) -> None:
    """Prepared data is that of the current home, whatever the run says of its own."""
    run = make_run(own_home, "finished", with_data=True)
    info(home="/nowhere/at/all")(run)
    assert inside("failures", "golden").returncode == 0
    elsewhere = tmp_path / "elsewhere"
    (own_home / "datasets").rename(elsewhere)
    info(home=str(elsewhere))(run)
    dataset(source=str(ml100k))(run)
    done = inside("failures", "golden")
    assert done.returncode == 3 and "NEUMF_TUI_DATA" in done.stderr
    assert str(ml100k) not in done.stderr and not (own_home / "datasets" / "prepared").exists()


@pytest.mark.parametrize("kind", ["fifo", "link", "folder", "huge"])
def test_logs_show_output_only_from_a_file_of_the_run(
    own_home: Path, inside: Cli, kind: str, tmp_path: Path
) -> None:
    output = make_run(own_home, "finished") / "trainer.log"
    match kind:
        case "fifo":
            os.mkfifo(output)
        case "link":
            (tmp_path / "secret").write_text("secret\n")
            output.symlink_to(tmp_path / "secret")
        case "folder":
            output.mkdir()
        case "huge":
            output.write_bytes(b"first\n")
            os.truncate(output, 2**33)
            with output.open("ab") as file:
                file.write(b"\nlast\x1b[2J\n")
    done = inside("logs")
    assert "secret" not in done.stdout and "Traceback" not in done.stderr
    if kind == "huge":
        assert done.stdout.endswith("trainer:  last·[2J\n") and "are left out" in done.stdout
        assert len(done.stdout) < 2**26
    else:
        assert done.returncode and "trainer.log" in done.stderr


@pytest.mark.parametrize("lost", range(7))
def test_a_run_is_shown_without_any_one_event(own_home: Path, inside: Cli, lost: int) -> None:
    run = make_run(own_home, "finished")
    path = run / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:lost], b"{}\n", *lines[lost + 1 :]]))
    for command in ("status", "logs", "status --json", "runs --plain"):
        done = inside(*command.split())
        assert done.returncode == 0 and f"line {lost + 1} is damaged" in done.stdout + done.stderr


def test_a_link_that_leads_to_itself_is_a_damaged_run(own_home: Path, inside: Cli) -> None:
    make_run(own_home, "finished")
    (own_home / "runs" / "loop").symlink_to("loop")
    for command in ("status loop", "rename loop other", "delete loop --yes"):
        assert "loop" in inside(*command.split()).stderr
    assert inside("runs", "--plain").returncode == 0
