"""Make a run ready to train: settings, dataset, run directory."""

import platform
import time
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.layout import Columns
from neumf_tui.data.registry import load_dataset, open_dataset
from neumf_tui.errors import RunError
from neumf_tui.home import runs_dir
from neumf_tui.runs.events import DatasetRef, RunInfo
from neumf_tui.runs.protocol import PROTOCOL as PROTOCOL
from neumf_tui.runs.protocol import make_protocol
from neumf_tui.runs.reader import read_info
from neumf_tui.runs.store import new_run_name
from neumf_tui.runs.writer import create_run
from neumf_tui.settings import Settings
from neumf_tui.views.output import say
from neumf_tui.views.progress_line import ProgressLine


def new_run(
    home: Path,
    dataset: str,
    data_dir: Path | None,
    name: str | None,
    preset: str,
    settings: Settings,
    pins: tuple[str, ...] = (),
    columns: str | None = None,
    accept_unverified: bool = False,
    job: str = "",
) -> Path:
    """Open the dataset as `open_data` does, and lay out a run directory; its path. `pins` are ids of users."""
    name = new_run_name(home, name)
    folder = runs_dir(home) / name
    if folder.exists():
        raise RunError(
            f"{folder}: a run of this name exists; choose another --name, or --resume it"
        )
    data = open_data(dataset, data_dir, home, columns, accept_unverified)
    return make_run(home, data, name, preset, settings, pins, job)


def open_data(
    dataset: str,
    data_dir: Path | None,
    home: Path,
    columns: str | None = None,
    accept_unverified: bool = False,
) -> Dataset:
    """Open a dataset, telling of it on stderr; raises DatasetError or UsageError. `columns` is what `--columns` says."""
    named = Columns.parse(columns) if columns else None
    data = open_dataset(
        dataset,
        data_dir,
        home,
        say,
        ProgressLine(),
        columns=named,
        accept_unverified=accept_unverified,
    )
    for notice in data.notices:
        say(f"{data.label}: {notice}")
    return data


def make_run(
    home: Path,
    data: Dataset,
    name: str,
    preset: str,
    settings: Settings,
    pins: tuple[str, ...] = (),
    job: str = "",
) -> Path:
    """Lay out a run directory of this name for a dataset that is open; its path. Raises RunError."""
    folder = runs_dir(home) / name
    for user in pins:
        data.user_index(user)
    config = msgspec.to_builtins(settings)
    info = RunInfo(
        name=name,
        created=time.time(),
        preset=preset,
        settings=config,
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
        protocol=make_protocol(config, _num_candidates(data)),
        pins=pins,
        job=job,
        host=platform.node(),
        versions={
            package: version(package) for package in ("neumf-tui", "torch", "numpy", "pandas")
        }
        | {"python": platform.python_version()},
    )
    create_run(folder, info)
    return folder


def _num_candidates(data: Dataset) -> tuple[int, int] | None:
    """The fewest and the most candidates of any user with a held-out item; None where there is no such user."""
    counts = (data.num_items - np.diff(data.offsets))[np.asarray(data.split.heldout) >= 0]
    return (int(counts.min()), int(counts.max())) if len(counts) else None


def check_data(folder: Path, home: Path) -> None:
    """See that a run's dataset is there, or can be made anew, before its trainer starts; raises DatasetError."""
    data = read_info(folder).dataset
    load_dataset(data.fingerprint, data.name, home, data.source)
