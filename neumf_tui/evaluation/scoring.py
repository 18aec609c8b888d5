"""Scores of every item for users, as their exact GMF and MLP parts."""

import contextlib
import threading
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from neumf_tui.errors import NeumfTuiError
from neumf_tui.model.compiled import WIDEST, CompiledScores
from neumf_tui.model.neumf import NeuMF
from neumf_tui.native.library import NoKernels

_HIDDEN_BYTES = 5 << 20
"""Hidden units at once on the CPU. They do not fit into the second-level cache, but come from the third as fast as they are
needed; with fewer of them the interpreter's work for a chunk counts (ML-100K, preset d2l: 14 ns a pair, with an eighth 38 ns)."""
_COMPILED_PAIRS = 1 << 16
"""Pairs in a chunk of the kernels in C: both parts of their scores, 512 KiB, are counted while they are in the cache."""
_MOST_PAIRS = 1 << 22
"""Pairs in a chunk, enough to fill an accelerator: 32 MiB of both parts."""
_FEWEST_USERS = 16
"""Users in a chunk, even if that takes cutting the catalogue: what is read of an item serves them all (ML-20M, 64 factors,
layers of 64, 32 and 16: 83 ns a pair, one user at a time 101 ns)."""
_FEWEST_ITEMS = 1 << 10
"""An accelerator that has no memory for this many pairs has none for the model."""
_KEPT = threading.local()
"""Memory for hidden units, at most `_HIDDEN_BYTES` twice a thread: taken anew for each evaluation, its pages would cost a third
of what is computed in it."""


class Scorer:
    """Scores users against the whole catalogue, in float32: tf32 and bf16 round so coarsely that ranks change.

    By kernels in C on the CPU, where there are some, else by torch. The first MLP layer splits by columns,
    W·[u; v] = W_u·u + W_v·v, so its half of the items is computed once for all users. Hidden units stand first and pairs last:
    every step then runs over long rows.

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
            self.users_gmf, self.users_mlp = (
                model.user_gmf.weight.detach(),
                model.user_mlp.weight.detach(),
            )
            # A trainer's vectors may lie otherwise in memory than those that are read from a checkpoint; sums must not.
            self.items_gmf = model.item_gmf.weight.T.contiguous()
            self.first_bias, self.first_user = first.bias, first.weight[:, :d].contiguous()
            self.items_first = (
                first.weight[:, d:] @ model.item_mlp.weight.contiguous().T
            ).contiguous()
        widths = [first.out_features, *(layer.out_features for layer in others)]
        self._compiled: CompiledScores | None = None
        if self.device.type == "cpu" and max(d, *widths) <= WIDEST:
            with contextlib.suppress(NoKernels):
                self._compiled = CompiledScores(
                    self.layers, self.head_mlp, self.items_gmf, self.items_first
                )
        # A layer's units and the next one's are there at once.
        self._pair_bytes = 4 * max([widths[0], *(a + b for a, b in pairwise(widths))])
        pairs = self._pairs_at_once()
        users = max(pairs // self.num_items, min(_FEWEST_USERS, _MOST_PAIRS // self.num_items), 1)
        self.chunk_users = min(users, self.num_users)
        self._stretch = _share(self.num_items, max(1, pairs // self.chunk_users))
        """Items scored at once: all, unless these are too many."""

    def _pairs_at_once(self) -> int:
        if self._compiled:
            return _COMPILED_PAIRS
        if self.device.type == "cpu":
            return _HIDDEN_BYTES // self._pair_bytes
        if self.device.type == "cuda":
            # Beside the hidden units: both parts and what counting makes of them. Half is left for what else happens there.
            return max(
                1, min(_MOST_PAIRS, free_memory(self.device) // 2 // (self._pair_bytes + 16))
            )
        return _MOST_PAIRS

    def parts(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """GMF and MLP parts of users `start` to before `stop`, each (users, num_items); the score is their float32 sum.

        No more than `chunk_users` users; the tensors are new ones.
        """
        return self._parts(
            self.users_gmf[start:stop].contiguous(), self.users_mlp[start:stop].contiguous()
        )

    @torch.inference_mode()
    def _parts(self, users_gmf: Tensor, users_mlp: Tensor) -> tuple[Tensor, Tensor]:
        users, items = len(users_gmf), self.num_items
        rows = users_gmf * self.head_gmf
        # A product of matrices would round by a row's place; this is so small a part that it need not be one.
        ours = (users_mlp[:, None, :] * self.first_user).sum(2) + self.first_bias
        if self._compiled:
            return self._compiled.parts(rows, ours)
        if (
            users < self.chunk_users
        ):  # the order in which a matrix product sums depends on how many rows there are
            rows = F.pad(rows, (0, 0, 0, self.chunk_users - users))
        gmf = (rows @ self.items_gmf)[:users]
        mine = ours.T.contiguous()
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
            mlp[:, begin : begin + self._stretch] = torch.mv(hidden.T, self.head_mlp).view(
                users, -1
            )
        return gmf, mlp

    def _room(self, name: str, width: int, pairs: int) -> Tensor:
        """Memory for (width, pairs)."""
        if self.device.type != "cpu":  # torch keeps the memory of accelerators itself
            return torch.empty(width, pairs, device=self.device)
        kept: dict[str, Tensor] = _KEPT.__dict__
        if name not in kept or kept[name].numel() < width * pairs:
            kept[name] = torch.empty(width * pairs)
        return kept[name][: width * pairs].view(width, pairs)

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
        chunks = [
            self._parts(gmf[row : row + step], mlp[row : row + step])
            for row in range(0, len(gmf), step)
        ]
        return torch.cat([first for first, _ in chunks]), torch.cat(
            [second for _, second in chunks]
        )

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


def _share(total: int, most: int) -> int:
    """The size of equal shares of `total`, none larger than `most`."""
    return -(-total // -(-total // most))


def free_memory(device: torch.device) -> int:
    """Bytes of a CUDA device that can still be had, those that torch keeps for reuse among them."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept
