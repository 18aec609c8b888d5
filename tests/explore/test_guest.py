"""Guests: the list that follows the picks, their files, and the commands."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from benchmarks.datasets.synthetic_run import HOSTILE, make_dataset, write_run
from neumf_tui.data.prepared import prepared_dir, save
from neumf_tui.errors import RunError
from neumf_tui.explore.guests import Guest, guests_of, load_guest, save_guest
from neumf_tui.explore.newcomer import average_ranking
from neumf_tui.explore.rank_changes import places_gained
from neumf_tui.explore.ranker import Ranker, UserRanking
from neumf_tui.explore.users import Users, load_users
from neumf_tui.scorers.scorer import ItemScores
from neumf_tui.text import clean
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.explore.screen import ExploreScreen
from neumf_tui.tui.guest.moved_items import MovedItemTable, moved_text
from neumf_tui.tui.guest.picks import Picks, UndoStack
from neumf_tui.tui.guest.screen import GuestScreen
from neumf_tui.tui.widgets.item_picker import ItemPicker
from neumf_tui.tui.widgets.table import Table
from neumf_tui.views.person import guest_sheet
from tests.support.commands import Cli
from tests.support.guests import guest_command, guest_of
from tests.support.screens import SIZES, settle, text_of
from tests.support.weights import weights_of


@pytest.fixture
def users(trained: Path, own_home: Path) -> Users:
    return load_users(trained, own_home)


@pytest.fixture
def ranker(trained: Path, own_home: Path, users: Users) -> Ranker:
    return Ranker(trained, own_home, dataset=users.dataset)


# What was picked, and the way back.


def test_undo_and_redo() -> None:
    stack = UndoStack(Picks())
    one = Picks().toggled(7)
    two = one.toggled(3)
    stack.push(one)
    stack.push(two)
    assert stack.current.items == (7, 3) and stack.can_move(-1) and not stack.can_move(1)
    stack.move(-1)
    assert stack.current == one and stack.can_move(1)
    stack.move(1)
    stack.move(1)
    assert stack.current == two
    stack.move(-1)
    stack.push(one.toggled(7))
    assert stack.current.items == () and not stack.can_move(1), (
        "what was undone is gone once something else is done"
    )
    for _ in range(5):
        stack.move(-1)
    assert stack.current == Picks()


# The average user.


def test_the_average_list_is_that_of_the_mean_vectors(ranker: Ranker) -> None:
    shown, weights = average_ranking(ranker), weights_of(ranker)
    gmf, mlp = (
        weights[f"user_{part}.weight"].astype(np.float64).mean(0) for part in ("gmf", "mlp")
    )
    assert sorted(shown.items.tolist()) == list(range(ranker.dataset.num_items)), (
        "nothing is in the history"
    )
    head = weights["head.weight"][0]
    expected = weights["item_gmf.weight"] * gmf @ head[: len(gmf)]
    np.testing.assert_allclose(shown.parts["gmf"], expected[shown.items], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(shown.person.profile.vectors["mlp"], mlp, rtol=1e-5, atol=1e-7)
    values = shown.scores
    ranks = [1 + (values > value).sum() + ((values == value).sum() - 1) / 2 for value in values]
    np.testing.assert_array_equal(shown.ranks, np.array(ranks, dtype=np.float32))


def test_ties_of_the_average_list_share_a_rank(
    ranker: Ranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    gmf = np.zeros(ranker.dataset.num_items, dtype=np.float32)
    gmf[:2] = 1
    scores = ItemScores(gmf, {"gmf": gmf, "mlp": np.zeros_like(gmf)})
    monkeypatch.setattr(type(ranker.scorer), "item_scores", lambda *_: scores)
    assert average_ranking(ranker).ranks[:3].tolist() == [1.5, 1.5, 3 + (len(gmf) - 3) / 2]


# Moves.


def ranking_of(ranker: Ranker, items: list[int], scores: list[float]) -> UserRanking:
    """A list made by hand."""
    values = np.array(scores, dtype=np.float32)
    ranks = np.array(
        [1 + (values > v).sum() + ((values == v).sum() - 1) / 2 for v in values], dtype=np.float32
    )
    return UserRanking(
        person=average_ranking(ranker).person,
        by="score",
        items=np.array(items),
        ranks=ranks,
        scores=values,
        parts={"gmf": values, "mlp": np.zeros_like(values)},
        means={"score": 0.0, "gmf": 0.0, "mlp": 0.0},
        known=len(values),
        heldout=-1,
        heldout_ranks={},
    )


def test_moves_are_told_among_the_films_of_both_lists(ranker: Ranker) -> None:
    before = ranking_of(ranker, [5, 1, 2, 3, 4], [9, 8, 7, 6, 5])
    picked = ranking_of(ranker, [1, 2, 4, 3], [9, 8, 7, 6])
    assert places_gained(picked, before, 6).tolist() == [0, 0, 1, -1], (
        "that 5 was picked and left lifts nobody"
    )
    np.testing.assert_array_equal(places_gained(before, picked, 6), [np.nan, 0, 0, 1, -1])
    tied = ranking_of(ranker, [1, 2, 3, 5, 4], [9, 8, 7, 7, 5])
    assert places_gained(ranking_of(ranker, [2, 3, 1, 4], [4, 3, 2, 1]), tied, 6).tolist() == [
        1,
        1,
        -2,
        0,
    ], "5 had a half of rank 3.5"


def test_moves_of_a_fold_in_by_another_way(ranker: Ranker) -> None:
    before, now = ranker.rank(guest_of(ranker, 4, 9)), ranker.rank(guest_of(ranker, 4, 30, 31))
    shared = set(before.items.tolist()) & set(now.items.tolist())

    def places(ranking: UserRanking) -> dict[int, float]:
        score = {
            int(item): float(s)
            for item, s in zip(ranking.items, ranking.scores, strict=True)
            if item in shared
        }
        values = np.array(list(score.values()))
        return {
            item: 1 + (values > s).sum() + ((values == s).sum() - 1) / 2
            for item, s in score.items()
        }

    then, after = places(before), places(now)
    told = places_gained(now, before, ranker.dataset.num_items)
    for item, move in zip(now.items.tolist(), told.tolist(), strict=True):
        assert move == then[item] - after[item] if item in shared else item == 9 and move != move


@pytest.mark.parametrize("moved", [0, 1, -3, 12.5, -999.5, 1000.5, -9999, 9999.5, -87_000, np.nan])
def test_a_move_fits_its_column(moved: float) -> None:
    text = moved_text(moved)
    assert cell_len(text) <= 6
    assert (
        text == ""
        if moved == 0
        else text == "new"
        if moved != moved
        else text[0] == ("▲" if moved > 0 else "▼")
    )


# The screen.


def guest_screen(app: NeumfApp) -> GuestScreen:
    assert isinstance(app.screen, GuestScreen)
    return app.screen


async def opened(
    pilot: "Pilot[None]", ranker: Ranker, users: Users, guest: Guest | None = None
) -> GuestScreen:
    await settle(pilot)
    pilot.app.push_screen(GuestScreen(ranker, users, guest))
    await settle(pilot)
    assert isinstance(pilot.app, NeumfApp)
    return guest_screen(pilot.app)


def shown_titles(screen: GuestScreen) -> list[str]:
    table = screen.query_one(MovedItemTable)
    return [table._cells(row)[2] for row in range(table.row_count)]


def check_together(app: NeumfApp) -> None:
    """The list is that of the picks, or the screen says of which picks it still is."""
    screen = app.screen
    if not isinstance(screen, GuestScreen) or screen.shown is None:
        return
    shown, ids = screen.shown, screen.ranker.dataset.catalogue.item_ids
    who = shown.ranking.person.who
    assert isinstance(who, Guest)
    assert who.item_ids == tuple(ids[item] for item in shown.picks.items) and (
        not who.item_ids or who.seed == shown.picks.seed
    )
    assert screen.query_one(MovedItemTable).ranking is shown.ranking
    said, count = text_of(app, "#guest-state"), len(shown.picks.items)
    if shown.picks != screen.picks:
        assert "below is still the list of" in said and f"seed {shown.picks.seed}" in said
    elif count:
        assert said.startswith(f"{count} picked ") and f"seed {shown.picks.seed}" in said
    else:
        assert said.startswith("the mean of all")
    assert not set(shown.ranking.items.tolist()) & set(shown.picks.items)


@pytest.mark.parametrize(
    "size",
    [pytest.param(size, marks=[] if size == (80, 24) else pytest.mark.slow) for size in SIZES],
)
async def test_the_list_is_the_one_of_recommend_and_rank(
    trained: Path, own_home: Path, ranker: Ranker, users: Users, inside: Cli, size: tuple[int, int]
) -> None:
    titles, ids = ranker.dataset.catalogue.titles, ranker.dataset.catalogue.item_ids
    wanted = [40, 7, 123]
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=size) as pilot:
        screen = await opened(pilot, ranker, users)
        assert isinstance(screen.focused, Input), "typing is searching from the start"
        assert shown_titles(screen) == [
            titles[item] for item in average_ranking(ranker).items.tolist()
        ]
        assert "pick 3 or more" in text_of(app, "#guest-state")
        for count, item in enumerate(wanted, start=1):
            screen.query_one(ItemPicker).line.value = titles[item]
            await settle(pilot)
            await pilot.press("enter")
            await settle(pilot)
            check_together(app)
            assert (
                screen.picks.items == tuple(wanted[:count])
                and screen.query_one(ItemPicker).line.value == ""
            )
            assert ("3 or more give a steadier list" in text_of(app, "#guest-state")) == (count < 3)
        out, said = guest_command(
            "recommend", "--likes", ";".join(ids[item] for item in wanted), "--top", "all", "--json"
        )
        told = json.loads(out)
        fresh = ranker.rank(guest_of(ranker, *wanted))
        assert said == "" and told == guest_sheet(ranker, fresh).object
        assert (
            told["guest"] == "new"
            and told["seed"] == 0
            and [film["item_id"] for film in told["likes"]] == [ids[i] for i in wanted]
        )
        assert screen.shown is not None
        np.testing.assert_array_equal(screen.shown.ranking.items, fresh.items)
        np.testing.assert_array_equal(screen.shown.ranking.scores, fresh.scores)
        table = screen.query_one(MovedItemTable)
        for row, film in enumerate(told["items"]):
            cells = table._cells(row)
            assert cells[2] == film["title"] and cells[5] == f"{film['score_centred']:+.3f}"
        make = screen.sheet_maker()
        assert make is not None and make().object == told
        # Kept, it is the same list under its name.
        await pilot.press("ctrl+s", *"anna", "enter")
        await settle(pilot)
        make = screen.sheet_maker()
        assert make is not None
        ranked = json.loads(inside("rank", "--guest", "anna", "--top", "all", "--json").stdout)
        assert (
            ranked["guest"] == "anna" and ranked["items"] == make().object["items"] == told["items"]
        )


@pytest.mark.slow
async def test_undo_redo_and_taking_out(
    trained: Path, own_home: Path, ranker: Ranker, users: Users
) -> None:
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, ranker, users)

        async def press(*keys: str) -> tuple[int, ...]:
            await pilot.press(*keys)
            await settle(pilot)
            check_together(app)
            return screen.picks.items

        popular = np.argsort(-ranker.dataset.seen_by, kind="stable").tolist()
        assert await press("ctrl+u") == (), "nothing to undo"
        assert await press("enter", "enter", "enter") == tuple(popular[:3]), (
            "the most seen that is not picked yet, each time"
        )
        assert await press("down", "enter") == (*popular[:3], popular[4]), (
            "not the first, but the one under the cursor"
        )
        four = shown_titles(screen)
        assert await press("ctrl+u") == tuple(popular[:3])
        assert await press("ctrl+y") == (*popular[:3], popular[4])
        assert shown_titles(screen) == four
        await press("tab")
        assert screen.focused is screen.query_one("#guest-picked")
        assert await press("home", "down", "x") == (popular[0], popular[2], popular[4])
        assert await press("delete") == (popular[0], popular[4])
        assert await press("backspace") == (popular[0],)
        assert await press("u", "u", "u") == (*popular[:3], popular[4]), "undone is taking out, too"
        assert await press("U") == (popular[0], popular[2], popular[4])
        await press("tab")
        assert screen.focused is screen.query_one(MovedItemTable) and screen.shown is not None
        seen = int(screen.shown.ranking.items[2])
        assert await press("down", "down", "space") == (popular[0], popular[2], popular[4], seen)
        assert screen.query_one(MovedItemTable).cursor == 2, (
            "and on to the next film that one may have seen"
        )
        assert (await press("enter"))[-1] != seen and len(screen.picks.items) == 5
        await pilot.click("#guest-picked", offset=(6, 1), times=2)
        await settle(pilot)
        assert len(screen.picks.items) == 4 and screen.picks.items[0] == popular[2], (
            "a double click takes out"
        )
        await pilot.click("#guest-ranking", offset=(6, 1), times=2)
        await settle(pilot)
        assert len(screen.picks.items) == 5, "or picks"
        await pilot.click("#guest-find Table", offset=(6, 1), times=2)
        await settle(pilot)
        assert len(screen.picks.items) == 6
        check_together(app)
        for _ in range(30):
            await pilot.press("ctrl+u")
        await settle(pilot)
        check_together(app)
        assert screen.picks == Picks()


async def test_another_draw_is_another_seed(
    trained: Path, own_home: Path, ranker: Ranker, users: Users
) -> None:
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, ranker, users, guest_of(ranker, 3, 4, 5, name="anna"))
        first = screen.shown
        await pilot.press("ctrl+r")
        await settle(pilot)
        check_together(app)
        assert first is not None and screen.shown is not None
        assert screen.picks == replace(first.picks, seed=1)
        np.testing.assert_array_equal(
            screen.shown.ranking.scores, ranker.rank(guest_of(ranker, 3, 4, 5, seed=1)).scores
        )
        assert (screen.shown.ranking.scores != first.ranking.scores).any()
        out, _ = guest_command(
            "recommend",
            "--likes",
            ";".join(guest_of(ranker, 3, 4, 5).item_ids),
            "--seed",
            "1",
            "--json",
            "--top",
            "all",
        )
        assert json.loads(out)["items"] == guest_sheet(ranker, screen.shown.ranking).object["items"]
        assert "▲▼ since 3 films, seed 0" in text_of(app, "#guest-state")
        await pilot.press("ctrl+u")
        await settle(pilot)
        assert screen.shown.picks == first.picks
        np.testing.assert_array_equal(screen.shown.ranking.scores, first.ranking.scores)


async def test_what_moved_is_marked(
    trained: Path, own_home: Path, ranker: Ranker, users: Users
) -> None:
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, ranker, users, guest_of(ranker, 3, 4, 5, name="anna"))
        table = screen.query_one(MovedItemTable)
        assert not any(table._cells(row)[1] for row in range(table.row_count)), "no list before"
        await pilot.press("tab", "end", "x")
        await settle(pilot)
        before, now = ranker.rank(guest_of(ranker, 3, 4, 5)), ranker.rank(guest_of(ranker, 3, 4))
        told = places_gained(now, before, ranker.dataset.num_items)
        assert [table._cells(row)[1] for row in range(table.row_count)] == [
            moved_text(move) for move in told.tolist()
        ]
        assert [table._cells(row)[1] for row in range(table.row_count)].count("new") == 1
        # A new name moves nothing, and does not take the marks away.
        marks = [table._cells(row)[1] for row in range(table.row_count)]
        await pilot.press("s", *"bis", "enter")
        await settle(pilot)
        assert [table._cells(row)[1] for row in range(table.row_count)] == marks
        assert load_guest(own_home, "bis")[0].item_ids == guest_of(ranker, 3, 4).item_ids


def burst(app: NeumfApp, text: str) -> None:
    """Keys that come all at once, as from a link that was held up; a line end is Enter."""
    for letter in text:
        app.post_message(
            events.Key("enter", None)
            if letter == "\n"
            else events.Key("x" if letter == " " else letter, letter)
        )


@pytest.mark.slow
async def test_films_typed_faster_than_they_are_found(
    trained: Path, own_home: Path, ranker: Ranker, users: Users
) -> None:
    titles, wanted = ranker.dataset.catalogue.titles, [40, 7, 123, 55]
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, ranker, users)
        burst(app, "".join(f"{titles[item]}\n" for item in wanted))
        for _ in range(60):
            await pilot.pause()
            check_together(app)
        await settle(pilot)
        check_together(app)
        assert screen.picks.items == tuple(wanted) and screen.query_one(ItemPicker).line.value == ""
        burst(app, f"{titles[40]}\nzzqqxxjjkkvv")
        await settle(pilot)
        assert screen.picks.items == tuple(wanted), "picked already: not twice"
        assert "none match “zzqqxxjjkkvv”" in str(screen.query_one(ItemPicker).border_title)
        await pilot.press("enter")
        await settle(pilot)
        assert screen.picks.items == tuple(wanted)
        burst(app, titles[40])
        await settle(pilot)
        found = screen.query_one("#guest-find Table", Table)
        assert list(found._cells(0))[:2] == ["✓", titles[40]], (
            "a query lists picked films too, marked"
        )


async def test_an_older_list_says_that_it_is_older(
    trained: Path, own_home: Path, ranker: Ranker, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    from threading import Event

    held, rank = Event(), Ranker.rank
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, ranker, users)
        await pilot.press("enter")
        await settle(pilot)

        def slow(self: Ranker, who: Guest) -> UserRanking:
            held.wait(20)
            return rank(self, who)

        monkeypatch.setattr(Ranker, "rank", slow)
        await pilot.press("enter", "enter")
        await pilot.pause()
        said = text_of(app, "#guest-state")
        assert said == "folding in 3 films …\nbelow is still the list of 1 film, seed 0"
        assert (
            len(screen.picks.items) == 3
            and screen.shown is not None
            and len(screen.shown.picks.items) == 1
        )
        held.set()
        await settle(pilot)
        check_together(app)
        assert text_of(app, "#guest-state").startswith("3 picked")

        def broken(self: Ranker, who: Guest) -> UserRanking:
            raise RunError("a score is not a number")

        monkeypatch.setattr(Ranker, "rank", broken)
        await pilot.press("enter")
        await settle(pilot)
        assert (
            text_of(app, "#guest-state")
            == "a score is not a number\nbelow is still the list of 3 films, seed 0"
        )
        await pilot.press("ctrl+u")
        await settle(pilot)
        monkeypatch.undo()
        await pilot.press("ctrl+u")
        await settle(pilot)
        check_together(app)
        assert text_of(app, "#guest-state").startswith("2 picked")


@pytest.mark.slow
async def test_a_guest_from_explore_and_back(trained: Path, own_home: Path, ranker: Ranker) -> None:
    app = NeumfApp(trained, own_home, "explore")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("f")
        await settle(pilot)
        screen = guest_screen(app)
        assert "simulated" in text_of(app, "#guest-head") and "▸ new user" in text_of(
            app, "#guest-head"
        )
        await pilot.press("enter", "enter", "enter", "escape")
        assert not isinstance(app.screen, (GuestScreen, ExploreScreen)), "asked: nothing is saved"
        await pilot.press("escape", "ctrl+s", *"a b", "enter")
        assert "guest name 'a b'" in text_of(app, "#problem")
        await pilot.press("backspace", "backspace", *"nna", "enter")
        await settle(pilot)
        assert app.screen is screen and "▸ guest anna" in text_of(app, "#guest-head")
        picked = screen.picks
        await pilot.press("a", "escape")
        assert app.screen is screen, "the line was emptied first"
        await pilot.press("escape")
        await settle(pilot)
        explore = app.screen
        assert isinstance(explore, ExploreScreen) and [
            guest.name for guest in explore.user_list.guests
        ] == ["anna"]
        guest = explore.user_list.guests[0]
        assert guest == guest_of(ranker, *picked.items, name="anna")
        explore.choose_who(guest)
        await settle(pilot)
        assert explore.ranking is not None and explore.ranking.person.who == guest
        await pilot.press("f")
        await settle(pilot)
        screen = guest_screen(app)
        assert screen.picks == picked and "▸ guest anna" in text_of(app, "#guest-head")
        # Under its own name it is saved without a question, under another's with one.
        save_guest(guest_of(ranker, 1, 2, name="bob"), ranker.dataset, own_home)
        await pilot.press("enter", "ctrl+s", "enter")
        await settle(pilot)
        assert len(load_guest(own_home, "anna")[0].item_ids) == 4
        for answer, items in (("n", 2), ("y", 4)):
            await pilot.press("ctrl+s", "ctrl+u", *"bob", "enter", answer)
            await settle(pilot)
            assert len(load_guest(own_home, "bob")[0].item_ids) == items
        await pilot.press("tab", "D", "n")
        await settle(pilot)
        assert (own_home / "guests" / "bob.json").exists()
        await pilot.press("D", "y")
        await settle(pilot)
        assert not (own_home / "guests" / "bob.json").exists() and "▸ new user" in text_of(
            app, "#guest-head"
        )
        assert len(screen.picks.items) == 4, "the picks are still there, to be saved after all"
        await pilot.press("q", "y")
        await settle(pilot)
        assert app.screen is explore and [guest.name for guest in explore.user_list.guests] == [
            "anna"
        ]


@pytest.mark.slow
async def test_hostile_titles(own_home: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    data = make_dataset(120, 60, 10.0, draw)
    titles = [
        f"{HOSTILE[n % len(HOSTILE)]}{n // len(HOSTILE) or ''}" for n in range(data.num_items)
    ]
    data = replace(data, catalogue=replace(data.catalogue, titles=titles))
    save(data, prepared_dir(own_home))
    folder = write_run(own_home, data, 1, draw)
    ranker, users = Ranker(folder, own_home), load_users(folder, own_home)
    app = NeumfApp(folder, own_home, "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, ranker, users)
        line = screen.query_one(ItemPicker).line
        for title in (*titles[: len(HOSTILE)], "[/]", "[", "\\", "\x1b[31m"):
            line.value = title
            await settle(pilot)
            await pilot.press("enter")
            await settle(pilot)
            check_together(app)
        assert len(screen.picks.items) >= len(HOSTILE) - 1
        for table in screen.query(Table):
            for y in range(table.size.height):
                strip = table.render_line(y)
                text = "".join(segment.text for segment in strip)
                assert text == clean(text) and strip.cell_length == cell_len(text)
        await pilot.press("ctrl+s", *"hostile", "enter")
        await settle(pilot)
    out, _ = guest_command("guests", "--home", str(own_home))
    assert all(clean(line) == line for line in out.splitlines()) and "hostile" in out
    assert guests_of(own_home, ranker.dataset)[0][0].item_ids == tuple(
        ranker.dataset.catalogue.item_ids[item] for item in screen.picks.items
    )


async def test_all_films_picked_is_said_and_not_shown(own_home: Path) -> None:
    draw = np.random.default_rng(3)
    data = make_dataset(6, 30, 3.0, draw)
    save(data, prepared_dir(own_home))
    folder = write_run(own_home, data, 1, draw)
    app = NeumfApp(folder, own_home, "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, Ranker(folder, own_home), load_users(folder, own_home))
        for _ in range(8):
            await pilot.press("enter")
            await settle(pilot)
            check_together(app)
        assert (
            len(screen.picks.items) == 6
            and screen.shown is not None
            and len(screen.shown.picks.items) == 5
        )
        assert "The history holds all 6 items" in text_of(app, "#guest-state")
