"""The text twins of the explore screen: one user's ranking, and a run's metrics."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neumf_tui.baselines.kept import read_kept, read_kept_ranks, row_of
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.evaluation.evaluator import Evaluator
from neumf_tui.evaluation.metrics import hit_interval, metrics_from_ranks
from neumf_tui.evaluation.sampled import print_sampled, sampled_metrics, sampled_object
from neumf_tui.evaluation.statistics import hit_difference_interval
from neumf_tui.explore.ranker import PARTS, Ranker, UserRanking
from neumf_tui.runs.checkpoint import describe_epoch
from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.protocol import protocol_line, protocol_of
from neumf_tui.text import rank_text
from neumf_tui.views.baselines import metric_cells, print_in_parts
from neumf_tui.views.output import print_line, print_metrics, print_sheet, print_table, say
from neumf_tui.views.sheet import Sheet

COLUMNS = (
    "rank", "item_id", "title", "year", "genres", "score", "gmf", "mlp", "score_centred", "gmf_centred", "mlp_centred",
    "seen_by", "heldout",
)  # fmt: skip


def film_keys(dataset: Dataset, item: int) -> dict[str, Any]:
    """How every sheet names a film."""
    catalogue = dataset.catalogue
    return {
        "item_id": catalogue.item_ids[item],
        "title": catalogue.titles[item],
        "year": catalogue.years[item],
    }


def about_ranking(ranker: Ranker, ranking: UserRanking) -> dict[str, Any]:
    """Whom and what a sheet of one person is about; exactly one of `user` and `guest` is not null."""
    who = ranking.person.who
    return {
        "run": ranker.info.name,
        "dataset": ranker.dataset.label,
        "epoch": ranker.epoch,
        "standing": describe_epoch(ranker.folder, ranker.epoch),
        "protocol": protocol_of(ranker.info),
        "user": ranker.dataset.user_ids[who] if isinstance(who, int) else None,
        "guest": None if isinstance(who, int) else who.name,
        "history_size": len(ranking.person.history),
        "num_candidates": len(ranking.items),
        "heldout": _heldout(ranker, ranking),
    }


def model_line(about: Mapping[str, Any]) -> str:
    """Run, dataset and epoch of a sheet of one person, and what chose the epoch."""
    what = f" ({about['standing']})" if about["standing"] else ""
    return f"run {about['run']}  {about['dataset']}  epoch {about['epoch']}{what}"


def _heldout(ranker: Ranker, ranking: UserRanking) -> dict[str, Any] | None:
    if ranking.heldout < 0:
        return None
    rank = ranking.heldout_ranks["score"]
    return film_keys(ranker.dataset, int(ranking.items[ranking.heldout])) | {
        "rank": rank,
        "rank_by_gmf": ranking.heldout_ranks["gmf"],
        "rank_by_mlp": ranking.heldout_ranks["mlp"],
        "score": float(ranking.scores[ranking.heldout]),
        "hit@50": rank <= CUTOFF,
    }


def ranking_sheet(ranker: Ranker, ranking: UserRanking, top: int | None = None) -> Sheet:
    """What `rank --json` prints; the best `top` items, or all candidates."""
    dataset, catalogue = ranker.dataset, ranker.dataset.catalogue
    rows = []
    for row, item in enumerate(ranking.items[:top].tolist()):
        score, gmf, mlp = ranking.centred(row)
        rows.append(
            {
                "rank": float(ranking.ranks[row]),
                "item_id": catalogue.item_ids[item],
                "title": catalogue.titles[item],
                "year": catalogue.years[item],
                "genres": catalogue.genres[item],
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
    means = {
        "score": ranking.gmf_mean + ranking.mlp_mean,
        "gmf": ranking.gmf_mean,
        "mlp": ranking.mlp_mean,
    }
    about = about_ranking(ranker, ranking) | {"by": ranking.by, "means": means}
    name = f"{ranking.person.label.replace(' ', '-')}-ranking"
    stamp = ("dataset", "user") if about["user"] is not None else ("dataset", "guest")
    return Sheet(name, about, "items", rows, COLUMNS, stamp)


def history_sheet(ranker: Ranker, ranking: UserRanking) -> Sheet:
    """The person's history, oldest first; the times are those of the training interactions, Unix seconds, null for a guest."""
    data, person = ranker.dataset, ranking.person
    who = person.who
    times = (
        data.split.times[data.offsets[who] : data.offsets[who + 1]].tolist()
        if isinstance(who, int)
        else [None] * len(person.history)
    )
    rows = [
        film_keys(data, item)
        | {"genres": data.catalogue.genres[item], "time": time, "seen_by": int(data.seen_by[item])}
        for item, time in zip(person.history.tolist(), times, strict=True)
    ]
    columns = ("item_id", "title", "year", "genres", "time", "seen_by")
    stamp = ("dataset", "user" if isinstance(who, int) else "guest")
    return Sheet(
        f"{person.label.replace(' ', '-')}-history",
        about_ranking(ranker, ranking),
        "history",
        rows,
        columns,
        stamp,
    )


def print_ranking(sheet: Sheet, form: str, raw: bool) -> None:
    """Print a person's ranking as `table`, `json` or `csv`; in a table the parts are centred, or `raw`."""
    about = sheet.about
    if not print_sheet(sheet, form):
        return
    whom = f"user {about['user']}" if about["guest"] is None else f"guest {about['guest']}"
    print_line(f"{model_line(about)}  {whom}  {about['history_size']} watched")
    if about["heldout"] is not None:
        print_line(f"protocol: {protocol_line(about['protocol'])}")
    held = about["heldout"]
    if held is not None:
        verdict = "hit" if held["hit@50"] else "miss"
        print_line(
            f"held out: {held['title']}, rank {rank_text(held['rank'])} of {about['num_candidates']:,}, {verdict}@50"
        )
        print_line(
            f"by GMF alone {rank_text(held['rank_by_gmf'])}, by MLP alone {rank_text(held['rank_by_mlp'])}"
        )
    elif about["guest"] is None:
        print_line("nothing held out: a single interaction")
    ordered = {"score": "score", "gmf": "GMF part alone", "mlp": "MLP part alone"}[about["by"]]
    less = "as the model has them" if raw else "each less its mean over this person's candidates"
    print_line(f"ordered by {ordered}; score = gmf + mlp, {less}")
    end = "" if raw else "_centred"
    print_table(
        ("rank", "", "title", "year", "genres", "score", "gmf", "mlp", "seen by"),
        [
            (
                rank_text(row["rank"]),
                "★" if row["heldout"] else "",
                row["title"],
                str(row["year"] or ""),
                "|".join(row["genres"]),
                *(f"{row[key + end]:+.3f}" for key in PARTS),
                f"{row['seen_by']:,}",
            )
            for row in sheet.rows
        ],
        numbers=("rank", "year", "score", "gmf", "mlp", "seen by"),
    )


def evaluation(
    folder: Path, home: Path, which: str | None = None, sampled: int | None = None
) -> dict[str, Any]:
    """What `evaluate --json` prints, computed anew from the checkpoint `which`, as of `Ranker`; `sampled`: how many negatives."""
    ranker = Ranker(folder, home, which)
    evaluator = Evaluator(ranker.dataset, torch.device("cpu"))
    ranks = evaluator.ranks(ranker.model)
    validation = popularity_validation = None
    if ranker.info.settings.get("validation"):
        validator = Evaluator(ranker.dataset, torch.device("cpu"), validation=True)
        # The model as trained: in the settled one the validation items are part of the histories.
        validation = metrics_from_ranks(validator.ranks(ranker.trained), validator.candidates)
        popularity_validation = metrics_from_ranks(
            validator.popularity_ranks(), validator.candidates
        )
    return {
        "run": ranker.info.name,
        "dataset": ranker.dataset.label,
        "epoch": ranker.epoch,
        "standing": describe_epoch(folder, ranker.epoch),
        "metrics": metrics_from_ranks(ranks, evaluator.candidates),
        "hit@50_ci": list(hit_interval(ranks)),
        "validation": validation,
        "popularity": metrics_from_ranks(evaluator.popularity_ranks(), evaluator.candidates),
        "popularity_validation": popularity_validation,
        "num_users": int((~torch.from_numpy(ranks).isnan()).sum()),
        "protocol": protocol_of(ranker.info),
        "sampled": sampled_object(sampled_metrics(ranks, evaluator.candidates, sampled))
        if sampled
        else None,
        "baselines": _baselines_beside(ranker, ranks),
    }


def _baselines_beside(ranker: Ranker, ranks: NDArray[np.float32]) -> list[dict[str, Any]]:
    """Kept baselines, best first, each with Hit@50 of the run less its own and the paired 95 % interval of that."""
    dataset = ranker.dataset
    kept, problems = read_kept(ranker.home, dataset.fingerprint)
    rows = []
    held = ~np.isnan(ranks)
    hits = ranks[held] <= CUTOFF
    for result in kept:
        row = row_of(result) | dict.fromkeys(("difference", "difference_low", "difference_high"))
        try:
            theirs = (
                read_kept_ranks(ranker.home, dataset.fingerprint, result.name, dataset.num_users)[
                    held
                ]
                <= CUTOFF
            )
        except RunError as error:
            problems.append(str(error))
        else:
            won, lost = int((hits & ~theirs).sum()), int((~hits & theirs).sum())
            low, high = hit_difference_interval(won, lost, len(hits) - won - lost)
            row |= {
                "difference": (won - lost) / len(hits),
                "difference_low": low,
                "difference_high": high,
            }
        rows.append(row)
    for problem in problems:
        say(f"warning: {problem}")
    return rows


def print_evaluation(result: dict[str, Any]) -> None:
    low, high = result["hit@50_ci"]
    print_line(f"{model_line(result)}  {result['num_users']:,} users")
    print_metrics(result)
    print(f"Hit@50 lies in {low:.4f} to {high:.4f} (95 %, over users)")
    _print_baselines(result)
    if result["sampled"]:
        print_sampled(result["sampled"], result["metrics"])
    for key, value in result["protocol"].items():
        print(f"{key}: {' to '.join(map(str, value)) if isinstance(value, list) else value}")


def _print_baselines(result: dict[str, Any]) -> None:
    """The run and below it the kept baselines, or how to get some."""
    rows = result["baselines"]
    if not rows:
        name = result["dataset"].removesuffix(" (simulated)")
        print_line(
            f"baselines: none kept; `neumf-tui baselines --dataset {shlex.quote(name)}` computes them (--data-dir as for train)"
        )
        return
    run = {
        "baseline": result["run"],
        "hit@50_low": result["hit@50_ci"][0],
        "hit@50_high": result["hit@50_ci"][1],
    }
    less = "run less it"
    table = [
        (row["baseline"], *metric_cells(row), _difference(row))
        for row in (run | result["metrics"], *rows)
    ]
    print_in_parts((less,), table, (less,))
    print(
        f"{less}: 95 % interval of the difference in Hit@50 over the same users (paired bootstrap)"
    )


def _difference(row: dict[str, Any]) -> str:
    if row.get("difference") is None:
        return "–"
    return f"{row['difference_low']:+.3f} to {row['difference_high']:+.3f}".replace("-", "−")
