"""`evaluate`: compute a checkpoint's metrics again."""

from typing import Annotated

import typer

from neumf_tui.cli.lookup import open_ranker
from neumf_tui.cli.options import Epoch, Home, Json, Run, home_of, run_folder


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
    json: Json = False,
    home: Home = None,
) -> None:
    """Rank all held-out items with a checkpoint of the run and print the metrics."""
    folder = run_folder(home, run)
    from neumf_tui.evaluation.sampled import NEGATIVES
    from neumf_tui.views.evaluation import evaluation_object, print_evaluation
    from neumf_tui.views.output import print_json

    negatives = sampled_negatives or (NEGATIVES if sampled else None)
    result = evaluation_object(open_ranker(folder, home_of(home), epoch), negatives)
    print_json(result) if json else print_evaluation(result)
