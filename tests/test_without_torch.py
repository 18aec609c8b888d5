"""Commands and screens that show a run work where torch is not installed, and load little else."""

import json
import os
import subprocess
import sys
from pathlib import Path

from neumf_tui.data.dataset import Dataset
from tests.support.kept_runs import kept_run

BLOCK = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""
RUN = """
import contextlib, io, json, os
from neumf_tui.cli.main import main

done = []
for args in json.loads(os.environ["COMMANDS"]):
    sys.argv, code = ["neumf-tui", *args], 0
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code
    loaded = sorted({name.partition(".")[0] for name in sys.modules})
    done.append([code, out.getvalue(), err.getvalue(), loaded])
print(json.dumps(done))
"""
SHOW = """
import asyncio
from pathlib import Path
from neumf_tui.tui.app import NeumfApp
from tests.support.screens import settle

async def show(home, run):
    app = NeumfApp(home / "runs" / run, home, "explore")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("down", "2", "3", "4", "5", "1", "right")
        await settle(pilot)
        assert app.screen.ranking is not None and app.screen.ranker is not None
        await pilot.press("x")
        await settle(pilot)
        await pilot.press("escape", "enter")
        await settle(pilot)
        await pilot.press("escape", "F")
        await settle(pilot)
        return type(app.screen).__name__

print(asyncio.run(show(Path(sys.argv[1]), sys.argv[2])))
"""
HEAVY = {"torch", "scipy", "pandas", "pyarrow", "textual", "sklearn", "pydantic", "requests"}
TRAINED = ("--run", "trained")
COMMANDS = [
    ["runs", "--plain"],
    ["status", "trained"],
    ["rank", "sim-001", *TRAINED],
    ["rank", "sim-001", "--by", "mlp", "--json", "--epoch", "last", *TRAINED],
    ["why", "sim-001", "Alien", *TRAINED],
    ["journey", "sim-001", *TRAINED],
    ["near-miss", "sim-001", *TRAINED],
    ["recommend", "--likes", "Alien; Blade Runner; Brazil", "--save", "anna", *TRAINED],
    ["rank", "--guest", "anna", *TRAINED],
    ["guests"],
    ["similar", "Alien", *TRAINED],
    ["similar", "--user", "sim-001", *TRAINED],
    ["film", "Alien", *TRAINED],
    ["failures", "trained"],
    ["failures", "trained", "--cohorts"],
    ["compare", "trained@2", "trained@10"],
    ["compare", "trained@2", "trained@10", "--user", "sim-001"],
    ["evaluate", "trained"],
    ["report", "trained"],
    ["export", "trained", "--what", "embeddings", "--format", "npz", "--output", "vectors.npz"],
    ["export", "trained", "--what", "top-k", "--output", "top.csv"],  # pyarrow writes it
]


def run_blocked(code: str, home: Path, *args: str, commands: object = ()) -> str:
    """Run code in a new interpreter where torch cannot be imported; return its stdout."""
    env = os.environ | {"NEUMF_TUI_HOME": str(home), "COMMANDS": json.dumps(commands)}
    env["PYTHONPATH"] = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", BLOCK + code, *args]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=home, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_command_that_shows_a_run(trained: Path, own_home: Path, demo: Dataset) -> None:
    of_kinds = []
    for kind in ("vectors", "item_item", "top_k", "none"):
        kept_run(own_home, demo, kind)
        of_kinds += [
            ["rank", "sim-001", "--run", kind],
            ["why", "sim-001", "--run", kind],
            ["similar", "Alien", "--run", kind],
            ["compare", "trained", kind],
            ["evaluate", kind],
        ]
    done = json.loads(run_blocked(RUN, own_home, commands=of_kinds + COMMANDS))
    for args, (code, _, err, _) in zip(of_kinds, done, strict=False):
        assert code in (0, 4) and "torch" not in err, (args, err)  # 4: that model has no answer
    done = done[len(of_kinds) :]
    failed = [(args, err) for args, (code, _, err, _) in zip(COMMANDS, done, strict=True) if code]
    assert not failed
    assert all(out for _, out, _, _ in done)
    for args, (_, _, _, loaded) in zip(COMMANDS[:-1], done, strict=False):
        assert not HEAVY.intersection(loaded), args


def test_the_screens(trained: Path, own_home: Path) -> None:
    assert run_blocked(SHOW, own_home, str(own_home), "trained").strip() == "FailuresScreen"
