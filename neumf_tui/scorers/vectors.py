"""Models whose score is a product of two vectors: matrix factorisation, two towers, popularity."""

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neumf_tui.scorers.fold_in import FoldIn
from neumf_tui.scorers.nearest import nearest
from neumf_tui.scorers.scorer import (
    CannotError,
    Factors,
    FloatArray,
    ItemScores,
    Kept,
    Profile,
    Scorer,
    Similar,
    quiet,
)

_SPACE = "vectors"
_ROWS = 16  # users in a matrix product


class VectorScorer(Scorer):
    """Scores by user vector · item vector, plus biases if there are some, in float32.

    By cosine both vectors have the length 1.
    """

    what = "a model of vectors"

    def __init__(
        self,
        users: FloatArray,
        items: FloatArray,
        user_bias: FloatArray | None = None,
        item_bias: FloatArray | None = None,
        *,
        cosine: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        """Keep users (U, d) and items (I, d), and the biases (U,) and (I,).

        `weight_decay` is that of the training, for fold-in.
        """
        self.num_users, self.num_items = len(users), len(items)
        self._cosine, self._weight_decay = cosine, weight_decay
        self._users, self._items = (_unit(users), _unit(items)) if cosine else (users, items)
        self._user_bias, self._item_bias = user_bias, item_bias
        if not items.shape[1]:
            self.what, self.newcomers_by = "a model of biases alone", "history"
        elif user_bias is not None or item_bias is not None:
            self.part_names = ("product", "bias")

    def kept(self) -> Kept:
        tensors = {
            "users": self._users,
            "items": self._items,
            "user_bias": self._user_bias,
            "item_bias": self._item_bias,
        }
        there = {name: tensor for name, tensor in tensors.items() if tensor is not None}
        return Kept("vectors", there, {"similarity": "cosine" if self._cosine else "dot"})

    @quiet
    def scores(self, users: range) -> FloatArray:
        rows = slice(users.start, users.stop)
        product = self._products(self._users[rows])
        if self._user_bias is None and self._item_bias is None:
            return product
        bias = np.zeros(len(product), np.float32)
        if self._user_bias is not None:
            bias = self._user_bias[rows]
        return np.add(product, self._biases(bias[:, None]), out=product)

    @quiet
    def item_scores(self, person: Profile) -> ItemScores:
        product = self._products(person.vectors[_SPACE][None])[0]
        if self._user_bias is None and self._item_bias is None:
            return ItemScores(product, {})
        own = np.zeros(1, np.float32)
        if self._user_bias is not None and person.user is not None:
            own = self._user_bias[person.user : person.user + 1]
        bias = np.broadcast_to(self._biases(own), product.shape)
        parts = {"product": product, "bias": bias} if self.part_names else {}
        return ItemScores(product + bias, parts)

    def _products(self, vectors: FloatArray) -> FloatArray:
        # The order in which a matrix product sums depends on how many rows there are.
        padded = np.pad(vectors, ((0, -len(vectors) % _ROWS), (0, 0)))
        count, width = padded.shape
        blocks = padded.reshape(count // _ROWS, _ROWS, width) @ self._items.T
        return np.ascontiguousarray(blocks.reshape(count, self.num_items)[: len(vectors)])

    def _biases(self, of_users: FloatArray) -> FloatArray:
        return of_users if self._item_bias is None else of_users + self._item_bias

    def profile(self, user: int, history: NDArray[np.int64]) -> Profile:
        return Profile(history, user, {_SPACE: self._users[user]})

    def newcomer(
        self, history: NDArray[np.int64], seed: int = 0, user: int | None = None
    ) -> Profile:
        return self._folded(history, self._fold_in.fit(history, seed))

    def without_each(self, person: Profile) -> Iterator[FloatArray]:
        for vector in self._fold_in.without_each(person.history):
            yield self.item_scores(self._folded(person.history, vector)).total[None]

    def _folded(self, history: NDArray[np.int64], vector: FloatArray) -> Profile:
        vector = _unit(vector[None])[0] if self._cosine else vector
        return Profile(history, vectors={_SPACE: vector})

    @cached_property
    def _fold_in(self) -> FoldIn:
        return FoldIn([self._users], self.num_items, self._slopes, self._weight_decay)

    def _slopes(self, user: FloatArray, items: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        vectors = self._items[items]
        scores = vectors @ user
        return (scores if self._item_bias is None else scores + self._item_bias[items]), vectors

    def prepare_newcomers(self) -> None:
        _ = self._fold_in

    def average(self) -> Profile:
        """Return the mean of all users' vectors."""
        mean = self._users.mean(0, dtype=np.float64).astype(np.float32)
        return Profile(np.empty(0, np.int64), vectors={_SPACE: mean})

    def similar_items(self, item: int, count: int) -> Mapping[str, Similar]:
        self._check_vectors()
        return {_SPACE: nearest(self._items, self._items[item], count, item)}

    def similar_users(self, person: Profile, count: int) -> Mapping[str, Similar]:
        self._check_vectors()
        leave_out = -1 if person.user is None else person.user
        return {_SPACE: nearest(self._users, person.vectors[_SPACE], count, leave_out)}

    def _check_vectors(self) -> None:
        if not self._items.shape[1]:
            raise CannotError(f"{self.what}, such as popularity, has no vectors")

    def embeddings(self) -> Mapping[str, FloatArray]:
        biases = {"user_bias": self._user_bias, "item_bias": self._item_bias}
        found = {name: bias[:, None] for name, bias in biases.items() if bias is not None}
        return {"user": self._users, "item": self._items, **found}

    def factors(self, person: Profile) -> Factors | None:
        if not self._items.shape[1]:
            return None
        part = self.part_names[0] if self.part_names else "score"
        return Factors(part, person.vectors[_SPACE].astype(np.float64), self._items)


def _unit(rows: FloatArray) -> FloatArray:
    """Return rows of the length 1; rows of zeros stay as they are."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    return (rows / np.where(lengths > 0, lengths, 1)[:, None]).astype(np.float32)
