"""Scores of every item for users, as exact GMF and MLP parts."""

import contextlib
import threading
from itertools import accumulate, pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from neumf_tui.errors import NeumfTuiError
from neumf_tui.model.neumf import NeuMF
from neumf_tui.native import kernels
from neumf_tui.native.library import NoKernels

_HIDDEN_BYTES = 5 << 20
"""Hidden units at once on the CPU. They exceed the L2 cache, but come from the L3 cache as fast as
they are needed; with fewer, the interpreter's work for a chunk counts (ML-100K, preset d2l: 14 ns
a pair, with an eighth 38 ns)."""
_KERNEL_PAIRS = 1 << 16
"""Pairs in a chunk for the kernels: both parts of their scores, 512 KiB, stay in the cache until
ranks are counted."""
_MOST_PAIRS = 1 << 22  # pairs in a chunk, enough to keep an accelerator busy: 32 MiB of both parts
_FEWEST_USERS = 16
"""Users in a chunk, even if the catalogue must be cut for it: each item that is read serves them
all (ML-20M, 64 factors, layers of 64, 32 and 16: 83 ns a pair, with one user at a time 101 ns)."""
_FEWEST_ITEMS = 1 << 10  # an accelerator without memory for this many pairs has none for the model
_BUFFERS = threading.local()
"""Memory for hidden units, at most `_HIDDEN_BYTES` twice a thread. Allocated anew for each
evaluation, its pages would cost a third of what is computed in them."""


class Scorer:
    """Scores users against the whole catalogue, in float32: tf32 and bf16 change ranks.

    On the CPU by the kernels in C where there are some, else by torch. The first MLP layer splits
    by columns, W·[u; v] = W_u·u + W_v·v, so its half of the items is computed once for all users.
    Hidden units come first and pairs last, so that every operation runs over long rows.

    On the CPU a user's scores do not depend on the other users: they are the same bits whether all
    users are evaluated, some are, or that user is shown alone.
    """

    def __init__(self, model: NeuMF) -> None:
        """Read the weights of `model`, which must have no history (see NeuMF)."""
        self.num_users, self.num_items = model.config.num_users, model.config.num_items
        self.device = model.head.weight.device
        first, *others = model.hidden_layers()
        with torch.inference_mode():
            d = model.config.embedding_size
            self.head_gmf, self.head_mlp = model.head_parts()
            self.layers = [(layer.weight, layer.bias[:, None]) for layer in others]
            self.users_gmf = model.user_gmf.weight.detach()
            self.users_mlp = model.user_mlp.weight.detach()
            # A trainer's vectors have other strides in memory than those read from a checkpoint;
            # sums must not depend on that.
            self.items_gmf = model.item_gmf.weight.T.contiguous()
            self.first_bias, self.first_user = first.bias, first.weight[:, :d].contiguous()
            items_mlp = model.item_mlp.weight.contiguous().T
            self.items_first = (first.weight[:, d:] @ items_mlp).contiguous()
        widths = [first.out_features, *(layer.out_features for layer in others)]
        self._kernels: tuple[kernels.Model, kernels.Catalogue] | None = None
        if self.device.type == "cpu" and max(d, *widths) <= kernels.WIDEST:
            with contextlib.suppress(NoKernels):
                self._kernels = self._for_kernels(widths)
        # A layer's units and the next one's are in memory together.
        self._pair_bytes = 4 * max([widths[0], *(a + b for a, b in pairwise(widths))])
        pairs = self._pairs_at_once()
        users = max(pairs // self.num_items, min(_FEWEST_USERS, _MOST_PAIRS // self.num_items), 1)
        self.chunk_users = min(users, self.num_users)
        self._chunk_items = _share(self.num_items, max(1, pairs // self.chunk_users))
        """Items scored at once: all, unless these are too many."""

    def _for_kernels(self, widths: list[int]) -> tuple[kernels.Model, kernels.Catalogue]:
        """Lay out what follows the first layer as one array; raises NoKernels."""
        with torch.inference_mode():
            arrays = [part.reshape(-1) for layer in self.layers for part in layer]
            values = torch.cat([*arrays, self.head_mlp]).numpy()
            catalogue = kernels.Catalogue(self.items_gmf.numpy(), self.items_first.numpy())
        ends = list(accumulate(map(len, arrays), initial=0))
        d = len(self.items_gmf)
        # The first layer is part of the catalogue, and of the head only the MLP's part is needed.
        model = kernels.Model(
            factors=d,
            num_users=0,
            num_items=0,
            widths=widths,
            weights=[0, *ends[:-1:2]],
            biases=[0, *ends[1:-1:2]],
            head=ends[-1] - d,
            values=values,
        )
        return model, catalogue

    def _pairs_at_once(self) -> int:
        if self._kernels:
            return _KERNEL_PAIRS
        if self.device.type == "cpu":
            return _HIDDEN_BYTES // self._pair_bytes
        if self.device.type == "cuda":
            # Beside the hidden units: both parts, and what counting makes of them. Half is left
            # for other uses of the device.
            free = free_memory(self.device) // 2 // (self._pair_bytes + 16)
            return max(1, min(_MOST_PAIRS, free))
        return _MOST_PAIRS

    def parts(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Return GMF and MLP parts of users `start` to before `stop`, each (users, num_items).

        The score is their float32 sum. At most `chunk_users` users; the tensors are new ones.
        """
        gmf, mlp = self.users_gmf[start:stop], self.users_mlp[start:stop]
        return self._parts(gmf.contiguous(), mlp.contiguous())

    @torch.inference_mode()
    def _parts(self, users_gmf: Tensor, users_mlp: Tensor) -> tuple[Tensor, Tensor]:
        users, items = len(users_gmf), self.num_items
        weighted = users_gmf * self.head_gmf
        # A product of matrices would round by a row's place; this is so small a part that it need
        # not be one.
        users_first = (users_mlp[:, None, :] * self.first_user).sum(2) + self.first_bias
        if self._kernels:
            arrays = weighted.contiguous().numpy(), users_first.contiguous().numpy()
            try:
                parts = kernels.scores(*self._kernels, *arrays)
            except MemoryError:
                text = "not enough memory to score items; close other programs and try again"
                raise NeumfTuiError(text) from None
            return torch.from_numpy(parts[0]), torch.from_numpy(parts[1])
        # The order in which a matrix product sums depends on how many rows there are.
        padded = F.pad(weighted, (0, 0, 0, max(0, self.chunk_users - users)))
        gmf = (padded @ self.items_gmf)[:users]
        users_first = users_first.T.contiguous()
        mlp = torch.empty(users, items, device=self.device)
        for begin in range(0, items, self._chunk_items):
            items_first = self.items_first[:, begin : begin + self._chunk_items]
            width, pairs = len(users_first), users * items_first.shape[1]
            hidden = self._buffer("even", width, pairs)
            out = hidden.view(width, users, -1)
            torch.add(users_first[:, :, None], items_first[:, None, :], out=out)
            hidden.relu_()
            for number, (weight, bias) in enumerate(self.layers, start=1):
                out = self._buffer("odd" if number % 2 else "even", len(weight), pairs)
                hidden = torch.addmm(bias, weight, hidden, out=out).relu_()
            scores = torch.mv(hidden.T, self.head_mlp).view(users, -1)
            mlp[:, begin : begin + self._chunk_items] = scores
        return gmf, mlp

    def _buffer(self, name: str, width: int, pairs: int) -> Tensor:
        """Return memory for (width, pairs)."""
        if self.device.type != "cpu":  # torch reuses the memory of accelerators itself
            return torch.empty(width, pairs, device=self.device)
        buffers: dict[str, Tensor] = _BUFFERS.__dict__
        if name not in buffers or buffers[name].numel() < width * pairs:
            buffers[name] = torch.empty(width * pairs)
        return buffers[name][: width * pairs].view(width, pairs)

    def chunk(self, number: int) -> tuple[Tensor, Tensor]:
        """Return the parts of the `number`-th `chunk_users` users."""
        start = number * self.chunk_users
        return self.parts(start, start + self.chunk_users)

    def num_chunks(self) -> int:
        """Return how many chunks all users make."""
        return -(-self.num_users // self.chunk_users)

    def embedded(
        self, gmf: NDArray[np.float32], mlp: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return GMF and MLP parts, each (n, num_items), for n users with the given vectors.

        gmf, mlp: (n, embedding_size) each, for a model on the CPU.
        """
        tables = (torch.from_numpy(gmf), torch.from_numpy(mlp))
        chunks = zip(*(torch.split(table, self.chunk_users) for table in tables), strict=True)
        first, second = zip(*(self._parts(*chunk) for chunk in chunks), strict=True)
        return torch.cat(first).numpy(), torch.cat(second).numpy()

    def shrink(self) -> None:
        """Score half as many pairs at once from now on; raises NeumfTuiError at the minimum."""
        if self.chunk_users > 1:
            self.chunk_users //= 2
        elif self._chunk_items > _FEWEST_ITEMS:
            self._chunk_items = -(-self._chunk_items // 2)
        else:
            items = self._chunk_items
            needed = items * self._pair_bytes + 16 * self.num_items
            free = f", {free_memory(self.device):,} are free" if self.device.type == "cuda" else ""
            raise NeumfTuiError(
                f"ranking on {self.device}: out of memory with one user and {items:,} items at a "
                f"time, which need {needed:,} bytes{free}; stop other programs on that device, "
                "or use --device cpu or a smaller --embedding-size"
            )


def _share(total: int, most: int) -> int:
    """Return the size of equal shares of `total`, none larger than `most`."""
    return -(-total // -(-total // most))


def free_memory(device: torch.device) -> int:
    """Return how many bytes of a CUDA device are free, including those that torch holds unused."""
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused
