"""Dialogs: choose an option, confirm an action, choose from a list, edit a line of text."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from neumf_tui.text import clean
from neumf_tui.tui.keys import bindings, shown
from neumf_tui.tui.terminal.footer import Footer
from neumf_tui.tui.terminal.screen import TerminalScreen
from neumf_tui.tui.terminal.themed import Static
from neumf_tui.tui.widgets.table import Column, Table
from neumf_tui.tui.work import Asker

T = TypeVar("T")


class Answers(OptionList):
    """The answers to a question."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "answers", shown("enter", "select", "Choose", "The answer under the cursor")
    )


class AnswerLine(Input):
    """The line of a question."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "answer-line", shown("enter", "submit", "Done", "Take what is typed")
    )


class ChoiceDialog(ModalScreen[str], TerminalScreen[str]):
    """Ends with the id of the option that was chosen."""

    def is_answer(self, key: str) -> bool:
        return True

    def __init__(self, question: str, options: Mapping[str, str]) -> None:
        """`options` are texts by id."""
        super().__init__()
        self._question, self._options = question, options

    def compose(self) -> ComposeResult:
        options = (Option(text, id=name) for name, text in self._options.items())
        with Vertical(classes="dialog"):
            yield Static(self._question, markup=False)
            yield Answers(*options, markup=False)
        yield Footer(show_command_palette=False)

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
        self._yes = yes

    def name_of_key(self, binding: Binding) -> str:
        return self._yes if binding.action == "dismiss('yes')" else super().name_of_key(binding)


class ListDialog(ModalScreen[T | None], TerminalScreen[T | None]):
    """A list that is read in a thread, with a title over it and a line under it to filter it."""

    table = getters.query_one(Table)
    line = getters.query_one(Input)

    def __init__(self, columns: Sequence[Column], reading: str, hint: str) -> None:
        """
        reading: the title while the list is read.
        hint: shown in the empty line.
        """
        super().__init__()
        self._columns, self._reading, self._hint = columns, reading, hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._reading, id="list-title", markup=False)
            yield Table(self._columns)
            yield Input(placeholder=self._hint, compact=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.table.focus()
        Asker(self, self.show_title).ask("list", lambda _: self.read(), self.show_list)

    def read(self) -> Any:
        """Return what is listed; called in a thread."""
        raise NotImplementedError

    def show_list(self, found: Any) -> None:
        """Show what `read` has returned."""
        raise NotImplementedError

    def show_title(self, text: str) -> None:
        title = "\n".join(map(clean, text.splitlines()))
        self.query_one("#list-title", Static).update(title)

    def action_filter(self) -> None:
        self.line.focus()

    def action_back(self) -> None:
        if self.line.has_focus:
            self.table.focus()
        else:
            self.dismiss(None)


class AskDialog(ModalScreen[str | None], TerminalScreen[str | None]):
    """Ends with the line that was typed, or None."""

    def is_answer(self, key: str) -> bool:
        return key == "enter"

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "ask", shown("escape", "dismiss(None)", "Cancel", key_id="leave")
    )

    def __init__(
        self,
        question: str,
        value: str,
        check: Callable[[str], str],
        yes: str,
        problem: str = "",
    ) -> None:
        """
        check: returns what is wrong with a line, or nothing.
        yes: the verb of what is done with the line, such as "Save".
        problem: what is wrong with `value`.
        """
        super().__init__()
        self._problem = problem
        self._question, self._value, self._check, self._yes = question, value, check, yes

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._question, markup=False)
            yield AnswerLine(self._value, compact=True)
            yield Static(self._problem, id="problem", markup=False)
            options = Option(f"{self._yes} (Enter)", id="yes"), Option("Cancel (Esc)", id="no")
            yield Answers(*options, markup=False)
        yield Footer(show_command_palette=False)

    def name_of_key(self, binding: Binding) -> str:
        return self._yes if binding.action == "submit" else super().name_of_key(binding)

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
