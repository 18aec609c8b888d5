"""The dataset screen: from which screens it opens, and what it shows where little is known."""

import json
import shutil
from pathlib import Path

import pytest
from textual.pilot import Pilot

from neumf_tui.data.prepared import prepared_dir
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.dataset.screen import CHARTS, DatasetScreen
from neumf_tui.tui.widgets.fitted_text import FittedText
from tests.support.golden_runs import make_run
from tests.support.screens import settle


def shown(pilot: "Pilot[None]", part: str = "facts") -> str:
    return str(pilot.app.screen.query_one(f"#dataset-{part}", FittedText).render())


@pytest.mark.parametrize("first", ["runs", "explore"])
async def test_it_opens_over_a_run_and_goes_back(own_home: Path, first: str) -> None:
    folder = make_run(own_home, "finished", with_data=True)
    app = NeumfApp(folder, own_home, first)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        below = app.screen
        await pilot.press("D")
        await settle(pilot)
        assert isinstance(app.screen, DatasetScreen)
        text = shown(pilot)
        assert "  users          5\n" in text and "not evaluated  1 user:" in text
        assert "counting" not in text
        assert "train on it" not in text, "these rows came from memory"
        await pilot.press("2")
        await settle(pilot)
        assert [one.split()[0] for one in shown(pilot, "users").splitlines()] == ["1", "2–4", "5–9"]
        assert shown(pilot, "ratings").startswith("No ratings")
        assert "1970-01-01 21 █" in shown(pilot, "times")
        await pilot.press("escape")
        assert app.screen is below


async def test_it_is_copied_and_laid_out_anew(own_home: Path) -> None:
    app = NeumfApp(make_run(own_home, "finished", with_data=True), own_home, "train")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("D")
        await settle(pilot)
        wide = shown(pilot)
        await pilot.press("y")
        await settle(pilot)
        copied = (own_home / "clipboard.txt").read_text().splitlines()
        assert copied[0].split("\t")[2:] == ["section", "fact", "text"]
        assert any("\tusers\t5" in line for line in copied)
        await pilot.press("2", "y")
        await settle(pilot)
        copied = (own_home / "clipboard.txt").read_text().splitlines()
        assert copied[1].endswith("users by number of interactions\t1\t1")
        await pilot.press("1")
        await pilot.resize_terminal(70, 24)
        await settle(pilot)
        assert len(shown(pilot).splitlines()) > len(wide.splitlines())


async def test_a_dataset_that_is_gone(own_home: Path) -> None:
    app = NeumfApp(make_run(own_home, "finished"), own_home, "train")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("D")
        await settle(pilot)
        text = shown(pilot)
        assert text.startswith("this dataset cannot be opened\n") and "is missing" in text
        assert "training pairs 400" in text
        await pilot.press("2", "y")
        await settle(pilot)
        assert "nothing to count" in shown(pilot, CHARTS[0])
        assert not (own_home / "clipboard.txt").exists()


async def test_a_run_of_version_0_1_0(own_home: Path) -> None:
    run = make_run(own_home, "finished", with_data=True)
    (folder,) = (one for one in prepared_dir(own_home).iterdir() if one.name != "sources")
    about = json.loads((folder / "dataset.json").read_text())
    kept = {key: about[key] for key in ("name", "simulated", "source", "notices")}
    (folder / "dataset.json").write_text(json.dumps(kept))
    for name in ("known.npy", "heldout_times.npy", "manifest.json"):
        (folder / name).unlink()
    app = NeumfApp(run, own_home, "train")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("D")
        await settle(pilot)
        assert "Version 0.1.0 prepared this dataset" in shown(pilot)
        assert "held out       4 users" in shown(pilot)


async def test_the_run_may_be_deleted_meanwhile(own_home: Path) -> None:
    folder = make_run(own_home, "finished", with_data=True)
    app = NeumfApp(None, own_home, "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        shutil.rmtree(folder)
        await pilot.press("D")
        await settle(pilot)
        assert not isinstance(app.screen, DatasetScreen) and app.is_running
