"""The numbers of one person's views, against an independent computation in plain numpy."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from neumf_tui.errors import RunError
from neumf_tui.explore.ranker import Ranker
from neumf_tui.runs.reader import read_ranks
from neumf_tui.scorers.neumf import NeuMFScorer
from tests.support.commands import Cli
from tests.support.numpy_neumf import NumpyNeuMF, candidates
from tests.support.weights import weights_of

FULL = 10
"""The last epoch of the trained run."""


@pytest.fixture(scope="module")
def shared(trained_home: Path) -> tuple[Ranker, NumpyNeuMF]:
    folder = trained_home / "runs" / "trained"
    return Ranker(folder, trained_home), NumpyNeuMF(
        folder / "checkpoints" / f"{FULL:05}.safetensors"
    )


@pytest.mark.parametrize("user", [0, 196, 500, 699])
def test_ranking_and_parts(shared: tuple[Ranker, NumpyNeuMF], user: int) -> None:
    ranker, plain = shared
    gmf, mlp = plain.user(user)
    items = candidates(ranker.dataset, user)
    ranking = ranker.rank(user)
    assert sorted(ranking.items.tolist()) == items
    for part, values in (("gmf", gmf), ("mlp", mlp)):
        found = ranking.parts[part]
        np.testing.assert_allclose(found, values[ranking.items], rtol=1e-4, atol=1e-5)
    total = ranking.parts["gmf"].astype(np.float64) + ranking.parts["mlp"]
    assert (np.abs(total - ranking.scores) <= 1e-5 * np.abs(ranking.scores)).all(), (
        "the parts sum to the score"
    )
    assert (np.diff(ranking.scores) <= 0).all()
    held = int(ranker.dataset.split.heldout[user])
    for part, values in (("score", gmf + mlp), ("gmf", gmf), ("mlp", mlp)):
        # Where float32 cannot tell two films apart, neither order is wrong.
        certain = sum(values[item] > values[held] + 1e-5 for item in items)
        possible = sum(values[item] > values[held] - 1e-5 for item in items) - 1
        assert 1 + certain <= ranking.heldout_ranks[part] <= 1 + possible
        by = ranker.rank(user, part)
        assert by.ranks[by.heldout] == ranking.heldout_ranks[part]
        assert by.heldout_ranks == ranking.heldout_ranks
        assert (np.diff({"score": by.scores, **by.parts}[part]) <= 0).all()
    means = (gmf[items].mean(), mlp[items].mean())
    assert [ranking.means[part] for part in ("gmf", "mlp")] == pytest.approx(means, abs=1e-5)
    assert ranking.known == len(ranking.items) == len(items)
    centred = ranking.centred(3)
    item = ranking.items[3]
    assert centred["score"] == pytest.approx(gmf[item] + mlp[item] - sum(means), abs=1e-4)
    assert centred["score"] == centred["gmf"] + centred["mlp"]


def test_ranks_of_every_epoch_are_those_of_the_tape(shared: tuple[Ranker, NumpyNeuMF]) -> None:
    ranker, _ = shared
    for epoch in (1, 5, FULL):
        then, tape = ranker.at(epoch), read_ranks(ranker.folder, epoch)
        assert then.epoch == epoch
        for user in (3, 77, 640):
            assert then.rank(user).heldout_ranks["score"] == tape[user]
    with pytest.raises(
        RunError, match="no checkpoint after epoch 99; there are 1 to 10, `best` and `last`"
    ):
        ranker.at(99)


def test_why_takes_the_gmf_part_apart_exactly(shared: tuple[Ranker, NumpyNeuMF]) -> None:
    from neumf_tui.explore.why import explain

    ranker, plain = shared
    for user, row in ((5, 0), (196, 40), (600, 1000)):
        ranking = ranker.rank(user)
        found = explain(ranker, ranking, row)
        weights = plain.head[: plain.d] * plain.w["user_gmf.weight"][user]
        table = plain.w["item_gmf.weight"]
        mean = table[candidates(ranker.dataset, user)].mean(0)
        effects = weights * (table[found.item] - mean)
        assert found.part == "gmf" and not found.items
        assert [factor.number for factor in found.factors] == (
            1 + np.argsort(-np.abs(effects))
        ).tolist()
        assert sum(f.effect for f in found.factors) == pytest.approx(
            ranking.centred(row)["gmf"], abs=1e-4
        )
        history = ranker.dataset.history(user)
        for factor in found.factors:
            k = factor.number - 1
            assert factor.effect == pytest.approx(effects[k], rel=1e-4, abs=1e-6)
            carried = weights[k] * (table[history, k] - mean[k]) * np.sign(effects[k])
            best = history[np.argsort(-carried)][:3]
            assert [item for item, _ in factor.carriers] == best[np.sort(-carried)[:3] < 0].tolist()


def test_near_miss_margin_and_leaving_out(shared: tuple[Ranker, NumpyNeuMF]) -> None:
    from neumf_tui.explore.near_miss import leave_out, margin
    from neumf_tui.views.near_miss import near_miss_sheet

    ranker, plain = shared
    ranks = read_ranks(ranker.folder, FULL)
    user = int(np.flatnonzero((ranks > 60) & (np.diff(ranker.dataset.offsets) < 40))[0])
    ranking = ranker.rank(user)
    gmf, mlp = plain.user(user)
    scores = np.sort((gmf + mlp)[candidates(ranker.dataset, user)])[::-1]
    held = int(ranker.dataset.split.heldout[user])
    found = margin(ranking)
    assert found is not None and found.rank == ranks[user]
    assert (
        found.score == pytest.approx((gmf + mlp)[held] - scores[49], abs=1e-4) and found.score < 0
    )
    assert found.deviations == pytest.approx(found.score / scores.std(), rel=1e-3)
    *_, left = leave_out(ranker, ranking)
    history = ranker.dataset.history(user)
    assert left.items.tolist() == history.tolist() and left.total == len(history)
    # One of them anew: folded in without its film, ranked among the same candidates by the plain
    # model.
    row = len(history) // 2
    scorer = ranker.scorer
    assert isinstance(scorer, NeuMFScorer)
    whole = scorer._fold_in.fit(history)
    alone = scorer._fold_in.fit(np.delete(history, row), start=whole, spared=history)
    one, two = plain.parts(*np.split(alone.astype(np.float64), 2))
    folded = (one + two)[candidates(ranker.dataset, user)]
    target = (one + two)[held]
    low, high = 1 + (folded > target + 1e-5).sum(), (folded > target - 1e-5).sum()
    assert low <= left.ranks[row] <= high
    sheet = near_miss_sheet(ranker, ranking, left)
    changes = [entry["change"] for entry in sheet.rows]
    assert changes == sorted(changes) and len(changes) == len(history)
    assert "not a training" in sheet.about["method"]


def test_a_history_of_one_film_cannot_be_left_out(shared: tuple[Ranker, NumpyNeuMF]) -> None:
    from dataclasses import replace

    from neumf_tui.explore.near_miss import leave_out

    ranker, _ = shared
    ranking = ranker.rank(0)
    profile = replace(ranking.person.profile, history=ranking.person.history[:1])
    short = replace(ranking, person=replace(ranking.person, profile=profile))
    with pytest.raises(RunError, match="nothing to fold in"):
        next(leave_out(ranker, short))


def test_commands_print_the_same_numbers(trained: Path, inside: Cli) -> None:
    ranker = Ranker(trained, trained.parents[1])
    ranking = ranker.rank(ranker.dataset.user_index("sim-021"), "mlp")
    said = json.loads(inside("rank", "sim-021", "--by", "mlp", "--top", "all", "--json").stdout)
    assert [row["item_id"] for row in said["items"]] == [
        ranker.dataset.catalogue.item_ids[i] for i in ranking.items
    ]
    # Another process may use another number of threads, and so sum in another order.
    np.testing.assert_allclose(
        [row["mlp"] for row in said["items"]], ranking.parts["mlp"], rtol=1e-5, atol=1e-6
    )
    assert (
        said["by"] == "mlp"
        and said["heldout"]["rank_by_mlp"] == ranking.heldout_ranks["mlp"]
        and said["guest"] is None
    )
    rows = list(
        csv.DictReader(io.StringIO(inside("rank", "sim-021", "--by", "mlp", "--csv").stdout))
    )
    assert [float(row["mlp"]) for row in rows] == [row["mlp"] for row in said["items"][:10]]
    assert (
        rows[0]["dataset"] == "demo"
        and rows[0]["simulated"] == "True"
        and rows[0]["user"] == "sim-021"
    )

    then = json.loads(inside("rank", "sim-021", "--epoch", "3", "--json").stdout)
    assert (
        then["epoch"] == 3 and then["heldout"]["rank"] == read_ranks(trained, 3)[ranking.person.who]
    )

    way = json.loads(inside("journey", "sim-021", "--json").stdout)
    assert [row["rank"] for row in way["epochs"]] == [
        read_ranks(trained, e)[ranking.person.who] for e in range(1, FULL + 1)
    ]
    assert all(row["loss"] > 0 for row in way["epochs"])

    title = ranker.dataset.catalogue.titles[ranking.items[0]]
    told = json.loads(inside("why", "sim-021", title, "--json").stdout)
    assert told["film"]["title"] == title and told["mlp"] == said["items"][0]["mlp"]
    assert sum(row["effect"] for row in told["factors"]) == pytest.approx(
        told["gmf_centred"], abs=1e-5
    )
    assert told["score_centred"] == pytest.approx(
        told["gmf_centred"] + told["mlp_centred"], abs=1e-6
    )

    near = json.loads(inside("near-miss", "sim-021", "--json").stdout)
    assert len(near["history"]) == len(ranking.person.history)
    assert (
        near["margin"]["at_50"]["item_id"]
        == ranker.dataset.catalogue.item_ids[ranker.rank(ranking.person.who).items[49]]
    )
    for command in ("rank", "journey", "why", "near-miss"):
        plain = inside(command, "sim-021")
        assert (
            plain.returncode == 0
            and "sim-021" in plain.stdout
            and "demo (simulated)" in plain.stdout
        ), plain.stderr


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("rank",), 2, "name one person"),
        (("rank", "sim-021", "--guest", "anna"), 2, "name one person"),
        (("rank", "--guest", "anna"), 4, "there is none yet; `neumf-tui recommend --likes"),
        (("rank", "sim-021", "--by", "luck"), 2, "trained can order by score, gmf, mlp"),
        (("rank", "sim-021", "--epoch", "77"), 4, "there are 1 to 10, `best` and `last`"),
        (("rank", "nobody"), 4, "nearest ids"),
        (("why", "sim-021", "no such film anywhere"), 4, "no such film anywhere"),
        (("export", "--what", "everything"), 2, "expected one of ranks, top-k, embeddings"),
        (("export", "--format", "xlsx"), 2, "expected one of csv, parquet, npz"),
        (("export", "--epoch", "3"), 2, "every evaluated epoch"),
        (("export", "--what", "top-k", "--top", "0"), 2, "expected 1 to 1,189"),
        (("export", "--output", "/nowhere/at/all.csv"), 2, "no such folder"),
        (("explore", "--user", "nobody"), 4, "nearest ids"),
        (("explore", "--epoch", "77"), 4, "no checkpoint after epoch 77"),
    ],
)
def test_bad_input_is_told_in_one_line(
    trained: Path, inside: Cli, args: tuple[str, ...], code: int, said: str
) -> None:
    done = inside(*args)
    assert done.returncode == code and said in done.stderr and done.stderr.count("\n") == 1, (
        done.stderr
    )
    assert done.stdout == "" and "Traceback" not in done.stderr


def test_a_film_of_the_history_has_no_why(trained: Path, inside: Cli) -> None:
    ranker = Ranker(trained, trained.parents[1])
    data = ranker.dataset
    seen = data.catalogue.item_ids[int(data.history(data.user_index("sim-021"))[0])]
    done = inside("why", "sim-021", seen)
    assert done.returncode == 2 and "is in the history of user sim-021" in done.stderr


def test_export_is_what_the_run_holds(
    trained: Path, inside: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    monkeypatch.chdir(tmp_path)
    ranker = Ranker(trained, trained.parents[1])
    data = ranker.dataset
    tables = {}
    for what in ("ranks", "top-k", "embeddings"):
        for form in ("csv", "parquet", "npz"):
            done = inside(
                "export",
                "--what",
                what,
                "--format",
                form,
                *(("--top", "5") if what == "top-k" else ()),
            )
            assert done.stdout.strip() == str(tmp_path / f"trained-{what}.{form}"), done.stderr
            path = Path(done.stdout.strip())
            if form == "npz":
                tables[what, form] = dict(np.load(path, allow_pickle=False))
            else:
                table = (
                    pyarrow.csv.read_csv(path)
                    if form == "csv"
                    else pyarrow.parquet.read_table(path)
                )
                tables[what, form] = {name: table[name].to_numpy() for name in table.column_names}
                assert set(tables[what, form].pop("dataset")) == {"demo"}
                assert {str(one) for one in tables[what, form].pop("simulated")} == {"True"}
    for form in ("csv", "parquet", "npz"):
        ranks = tables["ranks", form]
        for epoch in (1, FULL):
            np.testing.assert_array_equal(
                ranks["rank"][ranks["epoch"] == epoch].astype(np.float32),
                read_ranks(trained, epoch),
            )
        top = tables["top-k", form]
        for user in (0, 196, 699):
            ranking = ranker.rank(user)
            mine = top["user"] == data.user_ids[user]
            assert top["item_id"][mine].astype(str).tolist() == [
                data.catalogue.item_ids[i] for i in ranking.items[:5]
            ]
            np.testing.assert_allclose(top["score"][mine], ranking.scores[:5], rtol=1e-5)
    whole, flat = tables["embeddings", "npz"], tables["embeddings", "parquet"]
    assert str(whole["dataset"]) == "demo" and bool(whole["simulated"])
    weights = weights_of(ranker)
    for table in ("user_gmf", "user_mlp", "item_gmf", "item_mlp"):
        np.testing.assert_array_equal(whole[table], weights[f"{table}.weight"])
        np.testing.assert_array_equal(
            flat["v3"][flat["table"] == table], weights[f"{table}.weight"][:, 3]
        )
    np.testing.assert_array_equal(whole["head"], weights["head.weight"][0])
    assert flat["id"][flat["table"] == "item_gmf"].tolist() == data.catalogue.item_ids
    again = inside("export", "--what", "ranks")
    assert (
        again.returncode == 2 and "this file exists; give another name, or --force" in again.stderr
    )
    written = Path("trained-ranks.csv").resolve()
    written.write_text("old")
    assert inside("export", "--what", "ranks", "--force").returncode == 0
    assert written.read_text().startswith('"dataset"')
    folder = inside("export", "--output", str(written.parent), "--force")
    assert folder.returncode == 2 and "found a folder" in folder.stderr
