"""Commands about films: what is near them, and how they fare; and which users are near a person."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from neumf_tui.cli.options import Csv, Epoch, GuestOption, Home, Json, RunOption, form_of
from neumf_tui.cli.person import item_of, open_ranker, who_is
from neumf_tui.errors import UsageError

if TYPE_CHECKING:
    from neumf_tui.views.sheet import Sheet

Top = Annotated[int, typer.Option(min=1, metavar="K", help="Rows to show.")]


def similar(
    film: Annotated[str | None, typer.Argument(help="Item id or title.")] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="The users near this user, by id, instead.")
    ] = None,
    guest: GuestOption = None,
    run: RunOption = None,
    epoch: Epoch = None,
    top: Top = 10,
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """The films nearest to a film by its GMF and by its MLP vector, or the users nearest to a person."""
    form = form_of(json, csv)
    if [film, user, guest].count(None) != 2:
        raise UsageError("name one of: a film, a user with --user ID, a guest with --guest NAME")
    ranker = open_ranker(home, run, epoch)
    from neumf_tui.explore.neighbours import similar_items_sheet, similar_users_sheet
    from neumf_tui.views.output import print_sheet

    if film is not None:
        sheet = similar_items_sheet(ranker, item_of(ranker.dataset, film), top)
    else:
        sheet = similar_users_sheet(ranker, who_is(ranker, user, guest), top)
    if print_sheet(sheet, form):
        _print_similar(sheet, film is not None)


def _print_similar(sheet: "Sheet", films: bool) -> None:
    from neumf_tui.explore.neighbours import CLOSE
    from neumf_tui.views.output import print_line, print_table

    about = sheet.about
    head = f"run {about['run']}  {about['dataset']}  epoch {about['epoch']}  "
    if films:
        print_line(f"{head}{_titled(about, '')}  seen by {about['seen_by']:,}")
    else:
        who = f"user {about['user']}" if about["guest"] is None else f"guest {about['guest']}"
        print_line(f"{head}{who}  {about['history_size']:,} watched")
    kinds = ("gmf", "mlp")
    for kind in kinds:
        if kind in about["zero_vectors"]:
            print_line(f"{kind.upper()} vector: zero; it has no direction, and nothing is near")
        else:
            what = "films" if films else "users"
            print_line(
                f"{kind.upper()} vector: {about[f'{kind}_close']:,} {what} have a cosine of at least {CLOSE}"
            )

    def cells(row: dict[str, Any], kind: str) -> tuple[str, ...]:
        if row[f"{kind}_cosine"] is None:
            return ("", "", "", "")
        numbers = (f"{row[f'{kind}_cosine']:.4f}", f"{row[f'{kind}_both']:,}")
        if films:
            return (*numbers, f"{row[f'{kind}_seen_by']:,}", _titled(row, f"{kind}_"))
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
    from neumf_tui.explore.item import MOST_PAIRS, film_sheet, reach
    from neumf_tui.views.output import print_sheet

    found = reach(
        ranker, item_of(ranker.dataset, film), most_pairs=None if everyone else MOST_PAIRS
    )
    sheet = film_sheet(ranker, found, top)
    if print_sheet(sheet, form):
        _print_film(sheet)


def _print_film(sheet: "Sheet") -> None:
    from neumf_tui.text import rank_text
    from neumf_tui.views.output import print_line, print_table

    about = sheet.about
    print_line(
        f"run {about['run']}  {about['dataset']}  epoch {about['epoch']}  {_titled(about, '')}"
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


def _titled(keys: dict[str, Any], prefix: str) -> str:
    """Title and year as people say them, and the id."""
    title, year = keys[f"{prefix}title"], keys[f"{prefix}year"]
    return (
        f"{title} ({year}) [{keys[f'{prefix}item_id']}]"
        if year
        else f"{title} [{keys[f'{prefix}item_id']}]"
    )
