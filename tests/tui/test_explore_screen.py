"""The explore screen of a trained run shows what the commands print, at any size and speed."""

import json
from pathlib import Path

import numpy as np
import pytest
from textual.widgets import Input, TabbedContent

from neumf_tui.runs.reader import read_ranks
from neumf_tui.text import rank_text
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.explore.person_panes import JourneyPane, NearestPane, NearMissPane
from neumf_tui.tui.explore.screen import ExploreScreen
from neumf_tui.tui.widgets.ranked_items import RankedItemTable, side
from neumf_tui.tui.widgets.table import Table
from neumf_tui.tui.widgets.why_pane import WhyPane
from neumf_tui.views.people import person_cells
from tests.support.commands import Cli
from tests.support.golden_runs import make_run
from tests.support.screens import SIZES, cells, settle, text_of


def explorer(app: NeumfApp) -> ExploreScreen:
    assert isinstance(app.screen, ExploreScreen)
    return app.screen


@pytest.mark.parametrize("size", SIZES)
async def test_explore_shows_what_rank_prints(
    trained: Path, own_home: Path, size: tuple[int, int], inside: Cli
) -> None:
    app = NeumfApp(trained, own_home, "explore")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        screen = explorer(app)
        assert screen.ranking is not None and screen.users is not None
        await pilot.press("down", "down", "n")
        await settle(pilot)
        user = screen.users.dataset.user_ids[screen.user]
        said = json.loads(inside("rank", user, "--top", "all", "--json").stdout)
        assert screen.ranking.person.who == screen.user
        table = screen.query_one(RankedItemTable)
        for row, (shown, item) in enumerate(zip(cells(table), said["items"], strict=True)):
            assert shown[0] == rank_text(item["rank"]) and shown[2].startswith(item["title"])
            assert shown[5] == f"{item['score_centred']:+.3f}"
            assert shown[8:10] == [f"{item['gmf_centred']:+.3f}", f"{item['mlp_centred']:+.3f}"]
            assert shown[10] == f"{item['seen_by']:,}" and bool(shown[1]) == item["heldout"], row
        held = said["heldout"]
        assert held["rank"] > 50
        told = text_of(app, "#story")
        assert (
            held["title"] in told and "miss" in told and f"rank {rank_text(held['rank'])} " in told
        )
        parts = f"GMF {rank_text(held['rank_by_gmf'])} · MLP {rank_text(held['rank_by_mlp'])}"
        assert parts in told.replace(" alone", "")
        await pilot.press("h")
        assert table.cursor == screen.ranking.heldout
        line = "".join(s.text for s in table.render_line(table.cursor + 1 - table.scroll_offset.y))
        assert "★" in line
        await pilot.press("c")
        first = said["items"][0]
        assert (
            cells(table)[0][5] == f"{first['score']:+.3f}"
            and cells(table)[0][8] == f"{first['gmf']:+.3f}"
        )


async def test_orders_by_part(trained: Path, own_home: Path, inside: Cli) -> None:
    app = NeumfApp(trained, own_home, "explore", user_id="sim-107")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = explorer(app)
        for part, name in (("gmf", "GMF alone"), ("mlp", "MLP alone"), ("score", "ranking")):
            await pilot.press("b")
            await settle(pilot)
            said = json.loads(inside("rank", "sim-107", "--by", part, "--json").stdout)
            shown = cells(screen.query_one(RankedItemTable))
            assert [row[8:10] for row in shown[:10]] == [
                [f"{item['gmf_centred']:+.3f}", f"{item['mlp_centred']:+.3f}"]
                for item in said["items"]
            ]
            assert name in str(screen.query_one(TabbedContent).get_tab("ranking").label)


async def test_why_follows_the_cursor(trained: Path, own_home: Path, inside: Cli) -> None:
    app = NeumfApp(trained, own_home, "explore", user_id="sim-107")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = explorer(app)
        await pilot.press("1", "down", "down")
        await settle(pilot)
        pane = screen.query_one(WhyPane)
        assert pane.why is not None and screen.ranking is not None and pane.why.row == 2
        title = screen.ranking.person.label and cells(screen.query_one(RankedItemTable))[2][2]
        said = json.loads(inside("why", "sim-107", title, "--json").stdout)
        text = str(pane.render())
        assert f"GMF {said['gmf_centred']:+.3f} + MLP {said['mlp_centred']:+.3f}" in text
        strongest = said["factors"][0]
        assert (
            f"GMF {strongest['factor']:>2} {strongest['effect']:+7.3f}" in text
            and strongest["titles"][0] in text
        )
        assert pane.size.height > 0
        await pilot.press("d")
        await settle(pilot)
        assert pane.size.height == 0


async def test_one_cursor_for_all_epochs(trained: Path, own_home: Path, inside: Cli) -> None:
    app = NeumfApp(trained, own_home, "explore", user_id="sim-107", epoch="9")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = explorer(app)
        assert screen.users is not None and "epoch 9" in text_of(app, "#run-head")
        await pilot.press("left", "left", "right", "left")
        await settle(pilot)
        assert screen.epoch == 7 and screen.ranker is not None and screen.ranker.epoch == 7
        said = json.loads(inside("rank", "sim-107", "--epoch", "7", "--json").stdout)
        assert cells(screen.query_one(RankedItemTable))[0][2] == said["items"][0]["title"]
        ranks = read_ranks(trained, 7)
        assert f"rank {rank_text(float(ranks[screen.user]))} of" in text_of(app, "#story")
        listed = [person_cells(screen.user_list, row)[3] for row in range(20)]
        assert listed == [rank_text(float(ranks[screen.user_list.who(row)])) for row in range(20)]  # type: ignore[index]
        assert listed == [rank_text(r) for r in np.sort(ranks)[:20].tolist()]
        for _ in range(12):
            await pilot.press("right")
        await settle(pilot)
        assert (
            screen.epoch == 10
            and "epoch 10" in text_of(app, "#run-head")
            and "…" not in text_of(app, "#run-head")
        )


@pytest.mark.slow
async def test_the_other_tabs(trained: Path, own_home: Path, inside: Cli) -> None:
    app = NeumfApp(trained, own_home, "explore", user_id="sim-107")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = explorer(app)
        await pilot.press("2")
        history = screen.query_one("#history-table", Table)
        assert (
            screen.ranking is not None
            and history.row_count == len(screen.ranking.person.history)
            and history.has_focus
        )
        await pilot.press("3")
        await settle(pilot)
        said = json.loads(inside("similar", "--user", "sim-107", "--top", "20", "--json").stdout)[
            "neighbours"
        ]
        for kind in ("gmf", "mlp"):
            side = {"gmf": "first", "mlp": "second"}[kind]
            shown = cells(screen.query_one(f"#nearest-{side}", Table))[:20]
            assert [row[:3] for row in shown] == [
                [row[f"{kind}_user"], f"{row[f'{kind}_cosine']:.3f}", str(row[f"{kind}_both"])]
                for row in said
            ]
        await pilot.press("4")
        await settle(pilot)
        way = json.loads(inside("journey", "sim-107", "--json").stdout)["epochs"]
        shown = cells(screen.query_one("#journey-table", Table))
        assert [row[:2] for row in shown] == [
            [str(row["epoch"]), rank_text(row["rank"])] for row in way
        ]
        assert [row[3] for row in shown] == [f"{row['loss']:.4f}" for row in way]
        await pilot.press("l")
        assert screen.query_one(JourneyPane).query_one("#journey-loss").display
        await pilot.press("5")
        await settle(pilot)
        near = json.loads(inside("near-miss", "sim-107", "--json").stdout)
        table = screen.query_one("#near-miss-table", Table)
        assert [row[2] for row in cells(table)] == [
            rank_text(row["rank_without"]) for row in near["history"]
        ]
        told = text_of(app, "#near-miss-head")
        assert (
            near["margin"]["at_50"]["title"] in told
            and f"rank {rank_text(near['rank_by_fold_in'])} by fold-in" in told
        )
        # Another person: nothing of the first is left, and the tab in front is filled anew.
        await pilot.press("r")
        await settle(pilot)
        assert (
            screen.ranking.person.who == screen.user != screen.users.dataset.user_index("sim-107")
        )  # type: ignore[union-attr]
        assert (
            screen.query_one(NearMissPane).sheet is not None
            and screen.query_one(NearestPane).sheet is None
        )
        assert screen.query_one("#nearest-first", Table).row_count == 0


async def test_a_near_user_can_be_gone_to(trained: Path, own_home: Path) -> None:
    app = NeumfApp(trained, own_home, "explore", user_id="sim-107")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = explorer(app)
        await pilot.press("slash", *"sim-107", "enter", "3")
        await settle(pilot)
        nearest = cells(screen.query_one("#nearest-first", Table))[1][0]
        await pilot.press("down", "enter")
        await settle(pilot)
        assert screen.users is not None and screen.users.dataset.user_ids[screen.user] == nearest
        assert (
            screen.query_one("#search", Input).value == "" and len(screen.user_list.order) == 700
        ), "the search that hid them is over"


async def test_searching_sorting_and_an_empty_answer(trained: Path, own_home: Path) -> None:
    app = NeumfApp(trained, own_home, "explore")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = explorer(app)
        assert screen.users is not None
        await pilot.press("down", "down", "slash", "s")
        await settle(pilot)
        assert screen.user == screen.user_list.order[0], "the first one, though another was chosen"
        table = screen.people.table
        strip = table.render_line(2)
        assert any(part.style and part.style.underline for part in strip), "the match is marked"
        await pilot.press(*"im-04")
        await settle(pilot)
        ids = screen.users.dataset.user_ids
        assert {ids[u] for u in screen.user_list.order} == {f"sim-04{n}" for n in range(10)}
        assert ids[screen.user].startswith("sim-04") and screen.ranking is not None
        await pilot.press("enter", "down", "down")
        await settle(pilot)
        there = screen.user
        await pilot.press("escape")
        await settle(pilot)
        assert screen.user == there and len(screen.user_list.order) == 700, (
            "the end of a search keeps its person"
        )
        screen.query_one("#search", Input).value = "zzzz no such film"
        await settle(pilot)
        assert len(screen.user_list.order) == 0 and "none of 700 users matches" in text_of(
            app, "#story"
        )
        assert (
            str(screen.query_one("#user-pane").border_title) == ""
            and screen.query_one(RankedItemTable).row_count == 0
        )
        await pilot.press("slash", "escape", "o")
        await settle(pilot)
        shown = [float(screen.users.ranks[u]) for u in screen.user_list.order]
        assert shown == sorted(shown, reverse=True) and len(shown) == 700
        for check in (
            lambda o: o == sorted(o),
            lambda o: (np.diff(screen.users.history_sizes[o]) <= 0).all(),  # type: ignore[union-attr]
            lambda o: (t := [screen.users.heldout_title(u).casefold() for u in o]) == sorted(t),  # type: ignore[union-attr]
        ):
            await pilot.press("o")
            assert check(screen.user_list.order.tolist())


async def test_quick_moves_never_show_one_users_list_under_anothers_name(
    trained: Path, own_home: Path
) -> None:
    app = NeumfApp(trained, own_home, "explore")
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        screen = explorer(app)
        assert screen.users is not None
        for key in [
            "r",
            "n",
            "r",
            "down",
            "left",
            "r",
            "N",
            "pagedown",
            "b",
            "end",
            "right",
            "r",
            "home",
        ]:
            await pilot.press(key)
            ranking = screen.ranking
            assert ranking is not None and isinstance(ranking.person.who, int)
            title = str(screen.query_one("#user-pane").border_title)
            assert title.startswith(f"user {screen.users.dataset.user_ids[ranking.person.who]} ")
            assert screen.users.heldout_title(ranking.person.who) in text_of(app, "#story")
            assert screen.query_one(RankedItemTable).ranking is ranking
        await settle(pilot)
        assert screen.ranking is not None and screen.ranking.person.who == screen.user


async def test_finding_a_film_goes_to_it(trained: Path, own_home: Path) -> None:
    app = NeumfApp(trained, own_home, "explore", user_id="sim-107")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = explorer(app)
        assert screen.ranking is not None and screen.users is not None
        titles = screen.users.dataset.catalogue.titles
        wanted = titles[int(screen.ranking.items[700])]
        await pilot.press("t")
        await settle(pilot)
        app.screen.query_one(Input).value = wanted
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert titles[int(screen.ranking.items[screen.query_one(RankedItemTable).cursor])] == wanted
        seen = titles[int(screen.ranking.person.history[2])]
        await pilot.press("t")
        await settle(pilot)
        app.screen.query_one(Input).value = seen
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert screen.query_one(TabbedContent).active == "history"
        table = screen.query_one("#history-table", Table)
        assert cells(table)[table.cursor][1] == seen


async def test_copy_and_write(
    trained: Path, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: Cli
) -> None:
    import pyarrow.parquet

    monkeypatch.chdir(tmp_path)
    app = NeumfApp(trained, own_home, "explore", user_id="sim-107")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("y")
        await settle(pilot)
        copied = (own_home / "clipboard.txt").read_text().splitlines()
        assert copied[0].split("\t")[:4] == ["dataset", "simulated", "user", "rank"]
        assert len(copied) == 1 + len(explorer(app).ranking.items), "all of it in the file"  # type: ignore[union-attr]
        assert any("the first 200 of" in note.message for note in app._notifications)
        for name in ("a.csv", "a.json", "a.parquet", "a.svg"):
            await pilot.press("w")
            await settle(pilot)
            line = app.screen.query_one(Input)
            assert line.value == str(tmp_path / "trained-10-user-sim-107-ranking.csv")
            line.value = str(tmp_path / name)
            await pilot.press("enter")
            await settle(pilot)
            assert isinstance(app.screen, ExploreScreen)
        await pilot.press("w")
        await settle(pilot)
        app.screen.query_one(Input).value = str(tmp_path / "a.csv")
        await pilot.press("enter")
        await settle(pilot)
        assert "this file exists" in text_of(app, "#problem")
    said = inside("rank", "sim-107", "--top", "all", "--csv").stdout
    assert (tmp_path / "a.csv").read_text() == said
    whole = json.loads((tmp_path / "a.json").read_text())
    assert whole == json.loads(inside("rank", "sim-107", "--top", "all", "--json").stdout)
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet")["score"].to_pylist() == [
        row["score"] for row in whole["items"]
    ]
    assert (tmp_path / "a.svg").read_text().startswith("<svg") and "sim-107" in (
        tmp_path / "a.svg"
    ).read_text()


async def test_explore_of_a_run_without_its_data_says_so(own_home: Path) -> None:
    app = NeumfApp(make_run(own_home, "finished"), own_home, "explore")
    async with app.run_test() as pilot:
        await settle(pilot)
        assert "this prepared dataset is missing" in text_of(app, "RankingPane .pane-says")


async def test_a_damaged_checkpoint_is_told_and_the_screen_goes_on(
    trained: Path, own_home: Path
) -> None:
    (trained / "checkpoints" / "00009.safetensors").write_bytes(b"nothing")
    app = NeumfApp(trained, own_home, "explore", user_id="sim-107")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = explorer(app)
        await pilot.press("left")
        await settle(pilot)
        assert any(
            "00009.safetensors: this checkpoint is damaged" in note.message
            for note in app._notifications
        )
        assert "epoch 10" in text_of(app, "#run-head") and screen.epoch == 10
        await pilot.press("down")
        await settle(pilot)
        assert screen.ranking is not None and screen.ranking.person.who == screen.user


def test_sides_of_the_bar() -> None:
    assert (
        side(1, 4) == "████" and side(0.5, 4) == "██" and side(0.1, 4) == "▌" and side(0, 4) == ""
    )
    assert side(0.6, 4, left=True) == "▐██" and side(-0.6, 4) == "▒▒▒" and side(-9, 4) == "▒▒▒▒"


async def test_what_is_asked_while_a_model_opens_is_of_that_model(
    trained: Path, own_home: Path
) -> None:
    from neumf_tui.tui.compare.dialog import CompareDialog
    from neumf_tui.tui.guest.screen import GuestScreen

    app = NeumfApp(trained, own_home, "explore", user_id="sim-107")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = explorer(app)
        screen.people.go_to_miss(1)
        screen.people._pick(Table.Highlighted(screen.people.table, screen.people.table.cursor))
        screen.action_heldout()
        await settle(pilot)
        assert screen.ranking is not None and screen.ranking.person.who == screen.user
        assert screen.query_one(RankedItemTable).cursor == screen.ranking.heldout >= 50
        screen.action_epoch(-1)
        screen.action_epoch(-1)
        screen.action_compare()
        await settle(pilot)
        assert isinstance(app.screen, CompareDialog) and app.screen.epoch == 8
        await pilot.press("escape")
        screen.action_best()
        screen.action_guest()
        await settle(pilot)
        assert isinstance(app.screen, GuestScreen) and app.screen.ranker.epoch == screen.epoch


async def test_escape_ends_what_was_begun_and_never_the_program(
    trained: Path, own_home: Path
) -> None:
    app = NeumfApp(trained, own_home, "explore", user_id="sim-107")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = explorer(app)
        await pilot.press("slash", *"zzzz", "enter", "escape")
        await settle(pilot)
        assert (
            screen.users is not None and screen.users.dataset.user_ids[screen.user] == "sim-107"
        ), "back where the search began"
        await pilot.press("F")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert app.screen is screen
        await pilot.press("escape", "escape")
        assert app.is_running and app.screen is screen


async def test_the_first_newest_and_best_epochs_have_keys(trained: Path, own_home: Path) -> None:
    app = NeumfApp(trained, own_home, "explore")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = explorer(app)
        for key, epoch in (
            ("shift+left", 1),
            ("shift+right", 10),
            ("B", int((trained / "checkpoints" / "best").read_text()[:5])),
        ):
            await pilot.press(key)
            await settle(pilot)
            assert screen.epoch == epoch and f"epoch {epoch}" in text_of(app, "#run-head")


async def test_guests_who_cannot_be_used_are_told(trained: Path, own_home: Path) -> None:
    (own_home / "guests").mkdir()
    (own_home / "guests" / "broken.json").write_text("{")
    app = NeumfApp(trained, own_home, "explore")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert any("broken.json: cannot be read" in note.message for note in app._notifications)


async def test_a_row_is_hit_where_it_is_drawn_and_the_chosen_epoch_is_in_sight(
    trained: Path, own_home: Path
) -> None:
    app = NeumfApp(trained, own_home, "explore", user_id="sim-107")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        screen = explorer(app)
        await pilot.click("#users", offset=(3, 4))
        await settle(pilot)
        users = screen.query_one("#users", Table)
        assert users.cursor == users.scroll_offset.y + 3
        await pilot.press("4", "left")
        await settle(pilot)
        table = screen.query_one("#journey-table", Table)
        assert (
            table.scroll_offset.y
            <= table.cursor
            == 8
            < table.scroll_offset.y + table.size.height - 1
        )


@pytest.mark.slow
async def test_every_view_is_in_the_palette_and_under_the_mouse(
    trained: Path, own_home: Path
) -> None:
    from neumf_tui.tui.failures.screen import FailuresScreen
    from neumf_tui.tui.item.screen import ItemScreen

    app = NeumfApp(trained, own_home, "explore", user_id="sim-107")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = explorer(app)
        listed = {
            command.title.removeprefix("explore: ") for command in app.get_system_commands(screen)
        }
        assert listed >= {
            "New user", "Failures", "Compare", "Ranking", "History", "Nearest users", "Epochs",
            "Near miss", "Film", "Find film",
            "Why", "By part", "Epoch", "Best epoch", "Search", "Sort", "Copy", "Write",
        }  # fmt: skip
        for tab in ("history", "nearest", "epochs", "near-miss", "ranking"):
            await pilot.click(f"#--content-tab-{tab}")
            await settle(pilot)
            assert screen.query_one(TabbedContent).active == tab
        assert screen.ranking is not None
        await pilot.click("#ranking-table", offset=(20, 3), times=2)
        await settle(pilot)
        assert isinstance(app.screen, ItemScreen) and app.screen.item == screen.ranking.items[2]
        await pilot.press("escape")
        (failed,) = [
            key
            for key in screen.query("FooterKey")
            if getattr(key, "description", "") == "Failures"
        ]
        await pilot.click(failed)
        await settle(pilot)
        assert isinstance(app.screen, FailuresScreen)
