"""What a study searches and on which data: settled when it begins, kept with it, the same each time it goes on."""

from pathlib import Path
from typing import Any

import msgspec

from neumf_tui.errors import DatasetError, UsageError
from neumf_tui.search.space import Space, narrowed, read_space
from neumf_tui.settings import DEFAULT_PRESET, Settings, flag_of, make_settings

MACHINE = ("device", "threads")
"""Settings that change no outcome, so that a study may go on with others."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Kept in the study's file."""

    dataset: str
    label: str
    """Of the dataset; says what is simulated."""
    source: str
    """Folder that the dataset came from."""
    fingerprint: str
    preset: str
    """Name of the preset or file that `settings` came from."""
    settings: Settings
    """Where the search begins, and what holds for every trial."""
    given: tuple[str, ...]
    """Settings fixed by flags."""
    space: Space
    prune: bool
    """Whether trials that fall behind are stopped."""

    @property
    def data_dir(self) -> Path | None:
        """To find the dataset again by."""
        return Path(self.source) if Path(self.source).is_absolute() else None


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says of a plan; None or empty: nothing."""

    preset: str | None = None
    config: Path | None = None
    changes: dict[str, Any] = {}
    space: Path | None = None
    prune: bool | None = None


def plan_settings(wishes: Wishes) -> tuple[Settings, Space]:
    """Base and space of a new study. Raises UsageError, also where the base keeps no validation item."""
    base = make_settings(wishes.preset or DEFAULT_PRESET, wishes.changes, wishes.config)
    if not base.validation:
        raise UsageError(
            f"{_named(wishes)} keeps no validation item, and the search goes by nothing else: add --validation, or take another"
        )
    return base, narrowed(read_space(wishes.space, base), wishes.changes, base)


def preset_name(wishes: Wishes) -> str:
    return wishes.config.stem if wishes.config else wishes.preset or DEFAULT_PRESET


def _named(wishes: Wishes) -> str:
    return f"--config {wishes.config}" if wishes.config else f"--preset {preset_name(wishes)}"


def check_same(plan: Plan, wishes: Wishes, study: str) -> Plan:
    """The plan of a study that goes on, on the device that is wished now.

    Raises UsageError naming what was given and differs from what the study began with.
    """
    base = plan.settings
    given = {name: getattr(base, name) for name in plan.given}
    other = [
        flag_of(name)
        for name, value in wishes.changes.items()
        if name not in MACHINE and (name not in plan.given or getattr(base, name) != value)
    ]
    if wishes.preset or wishes.config:
        begun = make_settings(
            wishes.preset or DEFAULT_PRESET,
            given | {name: getattr(base, name) for name in MACHINE},
            wishes.config,
        )
        other += ["--config" if wishes.config else "--preset"] * (begun != base)
    if wishes.space and not _equal(
        narrowed(read_space(wishes.space, base), plan.given, base), plan.space
    ):
        other.append("--space")
    if wishes.prune is not None and wishes.prune != plan.prune:
        other.append("--prune" if wishes.prune else "--no-prune")
    if other:
        raise UsageError(
            f"{', '.join(other)}: study {study} began otherwise, and keeps to it; leave that out, or begin another --study"
        )
    machine = {name: wishes.changes[name] for name in MACHINE if name in wishes.changes}
    return msgspec.structs.replace(plan, settings=msgspec.structs.replace(base, **machine))


def check_data(plan: Plan, study: str, fingerprint: str, label: str) -> None:
    """Raises DatasetError where this is not the data that the study began on."""
    if fingerprint != plan.fingerprint:
        raise DatasetError(
            f"study {study} began on other data: {plan.label} {plan.fingerprint[:12]}, this is {label} {fingerprint[:12]}; "
            "name the folder it was in with --data-dir, or begin another with --study NAME"
        )


def _equal(one: Space, other: Space) -> bool:
    return msgspec.json.encode(one) == msgspec.json.encode(other)
