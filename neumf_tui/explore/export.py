"""A whole run's numbers as columns for other programs: ranks, all users' top items, embeddings."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import UsageError
from neumf_tui.evaluation.ranks import check_scores
from neumf_tui.explore.users import Users

if TYPE_CHECKING:
    from neumf_tui.explore.ranker import Ranker

WHAT = ("ranks", "top-k", "embeddings")
Columns = dict[str, NDArray[Any]]
TABLES = ("user_gmf", "user_mlp", "item_gmf", "item_mlp")


def rank_columns(users: Users) -> Columns:
    """Return one row for each user and evaluated epoch.

    `user` (id), `epoch`, `rank` (float32, NaN where nothing is held out). Raises UsageError where
    no epoch was evaluated.
    """
    if not users.epochs:
        raise UsageError(f"{users.info.name}: no evaluation yet; wait for the first one")
    ids = np.array(users.dataset.user_ids)
    return {
        "user": np.tile(ids, len(users.epochs)),
        "epoch": np.repeat(np.array(users.epochs), len(ids)),
        "rank": users.tape.reshape(-1),
    }


def top_columns(ranker: "Ranker", count: int) -> Columns:
    """Return the `count` best candidates of every user in the order of `Ranker.rank`.

    `user`, `place` (from 1), `item_id`, `score` and its parts (float32); a user with fewer
    candidates that have a score has fewer rows. Raises UsageError, RunError.
    """
    from neumf_tui.scorers.scorer import SCORE

    data = ranker.dataset
    if not 0 < count <= data.num_items:
        raise UsageError(f"--top {count}: expected 1 to {data.num_items:,}, the number of items")
    found: list[tuple[NDArray[Any], ...]] = []
    for user in range(data.num_users):
        profile = ranker.scorer.profile(user, data.history(user))
        total, parts = ranker.scorer.item_scores(profile)
        check_scores(total, ranker.folder)
        scores = total.copy()
        scores[profile.history] = -np.inf
        # Partition first: sorting whole catalogues takes longer than scoring them.
        few = np.flatnonzero(scores >= np.partition(scores, -count)[-count])
        best = few[np.argsort(-scores[few], kind="stable")][:count]
        best = best[scores[best] > -np.inf]
        ids = np.full(len(best), user), np.arange(1, len(best) + 1), best
        found.append((*ids, *(part[best] for part in (total, *parts.values()))))
    users, places, items, *values = map(np.concatenate, zip(*found, strict=True))
    return {
        "user": np.array(data.user_ids)[users],
        "place": places,
        "item_id": np.array(data.catalogue.item_ids)[items],
        **dict(zip((SCORE, *ranker.scorer.part_names), values, strict=True)),
    }


def embedding_arrays(ranker: "Ranker") -> Columns:
    """Return the model's vectors as `Scorer.embeddings`, with `user_ids` and `item_ids`.

    Raises CannotError.
    """
    return {
        **ranker.scorer.embeddings(),
        "user_ids": np.array(ranker.dataset.user_ids),
        "item_ids": np.array(ranker.dataset.catalogue.item_ids),
    }


def embedding_columns(arrays: Columns) -> Columns:
    """Return the vectors as one table: `table`, `id`, then one column for each coordinate.

    Tables of fewer coordinates have NaN in the last columns.
    """
    ids = {"user": arrays["user_ids"], "item": arrays["item_ids"]}
    tables = {name: array for name, array in arrays.items() if array.ndim == 2}
    width = max(array.shape[1] for array in tables.values())
    values = np.concatenate(
        [
            np.pad(array, ((0, 0), (0, width - array.shape[1])), constant_values=np.nan)
            for array in tables.values()
        ]
    )
    return {
        "table": np.repeat(list(tables), [len(array) for array in tables.values()]),
        "id": np.concatenate([ids[name.partition("_")[0]] for name in tables]),
        **{f"v{k}": column for k, column in enumerate(values.T)},
    }
