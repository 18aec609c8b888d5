"""Fold-in: user embeddings for a history of no trained user, with the rest of the model frozen."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from neumf_tui.errors import RunError, UsageError
from neumf_tui.evaluation.ranks import DIVERGED
from neumf_tui.model.neumf import INIT_STD, NeuMF

# Chosen on ML-100K (preset d2l, seed 0, trained with and without the leak of held-out items) on the
# 743 users whom `check(seed=0)` does not take. Geometric mean of the held-out item's rank, without
# the leak, for histories of all, 10, 3 and 1 items (trained users: 77; everybody the mean user:
# 137):   PRIOR 0.03: 77 90 103 112   0.1: 76 87 98 111   0.3: 77 88 100 115   1: 80 93 109 124
# NEGATIVES 64: 80   128: 77   256: 76   512: 76 (means over three seeds, whole histories, PRIOR
# 0.2). COLD_STEPS 6, 12, 20, 40: the loss is above the lowest found by 0.05, 0.01, 0.005, 0.004 on
# average. Ranks no longer change from 6 on; more steps make comparable starts for leaving items
# out.
PRIOR = 0.1
NEGATIVES = 256
COLD_STEPS = 20
WARM_STEPS = 4
_CONVERGED = 1e-5  # an item of the history adds about 0.15 to the loss


@dataclass(frozen=True, eq=False)
class Vectors:
    """User embeddings, one row for each history; both arrays (n, embedding_size)."""

    gmf: NDArray[np.float32]
    mlp: NDArray[np.float32]


def leave_one_out(history: NDArray[np.int64], size: int) -> Iterator[list[NDArray[np.int64]]]:
    """Yield copies of the history that each lack one item, in its order, `size` at a time."""
    for first in range(0, len(history), size):
        rows = range(first, min(first + size, len(history)))
        yield [np.delete(history, row) for row in rows]


def check_not_empty(histories: Sequence[NDArray[np.int64]]) -> None:
    """Raise UsageError where a history is empty."""
    if not all(map(len, histories)):
        raise UsageError("The history is empty. Give at least one film.")


def mean_vectors(model: NeuMF) -> Vectors:
    """Return the mean of all users' embeddings, one row."""
    gmf, mlp = (
        table.weight.detach().double().mean(0, keepdim=True).float().numpy()
        for table in (model.user_gmf, model.user_mlp)
    )
    return Vectors(gmf, mlp)


class FoldIn:
    """Fits user embeddings to histories (item indices, oldest first, each at most once).

    Minimises the loss of training, averaged over the draw of negatives, and a Gaussian prior:

        Σ_positives mean_negatives softplus(s_neg − s_pos) + weight_decay/2·|u|²
          + PRIOR/2·(u − m)ᵀ C⁻¹ (u − m)

    where u = [GMF vector, MLP vector], and m and C are mean and covariance of the trained users' u.
    Training restrains users by its few epochs, which a fit cannot repeat for one person alone; the
    prior replaces that, knows which factors go together, and keeps a person with one item near the
    average.

    Along u a NeuMF with ReLU is piecewise linear, so the second derivatives are exact and cheap:
    Newton's method, damped as by Levenberg and Marquardt, is near the minimum in about six steps.

    Every history is fitted by itself, in one thread: on one machine its embeddings are the same
    bits for the same seed, whatever else is in the call. Memory: 16 bytes × NEGATIVES × items of
    the longest history (3 MB for 700 items).
    """

    def __init__(self, model: NeuMF, *, weight_decay: float) -> None:
        d = self.embedding_size = model.config.embedding_size
        self.num_items = model.config.num_items
        with torch.inference_mode():
            head = model.head.weight[0].cpu()
            self.head_mlp = head[d:]
            first, *rest = model.hidden_layers()
            weight = first.weight.cpu()
            self.first_user = weight[:, :d]
            self.items_gmf = model.item_gmf.weight.cpu() * head[:d]
            items_mlp = model.item_mlp.weight.cpu()
            self.items_first = torch.addmm(first.bias.cpu(), items_mlp, weight[:, d:].T)
            self.layers = [(layer.weight.cpu(), layer.bias.cpu()) for layer in rest]
            users = torch.cat([model.user_gmf.weight, model.user_mlp.weight], 1).cpu().double()
            # At least the spread of the initial weights: C is singular if no user has moved.
            spread = torch.cov(users.T, correction=0) + INIT_STD**2 * torch.eye(2 * d)
            prior = PRIOR * torch.linalg.inv(spread)
            # Both quadratic terms are one, around a centre a little nearer to zero.
            both = prior + weight_decay * torch.eye(2 * d)
            self.precision = both.float()
            self.centre = torch.linalg.solve(both, prior @ users.mean(0)).float()

    @torch.inference_mode()
    def fit(
        self,
        histories: Sequence[NDArray[np.int64]],
        seed: int = 0,
        start: Vectors | None = None,
        steps: int | None = None,
        spared: NDArray[np.int64] | None = None,
    ) -> Vectors:
        """Return embeddings of n histories.

        `start` has n rows or one for all; then fewer steps are needed. `spared` items are never
        drawn as negatives. Raises UsageError for a history that is empty or holds every item,
        RunError where the loss is not a number.
        """
        check_not_empty(histories)
        if steps is None:
            steps = COLD_STEPS if start is None else WARM_STEPS
        # One order for all: histories that differ in one item meet the same negatives.
        order = np.random.default_rng(seed).permutation(self.num_items)
        fitted = [self.centre.new_empty(0, 2 * self.embedding_size)]
        with _one_thread():
            for number, history in enumerate(histories):
                begin = self.centre if start is None else _row(start, number)
                items = np.concatenate([history, self.negatives(history, order, spared)])
                users = self._newton(torch.from_numpy(items), len(history), begin, steps)
                fitted.append(users[None])
        both = torch.cat(fitted).numpy()
        return Vectors(both[:, : self.embedding_size].copy(), both[:, self.embedding_size :].copy())

    def without_each(self, history: NDArray[np.int64], size: int) -> Iterator[Vectors]:
        """Yield embeddings of the whole history, then of it without each item, `size` at a time.

        An item left out is never a negative.
        """
        whole = self.fit([history])
        yield whole
        for histories in leave_one_out(history, size):
            yield self.fit(histories, start=whole, spared=history)

    def negatives(
        self, history: NDArray[np.int64], order: NDArray[np.int64], spared: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        """Return the first NEGATIVES items of `order` outside the history and `spared`."""
        never = history if spared is None else np.concatenate([history, spared])
        few = order[: NEGATIVES + len(never)]
        negatives: NDArray[np.int64] = few[~np.isin(few, never)][:NEGATIVES]
        if not len(negatives):
            raise UsageError(
                f"The history holds all {self.num_items:,} films: none is left to compare with. "
                "Give fewer films."
            )
        return negatives

    def _newton(self, items: Tensor, positives: int, begin: Tensor, steps: int) -> Tensor:
        users, damping = begin, 0.0
        loss, gradient, curvature = self.loss(users, items, positives)
        if not bool(loss.isfinite()):
            raise RunError(f"fold-in: the loss {DIVERGED}")
        for _ in range(steps):
            # Semidefinite plus definite; in double precision rounding cannot change that.
            stiff = (curvature + (1 + damping) * self.precision).double()
            step = torch.linalg.solve(stiff, gradient.double()).float()
            if float(step @ gradient) < _CONVERGED:
                break
            new = self.loss(users - step, items, positives)
            if new[0] < loss:
                users, damping = users - step, damping / 4
                loss, gradient, curvature = new
            else:  # the step has crossed into pieces with other slopes: take a shorter one
                damping = max(4.0, 4 * damping)
        return users

    def loss(self, users: Tensor, items: Tensor, positives: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return loss, gradient (p,) and curvature (p, p) at `users` (p,).

        `items` start with the positives. The curvature leaves out the prior, whose is constant.
        """
        scores, slopes = self._scores(users, items)
        ahead = scores[positives:] - scores[:positives, None]
        count = ahead.shape[1]
        share = torch.sigmoid(ahead)
        bend = torch.addcmul(share, share, share, value=-1)
        away = users - self.centre
        pull = self.precision @ away
        loss = F.softplus(ahead).sum() / count + away @ pull / 2
        weights = torch.cat([-share.sum(1), share.sum(0)]) / count
        own = torch.cat([bend.sum(1), bend.sum(0)])[:, None]
        up, down = slopes[:positives], slopes[positives:]
        across = up.T @ (bend @ down)
        curvature = (slopes.T @ (own * slopes) - across - across.T) / count
        return loss, slopes.T @ weights + pull, curvature

    def _scores(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores of `items` (m,) and their derivatives along `users`, shape (m, p)."""
        gmf, mlp = users[: self.embedding_size], users[self.embedding_size :]
        items_gmf = self.items_gmf[items]
        hidden = (self.items_first[items] + self.first_user @ mlp).relu_()
        active = [hidden > 0]
        for weight, bias in self.layers:
            hidden = torch.addmm(bias, hidden, weight.T).relu_()
            active.append(hidden > 0)
        back = active[-1] * self.head_mlp
        for (weight, _), on in zip(self.layers[::-1], active[-2::-1], strict=True):
            back = (back @ weight) * on
        slopes = torch.cat([items_gmf, back @ self.first_user], 1)
        return items_gmf @ gmf + hidden @ self.head_mlp, slopes


@contextmanager
def _one_thread() -> Iterator[None]:
    # Steps of a millisecond: a second thread gains 25 % on an idle machine and costs tenfold on a
    # busy one.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _row(vectors: Vectors, number: int) -> Tensor:
    row = number if len(vectors.gmf) > 1 else 0
    return torch.from_numpy(np.concatenate([vectors.gmf[row], vectors.mlp[row]]))
