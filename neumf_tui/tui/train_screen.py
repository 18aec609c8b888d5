"""The train screen: watch one run."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Footer, RichLog, Static
from textual.worker import Worker, WorkerState

from neumf_tui.errors import NeumfTuiError
from neumf_tui.runs.events import FINAL_STATES, RunInfo, Status
from neumf_tui.runs.reader import EventTail, Snapshot, fold, read_info, read_status
from neumf_tui.runs.requests import STOP, send_request
from neumf_tui.text import clean, clock, si
from neumf_tui.tui.leave_dialog import LeaveDialog
from neumf_tui.tui.messages import ReadFailed, RunRead
from neumf_tui.tui.widgets.chart import Curve, CurveChart, smooth

if TYPE_CHECKING:
    from neumf_tui.tui.app import NeumfApp

REFRESH_SECONDS = 0.5
MAX_POINTS = 2_000
"""Points of a curve that are drawn; a chart has fewer columns than that."""
STATE_STYLES = {"running": "green", "starting": "cyan", "finished": "green", "stopped": "yellow"}


class TrainScreen(Screen[None]):
    """Charts, progress and log of a run, read from its directory twice a second."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop", "Save & stop", tooltip="Stop after this step, with a checkpoint", id="train.stop"),
        Binding("e", "explore", "Explore", tooltip="Users and their ranked films", id="train.explore"),
        Binding("q", "leave", "Quit", tooltip="Leave; the training can go on", id="train.leave"),
    ]

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.info: RunInfo = read_info(folder)
        self.snapshot = Snapshot()
        self.status = Status(state="starting", pid=0)
        self._tail = EventTail(folder / "events.jsonl")
        self._reading = False
        self._logged = 0
        self._leave_at_end = False

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        with Horizontal(id="charts"):
            yield CurveChart(id="loss")
            yield CurveChart(id="hit")
            yield CurveChart(id="auc")
        yield Static(id="progress")
        with Horizontal(id="lower"):
            yield RichLog(id="log", wrap=True, markup=False, highlight=False, max_lines=2_000)
            yield Static(id="figures")
        yield Static(id="notice")
        yield Footer()

    def on_mount(self) -> None:
        for name, title in (
            ("loss", "loss"),
            ("hit", "Hit@50"),
            ("auc", "AUC"),
            ("log", "log"),
            ("figures", "metrics"),
        ):
            self.query_one(f"#{name}").border_title = title
        self.query_one("#notice", Static).update(Text(self._notice()))
        self.query_one("#log").can_focus = False
        self._draw_head()
        self._draw_progress()
        self.request_read()
        self.set_interval(REFRESH_SECONDS, self.request_read)

    def _notice(self) -> str:
        """What stands on the screen for as long as it is open."""
        texts = []
        if self.info.dataset.simulated:
            fallback = [n for n in self.info.dataset.notices if n.startswith("demo data")]
            texts.append(clean(fallback[0]) if fallback else "simulated viewers")
        if self.info.settings.get("exclude_heldout"):
            texts.append("Hit@50 flattered: held-out items are never negatives")
        return " · ".join(texts)

    def request_read(self) -> None:
        """Ask for a read unless one is under way, so that a slow disk cannot pile them up."""
        if not self._reading:
            self._reading = True
            self.read()

    @work(thread=True, group="read", exit_on_error=False)
    def read(self) -> None:
        try:
            status = read_status(self.folder)  # before the events, so that a final state has them all
            events = self._tail.read()
            before = Snapshot() if self._tail.restarted else self.snapshot
            self.post_message(RunRead(fold(before, events) if events else before, status))
        except (NeumfTuiError, OSError) as error:
            self.post_message(ReadFailed(str(error)))

    @on(ReadFailed)
    def show_failure(self, message: ReadFailed) -> None:
        self._reading = False
        self.query_one("#notice", Static).update(Text(clean(message.text)))

    @on(Worker.StateChanged)
    def show_fault(self, event: Worker.StateChanged) -> None:
        """Whatever a worker did not turn into a message itself is still said."""
        if event.state is WorkerState.ERROR:
            self.show_failure(ReadFailed(f"{type(event.worker.error).__name__}: {event.worker.error}"))

    @on(RunRead)
    def show_run(self, message: RunRead) -> None:
        self._reading = False
        changed = message.snapshot is not self.snapshot
        ended = message.status.state in FINAL_STATES
        if ended != (self.status.state in FINAL_STATES):
            self.call_after_refresh(self.refresh_bindings)
        self.snapshot, self.status = message.snapshot, message.status
        self._draw_head()
        self._draw_progress()
        if changed:
            self._draw_charts()
            self._draw_figures()
            self._write_log()
        if ended and self._leave_at_end:
            self.app.exit()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "stop":
            return self.status.state not in FINAL_STATES
        if action == "explore":
            return self.snapshot.checkpoint is not None
        return True

    def _draw_head(self) -> None:
        info, status = self.info, self.status
        started, finished = self.snapshot.started, self.snapshot.finished
        seconds = 0.0
        if started:
            seconds = (finished.t if finished else status.t if status.state == "crashed" else time.time()) - started.t
        left = Text.assemble(
            ("neumf-tui", "bold"), " ▸ train  ", (clean(info.name), "bold"),
            f"  {info.dataset.label}  {info.preset}  {status.device}",
        )  # fmt: skip
        state = Text(f"● {status.state} {clock(seconds)}", STATE_STYLES.get(status.state, "bold red"))
        room = self.app.size.width - 2 - state.cell_len
        left.truncate(room - 1, overflow="ellipsis")
        left.pad_right(max(1, room - left.cell_len))
        self.query_one("#head", Static).update(left + state)

    def _draw_progress(self) -> None:
        progress = self.query_one("#progress", Static)
        progress.set_class(self.status.state in ("failed", "crashed"), "-failed")
        progress.update(self._progress_text())

    def _progress_text(self) -> Text:
        snapshot, epochs = self.snapshot, self.info.epochs
        if self.status.state in ("failed", "crashed"):
            return Text(clean(self.status.reason), "bold red")
        if snapshot.started is None:
            return Text("starting the trainer (loading PyTorch takes a moment)")
        per_epoch = snapshot.started.steps
        done = snapshot.steps[-1] if snapshot.steps else 0
        total = per_epoch * epochs
        share = done / total if total else 1.0
        epoch = min(epochs, done // per_epoch + 1)
        parts = [f"epoch {epoch}/{epochs}"]
        width = max(6, min(24, self.app.size.width - 76))
        filled = round(share * width)
        bar = Text.assemble(("━" * filled, "bold"), ("━" * (width - filled), "dim"))
        rest = [f"{share:.0%}", f"step {done - (epoch - 1) * per_epoch}/{per_epoch}"]
        if snapshot.epochs:
            rest.append(f"{si(snapshot.epochs[-1].examples_per_second)} examples/s")
        first = snapshot.started.epoch * per_epoch + snapshot.started.step
        if self.status.state == "running" and done > first:
            spent = max(time.time() - snapshot.started.t, 1e-3)
            rest.append(f"eta {clock((total - done) * spent / (done - first))}")
        if snapshot.checkpoint:
            rest.append(f"ckpt {snapshot.checkpoint.file.removesuffix('.safetensors')}")
        return Text.assemble(parts[0] + " ", bar, " " + "  ".join(rest))

    def _draw_charts(self) -> None:
        snapshot = self.snapshot
        per_epoch = snapshot.started.steps if snapshot.started else 1
        points = [(s / per_epoch, v) for s, v in zip(snapshot.steps, snapshot.losses, strict=True) if v is not None]
        missing = len(snapshot.losses) - len(points)
        smoothed = smooth([v for _, v in points])
        keep = max(1, -(-len(points) // MAX_POINTS))
        x = [s for s, _ in points][::keep]
        loss = self.query_one("#loss", CurveChart)
        loss.show(Curve(x, smoothed[::keep], x, [v for _, v in points][::keep], x_max=self.info.epochs))
        now = f"loss {snapshot.epochs[-1].loss:.4f}" if snapshot.epochs else "loss"
        loss.border_title = f"{now}  {missing} not finite" if missing else now
        popularity = snapshot.started.popularity if snapshot.started else {}
        for name, key, title, bounds in (
            ("hit", "hit@50", "Hit@50", None),
            ("auc", "auc", "AUC", (0.45, 1.0)),
        ):
            chart = self.query_one(f"#{name}", CurveChart)
            evaluations = snapshot.evaluations
            best = max(evaluations, key=lambda e: (e.metrics[key], -e.epoch), default=None)
            lines = {"popularity": popularity[key]} if key in popularity else {}
            if key == "auc":
                lines["chance"] = 0.5
            chart.show(
                Curve(
                    [float(e.epoch) for e in evaluations],
                    [e.metrics[key] for e in evaluations],
                    lines=lines,
                    best=(float(best.epoch), best.metrics[key]) if best else None,
                    x_max=self.info.epochs,
                    y_range=bounds,
                )
            )
            if evaluations:
                chart.border_title = f"{title} {evaluations[-1].metrics[key]:.3f}"
            if best:
                half = (best.interval[1] - best.interval[0]) / 2
                margin = f" ±{half:.3f}" if key == "hit@50" else ""
                chart.border_subtitle = f"best ● {best.metrics[key]:.3f}{margin} @ {best.epoch}"
                # The narrow layout has no lower border; what stands there goes up.
                if self.has_class("-narrow"):
                    chart.border_title = f"{chart.border_title}  {chart.border_subtitle}"

    def _draw_figures(self) -> None:
        if not self.snapshot.evaluations or self.snapshot.started is None:
            return
        last, popularity = self.snapshot.evaluations[-1], self.snapshot.started.popularity
        text = Text()
        text.append(f"{'epoch ' + str(last.epoch):<10}{'model':>8}{'popular':>9}\n", "dim")
        for key, title in (
            ("hit@10", "Hit@10"),
            ("hit@50", "Hit@50"),
            ("ndcg@10", "NDCG@10"),
            ("mrr", "MRR"),
            ("auc", "AUC"),
        ):
            text.append(f"{title:<10}")
            text.append(f"{last.metrics[key]:>8.4f}", "bold")
            text.append(f"{popularity[key]:>9.4f}\n")
        text.append(f"95 %  {last.interval[0]:.3f} to {last.interval[1]:.3f}\n", "dim")
        text.append(f"+{last.entered} into the top 50  −{last.left} out")
        panel = self.query_one("#figures", Static)
        panel.update(text)

    def _write_log(self) -> None:
        log = self.query_one("#log", RichLog)
        if len(self.snapshot.log) < self._logged:
            log.clear()
            self._logged = 0
        for when, text in self.snapshot.log[self._logged :]:
            log.write(Text(f"{time.strftime('%H:%M:%S', time.localtime(when))}  {clean(text)}"))
        self._logged = len(self.snapshot.log)
        self.refresh_bindings()

    def on_resize(self) -> None:
        self._draw_head()
        self._draw_progress()

    def action_explore(self) -> None:
        cast("NeumfApp", self.app).open_explore(self.folder)

    def action_stop(self) -> None:
        send_request(self.folder, STOP)
        self.notify("Stopping after this step, with a checkpoint.")

    def action_leave(self) -> None:
        if self.status.state in FINAL_STATES:
            self.app.exit()
        else:
            self.app.push_screen(LeaveDialog(), self._leave)

    def _leave(self, choice: str | None) -> None:
        if choice == "leave":
            self.app.exit()
        elif choice == "stop":
            self._leave_at_end = True
            self.action_stop()
