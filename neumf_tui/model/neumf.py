"""NeuMF (He et al. 2017): a GMF path and an MLP path, fused by one linear head."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INIT_STD = 0.01


@dataclass(frozen=True)
class NeuMFConfig:
    """What fixes the shape of every weight."""

    num_users: int
    num_items: int
    embedding_size: int
    mlp_layers: tuple[int, ...]


class NeuMF(nn.Module):
    """score = head · [GMF, MLP] with GMF = user_gmf * item_gmf and MLP = mlp([user_mlp, item_mlp]).

    Linear, without bias and without sigmoid at the end: BPR takes raw scores, and the linear head makes each
    score the exact sum of a GMF part and an MLP part.
    """

    def __init__(self, config: NeuMFConfig, generator: torch.Generator | None = None) -> None:
        """Weights N(0, 0.01²); biases uniform within ±1/√fan_in, as `nn.Linear` draws them."""
        super().__init__()
        self.config = config
        d = config.embedding_size
        self.user_gmf = nn.Embedding(config.num_users, d)
        self.item_gmf = nn.Embedding(config.num_items, d)
        self.user_mlp = nn.Embedding(config.num_users, d)
        self.item_mlp = nn.Embedding(config.num_items, d)
        widths = (2 * d, *config.mlp_layers)
        self.mlp = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:], strict=False))
        self.head = nn.Linear(d + widths[-1], 1, bias=False)
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                nn.init.normal_(parameter, std=INIT_STD, generator=generator)
        for layer in self.hidden_layers():
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)

    def hidden_layers(self) -> list[nn.Linear]:
        return [layer for layer in self.mlp if isinstance(layer, nn.Linear)]

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Scores of pairs; `users` and `items` int64 of shape (pairs,), result float32 (pairs,)."""
        gmf = self.user_gmf(users) * self.item_gmf(items)
        hidden = torch.cat([self.user_mlp(users), self.item_mlp(items)], dim=1)
        for layer in self.mlp:
            hidden = F.relu(layer(hidden))
        return F.linear(torch.cat([gmf, hidden], dim=1), self.head.weight).squeeze(1)
