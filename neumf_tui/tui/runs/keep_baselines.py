"""Keep simpler models on a run's data as runs, from the list of runs."""

from pathlib import Path

from neumf_tui.tui.work import Cancelled


def keep_baselines(folder: Path, home: Path, cancelled: Cancelled) -> str:
    """Fit all baselines on a run's data, and return what came of each. Raises NeumfTuiError."""
    from neumf_tui.baselines.compute import Baselines
    from neumf_tui.baselines.registry import BASELINES
    from neumf_tui.data.progress import silent
    from neumf_tui.explore.users import dataset_of
    from neumf_tui.runs.reader import read_info

    found = []
    data = dataset_of(read_info(folder), home, folder)
    for outcome in Baselines(data, home, silent).outcomes(BASELINES, as_runs=True):
        found.append(outcome)
        if cancelled():
            break
    names = ", ".join(one.run.name for one in found if one.run)
    left_out = "".join(f" Left out: {one.note}." for one in found if one.run is None)
    return f"Runs: {names or 'none'}.{left_out}"
