"""What the explore screen reads in threads: people, and a model with one person's ranking."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neumf_tui.errors import RunError
from neumf_tui.explore.guests import Guest, Who, guests_of
from neumf_tui.runs.checkpoint import find_checkpoint

if TYPE_CHECKING:
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.explore.users import Users
    from neumf_tui.explore.why import Explanation


@dataclass(frozen=True, eq=False)
class People:
    users: "Users"
    epoch: int
    """The epoch of the model that is shown first."""
    guests: list[Guest]
    problems: list[str]
    """Why some guests cannot be used."""


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """A model of one epoch, with everything that is shown together with it."""

    ranker: "Ranker"
    users: "Users"
    why: "Explanation | None"
    """See `rank_and_explain`; None where nobody was chosen."""


def read_people(folder: Path, home: Path, which: str | None) -> People:
    """Read users and guests. `which` names a checkpoint, as for `find_checkpoint`."""
    from neumf_tui.explore.users import load_users

    users = load_users(folder, home)
    try:
        epoch = int(find_checkpoint(folder, which).stem.partition("-")[0])
    except RunError:  # `open_model` will say why there is no model
        epoch = max(users.epochs, default=0)
    return People(users, epoch, *guests_of(home, users.dataset))


def open_model(
    folder: Path, home: Path, which: str | None, users: "Users", who: Who | None, by: str
) -> OpenedModel:
    """Load a checkpoint and rank for `who`. Raises RunError."""
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.explore.users import load_users, tape_epochs

    ranker = Ranker(folder, home, which, users.dataset)
    if tape_epochs(folder, users.info) != users.epochs:  # the run's trainer has written more ranks
        users = load_users(folder, home)
    return OpenedModel(ranker, users, None if who is None else rank_and_explain(ranker, who, by))


def rank_and_explain(ranker: "Ranker", who: Who, by: str) -> "Explanation":
    """Rank for a person, and explain the first item, so that both are drawn together."""
    from neumf_tui.explore.why import explain

    return explain(ranker, ranker.rank(who, by), 0)
