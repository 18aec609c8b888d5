"""How the lines of a text of interactions are laid out: what a sample of them shows.

Imports no pyarrow, which takes 0.1 s: the header alone decides whether a file is a dataset.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from neumf_tui.data.columns import SEPARATOR_NAMES, Columns, looks_known
from neumf_tui.data.facts import ReadFacts
from neumf_tui.data.readers.json_objects import fields_of, names_in
from neumf_tui.data.readers.text_open import encoding_of, open_bytes, open_text
from neumf_tui.data.readers.times import TimeKind
from neumf_tui.errors import DatasetError

LINE_LIMIT = 1 << 20
"""Bytes that a line can have: a longer one is not text, and would fill the memory."""
JSON = ""
"""The separator of JSON Lines."""
_SAMPLE_BYTES = 1 << 16
_COMMENT = re.compile(r"[#%]+(?:\s|$)")
"""How lines start that stand above the table in the files of SNAP and KONECT."""
_ANY_SEPARATOR = re.compile(r"::|[\t;|,]| +")
_NO_TEXT = re.compile(rb"[\0-\x08\x0e-\x1f]")
SAMPLE_ROWS = 100
FIRST_ROWS = 5


@dataclass(frozen=True)
class Layout:
    """Separator, header and places of the columns, counted from 0."""

    separator: str
    """JSON for lines that are JSON objects."""
    header: tuple[str, ...]
    """Names of all columns."""
    user: int
    item: int
    time: int | None
    rating: int | None
    has_header: bool = True
    """Whether the first line that is not empty is the header."""
    quoted: bool = True
    """Whether fields may be quoted: as in CSV, but between tabs and blanks not over lines."""
    encoding: str = "UTF-8"
    time_kind: TimeKind = "number"
    time_example: str = ""
    """A line and its time, for messages: `line 2: '1000086400'`."""
    notices: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[int, ...]:
        """Columns of user and item, then of time and rating if there are such."""
        return tuple(
            place for place in (self.user, self.item, self.time, self.rating) if place is not None
        )

    @property
    def columns(self) -> Columns:
        """The names of the columns."""
        time, rating = (
            None if place is None else self.header[place] for place in (self.time, self.rating)
        )
        return Columns(self.header[self.user], self.header[self.item], time, rating)

    @property
    def quotes_span_lines(self) -> bool:
        """Whether a quoted field may contain line ends."""
        return self.quoted and self.separator in (",", ";", "|")


@dataclass(frozen=True)
class Sample:
    """The first lines of a text, and how it is packed and encoded."""

    path: Path
    packing: str
    encoding: str
    lines: list[str]
    """With their ends, from the header on."""
    comments: int = 0
    """Lines above them."""

    @property
    def first_line(self) -> int:
        """The number of the line that `lines` start with."""
        return self.comments + 1

    def records(self, separator: str, quoted: bool = True) -> list[tuple[int, list[str]]]:
        """Return line and fields of the first records that are not empty, with the header."""
        if separator == JSON:
            header = self.json_header()
            objects = (fields_of(line, header) for line in self.lines)
            return [(n, fields) for n, fields in enumerate(objects, self.first_line) if fields]
        layout = Layout(separator, (), 0, 0, None, None, quoted=quoted)
        records: list[tuple[int, list[str]]] = []
        try:
            for number, fields in split_records(self.lines, layout):
                if fields:
                    records.append((self.comments + number, fields))
                if len(records) > SAMPLE_ROWS:
                    break
        except csv.Error:
            pass  # the sample may end in a quoted field; the reader names a wrong line
        return records

    def json_header(self) -> list[str]:
        """Return the names in the JSON objects, in the order in which they occur first."""
        return list(dict.fromkeys(name for line in self.lines for name in names_in(line)))

    def facts(self, layout: Layout) -> ReadFacts:
        """Return what a person may want to know of the file."""
        records = [fields for _, fields in self.records(layout.separator, layout.quoted)]
        if layout.has_header and layout.separator != JSON:
            records = records[1:]
        quoted = layout.quoted and any('"' in line for line in self.lines)
        parts = ["JSON Lines"]
        if layout.separator != JSON:
            parts = [f"text separated by {SEPARATOR_NAMES[layout.separator]}"]
            parts += ["quoted"] * quoted + ["without header"] * (not layout.has_header)
        parts += [layout.encoding] + [self.packing] * bool(self.packing)
        notices = layout.notices
        if layout.encoding in ("Windows-1252", "Latin-1"):
            notices += (f"{self.path.name} is not UTF-8, and is read as {layout.encoding}",)
        if self.comments:
            lines = f"{self.comments} line{'s' * (self.comments > 1)}"
            notices += (f"{lines} of comments above the table of {self.path.name} are skipped",)
        return ReadFacts(
            files=(self.path.name,),
            form=", ".join(parts),
            columns=layout.columns.by_role,
            header=layout.header,
            first_rows=tuple(tuple(fields) for fields in records[:FIRST_ROWS]),
            notices=notices,
        )


def sample_of(path: Path) -> Sample:
    """Return the first lines of a text; raise DatasetError if it is empty or not text."""
    with open_bytes(path) as found:
        packing, start = found.packing, found.file.read(_SAMPLE_BYTES)
        if not start.strip(b"\xef\xbb\xbf \t\r\n") and not found.file.read(1):
            raise DatasetError(
                f"{path}: the file is empty; expected a header and lines below it; "
                "get the file again"
            )
    encoding = encoding_of(path, start)
    if (
        not encoding.startswith(("UTF-16", "UTF-32"))
        and len(_NO_TEXT.findall(start)) > 8 + len(start) // 20
    ):
        raise DatasetError(
            f"{path}: is not text; expected a table in UTF-8, JSON Lines or Parquet; save it as "
            "CSV or, if it is UTF-16 without its mark, convert it: iconv -f UTF-16LE -t UTF-8"
        )
    with open_text(path, encoding) as found:
        content = found.file.read(_SAMPLE_BYTES)
        is_whole = len(content) < _SAMPLE_BYTES
        if not is_whole:
            content += found.file.readline(LINE_LIMIT + 1)
    lines = [*io.StringIO(content.decode("utf-8", "replace"), newline="")]
    if long := next((n for n, line in enumerate(lines, 1) if len(line) > LINE_LIMIT), 0):
        raise too_long(path, long)
    if not is_whole and len(lines) > 1 and not lines[-1].endswith("\n"):
        lines.pop()  # only a part of it
    lines, comments = _below_comments(lines)
    if not lines:
        raise DatasetError(
            f"{path}: has only comments, lines that start with # or %; expected a table below "
            "them; get the file again"
        )
    return Sample(path, packing, encoding, lines, comments)


def _below_comments(lines: list[str]) -> tuple[list[str], int]:
    """Return the lines of the table, and how many comments stand above it.

    The last comment belongs to the table if it names the table's columns.
    """
    comments = sum(1 for _ in takewhile(_COMMENT.match, lines))
    table = lines[comments:]
    if comments and table:
        last = _COMMENT.sub("", lines[comments - 1], count=1).lstrip(" ")
        names, first = (_ANY_SEPARATOR.split(line.strip()) for line in (last, table[0]))
        if len(names) == len(first) and looks_known(names):
            return [last, *table], comments - 1
    return table, comments


def first_line(path: Path) -> bytes:
    """Return the first line in UTF-8, without its end; raise DatasetError if there is none."""
    return sample_of(path).lines[0].rstrip("\r\n").encode()


def read_header(path: Path, separator: str, *, quoted: bool = True) -> list[str]:
    """Return the fields of the first line; raise DatasetError if it is empty or not text."""
    return sample_of(path).records(separator, quoted)[0][1]


def split_records(lines: Iterable[str], layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of its first line and the fields of each record, also of empty lines.

    Raises csv.Error for a quoted field that is not closed or goes on after its end.
    """
    if layout.quotes_span_lines:
        rows = csv.reader(lines, delimiter=layout.separator, strict=True)
        number = 1
        for fields in rows:
            yield number, fields
            number = rows.line_num + 1
        return
    for number, line in enumerate(lines, start=1):
        yield number, split_line(line.rstrip("\r\n"), layout)


def split_line(text: str, layout: Layout) -> list[str]:
    """Return the fields of a line whose quoted fields end in it, as between tabs.

    A quote belongs to the field, unless quotes are around the whole field, or the line has the
    right number of fields only if it is read like CSV.
    """
    if layout.separator == " ":
        text = text.strip(" \t")
        return re.split("[ \t]+", text) if text else []
    if not text:
        return []
    fields = text.split(layout.separator)
    if not layout.quoted or '"' not in text:
        return fields
    if layout.header and len(fields) != len(layout.header) and len(layout.separator) == 1:
        try:
            found = next(csv.reader([text], delimiter=layout.separator, strict=True), [])
        except csv.Error:
            return fields
        return found if len(found) == len(layout.header) else fields
    return [_unquoted(field) for field in fields]


def _unquoted(field: str) -> str:
    inner = field[1:-1]
    if len(field) < 2 or not field[0] == field[-1] == '"' or inner.replace('""', "").count('"'):
        return field
    return inner.replace('""', '"')


def too_long(path: Path, line: int) -> DatasetError:
    return DatasetError(
        f"{path}, line {line}: longer than {LINE_LIMIT:,} characters; expected a text with one "
        "interaction or item in a line; check that this is the right file"
    )
