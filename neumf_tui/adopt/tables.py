"""Read tables: scores or places of (user, item) pairs, or one vector a row."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute as pc
from pyarrow import csv, parquet

from neumf_tui import files
from neumf_tui.adopt.contents import (
    Arrays,
    Coded,
    Contents,
    Side,
    Triples,
    WeightsError,
    check_room,
    side_of,
)
from neumf_tui.data.columns import columns_named

_SCORES = ("score", "prediction", "pred", "predicted", "estimate", "rating", "value")
_PLACES = ("rank", "place", "position")
_BYTES = 16
"""Memory for a value while a table is read."""
_BATCH_ROWS = 1 << 14


def read_table(path: Path, stem: str) -> Contents:
    """Return the triples of a table with a user and an item column, or the vectors of its rows.

    Vectors belong to the side that the id column's name says, or else `stem`, the file's name.
    Raises WeightsError.
    """
    is_parquet = path.suffix.lower() not in (".csv", ".tsv")
    with files.open_given(path) as file:
        table = _parquet_table(path, file) if is_parquet else _csv_table(path, file)
    header = list(table.column_names)
    sides: dict[Side, str] = {}
    for side in ("user", "item"):
        if named := columns_named(header, side):
            if len(named) > 1:
                raise WeightsError(
                    f"{path}: {' and '.join(named)} may both be the {side}; keep one"
                )
            sides[side] = named[0]
    plain = [name for name in header if name.lower() in ("id", "ids")]
    if plain and not sides and (meant := side_of(stem)):
        sides[meant] = plain[0]
    if not table.num_rows:
        raise WeightsError(f"{path}: no rows; expected scores or vectors")
    if len(sides) == 2:
        return Contents(str(path), triples=_triples(path, table, sides))
    return _vectors(path, table, sides, stem)


def _parquet_table(path: Path, file: Any) -> Any:
    opened = parquet.ParquetFile(file)
    # Not the sizes in its metadata: to ask for those of a damaged file ends the process.
    rows, columns = opened.metadata.num_rows, opened.metadata.num_columns
    check_room(path, _BYTES * rows * columns)
    texts = [
        field.name
        for field in opened.schema_arrow
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]
    file.seek(0)
    batches, size = [], 0
    for batch in parquet.ParquetFile(file, read_dictionary=texts).iter_batches(_BATCH_ROWS):
        batch.validate(full=True)
        size += batch.nbytes
        check_room(path, size)
        batches.append(batch)
    table = pa.Table.from_batches(batches, opened.schema_arrow if not batches else None)
    if table.num_rows != rows:
        raise WeightsError(f"{path}: {table.num_rows:,} of {rows:,} rows are there; get it again")
    return table


def _csv_table(path: Path, file: Any) -> Any:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    check_room(path, 4 * path.stat().st_size)
    options = csv.ReadOptions(use_threads=False)  # threads do not know the number of a row
    first = file.readline(2**20).decode("utf-8-sig").strip("\r\n")
    header = [name.strip('"') for name in first.split(delimiter)]
    ids = [*columns_named(header, "user"), *columns_named(header, "item")]
    file.seek(0)
    return csv.read_csv(
        file,
        options,
        csv.ParseOptions(delimiter=delimiter),
        csv.ConvertOptions(column_types=dict.fromkeys(ids, pa.string()), null_values=[""]),
    )


def _triples(path: Path, table: Any, sides: dict[Side, str]) -> Triples:
    others = [name for name in table.column_names if name not in sides.values()]
    lowered = {name.lower(): name for name in others}
    scores = next((lowered[name] for name in _SCORES if name in lowered), None)
    places = next((lowered[name] for name in _PLACES if name in lowered), None)
    chosen = scores or places or (others[0] if len(others) == 1 else None)
    if chosen is None:
        raise WeightsError(
            f"{path}: no column of scores beside {sides['user']} and {sides['item']}; expected "
            f"one named {', '.join(_SCORES[:3])}, or {' or '.join(_PLACES[:2])} for an order alone"
        )
    numbers = _numbers(path, chosen, table[chosen])
    users, items = (_coded(path, name, table[name]) for name in (sides["user"], sides["item"]))
    return Triples(users, items, -numbers if chosen == places and not scores else numbers)


def _vectors(path: Path, table: Any, sides: dict[Side, str], stem: str) -> Contents:
    columns = [name for name in table.column_names if name not in sides.values()]
    name = next(iter(sides), stem)
    bias = [column for column in columns if column.lower() in ("bias", f"{name}_bias")]
    columns = [column for column in columns if column not in bias]
    arrays: Arrays = {}
    if len(columns) == 1 and _is_list(table[columns[0]].type):
        column = table[columns[0]].combine_chunks()
        rows = _numbers(path, columns[0], pc.list_flatten(column))
        if not len(rows) or len(rows) % len(column) or column.null_count:
            raise WeightsError(f"{path}: {columns[0]} holds vectors of different lengths")
        lengths = pc.list_value_length(column)
        if pc.min_max(lengths)["min"].as_py() != pc.min_max(lengths)["max"].as_py():
            raise WeightsError(f"{path}: {columns[0]} holds vectors of different lengths")
        arrays[name] = rows.reshape(len(column), -1)
    elif columns:
        numbers = [_numbers(path, column, table[column]) for column in columns]
        arrays[name] = np.stack(numbers, 1)
    arrays |= {f"{name}_bias": _numbers(path, column, table[column]) for column in bias}
    coded = {side: _coded(path, column, table[column]) for side, column in sides.items()}
    ids: dict[Side, list[str]] = {
        side: [found.ids[code] for code in found.codes.tolist()] for side, found in coded.items()
    }
    return Contents(str(path), arrays, ids=ids)


def _is_list(kind: Any) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _numbers(path: Path, name: str, column: Any) -> NDArray[np.float32]:
    kind = column.type
    if column.null_count:
        raise WeightsError(f"{path}: column {name} has {column.null_count:,} empty cells")
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise WeightsError(f"{path}: column {name} is {kind}; expected numbers")
    with np.errstate(over="ignore", invalid="ignore"):  # infinities and NaN are named later
        return np.asarray(column.to_numpy()).astype(np.float32)


def _coded(path: Path, name: str, column: Any) -> Coded:
    kind = column.type
    if column.null_count:
        raise WeightsError(f"{path}: column {name} has {column.null_count:,} empty cells")
    if not pa.types.is_dictionary(kind):
        if not (pa.types.is_integer(kind) or pa.types.is_string(kind)):
            raise WeightsError(f"{path}: column {name} is {kind}; expected ids: numbers or texts")
        column = column.dictionary_encode()
    column = pa.chunked_array(column).unify_dictionaries()
    first = column.chunk(0)
    codes = [np.asarray(chunk.indices.to_numpy(zero_copy_only=False)) for chunk in column.chunks]
    return Coded(
        first.dictionary.cast(pa.string()).to_pylist(),
        np.concatenate(codes).astype(np.int64),
    )
