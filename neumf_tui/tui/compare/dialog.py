"""Choose the model to compare with: another run of the dataset, or another epoch of the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widgets import Input

from neumf_tui.errors import NeumfTuiError
from neumf_tui.runs.checkpoint import best_epoch, model_epochs
from neumf_tui.runs.events import Kind
from neumf_tui.runs.reader import read_info, read_snapshot
from neumf_tui.runs.store import run_folders
from neumf_tui.text import shortened
from neumf_tui.tui.keys import bindings, shown
from neumf_tui.tui.widgets.dialogs import ListDialog
from neumf_tui.tui.widgets.table import Column, Table
from neumf_tui.views.model_label import label_title, model_label

Model = tuple[Path, str | None]
"""The folder of a run and a checkpoint of it, as for `Ranker`."""
COLUMNS = (
    Column("run", 12, flex=True),
    Column("epoch", 5, right=True),
    Column("", 4),
    Column("Hit@50", 6, right=True),
    Column("preset", 8, drop=1),
)


@dataclass(frozen=True)
class Choice:
    """A model to compare with."""

    folder: Path
    run: str
    kind: Kind
    label: str
    """As `model_label`."""
    epoch: int
    note: str
    """`best`, `last` or empty."""
    hit: float | None
    """Hit@50, None if the events do not have it."""

    @property
    def cells(self) -> list[str]:
        hit = "–" if self.hit is None else f"{self.hit:.4f}"
        return [self.run, str(self.epoch), self.note, hit, self.label]

    def matches(self, words: Sequence[str]) -> int:
        """Return how well run, epoch, note and label match: more for whole words; 0 for not."""
        texts = [self.run.casefold(), str(self.epoch), self.note, self.label.casefold()]
        levels = [max(_level(word, text) for text in texts) for word in words]
        return 1 + sum(levels) if all(levels) else 0


def _level(word: str, text: str) -> int:
    """Return 3 if `text` is `word`, 2 if it starts with it, 1 if it has it, else 0."""
    return (word in text) + text.startswith(word) + (word == text)


def find_choices(folder: Path, home: Path, epoch: int) -> tuple[list[Choice], str]:
    """Return what can be compared with the run's model after `epoch`, and which runs are left out.

    Best and last of other runs come first, latest run first; then the epochs of the run, newest
    first. Raises RunError if the run cannot be read.
    """
    fingerprint = read_info(folder).dataset.fingerprint
    models: list[Choice] = []
    others = damaged = 0
    for other in run_folders(home):
        try:
            if other.samefile(folder):
                continue
            if read_info(other).dataset.fingerprint == fingerprint:
                models += _choices_of(other, every=False)
            else:
                others += 1
        except (NeumfTuiError, OSError):
            damaged += 1
    models += [choice for choice in _choices_of(folder, every=True) if choice.epoch != epoch]
    reasons = {"of other datasets": others, "that cannot be read": damaged}
    left_out = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
    return models, left_out and f"not listed: {left_out}"


def _choices_of(folder: Path, every: bool) -> list[Choice]:
    """Return the run's epochs that can be opened, newest first: `every` one, or best and last."""
    info, epochs = read_info(folder), model_epochs(folder)
    hits = {found.epoch: found.metrics["hit@50"] for found in read_snapshot(folder).evaluations}
    notes = {epochs[-1]: "last"} if epochs else {}
    if (best := best_epoch(folder)) is not None:
        notes[best] = "best"
    what = info.name, info.kind, model_label(info)
    return [
        Choice(folder, *what, epoch, notes.get(epoch, ""), hits.get(epoch))
        for epoch in reversed(epochs)
        if every or epoch in notes
    ]


class CompareDialog(ListDialog[Model]):
    """A list of models with a line to filter it; ends with the model chosen, or None."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "choose-model",
        shown("slash", "filter", "Filter", "Filter by run, preset or epoch", display="/"),
        shown("enter", "finish", "Compare", "Compare with this model", key_id="done"),
        shown("escape", "back", "Cancel", "Leave the filter line, or close this list",
              key_id="leave"),
    )  # fmt: skip

    def __init__(self, folder: Path, home: Path, epoch: int) -> None:
        """`folder` and `epoch` are those of the model to be compared."""
        super().__init__(COLUMNS, "reading the runs", "/ run, preset or epoch")
        self.folder, self.home, self.epoch = folder, home, epoch
        self.choices: list[Choice] = []
        self.shown: list[Choice] = []
        self._left_out = ""
        self._label = COLUMNS[-1].title
        """What the label of a model is called."""

    def read(self) -> tuple[list[Choice], str]:
        return find_choices(self.folder, self.home, self.epoch)

    def show_list(self, found: tuple[list[Choice], str]) -> None:
        self.choices, self._left_out = found
        self._label = title = label_title(choice.kind for choice in self.choices)
        if title != COLUMNS[-1].title:
            width = min(24, max(len(choice.label) for choice in self.choices))
            self.table.columns[-1] = Column(title, width, drop=1)
            self.line.placeholder = f"/ run, {title} or epoch"
        self._draw()

    @on(Input.Changed)
    def _draw(self) -> None:
        words = self.line.value.casefold().split()
        found = [choice for choice in self.choices if choice.matches(words)]
        self.shown = sorted(found, key=lambda choice: -choice.matches(words))
        title = "This run has no other checkpoint, and no other run has its dataset."
        if self.choices:
            title = f"compare {self.folder.name}@{self.epoch} with …"
        if self.choices and not self.shown:
            query = shortened(self.line.value.strip(), 30)
            title = (
                f"none of {len(self.choices)} models matches “{query}”:\n"
                f"not by its run, its epoch, best, last or {self._label}"
            )
        self.show_title(f"{title}\n{self._left_out}".rstrip())
        self.table.show_rows(len(self.shown), lambda row: self.shown[row].cells)

    @on(Table.Chosen)
    @on(Input.Submitted)
    def action_finish(self) -> None:
        if self.shown:
            choice = self.shown[self.table.cursor]
            self.dismiss((choice.folder, str(choice.epoch)))
