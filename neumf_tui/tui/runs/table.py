"""The table of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.style import Style

from neumf_tui.runs.live_runs import RunRow
from neumf_tui.text import epoch_text
from neumf_tui.tui.terminal.themed import cell_style
from neumf_tui.tui.widgets.chart_text import STATE_STYLES
from neumf_tui.tui.widgets.table import Column, Table
from neumf_tui.views.alarms import SIGN
from neumf_tui.views.model_label import label_title, model_label
from neumf_tui.views.sheet_keys import label_with_split

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


STATE, DATASET, LABEL = 2, 3, 4
"""Positions of the columns that say how the run stands, what the data is, with its split, and what
the model is."""
_WIDEST_DATASET = 34


class RunTable(Table):
    """A row is a run; a pinned one carries the colour of its curves."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(COLUMNS, id=id)
        self.runs: list[RunRow] = []
        self.pinned: Mapping[Path, Style] = {}

    def show_runs(
        self, runs: Sequence[RunRow], pinned: Mapping[Path, Style], cursor: int = 0
    ) -> None:
        """Show `runs`; `pinned` has the style of the mark of each pinned run."""
        self.runs, self.pinned = list(runs), pinned
        infos = [run.info for run in runs if run.info]
        labels = [label_with_split(run.facts) for run in runs if run.info]
        width = min(_WIDEST_DATASET, max([COLUMNS[DATASET].width, *map(len, labels)]))
        state = COLUMNS[STATE]
        has_alarms = any(run.snapshot.alarms for run in runs)
        self.columns[STATE] = replace(state, width=state.width + 2 * has_alarms)
        self.columns[DATASET] = replace(COLUMNS[DATASET], width=width)
        title = label_title(info.kind for info in infos)
        if title != COLUMNS[LABEL].title:
            width = min(24, max(len(model_label(info)) for info in infos))
            self.columns[LABEL] = Column(title, width, drop=COLUMNS[LABEL].drop)
        self.show_rows(len(runs), self._texts, cursor=cursor)

    @property
    def chosen(self) -> RunRow | None:
        """The run under the cursor."""
        return self.runs[self.cursor] if self.cursor < len(self.runs) else None

    def _texts(self, row: int) -> list[str]:
        run = self.runs[row]
        facts, best = run.facts, run.snapshot.best
        if run.info is None:
            return ["", run.folder.name, "damaged", *[""] * (len(COLUMNS) - 3)]
        return [
            "●" if run.folder in self.pinned else "",
            run.folder.name,
            f"{run.state} {SIGN}" if run.snapshot.alarms else run.state,
            label_with_split(facts),
            model_label(run.info),
            epoch_text(facts["epoch"], facts["epochs"]),
            f"{best.metrics['hit@50']:.4f}" if best else "–",
            str(best.epoch) if best else "",
            f"{best.validation['hit@50']:.4f}" if best and best.validation else "–",
            f"{best.metrics['auc']:.4f}" if best else "–",
            facts["device"],
            run.age,
        ]

    def cell_style(self, row: int, column: int) -> Style | None:
        run = self.runs[row]
        if column == 0:
            return self.pinned.get(run.folder)
        if column != STATE:
            return None
        alarmed = "bold red" if run.snapshot.alarms else STATE_STYLES.get(run.state, "red")
        return cell_style(alarmed)
