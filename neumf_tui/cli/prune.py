"""`prune`: remove checkpoints of a run."""

from typing import Annotated

import typer

from neumf_tui.cli.options import Home, Run, Yes, confirm, run_folder

Keep = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Checkpoints that stay, spread over all evaluations, besides the newest and the best. "
        "[default: the run's own setting]",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")]


def prune(
    run: Run = None,
    keep: Keep = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    home: Home = None,
) -> None:
    """Remove checkpoints of a run, after asking for confirmation; also while it trains.

    The newest whole checkpoint and the best stay. Curves and ranks stay whole.
    """
    from neumf_tui.runs.access import check_may_change
    from neumf_tui.runs.checkpoint import checkpoint_epochs, checkpoint_name
    from neumf_tui.runs.retention import remove_checkpoints, size_of, surplus_of_run
    from neumf_tui.text import si
    from neumf_tui.views.output import say

    folder = run_folder(home, run)
    check_may_change(folder)
    names = surplus_of_run(folder, keep)
    if not names:
        say(f"{folder.name} has no checkpoint to remove")
        return
    number = "1 checkpoint" if len(names) == 1 else f"{len(names)} checkpoints"
    what = f"{number} of {folder.name} ({si(size_of(folder, names))}B)"
    if not (dry_run or yes):
        confirm("prune", folder, f"Remove {what}?")
    if not dry_run:
        remove_checkpoints(folder, names)
    stay = [epoch for epoch in checkpoint_epochs(folder) if checkpoint_name(epoch) not in names]
    left = f"{len(stay)} stay, from epoch {stay[0]} to {stay[-1]}"
    say(f"{'would remove' if dry_run else 'removed'} {what}; {left}")
