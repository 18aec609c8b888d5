"""A trained model opened for ranking: dataset and weights of one checkpoint of a run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.registry import load_dataset
from neumf_tui.errors import RunError
from neumf_tui.evaluation.scoring import Scorer
from neumf_tui.explore.guests import Guest
from neumf_tui.model.config import NeuMFConfig
from neumf_tui.model.neumf import NeuMF
from neumf_tui.runs.checkpoint import find_checkpoint, load_checkpoint
from neumf_tui.runs.events import RunInfo
from neumf_tui.runs.reader import read_info
from neumf_tui.settings import check

if TYPE_CHECKING:
    from neumf_tui.explore.foldin import FoldIn
    from neumf_tui.explore.history_vectors import ByHistory

PARTS = ("score", "gmf", "mlp")
"""What candidates can be ordered by: the score, or one of its parts alone."""

Who = int | Guest
"""A user index, or somebody who is folded in."""


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody as one model knows them."""

    who: Who
    label: str
    """`user 196` or `guest anna`."""
    history: NDArray[np.int64]
    """Item indices, oldest first."""
    heldout: int
    """Item index held out, or -1."""
    gmf: NDArray[np.float32]
    """GMF embedding, shape (embedding_size,)."""
    mlp: NDArray[np.float32]
    """MLP embedding, shape (embedding_size,)."""


@dataclass(frozen=True, eq=False)
class UserRanking:
    """All candidates of one person, best first; every array has shape (candidates,)."""

    person: Person
    by: str
    """One of PARTS: what the order and the ranks go by."""
    items: NDArray[np.int64]
    ranks: NDArray[np.float32]
    """1 + scored higher + ties / 2, the same rule for every item."""
    scores: NDArray[np.float32]
    gmf: NDArray[np.float32]
    mlp: NDArray[np.float32]
    """The parts; their float32 sum is the score."""
    gmf_mean: float
    mlp_mean: float
    """Means of the parts over the candidates. BPR leaves a user's scores free up to a constant: a part says something only
    beside that user's other candidates."""
    heldout: int
    """Position of the held-out item in these arrays, or -1."""
    heldout_ranks: dict[str, float] = field(default_factory=dict)
    """The held-out item's rank by each of PARTS; empty where nothing is held out."""

    @property
    def user(self) -> Who:
        return self.person.who

    def centred(self, row: int) -> tuple[float, float, float]:
        """Score, GMF and MLP part of the item at `row`, each less its mean over the candidates."""
        gmf, mlp = float(self.gmf[row]) - self.gmf_mean, float(self.mlp[row]) - self.mlp_mean
        return gmf + mlp, gmf, mlp


class Ranker:
    """Ranks the catalogue for users of one run as the model stood after one epoch."""

    def __init__(
        self, folder: Path, home: Path, which: str | None = None, dataset: Dataset | None = None
    ) -> None:
        """`which` is an epoch, `best` or `last`, None the newest that ranks exist for; `dataset` saves loading it again.

        Raises RunError or DatasetError where the run, its checkpoint or its dataset cannot be read.
        """
        # What is asked here is small, and beside a training two threads that wait for one another cost a hundred times what they
        # save. It also makes the sums those of the trainer, to the bit.
        torch.set_num_threads(1)
        self.folder, self.home = folder, home
        self.info: RunInfo = read_info(folder)
        about = self.info.dataset
        if dataset is None or dataset.fingerprint != about.fingerprint:
            dataset = load_dataset(about.fingerprint, about.name, home, about.source)
        self.dataset: Dataset = dataset
        path = find_checkpoint(folder, which)
        tensors, checkpoint = load_checkpoint(path, self.dataset.fingerprint)
        self.epoch = checkpoint.progress.epoch
        settings = check(self.info.settings)
        # Not on the meta device, which would save the draws but takes 0.9 s of imports when first used.
        self.trained = NeuMF(
            NeuMFConfig.of(settings, self.dataset.num_users, self.dataset.num_items)
        )
        weights = {
            name: torch.from_numpy(tensor)
            for name, tensor in tensors.items()
            if not name.startswith("adam.")
        }
        try:
            self.trained.load_state_dict(weights, assign=True)
        except RuntimeError as error:
            raise RunError(
                f"{path}: of another model than run.json says ({error}); open its own run"
            ) from error
        self.trained.requires_grad_(False)
        """The model as its checkpoint has it."""
        if self.epoch < settings.pretrain:
            self.trained.fuse(settings.alpha)
        self.model = self.trained
        if settings.history:
            history = torch.from_numpy(np.array(self.dataset.split.items))
            offsets = torch.from_numpy(self.dataset.offsets)
            self.model = self.trained.with_history_folded_in(history, offsets[:-1], offsets.diff())
        """The same, with every user's history in their vectors: what ranks is plain NeuMF."""
        self.scorer = Scorer(self.model)
        self._fold_in: FoldIn | ByHistory | None = None
        self._guest: Person | None = None

    def at(self, epoch: int) -> "Ranker":
        """The same run after another epoch; raises RunError where no checkpoint of it was kept."""
        return Ranker(self.folder, self.home, str(epoch), self.dataset)

    @property
    def label(self) -> str:
        """Run and epoch, in the form that commands take."""
        return f"{self.info.name}@{self.epoch}"

    @property
    def fold_in(self) -> "FoldIn | ByHistory":
        """Gives newcomers their vectors."""
        if self._fold_in is None:
            self._fold_in = self._make_fold_in()
        return self._fold_in

    def _make_fold_in(self) -> "FoldIn | ByHistory":
        from neumf_tui.explore import foldin
        from neumf_tui.explore import history_vectors as by_history

        if self.by_history:
            return by_history.ByHistory(self.trained)
        return foldin.FoldIn(self.model, weight_decay=float(self.info.settings["weight_decay"]))

    @property
    def by_history(self) -> bool:
        """Whether users' vectors are made of their films: then nothing is fitted to a person, and nothing drawn."""
        return self.trained.config.history > 0

    def refit(self, who: Who) -> "FoldIn | ByHistory":
        """What gives `who` vectors for another history than their own."""
        if self.by_history and not isinstance(who, Guest):
            from neumf_tui.explore.history_vectors import ByHistory

            return ByHistory(self.trained, who)
        return self.fold_in

    def person(self, who: Who) -> Person:
        """A trained user, or a guest folded in. Raises RunError for a guest with films that are not in this catalogue."""
        if isinstance(who, Guest):
            if self._guest is None or self._guest.who != who:
                history = who.history(self.dataset)
                vectors = self.fold_in.fit([history], who.seed)
                self._guest = Person(
                    who, f"guest {who.name}", history, -1, vectors.gmf[0], vectors.mlp[0]
                )
            return self._guest
        return Person(
            who,
            f"user {self.dataset.user_ids[who]}",
            self.dataset.history(who),
            int(self.dataset.split.heldout[who]),
            self.model.user_gmf.weight[who].numpy(),
            self.model.user_mlp.weight[who].numpy(),
        )

    def parts(self, person: Person) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """GMF and MLP part of every item's score, each (num_items,). Raises RunError where one is not a number."""
        if isinstance(person.who, Guest):
            gmf, mlp = self.scorer.embedded(
                torch.from_numpy(person.gmf)[None], torch.from_numpy(person.mlp)[None]
            )
            gmf, mlp = gmf[0], mlp[0]
        else:
            gmf, mlp = self.scorer.user(person.who)
        if not bool(torch.isfinite(gmf).all() & torch.isfinite(mlp).all()):
            raise RunError(f"{self.folder}: a score is not a number; train the run again")
        return gmf.numpy(), mlp.numpy()

    def rank(self, who: Who, by: str = "score") -> UserRanking:
        """Every candidate, best first by `by`, one of PARTS; equal ones in item order. Raises RunError on NaN."""
        person = self.person(who)
        gmf, mlp = self.parts(person)
        candidate = np.ones(self.dataset.num_items, dtype=bool)
        candidate[person.history] = False
        items = np.flatnonzero(candidate)
        if not len(items):
            raise RunError(
                f"{person.label} has seen all {self.dataset.num_items:,} films: none is left to rank; choose another"
            )
        gmf, mlp = gmf[items], mlp[items]
        values = {"score": gmf + mlp, "gmf": gmf, "mlp": mlp}
        held = np.flatnonzero(items == person.heldout)
        heldout_ranks = (
            {part: _rank_of(value, int(held[0])) for part, value in values.items()}
            if len(held)
            else {}
        )
        order = np.argsort(-values[by], kind="stable")
        place = np.flatnonzero(order == held[0]) if len(held) else held
        return UserRanking(
            person,
            by,
            items[order],
            _ranks(values[by][order]),
            values["score"][order],
            gmf[order],
            mlp[order],
            float(gmf.mean(dtype=np.float64)),
            float(mlp.mean(dtype=np.float64)),
            int(place[0]) if len(place) else -1,
            heldout_ranks,
        )


def _rank_of(values: NDArray[np.float32], row: int) -> float:
    return float(1 + (values > values[row]).sum() + ((values == values[row]).sum() - 1) / 2)


def _ranks(ordered: NDArray[np.float32]) -> NDArray[np.float32]:
    """Ranks of values that descend: where each run of equal values begins and ends."""
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    lengths = np.diff(np.append(starts, len(ordered)))
    return np.repeat(1 + starts + (lengths - 1) / 2, lengths).astype(np.float32)
