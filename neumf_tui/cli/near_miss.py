"""`near-miss`: show how far a held-out item is from the top 50."""

from typing import Annotated

import typer

from neumf_tui.cli.lookup import ModelOptions, model_options
from neumf_tui.cli.options import User
from neumf_tui.errors import UsageError


@model_options
def near_miss(
    user: User,
    margin_only: Annotated[
        bool, typer.Option("--margin-only", help="Leave out the fold-ins, which take seconds.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, help="Number of history items in the table.")] = 10,
    *,
    model: ModelOptions,
) -> None:
    """Show how far the held-out item is from the top 50, and how each history item affects it."""
    ranker = model.open_ranker()
    from neumf_tui.explore.near_miss import leave_out
    from neumf_tui.scorers.scorer import CannotError
    from neumf_tui.views.near_miss import near_miss_sheet, print_near_miss

    ranking = ranker.rank(ranker.dataset.user_index(user))
    if ranking.heldout < 0:
        noun = ranker.dataset.noun.singular
        raise UsageError(f"user {user} has no held-out {noun}; name another user")
    left, why_not = None, ""
    if not margin_only:
        try:
            *_, left = leave_out(ranker, ranking)
        except CannotError as error:
            why_not = str(error)
    sheet = near_miss_sheet(ranker, ranking, left, why_not)
    model.print_sheet(sheet, lambda sheet: print_near_miss(sheet, top))
