"""`near-miss`: show how far a held-out item is from the top 50."""

from typing import Annotated

import typer

from neumf_tui.cli.lookup import open_ranker
from neumf_tui.cli.options import Csv, Epoch, Home, Json, RunOption, User, form_of
from neumf_tui.errors import UsageError


def near_miss(
    user: User,
    run: RunOption = None,
    epoch: Epoch = None,
    margin_only: Annotated[
        bool, typer.Option("--margin-only", help="Without the fold-ins, which take seconds.")
    ] = False,
    top: Annotated[
        int, typer.Option(min=1, help="Films of the history to show in the table.")
    ] = 10,
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """How far the held-out film is from the top 50, and what leaving out each film of the history does, by fold-in."""
    form = form_of(json, csv)
    ranker = open_ranker(home, run, epoch)
    from neumf_tui.explore.near_miss import leave_out
    from neumf_tui.runs.protocol import protocol_line
    from neumf_tui.text import rank_text
    from neumf_tui.views.near_miss import near_miss_sheet
    from neumf_tui.views.output import print_line, print_sheet, print_table
    from neumf_tui.views.person import model_line

    ranking = ranker.rank(ranker.dataset.user_index(user))
    if ranking.heldout < 0:
        raise UsageError(f"user {user} has no held-out film; name another user")
    left = None
    if not margin_only:
        *_, left = leave_out(ranker, ranking)
    sheet = near_miss_sheet(ranker, ranking, left)
    if not print_sheet(sheet, form):
        return
    about = sheet.about
    held, apart = about["heldout"], about["margin"]
    print_line(f"{model_line(about)}  user {user}")
    print_line(f"protocol: {protocol_line(about['protocol'])}")
    print_line(
        f"held out: {held['title']}, rank {rank_text(held['rank'])} of {about['num_candidates']:,}"
    )
    if apart is None:
        print_line("no more than 50 candidates: every rank is a hit")
    else:
        way = "above" if apart["score"] >= 0 else "below"
        print_line(
            f"{abs(apart['score']):.3f} {way} {apart['at_50']['title']}, which stands at 50 "
            f"({abs(apart['deviations']):.2f} standard deviations of this user's scores)"
        )
    if left is None:
        return
    print_line(
        f"by fold-in the rank is {rank_text(left.base)}; without one film of the history (not trained again, folded in):"
    )
    print_table(
        ("rank", "change", "without"),
        [
            (
                rank_text(row["rank_without"]),
                f"{row['change']:+,.1f}".removesuffix(".0"),
                row["title"],
            )
            for row in sheet.rows[:top]
        ],
        numbers=("rank", "change"),
    )
