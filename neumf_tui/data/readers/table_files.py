"""The files of a table: which of a folder's are parts of one, and what they hold."""

import re
from itertools import groupby
from pathlib import Path

from neumf_tui.data.columns import Columns, choose_columns
from neumf_tui.data.options import ReadOptions
from neumf_tui.data.readers.text_open import entries, is_file, open_bytes, plain_name
from neumf_tui.data.readers.text_sniff import layout_of
from neumf_tui.errors import DatasetError

SUFFIXES = (
    ".csv", ".tsv", ".tab", ".psv", ".txt", ".dat", ".data", ".jsonl", ".ndjson", ".json",
    ".parquet", ".pq",
)  # fmt: skip
"""Endings of the files in a folder that may hold interactions; any file can be named."""
_PARQUET = b"PAR1"


def is_parquet(file: Path) -> bool:
    """Return whether a file starts like Parquet."""
    try:
        with open_bytes(file) as found:
            return found.file.read(len(_PARQUET)) == _PARQUET
    except DatasetError:
        return False


def is_table(file: Path, reading: ReadOptions) -> bool:
    """Return whether the file has columns of users and items, as far as its start shows."""
    try:
        if is_parquet(file):
            from neumf_tui.data.readers import parquet  # imports pyarrow, which takes 0.1 s

            choose_columns("", parquet.read_header(file), Columns.of(reading))
        else:
            layout_of(file, columns=Columns.of(reading))
    except DatasetError:
        return False
    return True


def parts_of(folder: Path) -> list[Path]:
    """Return the files in a folder that are parts of one table, in order; none if they are not.

    The names of parts differ in their numbers alone: `part-00000.parquet`, `part-00001.parquet`.
    """
    files = [file for file in entries(folder) if is_file(file) and has_suffix(file, SUFFIXES)]
    kinds = [key for key, _ in groupby(files, _name_without_numbers)]
    if len(kinds) != 1 or not re.search("#", kinds[0]) or len(files) < 2:
        return []
    return sorted(files, key=lambda file: [int(one) for one in re.findall(r"\d+", file.name)])


def has_suffix(file: Path, suffixes: tuple[str, ...]) -> bool:
    """Return whether a file, compressed or not, has one of these endings."""
    return Path(plain_name(file)).suffix.lower() in suffixes


def _name_without_numbers(file: Path) -> str:
    if part := re.match(r"part-(r-)?\d+", file.name):
        return re.sub(r"\d+", "#", part[0]) + "".join(file.suffixes)
    return re.sub(r"\d+", "#", file.name)
