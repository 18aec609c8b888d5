"""The train screen: watch one run, and control its trainer."""

import time
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import getters
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll

from neumf_tui.baselines.kept import KeptBaseline
from neumf_tui.errors import NeumfTuiError
from neumf_tui.explore.race import Race
from neumf_tui.host import HostReading
from neumf_tui.runs import requests
from neumf_tui.runs.access import why_read_only
from neumf_tui.runs.events import FINAL_STATES, Status
from neumf_tui.runs.reader import read_info, read_status
from neumf_tui.runs.requests import send_request
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.tui.chart_screen import ChartScreen
from neumf_tui.tui.keys import bindings, hidden, shown
from neumf_tui.tui.navigation import OpenDataset, OpenExplorer, OpenRuns
from neumf_tui.tui.terminal.footer import Footer
from neumf_tui.tui.train import text as train_text
from neumf_tui.tui.train.follow import HostFollower, RunFollower, RunReading
from neumf_tui.tui.train.layout import toggle_pane, toggle_settings, toggle_side
from neumf_tui.tui.train.leave_dialog import LeaveDialog
from neumf_tui.tui.train.log import RunLog
from neumf_tui.tui.train.pin_dialog import PinDialog
from neumf_tui.tui.train.pinned_users import PinnedUserTable
from neumf_tui.tui.train.settings_panel import Overview
from neumf_tui.tui.widgets import chart_text
from neumf_tui.tui.widgets.chart import Plot
from neumf_tui.tui.widgets.chart_pane import ChartPane
from neumf_tui.tui.widgets.chart_text import Caption
from neumf_tui.tui.widgets.curves import ChartKey, RunSeries, chart_keys, plot_of
from neumf_tui.tui.widgets.fitted_text import FittedText
from neumf_tui.tui.widgets.protocol_line import notice_lines, standing_notice
from neumf_tui.views.host import host_lines

ENDED_SECONDS = 5.0
"""Time between two readings of a run that has ended; it may be resumed elsewhere."""
LINES_SECONDS = 0.9
"""Least time between two changes of the lines with clock and progress in the same state."""
STEERING = frozenset(
    {"pause", "go_on", "stop", "stop_now", "resume", "checkpoint", "more", "extend"}
)
"""Actions on a trainer, which only accounts that may write the run have."""


class TrainScreen(ChartScreen):
    """Charts, rank race, host and log of a run, read from its directory."""

    AUTO_FOCUS = ""  # the footer shows the screen's keys; Tab or 1 goes to the charts

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "train",
        shown("p", "pause", "Pause", "Pause training after the current step"),
        shown("p", "go_on", "Go on", "End the pause"),
        shown("s", "stop", "Stop", "Stop with a checkpoint; asks first"),
        hidden("S", "stop_now", "Stop now", "Stop without a checkpoint"),
        shown("r", "resume", "Resume", "Continue training from the last checkpoint"),
        hidden("m", "extend", "More epochs", "Train for more epochs"),
        shown("m", "more", "More epochs", "Train for more epochs"),
        shown("c", "checkpoint", "Save", "Save a checkpoint after the current step"),
        shown("d", "detach", "Detach", "Quit; the training goes on"),
        shown("e", "explore", "Explore", "Users and their ranked {items}"),
        hidden("D", "dataset", "Dataset", "What the dataset is, and how it is split"),
        shown("space", "pin", "Pin", "Choose users for the rank race", display="space"),
        hidden("enter", "alone", "Full screen", "Show one chart alone; Enter or Esc goes back"),
        hidden("1", "pane('charts')", "Charts", "Go to the charts", key_id="charts"),
        hidden("2", "pane('race')", "Race", "Show or hide the rank race", key_id="race"),
        hidden("3", "pane('host')", "Host", "Show or hide the host", key_id="host"),
        hidden("4", "pane('log')", "Log", "Show or hide the log", key_id="log"),
        hidden("left_square_bracket", "settings", "Settings", display="[",
               about="Show or hide metrics, settings and protocol", key_id="overview"),
        hidden("right_square_bracket", "side", "Side", display="]",
               about="Show or hide this epoch and the host"),
        hidden("Y", "copy", "Copy", "Copy how the run stands"),
        shown("u", "runs", "Runs", "All runs"),
        hidden("escape", "back", "Back", "Stop reading values, end full screen, or leave"),
        shown("q", "leave", "Back", "Leave this screen; the training can go on"),
    )  # fmt: skip

    TITLES: ClassVar = {
        "log": "log",
        "epoch": "this epoch",
        "host": "host",
        "race": "rank race",
        "overview": "run",
    }

    log_pane = getters.query_one(RunLog)

    def __init__(self, folder: Path, home: Path) -> None:
        super().__init__()
        self.folder, self.home = folder, home
        self.info = read_info(folder)
        self.noun = self.info.dataset.noun
        self.series = RunSeries(self.info)
        self.read_only = why_read_only(folder)
        self.status = Status(state="starting", pid=0)
        self.race = Race()
        self.baselines: list[KeptBaseline] = []
        self.pins: tuple[str, ...] | None = None
        """Pinned users of this window alone, where there is no trainer to keep them."""
        follower = RunFollower(folder, self.info, home, self.pinned_in)
        self.reader = self.poll(
            "run", lambda _: follower.read(), self.show_run, self.show_unreadable, self._pause
        )
        self._host = HostFollower(folder)
        self._host_reading: HostReading | None = None
        self._lines_at, self._lines_state = 0.0, ""
        self._last_state = ""
        self._leave_at_end = False
        self._has_read = False

    @property
    def snapshot(self) -> Snapshot:
        return self.series.snapshot

    @property
    def ended(self) -> bool:
        """Whether no trainer works on this run."""
        return self.status.state in FINAL_STATES or self.status.state == "damaged"

    def compose(self) -> ComposeResult:
        yield FittedText(id="head")
        with Horizontal(id="body"):
            yield Overview(self.info)
            with VerticalScroll(id="main", can_focus=False):
                yield ChartPane(turned_by="g")
                yield FittedText(id="progress")
                with Horizontal(id="lower"):
                    with VerticalScroll(id="lower-left", can_focus=False):
                        yield PinnedUserTable(self.noun, id="race")
                        yield RunLog(self.folder)
                    with VerticalScroll(id="side", can_focus=False):
                        yield FittedText(id="epoch")
                        yield FittedText(id="host")
        yield FittedText(id="notice", classes="standing")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._show_standing_notice()
        self._draw()

    def on_unmount(self) -> None:
        self._host.close()

    # Reading.

    def _pause(self) -> float:
        return ENDED_SECONDS if self.ended else self.app.refresh_seconds

    def show_run(self, reading: RunReading) -> None:
        before, after = self.snapshot, reading.snapshot
        changed = after is not before or reading.baselines is not self.baselines
        self.query_one(PinnedUserTable).make_room(len(self.pinned_in(after)))
        if reading.race is None:
            self.call_later(self.reader.now)
        elif reading.race is not self.race:
            self.race = reading.race
            self.query_one(PinnedUserTable).show_race(reading.race, reading.race_problem)
            changed = True
        first_checkpoint = after.checkpoint is not None and before.checkpoint is None
        state_before, self.status = self.status.state, reading.status
        self.baselines = reading.baselines
        if after is not before:
            self.series.update(after)
        if after.alarms != before.alarms:
            self._show_standing_notice()
            if self._has_read:
                self.tell_alarms(self.folder.name, before.alarms, after.alarms)
        if state_before != self.status.state or first_checkpoint:
            self._state_changed(state_before)
        self._draw(charts=changed)
        self._has_read = True
        self._ask_host()
        if self.ended and self._leave_at_end:
            self.app.exit()

    def _state_changed(self, before: str) -> None:
        self.call_after_refresh(self.refresh_bindings)
        state = self.status.state
        if before == "damaged":
            self._show_standing_notice()
        # A run that had ended when this screen was opened starts with "starting", too.
        lived = before in ("running", "paused") or (before == "starting" and self._last_state)
        if lived and state in FINAL_STATES:
            found = self.snapshot.reported
            figure = f", Hit@50 {found.metrics['hit@50']:.4f}" if found else ""
            if found and found.validation:
                figure += f" at epoch {found.epoch}, best by validation"
            self.app.tell(f"{self.folder.name} {state}", f"epoch {self.status.epoch}{figure}")
        self._last_state = state

    def show_unreadable(self, problem: str) -> None:
        self.show_notice(problem)
        if self.status.state != "damaged":
            self.status = Status(state="damaged", pid=0, reason=problem)
            self._draw(charts=False)
            self.refresh_bindings()

    @property
    def drawn_folders(self) -> list[Path]:
        return [self.folder]

    def pinned_in(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Return the pinned users' ids: this window's, the trainer's, or those of the start."""
        if self.pins is not None:
            return self.pins
        return self.info.pins if snapshot.pinned is None else snapshot.pinned

    def _ask_host(self) -> None:
        started, host = self.snapshot.started, self._host
        if started and self.query_one("#host").display and host.due(self.ended):
            pid = self.status.pid
            self.ask("host", lambda _: host.read(pid, started.gpu), self.show_host)

    def show_host(self, reading: HostReading) -> None:
        """Keep the reading; it is drawn with the next one of the run, which saves a frame."""
        first, self._host_reading = self._host_reading is None, reading
        if first or self.ended:
            self._draw_host()

    # Drawing.

    def _draw(self, charts: bool = True) -> None:
        now, state = time.monotonic(), self.status.state
        if state != self._lines_state or now - self._lines_at >= LINES_SECONDS:
            self._lines_at, self._lines_state = now, state
            self._draw_lines()
        self._draw_host()
        self.log_pane.show(self.snapshot, state)
        if charts:
            self.draw_charts()
            self._draw_epoch()
            self.query_one(Overview).show(self.snapshot)

    def _draw_lines(self) -> None:
        info, status, snapshot = self.info, self.status, self.snapshot
        # An ended run is read too rarely for a current figure, and nothing is sent for it.
        link, name = "" if self.ended else self.app.link_text, self.folder.name
        self.show_text("#head", lambda w: train_text.head(info, name, status, snapshot, link, w))
        self.show_text("#progress", lambda w: train_text.progress_line(info, status, snapshot, w))

    def draw_charts(self) -> None:
        self.charts.show(chart_keys([self.series]), self._draw_chart)

    def _draw_chart(self, key: ChartKey) -> tuple[Plot, Caption]:
        plot = plot_of(key, [self.series], self.axis, self.smooth, self.baselines)
        match key.kind:
            case "loss":
                return plot, chart_text.loss_caption(self.snapshot, self.controls)
            case "metric":
                return plot, chart_text.metric_caption(self.snapshot, key.name, self.series.is_flat)
            case "logged":
                return plot, chart_text.logged_caption(self.snapshot, key.name)

    def _draw_epoch(self) -> None:
        race, snapshot = self.race, self.snapshot
        self.show_text("#epoch", lambda width: train_text.epoch_panel(race, snapshot, width))

    def _draw_host(self) -> None:
        if (reading := self._host_reading) is not None:
            self.show_text("#host", lambda width: Text("\n".join(host_lines(reading, width))))

    def _show_standing_notice(self) -> None:
        alarms, careful = self.snapshot.alarms.values(), standing_notice([self.info], 0)[1]

        def protocol(room: int) -> str:
            return standing_notice([self.info], room)[0]

        def lines(width: int) -> str:
            return notice_lines(alarms, self.read_only, protocol, width)

        self.show_notice(lines, quiet=not (careful or alarms))

    # Keys. The trainer's answer to a request shows in every window that watches it.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        state, is_trained = self.status.state, self.info.is_trained
        if self.read_only and action in STEERING:
            return False
        match action:
            case "checkpoint" | "resume" | "more" | "extend" if not is_trained:
                return False
            case "pause":
                return state in ("starting", "running")
            case "go_on":
                return state == "paused"
            case "stop" | "stop_now" | "checkpoint" | "detach":
                return not self.ended
            case "resume":
                return self.ended and state not in ("finished", "damaged")
            case "pin":
                return state != "damaged"
            case "more":
                return state == "finished"
            case "extend":
                return state not in ("finished", "damaged")
            case "explore":
                # The rank tape of a run that is not ours is enough for a part of the explorer.
                has_ranks = not is_trained and bool(self.snapshot.evaluations)
                return has_ranks or self.snapshot.checkpoint is not None
        return super().check_action(action, parameters)

    def _request(self, what: str, done: str, argument: str = "") -> None:
        self.change(lambda: send_request(self.folder, what, argument), done)

    def action_pause(self) -> None:
        self._request(requests.PAUSE, "Pausing after the current step.")

    def action_go_on(self) -> None:
        self._request(requests.RESUME, "Continuing.")

    def action_checkpoint(self) -> None:
        self._request(requests.CHECKPOINT, "Saving after the current step.")

    def action_stop(self) -> None:
        saves = "Save a checkpoint and stop the training?"
        asks = "Ask the loop to stop? It decides when it looks, and what it keeps."
        self.confirm(saves if self.info.is_trained else asks, "Stop", self._stop)

    def _stop(self) -> None:
        saves = "Stopping after the current step, with a checkpoint."
        self._request(
            requests.STOP, saves if self.info.is_trained else "The loop is asked to stop."
        )

    def action_stop_now(self) -> None:
        from neumf_tui.runs.control import stop_now

        def stop() -> str:
            return f"{self.folder.name} is {stop_now(self.folder).state}."

        question = "Stop without a checkpoint? The steps since the last checkpoint are lost."
        if not self.info.is_trained:
            question = "Stop the loop? Its process is killed if it does not end in 10 seconds."
        self.confirm(question, "Stop", lambda: self.change(stop))

    def action_resume(self) -> None:
        self.change(self._train_on, "Continuing from the last checkpoint.")

    def _train_on(self, epochs: int | None = None) -> None:
        from neumf_tui.runs.control import train_on
        from neumf_tui.runs.create_run import check_data

        check_data(self.folder, self.home)
        train_on(self.folder, self.home, epochs)

    def action_more(self) -> None:
        self.action_extend()

    def action_extend(self) -> None:
        planned, done = self.series.planned, self.status.epoch

        def check(text: str) -> str:
            good = text.isdecimal() and int(text) > done
            return "" if good else f"type a whole number above {done}, the epochs done"

        def extend(text: str) -> None:
            if self.ended:
                self.change(lambda: self._train_on(int(text)), f"Training up to epoch {text}.")
            else:
                self._request(requests.EXTEND, f"Training up to epoch {text}.", text)

        question = f"Number of epochs in all (now {planned})"
        self.ask_line(question, str(2 * planned), check, "Train", extend)

    def action_pin(self) -> None:
        pinned = self.pinned_in(self.snapshot)
        self.app.push_screen(PinDialog(self.folder, self.home, self.noun, pinned), self._pin)

    def _pin(self, wanted: tuple[str, ...] | None) -> None:
        """Ask the trainer to pin these users; without a trainer they are this window's own."""
        pinned = self.pinned_in(self.snapshot)
        if wanted is None or wanted == pinned:
            return
        if self.ended or self.read_only:
            self.pins = wanted
            self.reader.now()
            return

        def send() -> str:
            changes = [(requests.UNPIN, user) for user in pinned if user not in wanted]
            changes += [(requests.PIN, user) for user in wanted if user not in pinned]
            for what, user in changes:
                send_request(self.folder, what, user)
            return f"Pinning {', '.join(wanted)}." if wanted else "Unpinning all users."

        self.change(send)

    def action_pane(self, pane: str) -> None:
        if pane != "charts":
            toggle_pane(self, pane)
        elif self.charts.shown:
            self.charts.shown[0].focus()

    def action_alone(self) -> None:
        if self.charts.shown:
            self.charts.shown[0].focus()
            self.charts.shown[0].action_maximize()

    def action_settings(self) -> None:
        toggle_settings(self)
        self.call_after_refresh(self._focus_settings)

    def _focus_settings(self) -> None:
        """Give the settings the arrow keys where nothing else is shown."""
        settings = self.query_one("#overview")
        if settings.display and not self.query_one("#main").display:
            settings.focus()

    def action_side(self) -> None:
        toggle_side(self)

    def action_copy(self) -> None:
        from neumf_tui.runs.summary import run_facts
        from neumf_tui.views.runs import card_lines

        facts = run_facts(self.folder, self.info, self.status, self.snapshot)
        self.app.copy_to_clipboard("\n".join(card_lines(facts)))

    def action_explore(self) -> None:
        self.navigate(OpenExplorer(self.folder))

    def action_dataset(self) -> None:
        self.navigate(OpenDataset(self.folder))

    def action_runs(self) -> None:
        self.navigate(OpenRuns())

    def action_detach(self) -> None:
        self.app.exit()

    def leave_question(self) -> LeaveDialog | None:
        state = "damaged"
        with suppress(NeumfTuiError):  # read again: a screen that is covered follows no run
            state = read_status(self.folder).state
        has_ended = state in (*FINAL_STATES, "damaged")
        return None if has_ended or self.read_only else LeaveDialog(self.info.is_trained)

    def may_quit(self, answer: str | None) -> bool:
        if answer == "stop":
            while self.app.screen is not self:
                self.app.pop_screen()
            self._leave_at_end = True
            self._stop()
        return answer == "leave"
