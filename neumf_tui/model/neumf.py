"""NeuMF (He et al. 2017): a GMF path and an MLP path, fused by one linear head."""

from dataclasses import dataclass
from itertools import pairwise

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
        self.mlp = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
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
        """Scores of m items for each of n users; `users` int64 (n,), `items` int64 (m, n), result float32 (m, n)."""
        m, n = items.shape
        flat = items.reshape(-1)
        gmf = _rows(self.user_gmf, users) * _rows(self.item_gmf, flat).view(m, n, -1)
        # Hidden units first and pairs last: with layers this narrow, matrix products run three times faster so.
        hidden = torch.cat([_rows(self.user_mlp, users).repeat(m, 1), _rows(self.item_mlp, flat)], dim=1).T
        for layer in self.hidden_layers():
            hidden = F.relu(torch.addmm(layer.bias[:, None], layer.weight, hidden))
        head, d = self.head.weight[0], self.config.embedding_size
        score: Tensor = gmf @ head[:d] + (head[d:] @ hidden).view(m, n)
        return score


def _rows(table: nn.Embedding, indices: Tensor) -> Tensor:
    # The gradient of index_select is an index_add: on the CPU 2.5 times faster than the gradient of Embedding.
    return torch.index_select(table.weight, 0, indices)
