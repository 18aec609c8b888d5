"""Somebody whom the model does not know yet: the list before the first film is picked, and the sheet of a guest's list."""

from dataclasses import replace

import numpy as np
import torch

from neumf_tui.explore.guests import Guest
from neumf_tui.explore.ranker import Person, Ranker, UserRanking
from neumf_tui.views.person import film_keys, ranking_sheet
from neumf_tui.views.sheet import Sheet

UNSAVED = "new"
"""Name of a guest who has none yet."""


def average(ranker: Ranker) -> UserRanking:
    """Every item, ranked for the mean of all trained users' embeddings; the person is a guest without a film.

    Fold-in starts from there, and comes back to it the less a history says. Raises RunError on NaN.
    """
    model = ranker.model
    with torch.inference_mode():
        vectors = [
            table.weight.double().mean(0).float().numpy()
            for table in (model.user_gmf, model.user_mlp)
        ]
    person = Person(Guest("", ()), "the average user", np.empty(0, dtype=np.int64), -1, *vectors)
    gmf, mlp = ranker.parts(person)
    scores = gmf + mlp
    order = np.argsort(-scores, kind="stable")
    # 1 + scored higher + (ties − 1) / 2, as everywhere.
    _, group, ties = np.unique(-scores[order], return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[group]
    means = float(gmf.mean(dtype=np.float64)), float(mlp.mean(dtype=np.float64))
    return UserRanking(
        person,
        "score",
        order,
        ranks.astype(np.float32),
        scores[order],
        gmf[order],
        mlp[order],
        *means,
        -1,
    )


def guest_sheet(ranker: Ranker, ranking: UserRanking, top: int | None = None) -> Sheet:
    """What `recommend --json` prints: the guest's ranking, with the films and the seed that it was folded in from."""
    who = ranking.person.who
    assert isinstance(who, Guest)
    sheet = ranking_sheet(ranker, ranking, top)
    likes = [film_keys(ranker.dataset, item) for item in ranking.person.history.tolist()]
    return replace(sheet, about=sheet.about | {"likes": likes, "seed": who.seed})
