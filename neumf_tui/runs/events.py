"""The contents of a run's files: `run.json`, `status.json` and the lines of `events.jsonl`.

A run can come from somebody else, so the types say which values each field can have: whoever
decodes a file has checked it, and no view has to.
"""

import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from neumf_tui.data.nouns import FILM, Noun
from neumf_tui.data.options import DataOptions, SplitName
from neumf_tui.runs.thresholds import Thresholds
from neumf_tui.text import dataset_label

FORMAT = 2
"""The format of `run.json`. Format 1 has no `kind` and no `model`: its runs are trained NeuMFs."""
Kind = Literal["trained", "adopted", "logged", "baseline"]
"""Who made a run: our trainer, `adopt`, a loop of somebody's own, or `baselines --keep`."""
ModelKind = Literal["neumf", "vectors", "item_item", "scores", "top_k", "none"]
"""What the checkpoints of a run hold, for `scorers`; `none`: a run without checkpoints."""
BY_VALIDATION = "validation"
CUTOFF = 50
"""The rank up to which a held-out item is a hit."""
FINAL_STATES = frozenset({"finished", "stopped", "failed", "crashed"})
"""States of a run without a trainer. `crashed` is added by readers, never written."""
METRIC_NAMES = {
    "hit@10": "Hit@10", "hit@50": "Hit@50", "ndcg@10": "NDCG@10", "mrr": "MRR", "auc": "AUC"
}  # fmt: skip
"""What people call the metrics that every evaluation has."""
MEASURED = (*METRIC_NAMES,)
LARGEST = 1e15
"""Numbers beyond it are not written: they stand for a loss that has diverged."""

Time = Annotated[float, msgspec.Meta(ge=-6e10, le=6e10)]
"""Unix seconds of the years 68 to 3871, which every calendar function takes."""
Number = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e10)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
Metrics = dict[str, Number]
StepNumbers = list[Annotated[int, msgspec.Meta(ge=0, le=10**18)]]
Values = list[Number | None]
ScalarName = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_OFFSET = time.time() - time.clock_gettime(_CLOCK)


def now() -> float:
    """Return Unix seconds by a clock that nobody sets while this process runs.

    The difference of two times of one trainer is therefore a duration.
    """
    return _OFFSET + time.clock_gettime(_CLOCK)


def check_metrics(*all_metrics: Mapping[str, float] | None) -> None:
    """Raise ValueError if one of `MEASURED` is missing."""
    for metrics in all_metrics:
        if metrics is not None and (missing := set(MEASURED) - metrics.keys()):
            raise ValueError(f"metrics without {', '.join(sorted(missing))}")


def check_points(steps: Sequence[int], values: Sequence[float | None]) -> None:
    """Raise ValueError unless there is a value for each step and the steps ascend."""
    if len(steps) != len(values):
        raise ValueError(f"{len(steps)} steps and {len(values)} values")
    if any(after <= before for before, after in pairwise(steps)):
        raise ValueError("steps that do not ascend")


class DatasetRef(msgspec.Struct, frozen=True, kw_only=True):
    """The dataset of a run."""

    name: str
    simulated: bool
    fingerprint: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    """SHA-256 of the data; the name of a folder."""
    source: str
    """Where its files were found, for people; `RunInfo.source_in` says whether to look there."""
    num_users: Count
    num_items: Count
    num_train: Annotated[int, msgspec.Meta(ge=0, le=10**15)]
    notices: tuple[str, ...] = ()
    options: DataOptions = DataOptions()
    """How it was read and split."""
    noun: Noun = FILM
    """What an item is called, and several."""

    @property
    def label(self) -> str:
        return dataset_label(self.name, self.simulated)


class _ShownSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a trained run that viewers compute with."""

    epochs: Positive
    eval_every: Positive
    seed: int
    weight_decay: Number
    validation: bool = False
    exclude_heldout: bool = False
    processes: Positive = 1


class _ShownProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the protocol that viewers compute with."""

    num_candidates: tuple[Count, Count] | None = None
    exclude_heldout: bool = False
    chosen_by: str = ""
    split_name: SplitName = "latest"
    cut: str | None = None
    tied_share: Share | None = None
    filters: str = "none"


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """`run.json`: written once, before the trainer starts."""

    name: str
    created: Time
    """Unix seconds."""
    preset: str
    settings: dict[str, Any]
    """The Settings of a trained run, as a dict so that older viewers can read newer runs; of other
    runs whatever their makers wanted to be shown."""
    dataset: DatasetRef
    home: str
    """The home of the run when it was made, for people: the run may have been moved since."""
    protocol: dict[str, Any]
    host: str
    versions: dict[str, str]
    pins: tuple[str, ...] = ()
    """Ids of users pinned before the start."""
    job: str = ""
    """Id and command of the torchrun job that created the run; empty without torchrun."""
    kind: Kind = "trained"
    model: ModelKind = "neumf"
    planned: Count = 0
    """Epochs that a run other than a trained one is meant to have; 0 if nobody knows."""
    alarms: Thresholds = Thresholds()
    """What raises an alarm in this run, by the config of whoever started it."""
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.is_trained:
            msgspec.convert(self.settings, _ShownSettings)
        msgspec.convert(self.protocol, _ShownProtocol)

    @property
    def is_trained(self) -> bool:
        """Whether our trainer made the run, so that `settings` are Settings."""
        return self.kind == "trained"

    @property
    def epochs(self) -> int:
        """Epochs planned at first, 0 if unknown; a run can be extended, see `Snapshot.planned`."""
        return int(self.settings["epochs"]) if self.is_trained else self.planned

    @property
    def eval_every(self) -> int:
        """Epochs from one evaluation to the next."""
        return int(self.settings["eval_every"]) if self.is_trained else 1

    @property
    def processes(self) -> int:
        """Processes that train the run."""
        return int(self.settings.get("processes", 1)) if self.is_trained else 1

    @property
    def has_validation(self) -> bool:
        """Whether the best epoch is chosen by validation items."""
        if self.is_trained:
            return bool(self.settings.get("validation"))
        return self.protocol.get("chosen_by") == BY_VALIDATION

    def source_in(self, home: Path) -> str:
        """Return where the original files of the dataset are looked for beside the usual places.

        Nowhere for a run that another home has made: its paths may be a stranger's.
        """
        return self.dataset.source if self.home == str(home) else ""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """`status.json`: replaced at each change, and about once a second as a sign of life."""

    state: str
    """starting, running, paused, finished, stopped or failed."""
    pid: Count
    epoch: Count = 0
    """Whole epochs done."""
    step: Count = 0
    """Steps done of the current epoch."""
    steps: Count = 0
    """Steps of an epoch."""
    evaluated: Share = 0.0
    """Share of the users ranked by the current evaluation; 0 if there is none, or it is short."""
    epochs: Count = 0
    """Epochs planned; 0 before the trainer knows."""
    t: Time = 0.0
    """Unix seconds by `now` at which this was written."""
    device: str = ""
    reason: str = ""
    """Why the run ended, for people."""
    exit_code: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    host: str = ""
    """The machine of the trainer; empty in runs of older versions, as the next one."""
    process: str = ""
    """When the process `pid` started, and its command: it can end, and another get its number."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One line of `events.jsonl`."""

    t: Time = msgspec.field(default_factory=now)
    """Unix seconds by `now`."""


class Started(Event, frozen=True, kw_only=True, tag="started"):
    """The trainer starts or resumes at `epoch` and `step`: what was reported after them is void."""

    device: str
    epoch: Count
    step: Count
    steps: Count
    """Steps of an epoch; 0 if nobody knows, as of a loop that is not ours."""
    popularity: Metrics | None = None
    """Metrics of ranking by popularity alone; None where nothing is held out."""
    popularity_validation: Metrics | None = None
    versions: dict[str, str] = {}
    gpu: str = ""
    """UUID of the CUDA device."""

    def __post_init__(self) -> None:
        check_metrics(self.popularity, self.popularity_validation)


class Steps(Event, frozen=True, kw_only=True, tag="steps"):
    """Losses of the latest steps, as a few points; written at most four times a second."""

    steps: StepNumbers
    """Last step of each point, counted from the start of the run; ascending."""
    losses: Values
    """Mean loss per training pair over the steps of each point; None if it is not finite."""

    def __post_init__(self) -> None:
        check_points(self.steps, self.losses)


class Scalars(Event, frozen=True, kw_only=True, tag="scalars"):
    """Values that somebody's own loop has logged beside the loss, as a few points each."""

    curves: dict[ScalarName, tuple[StepNumbers, Values]]
    """Steps and mean values by name, as in `Steps`."""

    def __post_init__(self) -> None:
        for steps, values in self.curves.values():
            check_points(steps, values)


class Epoch(Event, frozen=True, kw_only=True, tag="epoch"):
    """An epoch is done."""

    epoch: Count
    loss: Number
    """Mean loss per training pair."""
    examples_per_second: Number = 0.0
    """0 if nobody knows, as of a loop that is not ours."""
    seconds: Seconds


class Quality(NamedTuple):
    """What decides which of several epochs or settings is the best, in this order."""

    hits: float
    """Hit@50."""
    auc: float
    """It decides where Hit@50 is equal, as it always is with 50 candidates or fewer."""


class Evaluated(Event, frozen=True, kw_only=True, tag="evaluated", omit_defaults=True):
    """Every held-out item was ranked."""

    epoch: Count
    metrics: Metrics
    interval: tuple[Number, Number]
    """95 % confidence interval of Hit@50."""
    seconds: Seconds
    validation: Metrics | None = None
    """Metrics of the validation items, which choose the best epoch; None without validation."""
    entered: Count = 0
    """Users whose held-out item entered the top 50 since the previous evaluation."""
    left: Count = 0
    cohorts: dict[ScalarName, tuple[Count, Count]] = {}
    """Users with a hit and all users of each cohort; empty unless an alarm depends on them."""
    coverage: Share | None = None
    """Share of the items in the top 50 of any user of a sample; None as for `cohorts`."""

    def __post_init__(self) -> None:
        check_metrics(self.metrics, self.validation)

    @property
    def quality(self) -> Quality:
        """By the validation items, or without validation by the held-out items."""
        return quality_of(self.validation or self.metrics)


def quality_of(metrics: Metrics) -> Quality:
    return Quality(metrics["hit@50"], metrics["auc"])


class Checkpointed(Event, frozen=True, kw_only=True, tag="checkpoint"):
    """A checkpoint is on disk."""

    epoch: Count
    step: Count
    file: str


class Requested(Event, frozen=True, kw_only=True, tag="request"):
    """The trainer took a request."""

    what: str
    argument: str = ""


class Paused(Event, frozen=True, kw_only=True, tag="paused"):
    """The trainer waits between two steps."""


class Resumed(Event, frozen=True, kw_only=True, tag="resumed"):
    """The trainer continues."""


class Extended(Event, frozen=True, kw_only=True, tag="extended"):
    """The run now has this many epochs."""

    epochs: Positive


class Pinned(Event, frozen=True, kw_only=True, tag="pinned"):
    """All users whose held-out items are followed; replaces the previous list."""

    users: list[str]
    """User ids of the dataset."""


class Warned(Event, frozen=True, kw_only=True, tag="warning"):
    """Something a person should know; training continues."""

    text: str


class Alarm(Event, frozen=True, kw_only=True, tag="alarm"):
    """Something is wrong with the training, and holds until it is over."""

    alarm: ScalarName
    """Its name, as in `runs.alarms`."""
    text: str


class AlarmOver(Event, frozen=True, kw_only=True, tag="alarm-over"):
    """An alarm does not hold any more."""

    alarm: ScalarName


class Finished(Event, frozen=True, kw_only=True, tag="finished"):
    """The trainer ends."""

    state: str
    reason: str
    train_seconds: Seconds = 0.0
    """Seconds of training steps, including those before a resume, as in the next two."""
    evaluate_seconds: Seconds = 0.0
    total_seconds: Seconds = 0.0
    """Training, evaluation and writing, without start-up."""


class Damaged(Event, frozen=True, kw_only=True, tag="damaged"):
    """A line that cannot be read; added by readers, never written."""

    text: str


Written = (
    Started | Steps | Scalars | Epoch | Evaluated | Checkpointed | Requested | Paused | Resumed
    | Extended | Pinned | Warned | Alarm | AlarmOver | Finished
)  # fmt: skip
AnyEvent = Written | Damaged
