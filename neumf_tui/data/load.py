"""Load the dataset of a run."""

from dataclasses import replace
from pathlib import Path

from neumf_tui.data import prepared
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.options import DataOptions
from neumf_tui.data.prepared import prepared_dir
from neumf_tui.errors import DatasetError


def load_dataset(
    fingerprint: str,
    name: str,
    home: Path,
    source: str = "",
    options: DataOptions = DataOptions(),
) -> Dataset:
    """Return the prepared dataset of a run; prepare it again if it is missing.

    `source` is where the run found the original files, `options` how it read and split them.
    Raises DatasetError if no files give the same data.
    """
    folder = prepared_dir(home)
    try:
        kept = prepared.load(folder, fingerprint)
    except DatasetError as error:
        # Imported only now: the readers and the download cost a viewer a tenth of its start.
        from neumf_tui.data.formats import EXPECTED
        from neumf_tui.data.registry import prepare_again

        if not prepare_again(fingerprint, name, home, source, options):
            raise DatasetError(
                f"{error}, and its original files ({source or name}) are not found; set "
                f"NEUMF_TUI_DATA to where they are now: {EXPECTED}"
            ) from error
        kept = prepared.load(folder, fingerprint)
    # The same data in a folder of another name has the same fingerprint.
    return replace(kept, name=name)
