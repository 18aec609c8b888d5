"""The runs screen: all runs as they change, and the curves of the pinned ones together."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input

from neumf_tui import files
from neumf_tui.errors import UsageError
from neumf_tui.runs.access import why_read_only
from neumf_tui.runs.failed_start import FailedStart, remove_failed_start
from neumf_tui.runs.filter import unknown_names, why_none
from neumf_tui.runs.live_runs import RunList, RunRow
from neumf_tui.runs.protocol import is_optimistic, protocol_line, protocol_of
from neumf_tui.runs.requests import STOP, send_request
from neumf_tui.runs.store import check_name
from neumf_tui.text import clean, shortened
from neumf_tui.tui.chart_screen import ChartScreen
from neumf_tui.tui.keys import bindings, hidden, shown
from neumf_tui.tui.navigation import OpenDataset, OpenExplorer, OpenRun
from neumf_tui.tui.runs.keep_baselines import keep_baselines
from neumf_tui.tui.runs.pair import open_pair, pair_of
from neumf_tui.tui.runs.table import RunTable
from neumf_tui.tui.runs.welcome import FirstRun, Progressed, Welcome
from neumf_tui.tui.terminal.footer import Footer
from neumf_tui.tui.terminal.themed import Static
from neumf_tui.tui.widgets import chart_text
from neumf_tui.tui.widgets.chart import CurveChart, Plot, series_style
from neumf_tui.tui.widgets.chart_pane import ChartPane, subject
from neumf_tui.tui.widgets.chart_text import Caption
from neumf_tui.tui.widgets.curves import LOSS, ChartKey, RunSeries, chart_keys, plot_of
from neumf_tui.tui.widgets.fitted_text import FittedText, fitting, in_width
from neumf_tui.tui.widgets.head_text import head
from neumf_tui.tui.widgets.protocol_line import notice_lines
from neumf_tui.tui.widgets.table import Table

FOR_A_RUN = frozenset({
    "stop", "resume", "open", "pin", "compare", "baselines", "rename", "delete", "explore",
    "dataset",
})  # fmt: skip
"""Actions on the run under the cursor."""
CHANGING = frozenset({"stop", "resume", "rename", "delete"})
"""Those that only accounts that may write the run have."""
CHOSEN_BY = "best: by validation (valid.); without it the highest, which is optimistic"
READ_SECONDS = 1.0
LEGEND_LINES = 3
ENDED_SECONDS = 5.0
"""Time between two readings while no run is in training."""


class RunsScreen(ChartScreen):
    """A table of runs above the charts of the pinned ones, or of the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "runs",
        shown("enter", "open", "Open", "Watch this run"),
        shown("space", "pin", "Mark", "Draw this run together with others", display="space"),
        shown("c", "compare", "Compare", "Compare the models of two runs: mark one or both"),
        shown("N", "new", "New", "Start a new run, or adopt a model"),
        shown("s", "stop", "Stop", "Stop this run, with a checkpoint; asks first"),
        shown("r", "resume", "Resume", "Continue training this run from its last checkpoint"),
        shown("e", "explore", "Explore", "Users and their ranked {items}"),
        shown("slash", "filter", "Filter", "Words, or best>0.3, state=running", display="/"),
        hidden("b", "baselines", "Baselines", "Keep simpler models on this run's data as runs"),
        hidden("n", "rename", "Rename", "Rename this run"),
        hidden("D", "dataset", "Dataset", "What this run's dataset is, and how it is split"),
        hidden("X,delete", "delete", "Delete", "Delete this run; asks first"),
        hidden("escape", "back", "Back", "End the filter, reading values or full screen"),
        shown("q", "leave", "Back", "Leave this screen"),
    )

    TITLES: ClassVar = {"runs-pane": "runs"}

    table = getters.query_one(RunTable)
    filter_line = getters.query_one("#runs-filter", Input)
    welcome = getters.query_one(Welcome)

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.home = home
        self.rows: list[RunRow] = []
        self.pinned: list[Path] = []
        self._series: dict[Path, RunSeries] = {}
        """The data of the charts, of `compared` alone."""
        self._query = ""
        self._drawn_rows: list[tuple[object, ...]] | None = None
        self._drawn_charts: tuple[object, ...] = ()
        self._bound_for: tuple[object, ...] = ()
        self._first_run = FirstRun(self, home, self._watch_new)
        self._asks_how = False
        """Whether the person wants to start a run, though there are some."""
        self._new: set[Path] = set()
        """Runs that were started from here."""
        run_list = RunList(home)
        self.reader = self.poll(
            "runs", lambda _: run_list.read(), self.show_runs, self.show_notice, self._pause
        )

    def compose(self) -> ComposeResult:
        yield FittedText(id="runs-head")
        with Vertical(id="runs-pane"):
            yield RunTable(id="runs")
            hint = "words, or best>0.3  state=running  -demo"
            yield Input(placeholder=hint, id="runs-filter", compact=True)
        yield Static(id="runs-empty")
        welcome = Welcome()
        welcome.display = False
        yield welcome
        yield FittedText(id="legend")
        # The table has g for its first row.
        yield ChartPane(turned_by=".")
        yield FittedText(id="notice", classes="standing")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#runs-pane").border_subtitle = CHOSEN_BY
        self.table.focus()
        self._draw_head()

    # Reading.

    def _pause(self) -> float:
        return READ_SECONDS if any(not row.ended for row in self.rows) else ENDED_SECONDS

    def show_runs(self, rows: list[RunRow]) -> None:
        known = {row.folder: row.snapshot.alarms for row in self.rows}
        for row in rows:
            alarms = row.snapshot.alarms
            self.tell_alarms(row.folder.name, known.get(row.folder, alarms), alarms)
        self.rows = rows
        there = {row.folder for row in rows}
        self.pinned = [folder for folder in self.pinned if folder in there]
        for row in rows:
            if row.folder in self._new and row.state in ("failed", "crashed"):
                self._forget_failed_start(row.folder)
        self._draw_head()
        # Rows that have not changed are the same objects; what they say of their age may change.
        now: list[tuple[object, ...]] = [(row, row.age) for row in rows]
        if now != self._drawn_rows:
            self._drawn_rows = now
            self._draw()

    # New runs.

    def action_new(self) -> None:
        self._asks_how = True
        self._draw()

    @on(Welcome.Chosen)
    def _start(self, event: Welcome.Chosen) -> None:
        self._first_run.start(event.way)

    @on(Progressed)
    def _show_progress(self, event: Progressed) -> None:
        self.welcome.say(clean(event.text))

    def _watch_new(self, folder: Path) -> None:
        self._new.add(folder)
        self._asks_how = False
        self._draw()
        self.reader.now()
        self.navigate(OpenRun(folder, is_new=True))

    def _forget_failed_start(self, folder: Path) -> None:
        """Remove a run that could not start, and say why."""
        self._new.discard(folder)

        def tell(failed: FailedStart | None) -> None:
            if failed is not None:
                self.show_problem(clean(failed.text))

        self.ask(f"failed start {folder}", lambda _: remove_failed_start(folder), tell)

    # Drawing.

    def _draw(self) -> None:
        chosen = self.chosen
        kept = [row for row in self.rows if row.kept_by(self._query)]
        at = [i for i, row in enumerate(kept) if chosen and row.folder == chosen.folder]
        pinned = {folder: self._colour(number) for number, folder in enumerate(self.pinned)}
        self.table.show_runs(kept, pinned, at[0] if at else 0)
        self._fit_table()
        self._show_welcome(self._asks_how or not self.rows)
        self._explain_filter(kept)
        self.query_one("#charts").display = bool(kept) and not self.welcome.display
        self.draw_charts()
        self._refresh_bindings_if_changed()

    def _show_welcome(self, wanted: bool) -> None:
        """Show the ways to a new run instead of the table, or the table again."""
        if self.welcome.display == wanted:
            return
        self.welcome.display = wanted
        self.query_one("#runs-pane").display = not wanted
        if wanted:
            self.welcome.ask(bool(self.rows))
        else:
            self.table.focus()

    def _explain_filter(self, kept: list[RunRow]) -> None:
        """Say what the filter names that no run has, and why it keeps no run."""
        known = [(row.facts, row.info.settings) for row in self.rows if row.info]
        unknown = unknown_names(self._query, known)
        self.query_one("#runs-pane").border_subtitle = Text(clean((unknown or [CHOSEN_BY])[0]))
        empty = self.query_one("#runs-empty", Static)
        empty.display = not self.welcome.display and not kept
        if empty.display:
            runs = f"{len(self.rows)} run{'s' * (len(self.rows) != 1)}"
            first = f"“{shortened(self._query)}” matches none of {runs}."
            lines = [first, "", *why_none(self._query, known), "", "Esc ends the filter"]
            empty.update(Text("\n".join(map(clean, lines))))

    def _fit_table(self) -> None:
        """Make the table as high as its rows need, within limits: the rest is for the charts."""
        height = max(6, min(self.table.row_count + 4, 2 * self.app.size.height // 5))
        self.query_one("#runs-pane").styles.height = height

    def on_resize(self) -> None:
        self._fit_table()

    def _colour(self, number: int) -> Style:
        return self.loss.get_component_rich_style(series_style(number), partial=True)

    def _draw_head(self) -> None:
        training = sum(not row.ended for row in self.rows)
        runs = "run" if len(self.rows) == 1 else "runs"
        text = head("runs").append(f" {len(self.rows)} {runs}, {training} in training")
        if training and (link := self.app.link_text):
            text.append(f"  {link}", "dim")
        self.show_text("#runs-head", lambda width: in_width(text, width))

    @property
    def compared(self) -> list[RunSeries]:
        """The pinned runs in the order in which they were pinned, else the one under the cursor."""
        by_folder = {row.folder: row for row in self.rows}
        folders = self.pinned or ([self.chosen.folder] if self.chosen else [])
        before, self._series = self._series, {}
        for number, folder in enumerate(folders):
            row = by_folder.get(folder)
            if row is not None and row.info is not None:
                series = self._series[folder] = before.get(folder) or RunSeries(row.info)
                series.colour = number
                if series.snapshot is not row.snapshot:
                    series.update(row.snapshot)
        return [*self._series.values()]

    @property
    def drawn_folders(self) -> list[Path]:
        return [*self._series]

    def draw_charts(self) -> None:
        runs = self.compared
        self._draw_notice()
        now = (
            self.controls,
            self.welcome.display,
            *((run.info.name, run.colour, id(run.snapshot)) for run in runs),
        )
        if now == self._drawn_charts:
            return
        self._drawn_charts = now
        main, more = chart_keys(runs)
        # Runs are compared by what they rank.
        main.sort(key=lambda key: ("metric", "loss", "logged").index(key.kind))
        self.charts.show((main, more), lambda key: self._draw_chart(key, runs))
        legend = self.query_one("#legend", FittedText)
        legend.display = bool(runs) and not self.welcome.display
        legend.show(lambda width: self._legend(runs, width))

    def _draw_notice(self) -> None:
        """Show what is wrong with the run under the cursor, and what stands behind its figures."""
        chosen = None if self.welcome.display else self.chosen
        info = chosen.info if chosen else None
        problem = str(chosen.facts["reason"]) if chosen else ""
        if chosen is None or info is None or problem:
            self.show_notice(problem, quiet=not problem)
            return
        protocol, alarms = protocol_of(info), chosen.snapshot.alarms.values()
        why = why_read_only(chosen.folder)

        def lines(width: int) -> str:
            return notice_lines(alarms, why, lambda room: protocol_line(protocol, room), width)

        self.show_notice(lines, quiet=not alarms)

    def _draw_chart(self, key: ChartKey, runs: Sequence[RunSeries]) -> tuple[Plot, Caption]:
        caption = Caption((subject(key),), (self.controls, "") if key == LOSS else ())
        return plot_of(key, runs, self.axis, self.smooth), caption

    def _legend(self, runs: Sequence[RunSeries], width: int) -> Text:
        """Return colour, name and best values of runs, each in a line, or in one where they fit."""
        lines = []
        for run in runs:
            mark = Text.assemble(("● ", self._colour(run.colour)), (run.name, "bold"))
            forms = chart_text.legend_forms(run.snapshot, is_optimistic(protocol_of(run.info)))
            text = fitting(forms, width - mark.cell_len)
            lines.append(in_width(mark.append(text), width))
        if (together := Text("   ").join(lines)).cell_len <= width:
            return together
        left_out = len(lines) - LEGEND_LINES
        if left_out > 0:
            lines[LEGEND_LINES - 1 :] = [Text(f"… {left_out + 1} more runs", "dim")]
        return Text("\n").join(lines)

    def _refresh_bindings_if_changed(self) -> None:
        """Draw the footer again only where other keys work now."""
        chosen = self.chosen
        of_run = (chosen.state, chosen.snapshot.checkpoint is None) if chosen else ()
        now = (self.welcome.display, *of_run)
        if now != self._bound_for:
            self._bound_for = now
            self.refresh_bindings()

    @on(Table.Highlighted, "#runs")
    def show_chosen(self) -> None:
        self.draw_charts()
        self._refresh_bindings_if_changed()

    # Keys.

    @property
    def chosen(self) -> RunRow | None:
        """The run under the cursor."""
        return self.table.chosen

    @property
    def folder(self) -> Path:
        """The folder of that run; `check_action` turns keys off while there is none."""
        assert self.chosen is not None
        return self.chosen.folder

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if self.is_mounted and self.welcome.display and action not in ("back", "leave"):
            return False
        if action == "new":
            return files.may_write(self.home)
        if action == "filter":
            return bool(self.rows)
        if action not in FOR_A_RUN:
            return super().check_action(action, parameters)
        chosen = self.chosen if self.is_mounted else None
        if chosen is None or (chosen.info is None and action != "delete"):
            return False
        if action in CHANGING and why_read_only(chosen.folder):
            return False
        match action:
            case "stop":
                return not chosen.ended
            case "baselines":
                return files.may_write(self.home)
            case "resume":
                return chosen.ended and chosen.state != "finished" and chosen.is_trained
            case "explore":
                has_ranks = not chosen.is_trained and bool(chosen.snapshot.evaluations)
                return has_ranks or chosen.snapshot.checkpoint is not None
        return True

    @on(Table.Chosen, "#runs")
    def action_open(self) -> None:
        if isinstance(self.focused, CurveChart):
            self.focused.action_maximize()
        else:
            self.navigate(OpenRun(self.folder))

    def action_explore(self) -> None:
        self.navigate(OpenExplorer(self.folder))

    def action_dataset(self) -> None:
        self.navigate(OpenDataset(self.folder))

    def action_pin(self) -> None:
        if self.folder in self.pinned:
            self.pinned.remove(self.folder)
        else:
            self.pinned.append(self.folder)
        self._draw()

    def action_compare(self) -> None:
        marked, folder, home = tuple(self.pinned), self.folder, self.home
        self.ask("compare", lambda _: open_pair(pair_of(marked, folder), home), self.navigate)

    @property
    def holds_keys(self) -> bool:
        return self.waiting("compare") or super().holds_keys

    def drop_held(self) -> None:
        super().drop_held()
        self.drop("compare")

    def action_stop(self) -> None:
        folder = self.folder
        saves = bool(self.chosen and self.chosen.is_trained)
        done = f"Stopping {folder.name} after the current step, with a checkpoint."
        done = done if saves else f"The loop of {folder.name} is asked to stop."

        def stop() -> None:
            self.change(lambda: send_request(folder, STOP), done)

        question = f"Save a checkpoint of {folder.name} and stop its training?"
        self.confirm(question if saves else f"Ask the loop of {folder.name} to stop?", "Stop", stop)

    def action_resume(self) -> None:
        from neumf_tui.runs.control import train_on
        from neumf_tui.runs.create_run import check_data

        folder = self.folder

        def resume() -> None:
            check_data(folder, self.home)
            train_on(folder, self.home)

        self.change(resume, f"{folder.name} continues.")

    def action_baselines(self) -> None:
        folder, home = self.folder, self.home

        def start() -> None:
            self.notify("Fitting baselines; each appears here as a run.")
            self.ask("baselines", partial(keep_baselines, folder, home), self.changed)

        question = (
            f"Keep popularity, item kNN, EASE, ALS and BPR on the data of {folder.name} as runs? "
            "Fitting them can take minutes."
        )
        if not self.waiting("baselines"):
            self.confirm(question, "Keep", start)

    def action_rename(self) -> None:
        from neumf_tui.runs.control import rename_run

        folder = self.folder

        def check(name: str) -> str:
            try:
                check_name(name)
            except UsageError as error:
                return str(error)
            other = name != folder.name and folder.with_name(name).exists()
            return f"a run {name} exists already" if other else ""

        def rename(name: str) -> None:
            if name != folder.name:
                self.change(lambda: rename_run(folder, name), f"{folder.name} is now {name}.")

        self.ask_line(f"New name of {folder.name}", folder.name, check, "Rename", rename)

    def action_delete(self) -> None:
        from neumf_tui.runs.control import delete_run

        folder = self.folder

        def delete() -> None:
            self.change(lambda: f"{delete_run(folder)}.")

        self.confirm(f"Delete {folder.name} with all its checkpoints?", "Delete", delete)

    def action_filter(self) -> None:
        self.filter_line.add_class("-shown")
        self.filter_line.focus()

    @on(Input.Changed, "#runs-filter")
    def filter_runs(self, event: Input.Changed) -> None:
        self._query = event.value.strip()
        self._draw()

    @on(Input.Submitted, "#runs-filter")
    def end_filter(self) -> None:
        self.table.focus()

    def end_aside(self) -> bool:
        if super().end_aside():
            return True
        if self._asks_how:
            self._asks_how = False
            self._draw()
            return True
        if self.maximized is not None or not self.filter_line.has_class("-shown"):
            return False
        self.filter_line.value = ""
        self.filter_line.remove_class("-shown")
        self.table.focus()
        return True
