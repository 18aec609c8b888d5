"""The command line as a person or a script meets it."""

import csv
import io
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.commands import Cli
from tests.support.rating_files import HOSTILE, ratings_100k, write_100k

TRAIN_KEYS = {
    "run", "run_dir", "dataset", "simulated", "split", "num_users", "num_items", "num_train",
    "preset", "config", "epochs", "train_loss", "metrics",
    "popularity", "hit@50_ci", "protocol", "seconds", "examples_per_second", "device", "seed",
    "state",
    "reason", "metrics_epoch", "chosen_by", "last", "validation", "popularity_validation",
}  # fmt: skip
PROTOCOL_KEYS = {
    "split", "split_name", "cut", "validation_cut", "equal_times", "tied_heldout", "tied_share",
    "future", "filters", "candidates", "ties", "num_candidates", "exclude_heldout", "negatives",
    "validation", "chosen_by", "seed",
}  # fmt: skip
METRIC_KEYS = {"hit@10", "hit@50", "ndcg@10", "mrr", "auc"}


def independent_metrics(home: Path, run: str) -> tuple[dict[str, float], dict[str, float]]:
    """Metrics computed from `rank --json --top all` of each user equal those of `evaluate`."""
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.views.evaluation import evaluation_object
    from neumf_tui.views.person import ranking_sheet

    ranker = Ranker(home / "runs" / run, home)
    hits, aucs, mrr, ndcg, hits10 = [], [], [], [], []
    for user in range(ranker.dataset.num_users):
        shown = ranking_sheet(ranker, ranker.rank(user)).object
        if shown["heldout"] is None:
            continue
        score = np.array([item["score"] for item in shown["items"]])
        held = shown["heldout"]["score"]
        rank = 1 + (score > held).sum() + ((score == held).sum() - 1) / 2
        hits.append(rank <= 50)
        hits10.append(rank <= 10)
        aucs.append(1 - (rank - 1) / (len(score) - 1))
        mrr.append(1 / rank)
        ndcg.append(1 / math.log2(1 + rank) if rank <= 10 else 0)
    columns = {"hit@10": hits10, "hit@50": hits, "ndcg@10": ndcg, "mrr": mrr, "auc": aucs}
    means = {key: float(np.mean(column)) for key, column in columns.items()}
    return means, evaluation_object(ranker)["metrics"]


def test_metrics_agree_with_an_independent_computation(trained: Path) -> None:
    from neumf_tui.runs.reader import read_snapshot

    plain, evaluated = independent_metrics(trained.parents[1], "trained")
    for key, value in plain.items():
        assert abs(value - evaluated[key]) < 1e-9
        assert abs(value - read_snapshot(trained).evaluations[-1].metrics[key]) < 1e-9


@pytest.mark.slow
def test_the_same_on_ml100k(cli: Cli, own_home: Path, ml100k: Path) -> None:
    result = cli(
        "train",
        "--preset",
        "d2l",
        "--data-dir",
        str(ml100k),
        "--dataset",
        "ml-100k",
        "--json",
        "--name",
        "real",
    )
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    plain, evaluated = independent_metrics(own_home, "real")
    for key, value in plain.items():
        assert abs(value - evaluated[key]) < 1e-9 and abs(value - summary["metrics"][key]) < 1e-9


def test_train_json(cli: Cli, with_demo: Path) -> None:
    result = cli(
        "train",
        "--preset",
        "d2l",
        "--dataset",
        "demo",
        "--json",
        "--epochs",
        "2",
        "--eval-every",
        "2",
        "--mlp-layers",
        "8,4",
    )
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary.keys() == TRAIN_KEYS
    assert summary["metrics"].keys() == summary["popularity"].keys() == METRIC_KEYS
    assert summary["config"]["mlp_layers"] == [8, 4] and summary["state"] == "finished"
    assert (summary["dataset"], summary["simulated"]) == ("demo", True)
    assert summary["protocol"].keys() == PROTOCOL_KEYS
    assert (summary["metrics_epoch"], summary["chosen_by"], summary["validation"]) == (
        2,
        "last epoch",
        None,
    )
    low, high = summary["hit@50_ci"]
    assert low < summary["metrics"]["hit@50"] < high
    lines = result.stderr.splitlines()
    assert sum(line.startswith("epoch ") for line in lines) == 2
    assert "Hit@50" in lines[-1] and "Hit@50" not in lines[-2]


def test_rank_in_its_three_forms(inside: Cli, trained: Path) -> None:
    shown = json.loads(inside("rank", "sim-007", "--json", "--top", "5").stdout)
    assert len(shown["items"]) == 5
    assert shown["items"][0].keys() == {
        "rank", "item_id", "title", "year", "genres", "score", "gmf", "mlp", "score_centred",
        "gmf_centred", "mlp_centred",
        "seen_by", "heldout",
    }  # fmt: skip
    for item in shown["items"]:
        assert math.isclose(item["gmf"] + item["mlp"], item["score"], rel_tol=1e-5, abs_tol=1e-6)
    rows = list(
        csv.DictReader(io.StringIO(inside("rank", "sim-007", "--csv", "--top", "all").stdout))
    )
    assert len(rows) == shown["num_candidates"]
    assert [row["title"] for row in rows[:5]] == [item["title"] for item in shown["items"]]
    assert [row["heldout"] for row in rows].count("True") == 1
    text = inside("rank", "sim-007", "--top", "5").stdout
    assert "simulated" in text and shown["items"][4]["title"] in text and "\x1b" not in text


def test_json_names_the_dataset_and_says_that_it_is_simulated(inside: Cli, trained: Path) -> None:
    """Labels such as "demo (simulated)" are for people only."""
    for command in (
        ("status", "--json"), ("runs", "--json"), ("evaluate", "--json"),
        ("rank", "sim-007", "--json"), ("why", "sim-007", "--json"),
        ("journey", "sim-007", "--json"), ("near-miss", "sim-007", "--margin-only", "--json"),
        ("similar", "--user", "sim-007", "--json"),
        ("failures", "--json"), ("compare", "trained@2", "trained@10", "--json"),
        ("recommend", "--likes", "Alien; Blade Runner; Brazil", "--json"),
    ):  # fmt: skip
        shown = json.loads(inside(*command).stdout)
        (shown,) = shown if isinstance(shown, list) else [shown]
        assert (shown["dataset"], shown["simulated"]) == ("demo", True), command
    assert "demo (simulated)" in inside("status").stdout


def test_evaluate_runs_and_datasets(inside: Cli, trained: Path) -> None:
    evaluated = json.loads(inside("evaluate", "--json").stdout)
    assert evaluated.keys() >= {
        "run",
        "epoch",
        "metrics",
        "popularity",
        "hit@50_ci",
        "num_users",
        "protocol",
    }
    assert evaluated["epoch"] == 10 and evaluated["num_users"] == 700
    (row,) = json.loads(inside("runs", "--json").stdout)
    assert row["run"] == "trained" and row["state"] == "finished" and row["epoch"] == 10
    assert "trained" in inside("runs").stdout and "simulated" in inside("runs").stdout
    assert {d["name"] for d in json.loads(inside("datasets", "--json").stdout)} >= {
        "ml-100k",
        "demo",
    }


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["rank", "sim-9999"], 4, "nearest ids: sim-"),
        (["rank", "sim-001,sim-002"], 4, "it is 2 ids; give one at a time, such as sim-001"),
        (["rank", "sim-001", "--run", "nope"], 4, "no run 'nope'"),
        (["rank", "sim-001", "--top", "0"], 2, "--top 0"),
        (["rank", "sim-001", "--top", "9999"], 2, "the catalogue has"),
        (["rank", "sim-001", "--top", "9" * 5000], 2, "--top 9999"),
        (["rank", "sim-001", "--json", "--csv"], 2, "choose one"),
        (["explore"], 2, "rank USER"),
        (["train", "--epochs", "0"], 2, "--epochs 0"),
        (["train", "--embedding-size", "0"], 2, "--embedding-size 0"),
        (["train", "--learning-rate", "-1"], 2, "--learning-rate -1"),
        (["train", "--learning-rate", "nan"], 2, "--learning-rate nan"),
        (["train", "--weight-decay", "inf"], 2, "--weight-decay inf"),
        (["train", "--mlp-layers", "8,x"], 2, "--mlp-layers 8,x"),
        (["train", "--mlp-layers", "8,0"], 2, "--mlp-layers"),
        (["train", "--device", "tpu"], 2, "--device tpu"),
        (["train", "--preset", "nope"], 2, "unknown preset"),
        (["train", "--dataset", "ml-1b"], 2, "--dataset ml-1b"),
        (
            ["train", "--dataset", "ml-100k", "--data-dir", "/nonexistent"],
            3,
            "no such file or folder",
        ),
        (["train", "--data-dir", "/nonexistent"], 3, "no such file or folder"),
        (["train", "--name", "a/b", "--dataset", "demo"], 2, "run name"),
        (["train", "--name", "trained", "--dataset", "demo"], 4, "choose another --name"),
        (["train", "--resume", "trained", "--epochs", "5"], 2, "has already done 10 epochs"),
        (
            ["train", "--resume", "trained", "--seed", "5"],
            2,
            "--seed: a resumed run keeps its own settings",
        ),
        (["train", "--resume", "trained"], 4, "all 10 epochs are done"),
        (["train", "--pin", "nobody", "--dataset", "demo"], 4, "nearest ids"),
        (["train", "--detach", "--plain"], 2, "choose one"),
        (["pause", "trained"], 4, "is finished: it has no trainer"),
        (["stop", "trained"], 4, "is finished"),
        (["stop", "trained", "--now"], 4, "is finished"),
        (["checkpoint", "none-such"], 4, "there are trained"),
        (["resume", "trained"], 4, "extend"),
        (["extend", "10", "trained"], 2, "has already done 10 epochs"),
        (["pin", "nobody", "--run", "trained"], 4, "nearest ids"),
        (["delete", "trained"], 2, "--yes"),
        (["prune", "trained", "--keep", "0"], 2, "--yes"),
        (["rename", "trained", "a/b"], 2, "run name"),
        (["status", "none-such"], 4, "no run 'none-such'"),
        (["train", "--nonsense"], 2, "No such option"),
        (["why", "sim-001", "Blade", "Runner"], 2, "arguments: Runner; put quotes around"),
    ],
)
def test_bad_input_gets_one_message_and_its_exit_code(
    inside: Cli, trained: Path, args: list[str], code: int, says: str
) -> None:
    result = inside(*args)
    assert result.returncode == code, result.stderr
    assert says in result.stderr and "Traceback" not in result.stderr and result.stdout == ""
    assert [path.name for path in trained.parent.iterdir()] == ["trained"], (
        "nothing new was left behind"
    )


def test_the_exit_code_is_the_processs(cli: Cli, trained: Path) -> None:
    for args, code in (
        (["rank", "sim-001", "--top", "0"], 2),
        (["status", "none-such"], 4),
        (["train", "--nonsense"], 2),
    ):
        result = cli(*args)
        assert (
            result.returncode == code
            and result.stderr
            and "Traceback" not in result.stderr
            and result.stdout == ""
        )


def test_auto_without_network_says_why_in_one_line(
    cli: Cli, inside: Cli, with_demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    result = inside("train", "--preset", "d2l", "--plain", "--epochs", "1", "--name", "fallback")
    assert result.returncode == 0, result.stderr
    assert (
        sum("simulated users instead of ml-100k" in line for line in result.stderr.splitlines())
        == 1
    )
    assert "simulated" in result.stdout
    named = cli("train", "--dataset", "ml-100k", "--plain")
    assert (
        named.returncode == 3
        and "put the zip into" in named.stderr
        and "Traceback" not in named.stderr
    )


def test_data_without_anything_to_hold_out(inside: Cli, own_home: Path, tmp_path: Path) -> None:
    folder = write_100k(tmp_path / "lone", "".join(f"{u}\t{u}\t3\t9\n" for u in range(1, 61)))
    result = inside("train", "--data-dir", str(folder), "--plain")
    assert result.returncode == 3 and "nothing can be held out" in result.stderr
    assert not list((own_home / "runs").iterdir())


def test_cuda_that_is_not_there(inside: Cli, with_demo: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    result = inside("train", "--dataset", "demo", "--device", "cuda", "--plain")
    assert (
        result.returncode == 2 and "finds no CUDA here; use --device auto or cpu" in result.stderr
    )
    assert not list((with_demo / "runs").iterdir())


def test_bad_data_stops_before_a_run_is_made(cli: Cli, own_home: Path, tmp_path: Path) -> None:
    folder = write_100k(tmp_path / "bad", ratings_100k(2) + "1\t5\tx\t4\n")
    result = cli("train", "--data-dir", str(folder), "--plain")
    assert (
        result.returncode == 3
        and "u.data, line 21" in result.stderr
        and "Traceback" not in result.stderr
    )
    assert not (own_home / "runs").exists()


def test_hostile_titles_are_harmless_in_text_and_whole_in_json(inside: Cli, tmp_path: Path) -> None:
    folder = write_100k(
        tmp_path / "hostile", ratings_100k(), [f"{title} (1990)" for title in HOSTILE * 10]
    )
    assert (
        inside(
            "train", "--data-dir", str(folder), "--dataset", "ml-100k", "--plain", "--epochs", "1"
        ).returncode
        == 0
    )
    text = (
        inside("rank", "1", "--top", "all").stdout
        + inside("rank", "1", "--top", "all", "--csv").stdout
    )
    assert "\x1b" not in text and "\t" not in text and "\u202e" not in text
    shown = json.loads(inside("rank", "1", "--top", "all", "--json").stdout)
    assert {item["title"] for item in shown["items"]} <= {
        t.encode("latin-1", "replace").decode("latin-1") for t in HOSTILE
    }
    assert "[bold]Bold[/]" in text and "·[31mRed·[0m" in text and "tab·here" in text


def test_a_harmed_checkpoint_is_one_message(inside: Cli, trained: Path) -> None:
    path = trained / "checkpoints" / "00010.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    for args in (["rank", "sim-001"], ["evaluate"]):
        assert "using 00009.safetensors" in inside(*args).stderr
        result = inside(*args, "--epoch", "10")
        assert (
            result.returncode == 4
            and "00010.safetensors" in result.stderr
            and "Traceback" not in result.stderr
        )
    shutil.rmtree(trained.parents[1] / "datasets")
    path.unlink()
    assert inside("rank", "sim-001").returncode == 0, (
        "the demo set is made anew, and the checkpoint before serves"
    )


@pytest.mark.slow
def test_a_resume_that_is_refused_loses_nothing(inside: Cli, trained: Path) -> None:
    """Not even where the events are gone and all checkpoints are harmed."""
    (trained / "events.jsonl").unlink()
    (trained / "status.json").write_text('{"state":"stopped","pid":1}')
    whole = trained / "checkpoints" / "00009.safetensors"
    kept, harmed = whole.read_bytes(), sorted((trained / "checkpoints").glob("*.safetensors"))
    for path in harmed:
        path.write_bytes(path.read_bytes()[:1000])
    result = inside("train", "--resume", "trained", "--plain")
    assert (
        result.returncode == 4
        and "00010.safetensors" in result.stderr
        and "delete it" in result.stderr
    )
    whole.write_bytes(kept)
    assert inside("train", "--resume", "trained", "--plain").returncode == 0


def test_output_cut_short_by_its_reader(trained: Path) -> None:
    command = f"{sys.executable} -m neumf_tui rank sim-001 --top all --csv | head -1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert result.stdout.startswith("dataset,simulated,user,rank") and result.stderr == ""


def test_every_command_has_help_with_an_example(cli: Cli, inside: Cli) -> None:
    for command in (
        "train", "explore", "rank", "evaluate", "runs", "datasets", "attach", "status", "pause",
        "resume", "checkpoint", "stop",
        "extend", "pin", "logs", "rename", "delete", "prune", "doctor", "config",
    ):  # fmt: skip
        assert "Example: neumf-tui" in inside(command, "--help").stdout
    assert "Exit codes" in cli("--help").stdout
    assert cli("--version").stdout.startswith("neumf-tui ")
