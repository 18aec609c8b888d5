"""The base of all screens: work in threads, polling while seen, dialogs, leaving, and copying."""

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from textual import getters
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.timer import Timer

from neumf_tui.crash import message_of
from neumf_tui.errors import UsageError
from neumf_tui.home import expanded
from neumf_tui.text import clean
from neumf_tui.tui.keys import bindings, hidden, shown
from neumf_tui.tui.navigation import Navigation
from neumf_tui.tui.terminal.app import TerminalApp
from neumf_tui.tui.terminal.screen import TerminalScreen
from neumf_tui.tui.widgets.dialogs import AskDialog, ChoiceDialog, ConfirmDialog
from neumf_tui.tui.work import Asker, Cancelled, Question
from neumf_tui.views.sheet import ENDINGS, Sheet, check_target, write_new, write_sheet

T = TypeVar("T")
COPY_ROWS = 200
"""Rows that `y` offers to the terminal, which limits OSC 52. The file beside has all rows."""


class BaseScreen(TerminalScreen[None]):
    """A screen that works in threads, polls while it is seen, asks to confirm, and can be left."""

    app = getters.app(TerminalApp)

    def __init__(self) -> None:
        super().__init__()
        asker = Asker(self, self.show_problem)
        self.ask, self.drop, self.waiting = asker.ask, asker.drop, asker.waiting
        self._changes = count()
        self._polls: list[Poll] = []

    # For each screen to override.

    def end_aside(self) -> bool:
        """End a search or the like; return whether there was any."""
        return False

    def warn(self, text: str) -> None:
        """Show what the person should know, as plain text; nothing if it is empty."""
        if text:
            self.notify(clean(text), severity="warning", markup=False, timeout=10)

    def changed(self, text: str) -> None:
        """Tell the person what `change` has done."""
        self.notify(text, markup=False)

    def leave_question(self) -> ChoiceDialog | None:
        """Return what to ask before the program is left; None if nothing would be lost."""
        return None

    def may_quit(self, answer: str | None) -> bool:
        """Return whether to leave the program after this answer to `leave_question`."""
        return answer == "yes"

    # Work in threads.

    def change(self, action: Callable[[], object], done: str = "") -> None:
        """Change a run or a file in a thread; then tell `done`, or what `action` returns.

        In contrast to questions, none of these is replaced by a newer one.
        """
        kind = f"change {next(self._changes)}"
        self.ask(kind, lambda _: action(), lambda found: self.changed(done or str(found)))

    # Polling.

    @property
    def seen(self) -> bool:
        """Whether no other screen covers this one; a dialog covers it only in part."""
        stack = self.app.screen_stack
        return self in stack and all(
            isinstance(screen, ModalScreen) for screen in stack[stack.index(self) + 1 :]
        )

    def poll(
        self,
        kind: str,
        work: Callable[[Cancelled], T],
        then: Callable[[T], None],
        failed: Callable[[str], None],
        pause: Callable[[], float],
    ) -> "Poll":
        """Ask the same question again and again while this screen is seen; see `Poll`."""
        poll = Poll(self, Question(kind, work, then, failed), pause)
        self._polls.append(poll)
        return poll

    def on_screen_resume(self) -> None:
        for poll in self._polls:
            poll.now()

    def on_screen_suspend(self) -> None:
        self.query(".-first-time").remove()
        if not self.seen:
            for poll in self._polls:
                poll.stop()

    # Dialogs, other screens, leaving.

    def confirm(self, question: str, yes: str, action: Callable[[], object]) -> None:
        """Do `action` if the person chooses `yes`, the verb that stands in the dialog."""

        def answer(choice: str | None) -> None:
            if choice == "yes":
                action()

        self.app.push_screen(ConfirmDialog(question, yes), answer)

    def ask_line(
        self,
        question: str,
        value: str,
        check: Callable[[str], str],
        yes: str,
        action: Callable[[str], object],
    ) -> None:
        """Let the person edit `value` and do `action` with it; `check` returns what is wrong."""

        def answer(line: str | None) -> None:
            if line is not None:
                action(line)

        self.app.push_screen(AskDialog(question, value, check, yes), answer)

    def navigate(self, wanted: Navigation) -> None:
        """Ask the app for another screen."""
        wanted.asked_by = self
        self.post_message(wanted)

    def action_back(self) -> None:
        if self.end_aside():
            pass
        elif self.maximized is not None:
            self.minimize()
        elif self._is_first:
            self.notify("Nothing to go back to; q quits.", timeout=3)
        else:
            self.action_leave()

    def action_leave(self) -> None:
        if self._is_first:
            self.call_later(self.app.action_quit)
        else:
            self.dismiss()

    def name_of_key(self, binding: Binding) -> str:
        quits = binding.action == "leave" and self._is_first
        return "Quit" if quits else super().name_of_key(binding)

    @property
    def _is_first(self) -> bool:
        """Whether no screen lies under this one but Textual's empty default screen."""
        return self in self.app.screen_stack[:2]


class Poll:
    """A question that is asked every `pause()` seconds, or less often if answers take longer.

    It rests while its screen is covered or the terminal takes no output.
    """

    def __init__(self, screen: BaseScreen, question: Question, pause: Callable[[], float]) -> None:
        self._screen, self._question, self._pause = screen, question, pause
        self._timer: Timer | None = None
        self._asked_at = 0.0

    def now(self) -> None:
        """Ask at once, without waiting for the end of the pause."""
        self.stop()
        self._asked_at = time.monotonic()
        if self._screen.app.stalled:
            self._wait()
        elif self._screen.seen:
            question = self._question
            self._screen.ask(question.kind, question.work, self._take, self._fail)

    def stop(self) -> None:
        """Rest until `now` is called."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _take(self, answer: Any) -> None:
        self._question.then(answer)
        self._wait()

    def _fail(self, problem: str) -> None:
        self._question.failed(problem)
        self._wait()

    def _wait(self) -> None:
        if self._screen.seen:
            rest = self._asked_at + self._pause() - time.monotonic()
            self._timer = self._screen.set_timer(max(0.05, rest), self.now)


class SheetScreen(BaseScreen):
    """A screen with lists that can be copied and written into files."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "view",
        hidden("y", "copy", "Copy", "Copy the list in front, for a spreadsheet"),
        hidden("w", "write", "Write", "Write the list in front into a file, or the screen as SVG"),
        hidden("escape", "back", "Back", "End a search or the like, or leave this screen"),
        shown("q", "leave", "Back", "Leave this screen"),
    )

    def sheet_maker(self) -> Callable[[], Sheet] | None:
        """Return what makes the sheet of the list in front, in a thread; None if there is none."""
        raise NotImplementedError

    def action_copy(self) -> None:
        make = self.sheet_maker()
        if make is None:
            return

        def texts(_: Cancelled) -> tuple[str, str, int]:
            sheet = make()
            return sheet.text("\t", COPY_ROWS), sheet.text("\t"), len(sheet.rows)

        def copy(made: tuple[str, str, int]) -> None:
            part, whole, rows = made
            which = f"the first {COPY_ROWS} of {rows:,}" if rows > COPY_ROWS else f"{rows:,}"
            self.app.copy_part(part, whole, f"{which} rows")

        self.ask("copy", texts, copy)

    def action_write(self) -> None:
        if make := self.sheet_maker():
            self.ask("name", lambda _: make(), self._ask_name)

    @property
    def holds_keys(self) -> bool:
        return self.waiting("name")

    def drop_held(self) -> None:
        self.drop("name")

    def _ask_name(self, sheet: Sheet) -> None:
        def check(name: str) -> str:
            if not name:
                return "type a file name"
            return check_target(expanded(Path(name)), (*ENDINGS, ".svg"))

        def write(name: str) -> None:
            path = expanded(Path(name))
            if path.suffix == ".svg":
                # Drawn here, where the screen is; after the dialog has gone.
                self.call_after_refresh(self._write_picture, path)
            else:
                self.change(lambda: write_sheet(sheet, path), f"Written: {path}")

        question = f"File for this list ({', '.join(ENDINGS)}), or .svg for a picture of the screen"
        self.ask_line(question, str(Path.cwd() / f"{sheet.stem}.csv"), check, "Save", write)

    def _write_picture(self, path: Path) -> None:
        try:
            write_new(path, lambda file: file.write(self.app.export_screenshot().encode()))
        except (UsageError, OSError) as error:
            self.show_problem(message_of(error))
        else:
            self.changed(f"Written: {path}")
