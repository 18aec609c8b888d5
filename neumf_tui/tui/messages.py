"""Messages that workers post to screens."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from neumf_tui.runs.events import Status
from neumf_tui.runs.reader import Snapshot

if TYPE_CHECKING:
    from neumf_tui.ranking.load import Ranker, UserRanking
    from neumf_tui.ranking.users import Users


@dataclass
class RunRead(Message):
    """The newest state of a run; only the latest one waiting counts."""

    snapshot: Snapshot
    status: Status

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunRead)


@dataclass
class ReadFailed(Message):
    """A worker could not read what it should; `text` is for the person."""

    text: str


@dataclass
class UsersLoaded(Message):
    """The list of users is there; the model is still being loaded."""

    users: "Users"


@dataclass
class ModelLoaded(Message):
    """From now on users can be ranked."""

    ranker: "Ranker"


@dataclass
class UserRanked(Message):
    """One user's ranking; stale if another user was chosen meanwhile."""

    ranking: "UserRanking"
