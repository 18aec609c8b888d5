"""One person's ranking and history, as sheets and as printed text."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from neumf_tui.explore.guests import Guest
from neumf_tui.explore.ranker import PARTS, Ranker, UserRanking
from neumf_tui.runs.checkpoint import describe_epoch
from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.protocol import protocol_line
from neumf_tui.text import rank_text
from neumf_tui.views.output import column, number, print_line, print_rows
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import item_keys, label_of, model_keys, who_keys, who_stamp


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
    return f"run {about['run']}  {label_of(about)}  epoch {about['epoch']}{what}"


def _heldout(ranker: Ranker, ranking: UserRanking) -> dict[str, Any] | None:
    if ranking.heldout < 0:
        return None
    rank = ranking.heldout_ranks["score"]
    return item_keys(ranker.dataset, int(ranking.items[ranking.heldout])) | {
        "rank": rank,
        "rank_by_gmf": ranking.heldout_ranks["gmf"],
        "rank_by_mlp": ranking.heldout_ranks["mlp"],
        "score": float(ranking.scores[ranking.heldout]),
        "hit@50": rank <= CUTOFF,
    }


def ranking_sheet(ranker: Ranker, ranking: UserRanking, top: int | None = None) -> Sheet:
    """Return what `rank --json` prints: one row for each of the best `top` items, or for all."""
    dataset, person = ranker.dataset, ranking.person
    rows = []
    for row, item in enumerate(ranking.items[:top].tolist()):
        score, gmf, mlp = ranking.centred(row)
        rows.append(
            {
                "rank": float(ranking.ranks[row]),
                **item_keys(dataset, item),
                "genres": dataset.catalogue.genres[item],
                "score": float(ranking.scores[row]),
                "gmf": float(ranking.gmf[row]),
                "mlp": float(ranking.mlp[row]),
                "score_centred": score,
                "gmf_centred": gmf,
                "mlp_centred": mlp,
                "seen_by": int(dataset.seen_by[item]),
                "heldout": row == ranking.heldout,
            }
        )
    gmf_mean, mlp_mean = ranking.gmf_mean, ranking.mlp_mean
    means = {"score": gmf_mean + mlp_mean, "gmf": gmf_mean, "mlp": mlp_mean}
    about = about_ranking(ranker, ranking) | {"by": ranking.by, "means": means}
    stamp = (who_stamp(person.who),)
    return Sheet(f"{person.file_stem}-ranking", about, "items", rows, tuple(rows[0]), stamp)


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
    if isinstance(person.who, int):
        pairs = slice(data.offsets[person.who], data.offsets[person.who + 1])
        times = data.split.times[pairs].tolist()
    rows = [
        item_keys(data, item)
        | {"genres": data.catalogue.genres[item], "time": time, "seen_by": int(data.seen_by[item])}
        for item, time in zip(person.history.tolist(), times, strict=True)
    ]
    columns = ("item_id", "title", "year", "genres", "time", "seen_by")
    stamp, name = (who_stamp(person.who),), f"{person.file_stem}-history"
    return Sheet(name, about_ranking(ranker, ranking), "history", rows, columns, stamp)


def print_ranking(sheet: Sheet, raw: bool) -> None:
    """Print a person's ranking for people, with centred or `raw` parts of the scores."""
    about, held = sheet.about, sheet.about["heldout"]
    whom = f"user {about['user']}" if about["guest"] is None else f"guest {about['guest']}"
    print_line(f"{model_line(about)}  {whom}  {about['history_size']} watched")
    if held is not None:
        print_line(f"protocol: {protocol_line(about['protocol'])}")
        place = f"rank {rank_text(held['rank'])} of {about['num_candidates']:,}"
        print_line(f"held out: {held['title']}, {place}, {'hit' if held['hit@50'] else 'miss'}@50")
        gmf, mlp = (rank_text(held[f"rank_by_{part}"]) for part in ("gmf", "mlp"))
        print_line(f"rank by GMF alone {gmf}, by MLP alone {mlp}")
    elif about["guest"] is None:
        print_line("nothing held out: the user has one interaction")
    ordered = {"score": "score", "gmf": "GMF part alone", "mlp": "MLP part alone"}[about["by"]]
    values = "raw values" if raw else "each minus its mean over this person's candidates"
    print_line(f"ordered by {ordered}; score = gmf + mlp, {values}")
    end = "" if raw else "_centred"
    print_rows(
        sheet.rows,
        number("rank", "rank", rank_text),
        column("", lambda row: "★" if row["heldout"] else ""),
        column("title", "title"),
        number("year", "year", str, none=""),
        column("genres", lambda row: "|".join(row["genres"])),
        *(number(key, key + end, "+.3f") for key in PARTS),
        number("seen by", "seen_by"),
    )
