"""Messages by which a screen asks the app for another screen; app.py opens it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from neumf_tui.explore.guests import Guest, Who
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.explore.users import Users


class Navigation(Message):
    """A request for another screen."""

    asked_by: object = None
    """The screen that asks. The app ignores it where that screen is covered by now."""


@dataclass
class OpenRuns(Navigation):
    """Go to the list of runs."""


@dataclass
class OpenRun(Navigation):
    """Watch a run; it `is_new` if the person has just started it."""

    folder: Path
    is_new: bool = False


@dataclass
class OpenExplorer(Navigation):
    """Explore what a run's model recommends."""

    folder: Path
    user_id: str | None = None
    epoch: str | None = None


@dataclass
class OpenDataset(Navigation):
    """Show what a run's dataset is."""

    folder: Path


@dataclass
class OpenUser(Navigation):
    """Go back to the explorer, or open one of this model, and choose the user with this index."""

    user: int
    ranker: "Ranker | None"
    """The model; None while the explorer is loading it."""


@dataclass
class OpenItem(Navigation):
    """Show which items are similar to the one with this index, and which users get it."""

    ranker: "Ranker"
    users: "Users"
    item: int


@dataclass
class OpenGuest(Navigation):
    """Pick items for a new user, or continue with a guest."""

    ranker: "Ranker"
    users: "Users"
    guest: "Guest | None" = None


@dataclass
class OpenFailures(Navigation):
    """Show which users a model serves badly; `ranker` is None while it is being loaded."""

    ranker: "Ranker | None"
    users: "Users"
    epoch: int


@dataclass
class OpenComparison(Navigation):
    """Compare this model with another one; the person chooses which if `other` is None."""

    ranker: "Ranker"
    users: "Users"
    who: "Who"
    other: tuple[Path, str | None] | None = None
    """A run's folder and a checkpoint, as for `Ranker`."""


@dataclass
class ModelLoaded(Message):
    """The explorer's model is loaded; screens over the explorer may wait for it."""

    ranker: "Ranker"
