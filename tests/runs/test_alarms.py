"""Alarms: each kind in planted runs, told once, over by a margin; thresholds; who sees them."""

import json
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.waiting import wait_for
from neumf_tui.config_file import NAMES
from neumf_tui.errors import UsageError
from neumf_tui.home import config_path
from neumf_tui.runs import alarms, attend, events
from neumf_tui.runs.alarms import StallWatch
from neumf_tui.runs.control import make_ready
from neumf_tui.runs.live_runs import RunList
from neumf_tui.runs.orders import Orders
from neumf_tui.runs.reader import EventTail, read_info, read_snapshot, read_status
from neumf_tui.runs.thresholds import ABOUT, Thresholds, read_thresholds
from neumf_tui.runs.writer import RunWriter, append_beside, write_info
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.config import Config
from neumf_tui.tui.runs.table import RunTable
from tests.support.commands import Cli
from tests.support.golden_runs import METRICS, T0, make_run
from tests.support.processes import long_run
from tests.support.screens import settle, text_of

ALL = Thresholds(
    stall_minutes=1, loss_rising=2, validation_falling=2, cohort_drop=0.5, coverage_drop=0.5
)


def planted(home: Path, thresholds: Thresholds = ALL, name: str = "planted") -> Path:
    """Return a run that has not started yet."""
    folder = make_run(home, "starting", name=name)
    write_info(folder, msgspec.structs.replace(read_info(folder), alarms=thresholds))
    return folder


def started(epoch: int = 0) -> events.Started:
    return events.Started(t=T0 + epoch, device="cpu", epoch=epoch, step=0, steps=10)


def evaluation(epoch: int, **given: Any) -> list[events.AnyEvent]:
    """Return the events of an epoch; `given`: loss, valid, hits (by cohort), coverage."""
    t, valid = T0 + epoch, given.get("valid")
    return [
        events.Epoch(t=t, epoch=epoch, loss=given.get("loss", 0.5), seconds=1),
        events.Evaluated(
            t=t,
            epoch=epoch,
            metrics=METRICS,
            validation=None if valid is None else METRICS | {"hit@50": valid},
            interval=(0.2, 0.4),
            seconds=0.1,
            cohorts={name: (hit, 100) for name, hit in given.get("hits", {}).items()},
            coverage=given.get("coverage"),
        ),
    ]


def losses(first: int, values: Sequence[float | None], t: float = T0) -> events.Steps:
    return events.Steps(t=t, steps=list(range(first, first + len(values))), losses=list(values))


def written(folder: Path, happened: Sequence[events.AnyEvent]) -> list[str]:
    """Write events as a trainer does; return the alarms that begin (+) and end (-), in order."""
    tail = EventTail(folder)
    tail.read()
    with RunWriter(folder) as writer:
        writer.watch()
        for event in happened:
            writer.event(event)
    found = tail.read()
    marks = {events.Alarm: "+", events.AlarmOver: "-"}
    return [
        marks[type(e)] + e.alarm for e in found if isinstance(e, events.Alarm | events.AlarmOver)
    ]


def series(name: str, values: Sequence[Any]) -> list[events.AnyEvent]:
    """Return evaluations with one value each."""
    return [e for epoch, one in enumerate(values, 1) for e in evaluation(epoch, **{name: one})]


CASES: dict[str, tuple[list[events.AnyEvent], list[str]]] = {
    "the loss rises twice": (series("loss", [3, 2, 2.1, 2.2]), ["+loss-rising"]),
    "the loss rises once": (series("loss", [3, 2, 2.1, 2.05, 2.1]), []),
    "a rise is told once until the loss is as low as before it": (
        series("loss", [3, 2, 2.1, 2.2, 2.3, 2.1, 2.2, 2.3, 2.0, 2.1, 2.2]),
        ["+loss-rising", "-loss-rising", "+loss-rising"],
    ),
    "validation falls twice": (series("valid", [0.2, 0.3, 0.29, 0.28]), ["+validation-falling"]),
    "validation falls, and recovers": (
        series("valid", [0.3, 0.29, 0.28, 0.295, 0.28, 0.27, 0.3]),
        ["+validation-falling", "-validation-falling"],
    ),
    "a cohort collapses and half recovers": (
        series("hits", [{"Drama": 40, "War": 8}, {"Drama": 19, "War": 8}, {"Drama": 25},
                        {"Drama": 30}]),
        ["+cohort", "-cohort"],
    ),
    "a few users of a cohort are chance": (series("hits", [{"War": 8}, {"War": 3}]), []),
    "the coverage collapses": (
        series("coverage", [0.6, 0.5, 0.29, 0.4, 0.28, 0.46]), ["+coverage", "-coverage"]
    ),
    "the loss is not a number for a while": (
        [
            losses(1, [0.7, None]),
            losses(3, [0.7] * 50, T0 + 10),
            losses(53, [0.7] * 100, T0 + 30),  # many steps, but soon
            losses(153, [None], T0 + 40),
            losses(154, [0.7] * 40, T0 + 90),
            losses(194, [0.7] * 90, T0 + 120),
        ],
        ["+not-a-number", "-not-a-number"],
    ),
    "another value of a loop is not a number": (
        [events.Scalars(t=T0, curves={"margin": ([1, 2], [0.1, None])})], ["+not-a-number"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_alarm_is_told_once_until_it_is_over(own_home: Path, case: str) -> None:
    happened, told = CASES[case]
    folder = planted(own_home)
    assert written(folder, [started(), *happened]) == told
    off = written(planted(own_home, Thresholds(), "off"), [started(), *happened])
    assert off == [one for one in told if "not-a-number" in one], "always on"
    holds = {one[1:] for one in told if told[-1] == "+" + one[1:]}
    assert read_snapshot(folder).alarms.keys() == holds


def test_a_resumed_trainer_goes_on_with_the_alarms_and_ends_those_that_it_undoes(
    own_home: Path,
) -> None:
    folder = planted(own_home)
    rising = series("loss", [2, 2.1, 2.2])
    assert written(folder, [started(), *rising, losses(31, [None])]) == [
        "+loss-rising", "+not-a-number"
    ]  # fmt: skip
    assert written(folder, [started(3)]) == ["-not-a-number"]
    assert written(folder, [started(1), *evaluation(2, loss=1.9)]) == ["-loss-rising"]


def test_a_text_says_what_has_changed_and_since_when(own_home: Path) -> None:
    hits = [{"Drama": 40, "War": 30}, {"Drama": 10, "War": 14}]
    folder = planted(own_home)
    written(folder, [started(), *series("hits", hits), losses(21, [None])])
    texts = [alarm.text for alarm in read_snapshot(folder).alarms.values()]
    assert texts == [
        "Hit@50 of the cohort Drama fell from 0.400 at epoch 1 to 0.100 at epoch 2; "
        "so did that of 1 more",
        "the loss is not a number at step 21",
    ]


def test_a_nearly_full_disk_is_told_once_until_there_is_room(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, usage = planted(own_home, Thresholds()), shutil.disk_usage(own_home)
    size = 10 * 2**20
    with RunWriter(folder) as writer:
        writer.watch()
        writer.event(started())
        for count in (30, 19, 5, 25, 41, 19):  # the alarm is over with room for 40
            free = usage._replace(free=count * size + 1)
            monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: free)
            writer.watch_disk(size)
    log = [text for _, text in read_snapshot(folder).log[1:]]
    assert [line[:10] for line in log] == ["! the disk", "alarm over", "! the disk"]
    assert "room for about 19 more checkpoints" in log[0] and "prune planted" in log[0]


def test_a_stall_is_seen_from_outside_and_is_over_with_the_next_step() -> None:
    watch = StallWatch(60, told=False)

    def status(step: int, state: str = "running") -> events.Status:
        return events.Status(state=state, pid=1, epoch=2, step=step)

    seen = [
        watch.look(*at)
        for at in [
            (status(5), 0.0), (status(5), 59.0), (status(5), 60.0), (status(5), 300.0),
            (status(6), 301.0), (status(6), 350.0), (status(6, "paused"), 400.0),
            (status(6, "paused"), 900.0), (status(6), 901.0), (status(6), 962.0),
            (status(6, "crashed"), 963.0),
        ]
    ]  # fmt: skip
    told = [(place, type(one).__name__) for place, one in enumerate(seen) if one]
    assert told == [(2, "Alarm"), (4, "AlarmOver"), (9, "Alarm"), (10, "AlarmOver")]
    assert isinstance(seen[2], events.Alarm)
    assert seen[2].text == "no progress for 1 min: running at epoch 2, step 5"
    old = StallWatch(60, told=True).look(status(1, "starting"), 0.0)
    assert isinstance(old, events.AlarmOver), "of an earlier trainer"


def test_an_event_from_outside_waits_for_a_whole_line(own_home: Path) -> None:
    folder = planted(own_home)
    stall = events.Alarm(alarm=alarms.STALL, text="no progress")
    path = folder / "events.jsonl"
    path.write_bytes(b'{"kind":"paused"')
    assert not append_beside(folder, stall) and path.read_bytes() == b'{"kind":"paused"'
    path.write_bytes(b'{"kind":"paused"}\n')
    assert append_beside(folder, stall)
    assert read_snapshot(folder).alarms.keys() == {"stall"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[alarms]\nstal_minutes = 3", "line 2: unknown alarm 'stal_minutes'; did you mean 'stall"),
        ("[alarm]\nloss_rising = 3", "line 1: unknown setting 'alarm'; did you mean 'alarms'?"),
        ("[alarms]\n\nloss_rising = -1", "line 3: loss_rising = -1: expected `int` >= 0"),
        ("[alarms]\ncohort_drop = 1.5", "line 2: cohort_drop = 1.5: expected"),
        ("[alarms]\ncoverage_drop = 'much'", "expected share of the best catalogue coverage"),
        ("[alarms]\nstall_minutes = nan", "line 2: stall_minutes = nan"),
        ("theme = 'nord'\nalarms = 3", "line 2: alarms = 3: expected a table"),
    ],
)
def test_a_wrong_threshold_is_told_with_its_line(inside: Cli, text: str, says: str) -> None:
    config_path().write_text(text)
    with pytest.raises(UsageError, match=r"config\.toml"):
        read_thresholds()
    for command in (("config",), ("train", "--dataset", "demo", "--plain")):
        done = inside(*command)
        assert done.returncode == 2 and says in done.stderr, done.stderr


def test_thresholds_are_those_of_the_start_and_of_each_resumption(
    inside: Cli, own_home: Path
) -> None:
    assert Config.__struct_fields__ == NAMES and ABOUT.keys() == set(Thresholds.__struct_fields__)
    config_path().write_text("[alarms]\nloss_rising = 3\ncohort_drop = 0.25\n")
    printed = inside("config").stdout
    assert "\nloss_rising = 3 " in printed and "\n# stall_minutes = 0 " in printed
    config_path().write_text(printed)
    assert read_thresholds() == Thresholds(loss_rising=3, cohort_drop=0.25)
    assert json.loads(inside("config", "--json").stdout)["alarms"]["cohort_drop"] == 0.25
    folder = make_run(own_home, "stopped")
    make_ready(folder, None).close()
    assert read_info(folder).alarms == Thresholds(loss_rising=3, cohort_drop=0.25)


def test_commands_show_the_alarms(inside: Cli, own_home: Path) -> None:
    folder = planted(own_home)
    make_run(own_home, "finished", name="calm")
    written(folder, [started(), *series("loss", [2, 2.1, 2.2])])
    text = "the loss has risen over 2 evaluations, from 2.0000 at epoch 1 to 2.2000 at epoch 3"
    assert f"  alarm    ! {text}\n" in inside("status", "planted").stdout
    (found,) = json.loads(inside("status", "planted", "--json").stdout)["alarms"]
    assert (found["alarm"], found["text"]) == ("loss-rising", text)
    rows = {row.folder.name: row for row in RunList(own_home).read()}
    for query in ("loss-ris", "alarms=loss-rising"):
        assert [name for name, row in rows.items() if row.kept_by(query)] == ["planted"]
    assert "  alarm" not in inside("status", "calm").stdout
    assert json.loads(inside("status", "calm", "--json").stdout)["alarms"] == []
    table = inside("runs", "--plain").stdout
    assert "alarms" in table and "loss-rising" in table
    assert f"! {text}\n" in inside("logs", "planted").stdout


def test_a_command_is_run_for_each_alarm_and_told_which(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The trainer is one that writes an alarm and ends."""
    folder, told = planted(own_home, Thresholds()), tmp_path / "told"
    written(folder, [started(), losses(1, [None])])  # of an earlier trainer: not told again
    lock = os.open(folder / "lock", os.O_RDWR)

    class Trainer:
        def wait(self, timeout: float = 0) -> int:
            return 3

        poll = wait

    def start(*_: object) -> Trainer:
        written(folder, [started(), losses(1, [None])])
        return Trainer()

    monkeypatch.setattr(attend, "start_worker", start)
    say = f'echo "$NEUMF_TUI_ALARM, $NEUMF_TUI_ALARM_TEXT, $NEUMF_TUI_RUN" >> {told}'
    orders = Orders(on_alarm=say, on_finish=f'echo "end $NEUMF_TUI_ALARM" >> {told}')
    assert attend.main(folder, orders, lock) == 3
    assert told.read_text().splitlines() == [
        "not-a-number, the loss is not a number at step 1, planted",
        "end ",
    ]


@pytest.mark.slow
def test_a_trainer_that_hangs_is_told_of_until_it_goes_on(
    inside: Cli, with_demo: Path, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    config_path().write_text("[alarms]\nstall_minutes = 0.05\n")
    with long_run(inside, with_demo, "--on-alarm", f"echo $NEUMF_TUI_ALARM >> {told}") as folder:
        pid = read_status(folder).pid
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: "stall" in read_snapshot(folder).alarms)
        wait_for(told.exists)
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: not read_snapshot(folder).alarms)
    assert told.read_text() == "stall\n"


async def test_screens_show_an_alarm_with_a_sign_and_tell_it_once(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(NeumfApp, "tell", lambda _, title, body: told.append(f"{title}: {body}"))
    make_run(own_home, "finished", name="calm")
    folder = make_run(own_home, "running")
    text = "no progress for 10 min: running at epoch 3, step 0, as a text that is cut off"
    with RunWriter(folder) as writer:
        app = NeumfApp(folder, own_home, "train")
        async with app.run_test(size=(60, 20)) as pilot:
            await settle(pilot)
            standing = text_of(app, "#notice")
            for event in (events.Alarm(alarm="stall", text=text), events.AlarmOver(alarm="stall")):
                writer.event(event)
                app.screen.reader.now()  # type: ignore[attr-defined]
                await settle(pilot)
                begun = isinstance(event, events.Alarm)
                shown = text_of(app, "#notice")
                assert shown == (f"! {text[:55]}…\n{standing}" if begun else standing)
                assert app.screen.query_one("#notice").size.height == 1 + begun
        app = NeumfApp(None, own_home, "runs")
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert table_texts(app)["golden"] == "running"
            writer.event(events.Alarm(alarm="disk", text="the disk is nearly full"))
            app.screen.reader.now()  # type: ignore[attr-defined]
            await settle(pilot)
            assert table_texts(app) == {"golden": "running !", "calm": "finished"}
            assert text_of(app, "#notice").startswith("! the disk is nearly full\n")
    assert told == [f"alarm in golden: {text}", "alarm in golden: the disk is nearly full"]


def table_texts(app: NeumfApp) -> dict[str, str]:
    """Return what the list of runs says of the state of each."""
    table = app.screen.query_one(RunTable)
    rows = [table._texts(row) for row in range(len(table.runs))]
    return {row[1]: row[2] for row in rows}
