"""Neighbours by either vector, how a film fares over all users, and the screen that shows both."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import Input
from typer.testing import CliRunner

from neumf_tui.errors import RunError, UsageError
from neumf_tui.explore.guests import Guest, save_guest
from neumf_tui.explore.item import rank_item
from neumf_tui.explore.neighbours import seen_with, similar_items
from neumf_tui.explore.ranker import Ranker
from neumf_tui.explore.users import Users, load_users
from neumf_tui.scorers.nearest import nearest
from neumf_tui.text import clean
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.explore.screen import ExploreScreen
from neumf_tui.tui.item.screen import NEAR, ItemScreen
from neumf_tui.tui.navigation import OpenItem
from neumf_tui.tui.widgets.item_picker import ItemDialog, ItemPicker
from neumf_tui.tui.widgets.table import Table
from neumf_tui.views.item import item_sheet
from neumf_tui.views.neighbours import similar_items_sheet, similar_users_sheet
from tests.support.rating_files import HOSTILE
from tests.support.screens import settle, text_of
from tests.support.weights import set_weights, torch_model, weights_of

PATHS = ("gmf", "mlp")


@pytest.fixture
def users(trained: Path, own_home: Path) -> Users:
    return load_users(trained, own_home)


@pytest.fixture
def ranker(trained: Path, own_home: Path, users: Users) -> Ranker:
    return Ranker(trained, own_home, dataset=users.dataset)


# Neighbours.


def test_planted_neighbours_by_angle_and_not_by_length() -> None:
    table = np.array([[2, 0], [0, 9], [-1, 0], [5, 5], [0.01, 0], [0, 0]], dtype=np.float32)
    found = nearest(table, table[0], 9, 0)
    assert found.rows.tolist() == [4, 3, 1, 2], "neither itself nor the row of zeros"
    assert found.values.tolist() == pytest.approx([1, 0.5**0.5, 0, -1])
    assert (found.close, found.zero, found.measure) == (1, False, "cosine")


def test_equal_neighbours_stand_by_row_whatever_the_order_of_summing() -> None:
    random = np.random.default_rng(0)
    table = random.normal(size=(5000, 33)).astype(np.float32)
    twins = np.sort(random.permutation(np.arange(1, 5000))[:300])
    table[twins] = table[0] * 2 + random.normal(size=33).astype(np.float32) / 100
    found = nearest(table, table[0], 100, 0)
    assert found.rows.tolist() == twins[:100].tolist()
    assert len(set(found.values.tolist())) == 1 and found.close == 300


def test_a_vector_of_zeros_has_no_neighbours_and_is_nobodys() -> None:
    table = np.array([[0, 0], [1, 0], [0, 1]], dtype=np.float32)
    found = nearest(table, table[0], 5, 0)
    assert len(found.rows) == len(found.values) == found.close == 0 and found.zero
    assert nearest(table, table[1], 5, 1).rows.tolist() == [2]


def test_vectors_that_are_no_numbers_are_an_error() -> None:
    table = np.array([[1, 0], [np.nan, 0]], dtype=np.float32)
    with pytest.raises(RunError, match="not a number"):
        nearest(table, table[0], 5, 0)


def test_tiny_vectors_have_a_direction_too() -> None:
    table = np.array([[1, 1], [1e-24, 1e-24], [1, 0]], dtype=np.float32)
    assert nearest(table, table[1], 5, 1).rows.tolist() == [0, 2]


def test_similar_items_against_numpy_and_sets(ranker: Ranker) -> None:
    data, item = ranker.dataset, 7
    histories = [set(data.history(user).tolist()) for user in range(data.num_users)]
    together = seen_with(data, item)
    for other in (0, 7, 50, 300):
        assert together[other] == sum({item, other} <= history for history in histories)
    sheet, weights = similar_items_sheet(ranker, item, 20), weights_of(ranker)
    for kind in PATHS:
        vectors = weights[f"item_{kind}.weight"].astype(np.float64)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines = vectors @ vectors[item]
        cosines[item] = -2
        best = np.argsort(-cosines, kind="stable")[:20]
        assert [row[f"{kind}_item_id"] for row in sheet.rows] == [
            data.catalogue.item_ids[other] for other in best
        ]
        assert [row[f"{kind}_cosine"] for row in sheet.rows] == pytest.approx(
            cosines[best].tolist(), abs=1e-12
        )
        assert [row[f"{kind}_both"] for row in sheet.rows] == together[best].tolist()
        assert [row[f"{kind}_seen_by"] for row in sheet.rows] == [
            sum(o in h for h in histories) for o in best.tolist()
        ]
        assert sheet.about[f"{kind}_close"] == (cosines >= 0.99).sum()
    assert [row["place"] for row in sheet.rows] == list(range(1, 21))


def test_similar_users_and_guests(ranker: Ranker, own_home: Path) -> None:
    data = ranker.dataset
    sheet = similar_users_sheet(ranker, 3, 15)
    mine = set(data.history(3).tolist())
    vectors = weights_of(ranker)["user_mlp.weight"].astype(np.float64)
    cosines = vectors @ vectors[3] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[3])
    cosines[3] = -2
    best = np.argsort(-cosines, kind="stable")[:15].tolist()
    assert [row["mlp_user"] for row in sheet.rows] == [data.user_ids[user] for user in best]
    assert [row["mlp_both"] for row in sheet.rows] == [
        len(mine & set(data.history(user).tolist())) for user in best
    ]
    assert (sheet.about["user"], sheet.about["guest"], sheet.stamp) == (
        data.user_ids[3],
        None,
        ("user",),
    )
    guest = Guest("anna", tuple(data.catalogue.item_ids[item] for item in data.history(3).tolist()))
    of_guest = similar_users_sheet(ranker, guest, 700)
    assert len(of_guest.rows) == data.num_users, (
        "a guest is none of the users, so all of them may be near"
    )
    assert of_guest.about["guest"] == "anna" and of_guest.header[:3] == (
        "dataset",
        "simulated",
        "guest",
    )


def test_a_kind_without_neighbours_leaves_its_cells_empty(ranker: Ranker) -> None:
    weights = weights_of(ranker)
    weights["item_mlp.weight"][5] = 0
    set_weights(ranker, weights)
    sheet = similar_items_sheet(ranker, 5, 3)
    assert sheet.about["zero_vectors"] == ["mlp"] and len(sheet.rows) == 3
    assert all(
        row["mlp_cosine"] is None and row["mlp_title"] is None and row["gmf_cosine"] is not None
        for row in sheet.rows
    )
    assert ranker.dataset.catalogue.item_ids[5] not in {
        row["mlp_item_id"] for row in similar_items_sheet(ranker, 6, 1200).rows
    }
    json.dumps(sheet.object, allow_nan=False)


# How a film fares.


def test_reach_against_each_users_ranking_and_numpy(ranker: Ranker) -> None:
    data, model = ranker.dataset, torch_model(ranker).requires_grad_(False)
    item = int(data.split.heldout[0])
    found = rank_item(ranker, item)
    # Every score anew, in double precision, from the weights alone.
    gmf_u, gmf_i, mlp_u, mlp_i = (
        table.weight.numpy().astype(np.float64)
        for table in (model.user_gmf, model.item_gmf, model.user_mlp, model.item_mlp)
    )
    d = gmf_u.shape[1]
    head = model.head.weight[0].numpy().astype(np.float64)
    for user in range(data.num_users):
        if item in data.history(user):
            assert np.isnan(found.ranks[user])
            continue
        if user % 50 == 0:
            ranking = ranker.rank(user)
            assert found.ranks[user] == ranking.ranks[ranking.items == item][0]
        hidden = np.concatenate((np.broadcast_to(mlp_u[user], mlp_i.shape), mlp_i), axis=1)
        for layer in model.hidden_layers():
            hidden = np.maximum(
                hidden @ layer.weight.numpy().T.astype(np.float64) + layer.bias.numpy(), 0
            )
        scores = (gmf_u[user] * gmf_i) @ head[:d] + hidden @ head[d:]
        scores[data.history(user)] = -np.inf
        # Scores that differ by less than float32 can tell may stand either way.
        least, most = 1 + (scores > scores[item] + 1e-5).sum(), (scores > scores[item] - 1e-5).sum()
        assert least <= found.ranks[user] <= most
    assert found.ranks[0] == ranker.rank(0).heldout_ranks["score"], (
        "the held-out film is a candidate"
    )
    known = found.ranks[~np.isnan(found.ranks)]
    assert found.median == np.median(known) and found.within(50) == (known <= 50).sum() > 0
    assert sum(b.count for b in found.bins()) == len(known) == len(found.best)
    assert (np.diff(found.ranks[found.best]) >= 0).all() and not found.sampled


def test_ties_count_half_and_equal_ranks_stand_by_user(ranker: Ranker) -> None:
    weights = weights_of(ranker)
    weights["head.weight"][:] = 0
    set_weights(ranker, weights)
    data = ranker.dataset
    found = rank_item(ranker, 3)
    sizes = np.diff(data.offsets)
    expected = (data.num_items - sizes + 1) / 2
    there = ~np.isnan(found.ranks)
    assert found.ranks[there].tolist() == expected[there].tolist()
    assert found.best.tolist() == sorted(
        np.flatnonzero(there).tolist(), key=lambda user: (expected[user], user)
    )


def test_a_sample_says_so_is_drawn_by_the_seed_and_has_the_same_ranks(
    ranker: Ranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(ranker.scorer), "chunk_users", 16)
    whole, some = (
        rank_item(ranker, 9),
        rank_item(ranker, 9, most_pairs=100 * ranker.dataset.num_items),
    )
    assert some.sampled and some.asked.sum() == 6 * 16
    assert np.array_equal(some.ranks[some.asked], whole.ranks[some.asked], equal_nan=True)
    assert np.isnan(some.ranks[~some.asked]).all()
    assert np.array_equal(
        some.asked, rank_item(ranker, 9, most_pairs=100 * ranker.dataset.num_items).asked
    )
    assert not np.array_equal(
        some.asked, rank_item(ranker, 9, most_pairs=100 * ranker.dataset.num_items, seed=1).asked
    )
    about = item_sheet(ranker, some).about
    assert about["sampled"] and about["num_asked"] == 96 and about["num_users"] == 700
    assert rank_item(ranker, 9, most_pairs=1).asked.sum() == 16, "at least one chunk"
    assert not rank_item(ranker, 9, most_pairs=None).sampled


def test_cancelling_ends_between_chunks(ranker: Ranker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(ranker.scorer), "chunk_users", 16)
    answers = iter([False, False, True])
    found = rank_item(ranker, 9, lambda: next(answers))
    assert found.asked.sum() == 32 and found.sampled


def test_film_sheet_and_a_film_that_everybody_has_seen(ranker: Ranker) -> None:
    data = ranker.dataset
    item = int(data.split.heldout[0])
    sheet = item_sheet(ranker, rank_item(ranker, item), 5)
    ids = {user_id: user for user, user_id in enumerate(data.user_ids)}
    assert (
        len(sheet.rows) == 5
        and sheet.about["heldout_for"] == (np.asarray(data.split.heldout) == item).sum()
    )
    for row in sheet.rows:
        ranking = ranker.rank(ids[row["user"]])
        assert (
            row["num_candidates"] == len(ranking.items)
            and row["rank"] == ranking.ranks[ranking.items == item][0]
        )
        assert row["heldout"] == (ranking.person.heldout == item) and row["history_size"] == len(
            ranking.person.history
        )
    everyone = item_sheet(ranker, rank_item(ranker, item))
    assert sum(row["heldout"] for row in everyone.rows) == sheet.about["heldout_for"]
    assert (
        len(everyone.rows) == sheet.about["num_ranked"] == data.num_users - sheet.about["seen_by"]
    )
    found = rank_item(ranker, item, lambda: True)
    assert (
        item_sheet(ranker, found).about["median_rank"] is None
        and not item_sheet(ranker, found).rows
    )


def test_scores_that_are_no_numbers_are_an_error(ranker: Ranker) -> None:
    weights = weights_of(ranker)
    weights["user_gmf.weight"][5, 0] = np.nan
    set_weights(ranker, weights)
    with pytest.raises(RunError, match="not a number"):
        rank_item(ranker, 9)


# Commands.


@pytest.fixture
def commands(trained: Path, own_home: Path) -> CliRunner:
    return CliRunner()


def run_command(commands: CliRunner, *args: str) -> tuple[str, str]:
    import typer

    from neumf_tui.cli import film, similar

    app = typer.Typer()
    app.command()(similar.similar)
    app.command("film")(film.film)
    result = commands.invoke(app, list(args))
    if result.exception is not None:
        raise result.exception
    return result.stdout, result.stderr


def test_similar_prints_its_sheet(commands: CliRunner, ranker: Ranker) -> None:
    titles, ids = ranker.dataset.catalogue.titles, ranker.dataset.catalogue.item_ids
    out, said = run_command(commands, "similar", ids[7], "--json", "--top", "4")
    assert json.loads(out) == similar_items_sheet(ranker, 7, 4).object and said == ""
    out, _ = run_command(commands, "similar", ids[7], "--csv")
    assert out == similar_items_sheet(ranker, 7, 10).text()
    table, _ = run_command(commands, "similar", ids[7], "--top", "4")
    for row in similar_items_sheet(ranker, 7, 4).rows:
        assert row["gmf_title"] in table and f"{row['mlp_cosine']:.4f}" in table
    item = max(range(len(titles)), key=lambda i: len(titles[i]))
    out, said = run_command(commands, "similar", titles[item][:-1], "--json")
    assert json.loads(out)["item_id"] == ids[item] and titles[item] in said
    out, _ = run_command(commands, "similar", "--user", ranker.dataset.user_ids[3], "--json")
    assert json.loads(out) == similar_users_sheet(ranker, 3, 10).object
    table, _ = run_command(commands, "similar", "--user", ranker.dataset.user_ids[3])
    assert similar_users_sheet(ranker, 3, 10).rows[9]["gmf_user"] in table


def test_similar_takes_one_subject(commands: CliRunner, ranker: Ranker, own_home: Path) -> None:
    guest = Guest("anna", tuple(ranker.dataset.catalogue.item_ids[:4]))
    save_guest(guest, ranker.dataset, own_home)
    out, _ = run_command(commands, "similar", "--guest", "anna", "--json")
    assert json.loads(out) == similar_users_sheet(ranker, guest, 10).object
    for args in ([], ["7", "--user", "sim-1"], ["--user", "sim-1", "--guest", "anna"]):
        with pytest.raises(UsageError, match="name one of"):
            run_command(commands, "similar", *args)


def test_film_prints_its_sheet(commands: CliRunner, ranker: Ranker) -> None:
    item_id = ranker.dataset.catalogue.item_ids[9]
    sheet = item_sheet(ranker, rank_item(ranker, 9), 3)
    out, _ = run_command(commands, "film", item_id, "--json", "--top", "3")
    assert json.loads(out) == sheet.object
    out, _ = run_command(commands, "film", item_id, "--csv", "--top", "3", "--everyone")
    assert out == sheet.text()
    table, _ = run_command(commands, "film", item_id, "--top", "3")
    assert (
        f"in {sheet.about['top50']} top 50s" in table and f"{sheet.rows[0]['rank']:.0f} of" in table
    )
    assert "sample" not in table


# The screen.


async def opened(pilot: "Pilot[None]", ranker: Ranker, users: Users, item: int) -> ItemScreen:
    app = pilot.app
    assert isinstance(app, NeumfApp)
    await settle(pilot)
    app.open_screen(OpenItem(ranker, users, item))
    await settle(pilot)
    assert isinstance(app.screen, ItemScreen)
    return app.screen


def cells(screen: ItemScreen, table: str, row: int) -> list[str]:
    return list(screen.query_one(table, Table)._cells(row))


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 50)])
async def test_the_screen_shows_what_the_sheets_say(
    ranker: Ranker, users: Users, trained: Path, own_home: Path, size: tuple[int, int]
) -> None:
    app = NeumfApp(trained, own_home, "runs")
    item = int(ranker.dataset.split.heldout[0])
    async with app.run_test(size=size) as pilot:
        screen = await opened(pilot, ranker, users, item)
        sheet = similar_items_sheet(ranker, item, NEAR)
        for kind, name in {"gmf": "#item-first", "mlp": "#item-second"}.items():
            for row in (0, 42, 99):
                said = sheet.rows[row]
                cosine, both, seen_by, title = cells(screen, name, row)
                assert (cosine, int(both), int(seen_by)) == (
                    f"{said[f'{kind}_cosine']:.4f}", said[f"{kind}_both"], said[f"{kind}_seen_by"],
                )  # fmt: skip
                assert title.startswith(said[f"{kind}_title"])
            title = str(screen.query_one(f"{name}-pane").border_title)
            assert (
                screen.query_one(name).region.width > 0
                and f"{sheet.about[f'{kind}_close']:,} at" in title
            )
        make = screen.sheet_maker()
        assert make is not None and make().object == sheet.object
        await pilot.press("2")
        await settle(pilot)
        users_table, spread = (
            screen.query_one("#item-users", Table),
            screen.query_one("#item-spread"),
        )
        assert users_table.has_focus and users_table.region.height > 5 and spread.region.height > 5
        whole = item_sheet(ranker, rank_item(ranker, item))
        assert users_table.row_count == len(whole.rows)
        for row in (0, 10, len(whole.rows) - 1):
            said = whole.rows[row]
            rank, user, seen, star, _ = cells(screen, "#item-users", row)
            assert (float(rank.replace(",", "")), user, int(seen)) == (
                said["rank"],
                said["user"],
                said["history_size"],
            )
            assert star == ("★" if said["heldout"] else "")
        about, story = whole.about, text_of(app, "#item-story")
        assert (
            about["title"] in story
            and f"in {about['top50']:,} top 50s" in story
            and f"held out for {about['heldout_for']}" in story
        )
        lines = str(spread.render()).splitlines()
        assert [line.lstrip("✓").split()[:2] for line in lines] == [
            [f"{step['first']:,}–{step['last']:,}", f"{step['users']:,}"]
            for step in about["spread"]
        ]
        make = screen.sheet_maker()
        assert make is not None and make().object == whole.object
        await pilot.press("1")
        await settle(pilot)
        assert screen.query_one("#item-first").has_focus


async def test_from_film_to_film_and_back(
    ranker: Ranker, users: Users, trained: Path, own_home: Path
) -> None:
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, ranker, users, 7)
        first = int(similar_items(ranker, 7, 5)["gmf"].rows[2])
        await pilot.press("down", "down", "enter")
        await settle(pilot)
        assert (
            screen.item == first
            and screen.trail == [7]
            and ranker.dataset.catalogue.titles[first] in text_of(app, "#item-story")
        )
        second = int(similar_items(ranker, first, 5)["mlp"].rows[1])
        await pilot.press("tab", "down", "enter")
        await settle(pilot)
        assert screen.item == second and screen.trail == [7, first]
        assert screen.ranks is not None and screen.ranks.item == second
        await pilot.press("escape")
        await settle(pilot)
        assert screen.item == first and screen.query_one("#item-second", Table).cursor == 1, (
            "on the film one comes from"
        )
        await pilot.press("backspace")
        await settle(pilot)
        assert (screen.item, screen.trail) == (7, []) and screen.query_one(
            "#item-first", Table
        ).cursor == 2
        assert screen.ranks is not None and screen.ranks.item == 7
        await pilot.press("backspace")
        await settle(pilot)
        assert not isinstance(app.screen, ItemScreen)


@pytest.mark.slow
async def test_mashing_never_mixes_two_films(
    ranker: Ranker, users: Users, trained: Path, own_home: Path
) -> None:
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, ranker, users, 7)
        for key in [
            "enter",
            "down",
            "enter",
            "2",
            "enter",
            "escape",
            "1",
            "down",
            "enter",
            "tab",
            "enter",
            "h",
            "1",
            "escape",
            "enter",
        ]:
            await pilot.press(key)
            assert screen.ranks is None or screen.ranks.item == screen.item
        await settle(pilot)
        assert screen.ranks is not None and screen.ranks.item == screen.item
        for kind in PATHS:
            assert (
                screen.neighbours[kind].rows.tolist()
                == similar_items(ranker, screen.item, NEAR)[kind].rows.tolist()
            )


async def test_a_user_is_gone_to_by_key_and_by_mouse(
    ranker: Ranker, users: Users, trained: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[int] = []
    item = int(ranker.dataset.split.heldout[0])
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, ranker, users, item)
        monkeypatch.setattr(app, "open_screen", lambda wanted: gone.append(wanted.user))
        best = rank_item(ranker, item).best.tolist()
        await pilot.press("2", "down", "enter")
        await pilot.click("#item-users", offset=(5, 4), times=2)
        await settle(pilot)
        assert gone == [best[1], best[3]]
        held = [row for row, user in enumerate(best) if ranker.dataset.split.heldout[user] == item]
        for row in (*held, held[0]):
            later = [
                other for other in held if other > screen.query_one("#item-users", Table).cursor
            ]
            await pilot.press("h")
            await settle(pilot)
            assert screen.query_one("#item-users", Table).cursor == (later or held)[0], row
        await pilot.click("#item-second", offset=(5, 2), times=2)
        await settle(pilot)
        assert screen.item == int(similar_items(ranker, item, 5)["mlp"].rows[1])


@pytest.mark.slow
async def test_a_film_is_searched_and_chosen(
    ranker: Ranker, users: Users, trained: Path, own_home: Path
) -> None:
    titles = ranker.dataset.catalogue.titles
    item = max(range(len(titles)), key=lambda i: len(titles[i]))
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, ranker, users, 7)
        await pilot.press("slash")
        dialog = app.screen
        assert isinstance(dialog, ItemDialog)
        await settle(pilot)
        assert dialog.query_one(Table).row_count == 100
        await pilot.press("escape")
        assert app.screen is screen and screen.item == 7
        # Typed and chosen at once: the answer to what was typed last counts.
        await pilot.press("slash")
        app.screen.query_one(Input).value = titles[item][:-1]
        await pilot.press(*titles[item][-1], "enter")
        await settle(pilot)
        assert app.screen is screen and screen.item == item and screen.trail == [7]
        await pilot.press("slash", *"the", "down", "down")
        await settle(pilot)
        await pilot.press("up", "enter")
        await settle(pilot)
        assert app.screen is screen and screen.trail == [7, item]
        assert screen.item in ranker.dataset.title_search.search("the", 2)
        await pilot.press("slash", *"the")
        await settle(pilot)
        await pilot.click(Table, offset=(3, 4), times=2)
        await settle(pilot)
        assert (
            app.screen is screen and screen.item == ranker.dataset.title_search.search("the", 9)[3]
        )
        await pilot.press("slash", *"zqxzqxzqx")
        await settle(pilot)
        assert "none match" in str(app.screen.query_one(ItemPicker).border_title)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, ItemDialog), "there is nothing to choose"


@pytest.mark.slow
async def test_hostile_titles_and_a_vector_of_zeros(
    ranker: Ranker, users: Users, trained: Path, own_home: Path
) -> None:
    names = [*HOSTILE, "", "七人の侍", "\u200b"]
    for item, name in enumerate(names):
        ranker.dataset.catalogue.titles[item], ranker.dataset.catalogue.years[item] = name, None
    weights = weights_of(ranker)
    weights["item_gmf.weight"][5] = 0
    set_weights(ranker, weights)
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(60, 20)) as pilot:
        screen = await opened(pilot, ranker, users, 0)
        for item, name in enumerate(names):
            screen.go(item)
            await settle(pilot)
            assert text_of(app, "#item-story").startswith(clean(name).strip() or "(no title)")
            zero = "zero" in str(screen.query_one("#item-first-pane").border_title)
            assert zero == (item == 5) == (screen.query_one("#item-first", Table).row_count == 0)
            await pilot.press("tab", "enter", "escape", "shift+tab")
            assert screen.item == item
        table = screen.query_one("#item-second", Table)
        for row in range(table.row_count):
            table.show_in_middle(row)
            line = table.render_line(row + 1 - table.scroll_offset.y).text
            assert cell_len(line) == table.scrollable_content_region.width and line.isprintable()
        await pilot.press("slash", *"bold")
        await settle(pilot)
        assert "[bold]Bold[/]" in app.screen.query_one(Table).render_line(1).text


async def test_a_sample_is_named_on_the_screen(
    ranker: Ranker, users: Users, trained: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neumf_tui.explore import item as film

    monkeypatch.setattr(type(ranker.scorer), "chunk_users", 16)
    monkeypatch.setattr(
        film, "rank_item", partial(film.rank_item, most_pairs=100 * ranker.dataset.num_items)
    )
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, ranker, users, 9)
        assert "random sample of 96 users" in text_of(app, "#item-story")
        assert "random sample of 96 of 700" in str(screen.query_one("#item-spread").border_subtitle)


async def test_a_fault_is_said_and_the_screen_goes_on(
    ranker: Ranker, users: Users, trained: Path, own_home: Path
) -> None:
    weights = weights_of(ranker)
    weights["user_gmf.weight"][5, 0] = np.nan
    set_weights(ranker, weights)
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, ranker, users, 9)
        assert "not a number" in text_of(app, "#item-story")
        assert screen.ranks is None and screen.neighbours
        await pilot.press("2", "enter", "h", "y", "1", "enter")
        await settle(pilot)
        assert app.screen is screen and screen.trail == [9]


async def test_a_user_leads_back_to_the_explore_screen(
    ranker: Ranker, users: Users, trained: Path, own_home: Path
) -> None:
    app = NeumfApp(trained, own_home, "explore")
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, ranker, users, 7)
        await pilot.press("2", "down", "enter")
        await settle(pilot)
        assert isinstance(app.screen, ExploreScreen)
        user = int(rank_item(ranker, 7).best[1])
        assert ranker.dataset.user_ids[user] in str(app.screen.query_one("#user-pane").border_title)
