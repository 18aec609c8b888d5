"""The examples, as a person runs them: watched, paused, stopped, killed, explored."""

import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import neumf_tui
from benchmarks.waiting import wait_for
from neumf_tui.runs import requests
from neumf_tui.runs.control import ask
from neumf_tui.runs.reader import read_snapshot, read_status
from neumf_tui.tui.app import NeumfApp
from tests.support.commands import Cli
from tests.support.screens import settle, text_of

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
async def test_a_loop_in_pytorch_is_watched_paused_stopped_and_explored(
    with_demo: Path, inside: Cli
) -> None:
    """Two of them: the one is stopped, the other one gets kill -9."""
    processes = {}
    for name in ("bpr", "dies"):
        command = [sys.executable, str(EXAMPLES / "pytorch_bpr.py"), "demo", name, "100000"]
        processes[name] = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    folder, dies = (with_demo / "runs" / name for name in processes)
    for run in (folder, dies):
        wait_for(lambda run=run: run.exists() and bool(read_snapshot(run).evaluations))
    os.kill(processes["dies"].pid, signal.SIGKILL)
    assert ask(folder, requests.PAUSE).state == "paused"
    async with NeumfApp(folder, with_demo, "train").run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "bpr" in text_of(pilot.app, "#head") and "paused" in text_of(pilot.app, "#head")
        titles = [str(chart.border_title) for chart in pilot.app.screen.query("CurveChart")]
        assert titles[0].startswith("loss 0.") and any("margin" in title for title in titles)
        await pilot.press("p")
        await settle(pilot)
    wait_for(lambda: read_status(folder).state == "running")
    assert inside("stop", "bpr").returncode == 0
    assert processes["bpr"].wait(60) == 0
    processes["dies"].wait(60)
    assert (read_status(folder).state, read_status(dies).state) == ("stopped", "crashed")
    assert "crashed" in inside("status", "dies").stdout
    opened = neumf_tui.open_run("bpr")
    assert opened.metrics()["validation_auc"].iloc[-1] > 0.6
    ranked = opened.ranking("sim-001")
    assert ranked["heldout"].sum() == 1 and len(opened.recommend("Alien; Brazil; Vertigo")) > 1000
    shown = inside("rank", "sim-001", "--run", "bpr", "--top", "3")
    assert ranked["title"][0] in shown.stdout


def test_als_of_implicit(with_demo: Path) -> None:
    pytest.importorskip("implicit")
    runpy.run_path(str(EXAMPLES / "implicit_als.py"))["train"]("demo", "als", 3)
    run = neumf_tui.open_run("als")
    assert run.metrics()["auc"].iloc[-1] > 0.7 and run.status()["state"] == "finished"
    assert run.ranking("sim-001")["rank"][0] == 1
