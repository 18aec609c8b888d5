"""A step of training as one CUDA graph: Python launches it at once, not kernel by kernel."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from neumf_tui.training.pairs import Batch
from neumf_tui.training.weights import Weights

Work = Callable[[], Tensor]
_INPUTS = "rows", "negatives", "users", "items"


def capture_on_cuda(work: Work) -> Work:
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = work()

    def replay() -> Tensor:
        graph.replay()
        return loss

    return replay


class RecordedStep:
    """Records `step` on the first full batch, and replays it on all other full batches.

    It is captured by hand, since `torch.cuda.make_graphed_callables` would leave Adam outside.
    Training goes on without it where it cannot be recorded, or computes other numbers.
    Untested on a GPU: tests check all but the capture.
    """

    library = "torch's"

    def __init__(
        self,
        step: Callable[[Batch], Tensor],
        weights: Weights,
        batch_size: int,
        warn: Callable[[str], None],
        capture: Callable[[Work], Work] = capture_on_cuda,
    ) -> None:
        self._step, self._weights, self._batch_size = step, weights, batch_size
        self._warn, self._capture = warn, capture
        self._replay: Work | None = None
        self.failed = False

    def __call__(self, batch: Batch) -> Tensor:
        if not self.failed and self._replay is None and batch.size == self._batch_size:
            try:
                self._replay = self._record(batch)
            except RuntimeError as error:
                self.failed = True
                self._warn(f"no CUDA graph of a step ({error}): training continues, but slower")
        if self._replay is None or batch.size < self._batch_size:
            return self._step(batch)
        for name in _INPUTS:
            getattr(self._batch, name).copy_(getattr(batch, name))
        return self._replay().clone()  # the next run overwrites it

    def _record(self, batch: Batch) -> Work:
        """Record the step, and compare it with the step itself; the state stays as it was."""
        weights = self._weights
        self._batch = replace(batch, **{name: getattr(batch, name).clone() for name in _INPUTS})
        state = weights.values, weights.mean, weights.square, weights.steps
        before = [(tensor, tensor.clone()) for tensor in state]

        def run(work: Work) -> list[Tensor]:
            try:
                return [x.clone() for x in (work(), weights.gradient, weights.steps)]
            finally:
                for tensor, kept in before:
                    tensor.copy_(kept)

        # This run also makes what is made at first use, which recording must not do.
        expected = run(lambda: self._step(self._batch))
        replay = self._capture(lambda: self._step(self._batch))
        # Float sums in another order differ most where terms nearly cancel out.
        for one, other in zip(run(replay), expected, strict=True):
            if not torch.allclose(one, other, rtol=1e-3, atol=1e-5 * float(other.abs().max())):
                raise RuntimeError("the recorded step gives other numbers than the step")
        return replay
