"""The question that `q` asks while a run is training."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from neumf_tui.tui.keys import bindings, shown


class LeaveDialog(ModalScreen[str]):
    """Ends with `leave`, `stop` or `stay`."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "leave",
        shown("l", "dismiss('leave')", "Quit, keep training", key_id="leave"),
        shown("s", "dismiss('stop')", "Save and stop", key_id="stop"),
        shown("escape,q", "dismiss('stay')", "Cancel", key_id="stay"),
    )

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("The run is still training.")
            yield OptionList(
                Option("Quit and keep it training (l)", id="leave"),
                Option("Save a checkpoint, stop it and quit (s)", id="stop"),
                Option("Cancel (Esc)", id="stay"),
            )

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)
