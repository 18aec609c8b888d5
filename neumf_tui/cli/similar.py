"""`similar`: list the nearest items of an item, or the nearest users of a person."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from neumf_tui.cli.lookup import find_item, find_person, open_ranker
from neumf_tui.cli.options import (
    Csv,
    Epoch,
    GuestOption,
    Home,
    Json,
    RunOption,
    Top,
    form_of,
)
from neumf_tui.errors import UsageError

if TYPE_CHECKING:
    from neumf_tui.views.sheet import Sheet


def similar(
    item: Annotated[str | None, typer.Argument(metavar="[FILM]", help="Item id or title.")] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="Show the users nearest to this user id.")
    ] = None,
    guest: GuestOption = None,
    run: RunOption = None,
    epoch: Epoch = None,
    top: Top = 10,
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """Show the films nearest to a film, or the users nearest to a person, by GMF and MLP vector."""
    form = form_of(json, csv)
    if [item, user, guest].count(None) != 2:
        raise UsageError("name one of: a film, a user with --user ID, a guest with --guest NAME")
    ranker = open_ranker(home, run, epoch)
    from neumf_tui.views.neighbours import similar_items_sheet, similar_users_sheet
    from neumf_tui.views.output import print_sheet

    if item is not None:
        sheet = similar_items_sheet(ranker, find_item(ranker.dataset, item), top)
    else:
        sheet = similar_users_sheet(ranker, find_person(ranker, user, guest), top)
    if print_sheet(sheet, form):
        _print_text(sheet, item is not None)


def _print_text(sheet: "Sheet", films: bool) -> None:
    from neumf_tui.explore.neighbours import CLOSE
    from neumf_tui.views.output import item_label, print_line, print_table
    from neumf_tui.views.sheet_keys import label_of

    about = sheet.about
    head = f"run {about['run']}  {label_of(about)}  epoch {about['epoch']}  "
    if films:
        print_line(f"{head}{item_label(about)}  seen by {about['seen_by']:,}")
    else:
        who = f"user {about['user']}" if about["guest"] is None else f"guest {about['guest']}"
        print_line(f"{head}{who}  {about['history_size']:,} watched")
    kinds = ("gmf", "mlp")
    for kind in kinds:
        if kind in about["zero_vectors"]:
            print_line(f"{kind.upper()} vector: zero, so nothing is near it")
        else:
            close = f"{about[f'{kind}_close']:,} {'films' if films else 'users'}"
            print_line(f"{kind.upper()} vector: {close} have a cosine of at least {CLOSE}")

    def cells(row: dict[str, Any], kind: str) -> tuple[str, ...]:
        if row[f"{kind}_cosine"] is None:
            return ("", "", "", "")
        numbers = (f"{row[f'{kind}_cosine']:.4f}", f"{row[f'{kind}_both']:,}")
        if films:
            return (*numbers, f"{row[f'{kind}_seen_by']:,}", item_label(row, f"{kind}_"))
        return (*numbers, f"{row[f'{kind}_history_size']:,}", row[f"{kind}_user"])

    size = "seen by" if films else "watched"
    header = [
        name
        for kind in kinds
        for name in ("cosine", "both", size, f"near by {kind.upper()} vector")
    ]
    rows = [
        (f"{row['place']}", *(cell for kind in kinds for cell in cells(row, kind)))
        for row in sheet.rows
    ]
    print_table(("#", *header), rows, numbers=("#", "cosine", "both", size))
