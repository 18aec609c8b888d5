"""The app: it opens a screen on a run directory, minds the terminal, and leaves a last word in its scrollback."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.console import RenderableType
from textual import events
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from neumf_tui.errors import RunError
from neumf_tui.runs.summary import status_object
from neumf_tui.terminal import (
    ask_background,
    clipboard_sequences,
    colour_depth,
    is_light,
    notice_sequences,
)
from neumf_tui.tui.config import Config
from neumf_tui.tui.terminal.differences import Cells, Difference
from neumf_tui.tui.terminal.driver import MeteredDriver
from neumf_tui.tui.terminal.themes import THEMES, choose_theme
from neumf_tui.views.output import say
from neumf_tui.views.runs import card_lines

if TYPE_CHECKING:
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.explore.users import Users

STALL_SECONDS = 0.3
"""Output that the terminal has not taken for so long is a stalled link: no more frames until it moves."""
SLOW_SECONDS = 1.0
"""And for so long a slow one: low bandwidth from then on."""
METER_SECONDS = 1.0
METER_WINDOW = 5
"""Readings over which the bytes a second are averaged."""
BACKGROUND_SECONDS = 1.0
"""Time for the terminal to tell its background; one that answers at all ends the wait at once."""
GRACE_SECONDS = 0.3
"""After a hang-up or SIGTERM the viewer has this long to leave by itself."""
RESTORE = (
    "\x1b[?2026l\x1b[?2048l\x1b[?1016l\x1b[?7h\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[<u\x1b[0m"
    "\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
"""Frame, size reports, line wrap, mouse, bracketed paste, keyboard protocol, colours, alternate screen, cursor, focus reports:
as the shell wants them."""


class NeumfApp(App[None]):
    """`screen` is `train`, `explore` or `runs`; `folder` is the run, None for the list of runs."""

    CSS_PATH = Path(__file__).with_name("app.tcss")
    TITLE = "neumf-tui"
    ENABLE_COMMAND_PALETTE = True
    # Typed by Textual as instance attributes, hence no ClassVar.
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [
        (0, "-narrow"),
        (100, "-wide"),
        (160, "-widest"),
    ]  # noqa: RUF012
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [
        (0, "-short"),
        (24, "-medium"),
        (32, "-tall"),
    ]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "question_mark,f1",
            "help",
            "Help",
            key_display="?",
            tooltip="Keys of this screen",
            id="app.help",
        ),
        Binding(
            "ctrl+z",
            "suspend_process",
            "Suspend",
            show=False,
            tooltip="Back to the shell; fg returns",
            id="app.suspend",
        ),
        Binding(
            "ctrl+l",
            "redraw",
            "Redraw",
            show=False,
            tooltip="Draw the whole screen anew",
            id="app.redraw",
        ),
        Binding(
            "ctrl+b",
            "bandwidth",
            "Low bandwidth",
            show=False,
            tooltip="One refresh a second, no mouse",
            id="app.bandwidth",
        ),
    ]

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
        """`user_id` and `epoch` are what the explore screen begins with."""
        self.config = config or Config()
        self.low_bandwidth = (
            low_bandwidth if low_bandwidth is not None else self.config.low_bandwidth == "on"
        )
        self._may_slow = low_bandwidth is None and self.config.low_bandwidth == "auto"
        no_color = "NO_COLOR" in os.environ  # read and taken away by Textual
        # Without colours the ANSI filter must be chosen here: a theme set later would leave greys.
        super().__init__(ansi_color=True if no_color else None)
        self.folder, self.home, self._first = folder, home, screen
        self._user_id, self._epoch = user_id, epoch
        self._no_color = no_color
        self._light = False
        self._cells = Cells()
        self._missed = False
        self._sent: deque[int] = deque([0], METER_WINDOW + 1)
        self._signal = 0
        self._leaving = self._left = False
        self._slowed = False
        self._code = 0
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self._theme_name()
        self.set_keymap(self.config.keys)

    def _theme_name(self) -> str:
        env = os.environ | ({"NO_COLOR": "1"} if self._no_color else {})
        return choose_theme(
            self.config.theme,
            env,
            self._light,
            self.low_bandwidth or colour_depth(os.environ) <= 16,
        )

    def run_to_end(self) -> int:
        """Run until the person leaves; the exit code, after a last word on how the run stands."""
        if self.config.theme == "auto" and (background := ask_background(BACKGROUND_SECONDS)):
            self._light = is_light(background)
            self.theme = self._theme_name()
        self.run(mouse=not self.low_bandwidth)
        self._left = True
        if self.return_code:
            return self.return_code
        if self.folder is not None:
            self._say_card(self.folder)
        if self._signal:
            os._exit(
                128 + self._signal
            )  # at once: taking the interpreter down takes as long as everything before
        return self._code

    def _say_card(self, folder: Path) -> None:
        """A short card for the scrollback; the exit code follows a run that failed while it was watched."""
        try:
            facts = status_object(folder)
        except RunError as error:
            say(f"neumf-tui: {error}")
            return
        for line in card_lines(facts):
            say(line)
        if self._first == "train" and facts["state"] in ("failed", "crashed"):
            self._code = 1

    # Screens.

    def on_mount(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            try:
                signal.signal(number, self._end_on_signal)
            except ValueError:
                break  # not the main thread: a test harness has the signals
        self.app_suspend_signal.subscribe(self, lambda _: self._cells.forget())
        self.app_resume_signal.subscribe(self, lambda _: self.action_redraw())
        self.set_interval(METER_SECONDS, self._meter)
        if self._first == "runs" or self.folder is None:
            self.open_runs()
        elif self._first == "train":
            self.open_train(self.folder)
        else:
            self.open_explore(self.folder, self._user_id, self._epoch)

    def open_train(self, folder: Path) -> None:
        from neumf_tui.tui.train.screen import TrainScreen

        self.push_screen(TrainScreen(folder, self.home))

    def open_explore(
        self, folder: Path, user_id: str | None = None, epoch: str | None = None
    ) -> None:
        from neumf_tui.tui.explore.screen import ExploreScreen

        self.push_screen(ExploreScreen(folder, self.home, user_id, epoch))

    def open_film(self, ranker: "Ranker", users: "Users", item: int) -> None:
        """The film's own screen: what is like it, and who gets it."""
        from neumf_tui.tui.item.screen import ItemScreen

        self.push_screen(ItemScreen(ranker, users, item))

    def open_user(self, user: int) -> None:
        """Back to the explore screen, with this user index chosen."""
        from neumf_tui.tui.explore.screen import ExploreScreen

        for screen in reversed(self.screen_stack):
            if isinstance(screen, ExploreScreen):
                self.pop_to(screen)
                screen.choose_who(user)
                return

    def open_runs(self) -> None:
        from neumf_tui.tui.runs.screen import RunsScreen

        for screen in self.screen_stack:
            if isinstance(screen, RunsScreen):
                self.pop_to(screen)
                return
        self.push_screen(RunsScreen(self.home))

    def pop_to(self, screen: Screen[None]) -> None:
        while self.screen is not screen:
            self.pop_screen()

    def exit(
        self, result: None = None, return_code: int = 0, message: RenderableType | None = None
    ) -> None:
        self._leaving = True
        super().exit(result, return_code, message)

    async def on_event(self, event: events.Event) -> None:
        """Keys typed ahead of the shell's prompt are the shell's: once it is left, the screen obeys none."""
        if not (self._leaving and isinstance(event, events.InputEvent)):
            await super().on_event(event)

    def action_help(self) -> None:
        if self.screen.query("HelpPanel"):
            self.action_hide_help_panel()
        else:
            self.action_show_help_panel()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Everything that has a key, and what Textual offers itself."""
        listed: set[str] = set()
        area = type(screen).__name__.removesuffix("Screen").lower()
        for active in screen.active_bindings.values():
            binding = active.binding
            if (
                active.enabled
                and binding.id
                and binding.description
                and binding.action not in listed
            ):
                listed.add(binding.action)
                text = f"{binding.tooltip or binding.description} ({self.get_key_display(binding)})"
                yield SystemCommand(
                    f"{area}: {binding.description}",
                    text,
                    self._runner(active.node, binding.action),
                )
        # Quitting and the keys' help are above, as this program does them.
        yield from (
            command
            for command in super().get_system_commands(screen)
            if command.title not in ("Quit", "Keys")
        )

    def _runner(self, node: object, action: str) -> Callable[[], object]:
        return lambda: self.call_later(self.run_action, action, node)

    # The terminal: what is sent, and how much of it.

    def get_driver_class(self) -> type[Driver]:
        found = super().get_driver_class()
        return MeteredDriver if found is LinuxDriver else found

    @property
    def stalled(self) -> bool:
        """Whether the terminal has stopped taking what is sent; nothing is read or drawn for it then."""
        return isinstance(self._driver, MeteredDriver) and self._driver.behind() > STALL_SECONDS

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if self.stalled:
            # A full queue would make this event loop wait for the link; what is missed is drawn when it moves again.
            self._missed = True
            return
        if isinstance(renderable, (LayoutUpdate, ChopsUpdate)):
            super()._display(screen, Difference(renderable, self._cells, self.size))
        else:
            super()._display(screen, renderable)

    def _meter(self) -> None:
        driver = self._driver
        if not isinstance(driver, MeteredDriver):
            return
        if driver.outlet.broken:
            self.exit(return_code=129)
            return
        if self._may_slow and not self.low_bandwidth and driver.behind() > SLOW_SECONDS:
            self.set_low_bandwidth(True)
            self._slowed = True
        if self._missed and not self.stalled:
            self._missed = False
            self.screen.refresh(layout=True)
        if self._slowed and not self.stalled:
            self._slowed = False
            self.notify(
                "The link is slow: low bandwidth is on (Ctrl-B)."
            )  # said now that it can be seen
        self._sent.append(driver.sent)

    @property
    def link_text(self) -> str:
        """Bytes a second over the last seconds; empty where they are not counted."""
        if not isinstance(self._driver, MeteredDriver):
            return ""
        rate = (self._sent[-1] - self._sent[0]) / max(1, len(self._sent) - 1) / METER_SECONDS
        return f"{rate / 1000:.1f} KB/s"

    @property
    def refresh_seconds(self) -> float:
        return 1.0 if self.low_bandwidth else 0.5

    def set_low_bandwidth(self, on: bool) -> None:
        self.low_bandwidth = on
        self.theme = self._theme_name()
        if self._driver is not None:
            self._driver.write(
                "\x1b[?1003l\x1b[?1000l\x1b[?1006l" if on else "\x1b[?1000h\x1b[?1003h\x1b[?1006h"
            )

    def action_bandwidth(self) -> None:
        self._may_slow = False
        self.set_low_bandwidth(not self.low_bandwidth)
        self.notify(f"Low bandwidth is {'on' if self.low_bandwidth else 'off'}.")

    def action_redraw(self) -> None:
        self._cells.forget()
        self.screen.refresh(layout=True)

    def tell(self, title: str, body: str) -> None:
        """Tell the person, who may be looking elsewhere: bell and desktop notice by the terminal, and on the screen."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(notice_sequences(title, body, self.config.notify, os.environ))
        self.notify(body, title=title, markup=False)

    def copy_to_clipboard(self, text: str) -> None:
        """To the terminal's clipboard if it obeys, which it does not tell, and to a file in any case."""
        self._copy(text, text, "")

    def offer(self, text: str, whole: str, rows: int, total: int) -> None:
        """The same for a long list: `text` with `rows` of it to the terminal, the `whole` with all `total` to the file."""
        self._copy(
            text,
            whole,
            f" ({rows:,} rows)" if rows == total else f" (the first {rows:,} of {total:,} rows)",
        )

    def _copy(self, text: str, whole: str, part: str) -> None:
        self._clipboard = text
        if self._driver is not None and not self.is_headless:
            self._driver.write(clipboard_sequences(text, os.environ))
        path = self.home / "clipboard.txt"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(whole.rstrip("\n") + "\n", encoding="utf-8")
        except OSError as error:
            self.notify(f"{path}: {error.strerror}", severity="error", markup=False)
        else:
            self.notify(
                f"Written to {path}, and offered to the terminal's clipboard{part}.", markup=False
            )

    # Signals.

    def _end_on_signal(self, number: int, _frame: object) -> None:
        """Leave in good order if the event loop can, and by force if it cannot: the link may be dead."""
        if self._signal:
            return
        self._signal = number
        threading.Thread(target=self._leave_by_force, daemon=True).start()
        if self._running and not self._closing:
            self.call_later(self.exit)

    def _leave_by_force(self) -> None:
        time.sleep(GRACE_SECONDS)
        import termios

        driver = self._driver
        if isinstance(driver, MeteredDriver) and not (
            self._left or (driver.restored and not driver.behind())
        ):
            attributes = driver.attrs_before
            try:
                fd = driver.fileno
                if attributes is not None:
                    termios.tcsetattr(fd, termios.TCSANOW, attributes)
                # Opened anew: whether writing waits is a property of the open file, and the shell has this one too.
                os.write(
                    os.open(os.ttyname(2), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK),
                    RESTORE.encode(),
                )
            except (OSError, termios.error):
                pass  # the terminal is gone
        os._exit(128 + self._signal)
