"""Open the dataset that the options of `train` name."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from neumf_tui.data.options import DataOptions

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset


def open_data(
    dataset: str,
    data_dir: Path | None,
    home: Path,
    options: DataOptions = DataOptions(),
    accept_unverified: bool = False,
    tell_notices: bool = True,
) -> "Dataset":
    """Open or fetch a dataset; messages, notices and progress go to stderr.

    Raises DatasetError or UsageError.
    """
    from neumf_tui.data.registry import open_dataset
    from neumf_tui.views.output import say
    from neumf_tui.views.progress_line import ProgressLine

    with closing(ProgressLine()) as progress:
        data = open_dataset(
            dataset,
            data_dir,
            home,
            say,
            progress,
            options=options,
            accept_unverified=accept_unverified,
        )
    for notice in data.notices if tell_notices else ():
        say(f"{data.label}: {notice}")
    return data
