"""Any key at any moment: while a screen opens, and after its run has been deleted."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from neumf_tui.runs.writer import RunWriter
from neumf_tui.tui.app import NeumfApp, known_keys
from neumf_tui.tui.runs.screen import RunsScreen
from tests.support.golden_runs import make_run
from tests.support.screens import settle, type_at_once

WAYS = {
    "runs": ("runs", "", "runs"),
    "train": ("train", "", "train"),
    "explore": ("explore", "", "explore"),
    "film": ("explore", "enter", "item"),
    "new user": ("explore", "f", "guest"),
    "failures": ("explore", "F", "failures"),
    "comparison": ("explore", "x,enter", "compare"),
    "dataset": ("train", "D", "dataset"),
    "pins": ("train", "space", "pin"),
    "a model to compare with": ("explore", "x", "choose-model"),
    "a film to find": ("explore", "t", "find-item"),
}
"""Screens: the first screen, keys that lead on from it, and the area of their keys."""
OFTEN = {"runs", "explore", "new user"}
"""Those of the fast suite."""
DELETED_OFTEN = {"runs", "new user"}


def each(often: set[str]) -> list[Any]:
    return [way if way in often else pytest.param(way, marks=pytest.mark.slow) for way in WAYS]


BARRED = {"ctrl+z", "ctrl+b", "ctrl+c", "ctrl+q", "q", "d", "u", "ctrl+l"}
"""Keys that leave the program or this screen, or change the terminal."""


def keys_of(area: str) -> list[str]:
    found = {
        key: None
        for known in known_keys().values()
        if area in known.areas
        for key in known.keys.split(",")
    }
    return [key for key in found if key not in BARRED]


async def lead(pilot: "Pilot[None]", keys: str) -> None:
    for key in filter(None, keys.split(",")):
        await settle(pilot)
        await pilot.press(key)


def test_every_area_has_keys() -> None:
    for _, _, area in WAYS.values():
        assert len(keys_of(area)) >= 3, area


@pytest.mark.parametrize("way", each(OFTEN))
async def test_all_keys_at_once_as_soon_as_a_screen_opens(
    trained: Path, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.chdir(tmp_path)
    first, keys, area = WAYS[way]
    every = keys_of(area)
    app = NeumfApp(trained, own_home, first)
    async with app.run_test(size=(80, 24)) as pilot:
        await lead(pilot, keys)
        await type_at_once(pilot, *every)
        await settle(pilot)
        assert app.is_running
    assert trained.exists(), "what destroys asks, and is not answered by these keys"


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
async def test_each_key_alone_at_each_moment(
    trained: Path, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.chdir(tmp_path)
    first, keys, area = WAYS[way]
    for number, key in enumerate(keys_of(area)):
        app = NeumfApp(trained, own_home, first)
        async with app.run_test(size=(80, 24)) as pilot:
            await lead(pilot, keys)
            await pilot.pause(0.05 * (number % 8))
            await type_at_once(pilot, key)
            await settle(pilot)
            assert app.is_running, key


@pytest.mark.parametrize("way", each(DELETED_OFTEN))
async def test_all_keys_after_the_run_was_deleted(
    trained: Path, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.chdir(tmp_path)
    first, keys, area = WAYS[way]
    app = NeumfApp(trained, own_home, first)
    async with app.run_test(size=(80, 24)) as pilot:
        await lead(pilot, keys)
        await settle(pilot)
        shutil.rmtree(trained)
        for key in keys_of(area):
            app.simulate_key(key)
            app.simulate_key("escape")
        await type_at_once(pilot, "escape")
        await settle(pilot)
        assert app.is_running
        assert not trained.exists(), "nothing of it is made anew"


async def test_a_run_that_is_deleted_under_the_cursor(own_home: Path) -> None:
    folder = make_run(own_home, "running")
    app = NeumfApp(None, own_home, "runs")
    with RunWriter(folder):
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            shutil.rmtree(folder)
            for key in ("e", "enter", "space", "r"):
                await type_at_once(pilot, key)
                await settle(pilot)
                if not isinstance(app.screen, RunsScreen):
                    app.pop_screen()
                assert app.is_running
