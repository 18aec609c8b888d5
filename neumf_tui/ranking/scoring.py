"""Scores of every item for users, as their exact GMF and MLP parts."""

import torch
from torch import Tensor

from neumf_tui.model.neumf import NeuMF

CHUNK_PAIRS = {"cpu": 1 << 15}
"""Pairs scored at once: on the CPU one hidden layer of a chunk stays in the second-level cache."""
_DEFAULT_PAIRS = 1 << 22


class Scorer:
    """Scores users against the whole catalogue.

    The first MLP layer splits by columns, W·[u; v] = W_u·u + W_v·v, so each half is computed once a user and once an
    item. Users are always scored in the same chunks, so that a user's scores are the same bits whether
    the whole dataset is evaluated or only that user is shown.
    """

    def __init__(self, model: NeuMF) -> None:
        config = model.config
        self.num_users, self.num_items = config.num_users, config.num_items
        device = model.head.weight.device
        self.chunk_users = max(1, CHUNK_PAIRS.get(device.type, _DEFAULT_PAIRS) // self.num_items)
        with torch.inference_mode():
            d = config.embedding_size
            self.head_gmf, self.head_mlp = model.head.weight[0, :d], model.head.weight[0, d:]
            first, *self.layers = model.hidden_layers()
            self.users_gmf = model.user_gmf.weight * self.head_gmf
            self.items_gmf = model.item_gmf.weight.T.contiguous()
            # Hidden units first and pairs last: every step then runs over long rows.
            self.first_bias, self.first_user = first.bias, first.weight[:, :d].T
            self.users_first = torch.addmm(self.first_bias, model.user_mlp.weight, self.first_user)
            self.items_first = (first.weight[:, d:] @ model.item_mlp.weight.T).contiguous()

    @torch.inference_mode()
    def chunk(self, number: int) -> tuple[Tensor, Tensor]:
        """GMF and MLP parts of chunk `number`'s users, each (users, num_items); the score is their float32 sum."""
        rows = slice(number * self.chunk_users, (number + 1) * self.chunk_users)
        return self._parts(self.users_gmf[rows], self.users_first[rows])

    def _parts(self, users_gmf: Tensor, users_first: Tensor) -> tuple[Tensor, Tensor]:
        hidden = users_first.T.contiguous()[:, :, None] + self.items_first[:, None, :]
        hidden = hidden.relu_().view(len(hidden), -1)
        for layer in self.layers:
            hidden = torch.addmm(layer.bias[:, None], layer.weight, hidden).relu_()
        mlp = (self.head_mlp @ hidden).view(-1, self.num_items)
        return users_gmf @ self.items_gmf, mlp

    @torch.inference_mode()
    def embedded(self, gmf: Tensor, mlp: Tensor) -> tuple[Tensor, Tensor]:
        """GMF and MLP parts, each (n, num_items), for n pairs of user embeddings (n, embedding_size) of no trained user."""
        return self._parts(gmf * self.head_gmf, torch.addmm(self.first_bias, mlp, self.first_user))

    def user(self, user: int) -> tuple[Tensor, Tensor]:
        """GMF and MLP parts of one user index, each (num_items,)."""
        number, row = divmod(user, self.chunk_users)
        gmf, mlp = self.chunk(number)
        return gmf[row], mlp[row]

    def num_chunks(self) -> int:
        return -(-self.num_users // self.chunk_users)
