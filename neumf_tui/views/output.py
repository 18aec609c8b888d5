"""Text and JSON on stdout for people and programs; talk on stderr."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, Literal, TextIO

from neumf_tui.text import clean, number_text
from neumf_tui.views.paper_tables import PAPERS, Paper
from neumf_tui.views.sheet import CSV_SAFE, Sheet, json_text

_paper: ContextVar[Paper | None] = ContextVar("paper", default=None)


@contextmanager
def printing_as(form: str) -> Iterator[None]:
    """Print lines and tables of reports as one of PAPERS; for a terminal in any other form."""
    before = _paper.set(PAPERS.get(form))
    try:
        yield
    finally:
        _paper.reset(before)


def say(text: str) -> None:
    """Print a line for the person on stderr."""
    print(clean(text), file=sys.stderr, flush=True)


def columns_of(stream: TextIO) -> int | None:
    """Return the width of the terminal on which a stream is printed; None if it is none."""
    return os.get_terminal_size(stream.fileno()).columns or None if stream.isatty() else None


def filled(parts: Iterable[str], width: int | None, head: str = "", gap: str = " ") -> list[str]:
    """Return parts, such as words, in lines of at most `width` cells, each part whole.

    The lines are safe to print. The first one begins with `head`; the others are indented.
    """
    from rich.cells import cell_len

    first, *others = map(clean, parts)
    lines, indent = [head + first], " " * (len(head) or 2)
    for part in others:
        longer = f"{lines[-1]}{gap}{part}"
        if width is not None and cell_len(longer) > width:
            lines.append(indent + part)
        else:
            lines[-1] = longer
    return lines


def print_json(value: object) -> None:
    """Print JSON on stdout; what stdout cannot encode is escaped."""
    text = json_text(value)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json_text(value, ascii_only=True)
    print(text)


def print_line(text: str = "", *, flush: bool = False) -> None:
    """Print a line of a report on stdout."""
    text, paper = clean(text), _paper.get()
    print(paper.line(text) if paper else text, flush=flush)


def print_drawing(lines: Iterable[str]) -> None:
    """Print lines of which the columns stand below each other."""
    cleaned, paper = [clean(line) for line in lines], _paper.get()
    print(paper.drawing(cleaned) if paper else "\n".join(cleaned))


def print_csv(sheet: Sheet, form: str) -> None:
    """Print a sheet in the form `csv` or `csv-safe`."""
    print(sheet.text(for_spreadsheet=form == CSV_SAFE), end="")


def print_sheet(sheet: Sheet, form: str, print_text: Callable[[Sheet], None]) -> None:
    """Print a sheet as `json`, as `csv` or `csv-safe`, or with `print_text` as any other form."""
    if form == "json":
        print_json(sheet.object)
    elif form in ("csv", CSV_SAFE):
        print_csv(sheet, form)
    else:
        with printing_as(form):
            print_text(sheet)


_GAP = 2
"""Cells between two columns of a printed table."""


@dataclass(frozen=True)
class Column:
    """A column of a printed table: its header, and the text of its cell in a row."""

    header: str
    cell: Callable[[Any], str]
    is_number: bool = False  # numbers are aligned right
    is_optional: bool = False  # left out where all cells are empty


Value = str | Callable[[Any], Any]  # a key of the rows, or a function of a row


def column(header: str, value: Value, none: str = "–") -> Column:
    """Return a column of texts; `none` is shown for None."""
    return Column(header, _cell(value, str, none))


def number(
    header: str, value: Value, form: str | Callable[[Any], str] = ",", none: str = "–"
) -> Column:
    """Return a column of numbers that `form` formats; `none` is shown for None."""
    to_text = (lambda found: number_text(found, form)) if isinstance(form, str) else form
    return Column(header, _cell(value, to_text, none), is_number=True)


def _cell(value: Value, to_text: Callable[[Any], str], none: str) -> Callable[[Any], str]:
    get = itemgetter(value) if isinstance(value, str) else value

    def cell(row: Any) -> str:
        found = get(row)
        return none if found is None else to_text(found)

    return cell


def year_and_genres() -> tuple[Column, Column]:
    """Return the columns of years and of genres; each is left out where no row has one."""
    genres = column("genres", lambda row: "|".join(row["genres"]))
    year = number("year", "year", str, none="")
    return replace(year, is_optional=True), replace(genres, is_optional=True)


def print_rows(rows: Iterable[Any], *columns: Column, in_parts: bool = False) -> None:
    """Print a table with a line for each of `rows`; `in_parts` as for `print_table`."""
    listed = list(rows)
    texts = [[column.cell(row) for row in listed] for column in columns]
    shown = [
        (column, cells)
        for column, cells in zip(columns, texts, strict=True)
        if any(cells) or not column.is_optional
    ]
    print_table(
        [column.header for column, _ in shown],
        list(zip(*(cells for _, cells in shown), strict=True)),
        [column.header for column, _ in shown if column.is_number],
        in_parts=in_parts,
    )


def print_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Sequence[str] = (),
    *,
    in_parts: bool = False,
) -> None:
    """Print a table with the columns `numbers` aligned right; cells are never markup.

    A terminal that is too narrow shortens cells; or with `in_parts` it gets several tables, each
    with the first column and as many others as it has room for.
    """
    lines = [[clean(cell) for cell in line] for line in (header, *rows)]
    if paper := _paper.get():
        print(paper.table(lines[0], lines[1:], [name in numbers for name in header]))
        return
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 250, highlight=False)
    widths = [max(map(cell_len, cells)) for cells in zip(*lines, strict=True)]
    parts = _parts(widths, console.width) if in_parts else [range(len(header))]
    for number, part in enumerate(parts):
        table = Table(box=None, pad_edge=False, header_style="bold")
        for place in part:
            side: Literal["right", "left"] = "right" if header[place] in numbers else "left"
            title = Text(lines[0][place])
            table.add_column(title, justify=side, no_wrap=True, overflow="ellipsis")
        for line in lines[1:]:
            table.add_row(*(Text(line[place]) for place in part))
        if number:
            print_line()
        console.print(table)


def _parts(widths: Sequence[int], room: int) -> list[Sequence[int]]:
    """Return the columns of each table that fits into `room` cells; all have the first column."""
    parts, used = [[0]], widths[0]
    for place, width in enumerate(widths[1:], start=1):
        if used + _GAP + width > room and len(parts[-1]) > 1:
            parts.append([0])
            used = widths[0]
        parts[-1].append(place)
        used += _GAP + width
    return [*parts]


def print_metrics(result: Mapping[str, Any]) -> None:
    """Print the keys `metrics`, `validation` (may be None) and `popularity` side by side."""
    from neumf_tui.runs.events import METRIC_NAMES

    names = {"metrics": "held out", "validation": "validation", "popularity": "popularity"}
    shown = {name: result[key] for key, name in names.items() if result[key] is not None}
    columns = [number(name, figures.__getitem__, ".4f") for name, figures in shown.items()]
    print_rows(
        result["metrics"], column("metric", lambda key: METRIC_NAMES.get(key, key)), *columns
    )


def item_label(row: Mapping[str, Any], prefix: str = "") -> str:
    """Return title, year and id of an item, from the keys of a sheet that start with `prefix`."""
    title, year = row[f"{prefix}title"], row[f"{prefix}year"]
    return f"{title}{f' ({year})' if year else ''} [{row[f'{prefix}item_id']}]"
