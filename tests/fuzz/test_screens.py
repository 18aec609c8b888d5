"""Screens on mutated runs: each stays open, or ends with one message."""

import random
import string

import pytest

from neumf_tui.errors import NeumfTuiError
from neumf_tui.tui.app import NeumfApp
from tests.support.fuzzing import FACTOR
from tests.support.mutated_homes import Place
from tests.support.screens import settle, type_at_once

TRIES = 2
"""Mutated runs for each screen in the fast suite."""
KEYS = [*string.ascii_letters.replace("q", ""), *"12345", "down", "enter", "left", "escape"]


@pytest.mark.parametrize("first", ["runs", "train", "explore"])
async def test_screens_on_mutated_runs(place: Place, first: str) -> None:
    await try_screen(place, first, TRIES * FACTOR)


async def try_screen(place: Place, first: str, tries: int) -> None:
    """Open a screen on so many mutated runs, and press some keys."""
    run = place.home / "runs" / "golden"
    for seed in range(tries):
        done, rng = f"{first}, seed {seed}: {place.mutated(seed)}", random.Random(seed)
        app = NeumfApp(None if first == "runs" else run, place.home, first)
        shown = ""
        try:
            async with app.run_test(size=(80, 24)) as pilot:
                await settle(pilot)
                for key in rng.sample(KEYS, 5):
                    await type_at_once(pilot, key)
                    await settle(pilot)
                    if not app.is_running:
                        break
                shown = "".join(line.text for line in app.screen._compositor.render_strips())
        except (NeumfTuiError, OSError) as error:
            shown = str(error)
        assert isinstance(app.fault, NeumfTuiError | OSError | None), done
        place.check(done, shown)
