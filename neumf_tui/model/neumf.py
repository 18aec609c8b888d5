"""NeuMF (He et al. 2017): a GMF path and an MLP path, fused by one linear head."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neumf_tui.model.config import NeuMFConfig
from neumf_tui.model.history import Histories, Window

INIT_STD = 0.01
_WINDOW_ITEMS = 1 << 18
"""Items of histories looked at at once where those of all users are: 10 MiB of windows."""


class UserVectors(NamedTuple):
    """What each path knows of n users; both float32 (n, embedding_size)."""

    gmf: Tensor
    mlp: Tensor


class NeuMF(nn.Module):
    """score = head · [GMF, MLP] with GMF = user_gmf * item_gmf and MLP = mlp([user_mlp, item_mlp]).

    Linear, without bias and without sigmoid at the end: losses take raw scores, and the linear head makes each
    score the exact sum of a GMF part and an MLP part.

    With `config.history` a user's vector, in either path, is their own plus Σ w_k y_k / √Σ w_k over the items of their history:
    y_k is a second vector of the item, w_k its weight (SVD++, Koren 2008, equation 15, with weights).
    """

    def __init__(self, config: NeuMFConfig, generator: torch.Generator | None = None) -> None:
        """Weights N(0, 0.01²); biases uniform within ±1/√fan_in, as `nn.Linear` draws them.

        With `config.scaled_init` the layers' weights are uniform like their biases, and the head begins with GMF's plain inner
        product: the weights are then of the size that signals keep theirs, and learning does not have to find it first.
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
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                nn.init.normal_(parameter, std=INIT_STD, generator=generator)
        for layer in self.hidden_layers():
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
            if config.scaled_init:
                nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        with torch.no_grad():
            if config.scaled_init:
                nn.init.ones_(self.head.weight[0, :d])
                nn.init.uniform_(
                    self.head.weight[0, d:],
                    -(widths[-1] ** -0.5),
                    widths[-1] ** -0.5,
                    generator=generator,
                )
            if config.paths == "gmf":
                self.head.weight[0, d:] = 0
            elif config.paths == "mlp":
                self.head.weight[0, :d] = 0

    def hidden_layers(self) -> list[nn.Linear]:
        return [layer for layer in self.mlp if isinstance(layer, nn.Linear)]

    def embeddings(self) -> list[nn.Embedding]:
        """All embedding tables."""
        return [module for module in self.modules() if isinstance(module, nn.Embedding)]

    def user_vectors(self, users: Tensor, window: Window | None = None) -> UserVectors:
        """Vectors of `users`, int64 (n,); a model with a history needs the `window` on it, of n rows."""
        gmf, mlp = _rows(self.user_gmf, users), _rows(self.user_mlp, users)
        if not self.config.history:
            return UserVectors(gmf, mlp)
        assert window is not None
        past_gmf, past_mlp = window.sums(self._history()).chunk(2, 1)
        return UserVectors(gmf + past_gmf, mlp + past_mlp)

    def _history(self) -> Tensor:
        """Vectors of items in a history, GMF's and MLP's side by side: both sums, and their gradients, at the price of one."""
        return torch.cat([self.history_gmf.weight, self.history_mlp.weight], 1)

    def parts(
        self, vectors: UserVectors, items: Tensor, masks: Sequence[Tensor] = ()
    ) -> tuple[Tensor, Tensor]:
        """GMF and MLP part of the scores of m items for each of n users, both float32 (m, n).

        `items`: int64 (m, n), or (m,) where the items are the same for all. `masks`, one (width, n) a layer, are
        multiplied with the hidden units: dropout, the same for all items of a user.
        """
        head, d = self.head.weight[0], self.config.embedding_size
        m, n = len(items), len(vectors.gmf)
        flat = items.reshape(-1)
        if self.config.paths == "mlp":
            gmf = vectors.gmf.new_zeros(m, n)
        elif items.dim() == 1:
            gmf = (_rows(self.item_gmf, flat) * head[:d]) @ vectors.gmf.T
        else:
            gmf = (vectors.gmf * _rows(self.item_gmf, flat).view(m, n, -1)) @ head[:d]
        if self.config.paths == "gmf":
            return gmf, torch.zeros_like(gmf)
        # Hidden units first and pairs last: with layers this narrow, matrix products run three times faster so.
        first, *layers = self.hidden_layers()
        if items.dim() == 1:
            # W·[u; v] = W_u·u + W_v·v: each half once a user and once an item, not once a pair.
            ours = torch.addmm(first.bias[:, None], first.weight[:, :d], vectors.mlp.T)
            theirs = first.weight[:, d:] @ _rows(self.item_mlp, flat).T
            hidden = (theirs[:, :, None] + ours[:, None, :]).view(len(ours), -1)
        else:
            pairs = torch.cat([vectors.mlp.repeat(m, 1), _rows(self.item_mlp, flat)], dim=1).T
            hidden = torch.addmm(first.bias[:, None], first.weight, pairs)
        hidden = F.relu(hidden)
        for number, layer in enumerate(layers):
            hidden = F.relu(
                torch.addmm(layer.bias[:, None], layer.weight, _masked(hidden, masks, number))
            )
        hidden = _masked(hidden, masks, len(layers))
        return gmf, (head[d:] @ hidden).view(m, n)

    def forward(self, users: Tensor, items: Tensor, window: Window | None = None) -> Tensor:
        """Scores of m items for each of n users; `users` int64 (n,), `items` int64 (m, n), result float32 (m, n)."""
        gmf, mlp = self.parts(self.user_vectors(users, window), items)
        return gmf + mlp

    @torch.no_grad()
    def fuse(self, alpha: float) -> None:
        """Weigh two models that were trained apart: the score becomes alpha·GMF + (1 − alpha)·MLP (He et al., equation 13)."""
        self.head.weight.copy_(self._fused_head(alpha))

    def _fused_head(self, alpha: float) -> Tensor:
        d = self.config.embedding_size
        return torch.cat(
            [alpha * self.head.weight[:, :d], (1 - alpha) * self.head.weight[:, d:]], 1
        )

    @torch.no_grad()
    def fused(self, alpha: float) -> "NeuMF":
        """This model as `fuse` would make it; it shares all other weights with this one."""
        head = nn.Linear(self.head.in_features, 1, bias=False, device="meta")
        head.weight = nn.Parameter(self._fused_head(alpha), requires_grad=False)
        return self._with(self.config, head=head)

    def of_users(self, users: range) -> "NeuMF":
        """A model of these users alone, for training; where they are all, this one."""
        if len(users) == self.config.num_users:
            return self
        rows = slice(users.start, users.stop)
        tables = {
            f"user_{path}": nn.Embedding(
                len(users), self.config.embedding_size, _weight=table.weight.detach()[rows].clone()
            )
            for path, table in (("gmf", self.user_gmf), ("mlp", self.user_mlp))
        }
        return self._with(replace(self.config, num_users=len(users)), **tables)

    def histories(self, items: Tensor) -> Histories:
        """Histories that hold `items`, int64 (pairs,), with weights as this model takes them."""
        return Histories(
            items, self.config.history, self.config.history_decay, self.config.history_floor
        )

    @torch.no_grad()
    def settled(self, items: Tensor, starts: Tensor, sizes: Tensor) -> "NeuMF":
        """The same scores as a model without a history: to every user's vectors those of their history are added.

        User u's history is items[starts[u] : starts[u] + sizes[u]], oldest first; all int64 (items may be int32). Shares every
        other weight.
        """
        if not self.config.history:
            return self
        histories = self.histories(items)
        tables = {
            "user_gmf": self.user_gmf.weight.clone(),
            "user_mlp": self.user_mlp.weight.clone(),
        }
        step, vectors = max(1, _WINDOW_ITEMS // self.config.history), self._history()
        for start in range(0, self.config.num_users, step):
            rows = slice(start, start + step)
            window = histories.window(starts[rows], sizes[rows])
            for table, sums in zip(tables.values(), window.sums(vectors).chunk(2, 1), strict=True):
                table[rows] += sums
        return self._with(
            replace(self.config, history=0), **{name: _table(rows) for name, rows in tables.items()}
        )

    def _with(self, config: NeuMFConfig, **modules: nn.Module) -> "NeuMF":
        """A model of these modules, and of this one's where none is given; it shares them."""
        other = NeuMF.__new__(NeuMF)
        nn.Module.__init__(other)
        other.config = config
        for name, module in self.named_children():
            if config.history or not name.startswith("history"):
                other.add_module(name, modules.get(name, module))
        return other


def _masked(hidden: Tensor, masks: Sequence[Tensor], layer: int) -> Tensor:
    """`hidden` (width, m·n) times the layer's mask (width, n)."""
    if not masks:
        return hidden
    mask = masks[layer]
    return (hidden.view(len(mask), -1, mask.shape[1]) * mask[:, None]).view(len(mask), -1)


def _rows(table: nn.Embedding, indices: Tensor) -> Tensor:
    # The gradient of index_select is an index_add: on the CPU 2.5 times faster than the gradient of Embedding.
    return torch.index_select(table.weight, 0, indices)


def _table(rows: Tensor) -> nn.Embedding:
    return nn.Embedding(rows.shape[0], rows.shape[1], _weight=rows).requires_grad_(False)
