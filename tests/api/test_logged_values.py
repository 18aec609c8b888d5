"""What a loop logs, as points of events."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from neumf_tui.api.logged_values import LoggedValues
from neumf_tui.errors import UsageError
from neumf_tui.runs import events
from neumf_tui.runs.curve import EVENT_POINTS
from neumf_tui.runs.snapshot import SCALARS_LIMIT, Snapshot, fold


def logged(*rows: tuple[int | None, dict[str, Any]]) -> tuple[Snapshot, list[str]]:
    """Return what is seen of these steps, as written at once, and the warnings."""
    values = LoggedValues()
    for step, found in rows:
        values.add(step, dict(found))
    lines, warnings = values.take()
    return fold(Snapshot(), lines), warnings


def points(snapshot: Snapshot, name: str) -> list[tuple[int, float]]:
    curve = snapshot.points if name == "loss" else snapshot.scalars[name]
    return list(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))


def test_names_have_their_own_steps() -> None:
    rows = [(3, {"loss": 1}), (3, {"lr": 0.5}), (4, {"loss": 2.0}), (9, {"lr": 0.25})]
    snapshot, warnings = logged(*rows)
    assert points(snapshot, "loss") == [(3, 1), (4, 2)] and not warnings
    assert points(snapshot, "lr") == [(3, 0.5), (9, 0.25)]


def test_steps_are_counted_where_none_are_given() -> None:
    snapshot, _ = logged((None, {"loss": 1}), (None, {"loss": 2}), (7, {"x": 3}), (None, {"x": 4}))
    assert points(snapshot, "loss") == [(1, 1), (2, 2)] and points(snapshot, "x") == [
        (7, 3),
        (8, 4),
    ]


def test_many_steps_become_few_points_with_their_means() -> None:
    values = np.random.default_rng(0).normal(size=500)
    snapshot, _ = logged(*((step, {"loss": value}) for step, value in enumerate(values, 1)))
    found = points(snapshot, "loss")
    parts = np.array_split(values, EVENT_POINTS)
    assert [value for _, value in found] == [float(part.sum() / len(part)) for part in parts]
    assert found[-1][0] == 500 and len(found) == EVENT_POINTS


def test_what_goes_back_is_left_out_and_reported_once() -> None:
    snapshot, warnings = logged(
        *((step, {"loss": float(step), "lr": 1.0}) for step in (1, 2, 3, 1, 2, 3, 4))
    )
    assert points(snapshot, "loss") == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert len(warnings) == 2 and "loss of step 1 comes after step 3" in warnings[0]
    assert "count steps over the whole run" in warnings[0]


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e20])
def test_what_is_not_finite_is_missing_and_not_an_error(odd: float) -> None:
    values = LoggedValues()
    for step, value in enumerate((1.0, odd, 3.0)):
        values.add(step, {"loss": value, "x": value})
    snapshot = fold(Snapshot(), values.take()[0])
    for name in ("loss", "x"):
        assert np.isnan([value for _, value in points(snapshot, name)]).tolist() == [
            False,
            True,
            False,
        ]
    assert values.mean_loss() == 2 and values.mean_loss() is None


@pytest.mark.parametrize(
    ("step", "values", "message"),
    [
        (1.5, {"loss": 1}, "step is 1.5: expected a whole number"),
        (-1, {"loss": 1}, "step is -1: expected a number from 0"),
        (1, {"loss": "high"}, "loss is 'high': expected a number"),
        (1, {"x": None}, "x is None: expected a number"),
        (1, {"x": np.zeros(3)}, "expected a number"),
        (1, {"x": 10**400}, "expected a number"),
    ],
)
def test_what_is_not_a_number_is_refused_at_once(
    step: Any, values: dict[str, Any], message: str
) -> None:
    found = LoggedValues()
    with pytest.raises(UsageError, match="log: ") as refused:
        found.add(step, values)
    assert message in str(refused.value)
    assert found.take() == ([], [])


def test_names_are_bounded() -> None:
    names = ["", "y" * 99, *(f"n{n}" for n in range(SCALARS_LIMIT + 2))]
    snapshot, warnings = logged((1, dict.fromkeys(names, 1.0) | {"loss": 1.0}))
    assert len(snapshot.scalars) == SCALARS_LIMIT and len(warnings) == 4
    assert len(snapshot.points) == 1, "the loss always has its chart"
    assert all("is left out" in warning for warning in warnings)


class Tensor:
    """Acts as a tensor on an accelerator as far as logging asks."""

    def __init__(self, value: float, fetched: list[float]) -> None:
        self.value, self.fetched = value, fetched
        self.device = type("Device", (), {"type": "cuda"})()
        self.shape: Sequence[int] = ()

    def numel(self) -> int:
        return 1

    def detach(self) -> "Tensor":
        return self

    def clone(self) -> "Tensor":
        return Tensor(self.value, self.fetched)

    def reshape(self, _: tuple[()]) -> "Tensor":
        return self

    def to(self, *_: object) -> "Tensor":
        return self

    def __float__(self) -> float:
        raise AssertionError("fetched one by one")


def test_tensors_of_an_accelerator_are_fetched_together(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[float] = []

    class Stack:
        def __init__(self, tensors: list[Tensor]) -> None:
            self.values = [tensor.value for tensor in tensors]

        def tolist(self) -> list[float]:
            fetched.append(len(self.values))
            return self.values

    torch = type("Torch", (), {"stack": Stack, "float32": None})
    monkeypatch.setitem(__import__("sys").modules, "torch", torch)
    values = LoggedValues()
    for step in range(40):
        values.add(step, {"loss": Tensor(step, fetched), "x": 1.0})
    assert fetched == []
    snapshot = fold(Snapshot(), values.take()[0])
    assert fetched == [40] and points(snapshot, "loss")[-1][0] == 39


def test_nothing_logged_is_nothing_written() -> None:
    assert LoggedValues().take() == ([], [])
    _, warnings = logged((1, {}))
    assert warnings == [] and isinstance(events.Scalars(curves={}), events.Scalars)
