"""What the explore screen reads in threads: people, and a model with one person's ranking."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neumf_tui.errors import RunError
from neumf_tui.explore.guests import Guest, Who, guests_of
from neumf_tui.runs.checkpoint import find_epoch

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
    """See `rank_and_explain`; None where nobody was chosen, or there is a problem."""
    problem: str = ""
    """Why the person chosen has no ranking."""


def read_people(folder: Path, home: Path, which: str | None) -> People:
    """Read users and guests. `which` names a checkpoint, as for `find_checkpoint`."""
    from neumf_tui.explore.users import load_users

    users = load_users(folder, home)
    try:
        epoch = find_epoch(folder, which)
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
    if who is None:
        return OpenedModel(ranker, users, None)
    try:
        return OpenedModel(ranker, users, rank_and_explain(ranker, who, by))
    except RunError as error:
        return OpenedModel(ranker, users, None, str(error))


def rank_and_explain(ranker: "Ranker", who: Who, by: str) -> "Explanation":
    """Rank for a person, and explain the first item, so that both are drawn together.

    The order is that of the score where the model has no part `by`.
    """
    from neumf_tui.explore.why import explain
    from neumf_tui.scorers.scorer import SCORE

    return explain(ranker, ranker.rank(who, by if by in ranker.orders else SCORE), 0)
