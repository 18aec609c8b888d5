"""`film`: show how one item ranks over all users."""

from typing import TYPE_CHECKING, Annotated

import typer

from neumf_tui.cli.lookup import find_item, open_ranker
from neumf_tui.cli.options import Csv, Epoch, Home, Json, RunOption, Top, form_of

if TYPE_CHECKING:
    from neumf_tui.views.sheet import Sheet


def film(
    film: Annotated[str, typer.Argument(help="Item id or title.")],
    everyone: Annotated[
        bool, typer.Option("--everyone", help="No sample of users, however long it takes.")
    ] = False,
    run: RunOption = None,
    epoch: Epoch = None,
    top: Top = 10,
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """How a film fares: in how many top 50s it is, how its rank is spread, and for which users it ranks highest."""
    form = form_of(json, csv)
    ranker = open_ranker(home, run, epoch)
    from neumf_tui.explore.item import MOST_PAIRS, rank_item
    from neumf_tui.views.item import item_sheet
    from neumf_tui.views.output import print_sheet

    found = rank_item(
        ranker, find_item(ranker.dataset, film), most_pairs=None if everyone else MOST_PAIRS
    )
    sheet = item_sheet(ranker, found, top)
    if print_sheet(sheet, form):
        _print_film(sheet)


def _print_film(sheet: "Sheet") -> None:
    from neumf_tui.text import rank_text
    from neumf_tui.views.output import item_label, print_line, print_table
    from neumf_tui.views.sheet_keys import label_of

    about = sheet.about
    print_line(
        f"run {about['run']}  {label_of(about)}  epoch {about['epoch']}  {item_label(about, '')}"
    )
    print_line(
        f"seen by {about['seen_by']:,} of {about['num_users']:,} users, held out for {about['heldout_for']:,}"
    )
    if about["sampled"]:
        print_line(f"asked: a random sample of {about['num_asked']:,} users; --everyone asks all")
    if about["median_rank"] is None:
        print_line("every user who was asked has seen it: there is nobody to rank it for")
        return
    print_line(
        f"median rank {rank_text(about['median_rank'])}; in {about['top50']:,} top 50s and {about['top10']:,} top 10s, "
        f"of {about['num_ranked']:,} users who have not seen it"
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
