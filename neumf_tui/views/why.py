"""Why an item has its rank for one person, as a sheet and as text."""

from neumf_tui.explore.ranker import Ranker
from neumf_tui.explore.why import Explanation
from neumf_tui.scorers.scorer import SCORE
from neumf_tui.views.beyond import place_text
from neumf_tui.views.moves import signed
from neumf_tui.views.output import column, number, print_line, print_rows
from neumf_tui.views.parts import decimals, part_name
from neumf_tui.views.person import about_ranking, model_line, score_keys
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import item_keys

COLUMNS = ("factor", "effect", "item_ids", "titles", "effects")
SHOWN = 15  # number of history items that are printed one by one


def why_sheet(ranker: Ranker, explanation: Explanation) -> Sheet:
    """Return what `why --json` prints: one row for each factor of the part that has factors."""
    ranking, row, dataset = explanation.ranking, explanation.row, ranker.dataset
    titles, ids = dataset.catalogue.titles, dataset.catalogue.item_ids
    about = about_ranking(ranker, ranking) | {
        "film": item_keys(dataset, explanation.item),
        "rank": float(ranking.ranks[row]),
        "place": place_text(ranking, row),
        **score_keys(ranking, row),
        "parts": list(ranking.parts),
        "part": explanation.part,
        "model": ranker.scorer.what,
        "own": explanation.own if explanation.items else None,
        "films": [item_keys(dataset, item) | {"effect": e} for item, e in explanation.items],
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
    return Sheet(name, about, "factors", rows, COLUMNS, ("user", "guest"), dataset.noun)


def print_why(sheet: Sheet) -> None:
    """Print the sheet of `why_sheet` for people."""
    about = sheet.about
    print_line(f"{model_line(about)}  user {about['user']}")
    rank = f"rank {about['place']} of {about['num_candidates']:,}"
    print_line(f"{about['film']['title']}: {rank}")
    if about["score"] is None:
        print_line("the model has no score of it")
        return
    sums = "".join(
        f" {'+' if place else '='} {part_name(part)} {signed(about[f'{part}_centred'], 3)}"
        for place, part in enumerate(about["parts"])
    )
    means = f"minus the mean{'s' * bool(sums)} over this user's candidates"
    print_line(f"score {signed(about['score_centred'], 3)}{sums}, {means}")
    every = [one["effect"] for one in (*sheet.rows, *about["films"])]
    digits = decimals(max(map(abs, every), default=1.0))
    effect = number("effect", "effect", f"+.{digits}f")
    if not about["part"]:
        print_line(f"{about['model']} does not tell what a score comes from")
        return
    others = [part_name(part) for part in about["parts"] if part != about["part"]]
    unsplit = f"; the {' and '.join(others)} part has no such sum" if others else ""
    whole = "score" if about["part"] == SCORE else f"{part_name(about['part'])} part"
    if not about["films"]:
        print_line(f"the {whole} is exactly the sum of these factors{unsplit}")
        header = f"history {sheet.noun.plural} with the largest share"
        titles = column(header, lambda row: " · ".join(row["titles"]))
        print_rows(sheet.rows, number("factor", "factor"), effect, titles)
        return
    print_line(f"the {whole} is exactly the sum of these effects{unsplit}")
    own = [{"title": "(the user's own vector)", "effect": about["own"]}] if about["own"] else []
    shares = [*own, *about["films"]]
    shares.sort(key=lambda share: -abs(share["effect"]))
    shown, rest = shares[:SHOWN], shares[SHOWN:]
    if rest:
        sum_of_rest = sum(share["effect"] for share in rest)
        shown.append({"title": f"{len(rest)} more together", "effect": sum_of_rest})
    print_rows(shown, effect, column(f"{sheet.noun.singular} of the history", "title"))
