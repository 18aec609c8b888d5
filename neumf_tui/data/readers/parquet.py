"""A table of interactions in Parquet, read a batch at a time."""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from neumf_tui.data.columns import Columns, choose_columns
from neumf_tui.data.facts import ReadFacts
from neumf_tui.data.options import ReadOptions
from neumf_tui.data.progress import Report
from neumf_tui.data.readers.bad_rows import BadRows
from neumf_tui.data.readers.chunks import ChunkedFile, Place
from neumf_tui.data.readers.json_objects import text_of
from neumf_tui.data.readers.records import Record
from neumf_tui.data.readers.rows import Ids, Part, Rows, as_ratings, narrowed
from neumf_tui.data.readers.text_fast import are_ids, checked_times
from neumf_tui.data.readers.text_layout import FIRST_ROWS, JSON, SAMPLE_ROWS, Layout
from neumf_tui.data.readers.text_open import open_bytes
from neumf_tui.data.readers.text_sniff import with_times
from neumf_tui.data.readers.times import TimeKind, parse_iso
from neumf_tui.errors import DatasetError

_BATCH_ROWS = 1 << 20


def read_header(path: Path) -> list[str]:
    """Return the names of the columns; raise DatasetError if the file cannot be read."""
    with _opened(path) as file:
        return list(file.schema_arrow.names)


def read_rows(
    path: Path, columns: Columns | None, reading: ReadOptions, report: Report, bad: BadRows
) -> Rows:
    """Return all interactions; raise DatasetError for the first row that is none."""
    with _opened(path) as file:
        schema = file.schema_arrow
        chosen = choose_columns(str(path), list(schema.names), columns, JSON)
        _check_types(path, schema, chosen)
        layout = _layout_of(file, chosen, reading.time_format)
        facts = _facts_of(path, file, chosen, layout)
    chunked = ChunkedFile(
        path,
        layout,
        "row",
        1,
        partial(_batches, path, layout),
        partial(_parse_fast, layout),
        partial(_records, layout),
        len,
        "rows",
    )
    return chunked.read(facts, bad.copy(), reading.time_format, report)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with open_bytes(path) as found:
            file = found.file
            yield parquet.ParquetFile(file if not found.packing else io.BytesIO(file.read()))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception | str) -> DatasetError:
    return DatasetError(f"{path}: cannot be read as Parquet ({error}); get the file again")


def _check_types(path: Path, schema: Any, chosen: Columns) -> None:
    """Raise DatasetError if a column has a type that cannot be read."""

    def check(column: str, is_right: bool, expected: str) -> None:
        if not is_right:
            kind = schema.field(column).type
            raise DatasetError(f"{path}: column {column} has type {kind}; expected {expected}")

    for column in (chosen.user, chosen.item):
        kind = _value_type(schema, column)
        fits = _is_string(kind) or _is_number(kind)
        check(column, fits, "ids: convert it to whole numbers or strings")
    if chosen.rating:
        expected = "numbers: convert it, or leave the rating out of --columns"
        check(chosen.rating, _is_number(_value_type(schema, chosen.rating)), expected)
    if chosen.time:
        kind = _value_type(schema, chosen.time)
        fits = pa.types.is_timestamp(kind) or pa.types.is_date(kind) or _is_number(kind)
        expected = "timestamps, seconds since 1970 or ISO dates: convert it"
        check(chosen.time, fits or _is_string(kind), expected)


def _value_type(schema: Any, column: str) -> Any:
    kind = schema.field(column).type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_string(kind: Any) -> bool:
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_number(kind: Any) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _layout_of(file: Any, chosen: Columns, time_format: str) -> Layout:
    """Return the layout of the chosen columns, in the order in which they are read."""
    names = [*chosen.by_role.values()]
    place = {role: number for number, role in enumerate(chosen.by_role)}
    layout = Layout(
        JSON, tuple(names), place["user"], place["item"], place.get("time"), place.get("rating")
    )
    first = next(file.iter_batches(batch_size=SAMPLE_ROWS, columns=names), None)
    if first is None:
        return layout
    records = _records(layout, _in_order(first, layout), 1)
    found = [(record.number, record.fields) for record in records]
    return with_times(layout, found, time_format, "row")


def _facts_of(path: Path, file: Any, chosen: Columns, layout: Layout) -> ReadFacts:
    header = tuple(file.schema_arrow.names)
    first = next(file.iter_batches(batch_size=FIRST_ROWS), None)
    shown = [] if first is None else [map(_text_of, _values(column)) for column in first.columns]
    notices = [
        f"{column} has the type {kind}; its ids are read as whole numbers"
        for column in (chosen.user, chosen.item)
        if not _is_string(kind := _value_type(file.schema_arrow, column))
        and not pa.types.is_integer(kind)
    ]
    return ReadFacts(
        files=(path.name,),
        form="Parquet",
        columns=chosen.by_role,
        header=header,
        first_rows=tuple(zip(*shown, strict=True)),
        notices=tuple(notices),
    )


@contextmanager
def _batches(path: Path, layout: Layout) -> Iterator[Iterator[tuple[Any, Place]]]:
    """Yield the batches of the columns of `layout`, which are checked while they are read."""
    with _opened(path) as file:
        total = file.metadata.num_rows

        def checked() -> Iterator[tuple[Any, Place]]:
            done = 0
            for batch in file.iter_batches(_BATCH_ROWS, columns=[*layout.header]):
                batch.validate(full=True)  # e.g. that strings are UTF-8
                done += len(batch)
                yield _in_order(batch, layout), (done, total)
            if done != total:
                raise _damaged(path, f"{done:,} of {total:,} rows are there")

        yield checked()


def _in_order(batch: Any, layout: Layout) -> Any:
    """Return the columns of a batch as `layout` has them, without dictionaries.

    A dictionary may hold values that no row has.
    """
    columns = [_plain(batch.column(name)) for name in layout.header]
    return pa.record_batch(columns, names=[*layout.header])


def _plain(column: Any) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        try:
            return column.cast(pa.string())
        except pa.ArrowNotImplementedError:  # of pyarrow 17
            return pa.array(column.to_pylist(), pa.string())
    return column


def _parse_fast(layout: Layout, batch: Any) -> Part | None:
    """Return the interactions in a batch, or None if one may be invalid."""
    if any(column.null_count for column in batch.columns):
        return None
    users, items = (_ids(batch.column(place)) for place in (layout.user, layout.item))
    if users is None or items is None:
        return None
    times, ratings = None, None
    if layout.time is not None:
        times = _times(batch.column(layout.time), layout.time_kind)
        if times is None:
            return None
    if layout.rating is not None:
        ratings = as_ratings(batch.column(layout.rating).cast(pa.float64()).to_numpy())
        if ratings is None:
            return None
    return Part(users, items, times, ratings, len(batch))


def _ids(column: Any) -> Ids | None:
    kind = column.type
    if _is_string(kind):
        found = column.dictionary_encode()
        return found if are_ids(found.dictionary) else None
    if not pa.types.is_integer(kind):
        try:
            column = column.cast(pa.int64())
        except pa.ArrowInvalid:  # a fraction, not a number, or too large
            return None
    numbers = column.to_numpy(zero_copy_only=False)
    if not len(numbers) or (numbers.min() >= 0 and numbers.max() < 2**63):
        return narrowed(numbers.astype(np.int64, copy=False))
    return column.cast(pa.string()).dictionary_encode()


def _times(column: Any, kind: TimeKind) -> Any:
    types = pa.types
    if types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    elif _is_string(column.type):
        if kind == "number":
            return None
        if kind == "text":
            column = column.dictionary_encode()
        else:
            try:
                column = parse_iso(column, kind)
            except pa.ArrowInvalid:
                return None
    elif kind == "text":
        return None  # whoever names a format has numbers read as text
    elif not types.is_timestamp(column.type):
        column = column.cast(pa.int64() if types.is_integer(column.type) else pa.float64())
    return checked_times(column)


def _records(layout: Layout, batch: Any, first: int) -> Iterator[Record]:
    """Yield the rows of a batch as text; ids that are numbers have to be whole."""
    columns = map(_values, batch.columns)
    for number, values in enumerate(zip(*columns, strict=True), start=first):
        fields, problem = [_text_of(value) for value in values], ""
        for place in (layout.user, layout.item):
            if fields[place] and isinstance(values[place], float | Decimal):
                if values[place] % 1:
                    problem = f"{layout.header[place]} {fields[place]} is not a whole number"
                else:
                    fields[place] = str(int(values[place]))
        yield Record(number, fields, problem)


def _values(column: Any) -> list[Any]:
    """Return the values of a column; dates as text, since Python has no later year than 9999."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        column = column.cast(pa.string())
    return list(column.to_pylist())


def _text_of(value: Any) -> str:
    """Return a value as text; null and what is not a number are empty."""
    if isinstance(value, float) and math.isnan(value):
        return ""
    if isinstance(value, str | int | float | None):
        return text_of(value)
    return str(value)
