"""`compare`: compare two models."""

from pathlib import Path
from typing import Annotated

import typer

from neumf_tui.cli import complete, options
from neumf_tui.cli.options import GuestOption, Home, sheet_forms
from neumf_tui.errors import UsageError

Model = Annotated[
    str,
    typer.Argument(
        help="RUN, RUN@EPOCH, RUN@best or RUN@last; without @ the default of --epoch in `rank`.",
        autocompletion=complete.runs,
    ),
]
User = Annotated[
    str | None,
    typer.Option(
        "--user",
        help="Compare the lists of this user id. [default: the ranks of all users]",
        autocompletion=complete.users,
    ),
]
Top = Annotated[
    str | None,
    typer.Option(
        metavar="K",
        help="Number of places or users, or 'all'. [default: 10; all users with --json, --csv]",
    ),
]
At = tuple[Path, str | None]
"""The folder of a run, and the text after @ that names an epoch."""


@sheet_forms
def compare(
    a: Model,
    b: Model,
    user: User = None,
    guest: GuestOption = None,
    top: Top = None,
    home: Home = None,
    *,
    form: str,
) -> None:
    """Compare two models, A and B, for one person or over all users, with significance tests."""
    everybody = user is None and guest is None
    # A table is short for people; programs get all users.
    is_data = form == "json" or form.startswith("csv")
    count = options.rows_of(top or ("all" if everybody and is_data else "10"), "rows")
    if user is not None and guest is not None:
        raise UsageError("--user and --guest: choose one")
    from neumf_tui.runs.store import split_spec

    (run_a, which_a), (run_b, which_b) = split_spec(a), split_spec(b)
    one = options.run_folder(home, run_a), which_a
    other = options.run_folder(home, run_b), which_b
    where = options.home_of(home)
    if everybody:
        _all_users(where, one, other, count, form)
    else:
        _one_person(where, one, other, user, guest, count, form)


def _all_users(home: Path, a: At, b: At, top: int | None, form: str) -> None:
    from neumf_tui.explore import compare_users
    from neumf_tui.explore.users import dataset_of
    from neumf_tui.views.compare_users import compare_all_sheet, print_all
    from neumf_tui.views.output import print_sheet
    from neumf_tui.views.paper_tables import PAPERS

    one, other = compare_users.read_tape_ranks(*a), compare_users.read_tape_ranks(*b)
    compare_users.check_same_dataset(one.info, other.info)
    dataset = dataset_of(one.info, home, a[0])
    found = compare_users.compare_all(dataset, one, other)
    shown = None if top is None else compare_users.ordered(found, "biggest win")[:top]
    sheet = compare_all_sheet(dataset, found, shown)
    print_sheet(sheet, form, lambda sheet: print_all(sheet, dataset, found, top, form in PAPERS))


def _one_person(
    home: Path, a: At, b: At, user: str | None, guest: str | None, top: int | None, form: str
) -> None:
    from neumf_tui.cli.lookup import find_person, open_ranker, with_note
    from neumf_tui.explore.compare import compare_person, load_other
    from neumf_tui.views.compare import compare_person_sheet, print_person
    from neumf_tui.views.output import print_sheet

    folder, epoch = a
    one = open_ranker(folder, home, epoch)
    other = with_note(load_other(one, *b))
    found = compare_person(one, other, find_person(one, user, guest))
    sheet = compare_person_sheet(one, other, found, top)
    print_sheet(sheet, form, lambda sheet: print_person(sheet, found))
