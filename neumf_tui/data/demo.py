"""The built-in demo dataset: real films, and simulated users with tastes that can be learned."""

from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.options import DataOptions
from neumf_tui.data.prepare import Content, prepare_content
from neumf_tui.data.split import Interactions

NUM_USERS = 700
SOURCE = "built in: real titles, simulated users"
_SEED = 20170826
_START = 1_704_067_200  # 2024-01-01, unix seconds
_SESSIONS = 6


def _read_films() -> tuple[Catalogue, NDArray[np.float64]]:
    """Return the films, and the fame (1 to 5) of each, shape (num_items,)."""
    text = (resources.files("neumf_tui.data") / "demo_films.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    titles, years, genres, fame = zip(*rows, strict=True)
    ids = [str(number) for number in range(1, len(rows) + 1)]
    genre_lists = [text.split("|") for text in genres]
    return Catalogue(ids, list(titles), list(map(int, years)), genre_lists), np.array(fame, float)


def make_demo(options: DataOptions = DataOptions()) -> Dataset:
    """Simulate the users; the result is always the same.

    A user has a favourite era, likes one to three genres, dislikes one or two, and prefers famous
    films. Over six sessions the taste drifts from one set of genres to another. In each session the
    next films are drawn without replacement with probability proportional to exp(taste), by the
    Gumbel top-k trick.
    """
    catalogue, fame = _read_films()
    # Uniform draws only: their stream is the least likely to differ between numpy versions.
    random = np.random.Generator(np.random.PCG64(_SEED)).random
    names = sorted({genre for genres in catalogue.genres for genre in genres})
    has = np.array([[name in genres for name in names] for genres in catalogue.genres], float)
    has /= np.sqrt(has.sum(axis=1, keepdims=True))
    share = has.sum(axis=0) / has.sum()
    years = np.array(catalogue.years, dtype=np.float64)
    num_items = len(fame)

    users, items, times = [], [], []
    for user in range(NUM_USERS):
        early, late = _genre_taste(random, share), _genre_taste(random, share)
        era = 1945 + 75 * np.sqrt(random())
        width = 8 + 14 * random()
        pull = 0.5 + 0.5 * random()
        count = int(40 + 110 * random() ** 2)
        fixed = pull * fame - ((years - era) / width) ** 2 / 2
        unseen = np.ones(num_items, dtype=bool)
        when = _START + int(200 * 86_400 * random())
        for session in range(_SESSIONS):
            drift = session / (_SESSIONS - 1)
            taste = fixed + has @ ((1 - drift) * early + drift * late)
            noise = -np.log(-np.log(np.clip(random(num_items), 1e-12, 1 - 1e-12)))
            size = count * (session + 1) // _SESSIONS - count * session // _SESSIONS
            keys = np.where(unseen, taste + noise, -np.inf)
            chosen = np.argsort(-keys, kind="stable")[:size]
            unseen[chosen] = False
            steps = np.cumsum(3_600 + (6 * 86_400 * random(size)).astype(np.int64))
            users.append(np.full(size, user))
            items.append(chosen)
            times.append(when + steps)
            when = int(times[-1][-1])
    rows = Interactions(np.concatenate(users), np.concatenate(items), np.concatenate(times))
    user_ids = [f"sim-{number:03}" for number in range(1, NUM_USERS + 1)]
    # No user has two interactions at the same time, so the rows decide nothing.
    content = Content(user_ids, catalogue, rows, ties="file order")
    return replace(prepare_content("demo", SOURCE, content, options), simulated=True)


def _genre_taste(random: Callable[..., Any], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight of each genre for one user, shape (genres,)."""
    weights = np.zeros(len(share))
    keys = np.log(share) - np.log(-np.log(random(len(share))))
    liked = np.argsort(-keys)[: 1 + int(3 * random())]
    weights[liked] = 2.5 + 1.5 * random(len(liked))
    disliked = np.argsort(random(len(share)))[: 1 + int(2 * random())]
    weights[disliked] -= 2.0
    return weights
