"""A step of training as one CUDA graph: Python launches it at once, not kernel by kernel."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from neumf_tui.training.pairs import Batch
from neumf_tui.training.weights import Weights

Capture = Callable[[Callable[[], Tensor]], tuple[Callable[[], object], Tensor]]
"""Records a function; returns how to run it again, and the loss, which each run overwrites."""
_INPUTS = "rows", "negatives", "users", "items"


class DifferentResult(Exception):
    """The recorded step does not compute what the step computes."""


def capture_on_cuda(work: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = work()
    return graph.replay, loss


class RecordedStep:
    """Records a step on the first full batch, and replays it on every other full batch.

    The graph holds the whole step: forward pass, autograd's backward pass, and Adam. So it is
    captured by hand: `torch.cuda.make_graphed_callables` would leave Adam outside, and launch
    forward and backward pass separately. Where recording fails, or the recorded step computes
    something else, training goes on without it, and `warn` gets the reason.

    Only its logic is tested; it has not run on a GPU since it records autograd.
    """

    library = "torch's"

    def __init__(
        self,
        step: Callable[[Batch], Tensor],
        weights: Weights,
        batch_size: int,
        warn: Callable[[str], None],
        capture: Capture = capture_on_cuda,
    ) -> None:
        """All that differs between the batches given to `step` must be in their tensors."""
        self._step, self._weights, self._batch_size = step, weights, batch_size
        self._warn, self._capture = warn, capture
        self.failed = False
        self._replay: Callable[[], object] | None = None

    def __call__(self, batch: Batch) -> Tensor:
        if self.failed or batch.size < self._batch_size:
            return self._step(batch)
        if self._replay is None:
            try:
                self._replay = self._record(batch)
            except (DifferentResult, RuntimeError) as error:
                self.failed = True
                self._warn(f"no CUDA graph of a step ({error}): training continues, but slower")
                return self._step(batch)
        for name in _INPUTS:
            getattr(self._batch, name).copy_(getattr(batch, name))
        self._replay()
        return self._loss.clone()  # the next run overwrites it

    def _record(self, batch: Batch) -> Callable[[], object]:
        """Record the step, and compare it with the step itself from the same state."""
        weights = self._weights
        self._batch = replace(batch, **{name: getattr(batch, name).clone() for name in _INPUTS})
        state = weights.values, weights.mean, weights.square, weights.steps
        before = [tensor.clone() for tensor in state]

        def restore() -> None:
            for tensor, kept in zip(state, before, strict=True):
                tensor.copy_(kept)

        # This call also makes what is made at first use, which must not happen while recording.
        loss = self._step(self._batch)
        expected = loss.clone(), weights.gradient.clone(), weights.steps.clone()
        restore()
        try:
            replay, self._loss = self._capture(lambda: self._step(self._batch))
            restore()
            replay()
            found = self._loss, weights.gradient, weights.steps
            # Float sums in another order differ most where terms nearly cancel out.
            for one, other in zip(found, expected, strict=True):
                scale = float(other.abs().max())
                if not torch.allclose(one, other, rtol=1e-3, atol=1e-5 * scale):
                    raise DifferentResult("the recorded step gives other numbers than the step")
        finally:
            restore()
        return replay
