"""What every model can be asked: scores of all items, and what else its kind can tell.

The views show whatever a scorer can tell. What it cannot tell raises CannotError, whose message is
one line that stands in the place of the answer.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import RunError
from neumf_tui.runs.events import ModelKind

FloatArray = NDArray[np.float32]
NewcomersBy = Literal["fold-in", "history vectors", "history"]
DIVERGED = "is not a number: the model has diverged; train it again with a smaller --learning-rate"
"""How every message about a NaN or an infinity ends."""
SCORE = "score"
"""The name of the whole score, beside those of its parts."""
quiet = np.errstate(all="ignore")
"""Decorates what computes with weights: where a model has diverged, `check_scores` says so once."""
_CHUNK_SCORES = 1 << 18
"""Scores that are made at once, if nothing else decides: 1 MiB."""


@dataclass(frozen=True, eq=False)
class Histories:
    """The histories of n users, in one array of items."""

    items: NDArray[np.int64]
    """Item indices, of each user from oldest to latest."""
    starts: NDArray[np.int64]
    """Shape (n,): where each history begins in `items`."""
    sizes: NDArray[np.int64]
    """Shape (n,)."""

    @classmethod
    def of(cls, histories: list[NDArray[np.int64]]) -> "Histories":
        """Join separate histories."""
        sizes = np.array([len(history) for history in histories], np.int64)
        return cls(np.concatenate(histories), np.cumsum(sizes) - sizes, sizes)

    def users(self, users: range) -> "Histories":
        """Return the histories of consecutive users."""
        rows = slice(users.start, users.stop)
        return Histories(self.items, self.starts[rows], self.sizes[rows])


class CannotError(RunError):
    """A model of this kind has no answer to that question."""


@dataclass(frozen=True, eq=False)
class Profile:
    """A person as one model knows them."""

    history: NDArray[np.int64]
    """Item indices, oldest first."""
    user: int | None = None
    """Index of the trained user; None for somebody whom the model was not trained with."""
    vectors: Mapping[str, FloatArray] = field(default_factory=dict)
    """The person's vector (d,) by the name of its space; empty where the model has none."""


class ItemScores(NamedTuple):
    """The scores of all items for one person."""

    total: FloatArray
    """Shape (num_items,); −∞ for an item whose score the model does not have."""
    parts: Mapping[str, FloatArray]
    """Exact summands of `total` by name, in the order of `Scorer.part_names`."""


class Factors(NamedTuple):
    """A part of the score that is a sum over factors k of weights[k] · table[item, k]."""

    part: str
    """The name of that part, one of `Scorer.part_names`, or `score` for the whole score."""
    weights: NDArray[np.float64]
    """Shape (d,): the person's side."""
    table: FloatArray
    """Shape (num_items, d): the items' side."""


class Shares(NamedTuple):
    """What each item of a history adds to a part of the score of one item."""

    part: str
    """As in `Factors`."""
    items: NDArray[np.float64]
    """Shape of the history. Less what it adds on average to the items it is compared with."""
    own: float
    """What does not come from the history; with the sum of `items` it is that part, centred."""


class Similar(NamedTuple):
    """Rows of items or users that are near one row, nearest first."""

    rows: NDArray[np.int64]
    values: NDArray[np.float64]
    """Cosines, or whatever `measure` says."""
    close: int
    """How many rows have a cosine of at least 0.99; 0 for other measures."""
    zero: bool = False
    """Whether the vector asked about is zero: it has no direction, and so no neighbours."""
    measure: str = "cosine"


class Kept(NamedTuple):
    """What a checkpoint holds of a model, as `open_scorer` takes it."""

    model: ModelKind
    tensors: dict[str, NDArray[Any]]
    shape: dict[str, Any]


class Scorer(ABC):
    """Scores items for the users of one dataset."""

    what: str
    """What the model is, as messages say it: `a NeuMF`."""
    num_users: int
    num_items: int
    part_names: tuple[str, ...] = ()
    """Names of the exact summands of a score; empty where a score is one number."""
    newcomers_by: NewcomersBy = "fold-in"
    """How the scores of a newcomer come about: by vectors that are fitted, by vectors that are sums
    over the history, or by the history alone, in which case they are exact."""

    @property
    def by_history(self) -> bool:
        """Whether nothing is fitted, and nothing drawn, for a newcomer."""
        return self.newcomers_by != "fold-in"

    @property
    def chunk_users(self) -> int:
        """How many users to score at once."""
        return max(1, min(self.num_users, _CHUNK_SCORES // max(1, self.num_items)))

    @abstractmethod
    def scores(self, users: range) -> FloatArray:
        """Return new scores of all items for consecutive users, (users, num_items).

        At most `chunk_users` at once. −∞ where the model has no score.
        """

    @abstractmethod
    def item_scores(self, person: Profile) -> ItemScores:
        """Return the scores for one person; for a user the same bits as `scores`."""

    def kept(self) -> Kept:
        """Return what a checkpoint needs, so that `open_scorer` makes the same scorer of it."""
        raise CannotError(f"{self.what} cannot be kept in a checkpoint")

    def with_histories(self, histories: Histories) -> "Scorer":
        """Return a scorer that knows other histories of the same users."""
        return self

    def profile(self, user: int, history: NDArray[np.int64]) -> Profile:
        """Return the profile of a user of the dataset, whose history is `history`."""
        return Profile(history, user)

    def newcomer(
        self, history: NDArray[np.int64], seed: int = 0, user: int | None = None
    ) -> Profile:
        """Return the profile of somebody with a history that no user of the dataset has.

        `seed` decides what is drawn where something is. `user`: the user whose history it was
        before items were left out of it.

        Raises CannotError, UsageError for an empty history.
        """
        raise CannotError(f"{self.what} cannot score somebody whom it was not trained with")

    def prepare_newcomers(self) -> None:  # noqa: B027 - most kinds have nothing to prepare
        """Compute what the first newcomer would wait for."""

    def average(self) -> Profile:
        """Return the profile of the average user, who has no history; raises CannotError."""
        raise CannotError(f"{self.what} has no scores for somebody without a history")

    def without_each(self, person: Profile) -> Iterator[FloatArray]:
        """Yield scores (n, num_items): first one row as a newcomer with the whole history.

        Then rows without each item of it, in its order, some at a time. Raises CannotError.
        """
        history = person.history
        yield self.item_scores(self.newcomer(history, user=person.user)).total[None]
        for row in range(len(history)):
            left = self.newcomer(np.delete(history, row), user=person.user)
            yield self.item_scores(left).total[None]

    def similar_items(self, item: int, count: int) -> Mapping[str, Similar]:
        """Return the `count` items nearest to `item`, by name of the space; raises CannotError."""
        raise CannotError(f"{self.what} has no vectors of items")

    def similar_users(self, person: Profile, count: int) -> Mapping[str, Similar]:
        """Return the `count` users nearest to a person, by space; raises CannotError."""
        raise CannotError(f"{self.what} has no vectors of users")

    def embeddings(self) -> Mapping[str, FloatArray]:
        """Return all vectors by name: `user…` (num_users, d), `item…` (num_items, d); CannotError.

        Arrays of other names are neither.
        """
        raise CannotError(f"{self.what} has no vectors")

    def factors(self, person: Profile) -> Factors | None:
        """Return the part of the score that is a sum over factors; None where none is."""
        return None

    def shares(self, person: Profile, item: int, beside: NDArray[np.int64]) -> Shares | None:
        """Return what each item of the history adds to `item`; None where nothing tells.

        It is exact. Everything is less its mean over the items `beside`.
        """
        return None
