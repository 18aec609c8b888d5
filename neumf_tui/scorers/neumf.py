"""NeuMF in numpy, by the kernels in C where there are some."""

import contextlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import NeumfTuiError
from neumf_tui.native import kernels
from neumf_tui.native.library import NoKernels
from neumf_tui.scorers.fold_in import FoldIn, check_not_empty, without_each_item
from neumf_tui.scorers.nearest import nearest
from neumf_tui.scorers.place_weights import PlaceWeights
from neumf_tui.scorers.scorer import (
    Factors,
    FloatArray,
    Histories,
    ItemScores,
    Profile,
    Scorer,
    Shares,
    Similar,
    quiet,
)
from neumf_tui.scorers.sums import sum_in_order

_KERNEL_PAIRS = 1 << 16
"""Pairs in a chunk for the kernels: both parts of their scores, 512 KiB, stay in the cache until
ranks are counted."""
_HIDDEN_BYTES = 5 << 20
"""Hidden units at once without the kernels: they come from the L3 cache."""
_FEWEST_USERS = 16
"""Users in a chunk, even if the catalogue is large: each item that is read serves them all (ML-20M,
64 factors, layers of 64, 32 and 16: 83 ns a pair, with one user at a time 101 ns)."""
_MOST_PAIRS = 1 << 22
_BATCH = 32  # histories without an item that are scored between two results
_PATHS = ("gmf", "mlp")


class NeuMFScorer(Scorer):
    """Scores by the weights of a NeuMF (He et al. 2017), in float32.

    score = head · [user_gmf * item_gmf, mlp([user_mlp, item_mlp])] + bias of the head, if any. The
    GMF part and the MLP part, which has the bias, sum exactly to the score. The paths may have
    vectors of different widths, and GMF may be missing.

    The first MLP layer splits by columns, W·[u; v] = W_u·u + W_v·v, so its half of the items is
    computed once for all users.

    With `places` a user's vector, in either path, is their own plus Σ w_k y_k / √Σ w_k over the
    items of their history: y_k is a second vector of the item, w_k its weight (SVD++, Koren 2008,
    equation 15, with weights).
    """

    what = "a NeuMF"
    part_names: tuple[str, ...] = _PATHS

    @quiet
    def __init__(
        self,
        tensors: Mapping[str, FloatArray],
        places: PlaceWeights | None = None,
        histories: Histories | None = None,
        weight_decay: float = 0.0,
    ) -> None:
        """Read the weights by their names in `NeuMF.state_dict`; they are not copied.

        `places` and `histories` of all users belong to a model with a history. `weight_decay` is
        that of the training, for fold-in.
        """
        self._tensors, self._weight_decay = tensors, weight_decay
        if places is not None:
            self.newcomers_by = "history vectors"
        self._places, self._histories = places, histories
        user_mlp, item_mlp = tensors["user_mlp.weight"], tensors["item_mlp.weight"]
        self.num_users, self.num_items = len(user_mlp), len(item_mlp)
        # The kernels need one factor at least.
        self._user_gmf = tensors.get("user_gmf.weight", np.zeros((self.num_users, 1), np.float32))
        self._item_gmf = tensors.get("item_gmf.weight", np.zeros((self.num_items, 1), np.float32))
        head = tensors["head.weight"][0]
        if "item_gmf.weight" not in tensors:
            head = np.concatenate([np.zeros(1, np.float32), head])
            self.part_names, self.what = ("mlp",), "a NeuMF without GMF"
        factors = self._item_gmf.shape[1]
        self._head_gmf, self._head_mlp = head[:factors], head[factors:]
        self._bias = np.float32(tensors["head.bias"][0] if "head.bias" in tensors else 0)
        first, self._first_bias = tensors["mlp.0.weight"], tensors["mlp.0.bias"]
        self._first_user = np.ascontiguousarray(first[:, : user_mlp.shape[1]])
        self._layers: list[tuple[FloatArray, FloatArray]] = []
        while f"mlp.{len(self._layers) + 1}.weight" in tensors:
            name = f"mlp.{len(self._layers) + 1}"
            self._layers.append((tensors[f"{name}.weight"], tensors[f"{name}.bias"]))
        self._widths = [len(first), *(len(bias) for _, bias in self._layers)]
        self._kernels: tuple[kernels.Model, kernels.Catalogue] | None = None
        if max(factors, *self._widths) <= kernels.WIDEST:
            with contextlib.suppress(NoKernels):
                self._kernels = self._for_kernels()
        if self._kernels is None:  # else both are in the kernels' catalogue
            self._items_gmf = np.ascontiguousarray(self._item_gmf.T)
            self._items_first = self._make_items_first()
        self._pair_bytes = 8 * max(self._widths)  # of a layer and of the next one
        pairs = _KERNEL_PAIRS if self._kernels else _HIDDEN_BYTES // self._pair_bytes
        few = min(_FEWEST_USERS, _MOST_PAIRS // self.num_items)
        self._chunk_users = min(max(pairs // self.num_items, few, 1), self.num_users)
        self._chunk_items = max(1, pairs // self._chunk_users)

    def _for_kernels(self) -> tuple[kernels.Model, kernels.Catalogue]:
        """Lay out what follows the first layer as one array; raises NoKernels."""
        arrays = [part.reshape(-1) for layer in self._layers for part in layer]
        values = np.concatenate([*arrays, self._head_mlp])
        ends = list(accumulate(map(len, arrays), initial=0))
        factors = self._item_gmf.shape[1]
        # The first layer is part of the catalogue, and of the head only the MLP's part is needed.
        model = kernels.Model(
            factors=factors,
            num_users=0,
            num_items=0,
            widths=self._widths,
            weights=[0, *ends[:-1:2]],
            biases=[0, *ends[1:-1:2]],
            head=ends[-1] - factors,
            values=values,
        )
        return model, kernels.Catalogue(self._item_gmf.T, self._make_items_first())

    def _make_items_first(self) -> FloatArray:
        """Return the items' part of the first layer, (width, items)."""
        items_mlp = np.ascontiguousarray(self._tensors["item_mlp.weight"]).T
        first = self._tensors["mlp.0.weight"]
        return np.ascontiguousarray(first[:, -len(items_mlp) :] @ items_mlp)

    def with_histories(self, histories: Histories) -> "NeuMFScorer":
        if self._places is None:
            return self
        return NeuMFScorer(self._tensors, self._places, histories, self._weight_decay)

    def fused(self, alpha: float) -> "NeuMFScorer":
        """Return the model of two paths that were trained separately (He et al., equation 13).

        The score becomes alpha·GMF + (1 − alpha)·MLP.
        """
        head = self._tensors["head.weight"].copy()
        factors = head.shape[1] - len(self._head_mlp)
        head[:, :factors] *= np.float32(alpha)
        head[:, factors:] *= np.float32(1 - alpha)
        tensors = {**self._tensors, "head.weight": head}
        return NeuMFScorer(tensors, self._places, self._histories, self._weight_decay)

    @property
    def chunk_users(self) -> int:
        return self._chunk_users

    @quiet
    def scores(self, users: range) -> FloatArray:
        gmf, mlp = self._parts(*self._vectors(users))
        return np.add(gmf, mlp, out=gmf)

    @quiet
    def item_scores(self, person: Profile) -> ItemScores:
        gmf, mlp = (part[0] for part in self._parts_of(person.vectors))
        parts = {"gmf": gmf, "mlp": mlp}
        return ItemScores(gmf + mlp, {name: parts[name] for name in self.part_names})

    def _parts_of(self, vectors: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
        gmf, mlp = (np.atleast_2d(vectors[path]) for path in _PATHS)
        return self._parts(gmf, mlp)

    @quiet
    def _totals(self, vectors: Mapping[str, FloatArray]) -> FloatArray:
        return np.add(*self._parts_of(vectors))

    def _vectors(self, users: range) -> tuple[FloatArray, FloatArray]:
        """Return the users' vectors of both paths, with those of their histories."""
        rows = slice(users.start, users.stop)
        gmf, mlp = self._user_gmf[rows], self._tensors["user_mlp.weight"][rows]
        if self._places is None:
            return gmf, mlp
        assert self._histories is not None
        return self._with_history((gmf, mlp), self._histories.users(users))

    @quiet
    def _with_history(
        self, own: tuple[FloatArray, FloatArray], histories: Histories
    ) -> tuple[FloatArray, FloatArray]:
        assert self._places is not None
        mlp = own[1] + self._places.sums(self._tensors["history_mlp.weight"], histories)
        if "gmf" not in self.part_names:
            return np.broadcast_to(own[0], (len(mlp), 1)), mlp
        return own[0] + self._places.sums(self._tensors["history_gmf.weight"], histories), mlp

    def _parts(self, gmf: FloatArray, mlp: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return GMF and MLP parts, each (n, num_items), for n users with these vectors."""
        weighted = np.ascontiguousarray(gmf * self._head_gmf)
        products = mlp.T[:, :, None] * self._first_user.T[:, None, :]
        users_first = sum_in_order(products) + self._first_bias
        if self._kernels is None:
            found = self._parts_by_numpy(weighted, users_first)
        else:
            try:
                found = kernels.scores(*self._kernels, weighted, users_first)
            except MemoryError:
                raise NeumfTuiError(
                    "not enough memory to score items; close other programs and try again"
                ) from None
        if self._bias:
            np.add(found[1], self._bias, out=found[1])
        return found

    def _parts_by_numpy(
        self, weighted: FloatArray, users_first: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        users, items = len(weighted), self.num_items
        # The order in which a matrix product sums depends on how many rows there are.
        rows = max(users, self._chunk_users, 2)
        padded = np.pad(weighted, ((0, rows - users), (0, 0)))
        gmf = (padded @ self._items_gmf)[:users]
        mlp = np.empty((users, items), np.float32)
        for begin in range(0, items, self._chunk_items):
            items_first = self._items_first[:, begin : begin + self._chunk_items]
            hidden = users_first[:, :, None] + items_first
            np.maximum(hidden, 0, out=hidden)
            for weight, bias in self._layers:
                hidden = weight @ hidden  # one product a user, always of the same shape
                hidden += bias[:, None]
                np.maximum(hidden, 0, out=hidden)
            score = self._head_mlp[0] * hidden[:, 0]
            for unit, weight in enumerate(self._head_mlp[1:], 1):
                score += weight * hidden[:, unit]
            mlp[:, begin : begin + self._chunk_items] = score
        return gmf, mlp

    def profile(self, user: int, history: NDArray[np.int64]) -> Profile:
        gmf, mlp = self._vectors(range(user, user + 1))
        return Profile(history, user, {"gmf": gmf[0], "mlp": mlp[0]})

    def newcomer(
        self, history: NDArray[np.int64], seed: int = 0, user: int | None = None
    ) -> Profile:
        """Return the profile of somebody with this history.

        With history vectors nothing is fitted: the sum of the history's vectors, and of the vector
        of `user` or else the mean of all users' own. (ML-100K, preset tuned, seed 0: the held-out
        item's median rank is 45 with the users' own vectors and 51 with the mean.)
        """
        if self._places is not None:
            vectors = self._summed([history], user)
            return Profile(history, vectors={path: rows[0] for path, rows in vectors.items()})
        return Profile(history, vectors=self._split(self._fold_in.fit(history, seed)))

    def _summed(
        self, histories: list[NDArray[np.int64]], user: int | None
    ) -> Mapping[str, FloatArray]:
        check_not_empty(histories)
        tables = self._user_gmf, self._tensors["user_mlp.weight"]
        if user is None:
            gmf, mlp = (table.mean(0, dtype=np.float64).astype(np.float32) for table in tables)
        else:
            gmf, mlp = (table[user] for table in tables)
        gmf, mlp = self._with_history((gmf, mlp), Histories.of(histories))
        return {"gmf": gmf, "mlp": mlp}

    def prepare_newcomers(self) -> None:
        if self._places is None:
            _ = self._fold_in

    def average(self) -> Profile:
        """Return the mean of all users' vectors."""
        vectors = (table.mean(0, dtype=np.float64).astype(np.float32) for table in self._users)
        return Profile(np.empty(0, np.int64), vectors=dict(zip(_PATHS, vectors, strict=True)))

    def without_each(self, person: Profile) -> Iterator[FloatArray]:
        history = person.history
        if self._places is not None:
            yield self._totals(self._summed([history], person.user))
            for histories in without_each_item(history, _BATCH):
                yield self._totals(self._summed(histories, person.user))
            return
        for vector in self._fold_in.without_each(history):
            yield self._totals(self._split(vector))

    @cached_property
    def _users(self) -> tuple[FloatArray, FloatArray]:
        """All users' vectors of both paths."""
        return self._vectors(range(self.num_users))

    @cached_property
    def _fold_in(self) -> FoldIn:
        return FoldIn(self._users, self.num_items, self._slopes, self._weight_decay)

    def _split(self, vector: FloatArray) -> Mapping[str, FloatArray]:
        width = len(self._head_gmf)
        return {"gmf": vector[:width], "mlp": vector[width:]}

    def _slopes(self, user: FloatArray, items: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        """Return scores of `items` (m,) and their derivatives along `user`, shape (m, p)."""
        vectors = self._split(user)
        items_gmf = self._item_gmf[items] * self._head_gmf
        # In the same order in memory with and without kernels: products are the same bits then.
        if self._kernels is None:
            first = self._items_first[:, items].T + self._first_bias
        else:
            first = np.asfortranarray(self._kernels[1].first(items)) + self._first_bias
        hidden = np.maximum(first + self._first_user @ vectors["mlp"], 0)
        active = [hidden > 0]
        for weight, bias in self._layers:
            hidden = np.maximum(hidden @ weight.T + bias, 0)
            active.append(hidden > 0)
        back = active[-1] * self._head_mlp
        for (weight, _), on in zip(self._layers[::-1], active[-2::-1], strict=True):
            back = (back @ weight) * on
        slopes = np.concatenate([items_gmf, back @ self._first_user], 1)
        return items_gmf @ vectors["gmf"] + hidden @ self._head_mlp, slopes

    def similar_items(self, item: int, count: int) -> Mapping[str, Similar]:
        tables = {"gmf": self._item_gmf, "mlp": self._tensors["item_mlp.weight"]}
        return {
            path: nearest(tables[path], tables[path][item], count, item) for path in self.part_names
        }

    def similar_users(self, person: Profile, count: int) -> Mapping[str, Similar]:
        leave_out = -1 if person.user is None else person.user
        tables = dict(zip(_PATHS, self._users, strict=True))
        return {
            path: nearest(tables[path], person.vectors[path], count, leave_out)
            for path in self.part_names
        }

    def embeddings(self) -> Mapping[str, FloatArray]:
        users = dict(zip(_PATHS, self._users, strict=True))
        return {
            **{f"user_{path}": users[path] for path in self.part_names},
            **{f"item_{path}": self._tensors[f"item_{path}.weight"] for path in self.part_names},
            "head": self._tensors["head.weight"][0],
        }

    def factors(self, person: Profile) -> Factors | None:
        """Return h_k·p_k·q_k, the GMF part (He et al. 2017, equation 9, h of the fused head)."""
        if "gmf" not in self.part_names:
            return None
        weights = self._head_gmf.astype(np.float64) * person.vectors["gmf"]
        return Factors("gmf", weights, self._item_gmf)

    def shares(self, person: Profile, item: int, beside: NDArray[np.int64]) -> Shares | None:
        """Return what the history adds to the GMF part; the layers of the MLP mix everything."""
        if self._places is None or "gmf" not in self.part_names:
            return None
        mean = self._item_gmf[beside].mean(0, dtype=np.float64)
        direction = self._head_gmf * (self._item_gmf[item] - mean)
        table = self._tensors["history_gmf.weight"]
        items = self._places.shares(table, person.history, direction)
        own = person.vectors["gmf"].astype(np.float64) @ direction - items.sum()
        return Shares("gmf", items, float(own))
