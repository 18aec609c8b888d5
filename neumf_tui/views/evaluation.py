"""The evaluation of a run's checkpoint, as a JSON object and as printed text."""

import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.baselines.differences import differences_from_kept
from neumf_tui.baselines.kept import POPULARITY
from neumf_tui.evaluation.intervals import hit_interval
from neumf_tui.evaluation.sampled import sampled_metrics
from neumf_tui.explore.evaluate import evaluate
from neumf_tui.explore.ranker import Ranker
from neumf_tui.runs.checkpoint import describe_epoch
from neumf_tui.runs.events import MEASURED
from neumf_tui.runs.protocol import protocol_of
from neumf_tui.text import counted
from neumf_tui.views.baselines import METRIC_HEADER, baseline_row, metric_cells
from neumf_tui.views.moves import signed
from neumf_tui.views.output import print_line, print_metrics, print_table, say
from neumf_tui.views.person import model_line
from neumf_tui.views.protocol_facts import protocol_facts
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import run_keys

WARNING = (
    "sampled metrics can put models in another order than the full ranking does, even on average "
    "(Krichene and Rendle 2020, doi:10.1145/3394486.3403226): "
    "only for comparison with papers that sampled"
)
DIFFERENCE = "difference (run − baseline)"
SAMPLED = ("sampled_hr@10", "sampled_ndcg@10")
SHEET_COLUMNS = (
    "model", "settings", *MEASURED, "hit@50_low", "hit@50_high",
    *(f"validation_{name}" for name in MEASURED),
    "difference", "difference_low", "difference_high", *SAMPLED,
)  # fmt: skip


def evaluation_object(ranker: Ranker, negatives: int | None = None) -> dict[str, Any]:
    """Return what `evaluate --json` prints; `negatives` of each user in the sampled evaluation."""
    found = evaluate(ranker)
    validated = ranker.info.has_validation
    validation = evaluate(ranker, validation=True) if validated else None
    sampled = sampled_metrics(found.ranks, found.candidates, negatives) if negatives else None
    return {
        **run_keys(ranker.info),
        "epoch": ranker.epoch,
        "standing": describe_epoch(ranker.folder, ranker.epoch),
        "metrics": found.metrics,
        "hit@50_ci": list(hit_interval(found.ranks)),
        "validation": validation and validation.metrics,
        "popularity": found.popularity,
        "popularity_validation": validation and validation.popularity,
        "num_users": int((~np.isnan(found.ranks)).sum()),
        "protocol": protocol_of(ranker.info),
        "sampled": sampled | {"note": WARNING} if sampled else None,
        "baselines": _baseline_rows(ranker, found.ranks),
    }


def _baseline_rows(ranker: Ranker, ranks: NDArray[np.float32]) -> list[dict[str, Any]]:
    """Return kept baselines, best first, with the run's Hit@50 less theirs and its interval."""
    found, problems = differences_from_kept(ranker.home, ranker.dataset.fingerprint, ranks)
    for problem in problems:
        say(f"warning: {problem}")
    rows = []
    itself = ranker.info.preset if ranker.info.kind == "baseline" else ""
    for result, difference in found:
        if result.name == itself:
            continue
        value, (low, high) = difference or (None, (None, None))
        keys = {"difference": value, "difference_low": low, "difference_high": high}
        rows.append(baseline_row(result) | keys)
    return rows


def evaluation_sheet(result: Mapping[str, Any]) -> Sheet:
    """Return an evaluation object as a table: a row for the run, popularity and each baseline."""
    low, high = result["hit@50_ci"]
    run = {"model": result["run"], "hit@50_low": low, "hit@50_high": high, **result["metrics"]}
    run |= _prefixed("validation_", result["validation"]) | _prefixed("sampled_", result["sampled"])
    baselines = [row | {"model": row["baseline"]} for row in result["baselines"]]
    popularity = {
        "model": POPULARITY,
        **result["popularity"],
        **_prefixed("validation_", result["popularity_validation"]),
    }
    is_kept = any(row["model"] == POPULARITY for row in (run, *baselines))
    columns = SHEET_COLUMNS if result["sampled"] else SHEET_COLUMNS[: -len(SAMPLED)]
    rows = [
        {key: row.get(key) for key in columns}
        for row in (run, *([] if is_kept else [popularity]), *baselines)
    ]
    about = {key: result[key] for key in ("run", "dataset", "simulated", "epoch", "protocol")}
    return Sheet("evaluation", about, "models", rows, columns, ("run", "epoch"))


def _prefixed(prefix: str, values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {prefix + key: value for key, value in (values or {}).items()}


def print_evaluation(result: Mapping[str, Any]) -> None:
    """Print an evaluation object for people."""
    low, high = result["hit@50_ci"]
    print_line(f"{model_line(result)}  {counted(result['num_users'], 'user')}")
    print_metrics(result)
    print_line(f"Hit@50 lies in {low:.4f} to {high:.4f} (95 %, over users)")
    _print_baselines(result)
    if result["sampled"]:
        _print_sampled(result["sampled"], result["metrics"])
    for name, text in protocol_facts(result["protocol"]).items():
        print_line(f"{name}: {text}")


def _print_baselines(result: Mapping[str, Any]) -> None:
    rows = result["baselines"]
    if not rows:
        name = shlex.quote(result["dataset"])
        print_line(
            f"baselines: none kept; `neumf-tui baselines --dataset {name}` computes them "
            "(--data-dir as for train)"
        )
        return
    low, high = result["hit@50_ci"]
    run = {"baseline": result["run"], "hit@50_low": low, "hit@50_high": high} | result["metrics"]
    table = [(row["baseline"], *metric_cells(row), _difference(row)) for row in (run, *rows)]
    columns = (*METRIC_HEADER, DIFFERENCE)
    print_table(("baseline", *columns), table, columns, in_parts=True)
    print_line(
        f"{DIFFERENCE}: 95 % interval of the difference in Hit@50 over the same users "
        "(paired bootstrap)"
    )


def _difference(row: Mapping[str, Any]) -> str:
    if row.get("difference") is None:
        return "–"
    return f"{signed(row['difference_low'], 3)} to {signed(row['difference_high'], 3)}"


def _print_sampled(sampled: Mapping[str, Any], full: Mapping[str, float]) -> None:
    keys = ("hr@10", "ndcg@10")
    hr, ndcg = (f"{sampled[key]:.4f} ± {sampled[f'{key}_draw_sd']:.4f}" for key in keys)
    even, candidates = f"{sampled['even_rank']:,}", f"{sampled['even_candidates']:,}"
    for line in (
        f"sampled: HR@10 {hr}, NDCG@10 {ndcg}; "
        f"full ranking: {full['hit@10']:.4f} and {full['ndcg@10']:.4f}",
        f"  each held-out item ranked among {sampled['negatives']} of its other candidates, "
        "drawn uniformly (He et al. 2017)",
        "  mean over all possible draws ± standard deviation of a single draw, "
        "with the same users and model",
        f"  misleading: a full rank of {even} of {candidates} is still a hit in half of the draws, "
        f"so this HR@10 is nearer to Hit@{even} than to Hit@10",
        f"  {WARNING}",
    ):
        print_line(line)
