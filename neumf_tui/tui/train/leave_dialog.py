"""The question that `q` asks while a run is training."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option


class LeaveDialog(ModalScreen[str]):
    """Ends with `leave`, `stop` or `stay`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "dismiss('leave')", "Leave it training", id="leave.leave"),
        Binding("s", "dismiss('stop')", "Save and stop", id="leave.stop"),
        Binding("escape,q", "dismiss('stay')", "Stay", id="leave.stay"),
    ]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("The run is still training.")
            yield OptionList(
                Option("leave it training (l)", id="leave"),
                Option("save a checkpoint and stop it (s)", id="stop"),
                Option("stay (Esc)", id="stay"),
            )

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)
