"""Reader of MovieLens 100K's original files: `u.data` (tabs) and `u.item` (pipes, Latin-1)."""

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd

from neumf_tui.data.dataset import Catalogue, Dataset, prepare
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
    raw_users, users = np.unique(ratings["user id"].to_numpy(), return_inverse=True)
    raw_items, items = np.unique(ratings["item id"].to_numpy(), return_inverse=True)
    rows = {item_id: row for row, item_id in enumerate(catalogue.item_ids)}
    missing = [str(i) for i in raw_items if str(i) not in rows]
    if missing:
        line = int(np.flatnonzero(ratings["item id"].to_numpy() == int(missing[0]))[0]) + 1
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
        Interactions(users.astype(np.int64), items.astype(np.int64), ratings["timestamp"].to_numpy(dtype=np.int64)),
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


def _read_ratings(path: Path) -> pd.DataFrame:
    content = _read_bytes(path)
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    # pandas takes 1e3 for a whole number and pads short lines: whatever is not plainly four numbers is looked at line by line.
    if content.count(b"\t") != 3 * lines or content.translate(None, b"0123456789.\t\r\n"):
        _complain(path, content)
    try:
        return pd.read_csv(
            io.BytesIO(content),
            sep="\t",
            header=None,
            names=list(COLUMNS),
            dtype={"user id": "int64", "item id": "int64", "rating": "float64", "timestamp": "int64"},
        )
    except (ValueError, OverflowError) as error:
        _complain(path, content)
        raise DatasetError(f"{path}: cannot be read ({error}); {_GET_AGAIN}") from error


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
                    raise DatasetError(f"{where}: rating {shown!r} is no number; mend the line") from None
            elif not _INTEGER.fullmatch(field) or abs(int(field)) >= 2**63:
                raise DatasetError(f"{where}: {column} {shown!r} is no whole number; mend the line")
            elif int(field) < 0:
                raise DatasetError(f"{where}: {column} {shown} is negative; expected 0 or more; mend the line")


def _read_items(path: Path) -> Catalogue:
    result = Catalogue([], [], [], [])
    seen: dict[str, int] = {}
    for number, line in enumerate(_read_bytes(path).decode("latin-1").split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        fields = line.rstrip("\r").split("|")
        if len(fields) != 5 + len(GENRES):
            raise DatasetError(f"{where}: {len(fields)} columns; expected {5 + len(GENRES)} separated by '|'; {_GET_AGAIN}")
        item_id, title, released = fields[0], fields[1], fields[2]
        if not (item_id.isascii() and item_id.isdigit()):
            raise DatasetError(f"{where}: item id {item_id!r} is no whole number ≥ 0; mend the line")
        item_id = str(int(item_id))
        if item_id in seen:
            raise DatasetError(f"{where}: item id {item_id} stands already in line {seen[item_id]}; remove one")
        seen[item_id] = number
        name, year = split_year(title)
        if year is None and released[-4:].isdigit():
            year = int(released[-4:])
        result.item_ids.append(item_id)
        result.titles.append(name)
        result.years.append(year)
        result.genres.append([g for g, flag in zip(GENRES, fields[5:], strict=True) if flag == "1"])
    return result


def split_year(title: str) -> tuple[str, int | None]:
    """`Kolya (1996)` as (`Kolya`, 1996), of a series its first year; a title without a year keeps all its text."""
    match = re.fullmatch(r"(.*\S)\s*\((\d{4})(?:[-–](?:\d{4})?)?\)\s*", title, flags=re.DOTALL)
    return (match[1], int(match[2])) if match else (title, None)
