"""A step as one CUDA graph: the GPU gets its sixty small kernels at once, not one by one from Python."""

from collections.abc import Callable

import torch
from torch import Tensor

from neumf_tui.training.weights import Weights

Work = Callable[[Tensor], Tensor]
"""A step on the rows of a batch; its loss."""
Capture = Callable[[Callable[[], Tensor]], tuple[Callable[[], None], Tensor]]
"""Records what it is given; how to run it again, and the loss that every run leaves in the same place."""


class Unlike(Exception):
    """The recorded step is not the step."""


class StepGraph:
    """A step recorded on the first batch that it is given, and run again on every other of the same shape."""

    @torch.inference_mode()
    def __init__(
        self, work: Work, weights: Weights, rows: Tensor, capture: Capture | None = None
    ) -> None:
        """Records `work` on `rows` and holds it against `work` itself, from the same state; the state is as before.

        Raises Unlike where gradient, loss or the count of steps are not the same, and RuntimeError where nothing could be
        recorded.
        """
        self.rows = rows.clone()
        state = weights.values, weights.mean, weights.square, weights.steps
        before = [tensor.clone() for tensor in state]

        def restore() -> None:
            for tensor, kept in zip(state, before, strict=True):
                tensor.copy_(kept)

        # What is made at first use, and must not be made while recording, is made here.
        expected = work(self.rows).clone(), weights.gradient.clone(), weights.steps.clone()
        restore()
        try:
            self._replay, self._loss = (capture or capture_on_cuda)(lambda: work(self.rows))
            restore()
            self._replay()
            found = self._loss, weights.gradient, weights.steps
            # Sums of floats that come in any order differ in the last places, most where they nearly cancel out.
            for one, other in zip(found, expected, strict=True):
                scale = float(other.abs().max())
                if not torch.allclose(one, other, rtol=1e-3, atol=1e-5 * scale):
                    raise Unlike("the recorded step does not give what the step gives")
        finally:
            restore()

    @torch.inference_mode()
    def step(self, rows: Tensor) -> Tensor:
        """Run the step on `rows`; its loss."""
        self.rows.copy_(rows)
        self._replay()
        return self._loss.clone()  # the next run overwrites it


def capture_on_cuda(work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = work()
    return graph.replay, loss
