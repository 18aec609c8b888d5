"""Hundreds of keys in any order, as fast as they come.

Nothing crashes, no worker hangs, and no person's list stands under another person's name.
"""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot

from benchmarks.datasets.synthetic_run import HOSTILE, make_dataset, write_run
from neumf_tui.data.prepared import prepared_dir, save
from neumf_tui.explore.ranker import Ranker
from neumf_tui.text import clean
from neumf_tui.tui.app import NeumfApp, known_keys
from neumf_tui.tui.explore.screen import ExploreScreen
from neumf_tui.tui.widgets.dialogs import ConfirmDialog
from neumf_tui.tui.widgets.ranked_items import RankedItemTable
from tests.support.commands import run_cli
from tests.support.screens import cells, settle, text_of

KEYS, FEW = 500, 120
"""Keys of each slow test, and of the one that always runs."""
SIZES = [(60, 20), (80, 24), (120, 40)]
LEAVING = {"q"}
"""Keys that leave a screen. On the explore screen they would end the app, so they are left out."""
BARRED = {"ctrl+z", "f1", "question_mark", "ctrl+q", "ctrl+b", "ctrl+l"}
"""Suspends, opens Textual's own help, changes the terminal: not of the explorer."""


def hostile_run(home: Path) -> Path:
    """A run on a catalogue of which every title, and every other user id, is hostile."""
    draw = np.random.default_rng(3)
    data = make_dataset(220, 90, 12.0, draw)
    titles = [
        f"{HOSTILE[n % len(HOSTILE)]}{n // len(HOSTILE) or ''}" for n in range(data.num_items)
    ]
    ids = [
        f"{HOSTILE[n % len(HOSTILE)]}-{n}" if n % 2 else user
        for n, user in enumerate(data.user_ids)
    ]
    data = replace(data, catalogue=replace(data.catalogue, titles=titles), user_ids=ids)
    save(data, prepared_dir(home))
    return write_run(home, data, 3, draw)


def all_keys() -> list[str]:
    """Return every key with a meaning on one of the explorer's screens, and some without one."""
    areas = {"explore", "item", "failures", "compare", "guest", "find-item", "choose-model"}
    bound = {
        key
        for known in known_keys().values()
        if areas & set(known.areas)
        for key in known.keys.split(",")
    }
    return sorted(
        (bound - BARRED) | {"tab", "shift+tab", "enter", "escape", "a", "e", "7", "space", "!"}
    )


def check(app: NeumfApp) -> None:
    """What stands on the right of the explore screen is all of one person."""
    screen = app.screen
    if not isinstance(screen, ExploreScreen) or screen.users is None or screen.ranking is None:
        return
    ranking, data = screen.ranking, screen.users.dataset
    table = screen.query_one(RankedItemTable)
    assert table.ranking is ranking and table.row_count == len(ranking.items)
    who = ranking.person.who
    title = str(screen.query_one("#user-pane").border_title).replace(
        "\\[", "["
    )  # it comes back as markup
    if isinstance(who, int):
        assert title.startswith(f"user {clean(data.user_ids[who])} ──")
        assert clean(screen.users.heldout_title(who)) in text_of(app, "#story")
        assert ranking.person.heldout == data.split.heldout[who]
    else:
        assert title.startswith(f"guest {who.name}")
    assert not set(ranking.items.tolist()) & set(ranking.person.history.tolist())


async def mash(pilot: "Pilot[None]", app: NeumfApp, seed: int, count: int) -> None:
    draw, keys = random.Random(seed), all_keys()
    for number in range(count):
        key = draw.choice(keys)
        if key in LEAVING and isinstance(app.screen, ExploreScreen):
            continue
        await pilot.press(key)
        assert app.is_running, f"key {number}, {key}, ended the app"
        check(app)
        # Not all wait for an answer before the next key.
        if draw.random() < 0.1:
            await settle(pilot)


async def play(
    folder: Path, home: Path, size: tuple[int, int], seed: int, count: int = KEYS
) -> None:
    app = NeumfApp(folder, home, "explore")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await mash(pilot, app, seed, count)
        for _ in range(12):
            if not isinstance(app.screen, ExploreScreen):
                # Picks that are not saved are asked about.
                await pilot.press("y" if isinstance(app.screen, ConfirmDialog) else "escape")
                await settle(pilot)
        screen = app.screen
        assert isinstance(screen, ExploreScreen)
        if len(screen.user_list.order) == 0:
            await pilot.press("escape")
        await pilot.press("1", "c", "home")
        await settle(pilot)
        check(app)
        assert not [worker for worker in app.workers if worker.is_running], (
            "every worker has come to its end"
        )
        assert (
            screen.ranking is not None
            and screen.ranker is not None
            and screen.ranking.person.who == screen.who
        )
        # The list is the one that the model gives this person, asked afresh.
        again = Ranker(folder, home, str(screen.epoch)).rank(screen.ranking.person.who, screen.by)
        np.testing.assert_array_equal(again.items, screen.ranking.items)
        shown = cells(screen.query_one(RankedItemTable))
        titles = screen.ranker.dataset.catalogue.titles
        assert all(
            row[2].startswith(titles[item])
            for row, item in zip(shown, again.items.tolist(), strict=True)
        )


def test_the_keys_are_many() -> None:
    assert len(all_keys()) > 50


@pytest.mark.slow
async def test_haste_on_hostile_titles(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await play(hostile_run(own_home), own_home, (80, 24), 1, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
async def test_haste_on_hostile_titles_at_every_size(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.chdir(tmp_path)
    await play(hostile_run(own_home), own_home, size, size[0])


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
async def test_haste_on_ml100k(
    ml100k: Path,
    own_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_cli(
        "train",
        "--preset",
        "d2l",
        "--dataset",
        "ml-100k",
        "--data-dir",
        str(ml100k),
        "--epochs",
        "3",
        "--name",
        "real",
        "--plain",
    )
    assert done.returncode == 0, done.stderr
    await play(own_home / "runs" / "real", own_home, size, size[1])
