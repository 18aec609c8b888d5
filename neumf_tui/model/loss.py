"""Losses on scores."""

import torch.nn.functional as F
from torch import Tensor


def bpr_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """−Σ log σ(positive − negative), summed over the batch (Rendle et al. 2009).

    Shapes that broadcast, such as (1, pairs) and (negatives, pairs). softplus(−x) = −log σ(x), without overflow at
    large margins. The sum and not the mean, since Adam's weight decay acts against the scale of the loss.
    """
    return F.softplus(negative - positive).sum()
