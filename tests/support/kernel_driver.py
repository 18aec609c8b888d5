"""Call the kernels with random inputs, of which many are wrong in one place.

`python -m tests.support.kernel_driver SEED ROUNDS` prints how many calls were made, and how many
of them were refused. It imports no torch, so that a sanitizer can watch it.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from neumf_tui.native import kernels

REFUSED = (IndexError, ValueError, TypeError)
"""What a wrong input may raise; it must not reach memory that is not its own."""
WRONG = (-1, -(2**31), 2**31 - 1, 10**6)


class Driver:
    """Draws inputs by one seed; `refused` counts the calls that the kernels have refused."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.calls = self.refused = 0
        self.right = True
        """Whether the inputs of the current call are as they should be."""

    def run(self, rounds: int) -> None:
        for _ in range(rounds):
            for task in (
                self.gradient, self.draw, self.order, self.ranks, self.scores, self.adam,
                self.history_sums,
            ):  # fmt: skip
                self.calls, self.right = self.calls + 1, True
                try:
                    task()
                except REFUSED:
                    self.refused += 1

    def number(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    def indices(self, limit: int, *shape: int, dtype: Any = np.int64) -> Any:
        """Draw indices below `limit`, the highest and the lowest of them more often."""
        found = self.random.integers(0, limit, shape).astype(dtype)
        found[self.random.random(shape) < 0.1] = limit - 1
        return self.harmed(found)

    def floats(self, *shape: int) -> kernels.Floats:
        """Draw values with huge, infinite and missing ones among them."""
        found = self.random.standard_normal(shape).astype(np.float32)
        if self.random.random() < 0.2:
            odd = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45], np.float32)
            places = self.random.random(shape) < 0.05
            found[places] = self.random.choice(odd, int(places.sum()))
        return self.shaped(found)

    def harmed(self, array: Any) -> Any:
        """Put one wrong number into some arrays."""
        if array.size and self.random.random() < 0.02:
            array.flat[self.number(0, array.size - 1)] = self.random.choice(WRONG)
            self.right = False
        return self.shaped(array)

    def shaped(self, array: Any) -> Any:
        """Return some arrays in another shape, order or type."""
        if self.random.random() > 0.01:
            return array
        self.right = False
        changes: list[Callable[[Any], Any]] = [
            lambda a: a[: len(a) // 2],
            lambda a: a[::-1],
            lambda a: a[:0],
            lambda a: a[..., None],
            lambda a: np.concatenate([a, a]),
            lambda a: a.astype(np.float64 if a.dtype != np.float64 else np.float32),
            lambda a: np.asfortranarray(a) if a.ndim > 1 else np.repeat(a, 2)[::2],
            lambda a: np.broadcast_to(a[:1], a.shape),
        ]
        return changes[self.number(0, len(changes) - 1)](array)

    def model(self, users: int, items: int, factors: int, history: bool) -> kernels.Model:
        widths = [self.number(1, 20) for _ in range(self.number(1, 4))]
        weights, biases, end = [], [], 2 * factors * (users + items)
        begins = (end, end + factors * items) if history else (0, 0)
        end += 2 * factors * items * history
        for width, before in zip(widths, [2 * factors, *widths], strict=False):
            weights.append(end)
            biases.append(end + width * before)
            end += width * (before + 1)
        head, end = end, end + factors + widths[-1]
        if self.random.random() < 0.05:
            wrong = self.number(0, 3)
            head += (wrong == 0) * self.number(-9, 9)
            weights[0] += (wrong == 1) * self.number(-9, 9)
            biases[-1] += (wrong == 2) * self.number(-9, 9)
            widths[-1] += (wrong == 3) * self.number(-9, 9)
        values = self.floats(end)
        gradient = self.shaped(np.zeros(end, np.float32))
        return kernels.Model(
            factors, users, items, widths, weights, biases, head, values, gradient, begins
        )

    def gradient(self) -> None:
        users, items, pairs = self.number(1, 40), self.number(1, 40), self.number(0, 200)
        factors, negatives = self.number(1, 20), self.number(1, 5)
        shared, history = self.random.random() < 0.4, self.random.random() < 0.4
        model = self.model(users, items, factors, history)
        offset = self.floats(negatives, pairs) if self.random.random() < 0.3 else None
        dropout = [self.floats(pairs, factors) for _ in range(2)]
        batch = kernels.Batch(
            ("bpr", "bce", "softmax")[self.number(0, 2)],
            self.indices(users, pairs),
            self.indices(items, pairs),
            self.indices(items, *((negatives,) if shared else (negatives, pairs))),
            score_offset=offset,
            dropout=dropout if self.random.random() < 0.3 else (),
            histories=self.histories(items, pairs) if history else None,
            separate_paths=bool(self.random.random() < 0.3),
        )
        begin = self.number(0, pairs)
        kernels.gradient(model, batch, begin, self.number(begin, pairs + (self.number(0, 50) == 0)))

    def histories(self, items: int, pairs: int) -> kernels.PairHistories:
        size = self.number(0, 60)
        weights = np.abs(self.random.random(self.number(1, 30))).astype(np.float32)
        every = kernels.HistoryItems(self.indices(items, size, dtype=np.int32), weights)
        starts = self.random.integers(0, size + 1, pairs)
        sizes = (self.random.random(pairs) * (size - starts + 1)).astype(np.int64)
        return kernels.PairHistories(every, self.harmed(starts), self.harmed(sizes))

    def rows(self, users: int, items: int) -> tuple[kernels.Integers, list[Any]]:
        """Return where each user's items begin, and the items of each, ascending."""
        have = [
            np.flatnonzero(self.random.random(items) < share)
            for share in self.random.choice([0.0, 0.1, 0.9, 1.0], users, p=[0.2, 0.5, 0.25, 0.05])
        ]
        return self.harmed(np.cumsum([0, *map(len, have)])), have

    def draw(self) -> None:
        users, items, count = self.number(1, 30), self.number(1, 60), self.number(0, 300)
        starts, have = self.rows(users, items)
        free = self.harmed(np.array([items - len(some) for some in have]))
        keys = [some - np.arange(len(some)) for some in have]
        kernel = kernels.FreeItems(starts, free, self.shaped(np.concatenate(keys).astype(np.int32)))
        uniform = self.random.random(count)
        if count and self.random.random() < 0.1:
            uniform[0] = self.random.choice([np.nan, np.inf, -1.0, 1.0, 1e300, -0.0, 1 - 2**-53])
        asked = self.indices(users, count)
        drawn = kernel.draw(asked, self.shaped(uniform), self.number(-1, count))
        if self.right:
            assert all(0 <= item < items for item in drawn), "an item of the catalogue"
            assert not any(item in have[user] for user, item in zip(asked, drawn, strict=True))

    def order(self) -> None:
        total = self.number(0, 400)
        permutation = self.harmed(self.random.permutation(total).astype(np.int32))
        found = kernels.order(permutation, self.number(0, total + 2))
        if self.right:
            assert sorted(found) == list(range(total))

    def ranks(self) -> None:
        users, items = self.number(1, 30), self.number(1, 60)
        starts, have = self.rows(users, items)
        lead = self.shaped(np.zeros(users, np.float32))
        seen = self.harmed(np.concatenate(have).astype(np.int64))
        kernel = kernels.RankCounts(self.indices(items, users), starts, seen, lead)
        first = self.number(0, users)
        kernel.count(first, self.floats(self.number(0, users - first), items))

    def scores(self) -> None:
        users, items, factors = self.number(0, 9), self.number(1, 200), self.number(1, 20)
        widths = [self.number(1, 20) for _ in range(self.number(1, 4))]
        weights, biases, end = [0], [0], 0
        for width, before in zip(widths[1:], widths, strict=False):
            weights.append(end)
            biases.append(end + width * before)
            end += width * (before + 1)
        values = self.floats(end + widths[-1])
        model = kernels.Model(factors, 0, 0, widths, weights, biases, end - factors, values)
        catalogue = kernels.Catalogue(self.floats(factors, items), self.floats(widths[0], items))
        kernels.scores(model, catalogue, self.floats(users, factors), self.floats(users, widths[0]))

    def history_sums(self) -> None:
        users, items, size = self.number(0, 20), self.number(1, 40), self.number(0, 60)
        starts = self.random.integers(0, size + 1, users)
        sizes = (self.random.random(users) * (size - starts + 1)).astype(np.int64)
        kernels.history_sums(
            self.floats(items, self.number(0, 20)), self.indices(items, size),
            self.harmed(starts), self.harmed(sizes),
            self.floats(self.number(0, 30)), self.floats(users),
        )  # fmt: skip

    def adam(self) -> None:
        size = self.number(0, 300)
        kernel = kernels.Adam(*(self.floats(size) for _ in range(3)), np.abs(self.floats(size)))
        begin = self.number(0, size)
        part = range(begin, self.number(begin, size + (self.number(0, 20) == 0)))
        kernel.update(part, 0.1, 0.001, 0.01, 1e-8, 0.01)


def main() -> None:
    driver = Driver(int(sys.argv[1]))
    with np.errstate(all="ignore"):
        driver.run(int(sys.argv[2]))
    print(driver.calls, driver.refused)


if __name__ == "__main__":
    main()
