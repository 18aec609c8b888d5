"""The text twins of the explore screen: one user's ranking, and a run's metrics."""

from pathlib import Path
from typing import Any

import torch

from neumf_tui.output import print_csv, print_json, print_table
from neumf_tui.ranking.evaluate import Evaluator
from neumf_tui.ranking.load import Ranker
from neumf_tui.ranking.metrics import hit_interval, metrics_from_ranks
from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import rank_text

COLUMNS = ("rank", "item_id", "title", "year", "genres", "score", "gmf", "mlp", "seen_by", "heldout")


def ranking_object(ranker: Ranker, user_id: str, top: int | None) -> dict[str, Any]:
    """What `rank --json` prints; the best `top` items, or all candidates."""
    dataset, catalogue = ranker.dataset, ranker.dataset.catalogue
    user = ranker.dataset.user_index(user_id)
    ranking = ranker.rank(user)
    rows = [
        {
            "rank": float(ranking.ranks[row]),
            "item_id": catalogue.item_ids[item],
            "title": catalogue.titles[item],
            "year": catalogue.years[item],
            "genres": catalogue.genres[item],
            "score": float(ranking.scores[row]),
            "gmf": float(ranking.gmf[row]),
            "mlp": float(ranking.mlp[row]),
            "seen_by": int(dataset.seen_by[item]),
            "heldout": row == ranking.heldout,
        }
        for row, item in enumerate(ranking.items[:top].tolist())
    ]
    heldout = None
    if (rank := ranking.heldout_rank) is not None:
        item = int(ranking.items[ranking.heldout])
        heldout = {
            "item_id": catalogue.item_ids[item],
            "title": catalogue.titles[item],
            "rank": rank,
            "score": float(ranking.scores[ranking.heldout]),
            "hit@50": rank <= CUTOFF,
        }
    return {
        "run": ranker.info.name,
        "dataset": dataset.label,
        "epoch": ranker.epoch,
        "user": user_id,
        "history_size": len(dataset.history(user)),
        "num_candidates": len(ranking.items),
        "heldout": heldout,
        "items": rows,
    }


def print_ranking(ranker: Ranker, user_id: str, top: int | None, form: str) -> None:
    """Print a user's ranking as `table`, `json` or `csv`."""
    result = ranking_object(ranker, user_id, top)
    if form == "json":
        print_json(result)
        return
    if form == "csv":
        print_csv(
            ("dataset", "user", *COLUMNS),
            [
                (
                    result["dataset"],
                    user_id,
                    *("|".join(row[c]) if c == "genres" else row[c] for c in COLUMNS),
                )
                for row in result["items"]
            ],
        )
        return
    held = result["heldout"]
    print(f"run {result['run']}  {result['dataset']}  epoch {result['epoch']}  user {user_id}  {result['history_size']} watched")
    if held is None:
        print("nothing held out: a single interaction")
    else:
        verdict = "hit" if held["hit@50"] else "miss"
        text = f"held out: {held['title']}, rank {rank_text(held['rank'])} of {result['num_candidates']:,}, {verdict}@50"
        print_table((text,), [])
    print_table(
        ("rank", "", "title", "year", "genres", "score", "gmf", "mlp", "seen by"),
        [
            (
                rank_text(row["rank"]),
                "★" if row["heldout"] else "",
                row["title"],
                str(row["year"] or ""),
                "|".join(row["genres"]),
                f"{row['score']:.3f}",
                f"{row['gmf']:.3f}",
                f"{row['mlp']:.3f}",
                f"{row['seen_by']:,}",
            )
            for row in result["items"]
        ],
        numbers=("rank", "year", "score", "gmf", "mlp", "seen by"),
    )


def evaluation(folder: Path, home: Path) -> dict[str, Any]:
    """What `evaluate --json` prints, computed anew from the newest evaluated checkpoint."""
    ranker = Ranker(folder, home)
    evaluator = Evaluator(ranker.dataset, torch.device("cpu"))
    ranks = evaluator.ranks(ranker.model)
    return {
        "run": ranker.info.name,
        "dataset": ranker.dataset.label,
        "epoch": ranker.epoch,
        "metrics": metrics_from_ranks(ranks, evaluator.candidates),
        "popularity": metrics_from_ranks(evaluator.popularity_ranks(), evaluator.candidates),
        "hit@50_ci": list(hit_interval(ranks)),
        "num_users": int((~torch.from_numpy(ranks).isnan()).sum()),
        "protocol": ranker.info.protocol,
    }


def print_evaluation(result: dict[str, Any]) -> None:
    low, high = result["hit@50_ci"]
    print(f"run {result['run']}  {result['dataset']}  epoch {result['epoch']}  {result['num_users']:,} users")
    print_table(
        ("metric", "model", "popularity"),
        [(key, f"{value:.4f}", f"{result['popularity'][key]:.4f}") for key, value in result["metrics"].items()],
        numbers=("model", "popularity"),
    )
    print(f"Hit@50 lies in {low:.4f} to {high:.4f} (95 %, over users)")
    for key, value in result["protocol"].items():
        print(f"{key}: {value}")
