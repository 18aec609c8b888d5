"""Why a film stands where it does, as far as the model can be taken apart exactly: the GMF part, factor by factor and, where
users' vectors are sums over their histories, film by film.

The head is linear, so a score is the sum of GMF and MLP part, and the GMF part the sum over factors k of h_k·p_k·q_k (He et al.
2017, equation 9, with h of the fused head). The layers of the MLP mix everything: its part is one number.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neumf_tui.explore.ranker import Ranker, UserRanking, Who
from neumf_tui.views.person import about_ranking, film_keys
from neumf_tui.views.sheet import Sheet

CARRIERS = 3
"""Films of the history named with each factor."""


@dataclass(frozen=True)
class Factor:
    """One coordinate of the GMF embeddings."""

    number: int
    effect: float
    """h_k·p_k·q_k of the film less the mean over the person's candidates; over all factors they sum to the centred GMF part."""
    carriers: tuple[tuple[int, float], ...]
    """Items of the history with the strongest effect of the same sign, and that effect, strongest first."""


@dataclass(frozen=True, eq=False)
class Why:
    """One film for one person."""

    ranking: UserRanking
    row: int
    """Position of the film in `ranking`."""
    factors: tuple[Factor, ...]
    """Strongest effect first."""
    films: tuple[tuple[int, float], ...] = ()
    """Where users' vectors are made of their histories: items, and what each adds to the centred GMF part, strongest first."""
    own: float = 0.0
    """What the user's own vector adds beside them; with the films it sums to the centred GMF part."""

    @property
    def item(self) -> int:
        return int(self.ranking.items[self.row])


def why(ranker: Ranker, ranking: UserRanking, row: int) -> Why:
    """Take the score of the candidate at position `row` of `ranking` apart."""
    person = ranking.person
    weights = ranker.scorer.head_gmf.numpy().astype(np.float64) * person.gmf
    table = ranker.model.item_gmf.weight.numpy()
    mean = table[ranking.items].mean(0, dtype=np.float64)
    effects = weights * (table[ranking.items[row]] - mean)
    carried: NDArray[np.float64] = weights * (table[person.history] - mean)
    factors = []
    for k in np.argsort(-np.abs(effects), kind="stable").tolist():
        sign = 1.0 if effects[k] >= 0 else -1.0
        best = np.argsort(-sign * carried[:, k], kind="stable")[:CARRIERS]
        # A film that pulls the other way does not carry the factor in this direction.
        carriers = tuple(
            (int(person.history[b]), float(carried[b, k])) for b in best if sign * carried[b, k] > 0
        )
        factors.append(Factor(k + 1, float(effects[k]), carriers))
    films, own = _by_film(
        ranker, ranking, ranker.scorer.head_gmf.numpy() * (table[ranking.items[row]] - mean)
    )
    return Why(ranking, row, tuple(factors), films, own)


def _by_film(
    ranker: Ranker, ranking: UserRanking, values: NDArray[np.float64]
) -> tuple[tuple[tuple[int, float], ...], float]:
    if not ranker.by_history:
        return (), 0.0
    from neumf_tui.explore.history_vectors import film_shares

    person = ranking.person
    shares = film_shares(ranker.trained, person.history, values)
    order = np.argsort(-np.abs(shares), kind="stable")
    films = tuple((int(person.history[k]), float(shares[k])) for k in order if shares[k])
    return films, float(person.gmf.astype(np.float64) @ values - shares.sum())


def why_sheet(ranker: Ranker, who: Who, item: int) -> Sheet:
    """What `why --json` prints. `item` is one of the person's candidates."""
    ranking = ranker.rank(who)
    return sheet_of(ranker, why(ranker, ranking, int(np.flatnonzero(ranking.items == item)[0])))


def sheet_of(ranker: Ranker, found: Why) -> Sheet:
    ranking, row = found.ranking, found.row
    titles, ids = ranker.dataset.catalogue.titles, ranker.dataset.catalogue.item_ids
    score, gmf, mlp = ranking.centred(row)
    about = about_ranking(ranker, ranking) | {
        "film": film_keys(ranker.dataset, found.item),
        "rank": float(ranking.ranks[row]),
        "score": float(ranking.scores[row]),
        "gmf": float(ranking.gmf[row]),
        "mlp": float(ranking.mlp[row]),
        "score_centred": score,
        "gmf_centred": gmf,
        "mlp_centred": mlp,
        "own": found.own if found.films else None,
        "films": [
            film_keys(ranker.dataset, item) | {"effect": effect} for item, effect in found.films
        ],
    }
    rows = [
        {
            "factor": factor.number,
            "effect": factor.effect,
            "item_ids": [ids[item] for item, _ in factor.carriers],
            "titles": [titles[item] for item, _ in factor.carriers],
            "effects": [effect for _, effect in factor.carriers],
        }
        for factor in found.factors
    ]
    columns = ("factor", "effect", "item_ids", "titles", "effects")
    name = f"{ranking.person.label.replace(' ', '-')}-why-{ids[found.item]}"
    return Sheet(name, about, "factors", rows, columns, ("dataset", "user", "guest"))
