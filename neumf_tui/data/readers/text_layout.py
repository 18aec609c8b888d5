"""How the lines of a text file of interactions are laid out, and the errors common to its readers.

Imports no pyarrow, which takes 0.1 s: the header alone decides whether a file is a dataset.
"""

import codecs
import csv
import io
from dataclasses import dataclass
from pathlib import Path

from neumf_tui import files
from neumf_tui.data.columns import Columns, choose_columns
from neumf_tui.errors import DatasetError

LINE_LIMIT = 1 << 20
"""Characters that a line can have: a longer one is not text, and would fill the memory."""


@dataclass(frozen=True)
class Layout:
    """Separator, header and places of the columns, counted from 0."""

    separator: str
    header: tuple[str, ...]
    """Names of all columns."""
    user: int
    item: int
    time: int
    rating: int | None
    has_header: bool = True
    """Whether the file's first line is the header."""
    quoted: bool = True
    """Whether fields may be quoted, as in CSV."""

    @property
    def places(self) -> tuple[int, ...]:
        """Columns of user, item, time and, if there is one, the rating."""
        return (self.user, self.item, self.time) + (() if self.rating is None else (self.rating,))


def layout_of(path: Path, separator: str, columns: Columns | None, quoted: bool = True) -> Layout:
    """Return the layout of a file with a header; raise DatasetError if columns are missing."""
    header = read_header(path, separator, quoted=quoted)
    chosen = choose_columns(f"{path}, line 1", header, columns, separator)
    rating = None if chosen.rating is None else header.index(chosen.rating)
    user, item, time = (header.index(name) for name in (chosen.user, chosen.item, chosen.time))
    return Layout(separator, tuple(header), user, item, time, rating, quoted=quoted)


def read_header(path: Path, separator: str, *, quoted: bool = True) -> list[str]:
    """Return the fields of the first line; raise DatasetError if it is empty or not text."""
    line = first_line(path)
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise not_utf8(path, 1, line[error.start]) from None
    if not quoted:
        return text.split(separator)
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise DatasetError(
            f"{path}, line 1: cannot be read ({error}); expected the names of the columns; "
            "fix the header"
        ) from error


def first_line(path: Path) -> bytes:
    """Return the first line without byte order mark and line end.

    Raises DatasetError for an empty file and for a line that is longer than LINE_LIMIT.
    """
    try:
        with files.open_given(path) as file:
            start = file.read(LINE_LIMIT).removeprefix(codecs.BOM_UTF8)
            if not start.strip() and not file.read(1):
                raise DatasetError(
                    f"{path}: the file is empty; expected a header and lines below it; "
                    "get the file again"
                )
    except OSError as error:
        raise unreadable(path, error) from error
    line = start.replace(b"\r", b"\n").partition(b"\n")[0]
    if len(line) > LINE_LIMIT - len(codecs.BOM_UTF8) - 1:
        raise too_long(path, 1)
    return line


def unreadable(path: Path, error: OSError) -> DatasetError:
    return DatasetError(
        f"{path}: cannot be read ({error.strerror}); expected it beside the other files of its "
        "dataset; check --data-dir or NEUMF_TUI_DATA"
    )


def too_long(path: Path, line: int) -> DatasetError:
    return DatasetError(
        f"{path}, line {line}: longer than {LINE_LIMIT:,} characters; expected a text with one "
        "interaction or item in a line; check that this is the right file"
    )


def not_utf8(path: Path, line: int, byte: int) -> DatasetError:
    return DatasetError(
        f"{path}, line {line}: byte 0x{byte:02x} is not UTF-8; convert the file "
        "(from Latin-1: iconv -f LATIN1 -t UTF-8)"
    )
