"""Start a run of somebody's own loop."""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from neumf_tui.api.dataset import LoadedDataset, home_of, opened
from neumf_tui.api.run import Run
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError, UsageError
from neumf_tui.home import runs_dir
from neumf_tui.runs.create_run import make_info
from neumf_tui.runs.launch import attend
from neumf_tui.runs.protocol import with_validation
from neumf_tui.runs.store import check_name, new_run_name
from neumf_tui.runs.thresholds import make_thresholds, read_thresholds
from neumf_tui.runs.writer import create_run

DEVICE = "own loop"
"""What screens show as the device where none is named."""
MOST_EPOCHS = 10**9


def start_run(
    name: str | None = None,
    *,
    dataset: LoadedDataset | Dataset | str | Path,
    settings: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    steps_per_epoch: int | None = None,
    validation: bool = False,
    device: str = "",
    pins: Sequence[str] = (),
    alarms: Mapping[str, float] | None = None,
    home: str | Path | None = None,
) -> Run:
    """Start a run that this program writes, and return it.

    `name`: without one it is drawn. `dataset`: one that `load_dataset` has opened, or what that
    takes. `settings` are shown as they are. `epochs` and `steps_per_epoch`: if they are known.
    `validation`: the loop does not train on the validation items (`arrays.learned` of the dataset),
    so that they choose the best epoch. `pins`: ids of users in the rank race.
    `alarms`: thresholds by name, in place of those of the config file. Raises NeumfTuiError if the
    name is taken, there is no such dataset, or a value cannot be.
    """
    where = home_of(home)
    thresholds = read_thresholds() if alarms is None else make_thresholds(alarms)
    for what, number in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
        if number is not None and not 1 <= number <= MOST_EPOCHS:
            raise UsageError(f"{what} is {number!r}: expected a number from 1")
    if name is not None and (runs_dir(where) / check_name(name)).exists():
        raise RunError(
            f"{runs_dir(where) / name}: a run with this name exists; choose another, or delete it "
            f"with `neumf-tui delete {name}`"
        )
    data = opened(dataset, where)
    for user in pins:
        data.user_index(user)
    info = make_info(
        where,
        data,
        new_run_name(where, name),
        {str(key): _shown(value) for key, value in (settings or {}).items()},
        kind="logged",
        model="none",
        planned=epochs or 0,
        pins=tuple(pins),
        alarms=thresholds,
    )
    torch = sys.modules.get("torch")  # of the loop, if it uses that
    versions = {"torch": str(torch.__version__)} if torch else {}
    protocol = with_validation(info.protocol) if validation else info.protocol
    info = msgspec.structs.replace(info, protocol=protocol, versions=info.versions | versions)
    folder = runs_dir(where) / info.name
    create_run(folder, info)
    run = Run(folder, info, data, device or DEVICE, steps_per_epoch or 0)
    attend(folder)
    return run


def _shown(value: Any) -> Any:
    """Return a setting as JSON can have it: anything unknown as its text."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return value if math.isfinite(value) and abs(value) < 2**53 else str(value)
    if isinstance(value, Mapping):
        return {str(key): _shown(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(one) for one in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        return _shown(value.item())
    return str(value)[:200]
