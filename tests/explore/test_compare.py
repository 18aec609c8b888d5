"""Two models side by side: by hand, by an independent computation, and on the screen."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray
from scipy import stats as scipy_stats
from textual.pilot import Pilot
from textual.widgets import Input, TabbedContent
from typer.testing import CliRunner

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.demo import make_demo
from neumf_tui.data.nouns import FILM
from neumf_tui.data.options import make_options
from neumf_tui.errors import RunError, UsageError
from neumf_tui.explore.compare import HeldoutChange, PartChange, compare_person, load_other
from neumf_tui.explore.compare_users import (
    SORTS,
    AllComparison,
    TapeRanks,
    check_same_dataset,
    compare_all,
    ordered,
    read_tape_ranks,
)
from neumf_tui.explore.guests import Guest, save_guest
from neumf_tui.explore.ranker import Ranker, UserRanking
from neumf_tui.explore.users import load_users
from neumf_tui.runs.create_run import make_info
from neumf_tui.runs.reader import read_info, read_ranks
from neumf_tui.runs.store import split_spec
from neumf_tui.runs.writer import create_run
from neumf_tui.text import counted, number_text
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.compare.dialog import CompareDialog, find_choices
from neumf_tui.tui.compare.screen import CompareScreen
from neumf_tui.tui.explore.screen import ExploreScreen
from neumf_tui.tui.item.screen import ItemScreen
from neumf_tui.tui.navigation import OpenUser
from neumf_tui.tui.runs.pair import open_pair, pair_of
from neumf_tui.tui.runs.screen import RunsScreen
from neumf_tui.tui.widgets.axes import Axis
from neumf_tui.tui.widgets.plane import MARGIN
from neumf_tui.tui.widgets.scatter import RankScatter, rank_marks
from neumf_tui.tui.widgets.table import Table
from neumf_tui.views.compare import cause_text, compare_person_sheet, person_words
from neumf_tui.views.compare_users import all_words, chance_text, compare_all_sheet, verdict
from neumf_tui.views.moves import move_text, signed
from tests.support.screens import settle, text_of

Floats = NDArray[np.float32]


# Names of models.


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("one", ("one", None)),
        ("one@7", ("one", "7")),
        ("one@best", ("one", "best")),
        ("me@host/runs/one", ("me@host/runs/one", None)),
        ("me@host/one@last", ("me@host/one", "last")),
    ],
)
def test_a_model_is_named_by_run_and_epoch(text: str, spec: tuple[str, str | None]) -> None:
    assert split_spec(text) == spec


@pytest.mark.parametrize("text", ["one@", "@7", "one@newest", "one@-1"])
def test_other_names_of_models_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="RUN@EPOCH"):
        split_spec(text)


# One person.


def fixed(label: str, info: Any, gmf: list[float], mlp: list[float], heldout: int) -> Ranker:
    """A model with these parts for the one user, who has seen nothing."""
    g, m = np.array(gmf, dtype=np.float32), np.array(mlp, dtype=np.float32)
    parts = {"score": g + m, "gmf": g, "mlp": m}
    ranks = {
        part: float(1 + (value > value[heldout]).sum() + ((value == value[heldout]).sum() - 1) / 2)
        for part, value in parts.items()
    }
    order = np.argsort(-(g + m), kind="stable")
    person = SimpleNamespace(who=0, label="user 0", history=np.empty(0, dtype=np.int64))
    ranking = UserRanking(
        person=cast("Any", person),
        by="score",
        items=order,
        ranks=np.arange(1, len(order) + 1, dtype=np.float32),
        scores=(g + m)[order],
        parts={"gmf": g[order], "mlp": m[order]},
        means={part: float(value.mean()) for part, value in parts.items()},
        known=len(order),
        heldout=int(np.flatnonzero(order == heldout)[0]),
        heldout_ranks=ranks,
    )
    return cast(
        "Ranker",
        SimpleNamespace(
            label=label, info=info, dataset=SimpleNamespace(num_items=5), rank=lambda _: ranking
        ),
    )


def test_a_case_worked_by_hand(trained: Path) -> None:
    info = read_info(trained)
    a = fixed("x@1", info, [4, 3, 2, 1, 0], [0, 0, 0, 0, 0], heldout=3)
    b = fixed("x@2", info, [4, 3, 2, 1, 0], [0, 0, 0, 10, 0], heldout=3)
    found = compare_person(a, b, 0, count=2)
    # A: 0 1 2 3 4. B: 3 0 1 2 4.
    assert found.row_in_b.tolist() == [1, 2, 3, 0, 4] and found.row_in_a.tolist() == [3, 0, 1, 2, 4]
    assert found.in_both == 1 and found.overlap == 0.5
    assert found.entered() == [0] and found.left() == [1]
    assert found.ranks_of_a(1) == (2, 3) and found.ranks_of_b(0) == (4, 1)
    held = found.heldout
    assert held is not None
    assert (held.score.rank_a, held.score.rank_b) == (4, 1)
    gmf, mlp = held.parts["gmf"], held.parts["mlp"]
    assert (gmf.rank_a, gmf.rank_b) == (4, 4) and mlp.rank_b == 1
    # In A the scores are 2 ± √2 and film 3 has 1; in B they are 4 ± √14 and it has 1 (mean 2) + 10
    # (mean 2).
    assert held.score.standardised_a == pytest.approx(-1 / 2**0.5)
    assert gmf.change == pytest.approx(-1 / 14**0.5 + 1 / 2**0.5)
    assert mlp.change == pytest.approx(8 / 14**0.5)
    assert (
        cause_text(held, FILM)
        == "MLP moved it: +2.1 standard deviations of this user's scores, GMF +0.4"
    )
    assert person_words(found, FILM)[0] == "rank 4 → 1 ▲3 · hit · GMF alone 4 → 4 · MLP alone 3 → 1"
    assert person_words(found, FILM)[2] == "first 2: 1 in both, 1 new in B; overlap@2 0.50"


@pytest.mark.parametrize(
    ("ranks", "gmf", "mlp", "words"),
    [
        ((9, 3), 0.5, 0.6, "both parts moved it: GMF +0.5, MLP +0.6"),
        (
            (9, 3),
            1.0,
            -0.2,
            "GMF moved it: +1.0 standard deviations of this user's scores, MLP −0.2",
        ),
        (
            (3, 9),
            0.1,
            -1.3,
            "MLP moved it: −1.3 standard deviations of this user's scores, GMF +0.1",
        ),
        (
            (9, 3),
            -0.5,
            0.1,
            "its score dropped, but competing films dropped more: GMF −0.5, MLP +0.1",
        ),
        (
            (9, 3),
            0.02,
            0.02,
            "its score barely changed; competing films dropped: GMF +0.0, MLP +0.0",
        ),
        (
            (3, 9),
            0.02,
            0.02,
            "its score barely changed; competing films rose: GMF +0.0, MLP +0.0",
        ),
        ((9, 3), 0.03, 0.03, "neither part changed noticeably: GMF +0.0, MLP +0.0"),
        ((3, 3), 0.5, -0.04, "its rank is the same: GMF +0.5, MLP +0.0"),
    ],
)
def test_the_part_that_moved_it_is_named(
    ranks: tuple[float, float], gmf: float, mlp: float, words: str
) -> None:
    def part(change: float) -> PartChange:
        return PartChange(*ranks, 0.25, 0.25 + change)

    parts = {"gmf": part(gmf), "mlp": part(mlp)}
    assert cause_text(HeldoutChange(0, part(gmf + mlp), parts), FILM).startswith(words)


def test_no_part_is_named_where_all_scores_are_the_same() -> None:
    none, some = PartChange(5, 1, None, 1.0), PartChange(5, 1, None, 0.5)
    assert "no part can be named" in cause_text(
        HeldoutChange(0, none, {"gmf": some, "mlp": some}), FILM
    )


def by_numpy(checkpoint: Path, dataset: Dataset, user: int) -> tuple[Floats, Floats]:
    """GMF and MLP part of every item for a user, from the file's tensors and the formulas alone."""
    t = safetensors.numpy.load_file(checkpoint)
    d = t["user_gmf.weight"].shape[1]
    head = t["head.weight"][0].astype(np.float64)
    gmf = (t["user_gmf.weight"][user] * t["item_gmf.weight"]).astype(np.float64) @ head[:d]
    hidden = np.hstack(
        [np.tile(t["user_mlp.weight"][user], (dataset.num_items, 1)), t["item_mlp.weight"]]
    ).astype(np.float64)
    for layer in range(sum(name.startswith("mlp.") and name.endswith("bias") for name in t)):
        hidden = np.maximum(hidden @ t[f"mlp.{layer}.weight"].T + t[f"mlp.{layer}.bias"], 0)
    return gmf, hidden @ head[d:]


def test_one_person_equals_an_independent_computation(
    trained: Path, own_home: Path, demo: Dataset
) -> None:
    a = Ranker(trained, own_home, "2")
    b = load_other(a, trained, "10")
    assert b.dataset is a.dataset
    for user in (0, 7, 42):
        found = compare_person(a, b, user)
        sheet = compare_person_sheet(a, b, found)
        history, held = demo.history(user), int(demo.split.heldout[user])
        candidates = np.setdiff1d(np.arange(demo.num_items), history)
        tops, places, ranks = [], [], []
        for epoch in (2, 10):
            gmf, mlp = by_numpy(trained / "checkpoints" / f"{epoch:05}.safetensors", demo, user)
            score = (gmf + mlp)[candidates]
            tops.append(set(candidates[np.argsort(-score)[:50]].tolist()))
            ranks.append(1 + int((score > score[candidates == held]).sum()))
            places.append(
                [
                    (part[held] - part[candidates].mean()) / score.std()
                    for part in (gmf + mlp, gmf, mlp)
                ]
            )
        assert sheet.about["overlap"] == pytest.approx(len(tops[0] & tops[1]) / 50)
        ids = demo.catalogue.item_ids
        assert {row["item_id"] for row in sheet.about["entered"]} == {
            ids[item] for item in tops[1] - tops[0]
        }
        assert {row["item_id"] for row in sheet.about["left"]} == {
            ids[item] for item in tops[0] - tops[1]
        }
        climbs = [row["rank_a"] - row["rank_b"] for row in sheet.about["entered"]]
        assert climbs == sorted(climbs, reverse=True) and min(climbs, default=1) > 0
        assert (
            sheet.about["heldout"]["rank_a"] == ranks[0]
            and sheet.about["heldout"]["rank_b"] == ranks[1]
        )
        for number, part in enumerate(("score", "gmf", "mlp")):
            told = sheet.about["heldout"]["parts"][part]
            assert told["standardised_a"] == pytest.approx(places[0][number], rel=1e-3, abs=1e-4)
            assert told["standardised_b"] == pytest.approx(places[1][number], rel=1e-3, abs=1e-4)
        parts = sheet.about["heldout"]["parts"]
        assert parts["gmf"]["change"] + parts["mlp"]["change"] == pytest.approx(
            parts["score"]["change"]
        )
        for row in sheet.rows:
            assert (
                row["a_move"] == row["a_rank"] - row["a_rank_in_b"]
                and row["b_move"] == row["b_rank_in_a"] - row["b_rank"]
            )
            assert row["a_left"] == (
                row["place"] <= 50 and row["a_item_id"] in {ids[item] for item in tops[0] - tops[1]}
            )
            assert row["b_new"] == (
                row["place"] <= 50 and row["b_item_id"] in {ids[item] for item in tops[1] - tops[0]}
            )


# All users.


def taped(info: Any, epoch: int, dataset: Dataset, ranks: dict[int, float]) -> TapeRanks:
    tape = np.full(dataset.num_users, np.nan, dtype=np.float32)
    tape[list(ranks)] = list(ranks.values())
    return TapeRanks(info, epoch, tape)


def test_all_users_worked_by_hand(trained: Path, demo: Dataset) -> None:
    info = read_info(trained)
    a = taped(info, 1, demo, {0: 10, 1: 60, 2: 70, 3: 50, 4: 50.5, 5: 9})
    b = taped(info, 2, demo, {0: 60, 1: 40, 2: 30, 3: 50, 4: 50, 6: 9})
    found = compare_all(demo, a, b)
    assert found.users.tolist() == [0, 1, 2, 3, 4] and found.left_out == demo.num_users - 5
    assert found.side.tolist() == [-1, 1, 1, 0, 1] and (found.won, found.lost) == (3, 1)
    assert found.hit_difference == pytest.approx(2 / 5)
    assert found.p == pytest.approx(2 * (1 + 4) / 16)
    others = demo.num_items - np.diff(demo.offsets)[:5] - 1
    assert found.auc_difference == pytest.approx(np.mean(np.array([-50, 20, 40, 0, 0.5]) / others))
    assert found.auc_interval[0] <= found.auc_difference <= found.auc_interval[1]
    words = all_words(found, FILM)
    assert words[0] == "B puts 3 users' films into the top 50 that A does not, and loses 1."
    assert words[1].startswith("Hit@50 0.4000 → 0.8000, by +0.400 (95 % ")
    assert words[1].endswith("; chance alone would do this in 62 of 100 cases (McNemar).")
    assert words[-1] == f"{demo.num_users - 5} users are left out: no rank in A or in B."
    assert (
        "no difference beyond chance was found among these 5 users"
        in verdict(found, FILM).casefold()
    )
    assert [found.users[ordered(found, sort)].tolist() for sort in SORTS] == [
        [2, 1, 4, 3, 0], [0, 3, 4, 1, 2], [2, 1, 4, 0, 3], [0, 1, 2, 3, 4],
    ]  # fmt: skip


def test_all_users_equal_an_independent_computation(trained: Path, demo: Dataset) -> None:
    found = compare_all(demo, read_tape_ranks(trained, "2"), read_tape_ranks(trained, "last"))
    sheet = compare_all_sheet(demo, found)
    rank_a, rank_b = read_ranks(trained, 2), read_ranks(trained, 10)
    won, lost = (
        int(((rank_a > 50) & (rank_b <= 50)).sum()),
        int(((rank_a <= 50) & (rank_b > 50)).sum()),
    )
    assert won + lost > 5, "a test of something"
    assert (sheet.about["won"], sheet.about["lost"], sheet.about["a"], sheet.about["b"]) == (
        won,
        lost,
        "trained@2",
        "trained@10",
    )
    assert sheet.about["mcnemar_p"] == pytest.approx(scipy_stats.binomtest(won, won + lost).pvalue)
    auc = (rank_a.astype(float) - rank_b) / (demo.num_items - np.diff(demo.offsets) - 1)
    assert sheet.about["auc_difference"] == pytest.approx(auc.mean())
    drawn = scipy_stats.bootstrap(
        (auc,), np.mean, n_resamples=5000, method="percentile", random_state=1
    ).confidence_interval
    width = drawn.high - drawn.low
    assert sheet.about["auc_difference_ci"] == pytest.approx(
        [drawn.low, drawn.high], abs=0.05 * width
    )
    assert [row["user"] for row in sheet.rows] == list(demo.user_ids)
    assert [row["auc_difference"] for row in sheet.rows] == pytest.approx(auc.tolist())
    assert [(row["rank_a"], row["hit_b"]) for row in sheet.rows] == [
        (a, b <= 50) for a, b in zip(rank_a, rank_b, strict=True)
    ]


def test_a_model_with_itself(trained: Path, own_home: Path, demo: Dataset) -> None:
    a = Ranker(trained, own_home, "best")
    person = compare_person(a, a, 3)
    assert person.overlap == 1 and not person.entered() and not person.left()
    assert person.heldout is not None and cause_text(person.heldout, FILM).startswith(
        "its rank is the same: GMF +0.0, MLP +0.0"
    )
    found = compare_all(
        demo, read_tape_ranks(trained, "best"), read_tape_ranks(trained, str(a.epoch))
    )
    assert (found.won, found.lost, found.p, found.hit_interval, found.auc_interval) == (
        0,
        0,
        1,
        (0, 0),
        (0, 0),
    )
    assert verdict(found, FILM) == "Both models rank every held-out film the same."


def test_verdicts(trained: Path, demo: Dataset) -> None:
    some = compare_all(demo, read_tape_ranks(trained, "2"), read_tape_ranks(trained, "10"))

    def said(p: float, hits: tuple[float, float], auc: tuple[float, float]) -> str:
        return verdict(replace(some, p=p, hit_interval=hits, auc_interval=auc), FILM)

    users = f"among these {demo.num_users} users"
    assert said(0.01, (0.01, 0.2), (0.01, 0.02)) == "B is better, in Hit@50 and in AUC."
    assert said(0.01, (-0.2, -0.1), (-0.2, -0.1)) == "A is better, in Hit@50 and in AUC."
    assert said(0.5, (-0.2, 0.1), (-0.2, 0.1)) == f"No difference beyond chance was found {users}."
    chance = f"no difference beyond chance was found {users}"
    assert said(0.5, (-0.2, 0.1), (0.1, 0.2)) == f"In Hit@50 {chance}; in AUC B is better."
    assert said(0.06, (0.001, 0.1), (-0.1, 0.2)) == (
        f"In Hit@50 it is too close to call: test and interval disagree; in AUC {chance}."
    )


def test_chance_and_moves_in_words() -> None:
    assert chance_text(1 / 30_000) == "chance alone would do this in 1 of 30,000 cases"
    assert chance_text(0.0123) == "chance alone would do this in 1 of 81 cases"
    assert chance_text(0.3) == "chance alone would do this in 30 of 100 cases"
    assert chance_text(0.0) == "chance alone would do this in fewer than 1 of 1,000,000,000 cases"
    assert chance_text(1.0) == "chance alone would do at least this in every case"
    assert (move_text(312, 41), move_text(5, 10.5), move_text(3, 3)) == ("▲271", "▼5.5", "=")
    assert (signed(-0.04), signed(-0.06), signed(0.25, 2)) == ("+0.0", "−0.1", "+0.25")
    assert [counted(n, "user") for n in (0, 1, 1682)] == ["0 users", "1 user", "1,682 users"]
    texts = [number_text(value, ".4f") for value in (-0.00001, 0.0, -0.5)]
    assert texts == ["0.0000", "0.0000", "−0.5000"] and number_text(-1e-5, "g") == "−1e-05"


# What cannot be compared.


def foreign(trained: Path) -> Path:
    """A run of another dataset beside `trained`."""
    other = trained.parent / "foreign"
    shutil.copytree(trained, other)
    info = json.loads((other / "run.json").read_bytes())
    info["name"] = "foreign"
    info["dataset"] |= {"name": "elsewhere", "simulated": False, "fingerprint": "f" * 64}
    (other / "run.json").write_text(json.dumps(info))
    return other


def test_models_of_different_datasets_are_refused(
    trained: Path, own_home: Path, demo: Dataset
) -> None:
    other = foreign(trained)
    wanted = (
        r"run trained was trained on demo \(simulated\) \(\w+\) and run foreign on elsewhere "
        r"\(ffffffffffff\); compare two runs"
    )
    with pytest.raises(UsageError, match=wanted):
        load_other(Ranker(trained, own_home), other, None)
    with pytest.raises(UsageError, match=wanted):
        compare_all(demo, read_tape_ranks(trained, None), read_tape_ranks(other, None))


@pytest.mark.parametrize(
    ("options", "source", "says"),
    [
        (
            {"split": "time", "cut": "2025-01-01"},
            "",
            r"trained has the split latest with equal times by file order, run foreign the split "
            r"time with the cut 2025-01-01 \(of demo \(simulated\), the same data otherwise\).*"
            "train both with the same --split.*`neumf-tui evaluate trained --protocols`",
        ),
        ({"min_user_count": 60}, "", "file order and interactions of a user at least 60"),
        ({"split": "random"}, "/elsewhere", "and run foreign on demo .* compare two runs of one"),
    ],
)
def test_models_of_different_splits_are_refused_by_their_names(
    trained: Path, own_home: Path, demo: Dataset, options: dict[str, Any], source: str, says: str
) -> None:
    data = make_demo(make_options(**options))
    if source:
        data = replace(data, source=source)
    create_run(
        own_home / "runs" / "foreign", make_info(own_home, data, "foreign", {}, kind="logged")
    )
    one, other = (read_info(own_home / "runs" / name) for name in ("trained", "foreign"))
    with pytest.raises(UsageError, match=says):
        check_same_dataset(one, other)
    with pytest.raises(UsageError, match=r"cannot be compared|compare two runs of one dataset"):
        check_same_dataset(other, one)


def test_ranks_that_are_not_there_are_said(trained: Path, demo: Dataset) -> None:
    with pytest.raises(RunError, match="no ranks after epoch 11; there are 1 to 10"):
        read_tape_ranks(trained, "11")
    info = read_info(trained)
    with pytest.raises(RunError, match="no user is ranked in both"):
        compare_all(demo, taped(info, 1, demo, {0: 1}), taped(info, 2, demo, {1: 1}))
    with pytest.raises(RunError, match=r"trained@1: \(3,\) ranks"):
        compare_all(
            demo, TapeRanks(info, 1, np.ones(3, dtype=np.float32)), read_tape_ranks(trained, "2")
        )


# The command.


def command(*args: str) -> Any:
    import typer

    from neumf_tui.cli.compare import compare

    app = typer.Typer()
    app.command()(compare)
    return CliRunner().invoke(app, args)


def test_the_command_prints_the_sheets(trained: Path, own_home: Path, demo: Dataset) -> None:
    a, b = Ranker(trained, own_home, "2"), Ranker(trained, own_home, "10")
    user = demo.user_ids[5]
    result = command("trained@2", "trained@last", "--user", user, "--top", "all", "--json")
    assert json.loads(result.stdout) == compare_person_sheet(a, b, compare_person(a, b, 5)).object
    found = compare_all(demo, read_tape_ranks(trained, "2"), read_tape_ranks(trained, "10"))
    assert (
        json.loads(command("trained@2", "trained", "--json").stdout)
        == compare_all_sheet(demo, found).object
    )
    assert command("trained@2", "trained", "--csv").stdout == compare_all_sheet(demo, found).text()
    text = command("trained@2", "trained", "--top", "3").stdout
    assert (
        verdict(found, FILM) in text
        and "biggest wins of B" in text
        and "biggest losses of B" in text
    )
    text = command("trained@2", "trained", "--user", user, "--top", "3").stdout
    assert text.startswith(f"A trained@2  B trained@10  demo (simulated)  user {user}")


def test_the_command_refuses_what_cannot_be(trained: Path) -> None:
    foreign(trained)
    for args, wanted in (
        (("trained@2", "foreign"), "elsewhere"),
        (("trained@2", "foreign", "--user", "1"), "elsewhere"),
        (("trained@2", "trained", "--user", "1", "--guest", "anna"), "choose one"),
        (("trained@2", "trained", "--top", "0"), "number of rows"),
        (("trained@2", "trained", "--json", "--csv"), "choose one"),
    ):
        error = command(*args).exception
        assert isinstance(error, UsageError) and wanted in str(error)


def test_all_users_need_no_torch(trained: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from neumf_tui.cli.main import app;"
        "app(['compare', 'trained@2', 'trained', '--json'], standalone_mode=False);"
        "sys.exit('torch' in sys.modules)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False
        ).returncode
        == 0
    )


def test_a_guest_is_compared(trained: Path, own_home: Path, demo: Dataset) -> None:
    guest = Guest("anna", tuple(demo.catalogue.item_ids[:4]))
    save_guest(guest, demo, own_home)
    about = json.loads(
        command("trained@2", "trained@10", "--guest", "anna", "--top", "all", "--json").stdout
    )
    assert about["guest"] == "anna" and about["user"] is None and about["heldout"] is None
    assert about["num_candidates"] == demo.num_items - 4 == len(about["places"])
    a, b = Ranker(trained, own_home, "2"), Ranker(trained, own_home, "10")
    for side, ranker in (("a", a), ("b", b)):
        listed = [demo.catalogue.item_ids[item] for item in ranker.rank(guest).items]
        assert [row[f"{side}_item_id"] for row in about["places"]] == listed


# The screen.


def cells(screen: CompareScreen, selector: str, row: int) -> list[str]:
    return list(screen.query_one(selector, Table)._cells(row))


async def opened(
    app: NeumfApp, pilot: "Pilot[None]", trained: Path, home: Path, other: tuple[Path, str | None]
) -> CompareScreen:
    await settle(pilot)
    screen = CompareScreen(Ranker(trained, home, "2"), load_users(trained, home), 7, other)
    app.push_screen(screen)
    await settle(pilot)
    return screen


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 50)])
async def test_the_screen_shows_the_sheets(
    trained: Path, own_home: Path, demo: Dataset, size: tuple[int, int]
) -> None:
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=size) as pilot:
        screen = await opened(app, pilot, trained, own_home, (trained, "10"))
        make = screen.sheet_maker()
        assert make is not None and screen.b is not None
        sheet = make()
        assert (
            sheet.object
            == compare_person_sheet(
                screen.a, screen.b, compare_person(screen.a, screen.b, 7)
            ).object
        )
        for row in sheet.rows[:60]:
            for side, there, label in (("a", "a_rank_in_b", "left"), ("b", "b_rank_in_a", "new")):
                shown = cells(screen, f"#list-{side}", row["place"] - 1)
                before, after = (
                    (row["a_rank"], row[there]) if side == "a" else (row[there], row["b_rank"])
                )
                star = row[f"{side}_title"] == sheet.about["heldout"]["title"]
                assert shown == [
                    str(row["place"]),
                    f"{'★ ' if star else ''}{row[f'{side}_title']}",
                    str(row[f"{side}_year"] or ""),
                    f"{row[there]:,.0f}",
                    move_text(before, after),
                    label if row[f"{side}_{label}"] else "",
                ]
        held = sheet.about["heldout"]
        assert f"rank {held['rank_a']:,.0f} → {held['rank_b']:,.0f}" in text_of(
            screen, "#compare-words"
        )
        assert held["words"] in text_of(screen, "#compare-words")
        assert f"overlap@50 {sheet.about['overlap']:.2f}" in text_of(screen, "#compare-words")

        await pilot.press("2", "o")
        await settle(pilot)
        make = screen.sheet_maker()
        assert make is not None
        sheet = make()
        found = compare_all(demo, read_tape_ranks(trained, "2"), read_tape_ranks(trained, "10"))
        assert sheet.object == compare_all_sheet(demo, found, ordered(found, "biggest loss")).object
        for number, row in enumerate(sheet.rows):
            side = "" if row["hit_a"] == row["hit_b"] else "won" if row["hit_b"] else "lost"
            move = move_text(row["rank_a"], row["rank_b"])
            assert cells(screen, "#users-table", number)[2:] == [
                f"{row['rank_a']:,.0f}",
                f"{row['rank_b']:,.0f}",
                move,
                side,
            ]
            assert cells(screen, "#users-table", number)[:2] == [row["user"], row["heldout"]]
        assert text_of(screen, "#all-words") == "\n".join(
            [sheet.about["verdict"], *sheet.about["words"]]
        )


async def test_users_and_models_are_changed_by_keys(
    trained: Path, own_home: Path, demo: Dataset
) -> None:
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await opened(app, pilot, trained, own_home, (trained, "10"))
        found = screen.all
        assert isinstance(found, AllComparison)
        changed = [
            int(found.users[row]) for row in ordered(found, "biggest win") if found.side[row]
        ]
        wins = [int(found.users[row]) for row in ordered(found, "biggest win")]
        after = [
            user for user in wins[wins.index(7) + 1 :] + wins[: wins.index(7)] if user in changed
        ]
        for key, wanted in (("n", after[0]), ("n", after[1]), ("N", after[0]), ("N", after[-1])):
            await pilot.press(key)
            await settle(pilot)
            assert (
                screen.who == wanted
                and screen.person is not None
                and screen.person.a.person.who == wanted
            )
            assert text_of(screen, "#compare-who").startswith(f"user {demo.user_ids[wanted]} · ")

        await pilot.press("2", "home", "down", "enter")
        await settle(pilot)
        assert screen.query_one(TabbedContent).active == "person" and screen.who == wins[1]
        assert screen.query_one("#list-a").has_focus
        await pilot.press("down", "down", "right")
        await pilot.pause()
        assert (
            screen.query_one("#list-b").has_focus and screen.query_one("#list-b", Table).cursor == 2
        )
        await pilot.press("h")
        await settle(pilot)
        rows = [screen.query_one(name, Table).cursor for name in ("#list-a", "#list-b")]
        assert screen.person is not None and rows == [screen.person.b.heldout] * 2

        before = screen.person.heldout
        await pilot.press("s")
        await settle(pilot)
        after_swap = screen.person.heldout if screen.person else None
        assert before is not None and after_swap is not None
        assert (after_swap.score.rank_a, after_swap.score.rank_b) == (
            before.score.rank_b,
            before.score.rank_a,
        )
        assert screen.all is not None and (screen.all.won, screen.all.lost) == (
            found.lost,
            found.won,
        )
        assert text_of(screen, "#run-head").startswith(
            "neumf-tui ▸ compare  A trained@10  B trained@2"
        )


async def test_enter_opens_the_film_of_the_list_in_front(
    trained: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await opened(app, pilot, trained, own_home, (trained, "10"))
        monkeypatch.setattr(
            app, "open_screen", lambda wanted: asked.append((wanted.ranker.label, wanted.item))
        )
        await pilot.press("down", "enter", "right", "enter")
        await pilot.click("#list-a", offset=(4, 5), times=2)
        await settle(pilot)
        found = screen.person
        assert found is not None
        wanted = [
            ("trained@2", found.a.items[1]),
            ("trained@10", found.b.items[1]),
            ("trained@2", found.a.items[4]),
        ]
        assert asked == [(label, int(item)) for label, item in wanted]


async def test_another_model_is_chosen_from_a_list(trained: Path, own_home: Path) -> None:
    foreign(trained)
    (trained.parent / "broken").mkdir()
    (trained.parent / "broken" / "run.json").write_text("{")
    choices, left_out = find_choices(trained, own_home, 2)
    assert [choice.epoch for choice in choices] == [10, 9, 8, 7, 6, 5, 4, 3, 1]
    assert left_out == "not listed: 1 of other datasets, 1 that cannot be read"
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, pilot, trained, own_home, (trained, "10"))
        await pilot.press("x")
        await settle(pilot)
        dialog = app.screen
        assert isinstance(dialog, CompareDialog)
        await pilot.press("slash", *"1z")
        assert not dialog.shown and "none of 9 models matches “1z”" in text_of(app, "#list-title")
        await pilot.press("backspace")
        assert [choice.epoch for choice in dialog.shown] == [1, 10], "the whole word first"
        await pilot.press("backspace", "4")
        assert dialog.query_one(Input).value == "4"
        await pilot.press("enter")
        await settle(pilot)
        assert app.screen is screen and screen.b is not None and screen.b.label == "trained@4"
        assert screen.person is not None and screen.person.label_b == "trained@4"
        await pilot.press("x", "escape")
        await settle(pilot)
        assert app.screen is screen and screen.b.label == "trained@4"


async def test_two_runs_of_the_list_are_compared(trained: Path, own_home: Path) -> None:
    elsewhere, other = foreign(trained), trained.parent / "other"
    shutil.copytree(trained, other)
    choices, _ = find_choices(trained, own_home, 2)
    own = [choice.folder == trained for choice in choices]
    assert own == sorted(own) and not own[0], "other runs stand before the run's own epochs"
    with pytest.raises(UsageError, match="two can be compared"):
        pair_of((trained, other, elsewhere), trained)
    with pytest.raises(UsageError, match="mark the run"):
        pair_of((trained,), trained)
    assert pair_of((other,), trained) == (other, trained)
    assert pair_of((other, trained), elsewhere) == (other, trained)
    with pytest.raises(UsageError, match="elsewhere"):
        open_pair((trained, elsewhere), own_home)
    app = NeumfApp(None, own_home, "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        runs = app.screen
        assert isinstance(runs, RunsScreen)
        await pilot.press("c")
        await settle(pilot)
        assert app.screen is runs
        assert "mark the run" in [str(one.message) for one in app._notifications][-1]
        runs.pinned = [other, trained]
        await pilot.press("c")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, CompareScreen) and screen.b is not None
        assert (screen.a.folder, screen.b.folder) == (other, trained)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, ItemScreen)
        app.screen.navigate(OpenUser(3, screen.a))
        await settle(pilot)
        explorer = app.screen
        assert isinstance(explorer, ExploreScreen) and explorer.who == 3
        assert explorer.folder == other


async def test_a_model_that_cannot_be_compared_is_said(trained: Path, own_home: Path) -> None:
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await opened(app, pilot, trained, own_home, (foreign(trained), None))
        assert "elsewhere" in text_of(screen, "#compare-who") and screen.sheet_maker() is None
        await pilot.press("n", "s", "enter", "h", "2", "o", "n", "enter", "y", "w", "N", "s")
        await settle(pilot)
        assert app.screen is screen


async def test_a_guest_on_the_screen(trained: Path, own_home: Path, demo: Dataset) -> None:
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await opened(app, pilot, trained, own_home, (trained, "10"))
        screen.choose_who(Guest("anna", tuple(demo.catalogue.item_ids[:3])))
        await settle(pilot)
        assert text_of(screen, "#compare-who") == "guest anna · 3 watched · nothing held out"
        assert text_of(screen, "#compare-words").startswith("first 50: ")


async def test_a_click_near_a_dot_chooses_its_user(trained: Path, own_home: Path) -> None:
    app = NeumfApp(trained, own_home, "runs")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, trained, own_home, (trained, "10"))
        await pilot.press("2")
        await settle(pilot)
        assert screen.all is not None
        scatter = screen.query_one(RankScatter)
        worst = int(np.argmax(screen.all.rank_a * screen.all.rank_b))
        x = scatter.column(float(screen.all.rank_a[worst])) + MARGIN
        y = scatter.row(float(screen.all.rank_b[worst]))
        # Inside the border.
        assert await pilot.click(scatter, offset=(x + 1, y + 1))
        await settle(pilot)
        chosen = screen.order[screen.query_one("#users-table", Table).cursor]
        distance = np.hypot(
            *(
                np.log10(ranks[chosen] / ranks[worst])
                for ranks in (screen.all.rank_a, screen.all.rank_b)
            )
        )
        assert distance < 0.1


def test_ticks_stand_apart() -> None:
    axis = Axis(1, 1600, log=True)
    assert [rank for rank, _ in rank_marks(axis, 70, 6)] == [1, 10, 50, 100, 1000]
    assert [rank for rank, _ in rank_marks(axis, 30, 6)] == [1, 10, 50, 1000]
