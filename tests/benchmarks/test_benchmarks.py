"""`python -m benchmarks`: what it writes, its arithmetic, its parts; not how fast anything is."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import one_epoch, scaling
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.datasets.synthetic_movielens import SHAPES, history_sizes, item_counts
from benchmarks.host import host_facts
from benchmarks.line_charts import LineCharts, Panel, Series
from benchmarks.peers.compare import CORNAC, OURS, compare, report
from benchmarks.power_law import Fit, fit
from benchmarks.report import Report, Table, markdown, middle, write
from benchmarks.work import evaluation_work, step_work
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepared import save

ROOT = Path(__file__).parents[2]


def test_the_slope_of_a_power_law_is_found() -> None:
    xs = [1.0, 2.0, 8.0, 64.0]
    exact = fit(xs, [3 * x**0.7 for x in xs])
    assert exact.slope == pytest.approx(0.7) and exact.error == pytest.approx(0, abs=1e-9)
    assert exact.at(5) == pytest.approx(3 * 5**0.7)
    # Residuals of 0.1, −0.2, 0.1 about y = x at ln x = −1, 0, 1 leave the slope at 1; its error
    # is √(Σr² / (n − 2) / Σx²).
    rough = fit(
        [math.exp(x) for x in (-1, 0, 1)], [math.exp(y) for y in (-1 + 0.1, 0 - 0.2, 1 + 0.1)]
    )
    assert rough.slope == pytest.approx(1)
    assert rough.error == pytest.approx(math.sqrt(0.06 / 1 / 2))
    assert fit([1, 10], [1, 100]) == Fit(pytest.approx(2), None, pytest.approx(0, abs=1e-12))
    assert Fit(-0.304, 0.021, 0).text() == "−0.30 ± 0.02"
    with pytest.raises(ValueError):
        fit([3, 3, 3], [1, 2, 3])


def test_a_report_is_written_as_json_and_markdown(tmp_path: Path) -> None:
    thing = Report(
        title="A thing",
        figures={"seconds": [1.5, 2.5]},
        repeats="Medians of 2",
        tables=[Table(["", "s"], [["here", "2.00"], ["there", "3.00"]])],
        notes=["A note."],
        versions={"peer": "1.2"},
    )
    json_path, text_path = write("thing", thing, host_facts(), tmp_path, others=0.5)
    told = json.loads(json_path.read_text())
    assert told["figures"] == {"seconds": [1.5, 2.5]} and told["repeats"] == "Medians of 2"
    assert (
        told["host"]["versions"]["torch"]
        and told["host"]["cores"] >= 1
        and told["host"]["memory_gib"] > 0
    )
    assert told["versions_of_peers"] == {"peer": "1.2"} and told["others"] == 0.5
    text = text_path.read_text()
    assert text.startswith(
        "# A thing\n\n|  | s |\n| --- | ---: |\n| here | 2.00 |\n| there | 3.00 |\n\n"
        "- A note.\n- Medians of 2.\n"
    )
    assert (
        "other programs took 0.5 cores" in text
        and "peer 1.2" in text
        and "python -m benchmarks thing" in text
    )
    assert str(tmp_path) not in text + json_path.read_text()


def test_charts_are_the_same_again(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="charts need matplotlib, of the extra `bench`")
    xs = [1e5, 1e6, 2e7]
    series = Series("train", xs, [x / 1e6 for x in xs], fit(xs, [x / 1e6 for x in xs]))
    drawn = Report(
        "T", {}, "Once", [], [], chart=LineCharts([Panel("users", "seconds", [series])] * 3)
    )
    first, again = (
        write("t", drawn, host_facts(), tmp_path / name)[2].read_text() for name in ("a", "b")
    )
    assert first == again
    for words in ("users", "seconds", "train: slope 1.00 ± 0.00", "20M", "100k"):
        assert words in first


def test_medians_come_with_their_spread() -> None:
    assert middle([2.0, 1.0, 4.0]) == "2.00 (1.00–4.00)"
    assert middle([1234.0], "{:,.0f}") == "1,234"


def test_peers_are_compared_round_by_round() -> None:
    def rounds(*seconds: tuple[float, float]) -> list[dict[str, dict[str, float]]]:
        return [{"seconds": {"train": train, "evaluate": evaluate}} for train, evaluate in seconds]

    ours, theirs = rounds((1, 1), (2, 2)), rounds((10, 30), (30, 10))
    assert compare(ours, theirs, True) == {
        "train": [10, 15],
        "evaluate": [30, 5],
        "together": [20, 10],
    }
    assert compare(ours, theirs, False) == {"train": [10, 15]}


def test_peers_are_told_side_by_side(demo: Dataset) -> None:
    def outcome(train: float, evaluate: float, evaluations: int) -> dict[str, object]:
        seconds = {"train": train, "evaluate": evaluate}
        return {
            "seconds": seconds,
            "evaluations": evaluations,
            "hit@50": 0.25,
            "auc": 0.75,
            "threads": 1,
        }

    outcomes = {
        OURS: [outcome(1, 1, 10) | {"evaluation_threads": 2}] * 2,
        "slow": [outcome(10, 30, 10)] * 2,
        CORNAC: [outcome(5, 1, 1)] * 2,
    }
    told = report(demo, 10, outcomes, [3.0, 4.0], {"slow": "1.0"})
    text = markdown("peers", told, host_facts(), "2026-01-02", None)
    pairs = demo.num_users * demo.num_items
    assert (
        f"| {OURS} | 1, 2 | 1.00 (1.00–1.00) | 1.00 (1.00–1.00) | 2.00 (2.00–2.00) "
        f"| {pairs / 1e5:.3g} " in text
    )
    assert "| slow | 10.0 (10.0–10.0) | 30.0 (30.0–30.0) | 20.0 (20.0–20.0) |" in text
    assert f"| {CORNAC} | 5.0 (5.0–5.0) | – | – |" in text
    assert "3.50 (3.00–4.00) s" in text and "slow 1.0" in text and "Medians of 2 rounds" in text


def test_scaling_tells_rates_slopes_and_memory() -> None:
    def measured(point: scaling.Point) -> dict[str, object]:
        pairs = round(20e6 * point.fraction)
        size = {
            "users": 1000,
            "items": 500,
            "interactions": pairs,
            "pairs": pairs,
            "threads": 1,
            "evaluation_threads": 2,
        }
        return size | {
            "train": pairs / 1e6,
            "evaluate": 0.5,
            "mib": {"peak": 3000.0, "anonymous": None},
        }

    told = scaling.report({point: [measured(point)] * 5 for point in scaling.points(False)[:6]}, 5)
    assert [panel.x for panel in told.chart.panels] == ["interactions"]
    text = markdown("scaling", told, host_facts(), "2026-01-02", None)
    assert (
        "| interactions | 1,000 | 500 | 20,000,000 | 10 | 20.00 (20.00–20.00) | 1 "
        "| 0.50 (0.50–0.50) | 1 | 3,000 | – |" in text
    )
    assert "| interactions | 1.00 ± 0.00 | 0.00 ± 0.00 |" in text
    assert (
        "needs 2.9 GiB" in text
        and "Medians of 5 repeats, each a process of its own, with least and most" in text
    )


def test_every_benchmark_is_listed_and_no_other_is_taken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [one.name for one in BENCHMARKS]
    assert [line.split()[0] for line in lines if "only if named" in line] == [
        "soak",
        "quality",
        "splits",
        "ablation",
    ]
    with pytest.raises(SystemExit) as ended:
        main(["peers", "nothing"])
    assert ended.value.code == 2 and "nothing: expected some of peers" in capsys.readouterr().err


def test_without_a_gpu_its_benchmark_says_so_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        main(["gpu"])
    assert ended.value.code == 2
    assert "finds no CUDA device here" in capsys.readouterr().err.splitlines()[-1]


def test_the_gpu_benchmark_works_on_the_cpu(tmp_path: Path) -> None:
    places = ["--cache", str(tmp_path / "cache"), "--results", str(tmp_path)]
    assert main(["gpu", "--device", "cpu", *places]) == 0
    told = json.loads((tmp_path / "gpu.json").read_text())["figures"]
    assert told["training"][0]["scored_pairs"] == 2 * told["pairs"] and all(
        told["training"][0]["epoch_seconds"]
    )
    assert (
        told["evaluation"]["pairs"] == told["users"] * told["items"]
        and told["evaluation"]["seconds"]
    )
    assert set(told["ceilings"]) == {
        "copy, GB/s",
        "gather of 64 floats, GB/s",
        "float32 product, TFLOP/s",
    }
    assert "only a test" in (tmp_path / "gpu.md").read_text()


def test_work_is_as_counted_by_hand() -> None:
    # One pair and its negative, two factors, one layer of three units, 10 weights. Forward for a
    # scored pair: the layer 2·4·3, the GMF product 2, the head 2·(2 + 3); for two pairs, three
    # times; Adam has twelve operations for each weight.
    step = step_work(1, 1, 2, [3], 10)
    assert step.operations == 3 * 2 * (24 + 2 + 10) + 120
    # Rows of one user and two items in two tables are read, their gradients read and written;
    # hidden layers are moved five times, weights eight times for Adam.
    assert step.bytes == 6 * 2 * 4 * 3 + 3 * 8 + 3 * 2 * 4 * 5 + 10 * 4 * 8
    ranked = evaluation_work(5, 7, 2, [3, 4])
    assert ranked.operations == 35 * (2 * 12 + 2 * 3 + 2 * 4 + 2 * 2 + 2) + 2 * 2 * 3 * 12


@pytest.mark.parametrize("point", scaling.points(False) + scaling.points(True), ids=str)
def test_every_shape_of_the_scaling_can_be_made(point: scaling.Point) -> None:
    shape = SHAPES["ml-20m"].part(point.fraction).stretched(point.users, point.items)
    sizes, counts = history_sizes(shape), item_counts(shape)
    assert sizes.sum() == counts.sum() == shape.ratings
    assert len(sizes) == shape.users and len(counts) == shape.items
    assert sizes.min() >= 1 and counts.max() <= shape.users


@pytest.mark.slow
def test_one_epoch_says_what_it_took(tmp_path: Path, demo: Dataset) -> None:
    save(demo, tmp_path)
    folder = tmp_path / demo.fingerprint
    command = [
        sys.executable,
        "-m",
        "benchmarks.one_epoch",
        str(folder),
        json.dumps({"batch_size": 4096}),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    told = json.loads(done.stdout)
    assert told["interactions"] == told["pairs"] + told["users"]  # everybody has a held-out item
    assert 0.5 < told["auc"] < 1 and told["train"] > 0 and told["evaluate"] > 0
    if one_epoch.Memory._read("VmHWM") is not None:
        assert told["mib"]["peak"] > told["mib"]["anonymous"] > 10
