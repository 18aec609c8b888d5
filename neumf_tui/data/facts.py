"""What was found out about a dataset while it was read and split."""

import msgspec

from neumf_tui.data.options import SplitName
from neumf_tui.data.split import Ties


class ReadFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a reader has understood of the files."""

    files: tuple[str, ...] = ()
    """Their names."""
    form: str = ""
    """How they are written: `text, separated by semicolons, quoted, UTF-8`."""
    columns: dict[str, str] = {}
    """The column of each role: user, item, time, rating, and those of the file of items."""
    header: tuple[str, ...] = ()
    first_rows: tuple[tuple[str, ...], ...] = ()
    """Fields of the first few rows, in the order of `header`."""
    rows: int = 0
    """Interactions read, with those that were left out afterwards."""
    bad: int = 0
    """Rows that could not be read and were left out."""
    bad_rows: tuple[str, ...] = ()
    """Why, of the first of them, each with file and line."""
    untitled: int = 0
    """Items that the file of items does not have."""
    ratings: tuple[float, float] | None = None
    """The lowest and the highest."""
    notices: tuple[str, ...] = ()
    """What else a person should know of the reading."""


class SplitFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rule by which interactions were split, and its outcome in numbers."""

    split: SplitName = "latest"
    ties: Ties = "file order"
    has_times: bool = True
    cut: int | None = None
    """Unix seconds; with `validation_cut` only for the split by time."""
    validation_cut: int | None = None
    duplicates: int = 0
    below_rating: int = 0
    """Interactions left out by --min-rating."""
    below_counts: int = 0
    """Interactions left out by --min-user-count and --min-item-count."""
    unused: int = 0
    """Interactions after the held-out ones, which nothing is learned from."""
    interactions: int = 0
    """Those that were split."""
    first_time: int | None = None
    """Unix seconds."""
    last_time: int | None = None
    tied: int = 0
    """Interactions that share user and time with another."""
    tied_last: int = 0
    """Users whose held-out interaction has the time of another that could have been held out."""
    heldout: int = 0
    """Users with a held-out item."""
    validated: int = 0
    """Users with a validation item."""
    cold_users: int = 0
    """Users with interactions after the cut alone, who are left out."""
    cold_items: int = 0
    """Users whose held-out item nobody had before."""
    rated: int = 0
    """Held-out interactions with a rating, where the ratings go from at least 0 to 5 at most."""
    rated_low: int = 0
    """Those with a rating of at most 2."""
    rating_counts: tuple[tuple[float, int], ...] = ()
    """How many of the interactions that were split have each rating, in tenths from 0 to 100."""

    @property
    def known(self) -> bool:
        """Whether there are any: version 0.1.0 has kept none in a prepared dataset."""
        return self.interactions > 0
