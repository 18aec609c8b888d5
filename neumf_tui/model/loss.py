"""Losses on scores of n positives, shape (1, n), and of m negatives each, shape (m, n).

All are summed over the batch. The sum and not the mean, since Adam's weight decay acts against the
scale of the loss. A negative whose score is −inf does not count. softplus(−x) = −log σ(x), without
overflow at large margins.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


def bpr_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """Return −Σ log σ(positive − negative) (Rendle et al. 2009)."""
    return F.softplus(negative - positive).sum()


def bce_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """Return −Σ log σ(positive) − Σ log(1 − σ(negative)) (He et al. 2017, equation 7)."""
    return F.softplus(-positive).sum() + F.softplus(negative).sum()


def softmax_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """Return −Σ log(e^positive / (e^positive + Σ e^negative)).

    With log(m · probability of one draw) subtracted from each negative's score, Σ e^negative
    estimates the sum over all items that can be drawn (Bengio and Senécal 2008):
    `NegativeSampler.log_probability` has these probabilities.
    """
    return (torch.logsumexp(torch.cat([positive, negative]), 0) - positive[0]).sum()


LOSSES: dict[str, Loss] = {"bpr": bpr_loss, "bce": bce_loss, "softmax": softmax_loss}
