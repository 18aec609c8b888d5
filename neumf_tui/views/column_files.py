"""Files of columns for other programs: CSV, Parquet and numpy's npz."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from neumf_tui.explore.export import Columns
from neumf_tui.views.sheet import CSV_SAFE, not_a_formula, write_new

FORMATS = ("csv", "parquet", "npz")


def write_columns(
    columns: Columns, about: Mapping[str, Any], path: Path, form: str, force: bool = False
) -> None:
    """Write a file in one of FORMATS or as CSV_SAFE; its first columns are `about`.

    It is written whole or not at all. `force` and errors as in `write_new`.
    """
    size = 0 if form == "npz" else len(next(iter(columns.values())))
    stamp = {key: np.full(size, value) if size else np.array(value) for key, value in about.items()}
    columns = stamp | columns
    write_new(path, lambda file: _write(columns, file, form), force)


def _write(columns: Columns, file: BinaryIO, form: str) -> None:
    if form == "npz":
        np.savez_compressed(file, **columns)  # type: ignore[arg-type]
        return
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if form == CSV_SAFE:
        columns = {name: _not_formulas(values) for name, values in columns.items()}
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    if form in ("csv", CSV_SAFE):
        pyarrow.csv.write_csv(table, file)
    else:
        pyarrow.parquet.write_table(table, file)


def _not_formulas(values: NDArray[Any]) -> NDArray[Any]:
    """Return texts without formulas, and numbers as they are."""
    return (
        np.array([not_a_formula(v) for v in values.tolist()])
        if values.dtype.kind == "U"
        else values
    )
