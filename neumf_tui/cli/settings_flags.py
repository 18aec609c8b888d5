"""A flag for every setting, shared by the commands that train."""

import inspect
import typing
from typing import Annotated, Any

import typer

from neumf_tui.cli.options import Command, add_options
from neumf_tui.errors import UsageError
from neumf_tui.settings import DESCRIPTIONS, Settings, flag_of

HELP = {name: text for group in DESCRIPTIONS.values() for name, text in group.items()}


def settings_flags(command: Command) -> Command:
    """Give `command` a flag for every setting; its argument `changes` gets the given ones."""
    return add_options(command, "changes", _changes, map(_flag, Settings.__struct_fields__))


def _changes(mlp_layers: str | None, **others: Any) -> dict[str, Any]:
    values = {"mlp_layers": _layers(mlp_layers)} | others
    return {name: value for name, value in values.items() if value is not None}


def _flag(name: str) -> inspect.Parameter:
    kinds = typing.get_type_hints(Settings)[name]
    kind: Any = {"mlp_layers": str, "embedding_weight_decay": float}.get(name, kinds)
    flag = f"{flag_of(name)}/--no-{name.replace('_', '-')}" if kind is bool else flag_of(name)
    option = typer.Option(flag, help=HELP[name], rich_help_panel="Settings", show_default=False)
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _layers(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--mlp-layers {text}: expected widths separated by commas, such as 32,16,8"
        ) from None
