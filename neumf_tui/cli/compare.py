"""`compare`: compare two models."""

from typing import TYPE_CHECKING, Annotated

import typer

from neumf_tui.cli.options import (
    Csv,
    GuestOption,
    Home,
    Json,
    form_of,
    home_of,
    rows_of,
    run_folder,
    run_names,
)
from neumf_tui.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from neumf_tui.views.sheet import Sheet

Model = Annotated[
    str,
    typer.Argument(
        help="RUN, RUN@EPOCH, RUN@best or RUN@last; without @ the default of --epoch in `rank`.",
        autocompletion=run_names,
    ),
]
MOVERS = 5
"""Number of items named that enter or leave the top list."""


def compare(
    a: Model,
    b: Model,
    user: Annotated[
        str | None,
        typer.Option(
            "--user", help="Compare the lists of this user id. [default: the ranks of all users]"
        ),
    ] = None,
    guest: GuestOption = None,
    top: Annotated[
        str | None,
        typer.Option(
            metavar="K",
            help="Number of places or users, or 'all'. [default: 10; all users with --json, --csv]",
        ),
    ] = None,
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """Compare two models, A and B, for one person or over all users, with significance tests."""
    form = form_of(json, csv)
    everybody = user is None and guest is None
    # A table is short for people; programs get all users.
    count = rows_of(top or ("all" if everybody and form != "table" else "10"), "rows")
    if user is not None and guest is not None:
        raise UsageError("--user and --guest: choose one")
    from neumf_tui.runs.store import split_spec

    (run_a, which_a), (run_b, which_b) = split_spec(a), split_spec(b)
    folders = run_folder(home, run_a), run_folder(home, run_b)
    if everybody:
        _all_users(home_of(home), folders, (which_a, which_b), count, form)
    else:
        _one_person(home_of(home), folders, (which_a, which_b), user, guest, count, form)


def _all_users(
    home: "Path",
    folders: tuple["Path", "Path"],
    which: tuple[str | None, str | None],
    top: int | None,
    form: str,
) -> None:
    from neumf_tui.data.registry import load_dataset
    from neumf_tui.explore.compare_users import (
        check_same_dataset,
        compare_all,
        ordered,
        read_tape_ranks,
    )
    from neumf_tui.views.compare_users import CAVEAT, all_words, compare_all_sheet, verdict
    from neumf_tui.views.output import print_line, print_sheet

    one, other = (
        read_tape_ranks(folder, name) for folder, name in zip(folders, which, strict=True)
    )
    check_same_dataset(one.info, other.info)
    about = one.info.dataset
    dataset = load_dataset(about.fingerprint, about.name, home, about.source)
    found = compare_all(dataset, one, other)
    shown = None if top is None else ordered(found, "biggest win")[:top]
    sheet = compare_all_sheet(dataset, found, shown)
    if not print_sheet(sheet, form):
        return
    print_line(f"A {one.label}  B {other.label}  {dataset.label}  {len(found.users):,} users")
    _print_protocols(sheet)
    for line in (*all_words(found), verdict(found), CAVEAT):
        print_line(line)
    for title, sort, won in (
        ("biggest wins of B", "biggest win", True),
        ("biggest losses of B", "biggest loss", False),
    ):
        rows = ordered(found, sort)
        moved = (
            found.rank_b[rows] < found.rank_a[rows]
            if won
            else found.rank_b[rows] > found.rank_a[rows]
        )
        rows = rows[moved][:top]
        if len(rows):
            print_line("")
            print_line(title)
            _print_users(compare_all_sheet(dataset, found, rows))


def _print_protocols(sheet: "Sheet") -> None:
    """Print one line, or one per model if they differ."""
    from neumf_tui.runs.protocol import protocol_line
    from neumf_tui.views.output import print_line

    a, b = (protocol_line(sheet.about[key]) for key in ("protocol", "other_protocol"))
    for line in [f"protocol: {a}"] if a == b else [f"protocol of A: {a}", f"protocol of B: {b}"]:
        print_line(line)


def _print_users(sheet: "Sheet") -> None:
    from neumf_tui.text import rank_text
    from neumf_tui.views.moves import move_text
    from neumf_tui.views.output import print_table

    print_table(
        ("user", "held out", "rank A", "rank B", "move", "hit"),
        [
            (
                row["user"],
                row["heldout"],
                rank_text(row["rank_a"]),
                rank_text(row["rank_b"]),
                move_text(row["rank_a"], row["rank_b"]),
                "" if row["hit_a"] == row["hit_b"] else "won" if row["hit_b"] else "lost",
            )
            for row in sheet.rows
        ],
        numbers=("rank A", "rank B", "move"),
    )


def _one_person(
    home: "Path",
    folders: tuple["Path", "Path"],
    which: tuple[str | None, str | None],
    user: str | None,
    guest: str | None,
    top: int | None,
    form: str,
) -> None:
    from neumf_tui.cli.lookup import find_person
    from neumf_tui.explore.compare import compare_person, load_other
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.text import rank_text
    from neumf_tui.views.compare import compare_person_sheet, person_words
    from neumf_tui.views.moves import move_text
    from neumf_tui.views.output import print_line, print_sheet, print_table

    one = Ranker(folders[0], home, which[0])
    other = load_other(one, folders[1], which[1])
    found = compare_person(one, other, find_person(one, user, guest))
    sheet = compare_person_sheet(one, other, found, top)
    if not print_sheet(sheet, form):
        return
    about = sheet.about
    print_line(
        f"A {one.label}  B {other.label}  {one.dataset.label}  {found.a.person.label}  "
        f"{about['history_size']} watched"
    )
    _print_protocols(sheet)
    held = about["heldout"]
    print_line(f"held out: {held['title']}" if held else "no held-out film")
    for line in person_words(found):
        print_line(line)
    for name, movers in (("in", about["entered"]), ("out", about["left"])):
        if movers:
            named = [
                f"{m['title']} {rank_text(m['rank_a'])} → {rank_text(m['rank_b'])}"
                for m in movers[:MOVERS]
            ]
            print_line(f"{name}: {'; '.join(named)}{' …' if len(movers) > MOVERS else ''}")
    print_table(
        ("#", "A", "in B", "move", "", "B", "in A", "move", ""),
        [
            (
                f"{row['place']:,}",
                row["a_title"],
                rank_text(row["a_rank_in_b"]),
                move_text(row["a_rank"], row["a_rank_in_b"]),
                "left" if row["a_left"] else "",
                row["b_title"],
                rank_text(row["b_rank_in_a"]),
                move_text(row["b_rank_in_a"], row["b_rank"]),
                "new" if row["b_new"] else "",
            )
            for row in sheet.rows
        ],
        numbers=("#", "in B", "in A", "move"),
    )
