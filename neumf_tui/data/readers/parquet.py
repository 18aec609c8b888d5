"""A table of interactions in Parquet, read a batch at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute as pc
from pyarrow import parquet

from neumf_tui import files
from neumf_tui.data.columns import Columns, choose_columns
from neumf_tui.data.options import ReadOptions
from neumf_tui.data.prepare import Content
from neumf_tui.data.progress import Progress, Report, silent
from neumf_tui.data.readers.assemble import assemble
from neumf_tui.data.readers.rows import Ids, Rows
from neumf_tui.data.split import LATEST_TIME
from neumf_tui.errors import DatasetError

_BATCH_ROWS = 1 << 20
_UNITS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def read(path: Path, options: ReadOptions, report: Report = silent) -> Content:
    """Read the file; item ids are used as titles."""
    rows = _read_rows(path, Columns.of(options), report)
    return assemble(rows, None)


def read_header(path: Path) -> list[str]:
    """Return the names of the columns; raise DatasetError if the file cannot be read."""
    with _open(path) as file:
        return list(file.schema_arrow.names)


def _read_rows(path: Path, columns: Columns | None, report: Report) -> Rows:
    with _open(path) as file:
        schema = file.schema_arrow
        chosen = choose_columns(str(path), list(schema.names), columns)
        names = [chosen.user, chosen.item, chosen.time, *([chosen.rating] if chosen.rating else [])]
        units_per_second = _check_types(path, schema, chosen)
        rows, done, total = Rows(units_per_second=units_per_second), 0, file.metadata.num_rows
        units = {chosen.time: units_per_second}
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=names):
            batch.validate(full=True)  # e.g. that strings are UTF-8
            values = {name: _plain(batch.column(name)) for name in names}
            for name in names:
                _check_values(path, name, values[name], done, units.get(name))
            rows.users.append(_ids(values[chosen.user]))
            rows.items.append(_ids(values[chosen.item]))
            rows.times.append(_times(values[chosen.time]))
            if chosen.rating:
                rows.ratings.append(_ratings(values[chosen.rating]))
            done += len(batch)
            report(Progress(f"reading {path.name}", done, total, "rows"))
    if done != total:
        raise _damaged(path, f"{done:,} of {total:,} rows are there")
    if not done:
        raise DatasetError(f"{path}: no rows; expected interactions; get the file again")
    return rows


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    try:
        with files.open_given(path) as file:
            yield parquet.ParquetFile(file)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception | str) -> DatasetError:
    return DatasetError(f"{path}: cannot be read as Parquet ({error}); get the file again")


def _check_types(path: Path, schema: Any, chosen: Columns) -> int:
    """Return the time's units per second, 0 if unknown; raise DatasetError for a wrong type."""

    def wrong(column: str, expected: str) -> DatasetError:
        kind = schema.field(column).type
        return DatasetError(f"{path}: column {column} has type {kind}; expected {expected}")

    for column in (chosen.user, chosen.item):
        kind = schema.field(column).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (_is_string(kind) or pa.types.is_integer(kind)):
            raise wrong(column, "ids: convert it to whole numbers or strings")
    if chosen.rating and not _is_number(schema.field(chosen.rating).type):
        raise wrong(chosen.rating, "numbers: convert it, or leave the rating out of --columns")
    kind = schema.field(chosen.time).type
    if pa.types.is_timestamp(kind):
        return _UNITS_PER_SECOND[kind.unit]
    if pa.types.is_date(kind):
        return 1
    if not _is_number(kind):
        raise wrong(chosen.time, "timestamps or seconds since 1970: convert it")
    return 0


def _is_string(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: Any) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _check_values(path: Path, name: str, values: Any, rows_before: int, units: int | None) -> None:
    """Raise DatasetError for the first row whose value is missing or not valid.

    `units`: of times, their units per second, 0 if unknown.
    """
    if values.null_count:
        wrong, problem = pc.is_null(values), "is empty"
    elif pa.types.is_floating(values.type) and not pc.all(pc.is_finite(values)).as_py():
        wrong, problem = pc.invert(pc.is_finite(values)), "is not a number"
    elif units is not None and (numbers := _times(values)).min(initial=0) < 0:
        wrong, problem = pa.array(numbers < 0), "is before 1970"
    elif units is not None and (numbers >= float(2**63)).any():
        wrong, problem = pa.array(numbers >= float(2**63)), "is out of range"
    elif units and (numbers // units).max(initial=0) > LATEST_TIME:
        wrong, problem = pa.array(numbers // units > LATEST_TIME), "is after the year 9999"
    elif _is_string(values.type) and pc.any(pc.equal(values, "")).as_py():
        wrong, problem = pc.equal(values, ""), "is empty"
    else:
        return
    row = rows_before + pc.index(wrong, True).as_py() + 1
    raise DatasetError(f"{path}, row {row}: {name} {problem}; fix the row")


def _plain(column: Any) -> Any:
    """Return the column without a dictionary, which may hold values that no row has."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _ids(column: Any) -> Ids:
    kind = column.type
    if pa.types.is_integer(kind):
        numbers = column.to_numpy(zero_copy_only=False)
        if not len(numbers) or (numbers.min() >= 0 and numbers.max() < 2**63):
            fits = numbers.max(initial=0) < 2**31
            return numbers.astype(np.int32 if fits else np.int64, copy=False)
        column = column.cast(pa.string())
    return column.cast(pa.string()).dictionary_encode()


def _ratings(column: Any) -> NDArray[np.float32]:
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float32)


def _times(column: Any) -> NDArray[Any]:
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    whole = pa.types.is_timestamp(column.type) or pa.types.is_integer(column.type)
    numbers = column.cast(pa.int64() if whole else pa.float64())
    return np.asarray(numbers.to_numpy(zero_copy_only=False))
