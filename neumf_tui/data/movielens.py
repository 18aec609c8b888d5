"""Reader of MovieLens 100K's original files: `u.data` (tabs) and `u.item` (pipes, Latin-1)."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Catalogue, Dataset, prepare
from neumf_tui.data.items import split_year as split_year
from neumf_tui.data.split import Interactions
from neumf_tui.errors import DatasetError

COLUMNS = ("user id", "item id", "rating", "timestamp")
GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
_GET_AGAIN = "get the original file again from grouplens.org/datasets/movielens/100k"
_INTEGER = re.compile(rb"\s*-?\d+\s*")


def read_ml100k(folder: Path) -> Dataset:
    """Read the folder's `u.data` and `u.item`.

    Raises DatasetError naming file and line for anything that is not as the dataset's README says.
    """
    ratings = _read_ratings(folder / "u.data")
    catalogue = _read_items(folder / "u.item")
    # Only items somebody saw are candidates: an item without any interaction cannot be learned.
    raw_users, users = np.unique(ratings["user id"], return_inverse=True)
    raw_items, items = np.unique(ratings["item id"], return_inverse=True)
    rows = {item_id: row for row, item_id in enumerate(catalogue.item_ids)}
    missing = [str(i) for i in raw_items if str(i) not in rows]
    if missing:
        line = int(np.flatnonzero(ratings["item id"] == int(missing[0]))[0]) + 1
        raise DatasetError(
            f"{folder / 'u.data'}, line {line}: item id {missing[0]} is not in {folder / 'u.item'}; "
            f"expected every item there; {_GET_AGAIN}"
        )
    keep = [rows[str(i)] for i in raw_items]
    return prepare(
        "ml-100k",
        str(folder),
        [str(u) for u in raw_users],
        Catalogue(
            [catalogue.item_ids[k] for k in keep],
            [catalogue.titles[k] for k in keep],
            [catalogue.years[k] for k in keep],
            [catalogue.genres[k] for k in keep],
        ),
        Interactions(users.astype(np.int64), items.astype(np.int64), ratings["timestamp"]),
    )


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read ({error.strerror}); expected the folder of MovieLens 100K's original "
            "files (u.data, u.item); check --data-dir or NEUMF_TUI_DATA"
        ) from error
    if not content.strip():
        raise DatasetError(f"{path}: the file is empty; expected MovieLens 100K; {_GET_AGAIN}")
    return content


def _read_ratings(path: Path) -> dict[str, NDArray[Any]]:
    """Each of COLUMNS, shape (ratings,)."""
    import pyarrow as pa
    from pyarrow import csv

    content = _read_bytes(path)
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    # Arrow takes 0x1f for a whole number: whatever is not plainly four numbers is looked at line by line.
    if content.count(b"\t") != 3 * lines or content.translate(None, b"0123456789.\t\r\n"):
        _complain(path, content)
    kinds = (pa.int64(), pa.int64(), pa.float64(), pa.int64())
    try:
        table = csv.read_csv(
            pa.py_buffer(content),
            read_options=csv.ReadOptions(column_names=list(COLUMNS), block_size=len(content) + 1),
            parse_options=csv.ParseOptions(
                delimiter="\t", quote_char=False, ignore_empty_lines=False
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict(zip(COLUMNS, kinds, strict=True)), null_values=[]
            ),
        )
    except pa.ArrowInvalid as error:
        _complain(path, content)
        raise DatasetError(f"{path}: cannot be read ({error}); {_GET_AGAIN}") from error
    return {name: table[name].to_numpy() for name in COLUMNS}


def _complain(path: Path, content: bytes) -> None:
    """Raise for the first line that is not four numbers, if there is one."""
    for number, line in enumerate(content.splitlines(), start=1):
        fields = line.split(b"\t")
        where = f"{path}, line {number}"
        if len(fields) != 4:
            raise DatasetError(
                f"{where}: {len(fields)} columns; expected 4 separated by tabs "
                f"({', '.join(COLUMNS)}); mend the line, or {_GET_AGAIN}"
            )
        for column, field in zip(COLUMNS, fields, strict=True):
            shown = field.decode("latin-1")
            if column == "rating":
                try:
                    float(field)
                except ValueError:
                    raise DatasetError(
                        f"{where}: rating {shown!r} is no number; mend the line"
                    ) from None
            elif not _INTEGER.fullmatch(field) or abs(int(field)) >= 2**63:
                raise DatasetError(f"{where}: {column} {shown!r} is no whole number; mend the line")
            elif int(field) < 0:
                raise DatasetError(
                    f"{where}: {column} {shown} is negative; expected 0 or more; mend the line"
                )


def _read_items(path: Path) -> Catalogue:
    result = Catalogue([], [], [], [])
    seen: dict[str, int] = {}
    for number, line in enumerate(_read_bytes(path).decode("latin-1").split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        fields = line.rstrip("\r").split("|")
        if len(fields) != 5 + len(GENRES):
            raise DatasetError(
                f"{where}: {len(fields)} columns; expected {5 + len(GENRES)} separated by '|'; {_GET_AGAIN}"
            )
        item_id, title, released = fields[0], fields[1], fields[2]
        if not (item_id.isascii() and item_id.isdigit()):
            raise DatasetError(
                f"{where}: item id {item_id!r} is no whole number ≥ 0; mend the line"
            )
        item_id = str(int(item_id))
        if item_id in seen:
            raise DatasetError(
                f"{where}: item id {item_id} stands already in line {seen[item_id]}; remove one"
            )
        seen[item_id] = number
        name, year = split_year(title)
        if year is None and released[-4:].isdigit():
            year = int(released[-4:])
        result.item_ids.append(item_id)
        result.titles.append(name)
        result.years.append(year)
        result.genres.append([g for g, flag in zip(GENRES, fields[5:], strict=True) if flag == "1"])
    return result
