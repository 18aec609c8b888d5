"""`why`: explain the rank of one item for one user."""

from typing import TYPE_CHECKING, Annotated

import typer

from neumf_tui.cli.lookup import find_item, open_ranker
from neumf_tui.cli.options import Csv, Epoch, Home, Json, RunOption, User, form_of
from neumf_tui.errors import UsageError

if TYPE_CHECKING:
    from neumf_tui.views.sheet import Sheet

SHOWN = 15
"""Number of history items that are shown one by one."""


def why(
    user: User,
    item: Annotated[
        str | None,
        typer.Argument(metavar="FILM", help="Item id or title. [default: the held-out film]"),
    ] = None,
    run: RunOption = None,
    epoch: Epoch = None,
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """Explain a film's rank: both parts of its score, and what the GMF part consists of."""
    form = form_of(json, csv)
    ranker = open_ranker(home, run, epoch)
    data = ranker.dataset
    person = ranker.person(data.user_index(user))
    index = person.heldout if item is None else find_item(data, item)
    if index < 0:
        raise UsageError(f"user {user} has no held-out film; name a film")
    if index in person.history:
        raise UsageError(
            f"{data.catalogue.titles[index]!r} is in the history of user {user}, so it is not "
            "ranked; name another film"
        )
    from neumf_tui.explore.why import explain
    from neumf_tui.views.output import print_sheet
    from neumf_tui.views.why import why_sheet

    ranking = ranker.rank_person(person)
    row = ranking.items.tolist().index(index)
    sheet = why_sheet(ranker, explain(ranker, ranking, row))
    if print_sheet(sheet, form):
        _print_text(sheet)


def _print_text(sheet: "Sheet") -> None:
    from neumf_tui.views.output import print_line, print_table
    from neumf_tui.views.person import model_line

    about = sheet.about
    print_line(f"{model_line(about)}  user {about['user']}")
    rank = f"rank {about['rank']:,.0f} of {about['num_candidates']:,}"
    print_line(f"{about['film']['title']}: {rank}")
    print_line(
        f"score {about['score_centred']:+.3f} = GMF {about['gmf_centred']:+.3f} + MLP "
        f"{about['mlp_centred']:+.3f}, minus the means over this user's candidates"
    )
    if not about["films"]:
        print_line("the GMF part is exactly the sum of these factors; the MLP part has no such sum")
        rows = [
            (str(row["factor"]), f"{row['effect']:+.3f}", " · ".join(row["titles"]))
            for row in sheet.rows
        ]
        header = ("factor", "effect", "history films with the largest share")
        print_table(header, rows, numbers=("factor", "effect"))
        return
    print_line("the GMF part is exactly the sum of these effects; the MLP part has no such sum")
    shares = [
        ("(the user's own vector)", about["own"]),
        *((film["title"], film["effect"]) for film in about["films"]),
    ]
    shares.sort(key=lambda share: -abs(share[1]))
    table = [(f"{effect:+.3f}", title) for title, effect in shares[:SHOWN]]
    if rest := shares[SHOWN:]:
        table.append((f"{sum(effect for _, effect in rest):+.3f}", f"{len(rest)} more together"))
    print_table(("effect", "film of the history"), table, numbers=("effect",))
