"""The question that `q` asks while a run is training."""

from typing import ClassVar

from textual.binding import BindingType

from neumf_tui.tui.keys import bindings, shown
from neumf_tui.tui.widgets.dialogs import ChoiceDialog


class LeaveDialog(ChoiceDialog):
    """Ends with `leave`, `stop` or `stay`."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "leave",
        shown("l", "dismiss('leave')", "Quit, keep training", key_id="leave"),
        shown("s", "dismiss('stop')", "Save and stop", key_id="stop"),
        shown("escape,q", "dismiss('stay')", "Cancel", key_id="stay"),
    )

    def __init__(self, saves: bool) -> None:
        """`saves`: whether the trainer saves a checkpoint when it is stopped."""
        options = {
            "leave": "Quit and keep it training (l)",
            "stop": f"{'Save a checkpoint, stop' if saves else 'Stop'} it and quit (s)",
            "stay": "Cancel (Esc)",
        }
        super().__init__("The run is still training.", options)
