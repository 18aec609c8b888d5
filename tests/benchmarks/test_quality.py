"""The benchmarks `quality` and `ablation`: their arithmetic, tables and chart, and kept runs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.__main__ import PAGES, RESULTS, update_pages
from benchmarks.quality import ablation, presets, splits
from benchmarks.quality.chart import QualityChart
from benchmarks.quality.jobs import Job, Runner, preset_model
from benchmarks.quality.rows import Mean, Results, Row, by_hit, change, metric, noise
from benchmarks.quality.tables import flags
from benchmarks.report import Table, copy_into
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.facts import SplitFacts
from neumf_tui.settings import DEFAULT_PRESET, make_settings
from tests.support.commands import run_cli

ROOT = Path(__file__).parents[2]


def run(
    seed: int | None, hit: float, validation: float | None, auc: float = 0.8, epoch: int | None = 3
) -> dict[str, Any]:
    figures = {"hit@10": hit / 4, "ndcg@10": hit / 8, "mrr": 0.1, "auc": auc}
    return {
        "seed": seed,
        "heldout": figures | {"hit@50": hit},
        "interval": [hit - 0.03, hit + 0.03],
        "validation": None if validation is None else figures | {"hit@50": validation},
        "epoch": epoch,
        "seconds": {"work": 10.0 + (seed or 0), "process": 20.0, "cpu": 30.0, "others": 0.0},
    }


def row(name: str, kind: str, runs: list[dict[str, Any]], **more: Any) -> Row:
    about = {"name": name, "kind": kind, "title": name, "settings": {}, "optimistic": False}
    return msgspec.convert(about | {"runs": runs} | more, Row)


PRESET = row(
    "tuned",
    "preset",
    [run(0, 0.40, 0.50, epoch=7), run(1, 0.44, 0.53, epoch=9), run(2, 0.48, 0.53, epoch=8)],
)
CHANGE = row(
    "no history",
    "change",
    [run(0, 0.3, 0.40), run(1, 0.3, 0.43), run(2, 0.3, 0.46)],
    settings={"history": 0},
)
SLIGHT = row(
    "clipped",
    "change",
    [run(0, 0.4, 0.50), run(1, 0.4, 0.52), run(2, 0.4, 0.54)],
    settings={"clip": 10},
)
OPTIMISTIC = row("d2l", "preset", [run(0, 0.60, None), run(1, 0.62, None)], optimistic=True)
BASELINE = row(
    "ease",
    "baseline",
    [run(None, 0.41, 0.45, auc=0.9, epoch=None)],
    title="EASE",
    settings={"l2": 300},
)


def results(*rows: Row) -> Results:
    return Results(
        dataset="demo (simulated)",
        fingerprint="0123456789abcdef",
        num_users=900,
        num_items=1234,
        num_train=50000,
        num_heldout=899,
        protocol={"split": "the latest", "ties": "half"},
        cores=2,
        rows=list(rows),
    )


def cells(table: Table, name: str) -> list[str]:
    """Return the one row of a table that starts with `name`."""
    (found,) = (row for row in table.rows if row[0] == name)
    return list(found)


def names(table: Table) -> list[str]:
    return [row[0] for row in table.rows]


def test_mean_and_deviation_of_runs() -> None:
    mean = metric(PRESET, "heldout", "hit@50")
    assert mean is not None
    assert (mean.mean, mean.deviation) == pytest.approx((0.44, 0.04))  # √((0.04² + 0 + 0.04²) / 2)
    assert mean.text() == "0.440 ± 0.040"
    assert metric(BASELINE, "validation", "hit@50") == Mean(0.45, None)
    assert metric(OPTIMISTIC, "validation", "hit@50") is None
    assert Mean(-0.02, 0.001).text("+") == "−0.020 ± 0.001"
    assert Mean(0.02, None).text("+") == "+0.020"


def test_changes_are_taken_seed_by_seed() -> None:
    mean = change(CHANGE, PRESET)  # −0.10, −0.10, −0.07
    assert mean is not None
    assert (mean.mean, mean.deviation) == pytest.approx((-0.09, 0.0173205), abs=1e-6)
    other = msgspec.convert(run(7, 0.3, 0.9), type(CHANGE.runs[0]))
    later = msgspec.structs.replace(CHANGE, runs=[*CHANGE.runs[1:], other])
    alone = change(later, PRESET)
    assert alone is not None and alone.mean == pytest.approx(
        -0.085
    )  # seed 7 has nothing to be compared with
    assert change(OPTIMISTIC, PRESET) is None


def test_noise_is_the_spread_of_all_rows_about_their_own_means() -> None:
    # Variances 0.0003, 0.0009 and 0.0004 of three seeds each: 1.95996 · √(2 · 0.0016 / 3 / 3).
    assert noise([PRESET, CHANGE, SLIGHT]) == pytest.approx(
        1.959964 * (2 * 0.0016 / 9) ** 0.5, rel=1e-5
    )
    assert noise([BASELINE, OPTIMISTIC]) is None


def test_the_quality_table() -> None:
    told = presets.report(results(BASELINE, PRESET, OPTIMISTIC))
    heldout, validation = told.tables
    # In order of held-out Hit@50.
    assert names(heldout) == ["NeuMF `d2l` †", "NeuMF `tuned`", "EASE"] == names(validation)
    assert cells(heldout, "NeuMF `tuned`") == [
        "NeuMF `tuned`", "**0.110 ± 0.010**", "**0.440 ± 0.040**", "**0.055 ± 0.005**",
        "0.800 ± 0.000", "7–9", "11.0", "20.0",
    ]  # fmt: skip
    assert cells(heldout, "EASE")[4:] == ["**0.900**", "–", "10.0", "20.0"]
    # An optimistic result is never the best.
    assert "**" not in "".join(cells(heldout, "NeuMF `d2l` †"))
    assert cells(validation, "NeuMF `d2l` †")[1:] == ["–"] * 4
    assert cells(validation, "NeuMF `tuned`")[2] == "**0.520 ± 0.017**"
    text = " ".join([*told.notes, told.repeats])
    for words in (
        "`demo (simulated)`: 899 users",
        "seeds 0 to 2",
        "Rows with † are optimistic",
        "EASE: l2=300",
        "±0.030",
        "2 cores",
    ):
        assert words in text
    assert "†" not in " ".join(presets.report(results(BASELINE, PRESET)).notes)


def test_the_difference_from_the_strongest_baseline() -> None:
    against = {"ease": (0.03, -0.01, 0.06), "popularity": (0.2, 0.1, 0.3)}
    runs = [msgspec.structs.replace(one, against=against) for one in PRESET.runs]
    told = presets.report(results(BASELINE, msgspec.structs.replace(PRESET, runs=runs)))
    assert "+0.030, 95 % interval −0.010 to +0.060" in " ".join(told.notes)
    assert "strongest" not in " ".join(presets.report(results(BASELINE, PRESET)).notes)


def test_the_ablation_table_has_changes_and_marks_those_beyond_the_seeds() -> None:
    told = ablation.report(results(PRESET, CHANGE, SLIGHT))
    validation, heldout = told.tables
    assert validation.columns[2:4] == ("Hit@50", "change")
    assert cells(validation, "no history: `--history 0`")[3] == "**−0.090 ± 0.017**"
    assert cells(validation, "clipped: `--clip 10`")[3] == "+0.000 ± 0.010"
    assert cells(validation, "NeuMF `tuned`")[2:4] == ["0.520 ± 0.017", "–"]
    assert [name[:6] for name in names(heldout)] == ["NeuMF ", "no his", "clippe"]
    assert "±0.037" in " ".join(told.notes)


def test_a_result_is_copied_between_its_marks_again_and_again() -> None:
    page = "Before.\n<!-- quality:begin -->\nold\n<!-- quality:end -->\nAfter.\n"
    result = "# Title\n\n| new |\n\n![Title](quality.svg)\n\n- note\n"
    once = copy_into(page, "quality", result)
    assert once == (
        "Before.\n<!-- quality:begin -->\n\n| new |\n\n- note\n\n<!-- quality:end -->\nAfter.\n"
    )
    assert copy_into(once, "quality", result) == once
    for bad in ("nothing", page + page, "<!-- quality:end --> <!-- quality:begin -->"):
        with pytest.raises(ValueError, match="<!-- quality:begin -->"):
            copy_into(bad, "quality", "")


def test_the_readme_is_updated_from_the_results_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("A\n<!-- quality:begin -->\n<!-- quality:end -->\nB\n")
    with pytest.raises(SystemExit, match="measure first: python -m benchmarks quality"):
        update_pages(tmp_path, {"quality": readme})
    (tmp_path / "quality.md").write_text("# T\n\n| x |\n\n- y\n")
    update_pages(tmp_path, {"quality": readme})
    assert "begin -->\n\n| x |\n\n- y\n\n<!-- quality:end -->\nB" in readme.read_text()
    readme.write_text("no marks")
    with pytest.raises(SystemExit, match="expected one <!-- quality:begin -->"):
        update_pages(tmp_path, {"quality": readme})


@pytest.mark.parametrize("name", PAGES)
def test_pages_have_the_results_that_are_kept(name: str) -> None:
    page = PAGES[name].read_text("utf-8")
    assert copy_into(page, name, (RESULTS / f"{name}.md").read_text("utf-8")) == page


def test_the_splits_table_and_the_orders() -> None:
    refitted = msgspec.structs.replace(PRESET, name=splits.REFITTED, kind="change")
    facts = SplitFacts(heldout=90, cold_users=7, cold_items=5, unused=1234)
    same = {"num_users": 900, "num_items": 1234, "num_train": 50000}
    folds = [
        splits.Fold(
            split=split, fingerprint="f" * 64, facts=facts, rows=[BASELINE, PRESET, *more], **same
        )
        for split, more in (("latest", []), ("time", [refitted]))
    ]
    orders = [
        splits.Order(name=name, fingerprint=fingerprint * 64, row=PRESET)
        for name, fingerprint in (("as they are", "f"), ("CSV, one", "a"), ("CSV, two", "a"))
    ]
    told = splits.report(splits.Results(dataset="demo", cores=2, folds=folds, orders=orders))
    table, of_orders = told.tables
    assert [(line[0], line[1]) for line in table.rows] == [
        ("EASE", "`latest`"),
        ("NeuMF `tuned`", "`latest`"),
        ("EASE", "`time`"),
        ("NeuMF `tuned`", "`time`"),
        ("NeuMF `tuned`, refitted", "`time`"),
    ]
    assert list(table.rows[1])[2:] == [
        "0.110 ± 0.010", "0.440 ± 0.040", "0.055 ± 0.005", "0.800 ± 0.000", "7–9",
    ]  # fmt: skip
    assert [line[0] for line in of_orders.rows] == ["as they are", "CSV, one", "CSV, two"]
    text = " ".join(told.notes)
    for words in ("90 users are evaluated, 7 are left out", "5 held-out items", "1,234 inter"):
        assert words in text
    assert "2 orders of a CSV file have 1 fingerprint. Hit@50 of all orders is within 0.000" in text


def test_every_order_of_the_rows_is_the_same_interactions(tmp_path: Path, demo: Dataset) -> None:
    orders = splits._row_orders(demo)
    texts = []
    for name, order in orders.items():
        path = splits._write_rows(tmp_path / f"{name}.csv", demo, order)
        texts.append(path.read_text().splitlines())
    assert len({tuple(text) for text in texts}) == len(orders)
    assert len({tuple(sorted(text)) for text in texts}) == 1
    assert len(texts[0]) == 1 + demo.num_train + 700


def test_every_change_can_be_made_and_asked_for() -> None:
    names = [name for name, _ in ablation.CHANGES]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "," in name]
    for _, settings in ablation.CHANGES:
        make_settings(DEFAULT_PRESET, settings)  # raises UsageError if it is not possible
    assert flags({"scaled_init": False, "validation": True}) == ["--no-scaled-init", "--validation"]
    assert flags({"mlp_layers": (32, 16)}) == ["--mlp-layers", "32,16"]
    assert flags({"history_decay": 1e6}) == ["--history-decay", "1000000.0"]


def test_changes_without_effect_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    changes = (
        ("as it is", {"negatives": make_settings("d2l", {}).negatives}),
        ("five", {"negatives": 5}),
        ("also five", {"negatives": 5}),
    )
    models = ablation.changed_models("d2l", changes)
    assert [model.row.name for model in models] == ["d2l", "five"]
    assert "as it is: the same as d2l" in capsys.readouterr().err


def test_a_kept_run_is_used_only_for_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Runner(tmp_path, "demo", None)
    job = Job(preset_model("d2l"), 3)
    assert runner.kept(job) is None
    made = PRESET.runs[0]
    monkeypatch.setattr(runner, "_train", lambda _: (made, {}))  # training would take seconds
    runner.do(job)
    kept = runner.kept(job)
    assert kept is not None and kept.run == made
    assert runner.kept(Job(preset_model("d2l"), 4)) is None
    # As if the preset had changed since.
    monkeypatch.setattr(
        "benchmarks.quality.jobs.make_settings",
        lambda preset, changes: make_settings(preset, changes | {"negatives": 9}),
    )
    assert runner.kept(job) is None


def test_the_chart_has_names_and_numbers_and_is_the_same_again(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the chart needs matplotlib, of the extra `bench`")
    paths = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for path in paths:
        QualityChart(by_hit([BASELINE, PRESET, OPTIMISTIC])).save(path)
    first, second = (path.read_text() for path in paths)
    assert first == second
    for words in ("NeuMF tuned", "EASE", "NeuMF d2l †", "0.440", "0.410", "Hit@50"):
        assert f">{words}</text>" in first


@pytest.mark.slow
def test_measured_by_the_commands_that_a_user_types(tmp_path: Path) -> None:
    """Measure a baseline and a preset, then use the kept runs."""
    pytest.importorskip("matplotlib", reason="the chart needs matplotlib, of the extra `bench`")
    call = [
        sys.executable, "-m", "benchmarks", "quality", "--quick", "--only", "popularity,d2l",
        "--keep", str(tmp_path / "kept"), "--results", str(tmp_path),
    ]  # fmt: skip

    def rows() -> list[Row]:
        told = json.loads((tmp_path / "quality.json").read_text())
        return msgspec.convert(told["figures"]["rows"], list[Row])

    subprocess.run(call, check=True, capture_output=True, cwd=ROOT)
    found = rows()
    assert [(row.name, [run.seed for run in row.runs]) for row in found] == [
        ("popularity", [None]),
        ("d2l", [0]),
    ]
    popularity, d2l = (row.runs[0] for row in found)
    options = ("--preset", "d2l", "--dataset", "demo", "--seed", "0", "--threads", "1")
    told = json.loads(run_cli("train", *options, "--json").stdout)
    assert d2l.heldout == told["metrics"] and d2l.validation is None and d2l.epoch == 10
    assert popularity.heldout == pytest.approx(told["popularity"])
    assert found[1].optimistic and 0 < d2l.seconds.work < d2l.seconds.process
    assert str(tmp_path) not in (tmp_path / "quality.json").read_text()
    again = subprocess.run(call, check=True, capture_output=True, text=True, cwd=ROOT)
    assert again.stderr.count("(kept)") == 2
    assert rows() == found
