"""A loop of somebody's own: what it writes, how it ends, and what it is asked."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

import neumf_tui
from benchmarks.waiting import wait_for
from neumf_tui.api import run as api_run
from neumf_tui.errors import DatasetError, NeumfTuiError, RunError, UsageError
from neumf_tui.runs import requests
from neumf_tui.runs.control import ask, stop_now
from neumf_tui.runs.reader import (
    is_locked,
    rank_epochs,
    read_info,
    read_losses,
    read_ranks,
    read_snapshot,
    read_status,
)
from neumf_tui.runs.requests import send_request
from tests.api.conftest import Vectors
from tests.support.commands import Cli
from tests.support.datasets import tiny_dataset

Data = neumf_tui.LoadedDataset


def plain_ranks(
    data: Data, scores: NDArray[np.float32], targets: NDArray[np.int64], validation: bool
) -> NDArray[np.float64]:
    """Return ranks by the rule, user by user: 1 + scored higher + ties / 2 among candidates."""
    ranks = np.full(data.num_users, np.nan)
    for user in np.flatnonzero(targets >= 0):
        history = data.dataset.history(user)
        beside = np.ones(data.num_items, bool)
        beside[history[:-1] if validation else history] = False
        beside[targets[user]] = False
        own, others = scores[user, targets[user]], scores[user, beside]
        ranks[user] = 1 + (others > own).sum() + (others == own).sum() / 2
    return ranks


def test_a_loop_is_a_run_with_the_same_figures_as_ours(data: Data, vectors: Vectors) -> None:
    users, items = vectors
    settings = {"lr": np.float32(0.5), "path": Path("/x"), "nan": float("nan"), 3: [1, (2,)]}
    with neumf_tui.start_run(
        "mine", dataset=data, settings=settings, epochs=2, validation=True, pins=["sim-007"]
    ) as run:
        for step in range(1, 31):
            run.log(step, loss=1 / step, lr=0.1)
        first = run.evaluate(1, vectors=vectors)
        for step in range(31, 61):
            run.log(step, loss=0.5)
        second = run.evaluate(2, scores=lambda rows: users[rows] @ items.T)
        kept = run.keep(vectors=vectors)
    scores, arrays = users @ items.T, data.arrays
    for tape, targets in (("ranks", arrays.heldout), ("validation", arrays.validation)):
        expected = plain_ranks(data, scores, targets, tape == "validation")
        for epoch in (1, 2):
            np.testing.assert_array_equal(read_ranks(run.folder, epoch, tape), expected)
        share = float(np.mean(expected[targets >= 0] <= 50))
        key = "hit@50" if tape == "ranks" else "validation_hit@50"
        assert first[key] == second[key] == share and 0.05 < share < 0.9
    info, snapshot, status = (
        read_info(run.folder),
        read_snapshot(run.folder),
        read_status(run.folder),
    )
    assert (info.kind, info.model, info.epochs, info.pins) == ("logged", "vectors", 2, ("sim-007",))
    assert info.settings == {"lr": 0.5, "path": "/x", "nan": "nan", "3": [1, [2]]}
    assert info.has_validation and snapshot.best and snapshot.best.epoch == 1
    losses = read_losses(run.folder)
    assert losses[1] == pytest.approx(sum(1 / step for step in range(1, 31)) / 30)
    assert losses[2] == 0.5 and list(snapshot.scalars) == ["lr"]
    assert snapshot.started and snapshot.started.popularity and snapshot.checkpoint
    assert (status.state, status.epoch, status.step, status.exit_code) == ("finished", 2, 60, 0)
    assert kept.name == "00002.safetensors" and not is_locked(run.folder)
    interval = snapshot.evaluations[-1].interval
    assert interval[0] < first["hit@50"] < interval[1]
    # The best of the kept ones: epoch 1 was as good, but has no checkpoint.
    assert (run.folder / "checkpoints" / "best").read_text() == kept.name


def test_ranks_can_be_given(data: Data, inside: Cli) -> None:
    expected = np.where(data.arrays.heldout >= 0, 7.5, np.nan)
    with neumf_tui.start_run(dataset=data) as run:
        metrics = run.evaluate(1, ranks=expected.tolist())
    assert metrics["mrr"] == pytest.approx(1 / 7.5) and metrics["hit@10"] == 1
    np.testing.assert_array_equal(read_ranks(run.folder, 1), expected.astype(np.float32))
    assert read_info(run.folder).model == "none" and rank_epochs(run.folder) == [1]
    assert "no screen here" in inside("explore", run.name).stderr, "its ranks can be explored"
    assert "kept no model" in inside("rank", "sim-001", "--run", run.name).stderr


def test_scores_can_be_kept_whole_or_in_part(data: Data, vectors: Vectors) -> None:
    users, items = vectors
    metrics = []
    for name, top in (("whole", None), ("part", 30)):
        with neumf_tui.start_run(name, dataset=data) as run:
            run.keep(epoch=1, scores=lambda rows: users[rows] @ items.T, top=top)
            with pytest.raises(UsageError, match=r"this run keeps \w+, so it cannot keep vectors"):
                run.keep(epoch=2, vectors=vectors)
        metrics.append(neumf_tui.open_run(name).metrics()["hit@50"][0])
    assert metrics[0] == metrics[1]
    whole, part = (
        neumf_tui.open_run(name).ranking("sim-001", top=30) for name in ("whole", "part")
    )
    assert whole["item_id"].tolist() == part["item_id"].tolist()
    np.testing.assert_array_equal(whole["score"], part["score"])


def test_what_does_not_fit_is_said_in_one_message(data: Data, vectors: Vectors) -> None:
    users, items = vectors
    run = neumf_tui.start_run("odd", dataset=data)

    def refused(**given: Any) -> str:
        epoch = given.pop("epoch", 1)
        with pytest.raises(NeumfTuiError) as error:
            run.evaluate(epoch, **given)
        assert read_snapshot(run.folder).evaluations == ()
        return str(error.value)

    assert "users: expected shape (700, d), found (9, 3)" in refused(vectors=(users[:9], items))
    assert "in the order of `item_ids`" in refused(vectors=(users, items[:9]))
    assert "users have 2 numbers each and items 3" in refused(vectors=(users[:, :2], items))
    assert "expected (users, items)" in refused(vectors=users)
    assert "found users, bias" in refused(vectors={"users": users, "bias": items})
    assert "NaN or infinite" in refused(vectors=(users * np.nan, items))
    assert "expected an array of numbers" in refused(vectors=([["a"]], items))
    assert "expected a function" in refused(scores=users)
    assert "returned shape (700, 3)" in refused(scores=lambda rows: users[rows])
    assert "is NaN" in refused(scores=lambda rows: users[rows] @ items.T * np.nan)
    assert "expected shape (700,), found (9,)" in refused(ranks=np.ones(9))
    assert "rank of user 'sim-001' is 0" in refused(ranks=np.zeros(700))
    assert "expected one of scores, vectors, ranks; found none" in refused()
    assert "found vectors and ranks" in refused(vectors=vectors, ranks=np.ones(700))
    assert "validation_ranks: not expected" in refused(ranks=np.ones(700), validation_ranks=[])
    assert "epoch is 0: expected a whole number from 1" in refused(epoch=0, vectors=vectors)
    assert "epoch is 1.5" in refused(epoch=1.5, vectors=vectors)
    run.evaluate(3, vectors=vectors)
    with pytest.raises(UsageError, match="epoch 2 comes after epoch 3"):
        run.evaluate(2, vectors=vectors)
    with pytest.raises(UsageError, match="top is 0"):
        run.keep(scores=lambda rows: users[rows] @ items.T, top=0)
    run.finish()
    with pytest.raises(RunError, match=r"odd has ended \(finished\)"):
        run.log(loss=1)
    run.finish()


def test_a_run_that_cannot_start_leaves_nothing(with_demo: Path, data: Data) -> None:
    neumf_tui.start_run("taken", dataset=data).finish()
    before = sorted(path.name for path in (with_demo / "runs").iterdir())
    for error, message, given in (
        (RunError, "a run with this name exists", {"name": "taken"}),
        (UsageError, "run name '../x'", {"name": "../x"}),
        (UsageError, "expected one of auto", {"dataset": "nothing"}),
        (DatasetError, "no such file or folder", {"dataset": "/nowhere/at/all"}),
        (UsageError, "epochs is 0", {"epochs": 0}),
        (RunError, "no user 'x'", {"pins": ["x"]}),
    ):
        with pytest.raises(error, match=message.replace("(", r"\(")):
            neumf_tui.start_run(**({"dataset": data} | given))
    assert sorted(path.name for path in (with_demo / "runs").iterdir()) == before


def test_a_dataset_without_held_out_items_can_only_log(own_home: Path) -> None:
    with neumf_tui.start_run(dataset=tiny_dataset([[1], [2]], 3)) as run:
        run.log(loss=1.0)
        with pytest.raises(DatasetError, match="nothing can be held out"):
            run.evaluate(1, ranks=[1, 1])
    snapshot = read_snapshot(run.folder)
    assert snapshot.started and snapshot.started.popularity is None and len(snapshot.points) == 1


def test_how_a_with_block_ends(data: Data) -> None:
    def status_after(error: BaseException | None) -> tuple[str, str, int]:
        with pytest.raises(type(error)) if error else neumf_tui.start_run(dataset=data) as run:
            if error:
                with neumf_tui.start_run(dataset=data) as run:
                    raise error
        found = read_status(run.folder)
        return found.state, found.reason, found.exit_code

    assert status_after(None) == ("finished", "", 0)
    assert status_after(SystemExit(0)) == ("finished", "", 0)
    assert status_after(KeyboardInterrupt()) == ("stopped", "stopped by KeyboardInterrupt", 0)
    assert status_after(ValueError("\x1b[31mred")) == ("failed", "ValueError: \x1b[31mred", 1)
    latest = neumf_tui.open_run()
    log = (latest.folder / "trainer.log").read_text()
    assert log.startswith("Traceback") and "raise error" in log


def answer(run: neumf_tui.Run, what: str, argument: str = "") -> str:
    """Ask as a command does, while this loop goes on; return the state, or why it is refused."""
    found: list[str] = []

    def asking() -> None:
        try:
            found.append(ask(run.folder, what, argument, limit=20).state)
        except RunError as error:
            found.append(str(error))

    thread = threading.Thread(target=asking)
    thread.start()
    while thread.is_alive() and not run.should_stop:
        run.log(loss=1.0)
        if run.paused and found:
            break
        time.sleep(0.01)
    if run.should_stop:
        run.finish()
    thread.join()
    return found[0]


def test_requests_reach_the_loop(data: Data) -> None:
    run = neumf_tui.start_run("asked", dataset=data, epochs=5)
    assert not run.should_stop and not run.paused
    assert answer(run, requests.PAUSE) == "paused" and read_status(run.folder).state == "paused"
    send_request(run.folder, requests.RESUME)
    run.wait_while_paused()
    assert read_status(run.folder).state == "running"
    assert "decides itself how many epochs" in answer(run, requests.EXTEND, "9")
    assert "when it keeps a model" in answer(run, requests.CHECKPOINT)
    assert answer(run, requests.PIN, "sim-003") == "running"
    assert read_snapshot(run.folder).pinned == ("sim-003",)
    assert answer(run, requests.STOP) == "stopped"
    assert read_status(run.folder).reason == "stopped on request"
    texts = [text for _, text in read_snapshot(run.folder).log]
    assert [text for text in texts if text in ("paused", "resumed")] == ["paused", "resumed"]


def test_a_pause_ends_when_the_loop_is_to_stop(data: Data) -> None:
    run = neumf_tui.start_run(dataset=data)
    send_request(run.folder, requests.PAUSE)
    threading.Timer(0.6, lambda: send_request(run.folder, requests.STOP_NOW)).start()
    run.wait_while_paused()
    assert run.should_stop
    run.finish()
    assert stop_now_reason(run.folder).startswith("stopped at once")


def stop_now_reason(folder: Path) -> str:
    with pytest.raises(RunError, match="does not run any more"):
        stop_now(folder)
    return read_status(folder).reason


def test_a_loop_that_does_not_look_is_reported(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_run, "PATIENCE", 0.2)
    run = neumf_tui.start_run(dataset=data)
    send_request(run.folder, requests.STOP)
    until = time.monotonic() + 1.2
    while time.monotonic() < until:
        run.log(loss=1.0)
        time.sleep(0.02)
    texts = [text for _, text in read_snapshot(run.folder).log]
    assert sum("has not called run.should_stop" in text for text in texts) == 1
    assert run.should_stop
    run.finish()
    assert read_status(run.folder).state == "stopped"


def test_a_full_disk_does_not_end_the_training(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    run = neumf_tui.start_run(dataset=data)

    def full(_event: object) -> None:
        raise OSError(28, "No space left on device", "events.jsonl")

    with monkeypatch.context() as patch, pytest.warns(UserWarning, match="No space left") as seen:
        patch.setattr(run._writer, "event", full)
        for _ in range(3):
            run._due = 0.0
            run.log(loss=1.0)
    assert len(seen) == 1
    run.log(loss=2.0)
    run.finish()
    assert read_status(run.folder).state == "finished" and len(read_snapshot(run.folder).points)


def test_logging_costs_little(data: Data) -> None:
    """One percent of 2,000 steps a second are 5 µs; the fastest of some tries, as others work."""
    run, best = neumf_tui.start_run(dataset=data), 1.0
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(1_000):
            run.log(loss=1.5, norm=2.5)
        best = min(best, (time.perf_counter() - began) / 1_000)
    run.finish()
    assert best < 5e-6
    lines = (run.folder / "events.jsonl").read_bytes().splitlines()
    kinds = [msgspec.json.decode(line)["kind"] for line in lines]
    assert kinds.count("steps") == kinds.count("scalars") < 20


SCRIPT = """
import os, sys, time
import neumf_tui
run = neumf_tui.start_run("{name}", dataset="demo")
run.log(1, loss=0.5)
{rest}
"""


def start(name: str, rest: str) -> "subprocess.Popen[bytes]":
    code = SCRIPT.format(name=name, rest=rest)
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)


def test_a_run_ends_with_its_program(with_demo: Path) -> None:
    """Without a with statement: at the end, by an exception, by kill -9 with a child alive."""
    ends = {
        "whole": "",
        "broken": "raise KeyError('surprise')",
        "killed": "pid = os.fork()\ntime.sleep(60)\nrun.log(2, loss=1.0)",
    }
    processes = {name: start(name, rest) for name, rest in ends.items()}
    killed = with_demo / "runs" / "killed"
    wait_for(lambda: (killed / "events.jsonl").exists() and len(read_snapshot(killed).points) > 0)
    time.sleep(0.3)
    assert read_status(killed).state == "running"
    children = psutil.Process(processes["killed"].pid).children()
    processes["killed"].kill()
    for process in processes.values():
        process.wait(60)
    found = {name: read_status(with_demo / "runs" / name) for name in ends}
    for child in children:
        child.kill()
    assert len(children) == 1, "the fork lives on, and does not hold the run"
    assert {name: status.state for name, status in found.items()} == {
        "whole": "finished", "broken": "failed", "killed": "crashed",
    }  # fmt: skip
    assert found["broken"].reason == "KeyError: 'surprise'"


def test_a_loop_raises_the_alarms_of_its_thresholds(data: Data, vectors: Vectors) -> None:
    users, items = vectors
    collapsed = np.zeros_like(items)
    collapsed[:60] = 1  # the same few items for everybody
    thresholds = {"loss_rising": 1, "cohort_drop": 0.5, "coverage_drop": 0.5}
    with neumf_tui.start_run("alarmed", dataset=data, alarms=thresholds) as run:
        for epoch, table in enumerate((items, collapsed), 1):
            run.log(loss=float(epoch), margin=float("nan") if epoch == 2 else 0.1)
            run.evaluate(epoch, vectors=(users, table))
    first, last = read_snapshot(run.folder).evaluations
    assert first.coverage and last.coverage and last.coverage < first.coverage / 2
    assert sum(users for _, users in first.cohorts.values()) > data.num_users
    found = read_snapshot(run.folder).alarms
    assert {"loss-rising", "not-a-number", "coverage"} <= found.keys()
    assert found["not-a-number"].text == "margin is not a number at step 2"
    assert read_info(run.folder).alarms.cohort_drop == 0.5
    with pytest.raises(UsageError, match="unknown alarm 'los_rising'; did you mean 'loss_rising'"):
        neumf_tui.start_run("wrong", dataset=data, alarms={"los_rising": 2})
