"""Screens that ask a model: questions are answered in threads, and only the answer to the newest of each kind is ever shown."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import get_current_worker

from neumf_tui.errors import NeumfTuiError
from neumf_tui.tui.widgets.dialogs import AskDialog
from neumf_tui.views.sheet import ENDINGS, Sheet, check_target, write_sheet

if TYPE_CHECKING:
    from neumf_tui.tui.app import NeumfApp

Cancelled = Callable[[], bool]
"""Whether nobody waits for the answer any more; long work asks it now and then and returns whatever it has."""
T = TypeVar("T")
COPY_ROWS = 200
"""Rows that `y` offers to the terminal: what it takes by OSC 52 is limited. The file beside has all."""


@dataclass(eq=False)
class Question:
    """Asked once; another of the same kind replaces it."""

    kind: str
    work: Callable[[Cancelled], Any]
    then: Callable[[Any], None]


class Asker:
    """Has one thread at most for each kind of question; while it works, only the newest question waits.

    So a key held down costs two answers and no queue, and an answer that comes late for what is shown now is dropped.
    """

    def __init__(self, screen: Screen[Any], show_problem: Callable[[str], None]) -> None:
        """`screen` is whose threads these are: they are cancelled when it goes. `show_problem` says what went wrong."""
        self._screen, self._show_problem = screen, show_problem
        self._asked: dict[str, Question] = {}
        self._busy: set[str] = set()

    def ask(self, kind: str, work: Callable[[Cancelled], T], then: Callable[[T], None]) -> None:
        """Do `work` in a thread and hand its result to `then` on the screen, unless a newer question of this kind came."""
        question = Question(kind, work, then)
        self._asked[kind] = question
        if kind not in self._busy:
            self._busy.add(kind)
            self._start(question)

    def drop(self, kind: str) -> None:
        """Nobody waits for an answer of this kind any more."""
        self._asked.pop(kind, None)

    @property
    def busy(self) -> bool:
        """Whether any question is being answered."""
        return bool(self._busy)

    def waiting(self, kind: str) -> bool:
        return kind in self._asked and kind in self._busy

    def _start(self, question: Question) -> None:
        self._screen.run_worker(
            partial(self._answer, question), group="ask", exit_on_error=False, thread=True
        )

    def _answer(self, question: Question) -> None:
        """In the thread."""
        worker = get_current_worker()

        def cancelled() -> bool:
            return worker.is_cancelled or self._asked.get(question.kind) is not question

        value, problem = None, ""
        try:
            value = question.work(cancelled)
        except (NeumfTuiError, OSError) as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - whatever nobody foresaw is still said, and the screen goes on
            problem = f"{type(error).__name__}: {error}"
        self._screen.call_later(self._take, question, value, problem)

    def _take(self, question: Question, value: Any, problem: str) -> None:
        """On the screen again; `problem` is empty where all went well."""
        newest = self._asked.get(question.kind)
        if newest is not None and newest is not question:
            self._start(newest)
            return
        self._busy.discard(question.kind)
        if newest is None:
            return
        if problem:
            self._show_problem(problem)
        else:
            question.then(value)


class AskingScreen(Screen[None]):
    """Asks by an `Asker`; its list can be copied and written."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "y",
            "copy",
            "Copy",
            show=False,
            tooltip="The list in front, for a spreadsheet",
            id="view.copy",
        ),
        Binding(
            "w",
            "write",
            "Write",
            show=False,
            tooltip="The list in front into a file; the screen as SVG",
            id="view.write",
        ),
        Binding(
            "escape",
            "back",
            "Back",
            show=False,
            tooltip="End what was begun, or leave this screen",
            id="view.back",
        ),
        Binding("q", "leave", "Leave", tooltip="Leave this screen", id="view.leave"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._asker = Asker(self, lambda text: self.show_problem(text))

    # To be given by each screen.

    def sheet_maker(self) -> Callable[[], Sheet] | None:
        """What `y` and `w` take: makes the sheet of the list in front, in a thread; None while there is none."""
        raise NotImplementedError

    def show_problem(self, text: str) -> None:
        """Say what went wrong; nothing of it is markup."""
        self.notify(text, severity="error", markup=False, timeout=10)

    def end_aside(self) -> bool:
        """End a search or the like; whether there was any."""
        return False

    # Questions.

    def ask(self, kind: str, work: Callable[[Cancelled], T], then: Callable[[T], None]) -> None:
        """As of `Asker.ask`."""
        self._asker.ask(kind, work, then)

    def drop(self, kind: str) -> None:
        self._asker.drop(kind)

    def waiting(self, kind: str) -> bool:
        return self._asker.waiting(kind)

    # Out of the screen.

    def action_copy(self) -> None:
        if make := self.sheet_maker():

            def texts() -> tuple[Sheet, str]:
                sheet = make()
                return sheet, sheet.text("\t")

            def copy(made: tuple[Sheet, str]) -> None:
                sheet, whole = made
                cast("NeumfApp", self.app).offer(
                    sheet.text("\t", COPY_ROWS),
                    whole,
                    min(COPY_ROWS, len(sheet.rows)),
                    len(sheet.rows),
                )

            self.ask("copy", lambda _: texts(), copy)

    def action_write(self) -> None:
        make = self.sheet_maker()
        if make is None:
            return
        endings = (*ENDINGS, ".svg")

        def answer(sheet: Sheet, name: str | None) -> None:
            if name is None:
                return
            path = Path(name).expanduser()
            if path.suffix == ".svg":
                # Drawn here, where the screen is; after the dialog has gone.
                self.call_after_refresh(self._write_picture, path)
            else:
                self.ask(
                    "write", lambda _: write_sheet(sheet, path), lambda _: self._say_written(path)
                )

        def check(name: str) -> str:
            return check_target(Path(name).expanduser(), endings) if name else "give a name"

        def dialog(sheet: Sheet) -> None:
            question = f"Write this list into a new file ({', '.join(ENDINGS)}; .svg is a picture of the screen)"
            self.app.push_screen(
                AskDialog(question, str(Path.cwd() / f"{sheet.stem}.csv"), check),
                partial(answer, sheet),
            )

        self.ask("name", lambda _: make(), dialog)

    def _write_picture(self, path: Path) -> None:
        try:
            path.write_text(self.app.export_screenshot(), "utf-8")
        except OSError as error:
            self.show_problem(f"{path}: cannot be written ({error.strerror or error})")
        else:
            self._say_written(path)

    def _say_written(self, path: Path) -> None:
        self.notify(f"Written: {path}", markup=False)

    # Leaving.

    def action_back(self) -> None:
        if self.query("HelpPanel"):
            cast("App[None]", self.app).action_hide_help_panel()
        elif self.end_aside():
            pass
        elif self.maximized is not None:
            self.minimize()
        elif len(self.app.screen_stack) > 2:
            self.action_leave()
        else:
            self.notify("Nothing to end here; q leaves.", timeout=3)

    def action_leave(self) -> None:
        if len(self.app.screen_stack) > 2:
            self.dismiss()
        else:
            self.app.exit()
