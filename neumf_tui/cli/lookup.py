"""Find the model, person and item that a command's arguments name."""

from pathlib import Path
from typing import TYPE_CHECKING

from neumf_tui.cli.options import home_of, run_folder
from neumf_tui.errors import RunError, UsageError

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.ranker import Ranker, Who


def find_person(ranker: "Ranker", user: str | None, guest: str | None) -> "Who":
    """The user index or guest that was named; raises UsageError unless it is exactly one, RunError where there is none."""
    from neumf_tui.explore.guests import load_guest

    if (user is None) == (guest is None):
        raise UsageError("name one person: a user's id, or a guest with --guest NAME")
    if user is not None:
        return ranker.dataset.user_index(user)
    found, made_with = load_guest(ranker.home, guest or "")
    if made_with != ranker.dataset.name:
        raise RunError(
            f"guest {guest} was made with {made_with}, {ranker.info.name} was trained on {ranker.dataset.name}; "
            "name a run of that dataset with --run"
        )
    return found


def find_item(dataset: "Dataset", film: str) -> int:
    """The film's item index; where the name was not exact, stderr says what it was taken as."""
    from neumf_tui.views.output import say

    found = dataset.title_search.look_up(film)
    if found.note:
        say(found.note)
    return found.item


def open_ranker(home: Path | None, run: str | None, epoch: str | None) -> "Ranker":
    folder = run_folder(home, run)
    from neumf_tui.explore.ranker import Ranker

    return Ranker(folder, home_of(home), epoch)
