"""`failures`: the text twin of the screen that says who is being failed."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from neumf_tui.cli.options import Csv, Epoch, Home, Json, Run, form_of, home_of, rows_of, run_folder
from neumf_tui.errors import UsageError

if TYPE_CHECKING:
    from neumf_tui.explore.cohorts import Cohort
    from neumf_tui.explore.coverage import Coverage
    from neumf_tui.explore.failures import Failures
    from neumf_tui.views.sheet import Sheet

_BAR_WIDTH = 60
COMMON = ("run", "dataset", "simulated", "epoch", "protocol")
"""Said once for all parts of the object."""


def failures(
    run: Run = None,
    epoch: Epoch = None,
    users: Annotated[
        bool, typer.Option("--users", help="How ranks are spread, and the users.")
    ] = False,
    cohorts: Annotated[
        bool, typer.Option("--cohorts", help="Users by history, popularity, genre and era.")
    ] = False,
    catalogue: Annotated[
        bool,
        typer.Option(
            "--catalogue",
            help="Coverage, Gini index, and the films in nobody's top 50; scores all users.",
        ),
    ] = False,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="ORDER",
            help="Of users: rank, gain, history, popularity, age or dataset.",
        ),
    ] = "rank",
    top: Annotated[
        str, typer.Option(metavar="K", help="Users to show, and films never recommended, or 'all'.")
    ] = "20",
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """Who is being failed: the worst served users and cohorts, beside popularity alone, and the films nobody is recommended.

    Without --users, --cohorts or --catalogue: users and cohorts. With --json one object with the keys asked for.
    """
    form = form_of(json, csv)
    rows = rows_of(top, "rows")
    if not (users or cohorts or catalogue):
        users, cohorts = True, form != "csv"
    if form == "csv" and users + cohorts + catalogue > 1:
        raise UsageError("--csv is one table: choose one of --users, --cohorts and --catalogue")
    folder = run_folder(home, run)
    from neumf_tui.explore.failures import ORDERS, failures_at
    from neumf_tui.explore.users import load_users
    from neumf_tui.runs.checkpoint import find_rank_epoch
    from neumf_tui.views.failures import cohorts_sheet, failures_sheet

    if by not in ORDERS:
        raise UsageError(f"--by {by}: expected one of {', '.join(ORDERS)}")
    found = load_users(folder, home_of(home))
    failed = failures_at(found, find_rank_epoch(folder, epoch))
    sheets: list[Sheet] = []
    groups: list[Cohort] = []
    lists: Coverage | None = None
    if users:
        sheets.append(failures_sheet(failed, failed.order(by)[:rows], by))
    if cohorts:
        from neumf_tui.explore.cohorts import make_cohorts

        groups = make_cohorts(failed)
        sheets.append(cohorts_sheet(failed, groups))
    if catalogue:
        from neumf_tui.explore.coverage import measure_coverage
        from neumf_tui.explore.ranker import Ranker
        from neumf_tui.views.coverage import coverage_sheet

        lists = measure_coverage(Ranker(folder, home_of(home), str(failed.epoch), found.dataset))
        assert lists is not None  # nobody cancels it
        sheets.append(coverage_sheet(lists, rows))
    if form == "csv":
        print(sheets[0].text(), end="")
    elif form == "json":
        _print_object(failed, sheets)
    else:
        _print_text(failed, sheets, groups, lists)


def _print_object(failed: "Failures", sheets: "list[Sheet]") -> None:
    """The summary, and under `users`, `cohorts` and `catalogue` what was asked for."""
    import dataclasses

    from neumf_tui.views.failures import summary
    from neumf_tui.views.output import print_json

    result: dict[str, Any] = summary(failed)
    for sheet in sheets:
        if sheet.key == "never":
            result["catalogue"] = {
                key: value for key, value in sheet.object.items() if key not in COMMON
            }
            continue
        if sheet.key == "users":
            result["by"] = sheet.about["by"]
            result["spread"] = [dataclasses.asdict(one) for one in failed.bins()]
        result[sheet.key] = list(sheet.rows)
    print_json(result)


def _print_text(
    failed: "Failures", sheets: "list[Sheet]", groups: "list[Cohort]", lists: "Coverage | None"
) -> None:
    from rich.style import Style

    from neumf_tui.runs.protocol import protocol_line, protocol_of
    from neumf_tui.views.coverage import coverage_text
    from neumf_tui.views.failures import SORTS, cohort_cells, summary_text, user_cells
    from neumf_tui.views.histogram import histogram
    from neumf_tui.views.output import print_line, print_table

    about = failed.users.info
    print_line(f"run {about.name}  {failed.dataset.label}  epoch {failed.epoch}")
    print_line(f"protocol: {protocol_line(protocol_of(about))}")
    print_line(summary_text(failed))
    for sheet in sheets:
        print()
        if sheet.key == "users":
            print(histogram(failed.bins(), _BAR_WIDTH, Style(), Style()).plain)
            print()
            print_line(
                f"{len(sheet.rows):,} of {failed.dataset.num_users:,} users, {SORTS[sheet.about['by']]}"
            )
            header = (
                "user",
                "held-out film",
                "rank",
                "popularity",
                "gain",
                "history",
                "seen by",
                "age",
            )
            order = failed.order(sheet.about["by"])[: len(sheet.rows)]
            print_table(
                header, [user_cells(failed, user) for user in order.tolist()], numbers=header[2:]
            )
        elif sheet.key == "cohorts":
            columns = (
                "",
                "kind",
                "cohort",
                "users",
                "Hit@50",
                "95 %",
                "popularity",
                "AUC",
                "95 % of AUC",
            )
            table = [cohort_cells(group, groups[0], 1.0, True) for group in groups]
            print_table(
                columns,
                [[*cells[:6], *cells[7:]] for cells in table],
                numbers=("users", "Hit@50", "popularity", "AUC"),
            )
            print_line("▲▼ the whole interval lies above or below all users' Hit@50")
        elif lists is not None:
            for line in coverage_text(lists).splitlines():
                print_line(line)
            print()
            print_table(
                ("never recommended", "year", "genres", "seen by"),
                [
                    (
                        row["title"],
                        str(row["year"] or ""),
                        "|".join(row["genres"]),
                        f"{row['seen_by']:,}",
                    )
                    for row in sheet.rows
                ],
                numbers=("year", "seen by"),
            )
