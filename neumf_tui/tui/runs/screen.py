"""The runs screen: all runs, live, and the curves of those that are pinned over one another."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from rich.style import Style
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer, Input, Static
from textual.worker import Worker, WorkerState

from neumf_tui.errors import NeumfTuiError, UsageError
from neumf_tui.runs.events import FINAL_STATES
from neumf_tui.runs.filter import unknown_fields
from neumf_tui.runs.protocol import is_flattered, protocol_line, protocol_of
from neumf_tui.runs.requests import STOP, send_request
from neumf_tui.runs.run_list import RunList, RunRow
from neumf_tui.runs.store import check_name
from neumf_tui.text import clean
from neumf_tui.tui.chart_screen import ChartScreen
from neumf_tui.tui.messages import Done, ReadFailed, RunsRead
from neumf_tui.tui.train.text import STATE_STYLES
from neumf_tui.tui.widgets import chart_text
from neumf_tui.tui.widgets.chart import COLOURS, CurveChart
from neumf_tui.tui.widgets.curves import RunSeries, loss_plot, metric_plot
from neumf_tui.tui.widgets.dialogs import AskDialog, ConfirmDialog
from neumf_tui.tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from neumf_tui.tui.app import NeumfApp

READ_SECONDS = 1.0
COLUMNS = (
    Column("", 1),
    Column("run", 14, flex=True),
    Column("state", 8),
    Column("dataset", 16, drop=5),
    Column("preset", 6, drop=7),
    Column("epoch", 9, right=True, drop=3),
    Column("best Hit@50", 11, right=True),
    Column("@", 4, right=True, drop=6),
    Column("valid.", 6, right=True, drop=2),
    Column("AUC", 6, right=True, drop=1),
    Column("device", 7, drop=8),
    Column("age", 6, right=True, drop=4),
)


class RunTable(Table):
    """Runs; a pinned one carries the colour of its curves."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(COLUMNS, id=id)
        self.colours: dict[int, Style] = {}
        """Style of the mark in the first column, by row."""
        self.states: list[str] = []

    def cell_style(self, row: int, column: int) -> Style | None:
        if column == 0:
            return self.colours.get(row)
        if column == 2 and row < len(self.states):
            return Style.parse(STATE_STYLES.get(self.states[row], "red"))
        return None


class RunsScreen(ChartScreen):
    """A table of runs above; below, the charts of the pinned ones, or of the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", tooltip="Watch this run", id="runs.open"),
        Binding(
            "space",
            "pin",
            "Compare",
            key_display="space",
            tooltip="Draw this run over the others",
            id="runs.pin",
        ),
        Binding("s", "stop", "Stop", tooltip="Stop this run, with a checkpoint", id="runs.stop"),
        Binding(
            "r",
            "resume",
            "Resume",
            tooltip="Train this run on from its last checkpoint",
            id="runs.resume",
        ),
        Binding(
            "e", "explore", "Explore", tooltip="Users and their ranked films", id="runs.explore"
        ),
        Binding(
            "slash",
            "filter",
            "Filter",
            key_display="/",
            tooltip="Words, or best>0.3, state=running",
            id="runs.filter",
        ),
        Binding(
            "n",
            "rename",
            "Rename",
            show=False,
            tooltip="Give this run another name",
            id="runs.rename",
        ),
        Binding(
            "D,delete",
            "delete",
            "Delete",
            show=False,
            tooltip="Remove this run; asks first",
            id="runs.delete",
        ),
        Binding(
            "x",
            "axis",
            "X axis",
            show=False,
            tooltip="Epochs, steps or time of training",
            id="runs.axis",
        ),
        Binding(
            "y",
            "log_y",
            "Log y",
            show=False,
            tooltip="Logarithmic scale of the loss",
            id="runs.log-y",
        ),
        Binding(
            "t",
            "smooth",
            "Smooth",
            show=False,
            tooltip="Smoothing of the loss, on and off",
            id="runs.smooth",
        ),
        Binding(
            "escape",
            "back",
            "Back",
            show=False,
            tooltip="End filter, reading, full screen",
            id="runs.back",
        ),
        Binding("q", "leave", "Quit", tooltip="Leave this screen", id="runs.leave"),
    ]

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.home = home
        self.rows: list[RunRow] = []
        self.shown: list[RunRow] = []
        self.pinned: list[Path] = []
        self._list = RunList(home)
        self._series: dict[Path, RunSeries] = {}
        self._reading = False
        self._query = ""
        self._drawn: tuple[object, ...] = ()
        self._bound = ("", True)

    def compose(self) -> ComposeResult:
        yield Static(id="runs-head")
        with Vertical(id="runs-pane"):
            yield RunTable(id="runs")
            yield Input(
                placeholder="words, or best>0.3  state=running  -demo",
                id="runs-filter",
                compact=True,
            )
        yield Static(id="runs-empty")
        yield Static(id="legend")
        with Horizontal(id="charts"):
            yield CurveChart(id="hit")
            yield CurveChart(id="auc")
            yield CurveChart(id="loss")
        yield Static(id="runs-notice")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        for name, title in (
            ("hit", "Hit@50"),
            ("auc", "AUC"),
            ("loss", "loss"),
            ("runs-pane", "runs"),
        ):
            self.query_one(f"#{name}").border_title = title
        self.query_one(
            "#runs-pane"
        ).border_subtitle = "best: by validation (valid.); without it the highest, which flatters"
        self.query_one(RunTable).focus()
        self._draw_head()
        self.request_read()
        self.set_interval(READ_SECONDS, self.request_read)

    def request_read(self) -> None:
        if not self._reading and not cast("NeumfApp", self.app).stalled:
            self._reading = True
            self.read()

    @work(thread=True, group="read", exit_on_error=False)
    def read(self) -> None:
        try:
            self.post_message(RunsRead(self._list.read()))
        except (NeumfTuiError, OSError) as error:
            self.post_message(ReadFailed(str(error)))

    @on(ReadFailed)
    def show_failure(self, message: ReadFailed) -> None:
        self._reading = False
        self._show_notice(message.text)

    def _show_notice(self, text: str, quiet: bool = False) -> None:
        notice = self.query_one("#runs-notice", Static)
        notice.set_class(quiet, "-quiet")
        notice.update(Text(clean(text)))

    def _protocol(self) -> str:
        """Of the run under the cursor."""
        info = self.chosen.info if self.chosen else None
        return protocol_line(protocol_of(info), self.app.size.width - 2) if info else ""

    @on(Worker.StateChanged)
    def show_fault(self, event: Worker.StateChanged) -> None:
        """Whatever a worker did not turn into a message itself is still said."""
        if event.state is WorkerState.ERROR:
            self.show_failure(
                ReadFailed(f"{type(event.worker.error).__name__}: {event.worker.error}")
            )

    @on(Done)
    def show_done(self, message: Done) -> None:
        self.notify(message.text, markup=False)
        self.request_read()

    @on(RunsRead)
    def show_runs(self, message: RunsRead) -> None:
        self._reading = False
        self.rows = message.runs
        there = {row.folder for row in self.rows}
        self.pinned = [folder for folder in self.pinned if folder in there]
        for row in self.rows:
            if row.info is not None:
                series = self._series.setdefault(row.folder, RunSeries(row.info))
                if series.snapshot is not row.snapshot:
                    series.take(row.snapshot)
        self._series = {
            folder: series for folder, series in self._series.items() if folder in there
        }
        self._draw()

    # Drawing.

    def _draw(self) -> None:
        chosen = self.chosen
        self.shown = [row for row in self.rows if row.kept_by(self._query)]
        table = self.query_one(RunTable)
        at = next(
            (i for i, row in enumerate(self.shown) if chosen and row.folder == chosen.folder), 0
        )
        table.states = [row.state for row in self.shown]
        table.colours = {
            i: self._colour(self.pinned.index(row.folder))
            for i, row in enumerate(self.shown)
            if row.folder in self.pinned
        }
        table.show_rows(len(self.shown), self._cells, cursor=at)
        # As high as its rows need, within limits: the rest is for the charts.
        self.query_one("#runs-pane").styles.height = max(
            6, min(len(self.shown) + 4, 2 * self.app.size.height // 5)
        )
        empty = self.query_one("#runs-empty", Static)
        empty.display = not self.shown
        if not self.rows:
            empty.update("no runs yet\n\nneumf-tui train starts one; this screen finds it")
        elif not self.shown:
            unknown = unknown_fields(
                self._query, [row.facts | row.info.settings for row in self.rows if row.info]
            )
            reason = f"no run has {', '.join(unknown)}" if unknown else "no run matches the filter"
            empty.update(Text(f"{reason}\n\nEsc ends it"))
        self.query_one("#charts").display = bool(self.shown)
        self._draw_head()
        self.draw_charts()
        self.refresh_bindings_if_changed()

    def _cells(self, row: int) -> list[str]:
        run = self.shown[row]
        facts = run.facts
        if run.info is None:
            return ["", run.folder.name, "damaged", *[""] * (len(COLUMNS) - 3)]
        best = run.snapshot.best
        return [
            "●" if run.folder in self.pinned else "",
            run.folder.name,
            run.state,
            facts["dataset"],
            facts["preset"],
            f"{facts['epoch']}/{facts['epochs']}",
            f"{best.metrics['hit@50']:.4f}" if best else "–",
            str(best.epoch) if best else "",
            f"{best.validation['hit@50']:.4f}" if best and best.validation else "–",
            f"{best.metrics['auc']:.4f}" if best else "–",
            facts["device"],
            run.age,
        ]

    def _colour(self, number: int) -> Style:
        chart = self.query_one("#hit", CurveChart)
        return chart.get_component_rich_style(f"chart--series-{number % COLOURS}", partial=True)

    def _draw_head(self) -> None:
        living = sum(row.state not in FINAL_STATES and row.info is not None for row in self.rows)
        text = Text.assemble(
            ("neumf-tui", "bold"), " ▸ runs  ", f"{len(self.rows)} runs, {living} in training"
        )
        if link := cast("NeumfApp", self.app).link_text:
            text.append(f"  {link}", "dim")
        self.query_one("#runs-head", Static).update(text)

    @property
    def compared(self) -> list[RunSeries]:
        """The pinned runs in the order of their pinning; where none is, the one under the cursor."""
        folders = self.pinned or ([self.chosen.folder] if self.chosen else [])
        found = []
        for number, folder in enumerate(folders):
            if series := self._series.get(folder):
                series.colour = number
                found.append(series)
        return found

    def draw_charts(self) -> None:
        runs = self.compared
        chosen = self.chosen
        said = "" if chosen is None else chosen.problem or chosen.status.reason
        self._show_notice(said or self._protocol(), quiet=not said)
        drawn = (self.controls, *((run.info.name, run.colour, id(run.snapshot)) for run in runs))
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self.query_one("#loss", CurveChart).show(
            loss_plot(runs, self.axis, self.smooth), self.controls
        )
        for name, key in (("hit", "hit@50"), ("auc", "auc")):
            self.query_one(f"#{name}", CurveChart).show(metric_plot(runs, self.axis, key))
        legend = self.query_one("#legend", Static)
        legend.display = bool(runs)
        legend.update(
            Text("\n" if self.has_class("-narrow") else "   ").join(
                self._legend(run) for run in runs
            )
        )

    def _legend(self, run: RunSeries) -> Text:
        """A run's colour, name and best values."""
        text = Text.assemble(("● ", self._colour(run.colour)), (clean(run.info.name), "bold"))
        return text.append(chart_text.legend(run.snapshot, is_flattered(protocol_of(run.info))))

    def refresh_bindings_if_changed(self) -> None:
        """The footer is drawn again only where another set of keys works now."""
        chosen = self.chosen
        now = (chosen.state, chosen.snapshot.checkpoint is None) if chosen else ("", True)
        if now != self._bound:
            self._bound = now
            self.refresh_bindings()

    @on(Table.Highlighted, "#runs")
    def choose(self) -> None:
        self.draw_charts()
        self.refresh_bindings_if_changed()

    # Keys.

    @property
    def chosen(self) -> RunRow | None:
        cursor = self.query_one(RunTable).cursor
        return self.shown[cursor] if cursor < len(self.shown) else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("stop", "resume", "open", "pin", "rename", "delete", "explore"):
            chosen = self.chosen if self.is_mounted else None
            if chosen is None or (chosen.info is None and action != "delete"):
                return False
            ended = chosen.state in FINAL_STATES
            if action == "stop":
                return not ended
            if action == "resume":
                return ended and chosen.state != "finished"
            if action == "explore":
                return chosen.snapshot.checkpoint is not None
        return True

    @on(Table.Chosen, "#runs")
    def action_open(self) -> None:
        if isinstance(self.focused, CurveChart):
            self.focused.action_maximize()
        elif self.chosen:
            cast("NeumfApp", self.app).open_train(self.chosen.folder)

    def action_explore(self) -> None:
        if self.chosen:
            cast("NeumfApp", self.app).open_explore(self.chosen.folder)

    def action_pin(self) -> None:
        if self.chosen:
            folder = self.chosen.folder
            if folder in self.pinned:
                self.pinned.remove(folder)
            else:
                self.pinned.append(folder)
            self._draw()

    def action_stop(self) -> None:
        if self.chosen:
            folder = self.chosen.folder
            self.do(
                f"Stopping {folder.name} after this step, with a checkpoint.",
                lambda: send_request(folder, STOP),
            )

    def action_resume(self) -> None:
        from neumf_tui.runs.control import train_on
        from neumf_tui.runs.start import check_data

        if not self.chosen:
            return
        folder = self.chosen.folder

        def resume() -> None:
            check_data(folder, self.home)
            train_on(folder)

        self.do(f"{folder.name} trains on.", resume)

    def action_rename(self) -> None:
        from neumf_tui.runs.control import rename_run

        if not self.chosen:
            return
        folder = self.chosen.folder

        def answer(name: str | None) -> None:
            if name and name != folder.name:
                self.do(f"{folder.name} is now {name}.", lambda: rename_run(folder, name))

        def check(name: str) -> str:
            try:
                check_name(name)
            except UsageError as error:
                return str(error)
            return (
                f"{name} is there already"
                if name != folder.name and folder.with_name(name).exists()
                else ""
            )

        self.app.push_screen(AskDialog(f"New name of {folder.name}", folder.name, check), answer)

    def action_delete(self) -> None:
        from neumf_tui.runs.control import delete_run

        if not self.chosen:
            return
        folder = self.chosen.folder

        def answer(sure: bool | None) -> None:
            if sure:
                self.do(f"{folder.name} is deleted.", lambda: delete_run(folder))

        self.app.push_screen(
            ConfirmDialog(f"Delete {folder.name} with all its checkpoints?", "delete it"), answer
        )

    def action_filter(self) -> None:
        line = self.query_one("#runs-filter", Input)
        line.add_class("-shown")
        line.focus()

    @on(Input.Changed, "#runs-filter")
    def filter_runs(self, event: Input.Changed) -> None:
        self._query = event.value.strip()
        self._draw()

    @on(Input.Submitted, "#runs-filter")
    def end_filter(self) -> None:
        self.query_one(RunTable).focus()

    def action_back(self) -> None:
        line = self.query_one("#runs-filter", Input)
        if self.end_aside():
            return
        if line.has_class("-shown"):
            line.value = ""
            line.remove_class("-shown")
            self.query_one(RunTable).focus()
        elif len(self.app.screen_stack) > 2:
            self.dismiss()

    def action_leave(self) -> None:
        if len(self.app.screen_stack) > 2:
            self.dismiss()
        else:
            self.app.exit()
