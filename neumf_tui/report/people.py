"""Three people's lists: one whom the model serves best, one in between, one whom it fails."""

from neumf_tui.errors import NeumfTuiError
from neumf_tui.explore.race import default_pins
from neumf_tui.explore.ranker import Ranker, UserRanking
from neumf_tui.explore.why import explain
from neumf_tui.report.content import Part, Table
from neumf_tui.report.sections import Run
from neumf_tui.runs.events import CUTOFF
from neumf_tui.scorers.scorer import SCORE, CannotError
from neumf_tui.views.moves import signed
from neumf_tui.views.parts import part_name
from neumf_tui.views.person import heldout_rank, ranking_sheet

PEOPLE = 3
TOP = 10
REASONS = 3
LATEST = 5


def people(run: Run) -> list[Part]:
    """Return a part for each of three users, from the best rank to the worst."""
    failures = run.failures
    chosen = default_pins(failures.ranks, PEOPLE)
    if not chosen:
        raise NeumfTuiError(f"no user has a held-out {failures.dataset.noun.singular}")
    ranker = Ranker(run.folder, run.home, str(failures.epoch), failures.dataset)
    first = Part("", ["They have the best rank, one in between, and the worst."])
    return [first, *(_person(ranker, ranker.rank(user)) for user in chosen)]


def _person(ranker: Ranker, ranking: UserRanking) -> Part:
    sheet = ranking_sheet(ranker, ranking, TOP)
    about, noun = sheet.about, ranker.dataset.noun
    catalogue, history = ranker.dataset.catalogue, ranking.person.history
    latest = [catalogue.item_title(item) for item in history[::-1][:LATEST].tolist()]
    held = about["heldout"]
    verdict = "a hit" if held["hit@50"] else "a miss"
    sentences = [
        f"History: {noun.counted(len(history))}. Latest: {'; '.join(latest)}.",
        f"Held out: {catalogue.item_title(int(ranking.items[ranking.heldout]))}, "
        f"{heldout_rank(about)}, {verdict} in Hit@{CUTOFF}.",
        *_reason(ranker, ranking),
    ]
    parts = about["parts"]
    header = ["rank", noun.singular, "year", "score", *map(part_name, parts), ""]
    rows = [
        (
            f"{row['rank']:g}",
            row["title"],
            str(row["year"] or ""),
            signed(row["score_centred"], 2),
            *(signed(row[f"{part}_centred"], 2) for part in parts),
            "★ held out" if row["heldout"] else "",
        )
        for row in sheet.rows
    ]
    caption = f"The first {len(rows)}; scores less their mean over this person's candidates"
    numbers = frozenset((0, 2, *range(3, 4 + len(parts))))
    label = ranking.person.label
    return Part(label[:1].upper() + label[1:], sentences, [Table(caption, header, rows, numbers)])


def _reason(ranker: Ranker, ranking: UserRanking) -> list[str]:
    """Return why the first item stands there, as far as the model can be taken apart."""
    if not ranking.known:
        return []
    try:
        found = explain(ranker, ranking, 0)
    except CannotError:
        return []
    catalogue = ranker.dataset.catalogue
    title = catalogue.item_title(found.item)
    if found.items:
        shares = (f"{catalogue.item_title(i)} ({signed(e, 2)})" for i, e in found.items[:REASONS])
        return [f"Why {title} is first: most comes from {'; '.join(shares)}."]
    if found.factors and found.factors[0].carriers:
        names = "; ".join(catalogue.item_title(i) for i, _ in found.factors[0].carriers)
        whole = "score" if found.part == SCORE else f"{part_name(found.part)} part"
        return [
            f"Why {title} is first: the largest factor of its {whole} "
            f"({signed(found.factors[0].effect, 2)}) is carried by {names}."
        ]
    return []
