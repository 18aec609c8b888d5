"""What training on N GPUs costs by calculation: memory of each, bytes that a step reads and writes, bytes that it sends.

    python -m benchmarks.cost_model          the tables of docs/scaling.md

Nothing here is measured. The counts follow neumf_tui/training: rows of users are cut among the processes, items and layers are
on each, and Adam goes over every value in every step. Times are those counts over the bandwidths of a data sheet: bounds from
below, not forecasts.
"""

from dataclasses import dataclass
from itertools import pairwise

from benchmarks.report import Table

VALUE_BYTES = 4 * 4
"""Of each float32 that learns: the weight, its gradient, and Adam's two means."""
STEP_BYTES = 8 * 4
"""Adam reads those four and writes three, and the gradient is set to zero."""
PAIR_BYTES = 4 + 4 + 8
"""Of each own training pair: user and item in 32 bits, a key of the sampler in 64."""
ORDER_BYTES = 8
"""Of each training pair of everyone: its place in the epoch's permutation, which every process draws whole."""
STRETCH_BYTES = 100 << 20
"""Negatives of a stretch of steps while they are drawn."""
CHUNK_BYTES = 1 << 30
"""Scores that an evaluation holds at once, about."""

MEMORY, LINK, WIRE = 3.35e12, 450e9, 50e9
"""Bytes a second: memory of an H100 SXM, NVLink in one direction, InfiniBand of 400 Gb/s for each GPU."""
GPUS_PER_NODE = 8


@dataclass(frozen=True)
class Work:
    name: str
    users: int
    items: int
    pairs: int
    factors: int
    mlp_layers: tuple[int, ...]
    batch: int
    """Training pairs of a step, over all GPUs."""
    negatives: int = 4


@dataclass(frozen=True)
class Cost:
    """Bytes of one GPU, and seconds."""

    own: float
    """User rows and what learns with them."""
    shared: float
    """Items and layers, the same on every GPU."""
    pairs: float
    order: float
    step: float
    """Of each batch: vectors and hidden units of its pairs, forward and back."""
    sent: float
    """A step, in each direction."""
    touched: float
    """A step, read and written."""
    steps: int
    """Of an epoch."""
    step_seconds: float
    checkpoint: float
    """The whole file, which rank 0 holds in the memory of its host."""

    @property
    def memory(self) -> float:
        return (
            self.own
            + self.shared
            + self.pairs
            + self.order
            + self.step
            + STRETCH_BYTES
            + CHUNK_BYTES
        )

    @property
    def epoch_seconds(self) -> float:
        return self.steps * self.step_seconds


ML_20M = Work("ML-20M", 138_493, 26_744, 20_000_263 - 138_493, 64, (64, 32, 16), 1 << 16)
HUGE = Work("10⁸ users", 10**8, 10**6, 10**10, 64, (64, 32, 16), 1 << 20)


def layer_values(work: Work) -> int:
    """Weights and biases of the MLP and of the head."""
    widths = (2 * work.factors, *work.mlp_layers)
    return sum((a + 1) * b for a, b in pairwise(widths)) + work.factors + widths[-1]


def cost(work: Work, gpus: int) -> Cost:
    """What each of `gpus` holds and does."""
    own_values, shared_values = (
        work.users / gpus * 2 * work.factors,
        work.items * 2 * work.factors + layer_values(work),
    )
    scored = work.batch / gpus * (1 + work.negatives)
    cells = scored * (2 * work.factors + sum(work.mlp_layers))
    batch_bytes = 2 * 4 * cells  # values, and their gradients
    touched = STEP_BYTES * (own_values + shared_values) + 2 * batch_bytes
    sent = 2 * (gpus - 1) / gpus * 4 * shared_values  # of a ring: reduce, then hand around
    rate = LINK if gpus <= GPUS_PER_NODE else WIRE
    return Cost(
        own=VALUE_BYTES * own_values,
        shared=VALUE_BYTES * shared_values,
        pairs=PAIR_BYTES * work.pairs / gpus,
        order=ORDER_BYTES * work.pairs,
        step=batch_bytes,
        sent=sent,
        touched=touched,
        steps=-(-work.pairs // work.batch),
        step_seconds=touched / MEMORY + sent / rate,
        checkpoint=3 * 4 * (work.users * 2 * work.factors + shared_values),
    )


def size(count: float) -> str:
    """Bytes in decimal units, two digits or more."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return (
                f"{count / unit:,.1f} {name}"
                if count < 10 * unit
                else f"{count / unit:,.0f} {name}"
            )
    return f"{count:.0f} B"


def seconds(value: float) -> str:
    return (
        f"{value:,.0f} s"
        if value >= 10
        else f"{value:.1f} s"
        if value >= 1
        else f"{1000 * value:.3g} ms"
    )


def table(cases: tuple[tuple[Work, int], ...]) -> Table:
    """One column a case."""
    costs = [cost(work, gpus) for work, gpus in cases]
    rows = [
        ("own user rows", [size(c.own) for c in costs]),
        ("items and layers", [size(c.shared) for c in costs]),
        ("own pairs", [size(c.pairs) for c in costs]),
        ("order of the epoch", [size(c.order) for c in costs]),
        ("batch", [size(c.step) for c in costs]),
        ("stretch and evaluation", [size(STRETCH_BYTES + CHUNK_BYTES)] * len(costs)),
        ("**memory of a GPU**", [f"**{size(c.memory)}**" for c in costs]),
        ("read and written a step", [size(c.touched) for c in costs]),
        ("sent by a GPU a step", [size(c.sent) if c.sent else "–" for c in costs]),
        ("steps of an epoch", [f"{c.steps:,}" for c in costs]),
        ("a step, at least", [seconds(c.step_seconds) for c in costs]),
        ("an epoch, at least", [seconds(c.epoch_seconds) for c in costs]),
        ("checkpoint", [size(c.checkpoint) for c in costs]),
    ]
    return Table(
        ("of each GPU", *(f"{work.name}, {gpus} GPU{'s' * (gpus > 1)}" for work, gpus in cases)),
        [(n, *cells) for n, cells in rows],
    )


CASES = ((ML_20M, 1), (ML_20M, 8), (HUGE, 8), (HUGE, 64))


def main() -> None:
    print(table(CASES).markdown())


if __name__ == "__main__":
    main()
