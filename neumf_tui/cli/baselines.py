"""`baselines`: compute the metrics of simpler models on the same split."""

from contextlib import closing
from typing import Annotated

import typer

from neumf_tui.cli.data_flags import data_flags
from neumf_tui.cli.options import DataDir, DatasetName, Home, sheet_forms, writable_home_of
from neumf_tui.data.options import DataOptions
from neumf_tui.views.open_data import open_data


@data_flags
@sheet_forms
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
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep each baseline as a run, to explore and compare it."),
    ] = False,
    home: Home = None,
    *,
    data_options: DataOptions,
    form: str,
) -> None:
    """Compute popularity, item kNN, EASE, ALS and BPR on the same split and metrics as a run.

    Their settings are chosen on the validation items. Results are kept, and shown by `evaluate` and
    on the train screen; with --keep each is a run, too. ALS and BPR need the package implicit (pip
    install 'neumf-tui[baselines]').
    """
    from neumf_tui.baselines.compute import Baselines
    from neumf_tui.baselines.registry import named
    from neumf_tui.views.baselines import baselines_sheet, print_baselines, runs_text
    from neumf_tui.views.output import print_sheet, say
    from neumf_tui.views.progress_line import ProgressLine

    wanted, where = named(only), writable_home_of(home)
    data = open_data(dataset, data_dir, where, data_options)
    outcomes = []
    with closing(ProgressLine()) as progress:
        every = Baselines(data, where, progress, seed)
        for outcome in every.outcomes(wanted, again=again, strict=only is not None, as_runs=keep):
            outcomes.append(outcome)
            if outcome.note:
                progress.close()
                what = "no run" if outcome.result else "left out"
                say(f"{'computed again' if outcome.computed else what}: {outcome.note}")
    kept = [one.baseline.name for one in outcomes if one.result and not one.computed]
    if kept:
        say(f"kept from before: {', '.join(kept)}; --again computes them again")
    if runs := runs_text(outcomes):
        say(runs)
    print_sheet(baselines_sheet(data, outcomes), form, print_baselines)
