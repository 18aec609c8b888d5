"""One person's ranking and history, as sheets and as printed text."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from neumf_tui.explore.guests import Guest
from neumf_tui.explore.ranker import Ranker, UserRanking
from neumf_tui.runs.checkpoint import describe_epoch
from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.protocol import protocol_line, why_nothing_held_out
from neumf_tui.scorers.scorer import SCORE
from neumf_tui.text import rank_text
from neumf_tui.views.beyond import beyond_text
from neumf_tui.views.output import column, number, print_line, print_rows, year_and_genres
from neumf_tui.views.parts import order_name, part_name
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import item_keys, model_keys, run_line, who_keys, who_stamp


def about_ranking(ranker: Ranker, ranking: UserRanking) -> dict[str, Any]:
    """Return the keys that say which model and person a sheet is about."""
    return {
        **model_keys(ranker.info, ranker.epoch),
        "standing": describe_epoch(ranker.folder, ranker.epoch),
        **who_keys(ranker.dataset, ranking.person.who),
        "history_size": len(ranking.person.history),
        "num_candidates": len(ranking.items),
        "heldout": _heldout(ranker, ranking),
    }


def model_line(about: Mapping[str, Any]) -> str:
    """Return run, dataset and epoch of a sheet of one person, and what chose the epoch."""
    what = f" ({about['standing']})" if about["standing"] else ""
    return f"{run_line(about)}  epoch {about['epoch']}{what}"


def _heldout(ranker: Ranker, ranking: UserRanking) -> dict[str, Any] | None:
    if ranking.heldout < 0:
        return None
    rank = ranking.heldout_ranks[SCORE]
    return item_keys(ranker.dataset, int(ranking.items[ranking.heldout])) | {
        "rank": rank,
        **{f"rank_by_{part}": ranking.heldout_ranks[part] for part in ranking.parts},
        "score": finite(float(ranking.scores[ranking.heldout])),
        "hit@50": rank <= CUTOFF,
        **({} if ranking.known == len(ranking.items) else {"beyond": _beyond(ranking)}),
    }


def _beyond(ranking: UserRanking) -> int | None:
    """Return the length of the list that does not have the held-out item; None if it has it."""
    return ranking.known if ranking.heldout >= ranking.known else None


def heldout_rank(about: Mapping[str, Any]) -> str:
    """Return the held-out item's rank in a sheet of one person as text."""
    held = about["heldout"]
    beyond = held.get("beyond")
    rank = rank_text(held["rank"]) if beyond is None else beyond_text(beyond)
    return f"rank {rank} of {about['num_candidates']:,}"


def finite(value: float) -> float | None:
    """Return None for a score that the model does not have: JSON has no infinity."""
    return value if math.isfinite(value) else None


def ranking_sheet(ranker: Ranker, ranking: UserRanking, top: int | None = None) -> Sheet:
    """Return what `rank --json` prints: one row for each of the best `top` items, or for all."""
    dataset, person = ranker.dataset, ranking.person
    rows = []
    for row, item in enumerate(ranking.items[: ranking.known][:top].tolist()):
        rows.append(
            {
                "rank": float(ranking.ranks[row]),
                **item_keys(dataset, item),
                "genres": dataset.catalogue.genres[item],
                **score_keys(ranking, row),
                "seen_by": int(dataset.seen_by[item]),
                "heldout": row == ranking.heldout,
            }
        )
    means = {SCORE: sum(ranking.means[part] for part in ranking.parts)} if ranking.parts else {}
    about = about_ranking(ranker, ranking) | {
        "by": ranking.by,
        "means": {**ranking.means, **means},
        "parts": list(ranking.parts),
        "known_items": ranking.known,
    }
    names = (SCORE, *ranking.parts)
    columns = (
        *("rank", "item_id", "title", "year", "genres", *names),
        *(f"{name}_centred" for name in names),
        *("seen_by", "heldout"),
    )
    stamp = (who_stamp(person.who),)
    name = f"{person.file_stem}-ranking"
    return Sheet(name, about, "items", rows, columns, stamp, dataset.noun)


def score_keys(ranking: UserRanking, row: int) -> dict[str, float | None]:
    """Return the score of the item at `row` and its parts, as they are and centred."""
    values = {SCORE: ranking.scores, **ranking.parts}
    return {
        **{name: finite(float(value[row])) for name, value in values.items()},
        **{f"{name}_centred": finite(value) for name, value in ranking.centred(row).items()},
    }


def guest_sheet(ranker: Ranker, ranking: UserRanking, top: int | None = None) -> Sheet:
    """Return what `recommend --json` prints: a guest's ranking with `likes` and `seed`."""
    who = ranking.person.who
    assert isinstance(who, Guest)
    sheet = ranking_sheet(ranker, ranking, top)
    likes = [item_keys(ranker.dataset, item) for item in ranking.person.history.tolist()]
    return replace(sheet, about=sheet.about | {"likes": likes, "seed": who.seed})


def history_sheet(ranker: Ranker, ranking: UserRanking) -> Sheet:
    """Return one row for each item of the history, oldest first; `time`: Unix seconds or None."""
    data, person = ranker.dataset, ranking.person
    times: list[int | None] = [None] * len(person.history)
    if isinstance(person.who, int) and data.facts.has_times:
        pairs = slice(data.offsets[person.who], data.offsets[person.who + 1])
        times = data.split.times[pairs].tolist()
    rows = [
        item_keys(data, item)
        | {"genres": data.catalogue.genres[item], "time": time, "seen_by": int(data.seen_by[item])}
        for item, time in zip(person.history.tolist(), times, strict=True)
    ]
    columns = ("item_id", "title", "year", "genres", "time", "seen_by")
    stamp, name = (who_stamp(person.who),), f"{person.file_stem}-history"
    about = about_ranking(ranker, ranking)
    return Sheet(name, about, "history", rows, columns, stamp, data.noun)


def print_ranking(sheet: Sheet, raw: bool) -> None:
    """Print a person's ranking for people, with centred or `raw` parts of the scores."""
    about, held = sheet.about, sheet.about["heldout"]
    whom = f"user {about['user']}" if about["guest"] is None else f"guest {about['guest']}"
    history = sheet.noun.in_history(about["history_size"])
    print_line(f"{model_line(about)}  {whom}  {history}")
    if held is not None:
        print_line(f"protocol: {protocol_line(about['protocol'])}")
        verdict = "hit" if held["hit@50"] else "miss"
        print_line(f"held out: {held['title']}, {heldout_rank(about)}, {verdict}@50")
        alone = (
            f"by {part_name(part)} alone {rank_text(held[f'rank_by_{part}'])}"
            for part in about["parts"]
        )
        if len(about["parts"]) > 1:
            print_line(f"rank {', '.join(alone)}")
    elif about["guest"] is None:
        print_line(f"nothing held out: {why_nothing_held_out(about['protocol'])}")
    values = "raw values" if raw else "each minus its mean over this person's candidates"
    sums = f"score = {' + '.join(about['parts'])}" if about["parts"] else "the score is one number"
    print_line(f"ordered by {order_name(about['by'])}; {sums}, {values}")
    if (rest := about["num_candidates"] - about["known_items"]) > 0:
        unknown = sheet.noun.counted(rest)
        print_line(f"beyond {about['known_items']:,}: {unknown} without a score")
    end = "" if raw else "_centred"
    print_rows(
        sheet.rows,
        number("rank", "rank", rank_text),
        column("", lambda row: "★" if row["heldout"] else ""),
        column("title", "title"),
        *year_and_genres(),
        *(number(key, key + end, "+.3f") for key in (SCORE, *about["parts"])),
        number("seen by", "seen_by"),
    )
