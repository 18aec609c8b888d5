"""Scores of every item for users, as their exact GMF and MLP parts."""

import threading
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from neumf_tui.errors import NeumfTuiError
from neumf_tui.model.neumf import NeuMF

_HIDDEN_BYTES = 1 << 22
"""Hidden units at once on the CPU. They do not fit into the second-level cache, but come from the third as fast as they are
needed; with fewer of them the interpreter's work for a chunk counts (ML-100K, preset d2l: 14 ns a pair, with an eighth 38 ns)."""
_MOST_PAIRS = 1 << 22
"""Pairs scored at once on an accelerator: enough to fill it."""
_FEWEST_ITEMS = 1 << 10
"""An accelerator that has no memory for this many pairs has none for the model."""


class Scorer:
    """Scores users against the whole catalogue, in float32: tf32 and bf16 round so coarsely that ranks change.

    The first MLP layer splits by columns, W·[u; v] = W_u·u + W_v·v, so its half of the items is computed once for all
    users. Hidden units stand first and pairs last: every step then runs over long rows.

    On the CPU a user's scores do not depend on who is scored beside them: they are the same bits whether everybody is evaluated,
    some are, or that user is shown alone.
    """

    def __init__(self, model: NeuMF) -> None:
        config = model.config
        self.num_users, self.num_items = config.num_users, config.num_items
        self.device = model.head.weight.device
        with torch.inference_mode():
            d = config.embedding_size
            self.head_gmf, self.head_mlp = model.head.weight[0, :d], model.head.weight[0, d:]
            first, *others = model.hidden_layers()
            self.layers = [(layer.weight, layer.bias[:, None]) for layer in others]
            # A trainer's vectors may lie otherwise in memory than those that are read from a checkpoint; sums must not.
            tables = (model.user_gmf, model.user_mlp, model.item_gmf, model.item_mlp)
            self.users_gmf, self.users_mlp, items_gmf, items_mlp = (table.weight.detach().contiguous() for table in tables)
            self.items_gmf = items_gmf.T.contiguous()
            self.first_bias, self.first_user = first.bias, first.weight[:, :d]
            self.items_first = (first.weight[:, d:] @ items_mlp.T).contiguous()
        widths = [first.out_features, *(layer.out_features for layer in others)]
        # A layer's units and the next one's are there at once.
        self._pair_bytes = 4 * max([widths[0], *(a + b for a, b in pairwise(widths))])
        pairs = self._pairs_at_once()
        self.chunk_users = max(1, min(pairs // self.num_items, self.num_users))
        self._stretch = -(-self.num_items // -(-self.num_items // pairs))
        """Items scored at once: all, unless these are too many for one user."""
        self._kept = threading.local()

    def _pairs_at_once(self) -> int:
        if self.device.type == "cpu":
            return _HIDDEN_BYTES // self._pair_bytes
        if self.device.type == "cuda":
            # Beside the hidden units: both parts and what counting makes of them. Half is left for what else happens there.
            return max(1, min(_MOST_PAIRS, free_memory(self.device) // 2 // (self._pair_bytes + 16)))
        return _MOST_PAIRS

    def parts(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """GMF and MLP parts of users `start` to before `stop`, each (users, num_items); the score is their float32 sum.

        No more than `chunk_users` users; the tensors are new ones.
        """
        return self._parts(self.users_gmf[start:stop], self.users_mlp[start:stop])

    @torch.inference_mode()
    def _parts(self, users_gmf: Tensor, users_mlp: Tensor) -> tuple[Tensor, Tensor]:
        users, items = len(users_gmf), self.num_items
        rows = users_gmf * self.head_gmf
        if users < self.chunk_users:  # the order in which a matrix product sums depends on how many rows there are
            rows = F.pad(rows, (0, 0, 0, self.chunk_users - users))
        gmf = (rows @ self.items_gmf)[:users]
        # And in one as narrow as this, on a row's place; it is so small a part that it need not be one.
        mine = ((users_mlp[:, None, :] * self.first_user).sum(2) + self.first_bias).T.contiguous()
        mlp = torch.empty(users, items, device=self.device)
        for begin in range(0, items, self._stretch):
            theirs = self.items_first[:, begin : begin + self._stretch]
            pairs = users * theirs.shape[1]
            hidden = self._room("even", len(mine), pairs)
            torch.add(mine[:, :, None], theirs[:, None, :], out=hidden.view(len(mine), users, -1))
            hidden.relu_()
            for number, (weight, bias) in enumerate(self.layers, start=1):
                out = self._room("odd" if number % 2 else "even", len(weight), pairs)
                hidden = torch.addmm(bias, weight, hidden, out=out).relu_()
            torch.mv(hidden.T, self.head_mlp, out=mlp[:, begin : begin + self._stretch].view(-1))
        return gmf, mlp

    def _room(self, name: str, width: int, pairs: int) -> Tensor:
        """Memory for (width, pairs) that the thread keeps: taken anew, its pages cost more than what is computed in it."""
        rooms: dict[str, Tensor] = self._kept.__dict__
        if name not in rooms or rooms[name].numel() < width * pairs:
            rooms[name] = torch.empty(width * pairs, device=self.device)
        return rooms[name][: width * pairs].view(width, pairs)

    def chunk(self, number: int) -> tuple[Tensor, Tensor]:
        """The parts of the `number`-th `chunk_users` users."""
        start = number * self.chunk_users
        return self.parts(start, min(start + self.chunk_users, self.num_users))

    def num_chunks(self) -> int:
        return -(-self.num_users // self.chunk_users)

    def user(self, user: int) -> tuple[Tensor, Tensor]:
        """GMF and MLP parts of one user index, each (num_items,)."""
        gmf, mlp = self.parts(user, user + 1)
        return gmf[0], mlp[0]

    @torch.inference_mode()
    def embedded(self, gmf: Tensor, mlp: Tensor) -> tuple[Tensor, Tensor]:
        """GMF and MLP parts, each (n, num_items), for n pairs of user embeddings (n, embedding_size) of no trained user."""
        step = self.chunk_users
        chunks = [self._parts(gmf[row : row + step], mlp[row : row + step]) for row in range(0, len(gmf), step)]
        return torch.cat([first for first, _ in chunks]), torch.cat([second for _, second in chunks])

    def shrink(self) -> None:
        """Score half as many pairs at once from now on; raises NeumfTuiError where that would be too few to go on."""
        if self.chunk_users > 1:
            self.chunk_users //= 2
        elif self._stretch > _FEWEST_ITEMS:
            self._stretch = -(-self._stretch // 2)
        else:
            needed = self._stretch * self._pair_bytes + 16 * self.num_items
            free = f", {free_memory(self.device):,} are free" if self.device.type == "cuda" else ""
            raise NeumfTuiError(
                f"ranking on {self.device}: out of memory with one user and {self._stretch:,} items at a time, which takes "
                f"{needed:,} bytes{free}; end what else uses that device, or use --device cpu or a smaller --embedding-size"
            )
        self._kept = threading.local()


def free_memory(device: torch.device) -> int:
    """Bytes of a CUDA device that can still be had, those that torch keeps for reuse among them."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept
