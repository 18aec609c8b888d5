"""Make the README's pictures: train real runs, control one, open the screens and export them.

    python -m benchmarks.make_pictures

All pictures show the built-in demo dataset: MovieLens, even its titles, may not be redistributed.
"""

import asyncio
import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from neumf_tui.runs.reader import read_snapshot
from neumf_tui.tui.app import NeumfApp

ASSETS = Path(__file__).parents[1] / "assets"
SIZE = (120, 38)
USER = "sim-141"
"""The user whom the explorer's pictures show."""
PICKS = ("a l i e n enter", "b l a d e enter", "s o l a r i s enter")
PINS = ("sim-021", "sim-107", "sim-141", "sim-529", "sim-603")


def command(home: Path, *args: str) -> str:
    """Run the program; return both output streams, mixed as in a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "neumf_tui", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        env=os.environ | {"NEUMF_TUI_HOME": str(home)},
    )
    return done.stdout


def train(home: Path, name: str, *args: str) -> None:
    command(home, "train", "--dataset", "demo", "--name", name, *args)


async def screenshot(app: NeumfApp, keys: list[str], name: str) -> None:
    """Press keys and export the screen.

    Keys in one string, separated by blanks, are pressed without a pause between them.
    """
    async with app.run_test(size=SIZE) as pilot:
        for key in ["", *keys]:
            await pilot.press(*key.split())
            await app.workers.wait_for_complete()
            await pilot.pause(0.7)
        await pilot.pause(1.5)
        (ASSETS / name).write_text(app.export_screenshot(), "utf-8")
    print(ASSETS / name)


def transcript(lines: list[tuple[str, str]], name: str) -> None:
    """Draw commands and what they printed as a picture of a terminal."""
    console = Console(
        record=True, width=130, file=io.StringIO(), force_terminal=True, highlight=False
    )
    for typed, printed in lines:
        console.print(Text.assemble(("gpu-host$ ", "green"), (f"neumf-tui {typed}", "bold")))
        console.print(Text(printed.rstrip() + "\n"))
    console.save_svg(str(ASSETS / name), title="ssh gpu-host")
    print(ASSETS / name)


def train_screen(home: Path, name: str) -> None:
    """Picture a run in training after seven epochs."""
    command(home, "baselines", "--dataset", "demo")
    pins = [part for pin in PINS for part in ("--pin", pin)]
    train(home, name, "--detach", "--epochs", "30", *pins)  # still in training when pictured
    folder = home / "runs" / name
    while len(read_snapshot(folder).evaluations) < 7:
        time.sleep(0.1)
    asyncio.run(screenshot(NeumfApp(folder, home, "train"), [], "train.svg"))
    command(home, "stop", name)


def runs_screen(home: Path) -> None:
    """Picture two runs compared."""
    train(home, "swift-fox-31", "--preset", "paper", "--plain")
    app = NeumfApp(None, home, "runs")
    asyncio.run(screenshot(app, ["space", "down", "space"], "runs.svg"))


def remote_control(home: Path, name: str) -> None:
    """Picture the commands that control a run."""
    lines = []

    def typed(*args: str) -> None:
        shown = command(home, *args).replace(str(home), "~/.local/share/neumf-tui")
        lines.append((" ".join(args), shown))

    settings = ("--dataset", "demo", "--preset", "d2l", "--epochs", "5000")
    typed("train", *settings, "--name", name, "--detach")
    time.sleep(5)
    typed("status", name)
    typed("pause", name)
    typed("resume", name)
    typed("pin", "sim-021", "sim-141", "--run", name)
    typed("stop", name)
    typed("runs")
    transcript(lines, "remote.svg")


def explorer(home: Path, name: str) -> None:
    """Picture the explorer and the screens that it opens."""
    train(home, name, "--plain")
    for keys, file in (
        (["h"], "explore.svg"),
        (["4", "left", "left"], "epochs.svg"),
        (["x", "slash s w i f t enter"], "compare.svg"),
        (["x", "slash s w i f t enter", "2"], "compare-all.svg"),
        (["F", "2"], "failures.svg"),
        (["t", "b l a d e space r u n n e r", "enter", "enter"], "film.svg"),
        (["f", *PICKS, "tab", "tab"], "guest.svg"),
    ):
        app = NeumfApp(home / "runs" / name, home, "explore", user_id=USER)
        asyncio.run(screenshot(app, keys, file))


def main() -> None:
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        train_screen(home, "gentle-heron-12")
        runs_screen(home)
        remote_control(home, "quiet-otter-07")
        explorer(home, "calm-ibis-44")


if __name__ == "__main__":
    main()
