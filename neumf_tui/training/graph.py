"""A step of training as one CUDA graph: Python launches it at once, not kernel by kernel."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from neumf_tui.training.pairs import Batch
from neumf_tui.training.weights import Weights

Work = Callable[[], Tensor]
_INPUTS = "rows", "negatives", "users", "items"


def capture_on_cuda(work: Work) -> Work:
    """Capture `work` as a CUDA graph, and return a function that replays it."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = work()

    def replay() -> Tensor:
        graph.replay()
        return loss

    return replay


@dataclass(eq=False)
class RecordedStep:
    """Records `step` on the first full batch, and replays it on all other full batches.

    `torch.cuda.make_graphed_callables` would leave Adam outside. Training continues without a
    record if recording fails or computes other numbers. Untested on a GPU: tests fake `capture`.
    """

    step: Callable[[Batch], Tensor]
    weights: Weights
    batch_size: int
    warn: Callable[[str], None]
    capture: Callable[[Work], Work] = capture_on_cuda
    failed: bool = field(default=False, init=False)
    _replay: Work | None = field(default=None, init=False)
    library = "torch's"

    def __call__(self, batch: Batch) -> Tensor:
        if batch.size == self.batch_size and not self.failed and not self._replay:
            try:
                self._replay = self._record(batch)
            except RuntimeError as error:
                self.failed = True
                self.warn(f"no CUDA graph of a step ({error}): training continues, but slower")
        if batch.size < self.batch_size or not self._replay:
            return self.step(batch)
        for name in _INPUTS:
            getattr(self._batch, name).copy_(getattr(batch, name))
        return self._replay().clone()  # the next run overwrites it

    def _record(self, batch: Batch) -> Work:
        """Record the step, and compare it with the step itself; the state stays as it was."""
        self._batch = replace(batch, **{name: getattr(batch, name).clone() for name in _INPUTS})
        state = self.weights.values, self.weights.mean, self.weights.square, self.weights.steps
        before = [(tensor, tensor.clone()) for tensor in state]

        def run(work: Work) -> list[Tensor]:
            try:
                return [x.clone() for x in (work(), self.weights.gradient, self.weights.steps)]
            finally:
                for tensor, kept in before:
                    tensor.copy_(kept)

        # The first run also creates what is created at first use, which must not be recorded.
        expected = run(lambda: self.step(self._batch))
        replay = self.capture(lambda: self.step(self._batch))
        # Float sums in another order differ most where terms nearly cancel out.
        for one, other in zip(run(replay), expected, strict=True):
            if not torch.allclose(one, other, rtol=1e-3, atol=1e-5 * float(other.abs().max())):
                raise RuntimeError("the recorded step gives other numbers than the step")
        return replay
