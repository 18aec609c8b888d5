"""Files of columns for other programs: CSV, Parquet and numpy's npz."""

from pathlib import Path

import numpy as np

from neumf_tui.explore.export import Columns
from neumf_tui.views.sheet import write_new

FORMATS = ("csv", "parquet", "npz")


def write_columns(columns: Columns, label: str, path: Path, form: str) -> None:
    """Write a new file in one of FORMATS, whole or not at all, with the dataset's `label` in it.

    Raises UsageError, NeumfTuiError as `write_new`.
    """
    size = 0 if form == "npz" else len(next(iter(columns.values())))
    columns = {"dataset": np.full(size, label) if size else np.array(label), **columns}
    write_new(path, lambda scratch: _write(columns, scratch, form))


def _write(columns: Columns, path: Path, form: str) -> None:
    if form == "npz":
        with path.open("wb") as file:  # given a name, numpy would add an ending
            np.savez_compressed(file, **columns)  # type: ignore[arg-type]
        return
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    if form == "csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pyarrow.parquet.write_table(table, path)
