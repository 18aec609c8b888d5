"""`film` and `item`: show how one item ranks over all users."""

from functools import wraps
from typing import Annotated, Any

import typer

from neumf_tui.cli import complete
from neumf_tui.cli.lookup import ModelOptions, find_item, model_options
from neumf_tui.cli.options import Top

Everyone = Annotated[
    bool,
    typer.Option("--everyone", help="Rank for all users instead of a sample; this can take long."),
]


@model_options
def item(
    item: Annotated[
        str,
        typer.Argument(metavar="ITEM", help="Item id or title.", autocompletion=complete.items),
    ],
    everyone: Everyone = False,
    top: Top = 10,
    *,
    model: ModelOptions,
) -> None:
    """Show how one item ranks over all users: top 50s, distribution of ranks, and best users."""
    ranker = model.open_ranker()
    from neumf_tui.explore.item import MOST_PAIRS, rank_item
    from neumf_tui.views.item import item_sheet, print_item

    index, most_pairs = find_item(ranker.dataset, item), None if everyone else MOST_PAIRS
    found = rank_item(ranker, index, most_pairs=most_pairs)
    model.print_sheet(item_sheet(ranker, found, top), print_item)


@wraps(item)
def film(**values: Any) -> None:
    item(**values)


film.__doc__ = "Do what `item` does; this is its older name."
