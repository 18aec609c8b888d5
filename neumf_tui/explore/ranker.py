"""A model opened for ranking: dataset and scorer of one checkpoint of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError, UsageError
from neumf_tui.evaluation.ranks import check_scores, rank_among, ranks_in_order
from neumf_tui.explore.guests import Guest, Who
from neumf_tui.explore.users import dataset_of
from neumf_tui.runs.checkpoint import find_rank_epoch, open_checkpoint
from neumf_tui.runs.events import RunInfo
from neumf_tui.runs.reader import read_info
from neumf_tui.scorers.open import open_scorer
from neumf_tui.scorers.scorer import SCORE, Profile, Scorer
from neumf_tui.settings import check


@dataclass(frozen=True, eq=False)
class Person:
    """A user or guest as one model knows them."""

    who: Who
    label: str  # `user 196` or `guest anna`
    heldout: int  # item index held out, or -1
    profile: Profile

    @property
    def history(self) -> NDArray[np.int64]:
        """Item indices, oldest first."""
        return self.profile.history

    @property
    def file_stem(self) -> str:
        """The label as a part of a file's name."""
        return self.label.replace(" ", "-")


@dataclass(frozen=True, eq=False, kw_only=True)
class UserRanking:
    """All candidates of one person, best first; every array has shape (candidates,)."""

    person: Person
    by: str  # SCORE, or the part that decides order and ranks
    items: NDArray[np.int64]
    ranks: NDArray[np.float32]
    scores: NDArray[np.float32]
    parts: Mapping[str, NDArray[np.float32]]
    """Exact summands of the scores by name; empty where a score is one number."""
    means: Mapping[str, float]
    """Means over the known candidates of the score and its parts. BPR leaves a user's scores free
    up to a constant: a part is meaningful only beside that user's other candidates."""
    known: int
    """How many candidates have a score: these come first. The others share one rank."""
    heldout: int  # position of the held-out item in these arrays, or -1
    heldout_ranks: Mapping[str, float]
    """The held-out item's rank by the score and by each part; empty where nothing is held out."""

    @property
    def heldout_is_known(self) -> bool:
        """Whether the held-out item has a score; where nothing is held out it has none."""
        return self.heldout >= 0 and bool(np.isfinite(self.scores[self.heldout]))

    def centred(self, row: int) -> dict[str, float]:
        """Return the score of the item at `row` and its parts, each less its mean."""
        found = {name: float(part[row]) - self.means[name] for name, part in self.parts.items()}
        whole = sum(found.values()) if found else float(self.scores[row]) - self.means[SCORE]
        return {SCORE: whole, **found}


class Ranker:
    """Ranks the catalogue for users of one run with the model after one epoch."""

    def __init__(
        self, folder: Path, home: Path, which: str | None = None, dataset: Dataset | None = None
    ) -> None:
        """`which` is as in `find_checkpoint`; `dataset` is used if it is the run's.

        Raises RunError or DatasetError where the run, its checkpoint or its dataset cannot be read.
        """
        self.folder, self.home = folder, home
        self.info: RunInfo = read_info(folder)
        if dataset is None or dataset.fingerprint != self.info.dataset.fingerprint:
            dataset = dataset_of(self.info, home, folder)
        self.dataset: Dataset = dataset
        self.epoch, self.note = 0, ""
        """`note` says why this is another checkpoint than `which`; empty if it is that one."""
        self.scorer: Scorer = self._open_scorer(which)
        self._guest: Person | None = None

    def _open_scorer(self, which: str | None) -> Scorer:
        if self.info.model == "none":
            self.epoch = find_rank_epoch(self.folder, which)
            return open_scorer("none", {}, {}, self.dataset)
        path, tensors, about, self.note = open_checkpoint(
            self.folder, which, self.dataset.fingerprint
        )
        self.epoch = about.progress.epoch
        decay, fuse = 0.0, None
        if self.info.is_trained:
            settings = check(self.info.settings)
            decay = settings.weight_decay
            fuse = settings.alpha if self.epoch < settings.pretrain else None
        try:
            return open_scorer(self.info.model, tensors, about.shape, self.dataset, decay, fuse)
        except RunError as error:
            raise RunError(f"{path}: {error}") from None

    def at(self, epoch: int) -> "Ranker":
        """Open the same run after another epoch; raises RunError where it has no checkpoint."""
        return Ranker(self.folder, self.home, str(epoch), self.dataset)

    @property
    def label(self) -> str:
        """Run and epoch, in the form that commands take."""
        return f"{self.info.name}@{self.epoch}"

    @property
    def orders(self) -> tuple[str, ...]:
        """What candidates can be ordered by: the score, or one of its parts alone."""
        return SCORE, *self.scorer.part_names

    def person(self, who: Who) -> Person:
        """Return a user, or a guest as the model sees newcomers.

        Raises RunError for a guest with items that are not in this catalogue, CannotError where the
        model has no scores for newcomers.
        """
        if isinstance(who, Guest):
            if self._guest is None or self._guest.who != who:
                profile = self.scorer.newcomer(who.history(self.dataset), who.seed)
                self._guest = Person(who, f"guest {who.name}", -1, profile)
            return self._guest
        profile = self.scorer.profile(who, self.dataset.history(who))
        heldout = int(self.dataset.split.heldout[who])
        return Person(who, f"user {self.dataset.user_ids[who]}", heldout, profile)

    def rank(self, who: Who, by: str = SCORE) -> UserRanking:
        """Rank every candidate of a user or guest as `rank_person` does."""
        return self.rank_person(self.person(who), by)

    def rank_person(self, person: Person, by: str = SCORE) -> UserRanking:
        """Rank every candidate, best first by `by`, one of `orders`; equal ones in item order.

        Raises RunError where a score is not a number, or where the history holds every item;
        UsageError for another `by`.
        """
        if by not in self.orders:
            raise UsageError(
                f"--by {by}: {self.info.name} can order by {', '.join(self.orders)} only"
            )
        candidate = np.ones(self.dataset.num_items, dtype=bool)
        candidate[person.history] = False
        items = np.flatnonzero(candidate)
        if not len(items):
            everything = self.dataset.noun.counted(self.dataset.num_items)
            seen = f"{person.label} has seen all {everything}"
            raise RunError(f"{seen}: none is left to rank; choose another")
        total, parts = self.scorer.item_scores(person.profile)
        values = {name: part[items] for name, part in {SCORE: total, **parts}.items()}
        for part in values.values():
            check_scores(part, self.folder)
        order = np.argsort(-values[by], kind="stable")
        known = values[SCORE] > -np.inf
        held = np.flatnonzero(items[order] == person.heldout)
        return UserRanking(
            person=person,
            by=by,
            items=items[order],
            ranks=ranks_in_order(values[by][order]),
            scores=values[SCORE][order],
            parts={name: values[name][order] for name in parts},
            means={
                name: float(value[known].mean(dtype=np.float64)) if known.any() else 0.0
                for name, value in values.items()
            },
            known=int(known.sum()),
            heldout=int(held[0]) if len(held) else -1,
            heldout_ranks={
                name: float(rank_among(value, value[items == person.heldout][0]))
                for name, value in values.items()
                if len(held)
            },
        )
