"""The app: it opens a screen on a run directory and leaves a last word in the terminal."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import ClassVar

from rich.console import RenderableType
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from neumf_tui.output import say
from neumf_tui.runs.reader import read_status
from neumf_tui.tui.difference import Cells, Difference
from neumf_tui.tui.driver import MeteredDriver

STALL_SECONDS = 0.3
"""Time after which output that the terminal has not taken counts as a stalled link."""


class NeumfApp(App[None]):
    """`screen` is `train` or `explore`."""

    CSS_PATH = Path(__file__).with_name("app.tcss")
    TITLE = "neumf-tui"
    ENABLE_COMMAND_PALETTE = True
    # Typed by Textual as instance attributes, hence no ClassVar.
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-short"), (24, "-medium"), (32, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "Help", key_display="?", tooltip="Keys of this screen", id="app.help"),
        Binding(
            "ctrl+z",
            "suspend_process",
            "Suspend",
            show=False,
            tooltip="Back to the shell; fg returns",
            id="app.suspend",
        ),
    ]

    def __init__(self, folder: Path, home: Path, screen: str) -> None:
        super().__init__()
        self.folder, self.home, self._first = folder, home, screen
        self._cells = Cells()
        self._missed = False

    def get_driver_class(self) -> type[Driver]:
        return MeteredDriver if super().get_driver_class() is LinuxDriver else super().get_driver_class()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(self._driver, MeteredDriver) and self._driver.behind() > STALL_SECONDS:
            # A full queue would make this event loop wait for the link; what is missed is drawn when it moves again.
            self._missed = True
            return
        if isinstance(renderable, (LayoutUpdate, ChopsUpdate)):
            renderable = Difference(renderable, self._cells, self.size)
        super()._display(screen, renderable)

    def on_mount(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            try:
                asyncio.get_running_loop().add_signal_handler(number, self.exit)
            except (RuntimeError, ValueError):
                break  # not the main thread: a test harness has the signals
        if self._first == "train":
            from neumf_tui.tui.train_screen import TrainScreen

            self.push_screen(TrainScreen(self.folder))
        else:
            self.open_explore(self.folder)

    def open_explore(self, folder: Path) -> None:
        from neumf_tui.tui.explore_screen import ExploreScreen

        self.push_screen(ExploreScreen(folder, self.home))

    def action_help(self) -> None:
        if self.screen.query("HelpPanel"):
            self.action_hide_help_panel()
        else:
            self.action_show_help_panel()

    def run_to_end(self) -> int:
        """Run until the person leaves; the exit code, after a last word on how the run stands."""
        self.run()
        if self.return_code:
            return self.return_code
        status = read_status(self.folder)
        name = self.folder.name
        if status.state in ("failed", "crashed"):
            say(f"neumf-tui: {name} {status.state}: {status.reason}")
            return status.exit_code or 1
        if status.state in ("starting", "running"):
            say(f"{name} trains on; neumf-tui attach {name} opens its screen again")
        elif self._first == "train":
            say(f"{name} {status.state} at epoch {status.epoch}; neumf-tui explore {name} shows what it learned")
        sys.stdout.flush()
        return 0
