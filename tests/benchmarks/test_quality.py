"""benchmarks/quality.py: the sums behind the quality table, the table itself, and what is kept."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks import quality
from benchmarks.ablation import CHANGES
from benchmarks.quality_table import (
    Mean,
    Results,
    Row,
    change,
    flags,
    markdown,
    metric,
    noise,
    put_between,
    read_results,
)
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


def row(name: str, kind: str, runs: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "title": name,
        "settings": {},
        "flattered": False,
        "runs": runs,
    } | more


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
FLATTERED = row("d2l", "preset", [run(0, 0.60, None), run(1, 0.62, None)], flattered=True)
BASELINE = row(
    "ease",
    "baseline",
    [run(None, 0.41, 0.45, auc=0.9, epoch=None)],
    title="EASE",
    settings={"l2": 300},
)


def results(table: str, *rows: dict[str, Any]) -> Results:
    about = {
        "table": table, "made": "2026-01-02", "dataset": "demo (simulated)", "fingerprint": "0123456789abcdef",
        "num_users": 900, "num_items": 1234, "num_train": 50000, "num_heldout": 899,
        "protocol": {"split": "the latest", "ties": "half"},
        "host": {"system": "Linux", "processor": "P", "cores": 2, "memory_gib": 8.0, "versions": {"torch": "2.9"}},
        "rows": list(rows),
    }  # fmt: skip
    return msgspec.json.decode(json.dumps(about), type=Results)


def of(one: dict[str, Any]) -> Row:
    return msgspec.convert(one, Row)


def cells(table: str, name: str) -> list[str]:
    """The one row of a Markdown table that begins with `name`."""
    (line,) = (line for line in table.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_mean_and_deviation_of_runs() -> None:
    mean = metric(of(PRESET), "heldout", "hit@50")
    assert mean is not None
    assert (mean.mean, mean.deviation) == pytest.approx((0.44, 0.04))  # √((0.04² + 0 + 0.04²) / 2)
    assert mean.text(3) == "0.440 ± 0.040"
    assert metric(of(BASELINE), "validation", "hit@50") == Mean(0.45, None)
    assert metric(of(FLATTERED), "validation", "hit@50") is None
    assert Mean(-0.02, 0.001).text(3, "+") == "−0.020 ± 0.001"
    assert Mean(0.02, None).text(3, "+") == "+0.020"


def test_changes_are_taken_seed_by_seed() -> None:
    mean = change(of(CHANGE), of(PRESET))  # −0.10, −0.10, −0.07
    assert mean is not None
    assert (mean.mean, mean.deviation) == pytest.approx((-0.09, 0.0173205), abs=1e-6)
    later = of(CHANGE | {"runs": [*CHANGE["runs"][1:], run(7, 0.3, 0.9)]})
    alone = change(later, of(PRESET))
    assert alone is not None and alone.mean == pytest.approx(
        -0.085
    )  # seed 7 has nothing to be compared with
    assert change(of(FLATTERED), of(PRESET)) is None


def test_noise_is_the_spread_of_all_rows_about_their_own_means() -> None:
    # Variances 0.0003, 0.0009 and 0.0004 of three seeds each: 1.95996 · √(2 · 0.0016 / 3 / 3).
    assert noise([of(PRESET), of(CHANGE), of(SLIGHT)]) == pytest.approx(
        1.959964 * (2 * 0.0016 / 9) ** 0.5, rel=1e-5
    )
    assert noise([of(BASELINE), of(FLATTERED)]) is None


def test_the_quality_table() -> None:
    text = markdown(results("quality", BASELINE, PRESET, FLATTERED))
    heldout, validation, notes = text.split("\n\n")
    names = [line.split("|")[1].strip() for line in heldout.splitlines()[2:]]
    assert names == ["NeuMF `d2l` †", "NeuMF `tuned`", "EASE"]  # by held-out Hit@50
    tuned = cells(heldout, "NeuMF `tuned`")
    assert tuned == [
        "NeuMF `tuned`", "**0.110 ± 0.010**", "**0.440 ± 0.040**", "**0.055 ± 0.005**", "0.800 ± 0.000", "7–9", "11.0", "20.0",
    ]  # fmt: skip
    assert cells(heldout, "EASE")[4:] == ["**0.900**", "–", "10.0", "20.0"]
    assert "**" not in "".join(cells(heldout, "NeuMF `d2l` †"))  # what flatters is never the best
    assert cells(validation, "NeuMF `d2l` †")[1:] == ["–"] * 4
    assert cells(validation, "NeuMF `tuned`")[2] == "**0.520 ± 0.017**"
    for words in (
        "`demo (simulated)`, 899 users",
        "seeds 0 to 2",
        "†: there they never are",
        "EASE: l2=300",
        "±0.030",
        "2 cores",
    ):
        assert words in notes
    assert "†" not in markdown(results("quality", BASELINE, PRESET))


def test_the_ablation_table_has_changes_and_marks_those_beyond_the_seeds() -> None:
    validation, heldout, notes = markdown(results("ablation", PRESET, CHANGE, SLIGHT)).split("\n\n")
    assert validation.splitlines()[0].split("|")[3:5] == [" Hit@50 ", " change "]
    assert cells(validation, "no history: `--history 0`")[3] == "**−0.090 ± 0.017**"
    assert cells(validation, "clipped: `--clip 10`")[3] == "+0.000 ± 0.010"
    assert cells(validation, "NeuMF `tuned`")[2:4] == ["0.520 ± 0.017", "–"]
    assert [line.split("|")[1].strip()[:6] for line in heldout.splitlines()[2:]] == [
        "NeuMF ",
        "no his",
        "clippe",
    ]
    assert "±0.037" in notes


def test_the_table_goes_between_its_marks_again_and_again() -> None:
    page = "Before.\n<!-- quality:begin -->\nold\n<!-- quality:end -->\nAfter.\n"
    once = put_between(page, "quality", "| new |\n")
    assert once == "Before.\n<!-- quality:begin -->\n\n| new |\n\n<!-- quality:end -->\nAfter.\n"
    assert put_between(once, "quality", "| new |\n") == once
    for bad in ("nothing", page + page, "<!-- quality:end --> <!-- quality:begin -->"):
        with pytest.raises(ValueError, match="<!-- quality:begin -->"):
            put_between(bad, "quality", "")


def test_readme_and_draw_work_from_the_results_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("A\n<!-- ablation:begin -->\n<!-- ablation:end -->\nB\n")
    call = [
        "quality.py",
        "--ablation",
        "--draw",
        "--readme",
        str(readme),
        "--results",
        str(tmp_path),
    ]
    monkeypatch.setattr(sys, "argv", call)
    with pytest.raises(SystemExit, match=r"ablation\.json: cannot be read"):
        quality.main()
    (tmp_path / "ablation.json").write_bytes(
        msgspec.json.encode(results("ablation", PRESET, CHANGE))
    )
    quality.main()
    table = (tmp_path / "ablation.md").read_text()
    assert table == markdown(results("ablation", PRESET, CHANGE))
    assert (
        readme.read_text() == f"A\n<!-- ablation:begin -->\n\n{table}\n<!-- ablation:end -->\nB\n"
    )


def test_every_change_can_be_made_and_asked_for() -> None:
    names = [name for name, _ in CHANGES]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "," in name]
    for _, settings in CHANGES:
        make_settings(
            DEFAULT_PRESET, settings
        )  # raises UsageError for one that is unknown or impossible
    assert flags({"scaled_init": False, "mlp_layers": (32, 16), "history_decay": 1e6, "validation": True}) == [
        "--no-scaled-init", "--mlp-layers", "32,16", "--history-decay", "1000000.0", "--validation",
    ]  # fmt: skip


def test_changes_that_come_to_nothing_new_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = make_settings("d2l", {})
    changes = (
        ("as it is", {"negatives": plain.negatives}),
        ("five", {"negatives": 5}),
        ("also five", {"negatives": 5}),
    )
    monkeypatch.setattr(quality, "CHANGES", changes)
    assert [row.name for row, _ in quality.change_rows("d2l")] == ["d2l", "five"]
    assert "as it is: the same as d2l" in capsys.readouterr().err


def test_what_is_kept_serves_only_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = quality.Bench(tmp_path, "demo", None)
    ((preset, name),) = quality.preset_rows(["d2l"])
    job = quality.Job(preset, name, 3)
    assert bench.kept(job) is None
    made = of(PRESET).runs[0]
    monkeypatch.setattr(bench, "_train", lambda _: (made, {}))
    bench.do(job)
    kept = bench.kept(job)
    assert kept is not None and kept.run == made
    assert bench.kept(quality.Job(preset, name, 4)) is None
    monkeypatch.setattr(
        quality,
        "make_settings",
        lambda preset, changes: make_settings(preset, changes | {"negatives": 9}),
    )
    assert bench.kept(job) is None  # the preset has changed since


def test_the_chart_says_who_and_how_much_and_is_the_same_again(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the chart needs matplotlib, of the extra `bench`")
    from benchmarks.quality_chart import draw

    paths = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for path in paths:
        draw(results("quality", BASELINE, PRESET, FLATTERED), path)
    first, second = (path.read_text() for path in paths)
    assert first == second
    for words in ("NeuMF tuned", "EASE", "NeuMF d2l †", "0.440", "0.410", "Hit@50"):
        assert f">{words}</text>" in first


@pytest.mark.slow
def test_measured_as_a_user_would(tmp_path: Path) -> None:
    """A baseline and a preset, by the commands themselves; then from what was kept."""
    call = [
        sys.executable, "-m", "benchmarks.quality", "--dataset", "demo", "--only", "popularity,d2l", "--seeds", "5",
        "--cores", "1",
        "--keep", str(tmp_path / "kept"), "--results", str(tmp_path),
    ]  # fmt: skip
    subprocess.run(call, check=True, capture_output=True, cwd=ROOT)
    found = read_results(tmp_path / "quality.json")
    assert [(row.name, [run.seed for run in row.runs]) for row in found.rows] == [
        ("popularity", [None]),
        ("d2l", [5]),
    ]
    popularity, d2l = (row.runs[0] for row in found.rows)
    told = json.loads(
        run_cli(
            "train",
            "--preset",
            "d2l",
            "--dataset",
            "demo",
            "--seed",
            "5",
            "--threads",
            "1",
            "--json",
        ).stdout
    )
    assert d2l.heldout == told["metrics"] and d2l.validation is None and d2l.epoch == 10
    assert popularity.heldout == pytest.approx(told["popularity"])
    assert found.rows[1].flattered and 0 < d2l.seconds.work < d2l.seconds.process
    assert str(tmp_path) not in (tmp_path / "quality.json").read_text()
    again = subprocess.run(call, check=True, capture_output=True, text=True, cwd=ROOT)
    assert again.stderr.count("(kept)") == 2
    assert read_results(tmp_path / "quality.json").rows == found.rows
