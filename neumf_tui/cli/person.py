"""Commands about one person: the ranked films, why, the way there, and what would have helped."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    home_of,
    rows_of,
    run_folder,
)
from neumf_tui.errors import RunError, UsageError

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.ranker import Ranker, Who

WHY_FILMS = 15
"""Films of the history that `why` shows one by one."""
User = Annotated[str, typer.Argument(help="A user's id, as in the dataset.")]


def who_is(ranker: "Ranker", user: str | None, guest: str | None) -> "Who":
    """The user index or guest that was named; raises UsageError unless it is exactly one, RunError where there is none."""
    from neumf_tui.explore.guests import load_guest

    if (user is None) == (guest is None):
        raise UsageError("name one person: a user's id, or a guest with --guest NAME")
    if user is not None:
        return ranker.dataset.user_index(user)
    found, made_with = load_guest(ranker.home, guest or "")
    if made_with != ranker.dataset.name:
        raise RunError(
            f"guest {guest} was made with {made_with}, {ranker.info.name} was trained on {ranker.dataset.name}; "
            "name a run of that dataset with --run"
        )
    return found


def item_of(dataset: "Dataset", film: str) -> int:
    """The film's item index; where the name was not exact, stderr says what it was taken as."""
    from neumf_tui.views.output import say

    found = dataset.titles.look_up(film)
    if found.note:
        say(found.note)
    return found.item


def open_ranker(home: Path | None, run: str | None, epoch: str | None) -> "Ranker":
    folder = run_folder(home, run)
    from neumf_tui.explore.ranker import Ranker

    return Ranker(folder, home_of(home), epoch)


def rank(
    user: Annotated[str | None, typer.Argument(help="A user's id, as in the dataset.")] = None,
    guest: GuestOption = None,
    run: RunOption = None,
    epoch: Epoch = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="score|gmf|mlp", help="Order by the score, or by one part of it alone."
        ),
    ] = "score",
    raw: Raw = False,
    top: TopFilms = "10",
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """One person's ranked films and where the held-out one landed."""
    form = form_of(json, csv)
    rows = rows_of(top)
    if by not in ("score", "gmf", "mlp"):
        raise UsageError(f"--by {by}: expected score, gmf or mlp")
    if (user is None) == (guest is None):
        raise UsageError("name one person: a user's id, or a guest with --guest NAME")
    ranker = open_ranker(home, run, epoch)
    check_rows(rows, ranker.dataset.num_items)
    from neumf_tui.views.person import print_ranking, ranking_sheet

    ranking = ranker.rank(who_is(ranker, user, guest), by)
    print_ranking(ranking_sheet(ranker, ranking, rows), form, raw)


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
    item = person.heldout if film is None else item_of(data, film)
    if item < 0:
        raise UsageError(f"user {user} has no held-out film; name a film")
    if item in person.history:
        raise UsageError(
            f"{data.catalogue.titles[item]!r} is in the history of user {user}, not among the ranked; name another film"
        )
    from neumf_tui.explore.why import why_sheet
    from neumf_tui.views.output import print_line, print_sheet, print_table
    from neumf_tui.views.person import model_line

    sheet = why_sheet(ranker, person.who, item)
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
    from neumf_tui.explore.near_miss import leave_out, near_miss_sheet
    from neumf_tui.runs.protocol import protocol_line
    from neumf_tui.text import rank_text
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


def journey(
    user: User, run: RunOption = None, json: Json = False, csv: Csv = False, home: Home = None
) -> None:
    """The rank of a user's held-out film over all epochs, beside the loss."""
    form = form_of(json, csv)
    folder = run_folder(home, run)
    from neumf_tui.explore.journey import journey_sheet
    from neumf_tui.explore.users import load_users
    from neumf_tui.runs.protocol import protocol_line
    from neumf_tui.runs.reader import read_snapshot
    from neumf_tui.text import rank_text
    from neumf_tui.views.output import print_line, print_sheet, print_table

    users = load_users(folder, home_of(home))
    sheet = journey_sheet(users, users.dataset.user_index(user), read_snapshot(folder))
    if not print_sheet(sheet, form):
        return
    about = sheet.about
    print_line(f"run {about['run']}  {about['dataset']}  user {user}")
    if about["heldout"] is None:
        print_line("nothing held out: a single interaction")
        return
    print_line(f"protocol: {protocol_line(about['protocol'])}")
    print_line(
        f"held out: {about['heldout']['title']}; popularity alone {rank_text(about['popularity_rank'])}"
    )
    print_table(
        ("epoch", "rank", "hit", "loss"),
        [
            (
                str(row["epoch"]),
                "–" if row["rank"] is None else rank_text(row["rank"]),
                "✓" if row["hit@50"] else "",
                "–" if row["loss"] is None else f"{row['loss']:.4f}",
            )
            for row in sheet.rows
        ],
        numbers=("epoch", "rank", "loss"),
    )
