"""`rank`: print one person's recommendations."""

from typing import Annotated

import typer

from neumf_tui.cli import complete
from neumf_tui.cli.lookup import ModelOptions, check_one_person, find_person, model_options
from neumf_tui.cli.options import GuestOption, Raw, TopItems, check_rows, rows_of


@model_options
def rank(
    user: Annotated[
        str | None,
        typer.Argument(help="A user's id, as in the dataset.", autocompletion=complete.users),
    ] = None,
    guest: GuestOption = None,
    by: Annotated[
        str,
        typer.Option(metavar="score|gmf|mlp", help="Sort by the score, or by one part of it."),
    ] = "score",
    raw: Raw = False,
    top: TopItems = "10",
    *,
    model: ModelOptions,
) -> None:
    """Print one person's ranked items and the rank of the held-out item."""
    rows = rows_of(top)
    check_one_person(user, guest)
    ranker = model.open_ranker()
    check_rows(rows, ranker.dataset.num_items)
    from neumf_tui.views.person import print_ranking, ranking_sheet

    ranking = ranker.rank(find_person(ranker, user, guest), by)
    sheet = ranking_sheet(ranker, ranking, rows)
    model.print_sheet(sheet, lambda sheet: print_ranking(sheet, raw))
