"""Make the README's pictures from real runs: train, open the real screens, let the app export them.

    python assets/make_pictures.py [--data-dir FOLDER]

The train screen is of ml-100k where that is at hand, else of the demo set; the explore screen is always of the demo set, since
MovieLens may not be passed on, not even in pictures.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

from neumf_tui.tui.app import NeumfApp

ASSETS = Path(__file__).parent
SIZE = (120, 38)


def train(home: Path, name: str, *args: str) -> Path:
    command = [sys.executable, "-m", "neumf_tui", "train", "--plain", "--home", str(home), "--name", name, *args]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return home / "runs" / name


async def picture(folder: Path, home: Path, screen: str, keys: list[str], target: Path) -> None:
    app = NeumfApp(folder, home, screen)
    async with app.run_test(size=SIZE) as pilot:
        for key in ["", *keys]:
            if key:
                await pilot.press(key)
            await app.workers.wait_for_complete()
            await pilot.pause(0.5)
        target.write_text(app.export_screenshot(), "utf-8")
    print(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir")
    data_dir = parser.parse_args().data_dir
    real = ["--dataset", "ml-100k", "--data-dir", data_dir] if data_dir else ["--dataset", "auto"]
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        run = train(home, "quiet-otter-07", *real)
        asyncio.run(picture(run, home, "train", [], ASSETS / "train.svg"))
        run = train(home, "gentle-heron-12", "--dataset", "demo")
        asyncio.run(picture(run, home, "explore", ["down", "down", "down", "n", "h"], ASSETS / "explore.svg"))


if __name__ == "__main__":
    main()
