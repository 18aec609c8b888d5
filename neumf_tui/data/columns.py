"""Which columns of a table hold user, item, rating and time: by `--columns`, or by known names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from neumf_tui.data.options import ReadOptions
from neumf_tui.errors import DatasetError, UsageError

_NAMES = {
    "user": ("userId", "user", "uid", "reviewerId", "customerId", "visitorId", "memberId",
             "userName"),
    "item": ("movieId", "item", "itemId", "iid", "asin", "parentAsin", "productId", "bookId",
             "trackId", "songId", "isbn"),
    "rating": ("rating", "stars", "score", "overall"),
    "time": ("timestamp", "time", "ts", "unixReviewTime", "unixtime", "datetime", "date"),
}  # fmt: skip
"""Known names of the columns, in MovieLens first."""
ROLES = tuple(_NAMES)
_MOVIELENS_NAMES = {role: names[0] for role, names in _NAMES.items()}
_HINT = "name the columns with --columns user=NAME,item=NAME,time=NAME[,rating=NAME]"
SEPARATOR_NAMES = {",": "commas", "\t": "tabs", "|": "'|'", "::": "'::'"}


@dataclass(frozen=True)
class Columns:
    """Names of columns, exactly as in the file; only `rating` is optional."""

    user: str
    item: str
    time: str
    rating: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Columns":
        """Parse the value of `--columns`; raise UsageError if it is wrong."""
        parts = re.split(rf",(?=(?:{'|'.join(ROLES)})=)", text)
        named = dict(part.split("=", 1) for part in parts if "=" in part)
        known = {"user", "item", "time"} <= named.keys() <= set(ROLES)
        if len(named) != len(parts) or not known or not all(named.values()):
            raise UsageError(
                f"--columns {text}: expected user=NAME,item=NAME,time=NAME and optionally "
                "rating=NAME, each once"
            )
        if len(set(named.values())) != len(named):
            raise UsageError(f"--columns {text}: a column is named twice; name different columns")
        return cls(**named)

    @classmethod
    def of(cls, options: ReadOptions) -> "Columns | None":
        """Return the columns that the options name; raise UsageError if their text is wrong."""
        return cls.parse(options.columns) if options.columns else None

    def __str__(self) -> str:
        return ",".join(f"{role}={name}" for role in ROLES if (name := getattr(self, role)))


def normalized(name: str) -> str:
    """Return a column name for comparison: `user_id:token`, `User ID` and `userId` are `userid`."""
    return re.sub(r"[\s_-]", "", name.partition(":")[0]).casefold()


def columns_named(header: Iterable[str], role: str) -> list[str]:
    """Return the columns of `header` whose name is a known one of `role`, one of ROLES."""
    known = {normalized(name) for name in _NAMES[role]}
    known |= {f"{normalized(name)}id" for name in _NAMES[role][:2]}
    return [name for name in header if normalized(name) in known]


def choose_columns(
    where: str, header: list[str], columns: Columns | None, separator: str = ","
) -> Columns:
    """Return `columns` if given, else the columns of `header` whose names are known.

    `where` (file and line) starts the message of the DatasetError that is raised if a column is
    missing or ambiguous.
    """
    if columns is not None:
        for role in ROLES:
            name = getattr(columns, role)
            if name is not None and header.count(name) != 1:
                raise _wrong_column(where, header, name, separator)
        return columns
    found: dict[str, str] = {}
    for role in ROLES:
        named = columns_named(header, role)
        if len(named) == 1:
            found[role] = named[0]
        elif len(set(named)) > 1:
            raise DatasetError(f"{where}: {' and '.join(named)} may both be the {role}; {_HINT}")
        elif named or role != "rating":
            name = named[0] if named else _MOVIELENS_NAMES[role]
            raise _wrong_column(where, header, name, separator)
    return Columns(**found)


def _wrong_column(where: str, header: list[str], name: str, separator: str) -> DatasetError:
    found = ", ".join(header)
    return DatasetError(
        f"{where}: {'more than one' if name in header else 'no'} column {name}; "
        f"expected {', '.join(_MOVIELENS_NAMES.values())} or similar names, separated by "
        f"{SEPARATOR_NAMES[separator]}; found {found if len(found) < 120 else found[:119] + '…'}; "
        f"fix the header, or {_HINT}"
    )
