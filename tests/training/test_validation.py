"""Validation and protocol on screens, in summaries and in sheets; and the checkpoint shown."""

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from neumf_tui.cli.plain import event_line
from neumf_tui.runs.attend import environment_of
from neumf_tui.runs.checkpoint import best_epoch, describe_epoch, find_checkpoint
from neumf_tui.runs.events import Evaluated, Started
from neumf_tui.runs.protocol import make_protocol, protocol_line, protocol_of
from neumf_tui.runs.reader import read_info, read_snapshot, read_status
from neumf_tui.runs.summary import status_object, train_summary
from neumf_tui.runs.writer import RunWriter
from neumf_tui.settings import DESCRIPTIONS, Settings, is_in_use
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.compare.screen import CompareScreen
from neumf_tui.tui.explore.screen import ExploreScreen
from neumf_tui.tui.failures.screen import FailuresScreen
from neumf_tui.tui.terminal.themed import themed_style
from neumf_tui.tui.train.screen import TrainScreen
from neumf_tui.tui.train.settings_panel import overview
from neumf_tui.tui.widgets.axes import Axis
from neumf_tui.tui.widgets.chart import CurveChart, dashes
from neumf_tui.tui.widgets.chart_text import legend_forms, metric_caption
from neumf_tui.tui.widgets.fitted_text import fitting
from neumf_tui.tui.widgets.protocol_line import ProtocolLine, standing_notice
from neumf_tui.views.runs import card_lines, print_summary
from tests.support.commands import Cli, run_cli
from tests.support.golden_runs import METRICS, make_info, make_run
from tests.support.screens import settle, text_of
from tests.support.shared_folders import fill_once

VALIDATION = (0.28, 0.36, 0.33)
"""Hit@50 of a golden run's validation items: the second epoch is the best. Held-out items have
0.25, 0.30, 0.35."""
WIDTHS = [(60, 20), (80, 24), (120, 40)]


@pytest.fixture(scope="session")
def chosen_home(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with the finished run `chosen`: the demo set, three epochs, validation."""

    def make(home: Path) -> None:
        shutil.copytree(shared_home, home, dirs_exist_ok=True)
        result = run_cli(
            "train", "--preset", "d2l", "--validation", "--no-exclude-heldout", "--epochs", "3",
            "--dataset", "demo", "--home", str(home), "--name", "chosen", "--json",
            "--threads", "1",
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        (home / "summary.json").write_text(result.stdout)

    own = tmp_path_factory.mktemp("chosen") / "home"
    shutil.copytree(fill_once(tmp_path_factory, "chosen-home", make), own)
    return own


@pytest.fixture
def chosen(chosen_home: Path) -> Path:
    """That run, with `best` on its first epoch, whichever it is."""
    (chosen_home / "runs" / "chosen" / "checkpoints" / "best").write_text("00001.safetensors")
    return chosen_home / "runs" / "chosen"


# The protocol.


@pytest.mark.parametrize("leaks", [False, True])
@pytest.mark.parametrize("validation", [False, True])
def test_the_protocol_in_a_line_is_shortened_from_its_least_important_part_on(
    leaks: bool, validation: bool
) -> None:
    protocol = make_protocol(
        {"exclude_heldout": leaks, "validation": validation, "seed": 3}, (1574, 1663)
    )
    whole = protocol_line(protocol)
    assert "latest held out" in whole and "full ranking of 1,574–1,663" in whole
    assert ("optimistic" in whole, "held-out unseen" in whole) == (leaks, not leaks)
    assert ("best by validation" in whole, "no validation" in whole) == (validation, not validation)
    for width in range(25, len(whole) + 1):
        line = protocol_line(protocol, width)
        assert len(line) <= width and "  " not in line and not line.startswith(" ·")
        assert "optimistic" in line if leaks else "unseen" in line, "said however narrow it is"
    assert protocol_line(protocol, 98, "simulated users").startswith("simulated users · ")


def test_the_protocol_says_what_the_settings_do() -> None:
    ours = make_protocol({"exclude_heldout": False, "validation": True, "seed": 7}, (90, 99))
    assert (
        ours["chosen_by"] == "validation"
        and ours["seed"] == 7
        and ours["num_candidates"] == [90, 99]
    )
    assert "including held-out" in ours["negatives"] and "second latest" in ours["validation"]
    deck = make_protocol({"exclude_heldout": True})
    assert (
        "is optimistic" in deck["negatives"]
        and deck["validation"] == "none"
        and "is optimistic" in deck["chosen_by"]
    )


def test_a_run_of_before_has_the_same_protocol(own_home: Path) -> None:
    info = make_info("old", own_home)
    old = msgspec.structs.replace(
        info,
        settings={
            key: value
            for key, value in info.settings.items()
            if key not in ("validation", "early_stop", "history")
        },
    )
    assert old.protocol == {"exclude_heldout": True}
    assert (
        protocol_of(old).keys() == make_protocol({}).keys()
        and protocol_of(old)["validation"] == "none"
    )
    assert "full ranking" in protocol_line(protocol_of(old)), "of how many was not written down"


def test_a_new_run_counts_its_candidates(chosen: Path) -> None:
    from neumf_tui.data.load import load_dataset

    info = read_info(chosen)
    data = load_dataset(info.dataset.fingerprint, "demo", chosen.parents[1])
    sizes = np.bincount(data.split.users, minlength=data.num_users)[
        np.asarray(data.split.heldout) >= 0
    ]
    assert info.protocol["num_candidates"] == [
        data.num_items - sizes.max(),
        data.num_items - sizes.min(),
    ]


# Summaries.


def test_the_summary_has_the_figures_that_validation_chose(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = train_summary(make_run(own_home, "finished", validation=VALIDATION))
    assert (summary["metrics_epoch"], summary["chosen_by"]) == (2, "validation")
    assert (
        summary["metrics"]["hit@50"] == pytest.approx(0.30)
        and summary["validation"]["hit@50"] == 0.36
    )
    assert summary["last"]["epoch"] == 3 and summary["last"]["metrics"]["hit@50"] == pytest.approx(
        0.35
    )
    assert (
        summary["popularity_validation"]["hit@50"] == 0.22
        and summary["protocol"]["chosen_by"] == "validation"
    )
    print_summary(summary)
    said = capsys.readouterr().out
    assert (
        "held out" in said
        and "validation" in said
        and "0.3600" in said
        and "metrics of epoch 2 of 3" in said
    )
    assert (
        "held-out unseen · others' future used · best by validation" in said
        and "optimistic" not in said
    )


def test_without_validation_it_has_the_last_and_says_what_is_optimistic(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = train_summary(make_run(own_home, "finished"))
    assert (summary["metrics_epoch"], summary["chosen_by"], summary["validation"]) == (
        3,
        "last epoch",
        None,
    )
    print_summary(summary)
    said = capsys.readouterr().out
    assert (
        "metrics of the last epoch, 3" in said
        and "optimistic" in said
        and "--no-exclude-heldout" in said
    )
    card = "\n".join(card_lines(status_object(own_home / "runs" / "golden")))
    assert (
        "highest 0.3500 at epoch 3, chosen on the held-out items, so it is optimistic" in card
        and "protocol held-out never drawn as negatives: optimistic" in card
    )


def test_status_tells_of_both(own_home: Path) -> None:
    folder = make_run(own_home, "finished", validation=VALIDATION)
    found = status_object(folder)
    assert found["hit@50"] == pytest.approx(0.35) and found["validation_hit@50"] == 0.33
    assert (found["best_epoch"], found["best_chosen_by"]) == (2, "validation")
    assert found["best_hit@50"] == pytest.approx(0.30) and found["best_validation_hit@50"] == 0.36
    assert "epoch 2, best by validation (0.3600)" in card_lines(found)[2]
    told = environment_of(folder)
    assert (told["NEUMF_TUI_VALIDATION_HIT50"], told["NEUMF_TUI_BEST_VALIDATION_HIT50"]) == (
        "0.33",
        "0.36",
    )
    plain = environment_of(make_run(own_home, "finished", name="plain"))
    assert plain["NEUMF_TUI_VALIDATION_HIT50"] == "" and plain["NEUMF_TUI_BEST_HIT50"].startswith(
        "0.35"
    )


def test_plain_lines_have_it(own_home: Path) -> None:
    events = [*read_snapshot(make_run(own_home, "finished", validation=VALIDATION)).evaluations]
    assert "Hit@50 0.3000  validation 0.3600  Hit@10" in event_line(events[1], 4, 1, 0.5)
    without = msgspec.structs.replace(events[1], validation=None)
    assert "validation" not in event_line(without, 4, 1, 0.5)
    started = Started(
        t=0,
        device="cpu",
        epoch=0,
        step=0,
        steps=1,
        popularity=METRICS,
        popularity_validation=METRICS,
    )
    assert event_line(started, 4, 1, 0.0).endswith(
        "popularity alone gives Hit@50 0.3000, validation 0.3000"
    )


def test_early_stop_is_told(own_home: Path) -> None:
    folder = make_run(own_home, "finished", validation=VALIDATION)
    reason = "early stop: validation Hit@50 was best at epoch 2, 1 evaluations ago"
    status = msgspec.structs.replace(read_status(folder), reason=reason)
    (folder / "status.json").write_bytes(msgspec.json.encode(status))
    assert (
        reason in card_lines(status_object(folder))[1] and train_summary(folder)["reason"] == reason
    )


# The train screen.


@pytest.mark.parametrize("size", WIDTHS)
async def test_the_train_screen_shows_both_and_what_was_chosen(
    own_home: Path, size: tuple[int, int]
) -> None:
    app = NeumfApp(make_run(own_home, "finished", validation=VALIDATION), own_home, "train")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, TrainScreen)
        for name, figure, valid in (("hit", "0.300", VALIDATION), ("auc", "0.850", (0.88,) * 3)):
            chart = screen.query_one(f"#{name}", CurveChart)
            held, dashed = chart.plot.curves
            assert (
                held.best == 1
                and dashed.dashed
                and dashed.y.tolist() == list(valid)
                and dashed.best == -1
            )
            title, below = str(chart.border_title), str(chart.border_subtitle)
            where = title if size[0] < 100 else below
            assert figure in where and "val" in where and "optimistic" not in where
            assert len(title) <= chart.outer_size.width - 2 and (
                size[0] < 100 or len(below) <= chart.outer_size.width - 4
            )
        notice = text_of(app, "#notice")
        assert "held-out unseen" in notice
        assert len(notice) <= size[0] - 2
        assert screen.query_one("#notice").has_class("-quiet")


@pytest.mark.parametrize("size", WIDTHS)
async def test_an_old_leaky_run_still_opens_and_is_labelled(
    own_home: Path, size: tuple[int, int]
) -> None:
    app = NeumfApp(make_run(own_home, "finished"), own_home, "train")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        chart = app.screen.query_one("#hit", CurveChart)
        (held,) = chart.plot.curves
        assert held.best == 2 and "optimistic" in (
            str(chart.border_title) if size[0] < 100 else str(chart.border_subtitle)
        )
        notice = app.screen.query_one("#notice")
        assert "optimistic" in text_of(app, "#notice") and not notice.has_class("-quiet")


async def test_the_notice_comes_back_as_wide_as_the_screen(own_home: Path) -> None:
    app = NeumfApp(make_run(own_home, "finished", validation=VALIDATION), own_home, "train")
    async with app.run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        narrow = text_of(app, "#notice")
        await pilot.resize_terminal(120, 40)
        await settle(pilot)
        assert len(text_of(app, "#notice")) > len(narrow) and "latest held out" in text_of(
            app, "#notice"
        )


@pytest.mark.parametrize("size", WIDTHS)
async def test_the_end_of_a_run_that_stopped_early_says_why(
    own_home: Path, size: tuple[int, int]
) -> None:
    folder = make_run(own_home, "finished", validation=VALIDATION)
    status = msgspec.structs.replace(
        read_status(folder), reason="early stop: no better validation for 1 evaluation"
    )
    (folder / "status.json").write_bytes(msgspec.json.encode(status))
    app = NeumfApp(folder, own_home, "train")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        assert (
            text_of(app, "#progress").replace("\n", " ")
            == "epoch 3/4  early stop: no better validation for 1 evaluation"
        )


async def test_the_panel_is_read_with_the_arrows_where_it_is_all_there_is(own_home: Path) -> None:
    app = NeumfApp(make_run(own_home, "finished", validation=VALIDATION), own_home, "train")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("left_square_bracket")
        await settle(pilot)
        panel = app.screen.query_one("#overview")
        assert panel.has_focus
        await pilot.press("end")
        await settle(pilot)
        assert panel.scroll_y > 0


def test_the_panel_has_both_columns_every_setting_and_the_protocol(own_home: Path) -> None:
    folder = make_run(own_home, "finished", validation=VALIDATION)
    shown = overview(read_info(folder), read_snapshot(folder)).plain
    assert shown.startswith("epoch 2, best by validation") and "held out  valid. popular" in shown
    assert "Hit@50     0.3000  0.3600  0.2100" in shown
    for name in Settings.__struct_fields__:
        assert name in shown
    assert (
        "number of candidates: 96 to 99" in shown
        and "including held-out" in shown
        and "second latest" in shown
    )
    assert max(map(len, shown.partition("off:")[0].splitlines())) <= 33, "as wide as the panel"
    old = make_run(own_home, "finished", name="old")
    plain = overview(read_info(old), read_snapshot(old))
    warned = {
        plain.plain[span.start : span.end].split()[0]
        for span in plain.spans
        if span.style == "yellow"
    }
    assert plain.plain.startswith("epoch 3, the last") and warned == {"exclude_heldout", "never"}


def test_settings_are_grouped_and_what_is_off_is_told_apart() -> None:
    assert sorted(name for group in DESCRIPTIONS.values() for name in group) == sorted(
        Settings.__struct_fields__
    )
    off = {
        "history": 0,
        "history_decay": 3.0,
        "sampler": "uniform",
        "sampler_power": 0.75,
        "dropout": 0.0,
        "seed": 0,
    }
    assert [name for name in off if is_in_use(name, off)] == ["sampler", "seed"]
    on = off | {"history": 50, "sampler": "popularity", "dropout": 0.4}
    assert all(is_in_use(name, on) for name in on)
    assert is_in_use("from_the_future", {"from_the_future": 1})


def test_borders_take_the_longest_form_that_fits(own_home: Path) -> None:
    snapshot = read_snapshot(make_run(own_home, "finished", validation=VALIDATION))
    hit, auc = (metric_caption(snapshot, key) for key in ("hit@50", "auc"))
    assert fitting(hit.title, 36) == "Hit@50 0.350 · validation 0.330 ╌"
    assert fitting(hit.title, 30) == "Hit@50 0.350 · val 0.330 ╌"
    assert fitting(hit.title, 20) == "Hit@50 0.350"
    assert fitting(hit.foot, 60) == "● 0.300 ±0.035 @ 2, best by validation Hit@50 0.360"
    assert fitting(auc.foot, 38) == "● 0.850 @ 2, best by validation Hit@50"
    assert fitting(auc.foot, 36) == "● 0.850 @ 2 by validation Hit@50"
    assert fitting(hit.alone, 38) == "Hit@50 ● 0.300 @ 2 · val 0.360 ╌"
    assert fitting(hit.alone, 28) == "Hit@50 0.300 · val 0.360 ╌"
    assert fitting(metric_caption(snapshot, "hit@50", is_flat=True).foot, 36) == "0.300 ±0.035"
    old = metric_caption(read_snapshot(make_run(own_home, "finished", name="old")), "hit@50")
    whole = "● 0.350 ±0.035 @ 3, highest, chosen on the held-out items: optimistic"
    assert fitting(old.foot, 80) == whole
    assert fitting(old.alone, 38) == "Hit@50 0.350  ● 0.350 @ 3, optimistic"
    assert fitting(old.alone, 28) == "Hit@50 0.350, optimistic"
    assert fitting(("longer", "shorter"), 5) == "shor…" and fitting((), 5) == ""
    assert "best by validation Hit@50 0.3600" in legend_forms(snapshot, False)[0]
    assert all("optimistic" in form for form in legend_forms(snapshot, True))


def test_dashes_stay_where_they_are_when_the_curve_grows() -> None:
    x, y = np.arange(1.0, 9.0), np.linspace(0.2, 0.5, 8)
    drawn = [
        [(a.tolist(), b.tolist()) for a, b in dashes(x[:count], y[:count], Axis(0, 10), 52)]
        for count in (5, 8)
    ]
    assert len(drawn[1]) > len(drawn[0]) > 3 and drawn[1][: len(drawn[0]) - 1] == drawn[0][:-1]
    ends = [
        (first[0], last[0][0])
        for (_, *_), first, last in zip(drawn[1], drawn[1], drawn[1][1:], strict=False)
    ]
    assert all(max(first) < start for first, start in ends), "gaps between them"
    for at, heights in drawn[1]:
        np.testing.assert_allclose(heights, np.interp(at, x, y))


# Which checkpoint.


def test_an_ended_run_is_looked_at_where_validation_was_best(own_home: Path) -> None:
    def with_checkpoints(state: str, **more: object) -> Path:
        folder = make_run(own_home, state, name=f"{state}-{len(more)}", **more)  # type: ignore[arg-type]
        for epoch in (1, 2, 3):
            (folder / "checkpoints" / f"{epoch:05}.safetensors").touch()
        (folder / "checkpoints" / "best").write_text("00002.safetensors")
        return folder

    for state in ("finished", "stopped", "failed", "crashed"):
        assert find_checkpoint(with_checkpoints(state, validation=VALIDATION), None).stem == "00002"
    running = with_checkpoints("running", validation=VALIDATION)
    with RunWriter(running):
        assert find_checkpoint(running, None).stem == "00003", "the newest of a living run"
    assert (
        find_checkpoint(running, "last").stem == "00003"
        and find_checkpoint(running, None).stem == "00002"
    )
    deck = with_checkpoints("finished")
    assert find_checkpoint(deck, None).stem == "00003", "its best goes by the held-out items"
    assert [describe_epoch(running, epoch) for epoch in (1, 2, 3)] == [
        "",
        "best by validation",
        "last",
    ]
    assert [describe_epoch(deck, epoch) for epoch in (2, 3)] == ["highest held-out Hit@50", "last"]
    (deck / "checkpoints" / "best").unlink()
    assert best_epoch(deck) is None and describe_epoch(deck, 2) == ""


def test_the_twins_open_it_too_and_say_so(chosen: Path, inside: Cli) -> None:
    home = ("--home", str(chosen.parents[1]))
    for args in (
        ("rank", "sim-007"),
        ("why", "sim-007"),
        ("near-miss", "sim-007", "--margin-only"),
        ("failures",),
    ):
        said = json.loads(inside(*args, "--json", *home).stdout)
        assert said["epoch"] == 1 and said["protocol"] == read_info(chosen).protocol
        if args != ("failures",):
            assert said["standing"] == "best by validation"
    assert (
        json.loads(inside("rank", "sim-007", "--epoch", "last", "--json", *home).stdout)["standing"]
        == "last"
    )
    assert "epoch 1 (best by validation)" in inside("rank", "sim-007", *home).stdout
    said = json.loads(inside("compare", "chosen", "chosen@last", "--json", *home).stdout)
    assert (said["epoch"], said["other_epoch"]) == (1, 3) and said["protocol"] == said[
        "other_protocol"
    ]
    for args in (
        ("journey", "sim-007"),
        ("similar", "--user", "sim-007"),
        ("film", "Fargo"),
        ("failures", "--catalogue"),
    ):
        assert (
            json.loads(inside(*args, "--json", *home).stdout)["protocol"]["chosen_by"]
            == "validation"
        )
    table = inside("rank", "sim-007", "--csv", *home).stdout.splitlines()[0]
    assert "protocol" not in table, "columns are as they were"


def test_evaluate_computes_both_anew(chosen: Path, inside: Cli) -> None:
    taped: dict[int, Evaluated] = {e.epoch: e for e in read_snapshot(chosen).evaluations}
    for epoch in (1, 3):
        found = json.loads(
            inside(
                "evaluate", "--epoch", str(epoch), "--json", "--home", str(chosen.parents[1])
            ).stdout
        )
        assert found["metrics"] == pytest.approx(taped[epoch].metrics) and found[
            "validation"
        ] == pytest.approx(taped[epoch].validation)
    started = read_snapshot(chosen).started
    assert started is not None and found["popularity_validation"] == pytest.approx(
        started.popularity_validation
    )
    summary = json.loads((chosen.parents[1] / "summary.json").read_text())
    best = max(taped.values(), key=lambda e: (e.validation["hit@50"], -e.epoch))  # type: ignore[index]
    assert summary["metrics_epoch"] == best.epoch and summary["metrics"] == best.metrics


@pytest.mark.parametrize("size", WIDTHS)
async def test_the_explorer_opens_it_and_says_what_stands_behind_its_ranks(
    chosen: Path, size: tuple[int, int]
) -> None:
    app = NeumfApp(chosen, chosen.parents[1], "explore")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, ExploreScreen) and screen.epoch == 1
        assert "(best" in text_of(app, "#run-head") or size[0] == 60
        assert "held-out unseen" in text_of(app, "#protocol")
        np.testing.assert_array_equal(screen.user_list.ranks, screen.users.ranks_at(1))  # type: ignore[union-attr]
        await pilot.press("shift+right")
        await settle(pilot)
        assert screen.epoch == 3 and "(best" not in text_of(app, "#run-head")
        await pilot.press("B")
        await settle(pilot)
        assert screen.epoch == 1
        await pilot.press("F")
        await settle(pilot)
        assert isinstance(app.screen, FailuresScreen)
        assert "held-out unseen" in text_of(app, "#protocol")


@pytest.mark.parametrize(
    "size",
    [pytest.param(size, marks=[] if size == (80, 24) else pytest.mark.slow) for size in WIDTHS],
)
async def test_leaks_are_said_on_every_screen_with_ranks(
    trained: Path, own_home: Path, size: tuple[int, int]
) -> None:
    app = NeumfApp(trained, own_home, "explore")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for keys in ([], ["2", "enter"], ["q", "f"], ["escape", "F"], ["q", "x", "enter"]):
            await pilot.press(*keys)
            await settle(pilot)
            line = text_of(app, "#protocol")
            assert "optimistic" in line and "others' future" in line and len(line) <= size[0] - 2
            style = app.screen.query_one(ProtocolLine).render().spans[0].style
            assert style == themed_style("yellow")
        assert isinstance(app.screen, CompareScreen)


def test_two_models_have_a_line_each_if_their_protocols_differ(own_home: Path) -> None:
    old = read_info(make_run(own_home, "finished"))
    new = msgspec.structs.replace(
        old, settings=old.settings | {"exclude_heldout": False}, protocol={}
    )
    first, second = standing_notice([old, new], 78)[0].splitlines()
    assert first.startswith("A: ") and "held-out never negatives: optimistic" in first
    assert second.startswith("B: ") and "held-out unseen · others' future used" in second
    assert standing_notice([new, new], 78)[0].startswith(second.removeprefix("B: "))


def test_why_the_demo_set_is_used_never_takes_the_place_of_the_protocol(own_home: Path) -> None:
    why = "demo data: files.grouplens.org cannot be reached (ConnectionError); simulated users"
    info = make_info("offline", own_home)
    data = msgspec.structs.replace(info.dataset, simulated=True, notices=(why,))
    offline = msgspec.structs.replace(info, dataset=data)
    narrow, wide = (standing_notice([offline], width)[0] for width in (78, 300))
    assert narrow.startswith("simulated · ") and "latest" in narrow and len(narrow) <= 78
    assert wide.startswith(f"{why} · ") and "full ranking" in wide
