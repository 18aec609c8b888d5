"""`check-leak`: test whether settings let held-out items leak into training."""

from contextlib import closing
from typing import Annotated, Any

import typer

from neumf_tui.cli.data_flags import data_flags
from neumf_tui.cli.options import (
    ConfigFile,
    DataDir,
    DatasetName,
    Home,
    Preset,
    home_of,
    sheet_forms,
)
from neumf_tui.cli.settings_flags import hidden_settings_flags
from neumf_tui.data.options import DataOptions
from neumf_tui.errors import UsageError
from neumf_tui.settings import DEFAULT_PRESET, make_settings
from neumf_tui.views.open_data import open_data


@data_flags
@hidden_settings_flags
@sheet_forms
def check_leak(
    dataset: DatasetName = "auto",
    data_dir: DataDir = None,
    preset: Preset = None,
    config: ConfigFile = None,
    rounds: Annotated[
        int,
        typer.Option(min=1, help="Trainings whose ranks are pooled; more find smaller leaks."),
    ] = 1,
    home: Home = None,
    *,
    data_options: DataOptions,
    changes: dict[str, Any],
    form: str,
) -> None:
    """Test whether settings let held-out items leak into training.

    It trains on a copy of the dataset without structure, where only chance metrics are right: each
    user has as many items as before, drawn uniformly. Held-out items depend on nothing, so metrics
    above chance mean that training has seen them. In addition, training starts twice with
    different held-out items; if it does not see them, both end with the same weights, to the bit.
    Each round takes as long as a training; no run is created.

    Other people's later interactions are not tested: every split but `time` lets models use them.

    The settings and their flags are those of `neumf-tui train --help`.

    The exit code is 1 if there is a leak, or if held-out items rank below chance.
    """
    from neumf_tui.training.leak import check_leak as check
    from neumf_tui.views.leak import leak_sheet, print_leak
    from neumf_tui.views.output import print_sheet
    from neumf_tui.views.progress_line import ProgressLine

    settings = make_settings(preset or DEFAULT_PRESET, changes, config)
    if settings.processes > 1:
        raise UsageError(
            f"--processes {settings.processes}: check-leak trains in one process; leave it out"
        )
    data = open_data(dataset, data_dir, home_of(home), data_options)
    with closing(ProgressLine()) as progress:
        result = check(data, settings, rounds, progress)
    named = config.stem if config else preset or DEFAULT_PRESET
    sheet = leak_sheet(data, named, settings, result)
    print_sheet(sheet, form, print_leak)
    raise typer.Exit(0 if result.verdict == "pass" else 1)
