"""Curves of any name: what the snapshot keeps of them, and what a damaged event cannot do."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from neumf_tui.runs import events
from neumf_tui.runs.reader import read_snapshot, read_status
from neumf_tui.runs.snapshot import SCALAR_POINTS, SCALARS_LIMIT, Snapshot, fold
from tests.support.logged_runs import make_logged

Curves = dict[str, tuple[list[int], list[float | None]]]


def scalars(curves: Curves) -> list[events.AnyEvent]:
    return [events.Scalars(curves=curves)]


def test_each_name_has_a_curve_of_its_own() -> None:
    snapshot = fold(Snapshot(), scalars({"lr": ([5], [0.1])}))
    later = fold(snapshot, scalars({"norm": ([1, 7], [3, None]), "lr": ([6], [0.2])}))
    assert list(later.scalars) == ["lr", "norm"] and list(snapshot.scalars) == ["lr"]
    np.testing.assert_array_equal(later.scalars["norm"].values, [3, np.nan])
    assert later.scalars["lr"].steps.tolist() == [5, 6] and later.step == 7
    assert len(snapshot.scalars["lr"]) == 1, "what a screen holds does not change"


def test_a_step_that_comes_again_replaces_what_came_after_it() -> None:
    snapshot = fold(Snapshot(), scalars({"lr": ([1, 2, 3], [1, 2, 3])}))
    again = fold(snapshot, scalars({"lr": ([2], [9])}))
    assert again.scalars["lr"].steps.tolist() == [1, 2]
    assert again.scalars["lr"].values.tolist() == [1, 9]


def test_curves_are_bounded_in_number_and_length() -> None:
    names = [f"name {n}" for n in range(SCALARS_LIMIT + 9)]
    snapshot = fold(Snapshot(), scalars({name: ([1], [1.0]) for name in names}))
    assert list(snapshot.scalars) == names[:SCALARS_LIMIT]
    for start in range(2, 9 * SCALAR_POINTS, 16):
        steps = list(range(start, start + 16))
        values: list[float | None] = [float(step == 3_333) for step in steps]
        snapshot = fold(snapshot, scalars({"name 0": (steps, values)}))
    points = snapshot.scalars["name 0"]
    assert SCALAR_POINTS // 3 < len(points) <= SCALAR_POINTS and points.values.max() == 1
    assert points.steps[0] == 1 and points.steps[-1] == snapshot.step


@pytest.mark.parametrize(
    "curves",
    [
        {"x": ([1, 2], [1.0])},
        {"x": ([2, 2], [1.0, 2.0])},
        {"": ([1], [1.0])},
        {"x" * 61: ([1], [1.0])},
        {"x": ([1], [1e16])},
        {"x": ([-1], [1.0])},
    ],
)
def test_a_damaged_event_is_refused(curves: Curves) -> None:
    line = msgspec.json.encode({"kind": "scalars", "t": 1.0, "curves": curves})
    with pytest.raises(ValueError, match=r"\w"):
        msgspec.json.decode(line, type=events.Written)


def test_a_resumed_run_repeats_its_scalars() -> None:
    snapshot = fold(Snapshot(), scalars({"lr": ([5, 15, 25], [1, 2, 3])}))
    started = events.Started(device="cpu", epoch=1, step=5, steps=10)
    assert fold(snapshot, [started]).scalars["lr"].steps.tolist() == [5, 15]


def test_evaluations_know_their_step(own_home: Path) -> None:
    snapshot = read_snapshot(make_logged(own_home, scalars=["lr"]))
    assert [at.step for at in snapshot.evaluated_at] == [10, 20, 30]
    assert snapshot.started and snapshot.started.steps == 0
    no_loss = read_snapshot(make_logged(own_home, name="other", loss=False))
    assert [at.step for at in no_loss.evaluated_at] == [0, 0, 0]


def test_nobody_can_resume_a_loop_that_crashed(own_home: Path) -> None:
    status = read_status(make_logged(own_home, state="running"))
    assert status.state == "crashed"
    assert "its process disappeared" in status.reason and "resume" not in status.reason
