"""Reader of the form MovieLens has had since 2015, and much else: `ratings.csv` and `movies.csv`, UTF-8, columns by name."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neumf_tui.data.dataset import Catalogue, Dataset, prepare, with_notice
from neumf_tui.data.movielens import split_year
from neumf_tui.data.split import Interactions
from neumf_tui.errors import DatasetError

RATINGS = ("userId", "movieId", "rating", "timestamp")
MOVIES = ("movieId", "title", "genres")
NO_GENRES = "(no genres listed)"
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_UNITS = ((10**17, 10**9, "nanoseconds"), (10**14, 10**6, "microseconds"), (10**11, 10**3, "milliseconds"))
"""From which timestamp on they cannot be seconds (10¹¹ s is the year 5138), parts in a second, and their name."""


@dataclass(frozen=True)
class _Ratings:
    """Who saw what when, in file order; ids are in no order yet."""

    user_ids: list[str]
    users: NDArray[np.int64]
    """Shape (ratings,): places in `user_ids`."""
    item_ids: list[str]
    items: NDArray[np.int64]
    times: NDArray[Any]
    """Shape (ratings,): int64 or float64, as the file has them."""


def read_movielens_csv(folder: Path, name: str) -> Dataset:
    """Read the folder's `ratings.csv` and `movies.csv`; the dataset is called `name`.

    Columns stand in any order, those of other names are left aside. Ids are the strings of the file; indices go by them,
    as numbers where all are whole numbers. Films nobody rated are no candidates and left out.
    Raises DatasetError naming file and line for anything else than is expected.
    """
    path, films = folder / "ratings.csv", folder / "movies.csv"
    content = _read_bytes(path)
    ratings = _read_regular(content) or _read_by_line(path, content)
    catalogue = _read_movies(films)
    user_ids, users = _in_order(ratings.user_ids, ratings.users)
    item_ids, items = _in_order(ratings.item_ids, ratings.items)
    rows = {item_id: row for row, item_id in enumerate(catalogue.item_ids)}
    if missing := set(item_ids) - rows.keys():
        for where, (_, item_id, _, _) in _records(path, content, RATINGS):
            if item_id in missing:
                raise DatasetError(f"{where}: movieId {item_id!r} is not in {films}; add it there, or remove the line")
    keep = [rows[item_id] for item_id in item_ids]
    times, order, unit = _in_seconds(ratings.times)
    dataset = prepare(
        name,
        str(folder),
        user_ids,
        Catalogue(
            item_ids,
            [catalogue.titles[k] for k in keep],
            [catalogue.years[k] for k in keep],
            [catalogue.genres[k] for k in keep],
        ),
        Interactions(users[order], items[order], times[order]),
    )
    return with_notice(dataset, f"timestamps are too large for seconds, and taken as {unit}") if unit else dataset


def _read_bytes(path: Path) -> bytes:
    """The file without its byte order mark; raises DatasetError unless it is UTF-8 with something in it."""
    try:
        content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read ({error.strerror}); expected a folder with ratings.csv and movies.csv; "
            "check --data-dir or NEUMF_TUI_DATA"
        ) from error
    if not content.strip():
        raise DatasetError(f"{path}: the file is empty; expected a header and lines below it; get the file again")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DatasetError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is no UTF-8; save the file in that encoding "
            "(iconv -f LATIN1 -t UTF-8, if Latin-1 is what it has)"
        ) from None
    return content


def _read_regular(content: bytes) -> _Ratings | None:
    """What pandas, thirty times as fast, makes of a file that plainly has a number where one belongs; None for any other."""
    header, *first = content.split(b"\n", 2)[:2]
    commas = header.count(b",")
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    # pandas pads short lines, and takes a first line that is too long for one with row labels.
    regular = content.count(b",") == commas * lines and first and first[0].count(b",") == commas
    named = [header.strip().split(b",").count(column.encode()) for column in RATINGS]
    if not regular or named != [1, 1, 1, 1] or b'"' in content or b"\0" in content:
        return None
    try:
        table = pd.read_csv(
            io.BytesIO(content),
            dtype={"userId": str, "movieId": str},
            na_filter=False,  # a user may be called NA
            low_memory=False,
        )
        stars, times = (table[column].to_numpy() for column in RATINGS[2:])
    except (ValueError, OverflowError):
        return None
    if len(table) != lines - 1 or stars.dtype.kind not in "if" or times.dtype.kind not in "if":
        return None
    (users, user_ids), (items, item_ids) = (pd.factorize(table[column]) for column in RATINGS[:2])
    ids = user_ids.tolist(), item_ids.tolist()
    if not np.isfinite(stars).all() or not ((times >= 0) & (times < 2**63)).all() or "" in ids[0] or "" in ids[1]:
        return None
    return _Ratings(ids[0], users.astype(np.int64), ids[1], items.astype(np.int64), times)


def _read_by_line(path: Path, content: bytes) -> _Ratings:
    """Any file, quoted or ragged: what is right in it, or DatasetError for the first line that is not."""
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    pairs: tuple[list[int], list[int]] = [], []
    times: list[float] = []
    for where, (user, item, rating, time) in _records(path, content, RATINGS):
        for column, field in (("userId", user), ("movieId", item)):
            if not field:
                raise DatasetError(f"{where}: {column} is empty; mend the line")
        for column, field in (("rating", rating), ("timestamp", time)):
            if not _NUMBER.fullmatch(field) or not np.isfinite(float(field)):
                raise DatasetError(f"{where}: {column} {field!r} is no number; mend the line")
        when = int(time) if _INTEGER.fullmatch(time) else float(time)
        if not 0 <= when < 2**63:
            raise DatasetError(f"{where}: timestamp {time} is out of range; expected seconds since 1970; mend the line")
        pairs[0].append(users.setdefault(user, len(users)))
        pairs[1].append(items.setdefault(item, len(items)))
        times.append(when)
    if not times:
        raise DatasetError(f"{path}: no line below the header; expected ratings; get the file again")
    return _Ratings(list(users), np.array(pairs[0]), list(items), np.array(pairs[1]), np.array(times))


def _read_movies(path: Path) -> Catalogue:
    result = Catalogue([], [], [], [])
    seen: dict[str, str] = {}
    for where, (item_id, title, genres) in _records(path, _read_bytes(path), MOVIES):
        if not item_id or not title.strip():
            raise DatasetError(f"{where}: {'title' if item_id else 'movieId'} is empty; mend the line")
        if item_id in seen:
            raise DatasetError(f"{where}: movieId {item_id!r} stands already in {seen[item_id]}; remove one")
        seen[item_id] = where.rpartition(", ")[2]
        name, year = split_year(title)
        result.item_ids.append(item_id)
        result.titles.append(name)
        result.years.append(year)
        result.genres.append([genre.strip() for genre in genres.split("|") if genre.strip() not in ("", NO_GENRES)])
    return result


def _records(path: Path, content: bytes, columns: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """File and line of each record, and its fields in `columns`; empty lines are passed over. Raises DatasetError."""
    rows = csv.reader(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline=""), strict=True)
    where = f"{path}, line 1"
    try:
        header = next(rows)
        places = _places(where, header, columns)
        where = f"{path}, line {rows.line_num + 1}"
        for fields in rows:
            if fields and len(fields) != len(header):
                raise DatasetError(
                    f"{where}: {len(fields)} columns; expected the {len(header)} of the header; mend the line "
                    "(a field with a comma in it stands in quotes)"
                )
            if fields:
                yield where, [fields[place] for place in places]
            where = f"{path}, line {rows.line_num + 1}"  # a title may go on in the next line
    except csv.Error as error:
        raise DatasetError(
            f"{where}: cannot be read ({error}); expected fields separated by commas, quotes in a quoted field doubled; "
            "mend the line"
        ) from error


def _places(where: str, header: list[str], columns: tuple[str, ...]) -> list[int]:
    """Where in `header` the columns stand."""
    for column in columns:
        if (count := header.count(column)) != 1:
            found = ", ".join(header)
            raise DatasetError(
                f"{where}: {'no' if not count else 'more than one'} column {column}; expected {', '.join(columns)}, separated by "
                f"commas; found {found if len(found) < 120 else found[:119] + '…'}; mend the header"
            )
    return [header.index(column) for column in columns]


def _in_order(ids: list[str], codes: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
    """The ids sorted, by number where all are whole numbers, else by letters; and `codes` as places in them."""
    numbers = all(len(one) < 19 and one.isascii() and one.isdigit() for one in ids)
    order = sorted(range(len(ids)), key=lambda k: (int(ids[k]) if numbers else 0, ids[k]))
    place = np.empty(len(ids), dtype=np.int64)
    place[order] = np.arange(len(ids))
    return [ids[k] for k in order], place[codes]


def _in_seconds(times: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64], str]:
    """Whole unix seconds, the order to take the rows in, and the unit's name where it is not the second.

    Of equal seconds the first in the order counts as the latest (`split.RULE`), so that a file that tells time more finely
    has to be taken latest first.
    """
    parts, unit = next(((parts, name) for least, parts, name in _UNITS if times.max() >= least), (1, ""))
    whole = times // parts
    order = np.arange(len(times)) if (whole * parts == times).all() else np.argsort(-times, kind="stable")
    return whole.astype(np.int64), order, unit
