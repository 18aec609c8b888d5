"""Copies in TensorBoard, Weights & Biases and MLflow, read again by their own libraries."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from neumf_tui.runs import events
from neumf_tui.runs.reader import read_info
from neumf_tui.runs.writer import RunWriter
from tests.support.commands import Cli
from tests.support.golden_runs import T0, make_run
from tests.support.logged_runs import make_logged


def resumed(folder: Path) -> None:
    with RunWriter(folder) as writer:
        writer.event(events.Started(t=T0 + 9, device="cpu", epoch=1, step=5, steps=10))
        writer.event(events.Steps(t=T0 + 9, steps=[16, 17], losses=[1.0, 2.0]))
        writer.event(events.Finished(t=T0 + 10, state="stopped", reason=""))


def test_tensorboard_reads_every_point_once(inside: Cli, own_home: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs the extra `tensorboard`")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = make_run(own_home, "stopped")
    command = ("mirror", "golden", "--to", f"tensorboard:{tmp_path / 'boards'}", "--once")
    for _ in range(2):
        done = inside(*command)
        assert done.returncode == 0, done.stderr

    def board() -> EventAccumulator:
        found = EventAccumulator(str(tmp_path / "boards" / "golden"), {"histograms": 0})
        return found.Reload()

    found = board()
    assert [event.step for event in found.Scalars("loss")] == list(range(1, 31))
    assert [event.step for event in found.Scalars("heldout/hit@50")] == [10, 20, 30]
    assert found.Scalars("heldout/hit@50")[1].value == pytest.approx(0.3)
    assert [one.step for one in found.Histograms("ranks")] == [10, 20, 30]
    assert found.Histograms("ranks")[0].histogram_value.num == 4
    assert "_hparams_/session_start_info" in found.summary_metadata
    resumed(folder)
    assert inside(*command).returncode == 0
    found = board()
    assert [event.step for event in found.Scalars("loss")] == [*range(1, 16), 16, 17]
    assert [event.step for event in found.Scalars("heldout/hit@50")] == [10]


def test_mlflow_reads_every_point(inside: Cli, own_home: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="needs the extra `mlflow`")
    from mlflow.tracking import MlflowClient

    make_run(own_home, "finished")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    for _ in range(2):
        done = inside("mirror", "golden", "--to", f"mlflow:{uri}", "--once")
        assert done.returncode == 0, done.stderr
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("neumf-tui")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED" and run.data.params["epochs"] == "4"
    losses = client.get_metric_history(run.info.run_id, "loss")
    assert sorted(one.step for one in losses) == list(range(1, 31))
    assert run.data.metrics["heldout/hit_at_50"] == pytest.approx(0.35)
    assert run.data.metrics["ranks/1-10"] == 0.25
    make_logged(own_home, scalars=["../x", "..", "a/b \x1b[31m%"])
    assert inside("mirror", "logged", "--to", f"mlflow:{uri}", "--once").returncode == 0
    (other,) = client.search_runs([experiment.experiment_id], "tags.`neumf_tui.run` = 'logged'")
    names = [name for name in other.data.metrics if name.startswith("logged/")]
    assert sorted(names) == ["logged/.._x", "logged/_", "logged/a_b __31m_"]


def test_wandb_keeps_every_point_offline(
    inside: Cli, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="needs the extra `wandb`")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    import wandb

    rows: list[dict[str, Any]] = []
    log = wandb.Run.log

    def spied(run: Any, row: dict[str, Any]) -> None:
        rows.append(row)
        log(run, row)

    monkeypatch.setattr(wandb.Run, "log", spied)
    make_run(own_home, "finished")
    for _ in range(2):
        done = inside("mirror", "golden", "--to", "wandb", "--once")
        assert done.returncode == 0, done.stderr
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 31))
    hits = {row["step"]: row["heldout/hit@50"] for row in rows if "heldout/hit@50" in row}
    assert hits == {10: 0.25, 20: pytest.approx(0.3), 30: pytest.approx(0.35)}
    assert sum("ranks" in row for row in rows) == 3
    assert list((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))


def test_targets_that_are_none_are_refused(inside: Cli, own_home: Path) -> None:
    make_run(own_home, "finished")
    for target in ("aim", "tensorboard", "tensorboard:"):
        refused = inside("mirror", "golden", "--to", target)
        assert refused.returncode == 2 and "expected tensorboard:DIR" in refused.stderr


def test_the_name_in_a_file_of_a_run_leads_nowhere(
    inside: Cli, own_home: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard", reason="needs the extra `tensorboard`")
    folder = make_run(own_home, "finished")
    info = msgspec.structs.replace(read_info(folder), name="../../outside")
    (folder / "run.json").write_bytes(msgspec.json.encode(info))
    boards = tmp_path / "a" / "b" / "boards"
    assert inside("mirror", "golden", "--to", f"tensorboard:{boards}", "--once").returncode == 0
    assert [path.name for path in boards.iterdir()] == ["golden"]
    assert not list(tmp_path.rglob("outside"))
