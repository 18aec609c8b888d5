"""NeuMF (He et al. 2017): a GMF path and an MLP path, fused by one linear head."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from neumf_tui.model.config import NeuMFConfig
from neumf_tui.model.history import WeightedHistories, Window

INIT_STD = 0.01
_WINDOW_ITEMS = 1 << 18
"""Items in the windows that `with_history_folded_in` makes at once: 10 MiB."""


class UserVectors(NamedTuple):
    """Vectors of n users in each path, both float32 (n, embedding_size)."""

    gmf: Tensor
    mlp: Tensor


class NeuMF(nn.Module):
    """score = head · [GMF, MLP] with GMF = user_gmf * item_gmf and MLP = mlp([user_mlp, item_mlp]).

    The head is linear, without bias, and no sigmoid follows: losses take raw scores, and each
    score is the exact sum of a GMF part and an MLP part.

    With `config.history` a user's vector, in either path, is their own plus Σ w_k y_k / √Σ w_k
    over the items of their history: y_k is a second vector of the item, w_k its weight (SVD++,
    Koren 2008, equation 15, with weights).
    """

    def __init__(self, config: NeuMFConfig, generator: torch.Generator | None = None) -> None:
        """Draw weights from N(0, 0.01²), and biases uniformly within ±1/√fan_in as `nn.Linear`.

        With `config.scaled_init` the layers' weights are uniform like their biases, and the head
        starts with GMF's plain inner product: signals then keep their size from layer to layer.
        """
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
        if config.history:
            self.history_gmf = nn.Embedding(config.num_items, d)
            self.history_mlp = nn.Embedding(config.num_items, d)
        self._draw_weights(generator)

    @torch.no_grad()
    def _draw_weights(self, generator: torch.Generator | None) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                nn.init.normal_(parameter, std=INIT_STD, generator=generator)
        for layer in self.hidden_layers():
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
            if self.config.scaled_init:
                nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        head_gmf, head_mlp = self.head_parts()
        if self.config.scaled_init:
            nn.init.ones_(head_gmf)
            bound = len(head_mlp) ** -0.5
            nn.init.uniform_(head_mlp, -bound, bound, generator=generator)
        if self.config.paths == "gmf":
            head_mlp.zero_()
        elif self.config.paths == "mlp":
            head_gmf.zero_()

    def hidden_layers(self) -> list[nn.Linear]:
        """Return the layers of the MLP, the first one first."""
        return [layer for layer in self.mlp if isinstance(layer, nn.Linear)]

    def head_parts(self) -> tuple[Tensor, Tensor]:
        """Return the head's weights of GMF (embedding_size,) and of the MLP (last width,)."""
        d = self.config.embedding_size
        return self.head.weight[0, :d], self.head.weight[0, d:]

    def user_vectors(self, users: Tensor, window: Window | None = None) -> UserVectors:
        """Return vectors of `users`, int64 (n,); a model with a history needs its `window`."""
        gmf, mlp = _rows(self.user_gmf, users), _rows(self.user_mlp, users)
        if not self.config.history:
            return UserVectors(gmf, mlp)
        assert window is not None
        history_gmf, history_mlp = window.sums(self._history_vectors()).chunk(2, 1)
        return UserVectors(gmf + history_gmf, mlp + history_mlp)

    def _history_vectors(self) -> Tensor:
        """Return both paths' vectors side by side: one weighted sum then serves both."""
        return torch.cat([self.history_gmf.weight, self.history_mlp.weight], 1)

    def parts(
        self, vectors: UserVectors, items: Tensor, masks: Sequence[Tensor] = ()
    ) -> tuple[Tensor, Tensor]:
        """Return GMF and MLP part of the scores of m items for each of n users, both (m, n).

        items: int64 (m, n), or (m,) where the items are the same for all. masks: one (width, n)
        for each layer, multiplied with the hidden units (dropout); a user's items share it.
        """
        head_gmf, head_mlp = self.head_parts()
        m, n, d = len(items), len(vectors.gmf), self.config.embedding_size
        flat = items.reshape(-1)
        if self.config.paths == "mlp":
            gmf = vectors.gmf.new_zeros(m, n)
        elif items.dim() == 1:
            gmf = (_rows(self.item_gmf, flat) * head_gmf) @ vectors.gmf.T
        else:
            gmf = (vectors.gmf * _rows(self.item_gmf, flat).view(m, n, -1)) @ head_gmf
        if self.config.paths == "gmf":
            return gmf, torch.zeros_like(gmf)
        # Hidden units first and pairs last: matrix products of layers this narrow then run three
        # times faster.
        first, *layers = self.hidden_layers()
        if items.dim() == 1:
            # W·[u; v] = W_u·u + W_v·v: each half once a user and once an item, not once a pair.
            of_users = torch.addmm(first.bias[:, None], first.weight[:, :d], vectors.mlp.T)
            of_items = first.weight[:, d:] @ _rows(self.item_mlp, flat).T
            hidden = (of_items[:, :, None] + of_users[:, None, :]).view(len(of_users), -1)
        else:
            pairs = torch.cat([vectors.mlp.repeat(m, 1), _rows(self.item_mlp, flat)], dim=1).T
            hidden = torch.addmm(first.bias[:, None], first.weight, pairs)
        hidden = F.relu(hidden)
        for number, layer in enumerate(layers):
            hidden = _masked(hidden, masks, number)
            hidden = F.relu(torch.addmm(layer.bias[:, None], layer.weight, hidden))
        return gmf, (head_mlp @ _masked(hidden, masks, len(layers))).view(m, n)

    @torch.no_grad()
    def fuse(self, alpha: float) -> None:
        """Fuse two models that were trained separately (He et al., equation 13).

        The score becomes alpha·GMF + (1 − alpha)·MLP.
        """
        self.head.weight.copy_(self._fused_head(alpha))

    def _fused_head(self, alpha: float) -> Tensor:
        head_gmf, head_mlp = self.head_parts()
        return torch.cat([alpha * head_gmf, (1 - alpha) * head_mlp])[None]

    @torch.no_grad()
    def fused(self, alpha: float) -> "NeuMF":
        """Return this model as `fuse` would make it; all other weights are shared."""
        head = nn.Linear(self.head.in_features, 1, bias=False, device="meta")
        head.weight = nn.Parameter(self._fused_head(alpha), requires_grad=False)
        return self._with(self.config, head=head)

    def with_users(self, users: range) -> "NeuMF":
        """Return a model of these users only, for training; this model if they are all."""
        if len(users) == self.config.num_users:
            return self
        rows = slice(users.start, users.stop)
        gmf, mlp = (
            _embedding(table.weight.detach()[rows].clone(), learns=True)
            for table in (self.user_gmf, self.user_mlp)
        )
        config = replace(self.config, num_users=len(users))
        return self._with(config, user_gmf=gmf, user_mlp=mlp)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights by name, as arrays that share their memory; for one on the CPU."""
        return {name: weights.detach().numpy() for name, weights in self.named_parameters()}

    def histories(self, items: Tensor) -> WeightedHistories:
        """Return histories that hold `items`, int64 (pairs,), with this model's weights."""
        config = self.config
        return WeightedHistories(items, config.history, config.history_decay, config.history_floor)

    @torch.no_grad()
    def with_history_folded_in(self, items: Tensor, starts: Tensor, sizes: Tensor) -> "NeuMF":
        """Return a model without a history that has the same scores.

        To each user's vectors those of their history are added: items[starts[u] : starts[u] +
        sizes[u]], oldest first; all int64 (items may be int32). All other weights are shared.
        """
        if not self.config.history:
            return self
        histories = self.histories(items)
        gmf, mlp = self.user_gmf.weight.clone(), self.user_mlp.weight.clone()
        vectors, step = self._history_vectors(), max(1, _WINDOW_ITEMS // self.config.history)
        for start in range(0, self.config.num_users, step):
            rows = slice(start, start + step)
            sums = histories.window(starts[rows], sizes[rows]).sums(vectors)
            for table, more in zip((gmf, mlp), sums.chunk(2, 1), strict=True):
                table[rows] += more
        config = replace(self.config, history=0)
        tables = _embedding(gmf, learns=False), _embedding(mlp, learns=False)
        return self._with(config, user_gmf=tables[0], user_mlp=tables[1])

    def _with(self, config: NeuMFConfig, **modules: nn.Module) -> "NeuMF":
        """Return a model of these `modules`, and of this one's where none is given."""
        other = NeuMF.__new__(NeuMF)
        nn.Module.__init__(other)
        other.config = config
        for name, module in self.named_children():
            if config.history or not name.startswith("history"):
                other.add_module(name, modules.get(name, module))
        return other


def _masked(hidden: Tensor, masks: Sequence[Tensor], layer: int) -> Tensor:
    """Return `hidden` (width, m·n) times the layer's mask (width, n)."""
    if not masks:
        return hidden
    mask = masks[layer]
    return (hidden.view(len(mask), -1, mask.shape[1]) * mask[:, None]).view(len(mask), -1)


def _rows(table: nn.Embedding, indices: Tensor) -> Tensor:
    # The gradient of index_select is an index_add, on the CPU 2.5 times faster than that of
    # Embedding.
    return torch.index_select(table.weight, 0, indices)


def _embedding(rows: Tensor, learns: bool) -> nn.Embedding:
    return nn.Embedding(rows.shape[0], rows.shape[1], _weight=rows).requires_grad_(learns)
