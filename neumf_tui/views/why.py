"""Why an item stands where it does for one person, as a sheet."""

from neumf_tui.explore.ranker import Ranker
from neumf_tui.explore.why import Explanation
from neumf_tui.views.person import about_ranking
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import item_keys

COLUMNS = ("factor", "effect", "item_ids", "titles", "effects")


def why_sheet(ranker: Ranker, explanation: Explanation) -> Sheet:
    """Return what `why --json` prints: one row for each GMF factor."""
    ranking, row, dataset = explanation.ranking, explanation.row, ranker.dataset
    titles, ids = dataset.catalogue.titles, dataset.catalogue.item_ids
    score, gmf, mlp = ranking.centred(row)
    about = about_ranking(ranker, ranking) | {
        "film": item_keys(dataset, explanation.item),
        "rank": float(ranking.ranks[row]),
        "score": float(ranking.scores[row]),
        "gmf": float(ranking.gmf[row]),
        "mlp": float(ranking.mlp[row]),
        "score_centred": score,
        "gmf_centred": gmf,
        "mlp_centred": mlp,
        "own": explanation.own if explanation.items else None,
        "films": [
            item_keys(dataset, item) | {"effect": effect} for item, effect in explanation.items
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
        for factor in explanation.factors
    ]
    name = f"{ranking.person.file_stem}-why-{ids[explanation.item]}"
    return Sheet(name, about, "factors", rows, COLUMNS, ("user", "guest"))
