"""`w` on a screen with charts: the picture of `plot`, or the values where nothing can draw."""

import csv
import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from textual.widgets import Input

from neumf_tui.figures import chart_file
from neumf_tui.figures.chart_file import usual_name, write_curves
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.runs.screen import RunsScreen
from tests.support.golden_runs import make_run
from tests.support.screens import settle


async def test_w_writes_the_curves_of_the_pinned_runs(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra `paper`")
    monkeypatch.chdir(tmp_path)
    for name in ("one", "other"):
        make_run(own_home, "finished", name=name)
    app = NeumfApp(None, own_home, "runs")
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("space", "down", "space", "w")
        await settle(pilot)
        line = app.screen.query_one(Input)
        folders = [own_home / "runs" / name for name in ("one", "other")]
        assert Path(line.value).name in {usual_name(folders), usual_name(folders[::-1])}
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, RunsScreen)
    (written,) = tmp_path.glob("*-curves.svg")
    assert {"one", "other", "Hit@50"} <= set(
        written.read_text("utf-8").replace("<", ">").split(">")
    )


def test_without_matplotlib_the_values_are_written(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [make_run(own_home, "finished", name=name) for name in ("one", "other")]
    monkeypatch.setattr(chart_file, "find_spec", lambda _: None)
    assert usual_name(folders) == "one-other-curves.csv"
    monkeypatch.setattr(chart_file, "find_spec", lambda _: SimpleNamespace())
    assert usual_name(folders) == "one-other-curves.svg"
    path = tmp_path / "curves.csv"
    assert write_curves(path, folders, own_home) == f"Written: {path}"
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    assert [(row["run"], row["epoch"]) for row in rows] == [
        (name, str(epoch)) for name in ("one", "other") for epoch in (1, 2, 3)
    ]
    assert rows[0]["hit@50"] == "0.25" and rows[0]["dataset"] == "ml-100k"
