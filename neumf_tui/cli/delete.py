"""`delete`: remove a run."""

from neumf_tui.cli.options import Home, RunName, Yes, confirm, run_folder


def delete(
    run: RunName,
    yes: Yes = False,
    home: Home = None,
) -> None:
    """Delete a run that is not training and its checkpoints, after asking for confirmation."""
    from neumf_tui.runs.control import check_changeable, delete_run
    from neumf_tui.views.output import say

    folder = run_folder(home, run)
    check_changeable(folder, "delete")
    if not yes:
        confirm("delete", folder, f"Delete {folder} with all its checkpoints?")
    say(delete_run(folder))
