"""Write what the charts of a screen show: as the picture of `plot`, or as values."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from neumf_tui.figures.curves import curves_picture
from neumf_tui.figures.picture import ENDINGS as PICTURES
from neumf_tui.figures.picture import save_picture
from neumf_tui.runs.reader import read_info, read_snapshot
from neumf_tui.views.runs import metrics_of_runs
from neumf_tui.views.sheet import ENDINGS as SHEETS
from neumf_tui.views.sheet import write_new, write_sheet

ENDINGS = (*PICTURES, *SHEETS)


def usual_name(folders: Sequence[Path]) -> str:
    """Return a name for the file: that of a picture, or of values where nothing can draw."""
    ending = PICTURES[0] if find_spec("matplotlib") else SHEETS[0]
    return f"{'-'.join(folder.name for folder in folders)[:100]}-curves{ending}"


def write_curves(path: Path, folders: Sequence[Path], home: Path) -> str:
    """Write a new file in the form that its ending names, and return what has been done.

    Raises UsageError where matplotlib is missing, RunError, OSError.
    """
    notes: list[str] = []
    if path.suffix in PICTURES:
        picture = curves_picture(folders, home)
        write_new(path, lambda file: notes.extend(save_picture(picture, file, path.suffix[1:])))
    else:
        write_sheet(metrics_of_runs([(read_info(at), read_snapshot(at)) for at in folders]), path)
    return "; ".join((f"Written: {path}", *notes))
