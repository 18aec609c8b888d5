"""Who is being failed and what nobody is recommended: figures against plain computations, then the
screen and the command."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from textual.pilot import Pilot
from textual.widgets import Input
from typer.testing import CliRunner

from neumf_tui.cli.failures import failures as command
from neumf_tui.data.catalogue import Catalogue as Films
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepare import prepare
from neumf_tui.data.split import Interactions
from neumf_tui.errors import RunError, UsageError
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.explore.cohorts import make_cohorts
from neumf_tui.explore.coverage import TopCounts, gini, in_top, measure_coverage, popularity_counts
from neumf_tui.explore.failures import ORDERS, failures_at
from neumf_tui.explore.ranker import Ranker
from neumf_tui.explore.users import Users, load_users
from neumf_tui.runs.checkpoint import find_rank_epoch
from neumf_tui.text import rank_text
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.explore.story import story
from neumf_tui.tui.failures.screen import FailuresScreen
from neumf_tui.tui.navigation import Navigation, OpenItem, OpenUser
from neumf_tui.tui.widgets.table import Table
from neumf_tui.views.coverage import coverage_sheet, users_text
from neumf_tui.views.failures import (
    SORTS,
    cohort_cells,
    cohorts_sheet,
    failures_sheet,
    summary_text,
    user_cells,
    user_text,
    whisker,
)
from tests.support.golden_runs import make_info
from tests.support.screens import settle, text_of
from tests.support.weights import set_weights, weights_of

HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "[bold]markup[/]",
    "tab\tand\nline",
    "七人の侍 👩‍👩‍👧",
    "abc \u202e cba",
    "",
    "x" * 300,
)
DAY = 86_400


def dataset_of(pairs: list[tuple[int, int]], num_users: int, num_items: int = 60) -> Dataset:
    """Interactions a day apart from 1970 on; hostile titles first; every third year unknown, every
    fourth without genre."""
    rows = np.array(pairs, dtype=np.int64)
    films = Films(
        [f"i{n}" for n in range(num_items)],
        [HOSTILE[n] if n < len(HOSTILE) else f"Film {n}" for n in range(num_items)],
        [None if n % 3 == 0 else 1900 + n for n in range(num_items)],
        [[] if n % 4 == 0 else ["[red]Drama", "Crime"][: 1 + n % 2] for n in range(num_items)],
    )
    times = DAY * np.arange(len(rows), dtype=np.int64)
    return prepare(
        "tiny",
        "here",
        [f"u{n}\x1b[0m" for n in range(num_users)],
        films,
        Interactions(rows[:, 0], rows[:, 1], times),
    )


def users_of(dataset: Dataset, ranks: NDArray[np.float32], home: Path) -> Users:
    return Users(
        make_info("tiny", home),
        dataset,
        np.diff(dataset.offsets),
        [3],
        ranks[None].astype(np.float32),
    )


@pytest.fixture
def random_set() -> Dataset:
    """40 users with histories of 0 to 30 of 60 items, ties of popularity everywhere, some with
    nothing held out."""
    random = np.random.default_rng(5)
    pairs = [
        (user, int(item))
        for user in range(40)
        for item in random.choice(60, int(random.integers(1, 31)) if user % 7 else 1, replace=False)
    ]
    return dataset_of(pairs, 40)


@pytest.fixture
def tiny(random_set: Dataset, own_home: Path) -> Users:
    """Random ranks for it."""
    ranks = np.random.default_rng(1).integers(1, 30, 40).astype(np.float32)
    ranks[np.asarray(random_set.split.heldout) < 0] = np.nan
    return users_of(random_set, ranks, own_home)


def test_popularity_ranks_are_those_of_one_user_at_a_time(
    tiny: Users, demo: Dataset, own_home: Path
) -> None:
    everyone = users_of(demo, np.ones(demo.num_users, dtype=np.float32), own_home)
    for users in (tiny, everyone):
        np.testing.assert_array_equal(
            failures_at(users, 3).popularity_ranks,
            Evaluator(users.dataset).popularity_ranks(),
        )
    held = np.flatnonzero(np.asarray(tiny.dataset.split.heldout) >= 0)
    assert 0 < len(held) < 40
    ranks = failures_at(tiny, 3).popularity_ranks
    assert [float(ranks[user]) for user in held] == [
        tiny.popularity_rank(int(user)) for user in held
    ]


def test_texts_name_users_without_a_rank_and_epochs(tiny: Users) -> None:
    found = failures_at(tiny, 3)
    assert f"{len(found.evaluated)} of 40 users, who have a held-out" in summary_text(found)
    user = int(found.evaluated[0])
    first, last = np.full(40, 25, dtype=np.float32), tiny.tape[0]
    longer = replace(tiny, epochs=[1, 3], tape=np.stack([first, last]))
    way = f"epochs 1→3: 25→{rank_text(float(last[user]))}"
    assert way in user_text(failures_at(longer, 3), user).plain
    assert way in story(longer, user, None, 5.0, "fold-in", 200).plain
    assert "epochs" not in story(tiny, user, None, 5.0, "fold-in", 200).plain


def test_every_figure_of_a_user(tiny: Users) -> None:
    found = failures_at(tiny, 3)
    data = tiny.dataset
    rows = failures_sheet(found, np.arange(40), "dataset").rows
    for user, row in enumerate(rows):
        item = int(data.split.heldout[user])
        history = set(data.history(user).tolist())
        assert row["history_size"] == len(history) and row["num_candidates"] == 60 - len(history)
        if item < 0:
            assert {
                row[key]
                for key in ("rank", "popularity_rank", "gain", "item_id", "title", "seen_by", "age")
            } == {None}
            continue
        seen = sum(item in data.history(other) for other in range(40))
        assert row["seen_by"] == seen and row["item_id"] == f"i{item}"
        assert row["gain"] == row["popularity_rank"] - row["rank"]
        # Interactions lie a day apart from 1970-01-01 on.
        last = 1970 + (len(data.split.times) + sum(np.asarray(data.split.heldout) >= 0) - 1) // 366
        assert row["age"] == (None if item % 3 == 0 else last - 1900 - item)


def test_orders_put_the_worst_first_and_those_without_a_rank_last(tiny: Users) -> None:
    found = failures_at(tiny, 3)
    assert tuple(SORTS) == ORDERS
    signs = {
        "rank": ("rank", -1),
        "gain": ("gain", 1),
        "history": ("history_size", 1),
        "popularity": ("seen_by", 1),
    }
    for by, (key, sign) in signs.items():
        rows = failures_sheet(found, found.order(by), by).rows
        known = [sign * row[key] for row in rows if row["rank"] is not None]
        assert known == sorted(known) and len(known) == len(found.evaluated)
        assert all(row["rank"] is None for row in rows[len(known) :])
    ages = [row["age"] for row in failures_sheet(found, found.order("age"), "age").rows]
    told = [age for age in ages if age is not None]
    assert told == sorted(told, reverse=True) == ages[: len(told)] and len(told) < 40
    assert found.order("dataset").tolist() == list(range(40))


def test_cohorts_against_plain_counting(tiny: Users) -> None:
    found = failures_at(tiny, 3)
    data = tiny.dataset
    # Hits and misses: the fixture's ranks are all hits.
    found = replace(found, ranks=found.ranks * 3)
    held = {user: int(item) for user, item in enumerate(data.split.heldout) if item >= 0}
    expected: dict[tuple[str, str], set[int]] = {("all", "all users"): set(held)}
    for user, item in held.items():
        for genre in data.catalogue.genres[item] or ["no genre given"]:
            expected.setdefault(("genre", genre), set()).add(user)
        year = data.catalogue.years[item]
        era = f"{str(year)[:3]}0s" if year else "year not known"
        expected.setdefault(("era", era), set()).add(user)
    cohorts = make_cohorts(found)
    for kind, values in (("history", np.diff(data.offsets)), ("popularity", found.seen_by)):
        groups = [c for c in cohorts if c.kind == kind]
        assert 2 <= len(groups) <= 4
        assert sorted(np.concatenate([c.members for c in groups]).tolist()) == sorted(held)
        for lower, upper in pairwise(groups):
            assert values[lower.members].max() < values[upper.members].min()
        low, high = values[groups[0].members].min(), values[groups[0].members].max()
        assert (
            groups[0].name.removeprefix("seen by ").removesuffix(" films")
            == f"{low:.0f}–{high:.0f}"
        )
    named = {
        (c.kind, c.name): set(c.members.tolist())
        for c in cohorts
        if c.kind not in ("history", "popularity")
    }
    assert named == expected
    z = 1.959963984540054
    for c, row in zip(cohorts, cohorts_sheet(found, cohorts).rows, strict=True):
        n = len(c.members)
        ranks = [float(found.ranks[user]) for user in c.members]
        share = sum(rank <= 50 for rank in ranks) / n
        assert row["hit@50"] == pytest.approx(share) and row["num_users"] == n
        # Wilson: the shares whose distance from the observed one is z standard errors of their own.
        for end in (row["hit@50_low"], row["hit@50_high"]):
            assert (share - end) ** 2 == pytest.approx(z * z * end * (1 - end) / n, abs=1e-12)
        aucs = [
            1 - (rank - 1) / (59 - len(data.history(u)))
            for rank, u in zip(ranks, c.members.tolist(), strict=True)
        ]
        assert row["auc"] == pytest.approx(sum(aucs) / n)
        assert (row["auc_low"] is None) == (n < 10) and row["note"] == (
            "few users" if n < 30 else ""
        )
        if n >= 10:
            assert row["auc_low"] < row["auc"] < row["auc_high"]
        popular = [tiny.popularity_rank(int(user)) <= 50 for user in c.members]
        assert row["popularity_hit@50"] == pytest.approx(sum(popular) / n)
    assert 0 < cohorts[0].hit < 1


def test_which_epoch(trained: Path, own_home: Path) -> None:
    users = load_users(trained, own_home)
    best = int((trained / "checkpoints" / "best").read_text()[:5])
    wanted = (None, "last", "best", "2")
    assert [find_rank_epoch(trained, which) for which in wanted] == [10, 10, best, 2]
    np.testing.assert_array_equal(failures_at(users, 2).ranks, users.tape[1])
    for which in ("99", "", "-1", "first"):
        with pytest.raises(RunError, match="there are 1 to 10"):
            find_rank_epoch(trained, which)
    shutil.rmtree(trained / "ranks")
    with pytest.raises(RunError, match="no evaluation yet"):
        find_rank_epoch(trained, None)


# The catalogue.


def plain_lists(ranker: Ranker) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How often each item is in a top 50, by the model and by popularity: the deck's formulas in
    numpy, a user at a time."""
    weights = {name: tensor.astype(np.float64) for name, tensor in weights_of(ranker).items()}
    layers = sorted(
        {name.rsplit(".", 1)[0] for name in weights if name.startswith("mlp.")},
        key=lambda name: int(name.split(".")[1]),
    )
    data = ranker.dataset
    model, popular = (
        np.zeros(data.num_items, dtype=np.int64),
        np.zeros(data.num_items, dtype=np.int64),
    )
    for user in range(data.num_users):
        mine = np.broadcast_to(weights["user_mlp.weight"][user], weights["item_mlp.weight"].shape)
        hidden = np.concatenate([mine, weights["item_mlp.weight"]], axis=1)
        for layer in layers:
            hidden = np.maximum(hidden @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"], 0)
        gmf = weights["user_gmf.weight"][user] * weights["item_gmf.weight"]
        scores = np.concatenate([gmf, hidden], axis=1) @ weights["head.weight"][0]
        seen = data.seen_by.astype(np.float64)
        scores[data.history(user)] = seen[data.history(user)] = -np.inf
        model[np.argsort(-scores, kind="stable")[:50]] += 1
        popular[np.argsort(-seen, kind="stable")[:50]] += 1
    return model, popular


def test_the_catalogue_against_plain_numpy(trained: Path, own_home: Path) -> None:
    ranker = Ranker(trained, own_home)
    found = measure_coverage(ranker)
    assert found is not None
    model, popular = plain_lists(ranker)
    assert model.sum() == found.model.counts.sum() == 50 * 700
    # float64 here, float32 there: a film or two may change places at the end of a list.
    assert np.abs(model - found.model.counts).sum() <= 4
    np.testing.assert_array_equal(popular, found.popularity.counts)
    sheet = coverage_sheet(found)
    seen = ranker.dataset.seen_by
    for name, counts in (("model", found.model.counts), ("popularity", popular)):
        figures = sheet.about[name]
        assert figures["coverage@50"] == pytest.approx(np.count_nonzero(counts) / len(counts))
        pairs = np.abs(counts[:, None] - counts[None]).sum()
        assert figures["gini"] == pytest.approx(pairs / (2 * len(counts) ** 2 * counts.mean()))
        assert figures["mean_seen_by"] == pytest.approx(np.repeat(seen, counts).mean())
        assert figures["num_never"] == np.count_nonzero(counts == 0)
    assert {row["item_id"] for row in sheet.rows} == {
        ranker.dataset.catalogue.item_ids[item] for item in np.flatnonzero(found.model.counts == 0)
    }
    assert [row["seen_by"] for row in sheet.rows] == sorted(
        (row["seen_by"] for row in sheet.rows), reverse=True
    )
    assert (sheet.about["num_users"], sheet.about["of_users"], sheet.about["sample_seed"]) == (
        700,
        700,
        None,
    )
    assert users_text(found) == "over all 700 users"


def test_too_many_pairs_are_sampled_and_it_is_said(trained: Path, own_home: Path) -> None:
    ranker = Ranker(trained, own_home)
    some = measure_coverage(ranker, max_pairs=120_000)
    assert some is not None and some.seed == 0 and 50 < some.users < 120
    assert some.model.counts.sum() == some.popularity.counts.sum() == 50 * some.users
    assert users_text(some).startswith(f"over a sample of {some.users} of 700 users (seed 0)")
    again, other = (
        measure_coverage(ranker, max_pairs=120_000),
        measure_coverage(ranker, max_pairs=120_000, seed=1),
    )
    assert again is not None and other is not None
    np.testing.assert_array_equal(some.model.counts, again.model.counts)
    assert (some.model.counts != other.model.counts).any()
    asked: list[int] = []
    assert (
        measure_coverage(ranker, lambda: len(asked) == 3, lambda done, of: asked.append(done))
        is None
    )
    assert asked == [0, 1, 2]


def test_a_score_that_is_no_number_is_an_error(trained: Path, own_home: Path) -> None:
    ranker = Ranker(trained, own_home)
    weights = weights_of(ranker)
    weights["user_gmf.weight"][3] = np.nan
    set_weights(ranker, weights)
    with pytest.raises(RunError, match="not a number"):
        measure_coverage(ranker)


def test_the_first_fifty_of_equals() -> None:
    scores = np.zeros((3, 80), np.float32)
    scores[0, :10] = -np.inf
    scores[1, 70:] = 1.0
    scores[2, 30:] = -np.inf
    inside = in_top(scores)
    assert [np.flatnonzero(row).tolist() for row in inside] == [
        list(range(10, 60)),
        [*range(40), *range(70, 80)],
        list(range(30)),
    ]
    assert in_top(np.zeros((2, 20), np.float32)).all()


@pytest.mark.parametrize("size", [1, 5, 50, 70])
def test_lists_by_popularity_against_a_list_a_user(random_set: Dataset, size: int) -> None:
    chosen = np.random.default_rng(0).random(40) < 0.6
    plain = np.zeros(60, dtype=np.int64)
    order = sorted(range(60), key=lambda item: (-random_set.seen_by[item], item))
    for user in np.flatnonzero(chosen).tolist():
        history = set(random_set.history(user).tolist())
        plain[[item for item in order if item not in history][:size]] += 1
    np.testing.assert_array_equal(popularity_counts(random_set, chosen, size), plain)


def test_nobody_recommended_anything() -> None:
    nothing = TopCounts(np.zeros(4, dtype=np.int64), np.array([2, 9, 2, 0]))
    assert (nothing.coverage, nothing.gini, nothing.mean_seen_by) == (0, 0, 0)
    assert nothing.never.tolist() == [1, 0, 2, 3] and gini([0, 0, 0, 7]) == 0.75


# The screen.


class Opened(NeumfApp):
    """Notes what would be opened."""

    def __init__(self, home: Path) -> None:
        super().__init__(None, home, "runs")
        self.opened: list[tuple[str, int]] = []

    def open_screen(self, wanted: Navigation) -> None:
        match wanted:
            case OpenUser(user):
                self.opened.append(("user", user))
            case OpenItem(_, _, item):
                self.opened.append(("film", item))
            case _:
                super().open_screen(wanted)


def shown(app: NeumfApp, table: str, rows: int) -> list[list[str]]:
    """Cells of the first rows."""
    widget = app.screen.query_one(table, Table)
    return [list(widget._cells(row)) for row in range(min(rows, widget.row_count))]


async def open_screen(
    pilot: "Pilot[None]", ranker: Ranker | None, users: Users, epoch: int
) -> FailuresScreen:
    await settle(pilot)
    screen = FailuresScreen(ranker, users, epoch)
    pilot.app.push_screen(screen)
    await settle(pilot)
    return screen


async def test_the_screen_shows_the_sheet(trained: Path, own_home: Path) -> None:
    users = load_users(trained, own_home)
    found = failures_at(users, 10)
    app = Opened(own_home)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await open_screen(pilot, Ranker(trained, own_home), users, 10)
        assert "demo (simulated)" in text_of(app, "#failures-head") and "epoch 10" in text_of(
            app, "#failures-head"
        )
        for by in (*list(SORTS)[1:], "rank"):
            await pilot.press("o")
            await settle(pilot)
            maker = screen.sheet_maker()
            assert maker is not None and screen.by == by == maker().about["by"]
            rows = maker().rows
            assert len(rows) == 700 and [row["user"] for row in rows] == [
                users.dataset.user_ids[user] for user in found.order(by)
            ]
            for row, cells in zip(rows, shown(app, "#users-table", 40), strict=False):
                rank, popular = (row[key] for key in ("rank", "popularity_rank"))
                assert cells[0] == row["user"] and cells[1] == f"{row['title']} ({row['year']})"
                assert [cell.replace(",", "") for cell in cells[2:4]] == [
                    f"{rank:g}",
                    f"{popular:g}",
                ]
                assert cells[4].replace("−", "-").replace(",", "") == f"{row['gain']:+g}"
                assert cells[5:] == [str(row["history_size"]), str(row["seen_by"]), str(row["age"])]
        await pilot.press("2")
        await settle(pilot)
        maker = screen.sheet_maker()
        assert maker is not None
        for row, cells in zip(maker().rows, shown(app, "#cohorts-table", 99), strict=True):
            assert cells[2:5] == [row["cohort"], f"{row['num_users']:,}", f"{row['hit@50']:.3f}"]
            assert cells[5] == f"{row['hit@50_low']:.3f}–{row['hit@50_high']:.3f}"
            assert cells[7:9] == [f"{row['popularity_hit@50']:.3f}", f"{row['auc']:.3f}"]
            whole = maker().rows[0]["hit@50"]
            assert cells[0] == (
                "▲" if row["hit@50_low"] > whole else "▼" if row["hit@50_high"] < whole else ""
            )
        await pilot.press("o")
        hits = [cohort.hit for cohort in screen.cohorts[1:]]
        assert hits == sorted(hits) and screen.cohorts[0].kind == "all"
        side = screen.query_one("#failures-side")
        assert side.border_title == "ranks of 700 users"
        await pilot.press("down", "enter")
        await settle(pilot)
        members = screen.cohorts[1].members
        assert screen.front == "users" and side.border_title == f"ranks of {len(members)} users"
        assert 0 < len(members) < 700
        assert sum(one.count for one in found.bins(members)) == len(members)
        await pilot.press("escape")
        await settle(pilot)
        assert screen.front == "cohorts" and side.border_title == "ranks of 700 users"
        await pilot.press("3")
        await settle(pilot)
        maker = screen.sheet_maker()
        assert maker is not None
        model = maker().about["model"]
        figures = text_of(app, "#failures-figures")
        assert (
            f"{100 * model['coverage@50']:.1f} %" in figures and f"{model['gini']:.3f}" in figures
        )
        assert "over all 700 users" in figures
        assert [cells[0] for cells in shown(app, "#catalogue-table", 9999)] == [
            row["title"] for row in maker().rows
        ]
        await pilot.press("down", "enter")
        item = users.dataset.catalogue.item_ids.index(maker().rows[1]["item_id"])
        assert app.opened == [("film", item)]


@pytest.mark.slow
async def test_from_a_cohort_to_its_users_to_one_of_them(trained: Path, own_home: Path) -> None:
    users = load_users(trained, own_home)
    app = Opened(own_home)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await open_screen(pilot, None, users, 10)
        await pilot.press("3")
        await settle(pilot)
        assert (
            "waiting until the model is loaded" in text_of(app, "#failures-figures")
            and screen.sheet_maker() is None
        )
        screen.take_ranker(Ranker(trained, own_home, "4"))
        await settle(pilot)
        assert screen.coverage is not None and screen.coverage.epoch == 10
        await pilot.press("2")
        await settle(pilot)
        await pilot.press("down", "down", "enter")
        await settle(pilot)
        cohort = screen.cohorts[2]
        assert screen.front == "users" and screen.order is not None
        assert sorted(screen.order.tolist()) == cohort.members.tolist()
        pane = screen.query_one("#failures-list")
        assert str(pane.border_title).startswith(
            f"history {cohort.name} · {len(cohort.members)} users"
        )
        maker = screen.sheet_maker()
        assert maker is not None and maker().about["cohort"] == f"history: {cohort.name}"
        await pilot.press("down", "enter")
        assert app.opened == [("user", int(screen.order[1]))]
        await pilot.press("slash", *"sim-0", "enter")
        await settle(pilot)
        wanted = [
            user
            for user in cohort.members.tolist()
            if users.dataset.user_ids[user].startswith("sim-0")
        ]
        assert sorted(screen.order.tolist()) == wanted and 0 < len(wanted) < len(cohort.members)
        await pilot.press("slash", *"zzz")
        await settle(pilot)
        assert len(screen.order) == 0 and "“zzz”" in text_of(app, "#failures-user")
        await pilot.press("escape")
        await settle(pilot)
        assert len(screen.order) == len(cohort.members) and not screen.query_one(Input).has_class(
            "-shown"
        )
        await pilot.press("escape")
        await settle(pilot)
        assert len(screen.order) == 700 and screen.cohort is None and screen.front == "cohorts"
        await pilot.press("escape")
        await settle(pilot)
        assert app.screen is not screen


async def test_a_double_click_opens_too(trained: Path, own_home: Path) -> None:
    users = load_users(trained, own_home)
    app = Opened(own_home)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_screen(pilot, None, users, 10)
        await pilot.click("#users-table", offset=(5, 3), times=2)
        await pilot.pause()
        assert screen.order is not None and app.opened == [("user", int(screen.order[2]))]


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (200, 50)])
@pytest.mark.slow
async def test_hostile_titles_ties_and_a_user_without_a_film(
    tiny: Users, own_home: Path, size: tuple[int, int]
) -> None:
    app = Opened(own_home)
    async with app.run_test(size=size) as pilot:
        screen = await open_screen(pilot, None, tiny, 3)
        await pilot.press("end")
        await settle(pilot)
        assert "nothing is held out" in text_of(app, "#failures-user")
        assert shown(app, "#users-table", 40)[-1][2:5] == ["–", "–", "–"]
        for user in range(40):
            assert "\x1b" not in text_of(app, "#failures-user")
            screen.query_one("#users-table", Table).cursor = user
            await pilot.pause()
        for key in "23":
            await pilot.press(key)
            await settle(pilot)
            drawn = "".join(
                segment.text
                for strip in app.screen._compositor.render_strips()
                for segment in strip
            )
            assert "\x1b" not in drawn and "\u202e" not in drawn
        names = [cells[2] for cells in shown(app, "#cohorts-table", 99)]
        assert "[red]Drama" in names and "no genre given" in names and "year not known" in names


async def test_all_ranks_equal_and_no_rank_at_all(random_set: Dataset, own_home: Path) -> None:
    held = np.asarray(random_set.split.heldout) >= 0
    level = users_of(random_set, np.where(held, 15.5, np.nan), own_home)
    cohorts = make_cohorts(failures_at(level, 3))
    assert {c.hit for c in cohorts} == {1.0} and "▲" not in "".join(
        cohort_cells(c, cohorts[0], 1, True)[0] for c in cohorts
    )
    pairs = [(user, user) for user in range(5)]
    nobody = users_of(dataset_of(pairs, 5), np.full(5, np.nan), own_home)
    with pytest.raises(RunError, match="no user has a held-out film"):
        make_cohorts(failures_at(nobody, 3))
    app = Opened(own_home)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_screen(pilot, None, nobody, 3)
        assert "no user has a held-out film" in text_of(app, "#failures-summary")
        await pilot.press("2", "o", "enter")
        await settle(pilot)
        assert screen.cohorts == [] and screen.sheet_maker() is None and app.opened == []


async def test_an_epoch_without_a_checkpoint_is_said(trained: Path, own_home: Path) -> None:
    users = load_users(trained, own_home)
    ranker = Ranker(trained, own_home)
    (trained / "checkpoints" / "00004.safetensors").unlink()
    app = Opened(own_home)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await open_screen(pilot, ranker, users, 4)
        await pilot.press("3")
        await settle(pilot)
        assert (
            "epoch 4 has no checkpoint any more; 3 and 5 do" in text_of(app, "#failures-figures")
            and screen.coverage is None
        )


def test_an_interval_as_a_line() -> None:
    assert whisker(0.25, 0.75, 0.5, 1.0, 1.0, 9) == "  ──●── ○"
    assert whisker(0.0, 0.0, 0.0, 0.0, 0.0, 9) == "●"


# The command.


def ask(*args: str) -> str:
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, list(args), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_prints_the_sheets(trained: Path, own_home: Path) -> None:
    users = load_users(trained, own_home)
    found = failures_at(users, 10)
    whole = json.loads(
        ask(
            "trained",
            "--json",
            "--users",
            "--cohorts",
            "--catalogue",
            "--top",
            "all",
            "--by",
            "gain",
        )
    )
    assert (whole["dataset"], whole["simulated"]) == ("demo", True) and whole["epoch"] == 10
    assert whole["users"] == failures_sheet(found, found.order("gain"), "gain").rows
    assert whole["cohorts"] == cohorts_sheet(found, make_cohorts(found)).rows
    lists = measure_coverage(Ranker(trained, own_home))
    assert lists is not None
    sheet = coverage_sheet(lists).object
    assert whole["catalogue"] == {
        key: value
        for key, value in sheet.items()
        if key not in ("run", "kind", "model_label", "dataset", "simulated", "epoch", "protocol")
    }
    assert sum(part["count"] for part in whole["spread"]) == whole["num_users"] == 700
    hits = [row["rank"] <= 50 for row in whole["users"]]
    assert whole["hit@50"] == pytest.approx(sum(hits) / 700) and whole[
        "num_below_popularity"
    ] == sum(row["gain"] < 0 for row in whole["users"])
    assert set(json.loads(ask("trained", "--json", "--epoch", "2"))) == {
        "run", "kind", "model_label", "dataset", "simulated", "epoch", "protocol", "num_users",
        "hit@50", "hit@50_ci", "popularity_hit@50", "median_rank",
        "num_below_popularity", "by", "spread", "users", "cohorts",
    }  # fmt: skip
    table = ask("trained", "--csv", "--top", "3").splitlines()
    assert table[0].startswith("dataset,simulated,user,rank,") and len(table) == 4
    assert table[1].startswith(f"demo,True,{users.dataset.user_ids[found.order('rank')[0]]},")
    text = ask("trained", "--top", "2", "--catalogue", "--users")
    worst = int(found.order("rank")[0])
    assert (
        all(cell in text for cell in user_cells(found, worst))
        and "2 of 700 users, worst rank first" in text
    )
    assert "coverage@50" in text and "over all 700 users" in text and "95 % of AUC" not in text


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--top", "0"], "--top 0"),
        (["--by", "luck"], "rank, gain, history, popularity, age, dataset"),
        (["--csv", "--json"], "choose one"),
        (["--csv", "--users", "--cohorts"], "one table"),
    ],
)
def test_wrong_usage_is_told(trained: Path, args: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        ask("trained", *args)
