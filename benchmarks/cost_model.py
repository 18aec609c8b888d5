"""The calculated cost of training on several GPUs: memory of each, bytes of a step.

    python -m benchmarks.cost_model          the tables of docs/scaling.md

Nothing here is measured. The counts follow neumf_tui/training: user rows are divided among the
processes, each has all items and layers, and Adam updates every value in every step. Times are
these counts over the bandwidths of a data sheet: lower bounds, not forecasts.
"""

from dataclasses import dataclass
from itertools import pairwise

from benchmarks.report import Table, times

VALUE_BYTES = 4 * 4
"""Bytes of each parameter (float32): the weight, its gradient, and Adam's two means."""
STEP_BYTES = 8 * 4
"""Bytes that a step moves of each parameter: Adam reads four values and writes three, and the
gradient is set to zero."""
PAIR_BYTES = 4 + 4 + 8
"""Bytes of each own training pair: user and item in 32 bits, a key of the sampler in 64."""
ORDER_BYTES = 8
"""Bytes of each training pair of all processes: its place in the epoch's permutation, which every
process draws completely."""
STRETCH_BYTES = 100 << 20
"""Bytes of negatives that are drawn at once, for several steps."""
CHUNK_BYTES = 1 << 30
"""Approximate bytes of scores that an evaluation holds at once."""

MEMORY, LINK, WIRE = 3.35e12, 450e9, 50e9
"""Bytes a second: memory of an H100 SXM, NVLink in one direction, InfiniBand of 400 Gb/s a GPU."""
GPUS_PER_NODE = 8


@dataclass(frozen=True)
class Work:
    """A dataset and a model."""

    name: str
    users: int
    items: int
    pairs: int
    factors: int
    mlp_layers: tuple[int, ...]
    batch: int
    """Training pairs of a step on all GPUs together."""
    negatives: int = 4


@dataclass(frozen=True)
class Cost:
    """Bytes of one GPU, and seconds."""

    own: float
    """User rows, with gradients and Adam's means."""
    shared: float
    """Items and layers, the same on every GPU."""
    pairs: float
    order: float
    step: float
    """Vectors and hidden units of a batch, with their gradients."""
    sent: float
    """Per step, in each direction."""
    touched: float
    """Read and written per step."""
    steps: int
    """Per epoch."""
    step_seconds: float
    checkpoint: float
    """The whole file, which rank 0 holds in its host's memory."""

    @property
    def memory(self) -> float:
        stored = self.own + self.shared + self.pairs + self.order
        return stored + self.step + STRETCH_BYTES + CHUNK_BYTES

    @property
    def epoch_seconds(self) -> float:
        return self.steps * self.step_seconds


ML_20M = Work("ML-20M", 138_493, 26_744, 20_000_263 - 138_493, 64, (64, 32, 16), 1 << 16)
HUGE = Work("10⁸ users", 10**8, 10**6, 10**10, 64, (64, 32, 16), 1 << 20)


def layer_values(work: Work) -> int:
    """Return the number of weights and biases of the MLP and the head."""
    widths = (2 * work.factors, *work.mlp_layers)
    return sum((a + 1) * b for a, b in pairwise(widths)) + work.factors + widths[-1]


def cost(work: Work, gpus: int) -> Cost:
    """Return what each of `gpus` holds and does."""
    own_values = work.users / gpus * 2 * work.factors
    shared_values = work.items * 2 * work.factors + layer_values(work)
    scored = work.batch / gpus * (1 + work.negatives)
    cells = scored * (2 * work.factors + sum(work.mlp_layers))
    batch_bytes = 2 * 4 * cells  # values and their gradients
    touched = STEP_BYTES * (own_values + shared_values) + 2 * batch_bytes
    sent = 2 * (gpus - 1) / gpus * 4 * shared_values  # all-reduce in a ring
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
    """Return bytes in decimal units, with two digits or more."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:,.{int(count < 10 * unit)}f} {name}"
    return f"{count:.0f} B"


def seconds(value: float) -> str:
    if value >= 10:
        return f"{value:,.0f} s"
    return f"{value:.1f} s" if value >= 1 else f"{1000 * value:.3g} ms"


def table(cases: tuple[tuple[Work, int], ...]) -> Table:
    """Return a table with a column for each case."""
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
    names = [f"{work.name}, {times(gpus, 'GPU')}" for work, gpus in cases]
    return Table(("of each GPU", *names), [(name, *cells) for name, cells in rows])


CASES = ((ML_20M, 1), (ML_20M, 8), (HUGE, 8), (HUGE, 64))


def main() -> None:
    print(table(CASES).markdown())


if __name__ == "__main__":
    main()
