"""`why`: explain the rank of one item for one user."""

from typing import Annotated

import typer

from neumf_tui.cli import complete
from neumf_tui.cli.lookup import ModelOptions, find_item, model_options
from neumf_tui.cli.options import User
from neumf_tui.errors import UsageError


@model_options
def why(
    user: User,
    item: Annotated[
        str | None,
        typer.Argument(
            metavar="ITEM",
            help="Item id or title. [default: the held-out item]",
            autocompletion=complete.items,
        ),
    ] = None,
    *,
    model: ModelOptions,
) -> None:
    """Explain an item's rank: show both parts of its score, and the summands of the GMF part."""
    ranker = model.open_ranker()
    data, noun = ranker.dataset, ranker.dataset.noun.singular
    person = ranker.person(data.user_index(user))
    index = person.heldout if item is None else find_item(data, item)
    if index < 0:
        raise UsageError(f"user {user} has no held-out {noun}; name one {noun}")
    if index in person.history:
        raise UsageError(
            f"{data.catalogue.titles[index]!r} is in the history of user {user}, so it is not "
            f"ranked; name another {noun}"
        )
    from neumf_tui.explore.why import explain
    from neumf_tui.views.why import print_why, why_sheet

    ranking = ranker.rank_person(person)
    row = ranking.items.tolist().index(index)
    model.print_sheet(why_sheet(ranker, explain(ranker, ranking, row)), print_why)
