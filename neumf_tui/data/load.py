"""Load the dataset of a run."""

from dataclasses import replace
from pathlib import Path

from neumf_tui.data import prepared
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.options import DataOptions
from neumf_tui.data.prepared import prepared_dir
from neumf_tui.errors import DatasetError
from neumf_tui.home import own_homes


def load_dataset(
    fingerprint: str,
    name: str,
    home: Path,
    source: str = "",
    options: DataOptions = DataOptions(),
    beside: Path | None = None,
) -> Dataset:
    """Return the prepared dataset of a run; prepare it again if it is missing.

    `source` is where the run found the original files, `options` how it read and split them. It is
    looked for in `home`, in the account's own home if it may only read that one, and in `beside`,
    the home that has the run. Raises DatasetError if no files give the same data.
    """
    homes = [*own_homes(home), *([beside] if beside else [])]
    problem: DatasetError | PermissionError | None = None
    kept: Dataset | None = None
    for place in dict.fromkeys(homes):
        try:
            kept = prepared.load(prepared_dir(place), fingerprint)
            break
        except (DatasetError, PermissionError) as error:
            problem = problem or error
    if kept is None:
        # Imported only now: the readers and the download cost a viewer a tenth of its start.
        from neumf_tui.data.formats import EXPECTED
        from neumf_tui.data.registry import prepare_again

        kept = prepare_again(fingerprint, name, home, source, options)
        if kept is None:
            raise DatasetError(
                f"{problem}, and its original files ({source or name}) are not found; set "
                f"NEUMF_TUI_DATA to where they are now: {EXPECTED}"
            ) from problem
    # The same data in a folder of another name has the same fingerprint.
    return replace(kept, name=name)
