"""Which columns of a table hold user, item, rating and time: by `--columns`, or by known names."""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from neumf_tui.data.options import ReadOptions
from neumf_tui.errors import DatasetError, UsageError

_ENDINGS = ("", "id", "key", "no", "nr", "num", "number", "code", "uuid", "hash")
_NOUNS = {
    "user": (
        "user", "customer", "client", "member", "visitor", "reviewer", "person", "account", "buyer",
        "shopper", "subscriber", "listener", "viewer", "player", "patron", "borrower", "student",
        "learner", "guest", "profile", "consumer", "session user",
    ),
    "item": (
        "movie", "film", "item", "product", "book", "track", "song", "artist", "album", "sku",
        "game", "video", "anime", "recipe", "restaurant",
    ),
}  # fmt: skip
"""Nouns that name a column alone or with one of `_ENDINGS`."""
_NAMES = {
    "user": ("uid", "user name", "viewer name", "reader id", "author id", "steam id"),
    "item": (
        "iid", "asin", "parent asin", "isbn", "isbn13", "isbn10", "article id", "news id", "app id",
        "content id", "place id", "venue id", "location id", "poi id", "business id",
        "show id", "series id", "episode id", "podcast id", "course id", "hotel id", "listing id",
        "beer id", "joke id", "post id", "ad id", "page id", "lesson id", "problem id",
        "question id", "job id", "event id", "photo id", "stock code", "article code",
        "article number", "material number", "ean", "gtin", "upc",
    ),
    "rating": (
        "rating", "stars", "score", "overall", "rate", "book rating", "movie rating",
        "user rating", "star rating", "item rating", "product rating", "review rating",
        "review score", "review overall", "rating value", "rating score",
    ),
    "time": (
        "timestamp", "time", "ts", "datetime", "date", "date time", "when", "epoch", "epoch time",
        "unix time", "unix timestamp", "unix review time", "event timestamp", "event time",
        "event date", "event datetime", "event ts", "utc time", "utc timestamp", "local time",
        "played at", "created at", "viewed at", "watched at", "listened at", "clicked at",
        "rated at", "reviewed at", "purchased at", "ordered at", "bought at", "visited at",
        "added at", "read at", "liked at", "occurred at", "logged at", "inserted at",
        "created", "created on", "created date", "created time", "creation date", "creation time",
        "purchase date", "purchase time", "purchase timestamp", "date of purchase",
        "invoice date", "invoice time", "order date", "order time", "order timestamp",
        "order purchase timestamp", "transaction date", "transaction time",
        "transaction timestamp", "t dat", "sale date", "sales date", "review date", "rating date",
        "rating time", "rating timestamp", "review timestamp", "interaction time",
        "interaction date", "interaction timestamp", "checkin time", "check in time",
        "checkin date", "click time", "click timestamp", "view time", "visit time", "visit date",
        "watch date", "watched date", "watch time stamp", "listen time", "log time", "date added",
        "date created", "date watched", "date read", "date rated", "end time", "played time",
    ),
}  # fmt: skip
"""Further known names, as words."""
_AMAZON_2023 = {"rating", "title", "asin", "parent_asin", "user_id", "timestamp"}
"""Columns of the reviews of Amazon Reviews 2023, which tells products apart by `parent_asin`."""
ROLES = ("user", "item", "rating", "time")
_EXPECTED = {
    "user": "user_id, customer or userId",
    "item": "item_id, product or movieId",
    "rating": "rating or stars",
    "time": "timestamp or date",
}
SEPARATOR_NAMES = {
    ",": "commas", ";": "semicolons", "\t": "tabs", "|": "'|'", "::": "'::'", " ": "blanks"
}  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """Names of columns, exactly as in the file, or their numbers from 1."""

    user: str
    item: str
    time: str | None = None
    rating: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Columns":
        """Parse the value of `--columns`; raise UsageError if it is wrong."""
        parts = re.split(rf",(?=(?:{'|'.join(ROLES)})=)", text)
        named = dict(part.split("=", 1) for part in parts if "=" in part)
        known = {"user", "item"} <= named.keys() <= set(ROLES)
        if len(named) != len(parts) or not known or not all(named.values()):
            raise UsageError(
                f"--columns {text}: expected user=NAME,item=NAME and optionally time=NAME and "
                "rating=NAME, each once; a name may be the number of the column, from 1"
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

    @property
    def by_role(self) -> dict[str, str]:
        """The column of each role that has one."""
        return {role: name for role in ROLES if (name := getattr(self, role))}

    @property
    def flag(self) -> str:
        """The words of a command line that name these columns."""
        return f"--columns {shlex.quote(str(self))}"


_AMAZON_2023_COLUMNS = Columns("user_id", "parent_asin", "timestamp", "rating")


def normalized(name: str) -> str:
    """Return a column name for comparison: `user_id:token`, `User ID` and `userId` are `userid`."""
    return re.sub(r"[\s_.#%-]", "", name.partition(":")[0]).casefold()


def _known_names() -> dict[str, frozenset[str]]:
    nouns = {
        role: [noun + ending for noun in words for ending in _ENDINGS]
        for role, words in _NOUNS.items()
    }
    return {
        role: frozenset(normalized(name) for name in [*nouns.get(role, ()), *_NAMES[role]])
        for role in ROLES
    }


_KNOWN = _known_names()


def columns_named(header: Iterable[str], role: str) -> list[str]:
    """Return the columns of `header` whose name is a known one of `role`, one of ROLES."""
    return [name for name in header if normalized(name) in _KNOWN[role]]


def looks_known(header: Iterable[str]) -> bool:
    """Return whether a line names a column of users and one of items."""
    names = list(header)
    return bool(columns_named(names, "user") and columns_named(names, "item"))


def choose_columns(
    where: str,
    header: Sequence[str],
    columns: Columns | None,
    separator: str = ",",
    guess: Columns | None = None,
) -> Columns:
    """Return `columns` as names of `header` if given, else those whose names are known.

    `where` (file and line) starts the message of the DatasetError that is raised if a column is
    missing or ambiguous; `guess`: columns that the message may propose.
    """
    if columns is None and set(header) >= _AMAZON_2023:
        columns = _AMAZON_2023_COLUMNS
    if columns is not None:
        return Columns(**{
            role: _named(where, header, name, separator, guess)
            for role, name in columns.by_role.items()
        })  # fmt: skip
    found: dict[str, str] = {}
    for role in ROLES:
        named = columns_named(header, role)
        if len(set(named)) > 1:
            raise _ambiguous(where, header, role, named)
        if len(named) > 1:
            raise _wrong_column(where, header, f"more than one column {named[0]}", separator, guess)
        if named:
            found[role] = named[0]
        elif role in ("user", "item"):
            wanted = f"no column is known as the {role}"
            raise _wrong_column(where, header, wanted, separator, guess)
    return Columns(**found)


def _named(
    where: str, header: Sequence[str], name: str, separator: str, guess: Columns | None
) -> str:
    """Return the column of this name or, if no column has it, of this number."""
    count = list(header).count(name)
    if count == 1:
        return name
    if not count and name.isdecimal() and 0 < int(name) <= len(header):
        found = header[int(name) - 1]
        if list(header).count(found) == 1:
            return found
        name, count = found, 2
    problem = f"{'more than one' if count else 'no'} column {name}"
    raise _wrong_column(where, header, problem, separator, guess)


def _ambiguous(where: str, header: Sequence[str], role: str, named: Sequence[str]) -> DatasetError:
    """Return the error that shows a command line for each of the columns."""
    others = {
        other: columns_named(header, other)[0]
        for other in ROLES
        if other != role and columns_named(header, other)
    }
    ways = [
        Columns(**({"user": "NAME", "item": "NAME"} | others | {role: name})).flag for name in named
    ]
    return DatasetError(
        f"{where}: {' and '.join(named)} may both be the {role}; expected one; choose with "
        + ", or ".join(ways)
    )


def _wrong_column(
    where: str, header: Sequence[str], problem: str, separator: str, guess: Columns | None
) -> DatasetError:
    expected = ", ".join(_EXPECTED.values())
    flag = guess.flag if guess else "--columns user=NAME,item=NAME[,time=NAME][,rating=NAME]"
    split = f", separated by {SEPARATOR_NAMES[separator]}" if separator else ""
    return DatasetError(
        f"{where}: {problem}; expected names such as {expected}{split}; found {numbered(header)}; "
        f"name the columns: {flag}"
    )


def numbered(fields: Sequence[str]) -> str:
    """Return fields with their numbers, for a message: `1 'A12', 2 'B7'`."""
    shown = ", ".join(
        f"{number} {field if len(field) < 26 else f'{field[:24]}…'!r}"
        for number, field in enumerate(fields[:12], start=1)
    )
    return f"{shown}, …" if len(fields) > 12 else shown


def where_to_read(path: Path, columns: Columns) -> str:
    """Return the flags of a command line that read this file with these columns."""
    return f"--data-dir {shlex.quote(str(path))} {columns.flag}"
