"""`rank`: print one person's recommendations."""

from typing import Annotated

import typer

from neumf_tui.cli.lookup import check_one_person, find_person, open_ranker
from neumf_tui.cli.options import (
    Csv,
    Epoch,
    GuestOption,
    Home,
    Json,
    Raw,
    RunOption,
    TopFilms,
    check_rows,
    form_of,
    rows_of,
)
from neumf_tui.errors import UsageError


def rank(
    user: Annotated[str | None, typer.Argument(help="A user's id, as in the dataset.")] = None,
    guest: GuestOption = None,
    run: RunOption = None,
    epoch: Epoch = None,
    by: Annotated[
        str,
        typer.Option(metavar="score|gmf|mlp", help="Sort by the score, or by one part of it."),
    ] = "score",
    raw: Raw = False,
    top: TopFilms = "10",
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """Print one person's ranked films and the rank of the held-out film."""
    form = form_of(json, csv)
    rows = rows_of(top)
    if by not in ("score", "gmf", "mlp"):
        raise UsageError(f"--by {by}: expected score, gmf or mlp")
    check_one_person(user, guest)
    ranker = open_ranker(home, run, epoch)
    check_rows(rows, ranker.dataset.num_items)
    from neumf_tui.views.person import print_ranking, ranking_sheet

    ranking = ranker.rank(find_person(ranker, user, guest), by)
    print_ranking(ranking_sheet(ranker, ranking, rows), form, raw)
