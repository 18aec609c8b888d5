"""`failures`: show which users and items the model serves badly."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neumf_tui.cli import options
from neumf_tui.cli.options import Epoch, Home, Run, TopItems, sheet_forms
from neumf_tui.errors import UsageError

if TYPE_CHECKING:
    from neumf_tui.explore.failures import Failures
    from neumf_tui.views.sheet import Sheet

    Part = tuple[Sheet, Callable[[], None]]
    """A part of the output as a sheet, and the function that prints it as text."""


ShowUsers = Annotated[
    bool, typer.Option("--users", help="Show the distribution of ranks, and the users.")
]
ShowCohorts = Annotated[
    bool, typer.Option("--cohorts", help="Show users by history, and by what is held out.")
]
ShowCatalogue = Annotated[
    bool,
    typer.Option(
        "--catalogue",
        help="Show coverage, Gini index and the items in nobody's top 50; scores all users.",
    ),
]
By = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="ORDER",
        help="Sort users by rank, gain, history, popularity, age or dataset.",
    ),
]


@sheet_forms
def failures(
    run: Run = None,
    epoch: Epoch = None,
    users: ShowUsers = False,
    cohorts: ShowCohorts = False,
    catalogue: ShowCatalogue = False,
    by: By = "rank",
    top: TopItems = "20",
    home: Home = None,
    *,
    form: str,
) -> None:
    """Show the users and cohorts with the worst ranks, and the items that nobody is recommended.

    Ranks by popularity alone stand beside them. The default is --users and --cohorts. --json prints
    one object with the parts that were asked for.
    """
    rows = options.rows_of(top, "rows")
    if not (users or cohorts or catalogue):
        users, cohorts = True, not form.startswith("csv")
    if form.startswith("csv") and users + cohorts + catalogue > 1:
        raise UsageError("--csv is one table: choose one of --users, --cohorts and --catalogue")
    folder = options.run_folder(home, run)
    from neumf_tui.explore.failures import failures_at
    from neumf_tui.explore.users import load_users
    from neumf_tui.runs.checkpoint import find_rank_epoch
    from neumf_tui.views import failures as views
    from neumf_tui.views.output import print_csv, print_json, print_line, printing_as

    where = options.home_of(home)
    found = failures_at(load_users(folder, where), find_rank_epoch(folder, epoch))
    if by not in found.orders:
        raise UsageError(f"--by {by}: expected one of {', '.join(found.orders)}")
    parts: list[Part] = []
    if users:
        order = found.order(by)[:rows]
        sheet = views.failures_sheet(found, order, by)
        parts.append((sheet, partial(views.print_users, found, order, by)))
    if cohorts:
        from neumf_tui.explore.cohorts import make_cohorts

        groups = make_cohorts(found)
        sheet = views.cohorts_sheet(found, groups)
        parts.append((sheet, partial(views.print_cohorts, groups)))
    if catalogue:
        parts.append(_catalogue_part(found, folder, where, rows))
    sheets = [sheet for sheet, _ in parts]
    if form.startswith("csv"):
        print_csv(sheets[0], form)
    elif form == "json":
        print_json(views.failures_object(found, sheets))
    else:
        with printing_as(form):
            views.print_summary(found)
            for _, print_part in parts:
                print_line()
                print_part()


def _catalogue_part(failures: "Failures", folder: Path, home: Path, top: int | None) -> "Part":
    from neumf_tui.explore.coverage import measure_coverage
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.views.coverage import coverage_sheet, print_coverage

    coverage = measure_coverage(Ranker(folder, home, str(failures.epoch), failures.dataset))
    assert coverage is not None, "it is None only if cancelled"
    sheet = coverage_sheet(coverage, top)
    return sheet, partial(print_coverage, coverage, sheet)
