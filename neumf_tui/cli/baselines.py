"""`baselines`: compute the metrics of simpler models on the same split."""

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neumf_tui.cli.data import open_data
from neumf_tui.cli.options import Csv, DataDir, DatasetName, Home, Json, form_of, home_of

if TYPE_CHECKING:
    from neumf_tui.baselines.compute import Outcome
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.views.sheet import Sheet

_NUMBERS = ("val. Hit@50", "val. AUC", "s")


def baselines(
    dataset: DatasetName = "auto",
    data_dir: DataDir = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help="Some of popularity, item-knn, item-knn-k, ease, ease-recent, als, bpr.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**31 - 1, help="Seed of als and bpr; the others need none."),
    ] = 0,
    again: Annotated[
        bool, typer.Option("--again", help="Compute baselines again that are kept already.")
    ] = False,
    json: Json = False,
    csv: Csv = False,
    home: Home = None,
) -> None:
    """Compute popularity, item kNN, EASE, ALS and BPR on the same split and metrics as a run.

    Their settings are chosen on the validation items. Results are kept, and shown by `evaluate` and
    on the train screen. ALS and BPR need the package implicit (pip install 'neumf-tui[baselines]').
    """
    form = form_of(json, csv)
    from neumf_tui.baselines.compute import Baselines
    from neumf_tui.baselines.registry import named
    from neumf_tui.views.output import print_sheet, say
    from neumf_tui.views.progress_line import ProgressLine

    wanted, where = named(only), home_of(home)
    data = open_data(dataset, data_dir, where)
    outcomes = []
    with closing(ProgressLine()) as progress:
        every = Baselines(data, where, progress, seed)
        for outcome in every.outcomes(wanted, again=again, strict=only is not None):
            outcomes.append(outcome)
            if outcome.note:
                progress.close()
                say(f"{'computed again' if outcome.result else 'left out'}: {outcome.note}")
    kept = [one.baseline.name for one in outcomes if one.result and not one.computed]
    if kept:
        say(f"kept from before: {', '.join(kept)}; --again computes them again")
    sheet = _sheet(data, outcomes)
    if print_sheet(sheet, form):
        _print_text(sheet)


def _sheet(data: "Dataset", outcomes: "list[Outcome]") -> "Sheet":
    """Return one row per baseline; one without a result has null metrics, and `note` says why."""
    from neumf_tui.baselines.kept import COLUMNS, row_of
    from neumf_tui.runs.protocol import PROTOCOL
    from neumf_tui.views.sheet import Sheet

    rows: list[dict[str, Any]] = []
    for outcome in outcomes:
        baseline = outcome.baseline
        row = (
            row_of(outcome.result)
            if outcome.result
            else dict.fromkeys(COLUMNS) | {"baseline": baseline.name, "title": baseline.title}
        )
        rows.append(row | {"note": outcome.note})
    results = [outcome.result for outcome in outcomes if outcome.result]
    about = {
        "dataset": data.label,
        "fingerprint": data.fingerprint,
        "num_users": results[0].heldout.num_users if results else None,
        "protocol": PROTOCOL,
    }
    return Sheet("baselines", about, "baselines", rows, (*COLUMNS, "note"))


def _print_text(sheet: "Sheet") -> None:
    from neumf_tui.views.baselines import print_in_parts
    from neumf_tui.views.output import print_line

    users = sheet.about["num_users"] or 0
    print_line(f"{sheet.about['dataset']}  {users:,} users with a held-out item")
    print_in_parts((*_NUMBERS, "settings"), [_cells(row) for row in sheet.rows], _NUMBERS)
    print_line("metrics: of the held-out items, after fitting to all training pairs")
    print_line("95 %: interval of Hit@50 over users; s: seconds to fit once and rank")
    print_line("settings: the best by Hit@50 of the validation items (val.), fitted without these")
    for key, value in sheet.about["protocol"].items():
        print_line(f"{key}: {value}")


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    from neumf_tui.views.baselines import METRIC_HEADER, metric_cells

    name = row["baseline"]
    if row["hit@50"] is None:
        missing = ("–",) * len(METRIC_HEADER + _NUMBERS)
        return (name, *missing, row["note"].removeprefix(f"{name}: "))
    return (
        name,
        *metric_cells(row),
        f"{row['validation_hit@50']:.4f}",
        f"{row['validation_auc']:.4f}",
        f"{row['seconds']:.1f}",
        row["settings"],
    )
