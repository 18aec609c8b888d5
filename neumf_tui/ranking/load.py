"""A trained model opened for ranking: dataset and weights of a run's newest evaluated checkpoint."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.registry import load_dataset
from neumf_tui.errors import RunError
from neumf_tui.model.neumf import NeuMF, NeuMFConfig
from neumf_tui.ranking.scoring import Scorer
from neumf_tui.runs.checkpoint import evaluated_checkpoint, load_checkpoint
from neumf_tui.runs.events import RunInfo
from neumf_tui.runs.reader import read_info


@dataclass(frozen=True)
class UserRanking:
    """All candidates of one user, best first; every array has shape (candidates,)."""

    user: int
    items: NDArray[np.int64]
    ranks: NDArray[np.float32]
    """1 + scored higher + ties / 2, the same rule for every item."""
    scores: NDArray[np.float32]
    gmf: NDArray[np.float32]
    mlp: NDArray[np.float32]
    heldout: int
    """Position of the held-out item in these arrays, or -1."""

    @property
    def heldout_rank(self) -> float | None:
        return float(self.ranks[self.heldout]) if self.heldout >= 0 else None


class Ranker:
    """Ranks the catalogue for users of one run."""

    def __init__(self, folder: Path, home: Path) -> None:
        """Raises RunError or DatasetError where the run, its checkpoint or its dataset cannot be read."""
        self.folder = folder
        self.info: RunInfo = read_info(folder)
        self.dataset: Dataset = load_dataset(
            self.info.dataset.fingerprint, self.info.dataset.name, home, self.info.dataset.source
        )
        path = evaluated_checkpoint(folder)
        tensors, about = load_checkpoint(path, self.dataset.fingerprint)
        self.epoch = about.progress.epoch
        settings = self.info.settings
        config = NeuMFConfig(
            self.dataset.num_users,
            self.dataset.num_items,
            int(settings["embedding_size"]),
            tuple(settings["mlp_layers"]),
        )
        self.model = NeuMF(config)
        weights = {name: torch.from_numpy(tensor) for name, tensor in tensors.items() if not name.startswith("adam.")}
        try:
            self.model.load_state_dict(weights)
        except RuntimeError as error:
            raise RunError(f"{path}: of another model than run.json says ({error}); open its own run") from error
        self._scorer = Scorer(self.model)

    def rank(self, user: int) -> UserRanking:
        """Every candidate of user index `user`, best first; equal scores in item order. Raises RunError on NaN."""
        gmf, mlp = (part.numpy() for part in self._scorer.user(user))
        scores = gmf + mlp
        if np.isnan(scores).any():
            raise RunError(f"{self.folder}: a score is not a number; train the run again")
        candidate = np.ones(self.dataset.num_items, dtype=bool)
        candidate[self.dataset.history(user)] = False
        items = np.flatnonzero(candidate)
        items = items[np.argsort(-scores[items], kind="stable")]
        ordered = scores[items]
        ascending = ordered[::-1]
        higher = len(items) - np.searchsorted(ascending, ordered, side="right")
        equal = len(items) - np.searchsorted(ascending, ordered, side="left") - higher - 1
        held = int(self.dataset.split.heldout[user])
        place = np.flatnonzero(items == held)
        return UserRanking(
            user,
            items,
            (1 + higher + equal / 2).astype(np.float32),
            ordered,
            gmf[items],
            mlp[items],
            int(place[0]) if len(place) else -1,
        )
