"""Find the model, the person and the item that a command's arguments name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from neumf_tui.cli import options
from neumf_tui.cli.options import Epoch, Home, RunOption
from neumf_tui.errors import NeumfTuiError, RunError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.guests import Who
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.views.sheet import Sheet


@dataclass(frozen=True)
class ModelOptions:
    """The options of every command that prints a sheet about one model."""

    run: RunOption = None
    epoch: Epoch = None
    home: Home = None
    form: str = "table"

    def open_ranker(self) -> "Ranker":
        """Load the run's dataset and model; raises RunError or DatasetError."""
        folder = options.run_folder(self.home, self.run)
        return open_ranker(folder, options.home_of(self.home), self.epoch)

    def print_sheet(self, sheet: "Sheet", print_text: "Callable[[Sheet], None]") -> None:
        """Print a sheet in the form that is asked for, as text with `print_text`."""
        from neumf_tui.views.output import print_sheet

        print_sheet(sheet, self.form, print_text)


def open_ranker(folder: "Path", home: "Path", epoch: str | None) -> "Ranker":
    """Open a model; if it is not the one that `epoch` names, stderr says so."""
    from neumf_tui.explore.ranker import Ranker

    return with_note(Ranker(folder, home, epoch))


def with_note(ranker: "Ranker") -> "Ranker":
    """Print the note of a model on stderr, and return the model."""
    from neumf_tui.views.output import say

    if ranker.note:
        say(f"warning: {ranker.note}")
    return ranker


def model_options(command: options.Command) -> options.Command:
    """Give `command` the options of a model and a sheet; its argument `model` gets ModelOptions."""

    @wraps(command)
    def naming_run(*, model: ModelOptions, **values: Any) -> None:
        with naming_latest(model.home, model.run):
            command(model=model, **values)

    fields = options.keyword_only(ModelOptions)
    return options.sheet_forms(options.add_options(naming_run, "model", ModelOptions, fields))


@contextmanager
def naming_latest(home: "Path | None", run: str | None) -> "Iterator[None]":
    """Let an error about an unknown user or item name the run, where nobody has chosen one."""
    try:
        yield
    except UnknownNameError as error:
        if run is not None:
            raise
        latest = options.run_folder(home, None)
        other = next(_runs_with(options.home_of(home), latest, error.name, error.is_user), None)
        hint = f"--run {other} has it" if other else "--run NAME chooses another"
        raise RunError(f"{error}; run {latest.name}, the latest, was taken: {hint}") from error


def _runs_with(home: "Path", latest: "Path", name: str, is_user: bool) -> "Iterator[str]":
    """Yield runs of other datasets that have this user, or this item by id or title."""
    from neumf_tui.data.prepared import load_names
    from neumf_tui.runs.reader import read_info
    from neumf_tui.runs.store import run_folders

    seen = {read_info(latest).dataset.fingerprint}
    for folder in run_folders(home):
        with suppress(NeumfTuiError, OSError, ValueError):
            fingerprint = read_info(folder).dataset.fingerprint
            if fingerprint in seen:
                continue
            seen.add(fingerprint)
            users, items = load_names(home, fingerprint)
            titles = (title.casefold() for title in items.titles)
            if name in users if is_user else name in items.item_ids or name.casefold() in titles:
                yield folder.name


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
