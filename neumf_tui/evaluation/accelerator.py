"""Full ranking on an accelerator, by torch."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from neumf_tui.errors import NeumfTuiError
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.model.neumf import NeuMF

_MOST_PAIRS = 1 << 22  # pairs in a chunk, enough to keep an accelerator busy: 32 MiB of both parts
_FEWEST_USERS = 16  # even if the catalogue must be cut for them: each item read serves them all
_FEWEST_ITEMS = 1 << 10  # an accelerator without memory for this many pairs has none for the model


class AcceleratorEvaluator:
    """Ranks as an `Evaluator` on `device`, where what does not change between calls stays."""

    def __init__(self, evaluator: Evaluator, device: torch.device) -> None:
        self._of = evaluator
        # 32 bits hold an item index, in half the memory.
        self._items = torch.from_numpy(evaluator.train_items.astype(np.int32)).to(device)
        self._targets = torch.from_numpy(evaluator.targets.clip(min=0)).to(device)
        self._ends = torch.from_numpy(evaluator.starts).to(device)
        self._sizes = torch.from_numpy(evaluator.histories.sizes).to(device)

    @torch.inference_mode()
    def ranks(
        self, model: NeuMF, report: Callable[[float], None] | None = None
    ) -> NDArray[np.float32]:
        """Return ranks as `Evaluator.ranks`.

        Raises NeumfTuiError when a score is not a number, or the device has too little memory for
        one user.
        """
        model = model.with_history_folded_in(self._items, self._ends[:-1], self._sizes)
        scorer, users = TorchScorer(model), len(self._of.own)
        lead, top = (torch.zeros(users, device=self._targets.device) for _ in range(2))
        start = 0
        while start < users:
            stop = min(start + scorer.chunk_users, users)
            try:
                self._count(start, scorer.scores(start, stop), lead, top)
                start = stop
            except torch.OutOfMemoryError:
                scorer.shrink()
            if report:
                report(start / users)
        found, highest = torch.stack([lead, top]).cpu().numpy()
        return self._of.ranks_of(np.where(np.isnan(highest), highest, found))

    def _count(self, start: int, scores: Tensor, lead: Tensor, top: Tensor) -> None:
        """Count by `scores` (users, num_items) of users from `start` on, and overwrite them.

        Nothing here waits for the device.
        """
        starts, stop = self._of.starts, start + len(scores)
        target = scores.gather(1, self._targets[start:stop, None])
        torch.amax(scores, 1, out=top[start:stop])  # NaN if any score is
        # 1 where an item is above, −1 below, 0 if equal, infinite ones included; and 0 for what
        # is not a candidate.
        ahead = scores.sub_(target).sign_()
        pairs = slice(int(starts[start]), int(starts[stop]))
        rows = torch.arange(0, scores.numel(), scores.shape[1], device=scores.device)
        sizes, total = self._ends[start : stop + 1].diff(), pairs.stop - pairs.start
        seen = rows.repeat_interleave(sizes, output_size=total) + self._items[pairs]
        ahead.view(-1).index_fill_(0, seen, 0)
        torch.sum(ahead, 1, out=lead[start:stop])


class TorchScorer:
    """Scores users against the whole catalogue, in float32: tf32 and bf16 change ranks.

    The first MLP layer splits by columns, as in `NeuMFScorer`. Hidden units come first and pairs
    last, so that every operation runs over long rows.
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
            self.items_gmf = model.item_gmf.weight.T.contiguous()
            self.first_bias, self.first_user = first.bias, first.weight[:, :d].contiguous()
            items_mlp = model.item_mlp.weight.contiguous().T
            self.items_first = (first.weight[:, d:] @ items_mlp).contiguous()
        widths = [first.out_features, *(layer.out_features for layer in others)]
        # A layer's units and the next one's are in memory together.
        self._pair_bytes = 4 * max([widths[0], *(a + b for a, b in pairwise(widths))])
        pairs = self._pairs_at_once()
        users = max(pairs // self.num_items, min(_FEWEST_USERS, _MOST_PAIRS // self.num_items), 1)
        self.chunk_users = min(users, self.num_users)
        self._chunk_items = _share(self.num_items, max(1, pairs // self.chunk_users))
        """Items scored at once: all, unless these are too many."""

    def _pairs_at_once(self) -> int:
        if self.device.type != "cuda":
            return _MOST_PAIRS
        # Beside the hidden units: both parts, and what counting makes of them. Half is left for
        # other uses of the device.
        free = free_memory(self.device) // 2 // (self._pair_bytes + 16)
        return max(1, min(_MOST_PAIRS, free))

    @torch.inference_mode()
    def scores(self, start: int, stop: int) -> Tensor:
        """Return scores of users `start` to before `stop`, new (users, num_items).

        At most `chunk_users` users.
        """
        users_gmf, users_mlp = self.users_gmf[start:stop], self.users_mlp[start:stop]
        users, items = len(users_gmf), self.num_items
        # A user's scores must not depend on the other users, but the order in which a matrix
        # product sums depends on how many rows there are.
        users_first = (users_mlp[:, None, :] * self.first_user).sum(2) + self.first_bias
        padded = F.pad(users_gmf * self.head_gmf, (0, 0, 0, max(0, self.chunk_users - users)))
        scores = (padded @ self.items_gmf)[:users].contiguous()
        users_first = users_first.T.contiguous()
        for begin in range(0, items, self._chunk_items):
            items_first = self.items_first[:, begin : begin + self._chunk_items]
            hidden = (users_first[:, :, None] + items_first[:, None, :]).relu_()
            hidden = hidden.view(len(users_first), -1)
            for weight, bias in self.layers:
                hidden = torch.addmm(bias, weight, hidden).relu_()
            mlp = torch.mv(hidden.T, self.head_mlp).view(users, -1)
            scores[:, begin : begin + self._chunk_items] += mlp
        return scores

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
