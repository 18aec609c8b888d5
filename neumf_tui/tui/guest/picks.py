"""The items that a new user has picked, with undo and redo."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from neumf_tui.explore.guests import Guest

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset


@dataclass(frozen=True)
class Picks:
    """Everything that a new user's list depends on, except the model."""

    items: tuple[int, ...] = ()
    """Item indices in the order of picking, none twice."""
    seed: int = 0
    """Seed for drawing the negatives of the fold-in."""

    def toggled(self, item: int) -> "Picks":
        """Return the picks without `item` if it is picked, otherwise with it as the latest."""
        if item in self.items:
            return replace(self, items=tuple(other for other in self.items if other != item))
        return replace(self, items=(*self.items, item))

    def as_guest(self, name: str, dataset: "Dataset") -> Guest:
        ids = dataset.catalogue.item_ids
        return Guest(name, tuple(ids[item] for item in self.items), self.seed)


class UndoStack:
    """States in the order in which they were made, one of them the current one."""

    def __init__(self, first: Picks) -> None:
        self._states, self._at = [first], 0

    @property
    def current(self) -> Picks:
        return self._states[self._at]

    def push(self, picks: Picks) -> None:
        """Make `picks` the current state, and forget the states that were undone."""
        self._states[self._at + 1 :] = [picks]
        self._at += 1

    def can_move(self, step: int) -> bool:
        """Return whether there is a state to redo (step 1) or to go back to (step -1)."""
        return 0 <= self._at + step < len(self._states)

    def move(self, step: int) -> None:
        """Redo (step 1) or undo (step -1), if that is possible."""
        if self.can_move(step):
            self._at += step
