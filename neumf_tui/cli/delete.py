"""`delete`: remove a run."""

from neumf_tui.cli.options import Home, RunName, Yes, confirm, run_folder


def delete(
    run: RunName,
    yes: Yes = False,
    home: Home = None,
) -> None:
    """Delete a run that is not training and its checkpoints, after asking for confirmation."""
    from neumf_tui.runs.control import delete_run
    from neumf_tui.runs.reader import is_locked
    from neumf_tui.views.output import say

    folder = run_folder(home, run)
    if not yes and not is_locked(folder):  # delete_run refuses a run that is training
        confirm("delete", folder, f"Delete {folder} with all its checkpoints?")
    say(delete_run(folder))
