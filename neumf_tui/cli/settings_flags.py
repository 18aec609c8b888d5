"""A flag for every setting, shared by the commands that train."""

import inspect
import typing
from collections.abc import Callable
from typing import Annotated, Any

import typer

from neumf_tui.errors import UsageError
from neumf_tui.settings import DESCRIPTIONS, Settings, flag_of

HELP = {name: text for group in DESCRIPTIONS.values() for name, text in group.items()}


def settings_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` a flag for every setting; its argument `changes` gets the given ones."""
    signature = inspect.signature(command)
    own = [parameter for name, parameter in signature.parameters.items() if name != "changes"]
    flags = [_flag(name) for name in Settings.__struct_fields__]

    def wrapped(**values: Any) -> None:
        given = {name: values.pop(name) for name in Settings.__struct_fields__}
        given["mlp_layers"] = _layers(given["mlp_layers"])
        command(
            **values, changes={name: value for name, value in given.items() if value is not None}
        )

    # Typer reads the signature and the annotations.
    wrapped.__signature__ = signature.replace(parameters=own + flags)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in own + flags}
    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    return wrapped


def _flag(name: str) -> inspect.Parameter:
    kinds = typing.get_type_hints(Settings)[name]
    kind: Any = {"mlp_layers": str, "embedding_weight_decay": float}.get(name, kinds)
    flag = f"{flag_of(name)}/--no-{name.replace('_', '-')}" if kind is bool else flag_of(name)
    option = typer.Option(flag, help=HELP[name], rich_help_panel="Settings", show_default=False)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
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
