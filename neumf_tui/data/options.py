"""What a person can ask of a dataset: how its files are read, and how it is split."""

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from neumf_tui.errors import UsageError
from neumf_tui.settings import flag_of, problem_of

SplitName = Literal["latest", "time", "random", "given"]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**9)]


class ReadOptions(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How files are read; empty and 0 stand for what the reader finds out by itself."""

    columns: str = ""
    """The text of `--columns`."""
    time_format: str = ""
    """The text of `--time-format`, as strptime takes it."""
    items: str = ""
    """The absolute path of a file of items, as `--items` names it."""
    noun: str = ""
    """What an item is called, as `--noun` says."""
    max_bad: Count = 0
    """Rows that may be left out because they cannot be read."""


class SplitOptions(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Which interactions count, and which of them are held out."""

    split: SplitName | None = None
    """None: `given` if the files come split, `random` if they have no times, else `latest`."""
    cut: str = ""
    """A date, or the share of interactions before the cut; for the split by time."""
    min_rating: float | None = None
    """Interactions with a lower rating are left out."""
    min_user_count: Count = 0
    """Users with fewer interactions are left out, and `min_item_count` items, until none is."""
    min_item_count: Count = 0


class DataOptions(NamedTuple):
    """All options of a dataset."""

    reading: ReadOptions = ReadOptions()
    splitting: SplitOptions = SplitOptions()

    @property
    def flags(self) -> list[str]:
        """The words of a command line that ask for these options."""
        given = [pair for one in self for pair in msgspec.to_builtins(one).items()]
        return [word for name, value in given for word in (flag_of(name), str(value))]


def make_options(**values: Any) -> DataOptions:
    """Return the options with these names; None stands for one that is not given.

    Raises UsageError for the first that is unknown or has an invalid value.
    """
    given = {name: value for name, value in values.items() if value is not None}
    if "items" in given:
        given["items"] = str(Path(given["items"]).expanduser().absolute())
    if unknown := given.keys() - {*ReadOptions.__struct_fields__, *SplitOptions.__struct_fields__}:
        raise UsageError(f"{flag_of(min(unknown))}: there is no such option of a dataset")
    try:
        # Each takes its own fields and ignores the others.
        reading = msgspec.convert(given, ReadOptions)
        return DataOptions(reading, msgspec.convert(given, SplitOptions))
    except msgspec.ValidationError as error:
        problem, name = problem_of(error)
        text = f"{flag_of(name)} {given.get(name)}: {problem}; give another value"
        raise UsageError(text) from error
