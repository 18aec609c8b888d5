"""Commands that look at runs: screens where there is a terminal, and their text twins."""

from typing import Annotated

import typer

from neumf_tui.cli.options import Epoch, Home, Json, LowBandwidth, Run, home_of, run_folder
from neumf_tui.cli.show import need_screen, show


def attach(run: Run = None, low_bandwidth: LowBandwidth = None, home: Home = None) -> None:
    """Open the screen of a run, whether it is still training or not."""
    folder = run_folder(home, run)
    need_screen("neumf-tui status")
    raise typer.Exit(show(folder, "train", home_of(home), low_bandwidth))


def explore(
    run: Run = None,
    user: Annotated[str | None, typer.Option(help="Begin with this user.")] = None,
    epoch: Epoch = None,
    low_bandwidth: LowBandwidth = None,
    home: Home = None,
) -> None:
    """Pick a user, see the ranked films, why they stand so, and where the held-out one landed."""
    from neumf_tui.runs.checkpoint import find_checkpoint

    folder = run_folder(home, run)
    find_checkpoint(folder, epoch)
    if user is not None:
        from neumf_tui.explore.users import load_users

        load_users(folder, home_of(home)).dataset.user_index(
            user
        )  # said here, before the screen opens
    need_screen("neumf-tui rank USER")
    raise typer.Exit(show(folder, "explore", home_of(home), low_bandwidth, user, epoch))


def evaluate(
    run: Run = None,
    epoch: Epoch = None,
    sampled: Annotated[
        bool,
        typer.Option(
            "--sampled",
            help="Also HR@10 and NDCG@10 among sampled negatives, to compare with older papers; they mislead.",
        ),
    ] = False,
    sampled_negatives: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Negatives of each user in that; implies --sampled. [default: 99]",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    home: Home = None,
) -> None:
    """Rank every held-out item again with a checkpoint of the run and print the metrics."""
    folder = run_folder(home, run)
    from neumf_tui.evaluation.sampled import NEGATIVES
    from neumf_tui.views.output import print_json
    from neumf_tui.views.person import evaluation, print_evaluation

    result = evaluation(
        folder, home_of(home), epoch, sampled_negatives or (NEGATIVES if sampled else None)
    )
    print_json(result) if json else print_evaluation(result)


def runs(
    json: Json = False,
    plain: Annotated[bool, typer.Option("--plain", help="No screen: a table on stdout.")] = False,
    low_bandwidth: LowBandwidth = None,
    home: Home = None,
) -> None:
    """All runs, the latest first: a live screen in a terminal, else a table."""
    from neumf_tui.runs.summary import print_runs
    from neumf_tui.terminal import why_no_screen

    if json or plain or why_no_screen():
        print_runs(home_of(home), json)
    else:
        raise typer.Exit(show(None, "runs", home_of(home), low_bandwidth))


def datasets(json: Json = False, home: Home = None) -> None:
    """The datasets and where they lie."""
    import dataclasses

    from neumf_tui.data.registry import known_datasets
    from neumf_tui.views.output import print_json, print_table

    known = known_datasets(home_of(home))
    if json:
        print_json([dataclasses.asdict(row) for row in known])
    else:
        print_table(
            ("dataset", "here", "where"),
            [(row.name, "yes" if row.available else "no", row.where) for row in known],
        )
