"""A step of training as one CUDA graph: Python launches it at once, not kernel by kernel."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from neumf_tui.training.pairs import Batch
from neumf_tui.training.weights import Weights

Recording = tuple[Callable[[], object], Tensor]
"""How to run the recorded work again, and its loss, which each run overwrites."""
_INPUTS = "rows", "negatives", "users", "items"


def capture_on_cuda(work: Callable[[], Tensor]) -> Recording:
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = work()
    return graph.replay, loss


class RecordedStep:
    """Records `step` on the first full batch, and replays it on all other full batches.

    The graph holds the whole step: forward pass, autograd's backward pass, and Adam. So it is
    captured by hand: `torch.cuda.make_graphed_callables` would leave Adam outside. Where recording
    fails, or the recorded step computes other numbers, training goes on without it, and `warn`
    gets the reason. Untested on a GPU: tests check all but the capture.
    """

    library = "torch's"

    def __init__(
        self,
        step: Callable[[Batch], Tensor],
        weights: Weights,
        batch_size: int,
        warn: Callable[[str], None],
        capture: Callable[[Callable[[], Tensor]], Recording] = capture_on_cuda,
    ) -> None:
        self._step, self._weights, self._batch_size = step, weights, batch_size
        self._warn, self._capture = warn, capture
        self.failed = False
        self._replay: Callable[[], object] | None = None

    def __call__(self, batch: Batch) -> Tensor:
        if not self.failed and self._replay is None and batch.size == self._batch_size:
            try:
                self._record(batch)
            except RuntimeError as error:
                self.failed, self._replay = True, None
                self._warn(f"no CUDA graph of a step ({error}): training continues, but slower")
        if self._replay is None or batch.size < self._batch_size:
            return self._step(batch)
        for name in _INPUTS:
            getattr(self._batch, name).copy_(getattr(batch, name))
        self._replay()
        return self._loss.clone()  # the next run overwrites it

    def _record(self, batch: Batch) -> None:
        """Record the step, and compare it with the step itself; the state stays as it was."""
        weights = self._weights
        self._batch = replace(batch, **{name: getattr(batch, name).clone() for name in _INPUTS})
        state = weights.values, weights.mean, weights.square, weights.steps
        before = [tensor.clone() for tensor in state]

        def restore() -> None:
            for tensor, kept in zip(state, before, strict=True):
                tensor.copy_(kept)

        # This run also makes what is made at first use, which recording must not do.
        loss = self._step(self._batch)
        expected = loss.clone(), weights.gradient.clone(), weights.steps.clone()
        restore()
        try:
            self._replay, self._loss = self._capture(lambda: self._step(self._batch))
            restore()
            self._replay()
            found = self._loss, weights.gradient, weights.steps
            # Float sums in another order differ most where terms nearly cancel out.
            for one, other in zip(found, expected, strict=True):
                if not torch.allclose(one, other, rtol=1e-3, atol=1e-5 * float(other.abs().max())):
                    raise RuntimeError("the recorded step gives other numbers than the step")
        finally:
            restore()
