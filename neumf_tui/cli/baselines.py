"""`baselines`: what simpler models reach on the same split, by the same metrics."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neumf_tui.cli.data import open_data
from neumf_tui.cli.options import Csv, Home, Json, form_of, home_of

if TYPE_CHECKING:
    from neumf_tui.baselines.compute import Outcome
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.views.sheet import Sheet


def baselines(
    dataset: Annotated[
        str,
        typer.Option(help="As for train: auto, ml-100k, demo, or the name of a dataset's folder."),
    ] = "auto",
    data_dir: Annotated[
        Path | None, typer.Option(help="As for train: the dataset's folder, or its parent.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help="Some of popularity, item-knn, item-knn-k, ease, ease-recent, als, bpr.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=2**31 - 1, help="Where als and bpr begin; the others have one solution."
        ),
    ] = 0,
    again: Annotated[
        bool, typer.Option("--again", help="Compute anew what is kept from before.")
    ] = False,
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """Popularity, item kNN, EASE, ALS and BPR: same split, same metrics, same intervals as a run's.

    Settings are chosen on the validation items. Results are kept: `evaluate` and the train screen show them. ALS and BPR need
    the package implicit (pip install 'neumf-tui[baselines]').
    """
    form = form_of(json, csv)
    from neumf_tui.baselines.compute import Baselines
    from neumf_tui.baselines.registry import named
    from neumf_tui.views.output import print_sheet, say
    from neumf_tui.views.progress_line import ProgressLine

    wanted = named(only)
    data = open_data(dataset, data_dir, home_of(home))
    outcomes = []
    with closing(ProgressLine()) as progress:
        for outcome in Baselines(data, home_of(home), progress, seed).outcomes(
            wanted, again=again, strict=only is not None
        ):
            outcomes.append(outcome)
            if outcome.note:
                progress.close()
                say(
                    f"computed anew: {outcome.note}"
                    if outcome.result
                    else f"left out: {outcome.note}"
                )
    known = [
        outcome.baseline.name for outcome in outcomes if outcome.result and not outcome.computed
    ]
    if known:
        say(f"kept from before: {', '.join(known)}; --again computes them anew")
    sheet = _sheet(data, outcomes)
    if print_sheet(sheet, form):
        _print_text(sheet)


def _sheet(data: "Dataset", outcomes: "list[Outcome]") -> "Sheet":
    """One row a baseline; those that cannot be had here have null figures, and why in `note`."""
    from neumf_tui.baselines.kept import COLUMNS, row_of
    from neumf_tui.runs.protocol import PROTOCOL
    from neumf_tui.views.sheet import Sheet

    rows = []
    for outcome in outcomes:
        names = {"baseline": outcome.baseline.name, "title": outcome.baseline.title}
        row: dict[str, Any] = (
            row_of(outcome.result) if outcome.result else dict.fromkeys(COLUMNS) | names
        )
        rows.append(row | {"note": outcome.note})
    users = next((outcome.result.heldout.num_users for outcome in outcomes if outcome.result), None)
    about = {
        "dataset": data.label,
        "fingerprint": data.fingerprint,
        "num_users": users,
        "protocol": PROTOCOL,
    }
    return Sheet("baselines", about, "baselines", rows, (*COLUMNS, "note"))


def _print_text(sheet: "Sheet") -> None:
    from neumf_tui.views.baselines import METRIC_HEADER, metric_cells, print_in_parts
    from neumf_tui.views.output import print_line

    print_line(
        f"{sheet.about['dataset']}  {sheet.about['num_users'] or 0:,} users with a held-out item"
    )
    numbers = ("val. Hit@50", "val. AUC", "s")
    table = []
    for row in sheet.rows:
        name = row["baseline"]
        if row["hit@50"] is None:
            table.append(
                (
                    name,
                    *("–" for _ in METRIC_HEADER + numbers),
                    row["note"].removeprefix(f"{name}: "),
                )
            )
        else:
            figures = (
                f"{row['validation_hit@50']:.4f}",
                f"{row['validation_auc']:.4f}",
                f"{row['seconds']:.1f}",
            )
            table.append((name, *metric_cells(row), *figures, row["settings"]))
    print_in_parts((*numbers, "settings"), table, numbers)
    print_line(
        "held-out items, fitted to all training pairs; 95 %: of Hit@50, over users; s: to fit once and rank"
    )
    print_line(
        "settings: of those tried the best by Hit@50 of the validation items (val.), fitted without these"
    )
    for key, value in sheet.about["protocol"].items():
        print_line(f"{key}: {value}")
