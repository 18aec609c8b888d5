"""Choose the model to compare with: another epoch of the same run, or another run of the same dataset."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static

from neumf_tui.errors import NeumfTuiError, RunError
from neumf_tui.runs.checkpoint import checkpoint_epochs, find_checkpoint
from neumf_tui.runs.reader import read_info, read_snapshot
from neumf_tui.runs.store import run_folders
from neumf_tui.text import clean
from neumf_tui.tui.widgets.table import Column, Table
from neumf_tui.tui.work import Asker

Model = tuple[Path, str | None]
"""Folder of a run, and which checkpoint of it, as `Ranker` takes them."""
COLUMNS = (
    Column("run", 12, flex=True),
    Column("epoch", 5, right=True),
    Column("", 4),
    Column("Hit@50", 6, right=True),
    Column("preset", 8, drop=1),
)


@dataclass(frozen=True)
class Choice:
    """One model that can be compared with."""

    folder: Path
    run: str
    preset: str
    epoch: int
    note: str
    """`best`, `last` or neither."""
    hit: float | None
    """Hit@50, None where the events do not say."""

    @property
    def cells(self) -> list[str]:
        return [
            self.run,
            str(self.epoch),
            self.note,
            "–" if self.hit is None else f"{self.hit:.4f}",
            self.preset,
        ]


@dataclass(frozen=True)
class Choices:
    models: list[Choice]
    """This run's epochs first, the newest before the others; then best and last of the other runs, the latest run first."""
    others: int
    """Runs of other datasets."""
    damaged: int
    """Runs that cannot be read."""

    @property
    def words(self) -> str:
        """Why some runs are not listed."""
        parts = [f"{self.others} of other datasets"] if self.others else []
        parts += [f"{self.damaged} that cannot be read"] if self.damaged else []
        return f"not listed: {', '.join(parts)}" if parts else ""


def find_choices(folder: Path, home: Path, epoch: int) -> Choices:
    """What the model of run `folder` after `epoch` can be compared with. Raises RunError where that run cannot be read."""
    fingerprint = read_info(folder).dataset.fingerprint
    models = [choice for choice in _of_run(folder, every=True) if choice.epoch != epoch]
    others = damaged = 0
    for other in run_folders(home):
        if other.resolve() == folder.resolve():
            continue
        try:
            if read_info(other).dataset.fingerprint == fingerprint:
                models += _of_run(other, every=False)
            else:
                others += 1
        except (NeumfTuiError, OSError):
            damaged += 1
    return Choices(models, others, damaged)


def _of_run(folder: Path, every: bool) -> list[Choice]:
    info, epochs = read_info(folder), checkpoint_epochs(folder)
    hits = {
        evaluated.epoch: evaluated.metrics["hit@50"]
        for evaluated in read_snapshot(folder).evaluations
    }
    notes = {epochs[-1]: "last"} if epochs else {}
    try:
        best = find_checkpoint(folder, "best").stem
    except RunError:
        best = ""  # nothing was evaluated yet
    if best.isdecimal():
        notes[int(best)] = "best"
    return [
        Choice(folder, info.name, info.preset, epoch, notes.get(epoch, ""), hits.get(epoch))
        for epoch in reversed(epochs)
        if every or epoch in notes
    ]


class CompareDialog(ModalScreen[Model | None]):
    """A list of models with a line to narrow it; ends with the one chosen, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "slash",
            "filter",
            "Filter",
            key_display="/",
            tooltip="Runs by name, preset or epoch",
            id="choose-model.filter",
        ),
        Binding(
            "enter", "finish", "Compare", tooltip="Compare with this model", id="choose-model.done"
        ),
        Binding(
            "escape",
            "back",
            "Leave",
            tooltip="Leave the filter, or this list",
            id="choose-model.leave",
        ),
    ]

    def __init__(self, folder: Path, home: Path, epoch: int) -> None:
        """Of the model to be compared: its run, and the epoch after which it stood so."""
        super().__init__()
        self.folder, self.home, self.epoch = folder, home, epoch
        self.choices = Choices([], 0, 0)
        self.shown: list[Choice] = []
        self._asker = Asker(self, self.show_problem)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="choose-model"):
            yield Static("reading the runs", id="choose-model-title", markup=False)
            yield Table(COLUMNS, id="choose-model-list")
            yield Input(
                placeholder="/ run, preset or epoch", id="choose-model-filter", compact=True
            )
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(Table).focus()
        self._asker.ask(
            "choices", lambda _: find_choices(self.folder, self.home, self.epoch), self._take
        )

    def show_problem(self, text: str) -> None:
        self.query_one("#choose-model-title", Static).update(Text(clean(text)))

    def _take(self, choices: Choices) -> None:
        self.choices = choices
        self._draw()

    @on(Input.Changed)
    def _draw(self) -> None:
        words = self.query_one(Input).value.casefold().split()
        self.shown = [
            c
            for c in self.choices.models
            if all(word in " ".join(c.cells).casefold() for word in words)
        ]
        if self.choices.models:
            title = f"compare {self.folder.name}@{self.epoch} with …"
        else:
            title = "no other epoch of this run was kept, and no other run has this dataset; train one to compare with"
        self.query_one("#choose-model-title", Static).update(
            Text(clean("\n".join(filter(None, (title, self.choices.words)))))
        )
        self.query_one(Table).show_rows(len(self.shown), lambda row: self.shown[row].cells)

    def action_filter(self) -> None:
        self.query_one(Input).focus()

    @on(Table.Chosen)
    @on(Input.Submitted)
    def action_finish(self) -> None:
        if self.shown:
            choice = self.shown[self.query_one(Table).cursor]
            self.dismiss((choice.folder, str(choice.epoch)))

    def action_back(self) -> None:
        if self.query_one(Input).has_focus:
            self.query_one(Table).focus()
        else:
            self.dismiss(None)
