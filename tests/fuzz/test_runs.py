"""Mutated run directories: every command ends with a result or one message.

No command follows a link out of a run, writes outside the home, waits for a FIFO, prints what a
terminal would execute, or fails with a fault of the program.
"""

import random
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neumf_tui.errors import NeumfTuiError
from tests.support.commands import Cli
from tests.support.fuzzing import examples
from tests.support.mutated_homes import Place, ends_in_time

COMMANDS = [
    "runs --json", "runs --plain", "status", "status golden", "status golden --json",
    "logs golden", "logs", "rank 196", "rank 186 --run golden --epoch best --json",
    "rank 22 --run golden --epoch 3 --top 3", "why 196 30", "journey 196 --run golden",
    "near-miss 196 --run golden", "similar 30 --run golden", "film 30 --run golden",
    "recommend --likes 30;31 --run golden", "compare golden other", "compare other@2 golden@best",
    "compare golden other --user 196", "evaluate golden --json", "evaluate golden --sampled",
    "evaluate other", "failures golden", "failures golden --catalogue --json",
    "export golden --output out.csv", "export golden --what top-k --top 3 --output out.csv",
    "export golden --what embeddings --format npz --output out.npz",
    "rename golden renamed", "delete golden --yes", "delete other --yes", "extend 6 golden",
    "extend 6", "resume golden", "resume", "stop golden", "stop golden --now", "pause golden",
    "checkpoint golden", "pin 196 --run golden", "prune golden --keep 1 --yes",
]  # fmt: skip


SEEDS = st.integers(0, 2**32)


def test_commands_on_mutated_runs(place: Place, inside: Cli) -> None:
    @examples(20)
    @given(SEEDS)
    def commands_end_well(seed: int) -> None:
        changes = place.mutated(seed)
        for command in random.Random(seed).sample(COMMANDS, 2):
            with ends_in_time():
                done = inside(*command.split())
            assert 0 <= done.returncode <= 5, (changes, command, done)
            place.check(f"{changes}, {command}", done.stdout + done.stderr)

    commands_end_well()


def read_as_the_train_screen(home: Path) -> None:
    from neumf_tui.runs.reader import read_info
    from neumf_tui.tui.train.follow import RunFollower
    from neumf_tui.tui.widgets import curves
    from neumf_tui.tui.widgets.axes import x_marks, y_marks
    from neumf_tui.tui.widgets.chart import View
    from neumf_tui.tui.widgets.chart_text import metric_caption

    run = home / "runs" / "golden"
    follower = RunFollower(run, read_info(run), home, lambda _: ("196",))
    follower.read()
    reading = follower.read()
    series = curves.RunSeries(read_info(run))
    series.update(reading.snapshot)
    for key in chain(*curves.chart_keys([series])):
        for axis in curves.AXES:
            plot = curves.plot_of(key, [series], axis, smooth=True, baselines=reading.baselines)
            for log in (False, True):
                across, up = View(log_x=log, log_y=log, trimmed=log).axes(plot)
                x_marks(across, plot.x_kind, 30), y_marks(up, 6)
        if key.kind == "metric":
            metric_caption(series.snapshot, key.name, series.is_flat)


def read_as_the_runs_screen(home: Path) -> None:
    from neumf_tui.runs.live_runs import RunList

    runs = RunList(home)
    for _ in range(2):
        rows = runs.read()
        assert {row.folder.name for row in rows} >= {"other"}
        for row in rows:
            row.kept_by("best>0.1 epochs>2 -demo learning_rate<1e3")
            assert row.state and row.age is not None


def read_as_the_explorer(home: Path) -> None:
    from neumf_tui.tui.compare.dialog import find_choices
    from neumf_tui.tui.explore.loading import open_model, read_people

    run = home / "runs" / "golden"
    people = read_people(run, home, None)
    open_model(run, home, None, people.users, 0, "score")
    find_choices(run, home, people.epoch)


READERS: list[Callable[[Path], None]] = [
    read_as_the_train_screen,
    read_as_the_runs_screen,
    read_as_the_explorer,
]


@pytest.mark.parametrize("read", READERS)
def test_screens_read_mutated_runs(place: Place, read: Callable[[Path], None]) -> None:
    @examples(6)
    @given(SEEDS)
    def reads_or_says_why(seed: int) -> None:
        changes = place.mutated(seed)
        problem = ""
        with ends_in_time():
            try:
                read(place.home)
            except (NeumfTuiError, OSError) as error:
                problem = str(error)
        place.check(str(changes), problem if problem.isprintable() else "")

    reads_or_says_why()
