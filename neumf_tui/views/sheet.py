"""Tables with whole, unrounded values: commands print them for programs, screens write files."""

import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from neumf_tui import files
from neumf_tui.data.nouns import ITEM, Noun
from neumf_tui.errors import UsageError
from neumf_tui.text import clean

T = TypeVar("T")
CSV_SAFE = "csv-safe"
"""The form of CSV in which no text is a formula."""
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that spreadsheets run as a formula."""
ENDINGS = (".csv", ".json", ".parquet")
Row = dict[str, Any]


@dataclass(frozen=True)
class Sheet:
    """Rows with the same keys in the same order, and facts that hold for all of them."""

    name: str  # used in file names, such as `user-196-ranking`
    about: dict[str, Any]
    """Run, dataset, user and the like: the keys of the JSON object beside the rows."""
    key: str  # the key of the rows in the JSON object
    rows: Sequence[Row]
    columns: tuple[str, ...]  # keys of each row; a table without rows has them, too
    stamp: tuple[str, ...] = ()
    """More keys of `about` that start each row of a table, after `dataset` and `simulated` where
    `about` has them."""
    noun: Noun = ITEM
    """What texts made of the sheet call an item."""

    @property
    def stem(self) -> str:
        """Run, epoch and name with only characters that a file name can have."""
        model = [str(self.about[key]) for key in ("run", "epoch") if key in self.about]
        whole = "-".join([*model, self.name])
        return "".join(c if c.isalnum() or c in "-_." else "_" for c in whole)[:150]

    @property
    def object(self) -> dict[str, Any]:
        """The sheet as one JSON object."""
        return self.about | {self.key: list(self.rows)}

    @property
    def header(self) -> tuple[str, ...]:
        return (*self._stamp, *self.columns)

    @property
    def _stamp(self) -> tuple[str, ...]:
        # A list of runs has no common dataset.
        return (*(key for key in ("dataset", "simulated") if key in self.about), *self.stamp)

    def flat(self) -> list[list[Any]]:
        """Return rows with the stamp before them."""
        stamp = [self.about[key] for key in self._stamp]
        return [[*stamp, *(row[key] for key in self.columns)] for row in self.rows]

    def text(
        self, separator: str = ",", limit: int | None = None, *, for_spreadsheet: bool = False
    ) -> str:
        """Return header and at most `limit` rows as CSV, safe for a terminal; `|` joins lists.

        `for_spreadsheet`: no text is a formula, as `not_a_formula` makes them.
        """
        out = io.StringIO()
        writer = csv.writer(out, delimiter=separator, lineterminator="\n")
        writer.writerow(self.header)
        for row in self.flat()[:limit]:
            cells = [_cell(value) for value in row]
            writer.writerow(map(not_a_formula, cells) if for_spreadsheet else cells)
        return out.getvalue()


def not_a_formula(value: T) -> T | str:
    """Return `value`, or a text with `'` before it where a spreadsheet would run it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def json_text(value: object, *, ascii_only: bool = False) -> str:
    """Return JSON in which all is escaped that a terminal does not print as it is."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=2, allow_nan=False)
    return "\n".join(map(_printable, text.split("\n")))


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple):
        value = "|".join(str(part) for part in value)
    return clean(value) if isinstance(value, str) else value


def check_target(path: Path, endings: Sequence[str] = ENDINGS, force: bool | None = None) -> str:
    """Return why `path` cannot be written; empty if it can.

    force: whether `--force` replaces a file that exists; None where there is no such flag.
    """
    if path.suffix not in endings:
        return f"{path.name}: expected a name that ends in {', '.join(endings)}"
    if path.exists() and not path.is_file():
        return f"{path}: expected the name of a file, found a folder or a device; give another name"
    if path.exists() and not force:
        return f"{path}: this file exists; give another name{', or --force' * (force is False)}"
    if not path.parent.is_dir():
        return f"{path.parent}: no such folder; make it, or name another"
    if not os.access(path.parent, os.W_OK):
        return f"{path.parent}: this folder cannot be written; name another"
    return ""


def write_new(path: Path, write: Callable[[BinaryIO], object], force: bool | None = None) -> None:
    """Let `write` fill a file, whole or not at all; `force` as in `check_target`.

    Raises UsageError, OSError.
    """
    if problem := check_target(path, (path.suffix,), force):
        raise UsageError(problem)
    files.replace(path.parent, path.name, write)


def write_sheet(sheet: Sheet, path: Path) -> None:
    """Write a new file in the format that its ending names; raises UsageError, OSError."""
    if problem := check_target(path):
        raise UsageError(problem)
    write_new(path, lambda file: _write(sheet, file, path.suffix))


def _write(sheet: Sheet, file: BinaryIO, ending: str) -> None:
    if ending == ".csv":
        file.write(sheet.text().encode())
    elif ending == ".json":
        file.write(f"{json_text(sheet.object)}\n".encode())
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = list(zip(*sheet.flat(), strict=True)) or [()] * len(sheet.header)
        table = pa.table([pa.array(values) for values in columns], sheet.header)
        about = {"neumf-tui": json.dumps(sheet.about, ensure_ascii=False, allow_nan=False)}
        pq.write_table(table.replace_schema_metadata(about), file)
