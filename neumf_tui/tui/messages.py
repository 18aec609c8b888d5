"""Messages that workers post to screens."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from neumf_tui.runs.events import Status
from neumf_tui.runs.snapshot import Snapshot

if TYPE_CHECKING:
    from neumf_tui.baselines.kept import KeptBaseline
    from neumf_tui.explore.race import Race
    from neumf_tui.explore.users import Users
    from neumf_tui.host import HostReading
    from neumf_tui.runs.run_list import RunRow


@dataclass
class RunRead(Message):
    """The newest state of a run; only the latest one waiting counts."""

    snapshot: Snapshot
    status: Status

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunRead)


@dataclass
class BaselinesRead(Message):
    """Results of baselines were kept or replaced, or were there from the beginning."""

    kept: "list[KeptBaseline]"


@dataclass
class RaceRead(Message):
    """The race after the newest evaluation, or why it cannot be told."""

    race: "Race"
    problem: str = ""


@dataclass
class HostRead(Message):
    """What the host is doing."""

    reading: "HostReading"


@dataclass
class RunsRead(Message):
    """How all runs stand; only the latest one waiting counts."""

    runs: "list[RunRow]"

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunsRead)


@dataclass
class Done(Message):
    """What was asked of a run was done; `text` is for the person."""

    text: str


@dataclass
class ReadFailed(Message):
    """A worker could not read what it should; `text` is for the person."""

    text: str


@dataclass
class UsersLoaded(Message):
    """The list of users is there; the model is still being loaded."""

    users: "Users"
