"""Which columns of a table say who saw what when: named by a person, or recognised; and how the lines of a file are laid out."""

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from neumf_tui.errors import DatasetError, UsageError

ROLES = ("user", "item", "rating", "time")
_NAMES = {
    "user": ("userId", "user", "uid", "reviewerId", "customerId", "visitorId", "memberId", "userName"),
    "item": (
        "movieId", "item", "itemId", "iid", "asin", "parentAsin", "productId", "bookId", "trackId", "songId", "isbn",
    ),
    "rating": ("rating", "stars", "score", "overall"),
    "time": ("timestamp", "time", "ts", "unixReviewTime", "unixtime", "datetime", "date"),
}  # fmt: skip
USUAL = {"user": "userId", "item": "movieId", "rating": "rating", "time": "timestamp"}
"""The name of each that GroupLens uses."""
REMEDY = "--columns user=NAME,item=NAME,time=NAME[,rating=NAME] says which columns are meant"
SPOKEN = {",": "commas", "\t": "tabs", "::": "'::'"}


@dataclass(frozen=True)
class Columns:
    """Names of columns, as they stand in the file; `rating` may be missing, the others are needed."""

    user: str
    item: str
    time: str
    rating: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Columns":
        """What `--columns` gives; raises UsageError."""
        parts = re.split(rf",(?=(?:{'|'.join(ROLES)})=)", text)
        named = dict(part.split("=", 1) for part in parts if "=" in part)
        if (
            len(named) != len(parts)
            or not {"user", "item", "time"} <= named.keys() <= set(ROLES)
            or not all(named.values())
        ):
            raise UsageError(
                f"--columns {text}: expected user=NAME,item=NAME,time=NAME and perhaps rating=NAME, each once"
            )
        if len(set(named.values())) != len(named):
            raise UsageError(f"--columns {text}: a column is named twice; expected different ones")
        return cls(**named)

    def __str__(self) -> str:
        return ",".join(
            f"{role}={name}" for role in ROLES if (name := getattr(self, role)) is not None
        )


@dataclass(frozen=True)
class Layout:
    """How the lines of a text file of interactions are laid out. Columns are counted from 0."""

    separator: str
    header: tuple[str, ...]
    """Names of all columns."""
    user: int
    item: int
    time: int
    rating: int | None
    has_header: bool = True
    """Whether the names stand in the file's first line."""
    quoted: bool = True
    """Whether a field may stand in quotes, as in CSV."""

    @property
    def places(self) -> tuple[int, ...]:
        """Columns of user, item, time, and of the rating if there is one."""
        return (self.user, self.item, self.time) + (() if self.rating is None else (self.rating,))


def folded(name: str) -> str:
    """`user_id:token`, `User ID` and `userId` are all `userid`."""
    return re.sub(r"[\s_-]", "", name.partition(":")[0]).casefold()


def choose(where: str, header: list[str], columns: Columns | None, separator: str = ",") -> Columns:
    """The columns that are meant: those of `columns`, or those whose names are known. Raises DatasetError."""
    if columns is not None:
        for role in ROLES:
            name = getattr(columns, role)
            if name is not None and header.count(name) != 1:
                raise _wrong(where, header, name, header.count(name), separator)
        return columns
    found: dict[str, str] = {}
    for role in ROLES:
        known = {folded(name) for name in _NAMES[role]} | {
            f"{folded(name)}id" for name in _NAMES[role][:2]
        }
        named = [name for name in header if folded(name) in known]
        if len(named) == 1:
            found[role] = named[0]
        elif len(set(named)) > 1:
            raise DatasetError(f"{where}: each of {', '.join(named)} may be the {role}; {REMEDY}")
        elif named or role != "rating":
            raise _wrong(where, header, named[0] if named else USUAL[role], len(named), separator)
    return Columns(**found)


def _wrong(where: str, header: list[str], name: str, count: int, separator: str) -> DatasetError:
    found = ", ".join(header)
    return DatasetError(
        f"{where}: {'more than one' if count else 'no'} column {name}; expected {', '.join(USUAL.values())} or names like them, "
        f"separated by {SPOKEN[separator]}; found {found if len(found) < 120 else found[:119] + '…'}; "
        f"mend the header, or {REMEDY}"
    )


def recognised(header: list[str]) -> bool:
    """Whether a table with these columns holds interactions."""
    try:
        choose("", header, None)
    except DatasetError:
        return False
    return True


def layout_of(
    path: Path, separator: str, columns: Columns | None, *, quoted: bool = True
) -> Layout:
    """The layout of a file whose first line names its columns. Raises DatasetError."""
    header = read_header(path, separator, quoted=quoted)
    chosen = choose(f"{path}, line 1", header, columns, separator)
    rating = None if chosen.rating is None else header.index(chosen.rating)
    user, item, time = (header.index(name) for name in (chosen.user, chosen.item, chosen.time))
    return Layout(separator, tuple(header), user, item, time, rating, quoted=quoted)


def read_header(path: Path, separator: str, *, quoted: bool = True) -> list[str]:
    """The fields of the first line. Raises DatasetError for a file that is empty or no text."""
    line = first_line(path)
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise not_utf8(path, 1, line[error.start]) from None
    if not quoted:
        return text.rstrip("\r\n").split(separator)
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise DatasetError(
            f"{path}, line 1: cannot be read ({error}); expected the names of the columns; mend the header"
        ) from error


def first_line(path: Path) -> bytes:
    """The first line without a byte order mark. Raises DatasetError for a file without anything in it, or that cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(1 << 16).removeprefix(codecs.BOM_UTF8)
            if not start.strip() and not file.read(1):
                raise DatasetError(
                    f"{path}: the file is empty; expected a header and lines below it; get the file again"
                )
    except OSError as error:
        raise unreadable(path, error) from error
    return start.split(b"\n", 1)[0] + b"\n"


def unreadable(path: Path, error: OSError) -> DatasetError:
    return DatasetError(
        f"{path}: cannot be read ({error.strerror}); expected it beside the other files of its dataset; "
        "check --data-dir or NEUMF_TUI_DATA"
    )


def not_utf8(path: Path, line: int, byte: int) -> DatasetError:
    return DatasetError(
        f"{path}, line {line}: byte 0x{byte:02x} is no UTF-8; save the file in that encoding "
        "(iconv -f LATIN1 -t UTF-8, if Latin-1 is what it has)"
    )
