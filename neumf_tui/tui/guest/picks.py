"""What a new user has picked, with the way back and forth again."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Picks:
    """All that a list depends on, the model apart."""

    items: tuple[int, ...] = ()
    """Item indices in the order of picking, none twice."""
    seed: int = 0
    """Of the draw of negatives."""

    def toggled(self, item: int) -> "Picks":
        """Without `item` where it is picked, else with it as the latest."""
        if item in self.items:
            return replace(self, items=tuple(other for other in self.items if other != item))
        return replace(self, items=(*self.items, item))


class Past:
    """States one after another; a new one ends whatever could have been done again."""

    def __init__(self, first: Picks) -> None:
        self._states, self._at = [first], 0

    @property
    def now(self) -> Picks:
        return self._states[self._at]

    def do(self, picks: Picks) -> None:
        self._states[self._at + 1 :] = [picks]
        self._at += 1

    def can(self, step: int) -> bool:
        """Whether there is a state `step` further on (1: redo) or back (−1: undo)."""
        return 0 <= self._at + step < len(self._states)

    def move(self, step: int) -> None:
        """Nothing where there is no such state."""
        if self.can(step):
            self._at += step
