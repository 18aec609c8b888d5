"""The trainer process: exact after any interruption, and clear errors where it cannot resume."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.waiting import wait_for
from neumf_tui.errors import RunError
from neumf_tui.runs.checkpoint import last_checkpoint, load_checkpoint
from neumf_tui.runs.reader import (
    EventTail,
    read_info,
    read_snapshot,
    read_status,
)
from neumf_tui.runs.requests import STOP, send_request
from tests.support.commands import Cli
from tests.support.whole_runs import (
    ARGS,
    assert_same,
    check_readable,
    restarted,
    state_of,
    worker,
)

if TYPE_CHECKING:
    from torch import Tensor

    from neumf_tui.training.loop import Loop
    from neumf_tui.training.pairs import Batch


def kill_and_resume(whole: Path, moments: int, rng: random.Random) -> int:
    """Kill -9 at random moments of a run; return how many kills hit a living trainer."""
    times = [event.t for event in EventTail(whole).read()]
    hits, seconds = 0, times[-1] - times[0]
    for number in range(moments):
        folder = restarted(whole, f"killed-{number}")
        process = worker(folder)
        wait_for(lambda: read_snapshot(folder).started is not None)  # noqa: B023 - called at once
        time.sleep(rng.uniform(0, seconds))
        hits += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        check_readable(folder)
        if read_status(folder).state != "finished":
            assert read_status(folder).state == "crashed"
            assert worker(folder).wait() == 0
        assert_same(folder, whole)
        shutil.rmtree(folder)
    return hits


@pytest.mark.slow
def test_same_seed_same_bits_and_another_seed_others(inside: Cli, whole: Path) -> None:
    assert inside("train", *ARGS, "--name", "twin").returncode == 0
    assert_same(whole, whole.parent / "twin")
    assert inside("train", *ARGS, "--name", "other", "--seed", "1").returncode == 0
    a, b = state_of(whole), state_of(whole.parent / "other")
    assert not np.array_equal(a["item_gmf.weight"], b["item_gmf.weight"])


@pytest.mark.slow
def test_killed_anywhere_a_run_resumes_to_the_same_bits(whole: Path) -> None:
    kill_and_resume(whole, 2, random.Random(1))


@pytest.mark.slow
def test_killed_at_twenty_moments(whole: Path) -> None:
    assert kill_and_resume(whole, 20, random.Random(2)) >= 10


def test_stopped_inside_an_epoch_a_run_resumes_to_the_same_bits(inside: Cli, whole: Path) -> None:
    folder = restarted(whole, "stopped")
    process = worker(folder)
    wait_for(lambda: read_snapshot(folder).started is not None)
    send_request(folder, STOP)
    assert process.wait(60) == 0
    assert read_status(folder).state == "stopped"
    result = inside("train", "--resume", "stopped", "--plain")
    assert result.returncode == 0, result.stderr
    assert_same(folder, whole)
    snapshot = read_snapshot(folder)
    assert snapshot.points.steps.tolist() == sorted(set(snapshot.points.steps.tolist()))
    done = inside("train", "--resume", "stopped", "--plain")
    assert done.returncode == 4 and "all 3 epochs are done" in done.stderr


def stop_after(loop: "Loop", steps: int) -> None:
    """Make `loop` stop after exactly that many steps."""
    step = loop.trainer.step
    countdown = iter(range(steps - 1, -1, -1))

    def counted(batch: "Batch") -> "Tensor":
        if next(countdown) == 0:
            loop.requests.stop_reason, loop._checked = "test", 0.0
        return step(batch)

    loop.trainer.step = counted  # type: ignore[method-assign]


def test_a_step_checkpoint_carries_the_loss_of_the_epoch(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after step 7 of epoch 2 and resumed, the epoch has the same mean loss, to the bit."""
    import msgspec
    import torch

    from neumf_tui.data.load import load_dataset
    from neumf_tui.runs.writer import RunWriter
    from neumf_tui.settings import Settings
    from neumf_tui.training.loop import Loop, Stop

    info = read_info(whole)
    folder = restarted(whole, "by-hand")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for attempt in range(2):
        with RunWriter(folder) as writer:
            data = load_dataset(info.dataset.fingerprint, "demo", Path(info.home))
            loop = Loop(writer, data, msgspec.convert(info.settings, Settings), torch.device("cpu"))
            if attempt == 0:
                stop_after(loop, loop.trainer.steps + 7)
                with pytest.raises(Stop):
                    loop.run(os.getpid())
                path = last_checkpoint(folder)
                assert path is not None and path.name == "00001-00007.safetensors"
            else:
                loop.run(os.getpid())
    torch.use_deterministic_algorithms(False)
    assert_same(folder, whole)
    assert [e.loss for e in read_snapshot(folder).epochs] == [
        e.loss for e in read_snapshot(whole).epochs
    ]
    assert not list((folder / "checkpoints").glob("00001-*"))


@pytest.mark.parametrize(
    ("number", "code"),
    [pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow), (signal.SIGTERM, 143)],
)
def test_a_signal_saves_and_exits_with_its_code(with_demo: Path, number: int, code: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "neumf_tui", "train", *ARGS, "--epochs", "2000", "--name", "long"],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    folder = with_demo / "runs" / "long"
    wait_for(lambda: folder.exists() and bool(read_snapshot(folder).evaluations))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert read_status(folder).state == "stopped" and last_checkpoint(folder) is not None
    assert "Traceback" not in err and "\x1b" not in err + out and "\r" not in err


def test_the_trainer_outlives_whoever_started_it(with_demo: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "neumf_tui", "train", *ARGS, "--name", "orphan"],
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    folder = with_demo / "runs" / "orphan"
    wait_for(lambda: folder.exists() and read_status(folder).pid > 0)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: read_status(folder).state == "finished")


def test_a_diverged_run_fails_at_its_step(inside: Cli, with_demo: Path) -> None:
    wild = ("--learning-rate", "1e6", "--mlp-layers", "8,8,8,8,8,8,8,8", "--name", "wild")
    told = with_demo.parent / "told"
    on_alarm = "--on-alarm", f"echo $NEUMF_TUI_ALARM: $NEUMF_TUI_ALARM_TEXT >> {told}"
    result = inside("train", *ARGS, *wild, *on_alarm, "--json")
    assert result.returncode == 1
    assert (
        "training has diverged; try a smaller --learning-rate" in result.stderr
        and " step " in result.stderr
    )
    assert "Traceback" not in result.stderr
    folder = with_demo / "runs" / "wild"
    assert read_status(folder).state == "failed"
    check_readable(folder)
    (alarm,) = read_snapshot(folder).alarms.values()
    assert alarm.alarm == "not-a-number" and told.read_text() == f"not-a-number: {alarm.text}\n"
    assert (
        f"alarm: {alarm.text}" in result.stderr
        and "  alarm    ! the loss" in inside("status").stdout
    )


@pytest.mark.slow
def test_a_full_disk_keeps_the_last_good_checkpoint(whole: Path) -> None:
    folder = whole.parent / "full"
    shutil.copytree(whole, folder)
    (folder / "checkpoints" / "00003.safetensors").unlink()

    def limit() -> None:
        # Files over 200 KB cannot be written: a checkpoint has 480 KB, other files far less.
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    process = worker(folder, preexec_fn=limit, stderr=subprocess.PIPE)
    process.communicate(timeout=60)
    assert process.returncode == 1
    status = read_status(folder)
    assert status.state == "failed" and "earlier checkpoints can still be used" in status.reason
    left = [
        path.name for path in (folder / "checkpoints").iterdir() if path.suffix == ".safetensors"
    ]
    assert sorted(left) == ["00001.safetensors", "00002.safetensors"]
    assert worker(folder).wait() == 0
    assert_same(folder, whole)


def damaged(trained: Path, harm: str) -> Path:
    path = last_checkpoint(trained)
    assert path is not None
    content = path.read_bytes()
    if harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "empty":
        path.write_bytes(b"")
    else:
        at = len(content) - 1000 if harm == "weights" else 40
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    return path


@pytest.mark.parametrize("harm", ["cut", "empty", "weights", "header"])
def test_a_damaged_checkpoint_is_refused_by_name(trained: Path, harm: str) -> None:
    path = damaged(trained, harm)
    with pytest.raises(RunError, match=r"00010.safetensors: .*delete it and resume"):
        load_checkpoint(path, read_info(trained).dataset.fingerprint)


def test_a_checkpoint_of_other_data_or_shape_is_refused(trained: Path) -> None:
    import torch

    from neumf_tui.data.load import load_dataset
    from neumf_tui.settings import make_settings
    from neumf_tui.training.trainer import Trainer

    info, path = read_info(trained), last_checkpoint(trained)
    assert path is not None
    with pytest.raises(RunError, match="trained on dataset"):
        load_checkpoint(path, "0" * 64)
    data = load_dataset(info.dataset.fingerprint, "demo", trained.parents[1])
    trainer = Trainer(data, make_settings("d2l", {"embedding_size": 4}), torch.device("cpu"))
    with pytest.raises(RunError, match=r"of another model: .* expected"):
        trainer.load(path)


def test_demo_trained_with_d2l_beats_popularity_clearly(trained: Path) -> None:
    snapshot = read_snapshot(trained)
    assert snapshot.started is not None
    low, _ = snapshot.evaluations[-1].interval
    assert low > snapshot.started.popularity["hit@50"] * 1.2
    assert snapshot.evaluations[-1].metrics["auc"] > snapshot.started.popularity["auc"] + 0.02


def test_pointers_name_the_last_and_the_best_checkpoint(trained: Path) -> None:
    best = read_snapshot(trained).best
    assert best is not None
    assert (trained / "checkpoints" / "best").read_text() == f"{best.epoch:05}.safetensors"
    assert (trained / "checkpoints" / "last").read_text() == "00010.safetensors"
