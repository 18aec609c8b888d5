"""Fixtures of fuzzers: a home with two whole runs, and copies of it that are changed."""

from pathlib import Path

import pytest

from tests.support.mutated_homes import Place
from tests.support.mutated_runs import make_golden


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("golden") / "home"
    make_golden(home)
    return home


@pytest.fixture
def place(golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    from neumf_tui.runs import control

    monkeypatch.setattr(control, "launch_trainer", lambda _folder, _home, lock, *_: lock.close())
    monkeypatch.setattr(control, "ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(control, "KILL_SECONDS", 0.01)
    monkeypatch.setattr(control.ask, "__defaults__", ("", 0.01))
    monkeypatch.setattr(control.stop_now, "__defaults__", (0.01,))
    monkeypatch.setattr(control, "kill_trainer", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    return Place(golden, tmp_path)
