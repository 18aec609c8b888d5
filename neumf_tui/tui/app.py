"""The app: it opens the screens that screens ask for, and prints a card of the run at its end."""

import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from textual import on
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from neumf_tui.errors import NeumfTuiError, RunError
from neumf_tui.runs.summary import status_object
from neumf_tui.tui import navigation
from neumf_tui.tui.base_screen import BaseScreen, SheetScreen
from neumf_tui.tui.config import Config, read_config
from neumf_tui.tui.keys import NamedKeys, bindings, hidden, named_keys, shown
from neumf_tui.tui.terminal.app import TerminalApp
from neumf_tui.tui.widgets.dialogs import ChoiceDialog, ConfirmDialog
from neumf_tui.views.output import columns_of, say
from neumf_tui.views.runs import card_lines

S = TypeVar("S", bound=BaseScreen)


class NeumfApp(TerminalApp):
    """The program's screens."""

    CSS_PATH = Path(__file__).with_name("app.tcss")
    TITLE = "neumf-tui"
    ENABLE_COMMAND_PALETTE = True
    # Textual types these as instance attributes, hence no ClassVar.
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [  # noqa: RUF012
        (0, "-narrow"),
        (100, "-wide"),
        (160, "-widest"),
    ]
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [  # noqa: RUF012
        (0, "-short"),
        (24, "-medium"),
        (32, "-tall"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "app",
        shown("question_mark,f1", "help", "Help", "This screen, its symbols and keys", display="?"),
        hidden("ctrl+z", "suspend_process", "Suspend", "Back to the shell; fg returns",
               key_id="suspend"),
        hidden("ctrl+p", "command_palette", "Commands", "Search what this screen can do, and do it",
               priority=True),
        hidden("ctrl+q", "quit", "Quit", "Leave the program, after what screens ask",
               priority=True),
        hidden("ctrl+l", "redraw", "Redraw", "Draw the whole screen again"),
        hidden("ctrl+b", "bandwidth", "Low bandwidth", "One refresh a second, no mouse"),
        hidden("ctrl+c", "interrupt", "Copy or quit", "Copy what the mouse marks; else ask to quit",
               priority=True),
    )  # fmt: skip

    def __init__(
        self,
        folder: Path | None,
        home: Path,
        screen: str,
        config: Config | None = None,
        low_bandwidth: bool | None = None,
        user_id: str | None = None,
        epoch: str | None = None,
    ) -> None:
        """
        folder: the run; None for the list of runs.
        screen: the first screen: `train`, `explore` or `runs`.
        low_bandwidth: overrides the config.
        user_id, epoch: what the explore screen shows first.
        """
        config = config or Config()
        bandwidth = {None: config.low_bandwidth, True: "on", False: "off"}[low_bandwidth]
        super().__init__(home, config.theme, bandwidth, config.notify)
        self.folder, self._first = folder, screen
        self._user_id, self._epoch = user_id, epoch
        self._leave_question: ChoiceDialog | None = None
        """The question before leaving that was asked last."""
        self.set_keymap(config.keys)
        self.own_keys = config.keys
        """The person's own keys by the id of their binding."""
        self.gives_hints = False
        """Whether a screen shows a hint when it is opened for the first time."""
        self.new_runs: set[Path] = set()
        """New runs whose trainers were started from here; those that cannot start are removed."""

    def run_to_end(self) -> int:
        """Run until the person leaves, print how the run stands, and return the exit code."""
        self.run_in_terminal()
        if self.return_code:
            return self.return_code
        code = 0
        for folder in dict.fromkeys([*self.new_runs, *filter(None, [self.folder])]):
            code = self._report(folder) or code
        self.end_by_signal()
        return code

    def _report(self, folder: Path) -> int:
        """Print how a run stands; remove a new one that could not start, and say why."""
        from neumf_tui.runs.failed_start import await_start

        if folder in self.new_runs:
            if not folder.exists():  # the list of runs has removed it
                return 0
            if failed := await_start(folder):
                say(f"neumf-tui: {failed.text}")
                return failed.exit_code
        return self._print_card(folder)

    def _print_card(self, folder: Path) -> int:
        """Print a short card of the run; return 1 if the run failed while it was watched."""
        try:
            facts = status_object(folder)
        except RunError as error:
            say(f"neumf-tui: {error}")
            return 0
        for line in card_lines(facts, columns_of(sys.stderr)):
            say(line)
        return int(self._first == "train" and facts["state"] in ("failed", "crashed"))

    # Leaving.

    async def action_quit(self) -> None:
        """Leave the program, by Ctrl-Q or by q on the first screen, after what screens ask."""
        self._ask_to_quit()

    def action_interrupt(self) -> None:
        """Copy what the mouse has selected; otherwise leave, but never unasked.

        A line that is being typed stays as it is behind the question.
        """
        if self.screen.get_selected_text():
            self.screen.action_copy_text()
            self.screen.clear_selection()
        else:
            self._ask_to_quit(ConfirmDialog("Quit neumf-tui?", "Quit"))

    def _ask_to_quit(self, otherwise: ConfirmDialog | None = None) -> None:
        """Leave after the questions of all open screens; ask `otherwise` if they have none."""
        if self._leave_question in self.screen_stack:
            return  # it waits for its answer
        screens = [screen for screen in self.screen_stack if isinstance(screen, BaseScreen)]
        self._ask_next(screens[::-1], otherwise)

    def _ask_next(self, screens: list[BaseScreen], otherwise: ConfirmDialog | None) -> None:
        for place, screen in enumerate(screens, start=1):
            if (question := screen.leave_question()) is not None:
                rest = partial(self._ask_next, screens[place:], None)
                self._ask_question(question, screen.may_quit, rest)
                return
        if otherwise is None:
            self.exit()
        else:
            self._ask_question(otherwise, "yes".__eq__, self.exit)

    def _ask_question(
        self,
        question: ChoiceDialog,
        may_quit: Callable[[str | None], bool],
        go_on: Callable[[], object],
    ) -> None:
        def take(answer: str | None) -> None:
            if may_quit(answer):
                go_on()

        self._leave_question = question
        self.push_screen(question, take)

    # Screens.

    def on_mount(self) -> None:
        if self._first == "runs" or self.folder is None:
            self.open_screen(navigation.OpenRuns())
        elif self._first == "train":
            self.open_screen(navigation.OpenRun(self.folder))
        else:
            self.open_screen(navigation.OpenExplorer(self.folder, self._user_id, self._epoch))

    @on(navigation.Navigation)
    def navigate(self, wanted: navigation.Navigation) -> None:
        """Open the screen that a screen asks for, unless that screen was left meanwhile."""
        if wanted.asked_by is self.screen:
            try:
                self.open_screen(wanted)
            except (NeumfTuiError, OSError) as error:  # the run was deleted, for instance
                self.show_error(error)

    def open_screen(self, wanted: navigation.Navigation) -> None:
        """Open a screen over the present one, or return to the one that is open already."""
        # Imported when they are opened: all of them together would delay the first one.
        match wanted:
            case navigation.OpenRuns():
                from neumf_tui.tui.runs.screen import RunsScreen

                if not self._return_to(RunsScreen):
                    self._open(RunsScreen(self.home))
            case navigation.OpenRun(folder, is_new):
                from neumf_tui.tui.train.screen import TrainScreen

                if is_new:
                    self.new_runs.add(folder)
                self._open(TrainScreen(folder, self.home))
            case navigation.OpenExplorer(folder, user_id, epoch):
                from neumf_tui.tui.explore.screen import ExploreScreen

                self._open(ExploreScreen(folder, self.home, user_id, epoch))
            case navigation.OpenDataset(folder):
                from neumf_tui.tui.dataset.screen import DatasetScreen

                self._open(DatasetScreen(folder, self.home))
            case navigation.OpenUser(user, ranker):
                from neumf_tui.tui.explore.screen import ExploreScreen

                if (explorer := self._return_to(ExploreScreen)) is not None:
                    explorer.choose_who(user)
                elif ranker is not None:
                    name, epoch = ranker.dataset.user_ids[user], str(ranker.epoch)
                    self._open(ExploreScreen(ranker.folder, self.home, name, epoch))
            case navigation.OpenItem(ranker, users, item):
                from neumf_tui.tui.item.screen import ItemScreen

                self._open(ItemScreen(ranker, users, item))
            case navigation.OpenGuest(ranker, users, guest):
                from neumf_tui.tui.guest.screen import GuestScreen

                self._open(GuestScreen(ranker, users, guest))
            case navigation.OpenFailures(maybe_ranker, users, at):
                from neumf_tui.tui.failures.screen import FailuresScreen

                self._open(FailuresScreen(maybe_ranker, users, at))
            case navigation.OpenComparison():
                self._open_comparison(wanted)

    def _open_comparison(self, wanted: navigation.OpenComparison) -> None:
        from neumf_tui.tui.compare.dialog import CompareDialog
        from neumf_tui.tui.compare.screen import CompareScreen

        ranker = wanted.ranker

        def compare(other: tuple[Path, str | None] | None) -> None:
            if other is not None:
                self._open(CompareScreen(ranker, wanted.users, wanted.who, other))

        if wanted.other is None:
            self.push_screen(CompareDialog(ranker.folder, self.home, ranker.epoch), compare)
        else:
            compare(wanted.other)

    def _return_to(self, kind: type[S]) -> S | None:
        """Close the screens above the topmost one of this kind; None where there is none."""
        found = [screen for screen in self.screen_stack if isinstance(screen, kind)]
        while found and self.screen is not found[-1]:
            self.pop_screen()
        return found[-1] if found else None

    def on_model_loaded(self, message: navigation.ModelLoaded) -> None:
        from neumf_tui.tui.failures.screen import FailuresScreen

        for screen in self.screen_stack:
            if isinstance(screen, FailuresScreen):
                screen.take_ranker(message.ranker)

    # Help, hints and the command palette.

    def action_help(self) -> None:
        """Explain the screen; dialogs and the palette explain themselves."""
        from neumf_tui.tui.help.content import TOPICS
        from neumf_tui.tui.help.screen import HelpScreen, keys_of

        screen = self.screen
        if isinstance(screen, BaseScreen):
            topic, keys = TOPICS[area_of(screen)], keys_of(screen, self.own_keys)
            self.push_screen(HelpScreen(topic, keys, screen.noun))

    def _open(self, screen: BaseScreen) -> None:
        """Show a screen, with its hint if it has not been opened before."""
        self.push_screen(screen)
        if self.gives_hints:
            screen.call_later(self._hint, screen)

    def _hint(self, screen: BaseScreen) -> None:
        from neumf_tui.tui.help.content import TOPICS
        from neumf_tui.tui.help.hints import Hint, is_first_time
        from neumf_tui.tui.terminal.footer import Footer

        area = area_of(screen)
        keys = self.own_keys.get("app.help", "?").partition(",")[0]
        text = screen.noun.fill(TOPICS[area].hint(keys))

        def show(is_first: bool) -> None:
            if is_first:
                screen.mount(Hint(text), before=screen.query_one(Footer))

        screen.ask("hint", lambda _: is_first_time(self.home, area), show)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Return everything that has a key, then the themes and a picture of the screen."""
        listed: set[str] = set()
        area = area_of(screen)
        for active in screen.active_bindings.values():
            binding = active.binding
            named = "." in (binding.id or "") and binding.description  # not Textual's own
            if active.enabled and named and binding.action not in listed:
                listed.add(binding.action)
                text = f"{binding.tooltip or binding.description} ({self.get_key_display(binding)})"
                run = partial(self.call_later, self.run_action, binding.action, active.node)
                yield SystemCommand(f"{area}: {binding.description}", text, run)
        for command in super().get_system_commands(screen):
            if command.title in ("Theme", "Screenshot"):  # the others have keys of this program
                yield command


def area_of(screen: Screen[Any]) -> str:
    """Return the area of a screen's keys, which names its help: `train` of TrainScreen."""
    return type(screen).__name__.removesuffix("Screen").lower()


def load_config() -> Config:
    """Return the person's config; raises UsageError where the config file is wrong."""
    return read_config(known_keys)


def known_keys() -> dict[str, NamedKeys]:
    """Return all keys that the config file can change, by id, in the order of the screens."""
    from neumf_tui.tui.chart_screen import ChartScreen
    from neumf_tui.tui.compare.dialog import CompareDialog
    from neumf_tui.tui.compare.screen import CompareScreen
    from neumf_tui.tui.dataset.screen import DatasetScreen
    from neumf_tui.tui.explore.screen import ExploreScreen
    from neumf_tui.tui.failures.screen import FailuresScreen
    from neumf_tui.tui.guest.screen import GuestScreen
    from neumf_tui.tui.help.screen import HelpScreen
    from neumf_tui.tui.item.screen import ItemScreen
    from neumf_tui.tui.runs.screen import RunsScreen
    from neumf_tui.tui.runs.welcome import Welcome
    from neumf_tui.tui.train.leave_dialog import LeaveDialog
    from neumf_tui.tui.train.pin_dialog import PinDialog
    from neumf_tui.tui.train.screen import TrainScreen
    from neumf_tui.tui.widgets.chart import CurveChart
    from neumf_tui.tui.widgets.dialogs import AnswerLine, Answers, AskDialog
    from neumf_tui.tui.widgets.item_picker import DialogItemPicker, ItemPicker
    from neumf_tui.tui.widgets.table import Table

    charts = ("train", "runs")
    lists = ("explore", "item", "failures", "compare", "guest")
    return named_keys((
        (NeumfApp, (*charts, *lists, "dataset")),
        (ChartScreen, charts),
        (TrainScreen, ("train",)),
        (CurveChart, charts),
        (RunsScreen, ("runs",)),
        (Welcome, ("welcome",)),
        (HelpScreen, ("help",)),
        (SheetScreen, (*lists, "dataset")),
        (DatasetScreen, ("dataset",)),
        (ExploreScreen, ("explore",)),
        (ItemScreen, ("item",)),
        (FailuresScreen, ("failures",)),
        (CompareScreen, ("compare",)),
        (GuestScreen, ("guest",)),
        (Table, (*charts, *lists, "pin", "choose-model")),
        (ItemPicker, ("item-search",)),
        (DialogItemPicker, ("find-item",)),
        (CompareDialog, ("choose-model",)),
        (LeaveDialog, ("leave",)),
        (PinDialog, ("pin",)),
        (ConfirmDialog, ("confirm",)),
        (AskDialog, ("ask",)),
        (AnswerLine, ("ask",)),
        (Answers, ("ask", "confirm", "leave")),
    ))  # fmt: skip
