"""A trained model opened for ranking: dataset and weights of one checkpoint of a run."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.evaluation.ranks import check_scores, rank_among, ranks_in_order
from neumf_tui.evaluation.scoring import Scorer
from neumf_tui.explore.foldin import FoldIn
from neumf_tui.explore.guests import Guest, Who
from neumf_tui.explore.history_vectors import HistorySums
from neumf_tui.explore.users import dataset_of
from neumf_tui.model.config import NeuMFConfig
from neumf_tui.model.neumf import NeuMF
from neumf_tui.runs.checkpoint import open_checkpoint
from neumf_tui.runs.events import RunInfo
from neumf_tui.runs.reader import read_info
from neumf_tui.settings import check

PARTS = ("score", "gmf", "mlp")
"""What candidates can be ordered by: the score, or one of its parts alone."""


@dataclass(frozen=True, eq=False)
class Person:
    """A user or guest as one model knows them."""

    who: Who
    label: str  # `user 196` or `guest anna`
    history: NDArray[np.int64]  # item indices, oldest first
    heldout: int  # item index held out, or -1
    gmf: NDArray[np.float32]  # GMF embedding, shape (embedding_size,)
    mlp: NDArray[np.float32]  # MLP embedding, shape (embedding_size,)

    @property
    def file_stem(self) -> str:
        """The label as a part of a file's name."""
        return self.label.replace(" ", "-")


@dataclass(frozen=True, eq=False, kw_only=True)
class UserRanking:
    """All candidates of one person, best first; every array has shape (candidates,)."""

    person: Person
    by: str  # which of PARTS decides order and ranks
    items: NDArray[np.int64]
    ranks: NDArray[np.float32]
    scores: NDArray[np.float32]
    gmf: NDArray[np.float32]
    mlp: NDArray[np.float32]  # the float32 sum of gmf and mlp is the score
    gmf_mean: float
    mlp_mean: float
    """Means of the parts over the candidates. BPR leaves a user's scores free up to a constant: a
    part is meaningful only beside that user's other candidates."""
    heldout: int  # position of the held-out item in these arrays, or -1
    heldout_ranks: dict[str, float]
    """The held-out item's rank by each of PARTS; empty where nothing is held out."""

    def centred(self, row: int) -> tuple[float, float, float]:
        """Return score, GMF and MLP part of the item at `row`, each less its mean."""
        gmf, mlp = float(self.gmf[row]) - self.gmf_mean, float(self.mlp[row]) - self.mlp_mean
        return gmf + mlp, gmf, mlp


class Ranker:
    """Ranks the catalogue for users of one run with the model after one epoch."""

    def __init__(
        self, folder: Path, home: Path, which: str | None = None, dataset: Dataset | None = None
    ) -> None:
        """`which` is as in `find_checkpoint`; `dataset` is used if it is the run's.

        Raises RunError or DatasetError where the run, its checkpoint or its dataset cannot be read.
        """
        # The computations are small, and beside a training two threads that wait for one another
        # take a hundred times longer. It also makes sums equal to the trainer's, to the bit.
        torch.set_num_threads(1)
        self.folder, self.home = folder, home
        self.info: RunInfo = read_info(folder)
        if dataset is None or dataset.fingerprint != self.info.dataset.fingerprint:
            dataset = dataset_of(self.info, home)
        self.dataset: Dataset = dataset
        path, tensors, checkpoint, self.note = open_checkpoint(folder, which, dataset.fingerprint)
        """`note` says why this is another checkpoint than `which`; empty if it is that one."""
        self.epoch = checkpoint.progress.epoch
        settings = check(self.info.settings)
        config = NeuMFConfig.of(settings, dataset.num_users, dataset.num_items)
        found = {name: tensor.shape for name, tensor in tensors.items() if name[:5] != "adam."}
        if found != (expected := config.shapes()):  # before memory is taken for the model
            odd = min(name for name, _ in found.items() ^ expected.items())
            raise RunError(
                f"{path}: a checkpoint of another model than run.json says: {odd} is "
                f"{found.get(odd, 'missing')}, expected {expected.get(odd, 'nothing')}; "
                "open it with the run it belongs to"
            )
        # The meta device would save the initial draws, but takes 0.9 s of imports when first used.
        self.trained = NeuMF(config)
        """The model as its checkpoint has it."""
        weights = {
            name: torch.from_numpy(tensor)
            for name, tensor in tensors.items()
            if not name.startswith("adam.")
        }
        self.trained.load_state_dict(weights, assign=True)
        self.trained.requires_grad_(False)
        if self.epoch < settings.pretrain:
            self.trained.fuse(settings.alpha)
        self.model = self.trained
        """The same with every user's history added to their vectors: plain NeuMF."""
        if settings.history:
            history = torch.from_numpy(np.array(dataset.split.items))
            offsets = torch.from_numpy(dataset.offsets)
            self.model = self.trained.with_history_folded_in(history, offsets[:-1], offsets.diff())
        self.scorer = Scorer(self.model)
        self._guest: Person | None = None

    def at(self, epoch: int) -> "Ranker":
        """Open the same run after another epoch; raises RunError where it has no checkpoint."""
        return Ranker(self.folder, self.home, str(epoch), self.dataset)

    @property
    def label(self) -> str:
        """Run and epoch, in the form that commands take."""
        return f"{self.info.name}@{self.epoch}"

    @property
    def by_history(self) -> bool:
        """Whether users' vectors are made of their histories: then nothing is fitted or drawn."""
        return self.trained.config.history > 0

    @cached_property
    def fold_in(self) -> FoldIn | HistorySums:
        """Gives newcomers their vectors."""
        if self.by_history:
            return HistorySums(self.trained)
        return FoldIn(self.model, weight_decay=float(self.info.settings["weight_decay"]))

    def fold_in_of(self, who: Who) -> FoldIn | HistorySums:
        """Return what gives `who` vectors for another history than their own."""
        if self.by_history and isinstance(who, int):
            return HistorySums(self.trained, who)
        return self.fold_in

    def person(self, who: Who) -> Person:
        """Return a user, or a guest folded in.

        Raises RunError for a guest with items that are not in this catalogue.
        """
        if isinstance(who, Guest):
            if self._guest is None or self._guest.who != who:
                history = who.history(self.dataset)
                vectors = self.fold_in.fit([history], who.seed)
                gmf, mlp = vectors.gmf[0], vectors.mlp[0]
                self._guest = Person(who, f"guest {who.name}", history, -1, gmf, mlp)
            return self._guest
        return Person(
            who=who,
            label=f"user {self.dataset.user_ids[who]}",
            history=self.dataset.history(who),
            heldout=int(self.dataset.split.heldout[who]),
            gmf=self.model.user_gmf.weight[who].numpy(),
            mlp=self.model.user_mlp.weight[who].numpy(),
        )

    def rank(self, who: Who, by: str = "score") -> UserRanking:
        """Rank every candidate of a user or guest as `rank_person` does."""
        return self.rank_person(self.person(who), by)

    def rank_person(self, person: Person, by: str = "score") -> UserRanking:
        """Rank every candidate, best first by `by`, one of PARTS; equal ones in item order.

        Raises RunError where a score is not a number, or where the history holds every item.
        """
        candidate = np.ones(self.dataset.num_items, dtype=bool)
        candidate[person.history] = False
        items = np.flatnonzero(candidate)
        if not len(items):
            seen = f"{person.label} has seen all {self.dataset.num_items:,} films"
            raise RunError(f"{seen}: none is left to rank; choose another")
        gmf, mlp = (part[items] for part in self.parts(person))
        values = {"score": gmf + mlp, "gmf": gmf, "mlp": mlp}
        order = np.argsort(-values[by], kind="stable")
        held = np.flatnonzero(items[order] == person.heldout)
        return UserRanking(
            person=person,
            by=by,
            items=items[order],
            ranks=ranks_in_order(values[by][order]),
            scores=values["score"][order],
            gmf=gmf[order],
            mlp=mlp[order],
            gmf_mean=float(gmf.mean(dtype=np.float64)),
            mlp_mean=float(mlp.mean(dtype=np.float64)),
            heldout=int(held[0]) if len(held) else -1,
            heldout_ranks={
                part: float(rank_among(value, value[items == person.heldout][0]))
                for part, value in values.items()
                if len(held)
            },
        )

    def parts(self, person: Person) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return GMF and MLP part of every item's score, each (num_items,).

        Raises RunError where one is not a number.
        """
        gmf, mlp = self.scorer.embedded(person.gmf[None], person.mlp[None])
        for part in (gmf, mlp):
            check_scores(part, self.folder)
        return gmf[0], mlp[0]
