"""`similar`: list the nearest items of an item, or the nearest users of a person."""

from typing import Annotated

import typer

from neumf_tui.cli import complete
from neumf_tui.cli.lookup import ModelOptions, find_item, find_person, model_options
from neumf_tui.cli.options import GuestOption, Top
from neumf_tui.errors import UsageError


@model_options
def similar(
    item: Annotated[
        str | None,
        typer.Argument(metavar="[ITEM]", help="Item id or title.", autocompletion=complete.items),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            "--user",
            help="Show the users nearest to this user id.",
            autocompletion=complete.users,
        ),
    ] = None,
    guest: GuestOption = None,
    top: Top = 10,
    *,
    model: ModelOptions,
) -> None:
    """Show the items nearest to one, or the users nearest to a person, by GMF and MLP vector."""
    if [item, user, guest].count(None) != 2:
        raise UsageError("name one of: an item, a user with --user ID, a guest with --guest NAME")
    ranker = model.open_ranker()
    from neumf_tui.views import neighbours

    if item is not None:
        sheet = neighbours.similar_items_sheet(ranker, find_item(ranker.dataset, item), top)
    else:
        sheet = neighbours.similar_users_sheet(ranker, find_person(ranker, user, guest), top)
    model.print_sheet(sheet, neighbours.print_neighbours)
