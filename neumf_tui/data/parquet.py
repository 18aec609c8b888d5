"""Interactions in Parquet, read a row group's batch at a time."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute as pc
from pyarrow import parquet

from neumf_tui.data.layout import Columns, choose
from neumf_tui.data.progress import Progress, Report
from neumf_tui.data.rows import Ids, Rows
from neumf_tui.errors import DatasetError

_ROWS = 1 << 20
"""Rows of a batch."""
_PARTS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def header_of(path: Path) -> list[str]:
    """Names of the columns. Raises DatasetError."""
    with _opened(path) as file:
        return list(file.schema_arrow.names)


def read_rows(path: Path, columns: Columns | None, report: Report) -> Rows:
    """All interactions. Raises DatasetError naming the row for anything that is not as expected."""
    with _opened(path) as file:
        schema = file.schema_arrow
        chosen = choose(str(path), list(schema.names), columns)
        names = [chosen.user, chosen.item, chosen.time, *([chosen.rating] if chosen.rating else [])]
        parts = _check_types(path, schema, chosen)
        rows, done, total = Rows([], [], [], parts), 0, file.metadata.num_rows
        try:
            for batch in file.iter_batches(batch_size=_ROWS, columns=names):
                for name in names:
                    _check(path, name, batch.column(name), done, time=name == chosen.time)
                rows.users.append(_ids(batch.column(chosen.user)))
                rows.items.append(_ids(batch.column(chosen.item)))
                rows.times.append(_times(batch.column(chosen.time)))
                done += len(batch)
                report(Progress(f"reading {path.name}", done, total, "rows"))
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from error
    if not done:
        raise DatasetError(f"{path}: no rows; expected interactions; get the file again")
    return rows


def _opened(path: Path) -> Any:
    try:
        return parquet.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DatasetError:
    return DatasetError(f"{path}: cannot be read as Parquet ({error}); get the file again")


def _check_types(path: Path, schema: Any, chosen: Columns) -> int:
    """Parts of a second that the times count, 0 where their size has to tell it; raises DatasetError for an unfit type."""
    for name in (chosen.user, chosen.item):
        kind = schema.field(name).type
        inner = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (
            pa.types.is_integer(inner)
            or pa.types.is_string(inner)
            or pa.types.is_large_string(inner)
        ):
            raise DatasetError(
                f"{path}: column {name} is of type {kind}; expected ids: whole numbers or strings; write it so"
            )
    if chosen.rating and not _is_number(schema.field(chosen.rating).type):
        kind = schema.field(chosen.rating).type
        raise DatasetError(
            f"{path}: column {chosen.rating} is of type {kind}; expected numbers; write it so, or leave the rating out"
        )
    kind = schema.field(chosen.time).type
    if pa.types.is_timestamp(kind):
        return _PARTS[kind.unit]
    if pa.types.is_date(kind):
        return 1
    if not _is_number(kind):
        raise DatasetError(
            f"{path}: column {chosen.time} is of type {kind}; expected timestamps or seconds since 1970; write it so"
        )
    return 0


def _is_number(kind: Any) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _check(path: Path, name: str, values: Any, before: int, *, time: bool) -> None:
    """Raise for the first row without a value, or with one that is none; `before` is the number of rows before these."""
    if values.null_count:
        wrong, says = pc.is_null(values), "is empty"
    elif pa.types.is_floating(values.type) and not pc.all(pc.is_finite(values)).as_py():
        wrong, says = pc.invert(pc.is_finite(values)), "is no number"
    elif time and (numbers := _times(values)).min(initial=0) < 0:
        wrong, says = pa.array(numbers < 0), "is before 1970"
    elif pa.types.is_string(values.type) and pc.any(pc.equal(values, "")).as_py():
        wrong, says = pc.equal(values, ""), "is empty"
    else:
        return
    raise DatasetError(
        f"{path}, row {before + pc.index(wrong, True).as_py() + 1}: {name} {says}; mend the row"
    )


def _ids(column: Any) -> Ids:
    kind = column.type
    if pa.types.is_integer(kind):
        numbers = column.to_numpy(zero_copy_only=False)
        if not len(numbers) or (numbers.min() >= 0 and numbers.max() < 2**63):
            return numbers.astype(
                np.int32 if numbers.max(initial=0) < 2**31 else np.int64, copy=False
            )
        column = column.cast(pa.string())
    if pa.types.is_dictionary(kind):
        strings = column.dictionary.cast(pa.string())
        return pa.DictionaryArray.from_arrays(column.indices.cast(pa.int32()), strings)
    return column.cast(pa.string()).dictionary_encode()


def _times(column: Any) -> NDArray[Any]:
    kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("s"))
        kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_integer(kind):
        return np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False))
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
