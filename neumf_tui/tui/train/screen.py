"""The train screen: watch one run, and tell its trainer what to do."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Footer, RichLog, Static
from textual.worker import Worker, WorkerState

from neumf_tui.baselines.kept import KeptBaseline, KeptReader, strongest
from neumf_tui.errors import NeumfTuiError
from neumf_tui.explore.race import Race, RaceReader
from neumf_tui.runs import requests
from neumf_tui.runs.events import FINAL_STATES, Status
from neumf_tui.runs.reader import EventTail, read_info, read_status
from neumf_tui.runs.requests import send_request
from neumf_tui.runs.snapshot import Snapshot, fold
from neumf_tui.text import clean
from neumf_tui.tui.chart_screen import ChartScreen
from neumf_tui.tui.messages import BaselinesRead, Done, HostRead, RaceRead, ReadFailed, RunRead
from neumf_tui.tui.train import text as train_text
from neumf_tui.tui.train.leave_dialog import LeaveDialog
from neumf_tui.tui.train.race_table import RaceTable
from neumf_tui.tui.train.settings_panel import overview
from neumf_tui.tui.widgets import chart_text
from neumf_tui.tui.widgets.chart import CurveChart
from neumf_tui.tui.widgets.curves import RunSeries, loss_plot, metric_plot
from neumf_tui.tui.widgets.dialogs import AskDialog, ConfirmDialog
from neumf_tui.views.log import last_output, log_line

if TYPE_CHECKING:
    from neumf_tui.host import HostReader
    from neumf_tui.tui.app import NeumfApp

TICK_SECONDS = 0.25
HOST_SECONDS = 1.0
LINES_SECONDS = 0.9
"""Time between two looks of the lines with the clock and the progress, while nothing else happens."""
LOG_SECONDS = 2.0
"""Time between two additions to the log: each scrolls it, and a log that scrolls twice a second cannot be read anyway."""
OUTPUT_LINES = 12
"""Lines of the trainer's own output that are shown when it has failed or crashed."""
BASELINES = 3
"""Kept baselines drawn in the charts, beside popularity: with more the names have no room."""
PANES = ("charts", "race", "host", "log")
"""Panes by the number of their key."""


class TrainScreen(ChartScreen):
    """Charts, rank race, host and log of a run, read from its directory."""

    AUTO_FOCUS = ""  # the footer shows the screen's keys; Tab or 1 goes to the charts

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause", tooltip="Have the trainer wait", id="train.pause"),
        Binding("p", "go_on", "Go on", tooltip="End the pause", id="train.go-on"),
        Binding("s", "stop", "Stop", tooltip="Stop after this step, with a checkpoint", id="train.stop"),
        Binding("S", "stop_now", "Stop now", show=False, tooltip="Stop without a checkpoint", id="train.stop-now"),
        Binding("r", "resume", "Resume", tooltip="Train on from the last checkpoint", id="train.resume"),
        Binding("m", "extend", "More epochs", show=False, tooltip="Train for more epochs", id="train.extend"),
        Binding("m", "more", "More epochs", tooltip="Train for more epochs", id="train.more"),
        Binding("c", "checkpoint", "Save", tooltip="Checkpoint of where the run stands", id="train.checkpoint"),
        Binding("d", "detach", "Detach", tooltip="Leave; the training goes on", id="train.detach"),
        Binding("e", "explore", "Explore", tooltip="Users and their ranked films", id="train.explore"),
        Binding("space", "pin", "Pin", key_display="space", tooltip="Choose users for the rank race", id="train.pin"),
        Binding("x", "axis", "X axis", show=False, tooltip="Epochs, steps or time of training", id="train.axis"),
        Binding("y", "log_y", "Log y", show=False, tooltip="Logarithmic y, of the loss or the chart in focus", id="train.log-y"),
        Binding("t", "smooth", "Smooth", show=False, tooltip="Smoothing of the loss, on and off", id="train.smooth"),
        Binding("1", "pane('charts')", "Charts", show=False, tooltip="Go to the charts", id="train.charts"),
        Binding("2", "pane('race')", "Race", show=False, tooltip="Show or hide the rank race", id="train.race"),
        Binding("3", "pane('host')", "Host", show=False, tooltip="Show or hide the host", id="train.host"),
        Binding("4", "pane('log')", "Log", show=False, tooltip="Show or hide the log", id="train.log"),
        Binding("left_square_bracket", "side('overview')", "Settings", show=False, key_display="[",
                tooltip="Show or hide metrics, settings and protocol", id="train.overview"),
        Binding("right_square_bracket", "side('side')", "Side", show=False, key_display="]",
                tooltip="Show or hide this epoch and the host", id="train.side"),
        Binding("Y", "copy", "Copy", show=False, tooltip="Copy how the run stands", id="train.copy"),
        Binding("u", "runs", "Runs", tooltip="All runs", id="train.runs"),
        Binding("escape", "back", "Back", show=False, tooltip="End reading, full screen, or this screen", id="train.back"),
        Binding("q", "leave", "Quit", tooltip="Leave; the training can go on", id="train.leave"),
    ]  # fmt: skip

    def __init__(self, folder: Path, home: Path) -> None:
        super().__init__()
        self.folder, self.home = folder, home
        self.info = read_info(folder)
        self.series = RunSeries(self.info)
        self.status = Status(state="starting", pid=0)
        self.race = Race()
        self.baselines: list[KeptBaseline] = []
        self.pins: tuple[str, ...] | None = None
        """Pins of this window alone, where there is no trainer to keep them."""
        self._tail = EventTail(folder / "events.jsonl")
        self._races = RaceReader(folder, self.info, home)
        self._kept = KeptReader(home, self.info.dataset.fingerprint)
        self._raced: tuple[int, tuple[str, ...]] = (-1, ())
        self._host: HostReader | None = None
        self._reading = self._reading_host = False
        self._read_at = self._host_at = time.monotonic()
        self._logged = 0
        self._logged_at, self._logged_state = 0.0, ""
        self._lines_at, self._lines_state = 0.0, ""
        self._log_width = 0
        self._told = ""
        self._leave_at_end = False
        self._troubled = False
        """Whether the notice says what went wrong."""

    @property
    def snapshot(self) -> Snapshot:
        return self.series.snapshot

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        with Horizontal(id="body"):
            with VerticalScroll(id="overview"):
                yield Static(id="overview-text")
            with VerticalScroll(id="main", can_focus=False):
                with Horizontal(id="charts"):
                    yield CurveChart(id="loss")
                    yield CurveChart(id="hit")
                    yield CurveChart(id="auc")
                yield Static(id="progress")
                with Horizontal(id="lower"):
                    with VerticalScroll(id="lower-left", can_focus=False):
                        yield RaceTable(id="race")
                        yield RichLog(
                            id="log",
                            wrap=True,
                            min_width=20,
                            markup=False,
                            highlight=False,
                            max_lines=2_000,
                        )
                    with VerticalScroll(id="side", can_focus=False):
                        yield Static(id="epoch")
                        yield Static(id="host")
        yield Static(id="notice")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        titles = {
            "loss": "loss", "hit": "Hit@50", "auc": "AUC", "log": "log", "epoch": "this epoch", "host": "host",
            "race": "rank race", "overview": "run",
        }  # fmt: skip
        for name, title in titles.items():
            self.query_one(f"#{name}").border_title = title
        self._show_standing_notice()
        self.query_one("#log").can_focus = False
        self._draw()
        self._draw_overview()
        self.request_read()
        self.set_interval(TICK_SECONDS, self._tick)

    @property
    def _app(self) -> "NeumfApp":
        return cast("NeumfApp", self.app)

    # Reading.

    def _tick(self) -> None:
        """Look for news; of the host at the same time, so that both are one refresh."""
        now = time.monotonic()
        if now - self._read_at >= self._app.refresh_seconds - TICK_SECONDS / 2:
            self._read_at = now
            self.request_read()
            if now - self._host_at >= HOST_SECONDS - TICK_SECONDS / 2:
                self._host_at = now
                self.request_host()

    def request_read(self) -> None:
        """Ask for a read unless one is under way, so that a slow disk cannot pile them up."""
        if not self._reading and not self._app.stalled:
            self._reading = True
            self.read()

    @work(thread=True, group="read", exit_on_error=False)
    def read(self) -> None:
        try:
            if (kept := self._kept.read()) is not None:
                self.post_message(BaselinesRead(strongest(kept, BASELINES)))
            status = read_status(
                self.folder
            )  # before the events, so that a final state has them all
            events = self._tail.read()
            before = Snapshot() if self._tail.restarted else self.snapshot
            after = fold(before, events) if events else before
            self.post_message(RunRead(after, status))
            self._read_race(after)
        except (NeumfTuiError, OSError) as error:
            self.post_message(ReadFailed(str(error)))

    def _read_race(self, snapshot: Snapshot) -> None:
        """Read the tape where there is a new evaluation or another choice of users."""
        pinned = self.pinned_in(snapshot)
        epoch = snapshot.evaluations[-1].epoch if snapshot.evaluations else 0
        if (epoch, pinned) == self._raced:
            return
        self._raced = (epoch, pinned)
        try:
            self.post_message(RaceRead(self._races.read(pinned)))
        except NeumfTuiError as error:
            self.post_message(RaceRead(Race(), str(error)))

    def pinned_in(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Ids of the pinned users: this window's, the trainer's, or those given before the start."""
        if self.pins is not None:
            return self.pins
        return self.info.pins if snapshot.pinned is None else snapshot.pinned

    def request_host(self) -> None:
        ended = (
            self.status.state in FINAL_STATES and self._host is not None
        )  # looked at once more, and then left alone
        wanted = (
            not ended
            and not self._app.stalled
            and self.query_one("#host").display
            and self.snapshot.started
        )
        if wanted and not self._reading_host:
            self._reading_host = True
            self.read_host()

    @work(thread=True, group="host", exit_on_error=False)
    def read_host(self) -> None:
        from neumf_tui.host import HostReader

        if self._host is None:
            started = self.snapshot.started
            self._host = HostReader(self.status.pid, self.folder, started.gpu if started else "")
        self.post_message(HostRead(self._host.read()))

    def on_unmount(self) -> None:
        if self._host is not None:
            self._host.close()

    # What the workers post.

    def _show_notice(self, text: str, quiet: bool = False) -> None:
        self._troubled = True
        notice = self.query_one("#notice", Static)
        notice.set_class(quiet, "-quiet")
        notice.update(Text(clean(text)))

    def _show_standing_notice(self) -> None:
        text, careful = train_text.standing_notice(self.info, self.app.size.width - 2)
        self._show_notice(text, quiet=not careful)
        self._troubled = False

    @on(ReadFailed)
    def show_failure(self, message: ReadFailed) -> None:
        self._reading = False
        self._show_notice(message.text)
        if self.status.state != "damaged":
            self.status = Status(state="damaged", pid=0, reason=message.text)
            self._draw(charts=False)
            self.refresh_bindings()

    @on(Worker.StateChanged)
    def show_fault(self, event: Worker.StateChanged) -> None:
        """Whatever a worker did not turn into a message itself is still said."""
        if event.state is WorkerState.ERROR:
            self._reading = self._reading_host = False
            self._show_notice(f"{type(event.worker.error).__name__}: {event.worker.error}")

    @on(RunRead)
    def show_run(self, message: RunRead) -> None:
        self._reading = False
        before, changed = self.status, message.snapshot is not self.snapshot
        first_checkpoint = (
            message.snapshot.checkpoint is not None and self.snapshot.checkpoint is None
        )
        self.status = message.status
        if changed:
            self.series.take(message.snapshot)
        if before.state != self.status.state or first_checkpoint:
            self._state_changed(before.state)
        self._draw(charts=changed)
        ended = self.status.state in FINAL_STATES
        if ended and self._leave_at_end:
            self.app.exit()

    def _state_changed(self, before: str) -> None:
        self.call_after_refresh(self.refresh_bindings)
        state = self.status.state
        if before == "damaged":
            self._show_standing_notice()
        if before != state and self._host is not None:
            self._host.close()
            self._host = None  # another trainer has another process
        lived = before in ("running", "paused") or (before == "starting" and self._told)
        if lived and state in FINAL_STATES:
            found = self.snapshot.reported
            figure = f", Hit@50 {found.metrics['hit@50']:.4f}" if found else ""
            figure += (
                f" at epoch {found.epoch}, best by validation" if found and found.validation else ""
            )
            self._app.tell(f"{self.folder.name} {state}", f"epoch {self.status.epoch}{figure}")
        self._told = state

    @on(BaselinesRead)
    def show_baselines(self, message: BaselinesRead) -> None:
        if self.baselines != message.kept:
            self.baselines = message.kept
            if (
                self.snapshot.started
            ):  # else what has been read of the run follows at once, and is drawn with it
                self.draw_charts()

    @on(RaceRead)
    def show_race(self, message: RaceRead) -> None:
        self.race = message.race
        table = self.query_one(RaceTable)
        table.show_race(message.race, message.problem)
        self._draw_epoch()

    @on(HostRead)
    def show_host(self, message: HostRead) -> None:
        from neumf_tui.host import host_lines

        self._reading_host = False
        panel = self.query_one("#host", Static)
        panel.update(
            Text("\n".join(host_lines(message.reading, max(20, panel.content_size.width))))
        )

    @on(Done)
    def show_done(self, message: Done) -> None:
        self.notify(message.text, markup=False)
        self.request_read()

    # Drawing, only ever from what has been taken in.

    def _draw(self, charts: bool = True) -> None:
        now, state = time.monotonic(), self.status.state
        if state != self._lines_state or now - self._lines_at >= LINES_SECONDS:
            self._lines_at, self._lines_state = now, state
            self._draw_lines()
        self._write_log()
        if charts:
            self.draw_charts()
            self._draw_epoch()
            self._draw_overview()

    def _draw_lines(self) -> None:
        width = self.app.size.width
        head = train_text.head(
            self.info, self.folder.name, self.status, self.snapshot, self._app.link_text, width
        )
        self.query_one("#head", Static).update(head)
        line = self.query_one("#progress", Static)
        line.set_class(self.status.state in ("failed", "crashed"), "-failed")
        line.set_class(self.status.state == "finished" and bool(self.status.reason), "-early")
        line.update(
            train_text.progress(
                self.info, self.status, self.snapshot, self.query_one("#main").size.width
            )
        )

    def draw_charts(self) -> None:
        snapshot, runs = self.snapshot, [self.series]
        narrow = self.has_class("-narrow")
        loss = self.query_one("#loss", CurveChart)
        missing = int((snapshot.points.losses != snapshot.points.losses).sum())
        now = f"loss {snapshot.epochs[-1].loss:.4f}" if snapshot.epochs else "loss"
        loss.border_title = f"{now}  {missing} not finite" if missing else now
        loss.show(loss_plot(runs, self.axis, self.smooth), "" if narrow else self.controls)
        for name, key, title in (("hit", "hit@50", "Hit@50"), ("auc", "auc", "AUC")):
            chart = self.query_one(f"#{name}", CurveChart)
            # The narrow layout has no lower border; what stands there goes up. The other has corners.
            width = chart.outer_size.width - (2 if narrow else 5)
            text = chart_text.both if narrow else chart_text.upper
            chart.border_title = text(snapshot, key, title, width)
            chart.show(
                metric_plot(runs, self.axis, key, self.baselines),
                chart_text.lower(snapshot, key, width),
            )

    def _draw_epoch(self) -> None:
        panel = self.query_one("#epoch", Static)
        panel.update(
            train_text.epoch_panel(self.race, self.snapshot, max(20, panel.content_size.width))
        )

    def _draw_overview(self) -> None:
        if self.query_one("#overview").display:
            self.query_one("#overview-text", Static).update(overview(self.info, self.snapshot))

    def _write_log(self) -> None:
        log = self.query_one("#log", RichLog)
        quiet = (
            self.status.state == self._logged_state
            and time.monotonic() - self._logged_at < LOG_SECONDS
        )
        if quiet:
            return
        self._logged_at, self._logged_state = time.monotonic(), self.status.state
        if len(self.snapshot.log) < self._logged:
            log.clear()
            self._logged = 0
        for when, text in self.snapshot.log[self._logged :]:
            log.write(Text(log_line(when, text)))
        self._logged = len(self.snapshot.log)
        broken = self.status.state in ("failed", "crashed")
        if broken and not log.has_class("-broken"):
            for line in last_output(self.folder, OUTPUT_LINES):
                log.write(Text(f"trainer:  {line}"))
        log.set_class(broken, "-broken")

    def on_resize(self) -> None:
        self._lines_at = 0.0
        if not self._troubled:
            self._show_standing_notice()
        self.call_after_refresh(self._wrap_log_anew)
        self.call_after_refresh(self._draw)

    def _wrap_log_anew(self) -> None:
        """A log breaks its lines when they are written."""
        log = self.query_one("#log", RichLog)
        if log.size.width != self._log_width:
            self._log_width = log.size.width
            log.clear()
            log.remove_class("-broken")
            self._logged, self._logged_at = 0, 0.0
            self._write_log()

    # Keys. What is asked of the trainer shows when it answers, in every window that watches it.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        state = self.status.state
        ended = state in FINAL_STATES or state == "damaged"
        match action:
            case "pause":
                return state in ("starting", "running")
            case "go_on":
                return state == "paused"
            case "stop" | "stop_now" | "checkpoint" | "detach":
                return not ended
            case "resume":
                return ended and state not in ("finished", "damaged")
            case "pin":
                return state != "damaged"
            case "more":
                return state == "finished"
            case "extend":
                return state not in ("finished", "damaged")
            case "explore":
                return self.snapshot.checkpoint is not None
        return True

    def _request(self, what: str, said: str, argument: str = "") -> None:
        try:
            send_request(self.folder, what, argument)
        except OSError as error:  # the run was removed, say, or the disk is full
            self.notify(str(error), severity="error", markup=False)
        else:
            self.notify(said, markup=False)

    def action_pause(self) -> None:
        self._request(requests.PAUSE, "Pausing after this step.")

    def action_go_on(self) -> None:
        self._request(requests.RESUME, "Going on.")

    def action_checkpoint(self) -> None:
        self._request(requests.CHECKPOINT, "Saving after this step.")

    def action_stop(self) -> None:
        self._request(requests.STOP, "Stopping after this step, with a checkpoint.")

    def action_stop_now(self) -> None:
        def answer(sure: bool | None) -> None:
            if sure:
                self.do("", self._stopped_now)

        question = "Stop without a checkpoint? What was trained since the last one is lost."
        self.app.push_screen(ConfirmDialog(question, "stop it"), answer)

    def _stopped_now(self) -> str:
        from neumf_tui.runs.control import stop_now

        return f"{self.folder.name} is {stop_now(self.folder).state}."

    def action_resume(self) -> None:
        self.do("Training on from the last checkpoint.", self._train_on)

    def _train_on(self, epochs: int | None = None) -> None:
        from neumf_tui.runs.control import train_on
        from neumf_tui.runs.start import check_data

        check_data(self.folder, self.home)
        train_on(self.folder, epochs)

    def action_more(self) -> None:
        self.action_extend()

    def action_extend(self) -> None:
        planned, done = self.series.planned, self.status.epoch

        def answer(text: str | None) -> None:
            if text is None:
                return
            if self.status.state in FINAL_STATES:
                self.do(f"Training on to epoch {text}.", lambda: self._train_on(int(text)))
            else:
                self._request(requests.EXTEND, f"Training to epoch {text}.", text)

        def check(text: str) -> str:
            return (
                ""
                if text.isdecimal() and int(text) > done
                else f"expected a whole number above {done}, the epochs done"
            )

        self.app.push_screen(
            AskDialog(f"Epochs in all (now {planned})", str(2 * planned), check), answer
        )

    def action_pin(self) -> None:
        from neumf_tui.tui.train.pin_dialog import PinDialog

        self.app.push_screen(
            PinDialog(self.folder, self.home, self.pinned_in(self.snapshot)), self._pin
        )

    def _pin(self, wanted: tuple[str, ...] | None) -> None:
        """Ask the trainer for the pins that were chosen; without a trainer they are this window's own."""
        pinned = self.pinned_in(self.snapshot)
        if wanted is None or wanted == pinned:
            return
        if self.status.state in FINAL_STATES:
            self.pins = wanted
            self.request_read()
            return
        for user in pinned:
            if user not in wanted:
                self._request(requests.UNPIN, f"Unpinning {user}.", user)
        for user in wanted:
            if user not in pinned:
                self._request(requests.PIN, f"Pinning {user}.", user)

    def action_pane(self, pane: str) -> None:
        if pane == "charts":
            self.query_one("#loss").focus()
            return
        if self.has_class("-narrow"):
            shown = next(
                (p for p in PANES[1:] if self.has_class(f"-show-{p}")),
                "" if self.has_class("-short") else "race",
            )
            for name in PANES:
                self.set_class(
                    name == pane and (shown != pane or self.has_class("-hide-lower")),
                    f"-show-{name}",
                )
            self.set_class(shown == pane and not self.has_class("-hide-lower"), "-hide-lower")
        else:
            self.toggle_class(f"-hide-{pane}")
        self.call_after_refresh(self._draw)

    def action_side(self, side: str) -> None:
        if side == "overview":
            self.toggle_class("-show-overview" if self.app.size.width < 160 else "-hide-overview")
            self.call_after_refresh(self._look_into_overview)
        elif not self.has_class("-narrow"):
            self.toggle_class("-hide-side")
        else:
            self.action_pane("host")
        self.call_after_refresh(self._draw)

    def _look_into_overview(self) -> None:
        """The panel has the arrow keys while it is all that is shown, and the charts have their new width."""
        overview = self.query_one("#overview")
        if overview.display and not self.query_one("#main").display:
            overview.focus()
        self._wrap_log_anew()

    def action_copy(self) -> None:
        from neumf_tui.runs.summary import run_facts
        from neumf_tui.views.runs import card_lines

        lines = card_lines(run_facts(self.folder, self.info, self.status, self.snapshot))
        self._app.copy_to_clipboard("\n".join(lines))

    def action_explore(self) -> None:
        self._app.open_explore(self.folder)

    def action_runs(self) -> None:
        self._app.open_runs()

    def action_back(self) -> None:
        if not self.end_aside() and len(self.app.screen_stack) > 2:
            self.dismiss()

    def action_detach(self) -> None:
        self.app.exit()

    def action_leave(self) -> None:
        if len(self.app.screen_stack) > 2:
            self.dismiss()
        elif self.status.state in FINAL_STATES or self.status.state == "damaged":
            self.app.exit()
        else:
            self.app.push_screen(LeaveDialog(), self._leave)

    def _leave(self, choice: str | None) -> None:
        if choice == "leave":
            self.app.exit()
        elif choice == "stop":
            self._leave_at_end = True
            self.action_stop()
