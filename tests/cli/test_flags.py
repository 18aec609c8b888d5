"""Every setting has a flag that reaches the run; runs that are extended, stopped or end early."""

import inspect
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from neumf_tui.cli.settings_flags import settings_flags
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import DatasetError, UsageError
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.runs.checkpoint import last_checkpoint, load_checkpoint
from neumf_tui.runs.events import DatasetRef, RunInfo
from neumf_tui.runs.reader import rank_epochs, read_info, read_ranks, read_snapshot, read_status
from neumf_tui.runs.requests import EXTEND, send_request
from neumf_tui.runs.writer import RunWriter, create_run
from neumf_tui.scorers.open import all_histories
from neumf_tui.settings import DESCRIPTIONS, Settings, check, flag_of, make_settings
from neumf_tui.training.loop import Loop, Stop
from neumf_tui.training.model_ranks import ModelRanks, scorer_of
from neumf_tui.training.pairs import Batch
from neumf_tui.training.trainer import Trainer
from tests.support.commands import Cli
from tests.support.datasets import random_dataset, tiny_dataset
from tests.support.trainers import EVERYTHING, PLAIN, make_trainer, train

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset()


# Whole runs, in this process


@contextmanager
def loop_of(folder: Path, data: Dataset, **changes: Any) -> Iterator[Loop]:
    settings = make_settings("d2l", PLAIN | changes)
    if not folder.exists():
        sizes = {
            "num_users": data.num_users,
            "num_items": data.num_items,
            "num_train": data.num_train,
        }
        about = DatasetRef(
            name=data.name, simulated=False, fingerprint=data.fingerprint, source="", **sizes
        )
        values = msgspec.to_builtins(settings)
        create_run(
            folder,
            RunInfo(
                name="x",
                created=0,
                preset="d2l",
                settings=values,
                dataset=about,
                home="",
                protocol={},
                host="",
                versions={},
            ),
        )
    with RunWriter(folder) as writer:
        yield Loop(writer, data, settings, torch.device("cpu"))


def spy_steps(loop: Loop, then: Any) -> None:
    """Call `then` with the number of steps done after each of them."""
    step, done = loop.trainer.step, iter(range(1, 10_000))

    def stepped(batch: Batch) -> torch.Tensor:
        loss = step(batch)
        then(next(done))
        return loss

    loop.trainer.step = stepped  # type: ignore[method-assign]


def state_of(folder: Path, data: Dataset) -> dict[str, Any]:
    path = last_checkpoint(folder)
    assert path is not None
    tensors: dict[str, Any] = dict(load_checkpoint(path, data.fingerprint)[0])
    for epoch in rank_epochs(folder):
        tensors |= {
            f"{tape} {epoch}": read_ranks(folder, epoch, tape) for tape in ("ranks", "validation")
        }
    best = (folder / "checkpoints" / "best").read_text()
    return tensors | {
        "best": best,
        "losses": [epoch.loss for epoch in read_snapshot(folder).epochs],
    }


def test_a_run_with_everything_on_is_stopped_in_epochs_and_ends_in_the_same_bits(
    data: Dataset, tmp_path: Path
) -> None:
    with loop_of(tmp_path / "whole", data, **EVERYTHING) as loop:
        loop.run(os.getpid())
    whole = state_of(tmp_path / "whole", data)
    assert whole.keys() >= {
        f"{tape} {epoch}" for tape in ("ranks", "validation") for epoch in range(1, 5)
    }
    steps = loop.trainer.steps
    folder = tmp_path / "parts"
    # In the last epoch of pre-training, then in the one after it; a trainer begins its count anew.
    for stop_after in (2 * steps - 1, 1 + 2, None):
        with loop_of(folder, data, **EVERYTHING) as loop:

            def stop(done: int, at: int | None = stop_after, loop: Loop = loop) -> None:
                if done == at:
                    loop.requests.stop_reason, loop._checked = "test", 0.0

            spy_steps(loop, stop)
            if stop_after:
                with pytest.raises(Stop):
                    loop.run(os.getpid())
            else:
                loop.run(os.getpid())
    parts = state_of(folder, data)
    assert parts.keys() == whole.keys()
    for name in whole:
        np.testing.assert_array_equal(parts[name], whole[name], err_msg=name)


def rates(trainer: Trainer, epochs: range) -> list[float]:
    """Learning rate of every step."""
    found = []
    for epoch in epochs:
        for batch in trainer.batches(epoch):
            trainer.step(batch)
            found.append(float(trainer.weights.learning_rate))
    return found


HALF = math.sqrt(0.5)
SCHEDULES = {
    "constant": ([1, 1, 1, 1], [1, 1, 1, 1]),
    "linear": ([1, 0.75, 0.5, 0.25], [0.5, 0.375, 0.25, 0.125]),
    "cosine": (
        [1, (1 + HALF) / 2, 0.5, (1 - HALF) / 2],
        [0.5, (1 - math.sin(math.pi / 8)) / 2, (1 - HALF) / 2, (1 - math.cos(math.pi / 8)) / 2],
    ),
}


def test_while_paths_learn_apart_their_fusion_is_ranked(data: Dataset, tmp_path: Path) -> None:
    """On the tapes, and where the checkpoint of such an epoch is opened."""
    from neumf_tui.explore.ranker import Ranker

    changes = EVERYTHING | {"epochs": 3}
    with loop_of(tmp_path / "run", data, **changes) as loop:
        loop.run(os.getpid())
    trainer = make_trainer(data, **changes)
    for epoch in (1, 2):
        train(trainer, epoch, epoch)
        for tape in ("ranks", "validation"):
            evaluator = ModelRanks(data, torch.device("cpu"), validation=tape == "validation")
            written = read_ranks(tmp_path / "run", epoch, tape)
            np.testing.assert_array_equal(written, evaluator.by_model(trainer.scored(epoch)))
            assert epoch == 2 or not np.array_equal(written, evaluator.by_model(trainer.model))
        ranker = Ranker(tmp_path / "run", tmp_path, str(epoch), data)
        scored = scorer_of(trainer.scored(epoch), all_histories(data))
        for user in range(data.num_users):
            found, wanted = (
                scorer.item_scores(scorer.profile(user, data.history(user))).parts
                for scorer in (ranker.scorer, scored)
            )
            assert found.keys() == wanted.keys() == {"gmf", "mlp"}
            for part in found:
                np.testing.assert_array_equal(found[part], wanted[part])


def test_a_long_evaluation_shows_how_far_it_is(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The heartbeat shows it for held-out items, then for validation items, and not afterwards."""
    monkeypatch.setattr("neumf_tui.training.loop.HEARTBEAT_SECONDS", 0.0)
    told: list[float] = []
    with loop_of(tmp_path / "run", data, epochs=1, validation=True) as loop:
        write = loop.writer.status
        monkeypatch.setattr(
            loop.writer, "status", lambda status: (told.append(status.evaluated), write(status))
        )
        loop.run(os.getpid())
    share = [one for one in told if one]
    assert share == sorted(share) and 0.5 in share and share[-1] == 1.0
    assert told[0] == told[-1] == 0.0


def test_what_the_trainer_notes_is_a_warning_of_the_run(data: Dataset, tmp_path: Path) -> None:
    with loop_of(tmp_path / "run", data, epochs=2) as loop:
        loop.trainer.notes[:] = ["slower than it could be"]  # without a compiler there is another
        loop.run(os.getpid())
    lines = (tmp_path / "run" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines if '"warning"' in line] == [
        "slower than it could be"
    ]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_rate_falls_over_all_planned_steps(
    data: Dataset, schedule: str, tmp_path: Path
) -> None:
    """Two epochs of two steps, extended by two epochs: then it falls over all four."""
    planned, added = SCHEDULES[schedule]
    changes = {"schedule": schedule, "batch_size": 48, "epochs": 2, "learning_rate": 0.01}
    trainer = make_trainer(data, **changes)
    assert rates(trainer, range(1, 3)) == pytest.approx([0.01 * share for share in planned])
    with loop_of(tmp_path / "run", data, **changes) as loop:
        seen: list[float] = []
        spy_steps(loop, lambda _: seen.append(float(loop.trainer.weights.learning_rate)))
        loop.run(os.getpid())
        send_request(tmp_path / "run", EXTEND, "4")
        loop.run(os.getpid())
    assert seen == pytest.approx([0.01 * share for share in planned + added])


@pytest.mark.parametrize(
    ("hits", "patience", "stopped", "best"),
    [
        (
            [1, 3, 3, 2, 4, 4, 4, 4],
            2,
            4,
            2,
        ),  # equal is no better, and the earlier of equals is best
        ([1, 3, 3, 2, 4, 4, 4, 4], 3, 8, 5),
        ([1, 3, 3, 2, 4, 5, 6, 7], 3, 8, 8),  # the plan ends first
        ([4, 3, 3, 2, 4, 5, 6, 7], 0, 8, 8),  # never
    ],
)
def test_early_stop_goes_by_validation_alone(
    hits: list[int], patience: int, stopped: int, best: int, tmp_path: Path
) -> None:
    data = random_dataset(num_items=70)
    with loop_of(tmp_path / "run", data, validation=True, early_stop=patience, epochs=8) as loop:
        turn = iter(hits)

        def validation(*_: Any) -> Any:
            ranks = np.full(data.num_users, 51, dtype=np.float32)
            ranks[: next(turn)] = 50
            return ranks

        evaluators = loop.evaluations.evaluators
        evaluators["validation"].by_model = validation  # type: ignore[method-assign]
        held = iter(range(12, 0, -1))  # held-out items do worse and worse: nobody asks
        evaluators["ranks"].by_model = lambda *_: np.where(  # type: ignore[method-assign]
            np.arange(12) < next(held), np.float32(1), np.float32(60)
        )
        loop.run(os.getpid())
    assert loop.progress.epoch == stopped
    assert (tmp_path / "run" / "checkpoints" / "best").read_text() == f"{best:05}.safetensors"
    snapshot = read_snapshot(tmp_path / "run")
    assert snapshot.best is not None and snapshot.best.epoch == best
    early = stopped < 8
    assert (
        bool(loop.early_stop) == early
        and (f"best at epoch {best}, {patience} evaluations ago" in loop.early_stop) == early
    )


@pytest.mark.slow
def test_a_run_ends_early_and_says_why(cli: Cli, own_home: Path) -> None:
    flags = (
        "--dataset",
        "demo",
        "--epochs",
        "60",
        "--validation",
        "--early-stop",
        "2",
        "--learning-rate",
        "0.05",
    )
    result = cli(
        "train",
        "--preset",
        "d2l",
        *flags,
        "--eval-every",
        "2",
        "--threads",
        "1",
        "--plain",
        "--name",
        "short",
    )
    assert result.returncode == 0, result.stderr
    folder = own_home / "runs" / "short"
    status, snapshot, info = read_status(folder), read_snapshot(folder), read_info(folder)
    evaluated = [evaluation.epoch for evaluation in snapshot.evaluations]
    rates = [float(np.mean(read_ranks(folder, epoch, "validation") <= 50)) for epoch in evaluated]
    best = evaluated[int(np.argmax(rates))]
    assert status.state == "finished" and status.epoch == evaluated[-1] == best + 4 < 60
    assert (
        status.reason
        == f"early stop: validation Hit@50 was best at epoch {best}, 2 evaluations ago"
    )
    assert evaluated == list(range(2, status.epoch + 1, 2))
    assert (folder / "checkpoints" / "best").read_text() == f"{best:05}.safetensors"
    assert info.settings.keys() == set(Settings.__struct_fields__)
    assert (
        info.settings["early_stop"],
        info.settings["validation"],
        info.settings["eval_every"],
    ) == (2, True, 2)


# Where settings come from

GIVEN: dict[str, tuple[str, Any]] = {
    "embedding_size": ("7", 7),
    "mlp_layers": ("9,5,2", (9, 5, 2)),
    "batch_size": ("33", 33),
    "learning_rate": ("0.5", 0.5),
    "weight_decay": ("0.25", 0.25),
    "epochs": ("31", 31),
    "negatives": ("3", 3),
    "eval_every": ("2", 2),
    "exclude_heldout": ("", False),
    "model": ("neumf", "neumf"),
    "scaled_init": ("", True),
    "history": ("12", 12),
    "history_decay": ("2.5", 2.5),
    "history_floor": ("0.2", 0.2),
    "loss": ("bce", "bce"),
    "sampler": ("popularity", "popularity"),
    "sampler_power": ("0.5", 0.5),
    "shared_negatives": ("", True),
    "hard_negatives": ("4", 4),
    "dropout": ("0.1", 0.1),
    "mlp_dropout": ("0.2", 0.2),
    "embedding_weight_decay": ("0.125", 0.125),
    "schedule": ("cosine", "cosine"),
    "clip": ("1.5", 1.5),
    "recency": ("20", 20.0),
    "pretrain": ("4", 4),
    "alpha": ("0.75", 0.75),
    "validation": ("", True),
    "early_stop": ("6", 6),
    "keep": ("30", 30),
    "seed": ("11", 11),
    "device": ("cpu", "cpu"),
    "threads": ("1", 1),
    "processes": ("2", 2),
}


def test_every_setting_has_a_flag_that_reaches_the_run() -> None:
    from neumf_tui.cli.train import train as command

    fields = set(Settings.__struct_fields__)
    texts = {name: text for group in DESCRIPTIONS.values() for name, text in group.items()}
    assert texts.keys() == GIVEN.keys() == fields and all(texts.values())
    assert fields <= inspect.signature(command).parameters.keys()
    got: dict[str, Any] = {}

    @settings_flags
    def fake(*, changes: dict[str, Any]) -> None:
        got.update(changes)

    app = typer.Typer()
    app.command()(fake)
    words = []
    for name, (text, value) in GIVEN.items():
        flag = f"--no-{name.replace('_', '-')}" if value is False else flag_of(name)
        words += [flag, text] if text else [flag]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert got == {name: value for name, (_, value) in GIVEN.items()}
    settings = msgspec.structs.asdict(make_settings("d2l", got))
    assert settings == got
    got.clear()
    CliRunner().invoke(app, [])
    assert not got  # what is not given changes nothing


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (
            "epochs = 3\n\nnegative = 4\n",
            3,
            "unknown setting 'negative'; did you mean 'negatives'?",
        ),
        ("# mine\nloss = 'hinge'\n", 2, "loss = 'hinge'"),
        ("epochs = 3\ndropout = 1.0\n", 2, "dropout = 1.0"),
        ("epochs = 3\nearly_stop = -1", 2, "early_stop = -1"),
        ('model = "gmf"\n"schedule" = "step"\n', 2, "schedule = 'step'"),
        ("epochs = true\n", 1, "epochs = True"),
        ("alpha = 0.5\nalpha = 0.6\n", 2, "not valid TOML"),
        ("mlp_layers = [8,\n  0]\nepochs = 3\n", 1, "mlp_layers = [8, 0]"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(
    text: str, line: int, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as told:
        make_settings("d2l", {}, path)
    assert (
        str(path) in str(told.value)
        and f"line {line}" in str(told.value)
        and says in str(told.value)
    )


def test_a_flag_goes_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epochs = 3\nloss = 'softmax'\n")
    settings = make_settings("d2l", {"epochs": 5, "clip": None}, path)
    assert (settings.epochs, settings.loss, settings.batch_size, settings.clip) == (
        5,
        "softmax",
        1024,
        0.0,
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"early_stop": 2},
            "--early-stop needs validation items: add --validation",
        ),
        ({"pretrain": 10}, "--pretrain 10: must be less than --epochs 10"),
        ({"pretrain": 2, "model": "gmf"}, "--pretrain needs --model neumf"),
        ({"dropout": 1.0}, "--dropout 1.0"),
        ({"alpha": 1.5}, "--alpha 1.5"),
        ({"sampler": "popular"}, "--sampler popular"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("(", r"\(")):
        check(msgspec.to_builtins(make_settings("d2l", {})) | changes)


def test_no_validation_item_is_told() -> None:
    with pytest.raises(DatasetError, match=r"no user has three interactions.* --no-validation"):
        Evaluator(tiny_dataset([[0, 1], [2, 3]], 5), validation=True)
