"""`near-miss`: show how far a held-out item is from the top 50."""

from typing import TYPE_CHECKING, Annotated

import typer

from neumf_tui.cli.lookup import open_ranker
from neumf_tui.cli.options import Csv, Epoch, Home, Json, RunOption, User, form_of
from neumf_tui.errors import UsageError

if TYPE_CHECKING:
    from neumf_tui.views.sheet import Sheet


def near_miss(
    user: User,
    run: RunOption = None,
    epoch: Epoch = None,
    margin_only: Annotated[
        bool, typer.Option("--margin-only", help="Leave out the fold-ins, which take seconds.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, help="Number of history films in the table.")] = 10,
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """Show how far the held-out film is from the top 50, and the effect of each history film."""
    form = form_of(json, csv)
    ranker = open_ranker(home, run, epoch)
    from neumf_tui.explore.near_miss import leave_out
    from neumf_tui.views.near_miss import near_miss_sheet
    from neumf_tui.views.output import print_sheet

    ranking = ranker.rank(ranker.dataset.user_index(user))
    if ranking.heldout < 0:
        raise UsageError(f"user {user} has no held-out film; name another user")
    left = None
    if not margin_only:
        *_, left = leave_out(ranker, ranking)
    sheet = near_miss_sheet(ranker, ranking, left)
    if print_sheet(sheet, form):
        _print_text(sheet, top)


def _print_text(sheet: "Sheet", top: int) -> None:
    from neumf_tui.runs.protocol import protocol_line
    from neumf_tui.text import rank_text
    from neumf_tui.views.output import print_line, print_table
    from neumf_tui.views.person import model_line

    about = sheet.about
    held, margin = about["heldout"], about["margin"]
    print_line(f"{model_line(about)}  user {about['user']}")
    print_line(f"protocol: {protocol_line(about['protocol'])}")
    rank = f"rank {rank_text(held['rank'])} of {about['num_candidates']:,}"
    print_line(f"held out: {held['title']}, {rank}")
    if margin is None:
        print_line("no more than 50 candidates: every rank is a hit")
    else:
        way = "above" if margin["score"] >= 0 else "below"
        print_line(
            f"its score is {abs(margin['score']):.3f} {way} that of {margin['at_50']['title']} at "
            f"place 50 ({abs(margin['deviations']):.2f} standard deviations of this user's scores)"
        )
    if about["rank_by_fold_in"] is None:
        return
    print_line(f"rank {rank_text(about['rank_by_fold_in'])} by fold-in, without training again;")
    print_line("rank without one film of the history:")
    rows = [
        (
            rank_text(row["rank_without"]),
            f"{row['change']:+,.1f}".removesuffix(".0"),
            row["title"],
        )
        for row in sheet.rows[:top]
    ]
    print_table(("rank", "change", "without"), rows, numbers=("rank", "change"))
