"""What the page says of a run: protocol, curves, baselines, cohorts, and whom it fails."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from neumf_tui.baselines.differences import differences_from_kept
from neumf_tui.errors import NeumfTuiError, RunError, UsageError
from neumf_tui.evaluation.intervals import Interval
from neumf_tui.explore.cohorts import SMALL, Cohort, make_cohorts
from neumf_tui.explore.failures import Failures, failures_at
from neumf_tui.explore.users import Users, load_users
from neumf_tui.figures.cohorts import picture_of_cohorts
from neumf_tui.figures.curves import curves_picture
from neumf_tui.figures.picture import Picture, save_picture
from neumf_tui.report.content import Drawing, Figure, Part, Table
from neumf_tui.runs.checkpoint import find_rank_epoch
from neumf_tui.runs.events import CUTOFF, Evaluated, RunInfo, Status
from neumf_tui.runs.protocol import is_optimistic, protocol_of
from neumf_tui.runs.reader import read_info, read_snapshot, read_status
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.text import clock
from neumf_tui.views.baselines import METRIC_HEADER, baseline_row, metric_cells
from neumf_tui.views.failures import SORTS, cohort_cells, summary_text, user_cells
from neumf_tui.views.model_label import model_label
from neumf_tui.views.moves import signed

PICTURE_WIDTH = 5.2
"""Inches: on a phone its text is still 6 points high."""
MOST_ROWS = 10
_PROTOCOL = {
    "split": "Held out",
    "cut": "Cut",
    "validation_cut": "Cut of the validation items",
    "equal_times": "Equal times",
    "tied_heldout": "Held-out items with an equal time beside them",
    "future": "Later interactions",
    "filters": "Filters",
    "candidates": "Candidates",
    "num_candidates": "Number of candidates",
    "ties": "Rank",
    "beyond": "Beyond the lists",
    "negatives": "Negatives in training",
    "validation": "Validation",
    "chosen_by": "Epoch chosen by",
    "seed": "Seed",
}
"""Names of what a protocol says, in this order; the rest repeats some of it."""


@dataclass(frozen=True, eq=False)
class Run:
    """A run that has been read; its dataset and ranks are read when they are asked for."""

    folder: Path
    home: Path
    info: RunInfo
    status: Status
    snapshot: Snapshot

    @cached_property
    def users(self) -> Users:
        return load_users(self.folder, self.home)

    @cached_property
    def failures(self) -> Failures:
        """Every user after the epoch that `explore` opens, too."""
        return failures_at(self.users, find_rank_epoch(self.folder, None))

    @property
    def reported(self) -> Evaluated | None:
        return self.snapshot.reported


def open_run(folder: Path, home: Path) -> Run:
    """Read a run; raises RunError."""
    status = read_status(folder)  # before the events: a final state then has them all
    return Run(folder, home, read_info(folder), status, read_snapshot(folder))


def lead(run: Run) -> list[str]:
    """Return what the run is, and what the figures below it mean."""
    info, status, noun = run.info, run.status, run.info.dataset.noun
    data = info.dataset
    planned = run.snapshot.planned or info.epochs
    progress = ""
    if info.kind in ("trained", "logged"):
        of = f" of {planned}" if planned else ""
        reason = f": {status.reason}" if status.reason else ""
        progress = f" The run is {status.state} after epoch {status.epoch}{of}{reason}."
    lines = [
        f"A recommender ({model_label(info)}) on the dataset {data.label}: "
        f"{data.num_users:,} users, {noun.counted(data.num_items)}, {data.num_train:,} "
        f"interactions to learn from.{progress}"
    ]
    if data.simulated:
        lines.append("The dataset is simulated: it shows how the program works, not people.")
    if run.reported is None:
        return [*lines, "Nothing has been evaluated yet, so there are no figures."]
    lines.append(
        f"Of each user one {noun.singular} is held out. The model ranks it among every "
        f"{noun.singular} that the user does not have in the history. Hit@{CUTOFF} is the share "
        f"of users whose held-out {noun.singular} is among the first {CUTOFF}. AUC is the mean "
        "share of the other candidates that stand below it: 1 is perfect, 0.5 is chance."
    )
    return lines


def figures(run: Run) -> list[Figure]:
    """Return the reported metrics with what they have to be compared with."""
    found, started = run.reported, run.snapshot.started
    if found is None:
        return []
    low, high = found.interval
    which = "best by validation" if found.validation else "the last evaluated"
    is_only = len(run.snapshot.evaluations) == 1
    shown = [
        Figure(f"{found.metrics['hit@50']:.3f} ± {(high - low) / 2:.3f}", "Hit@50"),
        Figure(f"{found.metrics['auc']:.3f}", "AUC"),
    ]
    if not is_only:
        shown.append(Figure(str(found.epoch), f"epoch of these figures, {which}"))
    if started and started.popularity:
        shown.insert(1, Figure(f"{started.popularity['hit@50']:.3f}", "Hit@50 of popularity alone"))
    if found.validation:
        value = f"{found.validation['hit@50']:.3f}"
        shown.append(Figure(value, "Hit@50 of the validation items"))
    seconds = run.snapshot.seconds(run.status)
    if seconds >= 1:
        shown.append(Figure(clock(seconds), "training time"))
    return shown


def protocol(run: Run) -> list[Part]:
    """Return the protocol as a table, and what it means for the figures."""
    about = protocol_of(run.info)
    names = _PROTOCOL | ({"chosen_by": "Settings chosen by"} if "chosen" in about else {})
    rows = [
        (name, _value_text(about[key]))
        for key, name in names.items()
        if about.get(key) not in (None, "")
    ]
    sentences = [
        "± is half the width of a 95 % interval over users: with other users the figure would "
        "differ by about so much. It does not say how much another seed would change.",
    ]
    if is_optimistic(about):
        sentences.append(
            f"Hit@{CUTOFF} is optimistic here: held-out items are never drawn as negatives, so "
            "training never lowers their scores."
        )
    return [Part("", sentences, [Table("Protocol", ("what", "how"), rows)])]


def settings(run: Run) -> list[Part]:
    """Return the settings of the run; raises RunError where there are none."""
    rows = [(name, _value_text(value)) for name, value in run.info.settings.items()]
    if not rows:
        raise RunError("the run has no settings")
    return [Part("", [], [Table("Settings", ("setting", "value"), rows)])]


def _value_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return (" to " if len(value) == 2 else ", ").join(map(_value_text, value))
    return f"{value:,}" if type(value) is int else str(value)


def drawn(picture: Callable[[], Picture]) -> tuple[list[str], list[Table | Drawing]]:
    """Return a picture for the page, or else a sentence that says why there is none."""
    file = io.BytesIO()
    try:
        found = picture()
        save_picture(found, file, "svg", PICTURE_WIDTH, found.height * 1.15)
    except UsageError as error:  # matplotlib is not installed
        return [f"The picture is left out: {error}."], []
    data = base64.b64encode(file.getvalue()).decode()
    return [], [Drawing(f"data:image/svg+xml;base64,{data}", found.caption)]


def curves(run: Run) -> list[Part]:
    """Return loss and metrics over the epochs, as a picture and as a short table.

    Raises RunError for a model that was evaluated once.
    """
    if max(len(run.snapshot.evaluations), len(run.snapshot.epochs)) == 1:
        raise RunError("the model was evaluated once, so there are no curves")
    problems, shown = drawn(lambda: curves_picture([run.folder], run.home))
    found = run.snapshot.evaluations
    sentences = [
        "The loss is what training lowers. The other curves are computed after each evaluation, "
        "from the ranks of all users' held-out items."
    ]
    if found:
        shown = [*shown, _epochs_table(run)]
    return [Part("", [*sentences, *problems], shown)]


def _epochs_table(run: Run) -> Table:
    found = run.snapshot.evaluations
    places = np.linspace(0, len(found) - 1, min(len(found), MOST_ROWS)).round().astype(int)
    kept = {*places.tolist()} | ({found.index(run.reported)} if run.reported else set())
    losses = {epoch.epoch: epoch.loss for epoch in run.snapshot.epochs}
    has_validation = any(one.validation for one in found)
    header = ["epoch", "loss", "Hit@50", "95 %", "AUC", *(["validation"] * has_validation)]
    rows = []
    for place in sorted(kept):
        one = found[place]
        loss = losses.get(one.epoch)
        valid = [f"{one.validation['hit@50']:.4f}" if one.validation else "–"] * has_validation
        rows.append(
            (
                f"{one.epoch}{' (reported)' if one is run.reported else ''}",
                "–" if loss is None else f"{loss:.4f}",
                f"{one.metrics['hit@50']:.4f}",
                _interval(one.interval),
                f"{one.metrics['auc']:.4f}",
                *valid,
            )
        )
    some = f"{len(rows)} of {len(found)} evaluations" if len(rows) < len(found) else "Evaluations"
    return Table(some, header, rows, frozenset(range(1, len(header))))


def _interval(ends: Interval) -> str:
    return "{:.3f} to {:.3f}".format(*ends)


def baselines(run: Run) -> list[Part]:
    """Return the kept baselines beside the run, with intervals of the differences."""
    ranks = run.failures.ranks
    found, problems = differences_from_kept(run.home, run.info.dataset.fingerprint, ranks)
    itself = run.info.preset if run.info.kind == "baseline" else ""
    others = [(result, difference) for result, difference in found if result.name != itself]
    if not others:
        return [
            Part(
                "",
                [
                    "No simpler models have been computed for this dataset; "
                    "`neumf-tui baselines` computes them, and then this page shows them.",
                    *problems,
                ],
            )
        ]
    metrics = run.failures.metrics()
    evaluation = next((e for e in run.snapshot.evaluations if e.epoch == run.failures.epoch), None)
    low, high = metrics["hit@50_ci"]
    rows = []
    if evaluation:
        own = {"hit@50_low": low, "hit@50_high": high} | evaluation.metrics
        rows.append((run.info.name, *metric_cells(own), "–"))
    for result, difference in others:
        text = "–"
        if difference:
            value, (low, high) = difference
            text = f"{signed(value, 3)} ({signed(low, 3)} to {signed(high, 3)})"
        rows.append((result.title, *metric_cells(baseline_row(result)), text))
    sentence = (
        "These models are simpler, and were fitted to the same data and evaluated on the same "
        "held-out items. Their settings were chosen by the validation items. The last column is "
        f"the run's Hit@{CUTOFF} less theirs, with a 95 % interval over the same users: where the "
        "interval holds 0, the difference may be chance."
    )
    header = ("model", *METRIC_HEADER, "run − model")
    numbers = frozenset(range(1, len(header)))
    return [
        Part(
            "", [sentence, *problems], [Table("The run and simpler models", header, rows, numbers)]
        )
    ]


def cohorts(run: Run) -> list[Part]:
    """Return Hit@50 and AUC of groups of users."""
    found = make_cohorts(run.failures)
    problems, shown = drawn(lambda: picture_of_cohorts([run.failures], [found]))
    cells = [cohort_cells(cohort, found[0], 1.0, True) for cohort in found]
    rows = [(row[1] or "all", row[0], *row[2:6], *row[7:9]) for row in cells]
    header = ("by", "", "group", "users", "Hit@50", "95 %", "popularity", "AUC")
    sentence = (
        "Users are grouped by how much they have in the history, and by what is held out. "
        f"▲ and ▼: the whole interval is above or below the Hit@{CUTOFF} of all users. "
        f"A group of fewer than {SMALL} users says little."
    )
    table = Table("Groups of users", header, rows, frozenset(range(3, len(header))))
    return [Part("", [sentence, _extremes_text(found), *problems], [*shown, table])]


def _extremes_text(found: Sequence[Cohort]) -> str:
    known = [cohort for cohort in found[1:] if not cohort.small]
    if not known:
        return f"No group has {SMALL} users."
    best, worst = (choose(known, key=lambda cohort: cohort.hit) for choose in (max, min))
    if best.hit == worst.hit:
        return f"All groups are served alike: Hit@{CUTOFF} is {best.hit:.3f}."
    named = (f"{one.kind} {one.name} ({one.hit:.3f})" for one in (best, worst))
    return "Best served: {}. Worst served: {}.".format(*named)


def failed(run: Run) -> list[Part]:
    """Return the distribution of ranks, and the users with the worst ranks and gains."""
    failures = run.failures
    metrics = failures.metrics()
    if not metrics["num_users"]:
        raise NeumfTuiError(summary_text(failures))
    noun = failures.dataset.noun
    worse = metrics["num_below_popularity"]
    sentences = [
        f"{summary_text(failures)}.",
        f"A user is better off with popularity where a list of the {noun.plural} that most users "
        f"have ranks the held-out {noun.singular} higher than the model does: "
        f"{worse:,} of {metrics['num_users']:,} users.",
    ]
    bins = failures.bins()
    most = max((one.count for one in bins), default=0) or 1
    spread = Table(
        f"Ranks of the held-out {noun.plural}: the first rows, up to {CUTOFF}, are hits",
        ("ranks", "users"),
        [(f"{one.first:,}–{one.last:,}", f"{one.count:,}") for one in bins],
        frozenset((1,)),
        [one.count / most for one in bins],
    )
    return [Part("", sentences, [spread]), *(_worst_part(failures, by) for by in ("rank", "gain"))]


def _worst_part(failures: Failures, by: str) -> Part:
    noun = failures.dataset.noun
    header = ["user", f"held-out {noun.singular}", "rank", "popularity", "gain", noun.of_history]
    users = [
        user for user in failures.order(by).tolist() if failures.ranks[user] == failures.ranks[user]
    ]
    rows = [user_cells(failures, user)[: len(header)] for user in users[:MOST_ROWS]]
    title = noun.fill(SORTS[by])
    return Part(
        title[:1].upper() + title[1:],
        [],
        [Table(f"{len(rows)} users", header, rows, frozenset(range(2, len(header))))],
    )
