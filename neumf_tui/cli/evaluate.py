"""`evaluate`: compute a checkpoint's metrics again."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from neumf_tui.cli.lookup import open_ranker
from neumf_tui.cli.options import Epoch, Home, Run, home_of, run_folder, sheet_forms
from neumf_tui.errors import UsageError


@sheet_forms
def evaluate(
    run: Run = None,
    epoch: Epoch = None,
    sampled: Annotated[
        bool,
        typer.Option(
            "--sampled",
            help="Add HR@10 and NDCG@10 among sampled negatives, as in older papers; they mislead.",
        ),
    ] = False,
    sampled_negatives: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Sampled negatives per user; implies --sampled. [default: 99]",
            show_default=False,
        ),
    ] = None,
    protocols: Annotated[
        bool,
        typer.Option(
            "--protocols",
            help="Train the run's settings under other protocols, too (latest, time, 5-core, "
            "sampled), and say where the model, EASE and popularity change places.",
        ),
    ] = False,
    home: Home = None,
    *,
    form: str,
) -> None:
    """Rank all held-out items with a checkpoint of the run and print the metrics."""
    folder = run_folder(home, run)
    if protocols:
        if sampled or sampled_negatives:
            raise UsageError("--protocols has sampled negatives, too: omit --sampled")
        _protocols(folder, home_of(home), epoch, form)
        return
    from neumf_tui.evaluation.sampled import NEGATIVES
    from neumf_tui.views.evaluation import evaluation_object, evaluation_sheet, print_evaluation
    from neumf_tui.views.output import print_json, print_sheet

    negatives = sampled_negatives or (NEGATIVES if sampled else None)
    result = evaluation_object(open_ranker(folder, home_of(home), epoch), negatives)
    if form == "json":
        print_json(result)
    else:
        print_sheet(evaluation_sheet(result), form, lambda _: print_evaluation(result))


def _protocols(folder: Path, home: Path, epoch: str | None, form: str) -> None:
    from neumf_tui.training.protocols import compare_protocols
    from neumf_tui.views.output import print_sheet
    from neumf_tui.views.progress_line import ProgressLine
    from neumf_tui.views.protocols import print_protocol_table, protocols_sheet

    ranker = open_ranker(folder, home, epoch)
    with closing(ProgressLine()) as progress:
        results = compare_protocols(ranker, progress)
    print_sheet(protocols_sheet(ranker, results), form, print_protocol_table)
