"""Losses on scores: of n positives, shape (1, n), and of m negatives each, shape (m, n). All are summed over the batch.

The sum and not the mean, since Adam's weight decay acts against the scale of the loss. A negative whose score is −inf does not
count. softplus(−x) = −log σ(x), without overflow at large margins.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]
Gradient = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""The loss, and its gradients of positives' and negatives' scores, of the same shapes."""


def bpr_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """−Σ log σ(positive − negative) (Rendle et al. 2009)."""
    return F.softplus(negative - positive).sum()


def bce_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """−Σ log σ(positive) − Σ log(1 − σ(negative)): binary cross-entropy (He et al. 2017, equation 7)."""
    return F.softplus(-positive).sum() + F.softplus(negative).sum()


def softmax_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """−Σ log(e^positive / (e^positive + Σ e^negative)): softmax over the positive and its negatives.

    With log(m · chance of one draw) taken off each negative's score, Σ e^negative estimates the sum over all items that can be
    drawn (Bengio and Senécal 2008): `NegativeSampler.log_share` has those chances.
    """
    return (torch.logsumexp(torch.cat([positive, negative]), 0) - positive[0]).sum()


def bpr_gradient(positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`bpr_loss`, and Σ_m −σ(negative − positive), σ(negative − positive)."""
    margin = negative - positive
    wrong = torch.sigmoid(margin)
    return F.softplus(margin).sum(), -wrong.sum(0, keepdim=True), wrong


def bce_gradient(positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`bce_loss`, and −σ(−positive), σ(negative)."""
    return bce_loss(positive, negative), -torch.sigmoid(-positive), torch.sigmoid(negative)


def softmax_gradient(positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`softmax_loss`, and the shares of the softmax, less 1 for the positive."""
    shares = torch.softmax(torch.cat([positive, negative]), 0)
    return softmax_loss(positive, negative), shares[:1] - 1, shares[1:]


LOSSES: dict[str, Loss] = {"bpr": bpr_loss, "bce": bce_loss, "softmax": softmax_loss}
GRADIENTS: dict[str, Gradient] = {
    "bpr": bpr_gradient,
    "bce": bce_gradient,
    "softmax": softmax_gradient,
}
