"""`failures`: show which users and items the model serves badly."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from neumf_tui.cli.options import (
    Csv,
    Epoch,
    Home,
    Json,
    Run,
    TopFilms,
    form_of,
    home_of,
    rows_of,
    run_folder,
)
from neumf_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from neumf_tui.explore.failures import Failures
    from neumf_tui.views.sheet import Sheet

_BAR_WIDTH = 60
COMMON = ("run", "dataset", "simulated", "epoch", "protocol")
"""Keys that the JSON object has once for all its parts."""


def failures(
    run: Run = None,
    epoch: Epoch = None,
    users: Annotated[
        bool, typer.Option("--users", help="Show the distribution of ranks, and the users.")
    ] = False,
    cohorts: Annotated[
        bool, typer.Option("--cohorts", help="Show users by history, popularity, genre and era.")
    ] = False,
    catalogue: Annotated[
        bool,
        typer.Option(
            "--catalogue",
            help="Show coverage, Gini index and the films in nobody's top 50; scores all users.",
        ),
    ] = False,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="ORDER",
            help="Sort users by rank, gain, history, popularity, age or dataset.",
        ),
    ] = "rank",
    top: TopFilms = "20",
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """Show the users and cohorts with the worst ranks, and the films that nobody is recommended.

    Ranks by popularity alone stand beside them. The default is --users and --cohorts. --json prints
    one object with the parts that were asked for.
    """
    form, rows = form_of(json, csv), rows_of(top, "rows")
    if not (users or cohorts or catalogue):
        users, cohorts = True, form != "csv"
    if form == "csv" and users + cohorts + catalogue > 1:
        raise UsageError("--csv is one table: choose one of --users, --cohorts and --catalogue")
    folder = run_folder(home, run)
    from neumf_tui.explore.failures import ORDERS, failures_at
    from neumf_tui.explore.users import load_users
    from neumf_tui.runs.checkpoint import find_rank_epoch

    if by not in ORDERS:
        raise UsageError(f"--by {by}: expected one of {', '.join(ORDERS)}")
    found = load_users(folder, home_of(home))
    parts = Parts(failures_at(found, find_rank_epoch(folder, epoch)))
    if users:
        parts.add_users(by, rows)
    if cohorts:
        parts.add_cohorts()
    if catalogue:
        parts.add_catalogue(folder, home_of(home), rows)
    if form == "csv":
        print(parts.sheets[0].text(), end="")
    elif form == "json":
        parts.print_object()
    else:
        parts.print_text()


class Parts:
    """The parts of the output that were asked for, as sheets and as functions that print them."""

    def __init__(self, failures: "Failures") -> None:
        self.failures = failures
        self.sheets: list[Sheet] = []
        self._printers: list[Callable[[], None]] = []

    def add_users(self, by: str, rows: int | None) -> None:
        from rich.style import Style

        from neumf_tui.views.failures import SORTS, failures_sheet, user_cells
        from neumf_tui.views.histogram import histogram
        from neumf_tui.views.output import print_line, print_table

        failures, order = self.failures, self.failures.order(by)[:rows]

        def show() -> None:
            print(histogram(failures.bins(), _BAR_WIDTH, Style(), Style()).plain)
            print()
            total = failures.dataset.num_users
            print_line(f"{len(order):,} of {total:,} users, {SORTS[by]}")
            names = ("held-out film", "rank", "popularity", "gain", "history", "seen by", "age")
            cells = [user_cells(failures, user) for user in order.tolist()]
            print_table(("user", *names), cells, numbers=names[1:])

        self._add(failures_sheet(failures, order, by), show)

    def add_cohorts(self) -> None:
        from neumf_tui.explore.cohorts import make_cohorts
        from neumf_tui.views.failures import cohort_cells, cohorts_sheet
        from neumf_tui.views.output import print_line, print_table

        cohorts = make_cohorts(self.failures)

        def show() -> None:
            header = ("", "kind", "cohort", "users", "Hit@50", "95 %", "popularity", "AUC")
            table = [cohort_cells(cohort, cohorts[0], 1.0, True) for cohort in cohorts]
            print_table(
                (*header, "95 % of AUC"),
                [[*cells[:6], *cells[7:]] for cells in table],  # without the drawn interval
                numbers=("users", "Hit@50", "popularity", "AUC"),
            )
            print_line("▲▼ the whole interval is above or below the Hit@50 of all users")

        self._add(cohorts_sheet(self.failures, cohorts), show)

    def add_catalogue(self, folder: "Path", home: "Path", rows: int | None) -> None:
        from neumf_tui.explore.coverage import measure_coverage
        from neumf_tui.explore.ranker import Ranker
        from neumf_tui.views.coverage import coverage_sheet, coverage_text
        from neumf_tui.views.output import print_line, print_table

        epoch, dataset = str(self.failures.epoch), self.failures.users.dataset
        coverage = measure_coverage(Ranker(folder, home, epoch, dataset))
        assert coverage is not None, "it is None only if cancelled"
        sheet = coverage_sheet(coverage, rows)

        def show() -> None:
            for line in coverage_text(coverage).splitlines():
                print_line(line)
            print()
            table = [
                (
                    row["title"],
                    str(row["year"] or ""),
                    "|".join(row["genres"]),
                    f"{row['seen_by']:,}",
                )
                for row in sheet.rows
            ]
            header = ("never recommended", "year", "genres", "seen by")
            print_table(header, table, numbers=("year", "seen by"))

        self._add(sheet, show)

    def _add(self, sheet: "Sheet", show: "Callable[[], None]") -> None:
        self.sheets.append(sheet)
        self._printers.append(show)

    def print_object(self) -> None:
        """Print the summary with the keys `users`, `cohorts` and `catalogue` of the parts."""
        import dataclasses

        from neumf_tui.views.failures import summary
        from neumf_tui.views.output import print_json

        result: dict[str, Any] = summary(self.failures)
        for sheet in self.sheets:
            if sheet.key == "never":
                whole = sheet.object.items()
                result["catalogue"] = {key: value for key, value in whole if key not in COMMON}
                continue
            if sheet.key == "users":
                result["by"] = sheet.about["by"]
                result["spread"] = [dataclasses.asdict(one) for one in self.failures.bins()]
            result[sheet.key] = list(sheet.rows)
        print_json(result)

    def print_text(self) -> None:
        from neumf_tui.runs.protocol import protocol_line, protocol_of
        from neumf_tui.views.failures import summary_text
        from neumf_tui.views.output import print_line

        info = self.failures.users.info
        print_line(f"run {info.name}  {info.dataset.label}  epoch {self.failures.epoch}")
        print_line(f"protocol: {protocol_line(protocol_of(info))}")
        print_line(summary_text(self.failures))
        for show in self._printers:
            print()
            show()
