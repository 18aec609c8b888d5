"""Full ranking: the rank of every user's held-out item among all candidates, by counting, without a sort."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import DatasetError, NeumfTuiError
from neumf_tui.model.neumf import NeuMF
from neumf_tui.ranking.scoring import Scorer


def num_candidates(dataset: Dataset) -> NDArray[np.int64]:
    """Items outside each user's history, shape (num_users,)."""
    return dataset.num_items - np.diff(dataset.offsets)


class Evaluator:
    """Ranks each user's held-out item, or their validation item; holds on `device` what does not change between evaluations.

    For the validation item the history is what comes before it, so it is a candidate, and the held-out item, of which
    nobody knows then, is one as well.
    """

    def __init__(self, dataset: Dataset, device: torch.device, *, validation: bool = False) -> None:
        """Raises DatasetError where no user has such an item."""
        targets = dataset.validation if validation else np.asarray(dataset.split.heldout)
        if not (targets >= 0).any():
            if validation:
                raise DatasetError(
                    f"{dataset.label}: no user has three interactions to keep one for validation; add --no-validation"
                )
            raise DatasetError(f"{dataset.label}: no user has two interactions, so nothing can be held out")
        self.dataset = dataset
        self.validation = validation
        keep = dataset.learned if validation else slice(None)
        users, items = np.array(dataset.split.users)[keep], np.array(dataset.split.items)[keep]
        sizes = np.bincount(users, minlength=dataset.num_users)
        self.candidates: NDArray[np.int64] = dataset.num_items - sizes
        """Items outside each user's history, shape (num_users,)."""
        self.offsets = np.concatenate(([0], np.cumsum(sizes)))
        self.seen_by: NDArray[np.int64] = np.bincount(items, minlength=dataset.num_items)
        """Shape (num_items,): users with the item in that history."""
        self.targets = torch.as_tensor(np.array(targets), device=device)
        self.users, self.items = torch.as_tensor(users, device=device), torch.as_tensor(items, device=device)
        self.starts = torch.as_tensor(self.offsets[:-1], device=device)
        self.sizes = torch.as_tensor(sizes, device=device)

    def ranks(self, model: NeuMF) -> NDArray[np.float32]:
        """Rank of each user's item, shape (num_users,), NaN where there is none.

        Raises NeumfTuiError when a score is not a number.
        """
        scorer = Scorer(model.settled(self.items, self.starts, self.sizes))

        def scores(number: int) -> Tensor:
            gmf, mlp = scorer.chunk(number)
            return gmf.add_(mlp)

        return self.ranks_by(scores, scorer.num_chunks(), scorer.chunk_users)

    def popularity_ranks(self) -> NDArray[np.float32]:
        """The same for the model that scores every item by the number of users who have it in training."""
        seen = torch.as_tensor(self.seen_by, device=self.targets.device).float()
        size = max(1, (1 << 20) // self.dataset.num_items)
        count = -(-self.dataset.num_users // size)
        total = self.dataset.num_users
        return self.ranks_by(lambda number: seen.repeat(min(size, total - number * size), 1), count, size)

    @torch.inference_mode()
    def ranks_by(self, scores_of: Callable[[int], Tensor], count: int, size: int) -> NDArray[np.float32]:
        """The same for any model: `scores_of(number)` gives float32 scores (users, num_items) of the `number`-th `size` users,
        `count` times, and may be overwritten."""
        offsets = self.offsets
        num_users = self.dataset.num_users
        ranks = torch.full((num_users,), torch.nan, dtype=torch.float32, device=self.targets.device)
        for number in range(count):
            start, stop = number * size, min((number + 1) * size, num_users)
            scores = scores_of(number)
            held = self.targets[start:stop]
            target = scores.gather(1, held.clamp(min=0)[:, None])
            # The history leaves the race: NaN is neither higher than nor equal to anything.
            nan_before = scores.isnan().any()
            pairs = slice(int(offsets[start]), int(offsets[stop]))
            scores[self.users[pairs] - start, self.items[pairs]] = torch.nan
            higher = (scores > target).sum(1)
            equal = (scores == target).sum(1) - 1
            rank = 1 + higher.float() + equal.float() / 2
            ranks[start:stop] = torch.where((held >= 0) & ~nan_before, rank, torch.nan)
            ranks[start:stop].masked_fill_((held >= 0) & nan_before, -1)
        result: NDArray[np.float32] = ranks.cpu().numpy()
        if (result < 0).any():
            raise NeumfTuiError("a score is not a number: the model has diverged; try a smaller --learning-rate")
        return result
