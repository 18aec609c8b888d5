"""Every key of the program by its id, for the config file and its check."""

from dataclasses import dataclass

from textual.binding import Binding
from textual.keys import Keys


@dataclass(frozen=True)
class Known:
    """A binding that can be given another key."""

    keys: str
    """Names of keys, separated by commas."""
    description: str
    areas: tuple[str, ...]
    """Screens on which it works; two with a screen in common must not share a key."""


def known_bindings() -> dict[str, Known]:
    """By id, in the order of the screens."""
    from neumf_tui.tui.app import NeumfApp
    from neumf_tui.tui.compare.dialog import CompareDialog
    from neumf_tui.tui.compare.screen import CompareScreen
    from neumf_tui.tui.explore.screen import ExploreScreen
    from neumf_tui.tui.failures.screen import FailuresScreen
    from neumf_tui.tui.guest.screen import GuestScreen
    from neumf_tui.tui.item.screen import ItemScreen
    from neumf_tui.tui.runs.screen import RunsScreen
    from neumf_tui.tui.train.leave_dialog import LeaveDialog
    from neumf_tui.tui.train.pin_dialog import PinDialog
    from neumf_tui.tui.train.screen import TrainScreen
    from neumf_tui.tui.widgets.chart import CurveChart
    from neumf_tui.tui.widgets.dialogs import AskDialog, ConfirmDialog
    from neumf_tui.tui.widgets.item_picker import DialogItemPicker, ItemPicker
    from neumf_tui.tui.widgets.table import Table
    from neumf_tui.tui.work import AskingScreen

    asking = ("explore", "film", "failures", "compare", "guest")
    every = ("train", "runs", *asking)
    owners: tuple[tuple[type, tuple[str, ...]], ...] = (
        (NeumfApp, every),
        (TrainScreen, ("train",)),
        (CurveChart, ("train", "runs")),
        (RunsScreen, ("runs",)),
        (AskingScreen, asking),
        (ExploreScreen, ("explore",)),
        (ItemScreen, ("film",)),
        (FailuresScreen, ("failures",)),
        (CompareScreen, ("compare",)),
        (GuestScreen, ("guest",)),
        (Table, (*every, "pin", "choose-model")),
        (ItemPicker, ("film-search",)),
        (DialogItemPicker, ("find-film",)),
        (CompareDialog, ("choose-model",)),
        (LeaveDialog, ("leave",)),
        (PinDialog, ("pin",)),
        (ConfirmDialog, ("confirm",)),
        (AskDialog, ("ask",)),
    )
    known: dict[str, Known] = {}
    for owner, areas in owners:
        for binding in owner.__dict__["BINDINGS"]:
            if isinstance(binding, Binding) and binding.id:
                known[binding.id] = Known(
                    binding.key, binding.tooltip or binding.description, areas
                )
    return known


def key_problem(keys: str) -> str:
    """What is wrong with a list of keys from the config file, if anything."""
    names = {key.value for key in Keys}
    for key in (part.strip() for part in keys.split(",")):
        last = key.rpartition("+")[2]
        if not last:
            return "expected the name of a key, such as 's', 'ctrl+s' or 'f5'"
        if len(last) > 1 and last not in names and key not in names and not last.isidentifier():
            return (
                f"{key!r} is no key; expected one such as 's', 'S', 'ctrl+s', 'f5', 'question_mark'"
            )
        if key in ("ctrl+m", "ctrl+i", "ctrl+h"):
            return f"{key!r} is what terminals send for Enter, Tab and Backspace; give another"
    return ""
