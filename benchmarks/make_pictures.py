"""Make the README's pictures from real runs: train, control the trainer, open the real screens, let the app export them.

    python assets/make_pictures.py

All are of the built-in demo set: MovieLens may not be passed on, not even its titles in pictures.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

ASSETS = Path(__file__).parent
SIZE = (120, 38)
USER = "sim-141"
"""Whom the explorer's pictures show."""
PICKS = ("a l i e n enter", "b l a d e enter", "s o l a r i s enter")
PINS = ("sim-021", "sim-107", "sim-141", "sim-529", "sim-603")


def command(home: Path, *args: str) -> str:
    """What the program prints, both streams as a terminal would mix them."""
    done = subprocess.run(
        [sys.executable, "-m", "neumf_tui", *args],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True, env=os.environ | {"NEUMF_TUI_HOME": str(home)},
    )  # fmt: skip
    return done.stdout


async def picture(
    folder: Path | None,
    home: Path,
    screen: str,
    keys: list[str],
    name: str,
    user: str | None = None,
) -> None:
    from neumf_tui.tui.app import NeumfApp

    app = NeumfApp(folder, home, screen, user_id=user)
    async with app.run_test(size=SIZE) as pilot:
        for key in ["", *keys]:
            if key:
                # Several keys in one string, separated by blanks, are pressed without a pause.
                await pilot.press(*key.split())
            await app.workers.wait_for_complete()
            await pilot.pause(0.7)
        await pilot.pause(1.5)
        (ASSETS / name).write_text(app.export_screenshot(), "utf-8")
    print(ASSETS / name)


def transcript(lines: list[tuple[str, str]], name: str) -> None:
    """Commands and what they printed, as a picture of a terminal."""
    console = Console(
        record=True, width=130, file=open(os.devnull, "w"), force_terminal=True, highlight=False
    )  # noqa: SIM115, PTH123
    for typed, printed in lines:
        console.print(Text.assemble(("gpu-host$ ", "green"), (f"neumf-tui {typed}", "bold")))
        console.print(Text(printed.rstrip() + "\n"))
    console.save_svg(str(ASSETS / name), title="ssh gpu-host")
    print(ASSETS / name)


def main() -> None:
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        runs = home / "runs"
        lines = []

        def typed(*args: str) -> None:
            shown = command(home, *args).replace(str(home), "~/.local/share/neumf-tui")
            lines.append((" ".join(args), shown))

        pins = [part for pin in PINS for part in ("--pin", pin)]
        command(home, "baselines", "--dataset", "demo")
        command(home, "train", "--dataset", "demo", "--name", "gentle-heron-12", "--detach", *pins)
        from neumf_tui.runs.reader import read_snapshot

        while len(read_snapshot(runs / "gentle-heron-12").evaluations) < 7:
            time.sleep(0.1)
        asyncio.run(picture(runs / "gentle-heron-12", home, "train", [], "train.svg"))
        command(home, "stop", "gentle-heron-12")
        command(
            home,
            "train",
            "--dataset",
            "demo",
            "--preset",
            "paper",
            "--name",
            "swift-fox-31",
            "--plain",
        )
        asyncio.run(picture(None, home, "runs", ["space", "down", "space"], "runs.svg"))
        typed(
            "train",
            "--dataset",
            "demo",
            "--preset",
            "d2l",
            "--epochs",
            "5000",
            "--name",
            "quiet-otter-07",
            "--detach",
        )
        time.sleep(5)
        typed("status", "quiet-otter-07")
        typed("pause", "quiet-otter-07")
        typed("resume", "quiet-otter-07")
        typed("pin", "sim-021", "sim-141", "--run", "quiet-otter-07")
        typed("stop", "quiet-otter-07")
        typed("runs")
        transcript(lines, "remote.svg")
        command(home, "train", "--dataset", "demo", "--name", "calm-ibis-44", "--plain")

        def explore(keys: list[str], name: str) -> None:
            asyncio.run(picture(runs / "calm-ibis-44", home, "explore", keys, name, USER))

        explore(["h"], "explore.svg")
        explore(["4", "left", "left"], "epochs.svg")
        explore(["x", "slash s w i f t enter"], "compare.svg")
        explore(["x", "slash s w i f t enter", "2"], "compare-all.svg")
        explore(["F", "2"], "failures.svg")
        explore(["t", "b l a d e space r u n n e r", "enter", "enter"], "film.svg")
        explore(["f", *PICKS, "tab", "tab"], "guest.svg")


if __name__ == "__main__":
    main()
