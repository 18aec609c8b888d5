"""Records of text, line by line: how they are split, and where it is not clear what they are."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from neumf_tui.data.columns import SEPARATOR_NAMES
from neumf_tui.data.readers.json_objects import object_in, text_of
from neumf_tui.data.readers.records import Record, UnfinishedError, problem_of
from neumf_tui.data.readers.rows import short
from neumf_tui.data.readers.text_layout import (
    JSON,
    LINE_LIMIT,
    Layout,
    sample_of,
    split_line,
    split_records,
    too_long,
)
from neumf_tui.data.readers.text_open import NotUtf8Error, encoding_throughout, open_text
from neumf_tui.errors import DatasetError


def records_in(path: Path, block: bytes, layout: Layout, first_line: int) -> Iterator[Record]:
    """Yield the records of whole lines; skip empty lines.

    Raises DatasetError for a line that is too long, and for a quote that may not be closed.
    """
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError:
        raise NotUtf8Error from None
    lines = [*io.StringIO(text, newline="")]
    for number, line in enumerate(lines):
        if len(line) > LINE_LIMIT:
            raise too_long(path, first_line + number)
    if layout.separator == JSON:
        found: Iterable[Record] = (
            _json_record(number, line, layout) for number, line in enumerate(lines) if line.strip()
        )
    elif layout.quotes_span_lines:
        found = _quoted_records(path, lines, layout, first_line)
    else:
        found = (Record(number - 1, fields) for number, fields in split_records(lines, layout))
    for record in found:
        if record.fields or record.problem:
            yield record._replace(number=first_line + record.number)


def _json_record(number: int, line: str, layout: Layout) -> Record:
    try:
        found = object_in(line)
    except ValueError as error:
        return Record(number, [], str(error))
    for place in layout.places:
        if isinstance(found.get(layout.header[place]), bool | list | dict):
            name, value = layout.header[place], text_of(found[layout.header[place]])
            return Record(number, [], f"{name} {short(value)} is neither text nor a number")
    return Record(number, [text_of(found.get(name)) for name in layout.header])


def _quoted_records(
    path: Path, lines: list[str], layout: Layout, first_line: int
) -> Iterator[Record]:
    """Yield the records of CSV, in which a quoted field may contain line ends."""
    rows = csv.reader(lines, delimiter=layout.separator, strict=True)
    expected = f"expected fields separated by {SEPARATOR_NAMES[layout.separator]}, with doubled "
    expected += "quotes in a quoted field"
    number = 0
    while True:
        try:
            fields = next(rows, None)
        except csv.Error as error:
            problem = f"cannot be read ({error}); {expected}"
            if "end of data" in str(error):
                is_long = sum(map(len, lines[number:])) > LINE_LIMIT
                kind = DatasetError if is_long else UnfinishedError
                text = f"{path}, line {first_line + number}: {problem}; fix the line"
                raise kind(text) from error
            if rows.line_num > number + 1:
                where = f"{path}, line {first_line + number}"
                raise DatasetError(
                    f"{where}: {problem}; fix the line, or double the quote"
                ) from error
            yield Record(number, [], problem)
        else:
            if fields is None:
                return
            if rows.line_num > number + 1:
                _check_swallowed(
                    path, lines[number : rows.line_num], fields, layout, first_line + number
                )
            yield Record(number, fields)
        number = rows.line_num


def _check_swallowed(
    path: Path, lines: list[str], fields: list[str], layout: Layout, first_line: int
) -> None:
    """Raise DatasetError if a record over several lines holds one that is a row by itself.

    That is how it looks if a quote is missing. The first line has all columns also if the last
    field goes over lines, and the last line if the first field does.
    """
    plain = replace(layout, quoted=False)
    start = 1 if re.search("[\r\n]", fields[-1]) else 0
    end = len(lines) - 1 if re.search("[\r\n]", fields[0]) else len(lines)
    for line in lines[start:end]:
        found = split_line(line.rstrip("\r\n"), plain)
        if found and not problem_of(found, plain)[0]:
            raise DatasetError(
                f"{path}, line {first_line}: a quoted field goes on to line "
                f"{first_line + len(lines) - 1}, over lines that are rows by themselves; expected "
                "a quote at the end of the field; fix the line, or double the quote"
            )


def records(
    path: Path,
    separator: str,
    width: int,
    *,
    has_header: bool = True,
    quoted: bool = True,
    encoding: str = "",
) -> Iterator[tuple[str, list[str]]]:
    """Yield "file, line" and the `width` fields of each record; skip the header and empty lines.

    For files of items. Raises DatasetError for a line with another number of fields, or if the
    file cannot be read. `encoding`: found out from the whole file unless it is given.
    """
    encoding = encoding or encoding_throughout(path)
    sample_of(path)  # raises for an empty file
    layout = Layout(separator, ("",) * width, 0, 0, None, None, has_header, quoted)
    hint = " (quote a field that contains a comma)" if layout.quotes_span_lines else ""
    expected = f"the {width} of the header"
    if not has_header:
        expected = f"{width} separated by {SEPARATOR_NAMES[separator]}"
    with open_text(path, encoding) as found:
        content = found.file.read()
    is_header = has_header
    for record in records_in(path, content, layout, 1):
        where = f"{path}, line {record.number}"
        if record.problem:
            raise DatasetError(f"{where}: {record.problem}; fix the line")
        if is_header:
            is_header = False
        elif len(record.fields) != width:
            raise DatasetError(
                f"{where}: {len(record.fields)} columns; expected {expected}; fix the line{hint}"
            )
        else:
            yield where, record.fields
