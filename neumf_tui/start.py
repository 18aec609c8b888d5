"""Make a run ready to train: settings, dataset, run directory."""

import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import msgspec

from neumf_tui.data.registry import load_dataset, open_dataset
from neumf_tui.errors import RunError
from neumf_tui.home import runs_dir
from neumf_tui.output import say
from neumf_tui.runs.events import DatasetRef, RunInfo
from neumf_tui.runs.reader import read_info
from neumf_tui.runs.store import new_run_name
from neumf_tui.runs.writer import create_run
from neumf_tui.settings import Settings

PROTOCOL = {
    "split": "leave-one-out, latest interaction of each user; equal timestamps: first in file order",
    "candidates": "every item not in the user's training history",
    "ties": "rank = 1 + scored higher + equal / 2",
}


def new_run(
    home: Path,
    dataset: str,
    data_dir: Path | None,
    name: str | None,
    preset: str,
    settings: Settings,
    pins: tuple[str, ...] = (),
) -> Path:
    """Open the dataset, telling of it on stderr, and lay out a run directory; its path. `pins` are ids of users."""
    name = new_run_name(home, name)
    folder = runs_dir(home) / name
    if folder.exists():
        raise RunError(f"{folder}: a run of this name exists; choose another --name, or --resume it")
    data = open_dataset(dataset, data_dir, home, say, _DownloadLine())
    for notice in data.notices:
        say(f"{data.label}: {notice}")
    for user in pins:
        data.user_index(user)
    info = RunInfo(
        name=name,
        created=time.time(),
        preset=preset,
        settings=msgspec.to_builtins(settings),
        dataset=DatasetRef(
            name=data.name,
            simulated=data.simulated,
            fingerprint=data.fingerprint,
            source=data.source,
            num_users=data.num_users,
            num_items=data.num_items,
            num_train=data.num_train,
            notices=data.notices,
        ),
        home=str(home),
        protocol=PROTOCOL | {"exclude_heldout": settings.exclude_heldout},
        pins=pins,
        host=platform.node(),
        versions={package: version(package) for package in ("neumf-tui", "torch", "numpy", "pandas")}
        | {"python": platform.python_version()},
    )
    create_run(folder, info)
    return folder


def check_data(folder: Path, home: Path) -> None:
    """See that a run's dataset is there, or can be made anew, before its trainer starts; raises DatasetError."""
    data = read_info(folder).dataset
    load_dataset(data.fingerprint, data.name, home, data.source)


class _DownloadLine:
    """Bytes of a download on one line that is written over, and only on a terminal."""

    def __init__(self) -> None:
        self.shown = -1

    def __call__(self, received: int) -> None:
        from neumf_tui.data.fetch import SIZE

        percent = 100 * received // SIZE
        if percent != self.shown and sys.stderr.isatty():
            self.shown = percent
            end = "\n" if received >= SIZE else ""
            print(
                f"\r{received / 1e6:.1f} of {SIZE / 1e6:.1f} MB  {percent} %",
                end=end,
                file=sys.stderr,
                flush=True,
            )
