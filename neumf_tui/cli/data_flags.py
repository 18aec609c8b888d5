"""The flags that say how a dataset is read and split, shared by the commands that open one."""

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from neumf_tui.cli.options import Command, add_options
from neumf_tui.data.options import make_options
from neumf_tui.settings import flag_of

_PANEL = "Data"
_READING: dict[str, tuple[Any, Any]] = {
    "columns": (
        str,
        typer.Option(
            metavar="ROLE=NAME,…",
            help="Columns of your own table, by name or number: "
            "user=NAME,item=NAME, and also time=NAME and rating=NAME where there are such.",
        ),
    ),
    "time_format": (
        str, typer.Option(metavar="FORMAT", help="How times are written, such as '%d.%m.%Y %H:%M'.")
    ),
    "items": (
        Path,
        typer.Option(
            metavar="FILE", help="Table of items: id, title, category, year; other columns, too."
        ),
    ),
    "noun": (str, typer.Option(metavar="WORD", help="What an item is called: product, track, …")),
    "max_bad": (
        int,
        typer.Option(metavar="N", help="Leave out up to N rows that cannot be read. [default: 0]"),
    ),
}  # fmt: skip
_SPLITTING: dict[str, tuple[Any, Any]] = {
    "split": (
        str,
        typer.Option(
            metavar="latest|time|random|given",
            help="Hold out each user's latest interaction, the first one after a cut in time, or "
            "one at random; or take the parts that the files come in. [default: latest; random "
            "without times; given for files in parts]",
        ),
    ),
    "cut": (
        str,
        typer.Option(
            metavar="DATE|SHARE",
            help="The cut of --split time: a date, or the share of interactions before it. "
            "[default: 0.9]",
        ),
    ),
    "min_rating": (
        float, typer.Option(metavar="R", help="Leave out interactions with a lower rating.")
    ),
    "min_user_count": (
        int, typer.Option(metavar="N", help="Leave out users with fewer interactions.")
    ),
    "min_item_count": (
        int, typer.Option(metavar="N", help="Leave out items with fewer interactions.")
    ),
}  # fmt: skip


def data_flags(command: Command) -> Command:
    """Give `command` the flags of a dataset; its argument `data_options` gets their values."""
    flags = [_flag(name, *flag) for name, flag in (_READING | _SPLITTING).items()]
    return add_options(command, "data_options", make_options, flags)


def _flag(name: str, kind: Any, option: Any) -> inspect.Parameter:
    option.rich_help_panel, option.show_default = _PANEL, False
    option.param_decls = (flag_of(name),)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )
