"""A flag for every setting, shared by the commands that train."""

import inspect
import typing
from functools import cache, partial
from typing import Annotated, Any

import typer

from neumf_tui.cli.options import Command, add_options
from neumf_tui.errors import UsageError
from neumf_tui.settings import (
    DEFAULT_PRESET,
    DESCRIPTIONS,
    Settings,
    flag_of,
    make_settings,
    preset_names,
)

_GROUP_OF = {name: group for group, texts in DESCRIPTIONS.items() for name in texts}


def settings_flags(command: Command, hidden: bool = False) -> Command:
    """Give `command` a flag for every setting; its argument `changes` gets the given ones.

    hidden: its help does not list them, but refers to that of `train`.
    """
    make = partial(_flag, hidden=hidden)
    return add_options(command, "changes", _changes, map(make, Settings.__struct_fields__))


hidden_settings_flags = partial(settings_flags, hidden=True)


def _changes(mlp_layers: str | None, **others: Any) -> dict[str, Any]:
    values = {"mlp_layers": _layers(mlp_layers)} | others
    return {name: value for name, value in values.items() if value is not None}


def _flag(name: str, hidden: bool) -> inspect.Parameter:
    kinds = typing.get_type_hints(Settings)[name]
    kind: Any = {"mlp_layers": str, "embedding_weight_decay": float}.get(name, kinds)
    flag = f"{flag_of(name)}/--no-{name.replace('_', '-')}" if kind is bool else flag_of(name)
    group = _GROUP_OF[name]
    option = typer.Option(
        flag,
        help=_help(name),
        rich_help_panel=f"Settings ({group})",
        show_default=False,
        hidden=hidden,
    )
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _help(name: str) -> str:
    """Return what a setting means, and its value in each preset."""
    text = DESCRIPTIONS[_GROUP_OF[name]][name]
    if "[default:" in text:
        return text
    presets: dict[str, list[str]] = {}
    for preset, settings in _settings_of_presets().items():
        presets.setdefault(_text(getattr(settings, name)), []).append(preset)
    first, *others = presets  # the first is that of the default preset
    values = [first, *(f"{', '.join(presets[value])}: {value}" for value in others)]
    return f"{text} [default: {'; '.join(values)}]"


@cache
def _settings_of_presets() -> dict[str, Settings]:
    """Return the settings of all presets, those of the default one first."""
    names = sorted(preset_names(), key=lambda name: name != DEFAULT_PRESET)
    return {name: make_settings(name, {}) for name in names}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _layers(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--mlp-layers {text}: expected widths separated by commas, such as 32,16,8"
        ) from None
