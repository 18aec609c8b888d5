"""Small questions: a yes or no, and a line of text."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option


class ConfirmDialog(ModalScreen[bool]):
    """Ends with True only if the person chose to do it; the first choice is not to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes", id="confirm.yes"),
        Binding("escape,n,q", "dismiss(False)", "No", id="confirm.no"),
    ]

    def __init__(self, question: str, deed: str) -> None:
        super().__init__()
        self._question, self._deed = question, deed

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._question, markup=False)
            yield OptionList(
                Option("no (Esc)", id="no"), Option(f"{self._deed} (y)", id="yes"), markup=False
            )

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id == "yes")


class AskDialog(ModalScreen[str | None]):
    """Ends with the line that was typed, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Leave it", id="ask.leave")
    ]

    def __init__(self, question: str, value: str, check: Callable[[str], str]) -> None:
        """`check` says what is wrong with a line, or nothing."""
        super().__init__()
        self._question, self._value, self._check = question, value, check

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._question, markup=False)
            yield Input(self._value, compact=True)
            yield Static(id="problem", markup=False)
            yield OptionList(Option("do it (Enter)", id="yes"), Option("leave it (Esc)", id="no"))

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
