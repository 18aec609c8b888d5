"""MovieLens 100K: `u.data` (tabs) and `u.item` (pipes, Latin-1)."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.columns import Columns
from neumf_tui.data.dataset import Dataset, prepare
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.readers.item_names import CatalogueBuilder, split_year
from neumf_tui.data.split import Interactions
from neumf_tui.errors import DatasetError

FIELDS = ("user id", "item id", "rating", "timestamp")
GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
_GET_AGAIN = "get the original file again from grouplens.org/datasets/movielens/100k"
_INTEGER = re.compile(rb"\s*-?\d+\s*")


def read(
    folder: Path,
    name: str = "ml-100k",
    columns: Columns | None = None,  # not used: the files have no header
    report: Report = silent,
) -> Dataset:
    """Read `u.data` and `u.item`; raise DatasetError where they differ from the dataset's README.

    Items without any interaction cannot be learned, so they are left out.
    """
    ratings = _read_ratings(folder / "u.data")
    catalogue = _read_items(folder / "u.item")
    raw_users, users = np.unique(ratings["user id"], return_inverse=True)
    raw_items, items = np.unique(ratings["item id"], return_inverse=True)
    rows = {item_id: row for row, item_id in enumerate(catalogue.item_ids)}
    missing = [item_id for item_id in raw_items.tolist() if str(item_id) not in rows]
    if missing:
        line = int(np.flatnonzero(ratings["item id"] == missing[0])[0]) + 1
        raise DatasetError(
            f"{folder / 'u.data'}, line {line}: item id {missing[0]} is not in "
            f"{folder / 'u.item'}; expected every item there; {_GET_AGAIN}"
        )
    return prepare(
        name,
        str(folder),
        [str(user_id) for user_id in raw_users],
        catalogue.select(rows[str(item_id)] for item_id in raw_items),
        Interactions(users.astype(np.int64), items.astype(np.int64), ratings["timestamp"]),
        report=report,
    )


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read ({error.strerror}); expected the folder of MovieLens 100K's "
            "original files (u.data, u.item); check --data-dir or NEUMF_TUI_DATA"
        ) from error
    if not content.strip():
        raise DatasetError(f"{path}: the file is empty; expected MovieLens 100K; {_GET_AGAIN}")
    return content


def _read_ratings(path: Path) -> dict[str, NDArray[Any]]:
    """Return each of FIELDS, shape (ratings,)."""
    content = _read_bytes(path)
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    # Arrow reads 0x1f as a whole number, so any unusual character is checked line by line.
    if content.count(b"\t") != 3 * lines or content.translate(None, b"0123456789.\t\r\n"):
        _raise_first_fault(path, content)
    kinds = (pa.int64(), pa.int64(), pa.float64(), pa.int64())
    try:
        table = csv.read_csv(
            pa.py_buffer(content),
            read_options=csv.ReadOptions(column_names=list(FIELDS), block_size=len(content) + 1),
            parse_options=csv.ParseOptions(
                delimiter="\t", quote_char=False, ignore_empty_lines=False
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict(zip(FIELDS, kinds, strict=True)), null_values=[]
            ),
        )
    except pa.ArrowInvalid as error:
        _raise_first_fault(path, content)
        raise DatasetError(f"{path}: cannot be read ({error}); {_GET_AGAIN}") from error
    return {name: table[name].to_numpy() for name in FIELDS}


def _raise_first_fault(path: Path, content: bytes) -> None:
    """Raise DatasetError for the first line that is not four numbers, if there is one."""
    for number, line in enumerate(content.splitlines(), start=1):
        fields = line.split(b"\t")
        where = f"{path}, line {number}"
        if len(fields) != 4:
            raise DatasetError(
                f"{where}: {len(fields)} columns; expected 4 separated by tabs "
                f"({', '.join(FIELDS)}); fix the line, or {_GET_AGAIN}"
            )
        for name, field in zip(FIELDS, fields, strict=True):
            shown = field.decode("latin-1")
            if name == "rating":
                try:
                    float(field)
                except ValueError:
                    raise DatasetError(
                        f"{where}: rating {shown!r} is not a number; fix the line"
                    ) from None
            elif not _INTEGER.fullmatch(field) or abs(int(field)) >= 2**63:
                raise DatasetError(f"{where}: {name} {shown!r} is not a whole number; fix the line")
            elif int(field) < 0:
                raise DatasetError(
                    f"{where}: {name} {shown} is negative; expected 0 or more; fix the line"
                )


def _read_items(path: Path) -> Catalogue:
    builder = CatalogueBuilder()
    for number, line in enumerate(_read_bytes(path).decode("latin-1").split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        fields = line.rstrip("\r").split("|")
        if len(fields) != 5 + len(GENRES):
            raise DatasetError(
                f"{where}: {len(fields)} columns; expected {5 + len(GENRES)} separated by '|'; "
                f"{_GET_AGAIN}"
            )
        item_id, title, released = fields[:3]
        if not (item_id.isascii() and item_id.isdigit()):
            raise DatasetError(
                f"{where}: item id {item_id!r} is not a whole number ≥ 0; fix the line"
            )
        title, year = split_year(title)
        if year is None and released[-4:].isdigit():
            year = int(released[-4:])
        genres = [genre for genre, flag in zip(GENRES, fields[5:], strict=True) if flag == "1"]
        builder.add(where, "item id", str(int(item_id)), title, year, genres)
    return builder.catalogue
