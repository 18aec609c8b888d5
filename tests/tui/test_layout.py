"""Every screen at every size: nothing is cut without "…", no word is broken, nothing overlaps."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.theme import BUILTIN_THEMES

from neumf_tui.runs.writer import RunWriter
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.terminal.themes import THEMES
from tests.support.clipped import faults
from tests.support.contrasts import unreadable
from tests.support.golden_runs import make_run
from tests.support.screens import screen_lines, settle
from tests.tui.test_explore_snapshots import VIEWS, exact_home  # noqa: F401

SIZES = [(60, 20), (80, 24), (100, 30), (120, 40), (200, 50)]
FAST_SIZES = [(80, 24)]
MORE = {
    "nobody": ["slash", *"zzz"],
    "new-guest": ["f"],
    "leave-guest": ["f", *"alien", "enter", "escape", "escape"],
    "save-guest": ["f", *"alien", "enter", "ctrl+s"],
    "write": ["w"],
    "quit": ["ctrl+c"],
    "guest-of-one": ["f", *"alien", "enter"],
}
"""Further views, as VIEWS."""
FAST_VIEWS = ("ranking", "film", "cohorts", "compare", "guest")


async def at_all_sizes(pilot: "Pilot[None]", sizes: list[tuple[int, int]]) -> dict[str, list[str]]:
    """Return the faults at each size; the terminal changes its size while the screen is open."""
    found = {}
    for size in sizes:
        await pilot.resize_terminal(*size)
        await settle(pilot)
        if wrong := faults(pilot.app.screen):
            found[f"{size[0]}x{size[1]}"] = wrong
    return found


async def go(pilot: "Pilot[None]", keys: list[str]) -> None:
    await settle(pilot)
    for key in keys:
        await pilot.press(key)
        if len(key) > 1 or key in "12345":
            await settle(pilot)
    await settle(pilot)


STATES = ("starting", "running", "paused", "crashed", "failed", "finished")


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES)
async def test_nothing_is_cut_while_training(own_home: Path, state: str) -> None:
    """The train screen, the runs screen, their help and their dialogs."""
    folder = make_run(own_home, state, with_data=True, validation=(0.28, 0.36, 0.33))
    with ExitStack() as stack:
        if state in ("running", "paused"):
            stack.enter_context(RunWriter(folder))
        for screen, keys in (
            ("train", ["space", "escape", "m", "escape"]),
            ("runs", ["space", "n"]),
        ):
            app = NeumfApp(folder if screen == "train" else None, own_home, screen)
            async with app.run_test(size=(120, 40)) as pilot:
                await settle(pilot)
                found = {"": await at_all_sizes(pilot, SIZES)}
                for key in (*keys, "escape", "question_mark", "escape", "ctrl+c"):
                    await pilot.press(key)
                    await settle(pilot)
                    found[key] = await at_all_sizes(pilot, SIZES)
                assert {key: wrong for key, wrong in found.items() if wrong} == {}


@pytest.mark.slow
@pytest.mark.parametrize("view", [*VIEWS, *MORE])
async def test_nothing_is_cut_in(exact_home: Path, view: str) -> None:  # noqa: F811
    app = NeumfApp(exact_home / "runs" / "trained", exact_home, "explore", user_id="sim-196")
    async with app.run_test(size=(120, 40)) as pilot:
        await go(pilot, (VIEWS | MORE)[view])
        assert await at_all_sizes(pilot, SIZES) == {}


async def test_nothing_is_cut_in_a_walk(exact_home: Path) -> None:  # noqa: F811
    """A small part of the sweep above for every day: some screens after another, two sizes."""
    app = NeumfApp(exact_home / "runs" / "trained", exact_home, "explore", user_id="sim-196")
    async with app.run_test(size=(60, 20)) as pilot:
        for keys in ([], ["enter", "enter"], ["escape", "F", "2"], ["escape", "x", "enter"]):
            await go(pilot, keys)
            assert await at_all_sizes(pilot, FAST_SIZES) == {}, keys


async def read_in(home: Path, themes: list[str], views: list[str]) -> dict[str, list[str]]:
    """Return what cannot be read, by theme and view."""
    found = {}
    for view in views:
        app = NeumfApp(home / "runs" / "trained", home, "explore", user_id="sim-196")
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await go(pilot, (VIEWS | MORE)[view])
            for theme in themes:
                app.theme = theme
                app.notify("A warning.", severity="warning")
                await pilot.pause()
                await settle(pilot)
                if wrong := unreadable(app.screen):
                    found[f"{theme} {view}"] = wrong
    return found


async def test_a_light_theme_can_be_read_where_it_is_drawn(exact_home: Path) -> None:  # noqa: F811
    assert await read_in(exact_home, ["solarized-light", "neumf-dark"], ["details"]) == {}


@pytest.mark.slow
@pytest.mark.parametrize("view", [*VIEWS, *MORE])
async def test_every_theme_can_be_read_where_it_is_drawn(exact_home: Path, view: str) -> None:  # noqa: F811
    themes = [*BUILTIN_THEMES, *(theme.name for theme in THEMES)]
    painted = [name for name in themes if "ansi" not in name]
    assert await read_in(exact_home, painted, [view]) == {}


LONG = "Written to /home/somebody/with/a/long/path/clipboard.txt, and offered to the terminal."


async def test_a_notice_covers_no_list(exact_home: Path) -> None:  # noqa: F811
    app = NeumfApp(exact_home / "runs" / "trained", exact_home, "explore", user_id="sim-196")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        height = app.screen.query_one("#users").size.height
        app.notify("Saving after the current step.", markup=False)
        await settle(pilot)
        assert faults(app.screen) == []
        assert app.screen.query_one("#users").size.height == height, "a line takes another's place"
        app.notify(LONG, markup=False, severity="error")
        app.notify(LONG.upper(), markup=False)
        await settle(pilot)
        assert faults(app.screen) == []
        app.clear_notifications()
        await settle(pilot)
        assert app.screen.query_one("#protocol").size.height == 1


async def test_a_screen_is_laid_out_again_for_another_width(exact_home: Path) -> None:  # noqa: F811
    """It then looks as one that was opened at that width."""
    seen = []
    for size in ((200, 50), (80, 24)):
        app = NeumfApp(exact_home / "runs" / "trained", exact_home, "explore")
        async with app.run_test(size=size) as pilot:
            await settle(pilot)
            await pilot.resize_terminal(80, 24)
            await settle(pilot)
            seen.append(screen_lines(app))
    assert seen[0] == seen[1]
