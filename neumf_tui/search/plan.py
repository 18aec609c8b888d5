"""The plan of a study: what is searched, and on which data. It is fixed when the study starts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.options import DataOptions
from neumf_tui.errors import DatasetError, UsageError
from neumf_tui.search.space import Space, narrow_space, read_space
from neumf_tui.settings import DEFAULT_PRESET, Settings, flag_of, make_settings
from neumf_tui.text import dataset_label

MACHINE = ("device", "threads")
"""Settings that do not change the result: a study can continue with others."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan, as it is kept in the study's file."""

    dataset: str
    simulated: bool = False
    source: str
    """The folder that the dataset came from."""
    data_options: DataOptions = DataOptions()
    fingerprint: str
    preset: str
    """Name of the preset or file that `settings` came from."""
    settings: Settings
    """Where the search starts, and the values of settings that are not searched."""
    given: tuple[str, ...]
    """Settings fixed by flags."""
    space: Space
    prune: bool
    """Whether trials that fall behind are stopped."""

    @property
    def label(self) -> str:
        """The dataset's name for people."""
        return dataset_label(self.dataset, self.simulated)

    @property
    def data_dir(self) -> Path | None:
        """The dataset's folder; None if it is built in."""
        return Path(self.source) if Path(self.source).is_absolute() else None


class PlanOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command line that make a plan; None or empty: not given."""

    preset: str | None = None
    config: Path | None = None
    changes: dict[str, Any] = {}
    space: Path | None = None
    prune: bool | None = None


def make_plan(options: PlanOptions, open_data: Callable[[], Dataset]) -> tuple[Plan, Dataset]:
    """Return the plan of a new study and its dataset; raise UsageError, also without validation."""
    preset = options.preset or DEFAULT_PRESET
    base = make_settings(preset, options.changes, options.config)
    if not base.validation:
        source = f"--config {options.config}" if options.config else f"--preset {preset}"
        raise UsageError(
            f"{source} keeps no validation items, which the search needs to compare trials: "
            "add --validation, or use another preset"
        )
    space = narrow_space(read_space(options.space, base), options.changes, base)
    data = open_data()
    plan = Plan(
        dataset=data.name,
        simulated=data.simulated,
        source=data.source,
        data_options=data.options,
        fingerprint=data.fingerprint,
        preset=options.config.stem if options.config else preset,
        settings=base,
        given=tuple(options.changes),
        space=space,
        prune=options.prune is not False,
    )
    return plan, data


def check_options(plan: Plan, options: PlanOptions, study: str) -> Plan:
    """Return the plan of an existing study, with the device and threads of `options`.

    Raises UsageError naming the options that differ from the plan.
    """
    base = plan.settings
    different = [
        flag_of(name)
        for name, value in options.changes.items()
        if name not in MACHINE and (name not in plan.given or getattr(base, name) != value)
    ]
    if options.preset or options.config:
        same = {name: getattr(base, name) for name in (*plan.given, *MACHINE)}
        if make_settings(options.preset or DEFAULT_PRESET, same, options.config) != base:
            different.append("--config" if options.config else "--preset")
    if options.space:
        space = narrow_space(read_space(options.space, base), plan.given, base)
        if msgspec.json.encode(space) != msgspec.json.encode(plan.space):
            different.append("--space")
    if options.prune is not None and options.prune != plan.prune:
        different.append("--prune" if options.prune else "--no-prune")
    if different:
        raise UsageError(
            f"{', '.join(different)}: study {study} was started with other values and keeps them; "
            "omit these options, or start another --study"
        )
    machine = {name: options.changes[name] for name in MACHINE if name in options.changes}
    return msgspec.structs.replace(plan, settings=msgspec.structs.replace(base, **machine))


def check_data(plan: Plan, study: str, data: Dataset) -> None:
    """Raise DatasetError if this is not the data that the study was started on."""
    if data.fingerprint != plan.fingerprint:
        raise DatasetError(
            f"study {study} was started on other data: {plan.label} {plan.fingerprint[:12]}, "
            f"this is {data.label} {data.fingerprint[:12]}; "
            "name the folder of that data with --data-dir, or start another --study"
        )
