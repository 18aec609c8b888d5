"""Create the run directory of a new run, and check that the dataset of an old one is there."""

import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.load import load_dataset
from neumf_tui.home import runs_dir
from neumf_tui.runs.events import DatasetRef, Kind, ModelKind, RunInfo
from neumf_tui.runs.protocol import protocol_of_kind, split_protocol
from neumf_tui.runs.reader import read_info
from neumf_tui.runs.thresholds import Thresholds
from neumf_tui.runs.writer import create_run
from neumf_tui.settings import Settings

_PACKAGES = ("neumf-tui", "numpy")
"""Packages whose versions are noted in a run that our trainer did not make."""


def make_run(
    home: Path,
    data: Dataset,
    name: str,
    preset: str,
    settings: Settings,
    pins: tuple[str, ...] = (),
    job: str = "",
    alarms: Thresholds = Thresholds(),
) -> Path:
    """Create the run directory `name` for a run on `data` and return its path.

    `pins` are user ids; `job` identifies the cluster job and command that create the run. Raises
    RunError if the name is taken, DatasetError if a pinned user is not in the dataset.
    """
    folder = runs_dir(home) / name
    for user in pins:
        data.user_index(user)
    config = msgspec.to_builtins(settings)
    info = make_info(home, data, name, config, preset=preset, pins=pins, job=job, alarms=alarms)
    create_run(folder, info)
    return folder


def make_info(
    home: Path,
    data: Dataset,
    name: str,
    settings: dict[str, Any],
    *,
    kind: Kind = "trained",
    model: ModelKind = "neumf",
    preset: str = "",
    planned: int = 0,
    pins: tuple[str, ...] = (),
    job: str = "",
    alarms: Thresholds = Thresholds(),
) -> RunInfo:
    """Describe a new run on `data`, with its protocol; the arguments are fields of RunInfo."""
    split = split_protocol(data.facts, data.options.splitting)
    packages = ("neumf-tui", "torch", "numpy", "pandas") if kind == "trained" else _PACKAGES
    return RunInfo(
        name=name,
        created=time.time(),
        preset=preset,
        settings=settings,
        dataset=msgspec.convert(data, DatasetRef, from_attributes=True),
        home=str(home),
        protocol=protocol_of_kind(kind, settings, data.num_candidates, split),
        pins=pins,
        job=job,
        kind=kind,
        model=model,
        planned=planned,
        alarms=alarms,
        host=platform.node(),
        versions={name: version(name) for name in packages} | {"python": platform.python_version()},
    )


def check_data(folder: Path, home: Path) -> None:
    """Raise DatasetError if the dataset of a run is missing and cannot be prepared again."""
    info = read_info(folder)
    load_dataset(
        info.dataset.fingerprint,
        info.dataset.name,
        home,
        info.source_in(home),
        info.dataset.options,
    )
