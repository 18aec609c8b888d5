"""Find the model, the person and the item that a command's arguments name."""

from pathlib import Path
from typing import TYPE_CHECKING

from neumf_tui.cli.options import home_of, run_folder
from neumf_tui.errors import RunError, UsageError

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.guests import Who
    from neumf_tui.explore.ranker import Ranker


def open_ranker(home: Path | None, run: str | None, epoch: str | None) -> "Ranker":
    """Load a run's dataset and its model after `epoch`; raises RunError or DatasetError."""
    folder = run_folder(home, run)
    from neumf_tui.explore.ranker import Ranker

    return Ranker(folder, home_of(home), epoch)


def check_one_person(user: str | None, guest: str | None) -> None:
    """Raise UsageError unless exactly one person is named."""
    if (user is None) == (guest is None):
        raise UsageError("name one person: a user's id, or a guest with --guest NAME")


def find_person(ranker: "Ranker", user: str | None, guest: str | None) -> "Who":
    """Return the user index or the guest that is named.

    Raises UsageError unless exactly one is named, RunError if there is no such person.
    """
    from neumf_tui.explore.guests import load_guest

    check_one_person(user, guest)
    if user is not None:
        return ranker.dataset.user_index(user)
    found, dataset = load_guest(ranker.home, guest or "")
    if dataset != ranker.dataset.name:
        raise RunError(
            f"guest {guest} was made with {dataset}, but {ranker.info.name} was trained on "
            f"{ranker.dataset.name}; name a run of {dataset} with --run"
        )
    return found


def find_item(dataset: "Dataset", name: str) -> int:
    """Return the index of the item with this id or title; if it was guessed, stderr says so."""
    from neumf_tui.views.output import say

    found = dataset.title_search.look_up(name)
    if found.note:
        say(found.note)
    return found.item
