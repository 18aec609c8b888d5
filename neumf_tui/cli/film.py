"""`film`: show how one item ranks over all users."""

from typing import TYPE_CHECKING, Annotated

import typer

from neumf_tui.cli.lookup import find_item, open_ranker
from neumf_tui.cli.options import Csv, Epoch, Home, Json, RunOption, Top, form_of

if TYPE_CHECKING:
    from neumf_tui.views.sheet import Sheet


def film(
    item: Annotated[str, typer.Argument(metavar="FILM", help="Item id or title.")],
    everyone: Annotated[
        bool,
        typer.Option(
            "--everyone", help="Rank for all users instead of a sample; this can take long."
        ),
    ] = False,
    run: RunOption = None,
    epoch: Epoch = None,
    top: Top = 10,
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """Show how a film ranks over all users: top 50s, distribution of ranks, and best users."""
    form = form_of(json, csv)
    ranker = open_ranker(home, run, epoch)
    from neumf_tui.explore.item import MOST_PAIRS, rank_item
    from neumf_tui.views.item import item_sheet
    from neumf_tui.views.output import print_sheet

    found = rank_item(
        ranker, find_item(ranker.dataset, item), most_pairs=None if everyone else MOST_PAIRS
    )
    sheet = item_sheet(ranker, found, top)
    if print_sheet(sheet, form):
        _print_text(sheet)


def _print_text(sheet: "Sheet") -> None:
    from neumf_tui.text import rank_text
    from neumf_tui.views.output import item_label, print_line, print_table
    from neumf_tui.views.sheet_keys import label_of

    about = sheet.about
    print_line(
        f"run {about['run']}  {label_of(about)}  epoch {about['epoch']}  {item_label(about)}"
    )
    users = f"{about['seen_by']:,} of {about['num_users']:,} users"
    print_line(f"seen by {users}, held out for {about['heldout_for']:,}")
    if about["sampled"]:
        print_line(f"random sample of {about['num_asked']:,} users; --everyone takes all")
    if about["median_rank"] is None:
        print_line("all these users have seen it, so it has no ranks")
        return
    print_line(
        f"median rank {rank_text(about['median_rank'])}; in {about['top50']:,} top 50s and "
        f"{about['top10']:,} top 10s of {about['num_ranked']:,} users who have not seen it"
    )
    print_table(
        ("ranks", "users"),
        [(f"{step['first']:,}–{step['last']:,}", f"{step['users']:,}") for step in about["spread"]],
        numbers=("ranks", "users"),
    )
    print_line("")
    print_table(
        ("#", "rank", "", "user", "watched"),
        [
            (
                str(row["place"]),
                f"{rank_text(row['rank'])} of {row['num_candidates']:,}",
                "★" if row["heldout"] else "",
                row["user"],
                f"{row['history_size']:,}",
            )
            for row in sheet.rows
        ],
        numbers=("#", "rank", "watched"),
    )
