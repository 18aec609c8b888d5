"""Open a table of items of any kind: text with a header, JSON Lines, or Parquet."""

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from neumf_tui.data.readers.text_open import (
    encoding_of,
    encoding_throughout,
    open_bytes,
    open_text,
    plain_name,
)
from neumf_tui.errors import DatasetError

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

_PARQUET = (".parquet", ".pq")
_JSON = (".jsonl", ".ndjson", ".json")
SUFFIXES = (".csv", ".tsv", ".txt", ".dat", *_JSON, *_PARQUET)
"""Endings of the files that a table of items is looked for in."""
_SEPARATORS = "\t,;|"
_FIRST_RECORDS = 1000
"""Lines of JSON whose keys are the columns."""
_FIRST_BYTES = 1 << 16
_BATCH_ROWS = 1 << 14
_WHOLE = re.compile(r"(?<=\d)\.0+\Z", re.ASCII)


@dataclass
class ItemTable:
    """The columns of a table, and its rows."""

    path: Path
    header: list[str]
    rows: Iterator[list[Any]]
    """The value of each column: text, or from JSON and Parquet any other."""
    bad_rows: list[str] = field(default_factory=list)
    """Filled while `rows` are read: those with another number of columns, which are left out."""
    encoding: str = "UTF-8"


def open_items(path: Path) -> ItemTable:
    """Open the table; raise DatasetError if it cannot be read."""
    kind = Path(plain_name(path)).suffix.lower()
    if kind in _PARQUET:
        rows = _parquet_rows(path)
        return ItemTable(path, [str(name) for name in next(rows)], rows)
    return _open_json(path) if kind in _JSON else _open_text(path, encoding_throughout(path))


def read_item_header(path: Path) -> list[str]:
    """Return the names of the columns; raise DatasetError if they cannot be read."""
    if Path(plain_name(path)).suffix.lower() in (*_PARQUET, *_JSON):
        return open_items(path).header
    with open_bytes(path) as found:
        encoding = encoding_of(path, found.file.read(_FIRST_BYTES))
    return _open_text(path, encoding).header


def _open_text(path: Path, encoding: str) -> ItemTable:
    lines = _lines(path, encoding)
    first = next(lines, "").rstrip("\r\n")
    if not first.strip():
        raise DatasetError(
            f"{path}: the file is empty; expected the names of columns, and one item in each line "
            "below; get the file again"
        )
    separator = max(_SEPARATORS, key=first.count)
    header = next(_records([first], separator))
    table = ItemTable(path, [name.strip() for name in header], iter(()), encoding=encoding)
    table.rows = _text_rows(table, _records(lines, separator))
    return table


def _records(lines: Iterable[str], separator: str) -> "CsvReader":
    """Return the reader of the lines; between tabs nothing is quoted: a quote is of a title."""
    if separator == "\t":
        return csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE)
    return csv.reader(lines, delimiter=separator)


def _text_rows(table: ItemTable, records: "CsvReader") -> Iterator[list[Any]]:
    """Yield the fields of each record of a `csv.reader` that starts below the header."""
    width, line = len(table.header), 2
    try:
        for fields in records:
            if len(fields) == width:
                yield fields
            elif fields:
                wrong = f"{len(fields)} columns; expected the {width} of the header"
                table.bad_rows.append(f"line {line}: {wrong}")
            line = records.line_num + 2
    except csv.Error as error:
        raise DatasetError(
            f"{table.path}, line {line}: cannot be read ({error}); expected one item in each line; "
            "look for a quote that is not closed"
        ) from error


def _lines(path: Path, encoding: str) -> Iterator[str]:
    """Yield the lines of a text, with their ends."""
    with open_text(path, encoding) as found:
        yield from io.TextIOWrapper(found.file, "utf-8", newline="")


def _open_json(path: Path) -> ItemTable:
    first = islice(_json_records(path), _FIRST_RECORDS)
    header = list(dict.fromkeys(key for record in first for key in record))
    rows = ([record.get(key) for key in header] for record in _json_records(path))
    return ItemTable(path, header, rows)


def _json_records(path: Path) -> Iterator[dict[str, Any]]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    with open_bytes(path) as found:
        for number, line in enumerate(found.file, start=1):
            if not line.strip():
                continue
            try:
                yield decoder.decode(line)
            except ValueError as error:
                hint = "fix the line"
                if line.lstrip().startswith(b"["):
                    hint = f"make lines of a list: jq -c '.[]' {path.name} > items.jsonl"
                raise DatasetError(
                    f"{path}, line {number}: not an object of JSON ({error}); expected one item in "
                    f'each line, such as {{"id": "7", "title": "Lamp"}}; {hint}'
                ) from error


def _parquet_rows(path: Path) -> Iterator[list[Any]]:
    """Yield the names of the columns, then the values of each row."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with open_bytes(path) as found:
            table = parquet.ParquetFile(
                found.file if found.file.seekable() else io.BytesIO(found.file.read())
            )
            yield table.schema_arrow.names
            for batch in table.iter_batches(batch_size=_BATCH_ROWS):
                yield from map(list, zip(*(one.to_pylist() for one in batch.columns), strict=True))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DatasetError(
            f"{path}: cannot be read as Parquet ({error}); get the file again"
        ) from error


def as_id(value: Any) -> str:
    """Return an id as the readers of interactions do: `12.0` is `12`, and `"x"` is `x`."""
    return _WHOLE.sub("", as_text(value).strip('"'))


def as_text(value: Any) -> str:
    """Return a value of JSON or Parquet as the text that a CSV file would have."""
    if isinstance(value, str):
        return value.strip()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return ", ".join(filter(None, map(as_text, value)))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
