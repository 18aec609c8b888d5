"""Every view of every kind of model: it shows what the model can, and says what it cannot."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textual.widgets import TabbedContent

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepared import save
from neumf_tui.explore.failures import failures_at
from neumf_tui.explore.users import load_users
from neumf_tui.home import datasets_dir
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.widgets.table import Table
from neumf_tui.views.failures import summary_text
from tests.support.datasets import random_dataset
from tests.support.kept_runs import KINDS, LISTED, kept_run, make_model
from tests.support.screens import cells, press_all, screen_lines, settle, text_of
from tests.support.shops import PRODUCT, words_of_films

NO_NEWCOMER, NO_MODEL = "cannot score somebody whom it was not trained with", "kept no model"
NO_VECTORS = {"nearest": "has no vectors of users", "near": "has no vectors of items"}
TABLES = {
    "ranking": "#ranking-table", "history": "#history-table", "nearest": "#nearest-first",
    "epochs": "#journey-table", "near-miss": "#near-miss-table", "near": "#item-first",
    "users": "#item-users", "guest": "#guest-ranking", "failures": "#users-table",
    "cohorts": "#cohorts-table", "catalogue": "#catalogue-table", "compare": "#list-a",
    "compare-all": "#users-table",
}  # fmt: skip
CANNOT: dict[str, dict[str, str]] = {
    "popularity": dict.fromkeys(("nearest", "near"), "such as popularity, has no vectors"),
    "item_item": NO_VECTORS | {"near": "", "guest": "has no scores for somebody without a history"},
    "scores": NO_VECTORS | {"near-miss": NO_NEWCOMER, "guest": "has no scores for somebody"},
    "top_k": NO_VECTORS
    | {"near-miss": NO_NEWCOMER, "users": "nobody's list", "guest": "has no scores for somebody"},
    "none": NO_VECTORS
    | dict.fromkeys(("ranking", "near-miss", "users", "catalogue", "compare"), NO_MODEL)
    | {"guest": "has no scores for somebody"},
}
"""What a view says in the place of its table; it is empty where the table has rows."""


@pytest.fixture(scope="module")
def data() -> Dataset:
    data = random_dataset(41, 200, 12)
    return replace(data, catalogue=replace(data.catalogue, noun=PRODUCT))


@pytest.fixture
def home(data: Dataset, own_home: Path) -> Path:
    save(data, datasets_dir(own_home) / "prepared")
    return own_home


def visible(app: NeumfApp) -> str:
    """Return all texts that are seen."""
    texts = app.screen.query("Static, FittedText")
    return "\n".join(str(text.render()) for text in texts if text.region and text.display)


def check(app: NeumfApp, kind: str, view: str) -> None:
    said, table = CANNOT.get(kind, {}).get(view, ""), app.screen.query_one(TABLES[view], Table)
    shown = " ".join(visible(app).split())
    assert not said or said in shown, (view, shown)
    assert bool(said) == (not table.row_count), (view, shown)
    assert not app._notifications, (view, list(app._notifications))
    assert not words_of_films(screen_lines(app)), view


FAST = ("top_k",)
"""Kinds of the fast suite: one that says much and lacks much."""


@pytest.mark.parametrize(
    "kind", [k if k in FAST else pytest.param(k, marks=pytest.mark.slow) for k in KINDS]
)
async def test_every_view_shows_or_says(home: Path, data: Dataset, kind: str) -> None:
    folder = kept_run(home, data, kind, epochs=2 if kind in ("none", "top_k") else 1)
    kept_run(home, data, "vectors", name="other")
    app = NeumfApp(folder, home, "explore")
    size = (80, 24) if KINDS.index(kind) % 2 else (120, 40)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for key, view in enumerate(("ranking", "history", "nearest", "epochs", "near-miss"), 1):
            await press_all(pilot, str(key))
            check(app, kind, view)
            assert app.screen.query_one(TabbedContent).active == view
        await press_all(pilot, "2", "enter")
        check(app, kind, "near")
        await press_all(pilot, "2")
        check(app, kind, "users")
        await press_all(pilot, "escape", "f")
        check(app, kind, "guest")
        await press_all(pilot, "escape", "F")
        for key, view in enumerate(("failures", "cohorts", "catalogue"), 1):
            await press_all(pilot, str(key))
            check(app, kind, view)
        await press_all(pilot, "escape", "x", *"other", "enter")
        check(app, kind, "compare")
        await press_all(pilot, "2")
        check(app, kind, "compare-all")


async def test_the_key_of_parts_follows_the_model(home: Path, data: Dataset) -> None:
    app = NeumfApp(kept_run(home, data, "biases"), home, "explore")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for name in ("ranking", "product alone", "bias alone", "ranking"):
            tab = app.screen.query_one(TabbedContent).get_tab("ranking")
            assert str(tab.label) == f"1 {name}"
            await press_all(pilot, "b")


async def test_a_list_ends_where_its_scores_do(home: Path, data: Dataset) -> None:
    app = NeumfApp(kept_run(home, data, "top_k"), home, "explore")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press_all(pilot, "end")  # the worst rank
        table = app.screen.query_one("#ranking-table", Table)
        candidates = data.num_items - len(data.history(app.screen.who))  # type: ignore[attr-defined]
        assert table.row_count == LISTED
        await press_all(pilot, "1", "end")
        drawn = "".join(s.text for s in table.render_line(table.size.height - 1))
        more = candidates - LISTED - 1
        assert drawn.strip() == f"beyond {LISTED}: ★ and {more} more products without a score"
        assert f"rank beyond {LISTED} of {candidates}" in text_of(app, "#story")
        await press_all(pilot, "4")
        assert cells(app.screen.query_one("#journey-table", Table))[0][1] == f">{LISTED}"


def test_ranks_beyond_a_list_are_told_from_others(home: Path, data: Dataset) -> None:
    users = load_users(kept_run(home, data, "top_k"), home)
    found, items = failures_at(users, 1), make_model("top_k", data).tensors["items"]
    held = np.asarray(data.split.heldout)
    lacking = [u for u in found.evaluated.tolist() if held[u] not in items[u]]
    assert 0 < len(lacking) < len(found.evaluated) and found.unlisted.tolist() == lacking
    assert {users.beyond(user, float(found.ranks[user])) for user in lacking} == {LISTED}
    assert np.isnan(found.gains[lacking]).all()
    assert sum(each.count for each in found.bins()) == len(found.evaluated) - len(lacking)
    assert ("beyond" in summary_text(found)) == (2 * len(lacking) > len(found.evaluated))
