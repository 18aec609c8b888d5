"""Small dialogs: choose an option, confirm an action, edit a line of text."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from neumf_tui.tui.keys import bindings, shown


class ChoiceDialog(ModalScreen[str]):
    """Ends with the id of the option that was chosen."""

    def __init__(self, question: str, options: Mapping[str, str]) -> None:
        """`options` are texts by id."""
        super().__init__()
        self._question, self._options = question, options

    def compose(self) -> ComposeResult:
        options = (Option(text, id=name) for name, text in self._options.items())
        with Vertical(classes="dialog"):
            yield Static(self._question, markup=False)
            yield OptionList(*options, markup=False)

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)


class ConfirmDialog(ChoiceDialog):
    """Ends with `yes` or `no`; the option chosen at first is Cancel."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "confirm",
        shown("y", "dismiss('yes')", "Yes", key_id="yes"),
        shown("escape,n,q", "dismiss('no')", "Cancel", key_id="no"),
    )

    def __init__(self, question: str, yes: str) -> None:
        """`yes` is the verb of what is confirmed, such as "Delete"."""
        super().__init__(question, {"no": "Cancel (Esc)", "yes": f"{yes} (y)"})


class AskDialog(ModalScreen[str | None]):
    """Ends with the line that was typed, or None."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "ask", shown("escape", "dismiss(None)", "Cancel", key_id="leave")
    )

    def __init__(self, question: str, value: str, check: Callable[[str], str], yes: str) -> None:
        """
        check: returns what is wrong with a line, or nothing.
        yes: the verb of what is done with the line, such as "Save".
        """
        super().__init__()
        self._question, self._value, self._check, self._yes = question, value, check, yes

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._question, markup=False)
            yield Input(self._value, compact=True)
            yield Static(id="problem", markup=False)
            options = Option(f"{self._yes} (Enter)", id="yes"), Option("Cancel (Esc)", id="no")
            yield OptionList(*options, markup=False)

    @on(Input.Submitted)
    def finish(self) -> None:
        line = self.query_one(Input).value.strip()
        if problem := self._check(line):
            self.query_one("#problem", Static).update(problem)
        else:
            self.dismiss(line)

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        if event.option_id == "yes":
            self.finish()
        else:
            self.dismiss(None)
