"""`why`: explain the rank of one item for one user."""

from typing import Annotated

import typer

from neumf_tui.cli.lookup import find_item, open_ranker
from neumf_tui.cli.options import Csv, Epoch, Home, Json, RunOption, User, form_of
from neumf_tui.errors import UsageError

WHY_FILMS = 15
"""Items of the history that are shown one by one."""


def why(
    user: User,
    film: Annotated[
        str | None, typer.Argument(help="Item id or title; the user's held-out film if left out.")
    ] = None,
    run: RunOption = None,
    epoch: Epoch = None,
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """Why a film stands where it does: both parts of its score, and the GMF part factor by factor or film by film."""
    form = form_of(json, csv)
    ranker = open_ranker(home, run, epoch)
    data = ranker.dataset
    person = ranker.person(data.user_index(user))
    item = person.heldout if film is None else find_item(data, film)
    if item < 0:
        raise UsageError(f"user {user} has no held-out film; name a film")
    if item in person.history:
        raise UsageError(
            f"{data.catalogue.titles[item]!r} is in the history of user {user}, not among the ranked; name another film"
        )
    from neumf_tui.explore.why import explain
    from neumf_tui.views.output import print_line, print_sheet, print_table
    from neumf_tui.views.person import model_line
    from neumf_tui.views.why import why_sheet

    ranking = ranker.rank_person(person)
    row = ranking.items.tolist().index(item)
    sheet = why_sheet(ranker, explain(ranker, ranking, row))
    if not print_sheet(sheet, form):
        return
    about = sheet.about
    print_line(f"{model_line(about)}  user {user}")
    print_line(
        f"{about['film']['title']}: rank {about['rank']:,.0f} of {about['num_candidates']:,}"
    )
    print_line(
        f"score {about['score_centred']:+.3f} = GMF {about['gmf_centred']:+.3f} + MLP {about['mlp_centred']:+.3f}, "
        "less the means over this user's candidates"
    )
    if about["films"]:
        print_line(
            "the GMF part is the sum of what each film of the history adds, exactly; the MLP part cannot be taken apart"
        )
        shares = [
            ("(what is this person's own)", about["own"]),
            *((film["title"], film["effect"]) for film in about["films"]),
        ]
        shares.sort(key=lambda share: -abs(share[1]))
        rows = [(f"{effect:+.3f}", title) for title, effect in shares[:WHY_FILMS]]
        if rest := shares[WHY_FILMS:]:
            rows.append((f"{sum(effect for _, effect in rest):+.3f}", f"{len(rest)} more together"))
        print_table(("effect", "film of the history"), rows, numbers=("effect",))
        return
    print_line(
        "the GMF part is the sum of these factors, exactly; the MLP part cannot be taken apart"
    )
    print_table(
        ("factor", "effect", "films of the history that carry it most"),
        [
            (str(row["factor"]), f"{row['effect']:+.3f}", " · ".join(row["titles"]))
            for row in sheet.rows
        ],
        numbers=("factor", "effect"),
    )
