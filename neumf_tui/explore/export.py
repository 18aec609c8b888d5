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

    `user`, `place` (from 1), `item_id`, `score`, `gmf`, `mlp` (float32); a user with fewer
    candidates has fewer rows. Raises UsageError, RunError.
    """
    from neumf_tui.explore.ranker import PARTS

    data = ranker.dataset
    if not 0 < count <= data.num_items:
        raise UsageError(f"--top {count}: expected 1 to {data.num_items:,}, the number of items")
    found: list[tuple[NDArray[Any], ...]] = []
    for number in range(ranker.scorer.num_chunks()):
        gmf, mlp = (part.numpy() for part in ranker.scorer.chunk(number))
        scores = gmf + mlp
        check_scores(scores, ranker.folder)
        for row in range(len(scores)):
            user = number * ranker.scorer.chunk_users + row
            scores[row, data.history(user)] = -np.inf
            # Partition first: sorting whole catalogues takes longer than scoring them.
            few = np.flatnonzero(scores[row] >= np.partition(scores[row], -count)[-count])
            best = few[np.argsort(-scores[row, few], kind="stable")][:count]
            best = best[np.isfinite(scores[row, best])]
            ids = np.full(len(best), user), np.arange(1, len(best) + 1), best
            found.append((*ids, *(part[row, best] for part in (scores, gmf, mlp))))
    users, places, items, *parts = map(np.concatenate, zip(*found, strict=True))
    return {
        "user": np.array(data.user_ids)[users],
        "place": places,
        "item_id": np.array(data.catalogue.item_ids)[items],
        **dict(zip(PARTS, parts, strict=True)),
    }


def embedding_arrays(ranker: "Ranker") -> Columns:
    """Return the four embedding tables and the head, with `user_ids` and `item_ids`.

    `user_gmf` and so on: float32 (rows, embedding_size).
    """
    arrays: Columns = {name: getattr(ranker.model, name).weight.numpy() for name in TABLES}
    arrays["user_ids"] = np.array(ranker.dataset.user_ids)
    arrays["item_ids"] = np.array(ranker.dataset.catalogue.item_ids)
    arrays["head"] = ranker.model.head.weight.numpy()[0]
    return arrays


def embedding_columns(arrays: Columns) -> Columns:
    """Return the embeddings as one table: `table`, `id`, then one column for each coordinate."""
    ids = {"user": arrays["user_ids"], "item": arrays["item_ids"]}
    values = np.concatenate([arrays[name] for name in TABLES])
    return {
        "table": np.repeat(TABLES, [len(arrays[name]) for name in TABLES]),
        "id": np.concatenate([ids[name.partition("_")[0]] for name in TABLES]),
        **{f"v{k}": column for k, column in enumerate(values.T)},
    }
