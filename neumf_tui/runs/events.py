"""The contents of a run's files: `run.json`, `status.json` and the lines of `events.jsonl`."""

import time
from typing import Any

import msgspec

from neumf_tui.text import dataset_label

FORMAT = 1
CUTOFF = 50
"""The rank up to which a held-out item is a hit."""
FINAL_STATES = frozenset({"finished", "stopped", "failed", "crashed"})
"""States of a run without a trainer. `crashed` is added by readers, never written."""


class DatasetRef(msgspec.Struct, frozen=True, kw_only=True):
    """The dataset of a run."""

    name: str
    simulated: bool
    fingerprint: str
    source: str
    num_users: int
    num_items: int
    num_train: int
    notices: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return dataset_label(self.name, self.simulated)


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """`run.json`: written once, before the trainer starts."""

    name: str
    created: float
    """Unix seconds."""
    preset: str
    settings: dict[str, Any]
    """The run's Settings; a dict, so that older viewers can read newer runs."""
    dataset: DatasetRef
    home: str
    protocol: dict[str, Any]
    host: str
    versions: dict[str, str]
    pins: tuple[str, ...] = ()
    """Ids of users pinned before the start."""
    job: str = ""
    """Id and command of the torchrun job that created the run; empty without torchrun."""
    format: int = FORMAT

    @property
    def epochs(self) -> int:
        """Epochs planned at first; a run can be extended, see `Snapshot.planned`."""
        return int(self.settings["epochs"])


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """`status.json`: replaced at each change, and about once a second as a sign of life."""

    state: str
    """starting, running, paused, finished, stopped or failed."""
    pid: int
    epoch: int = 0
    """Whole epochs done."""
    step: int = 0
    """Steps done of the current epoch."""
    steps: int = 0
    """Steps of an epoch."""
    evaluated: float = 0.0
    """Share of the users ranked by the current evaluation; 0 if there is none, or it is short."""
    epochs: int = 0
    """Epochs planned; 0 before the trainer knows."""
    t: float = 0.0
    """Unix seconds at which this was written."""
    device: str = ""
    reason: str = ""
    """Why the run ended, for people."""
    exit_code: int = 0


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One line of `events.jsonl`."""

    t: float = msgspec.field(default_factory=time.time)
    """Unix seconds; without a value, now."""


class Started(Event, frozen=True, kw_only=True, tag="started"):
    """The trainer starts or resumes at `epoch` and `step`: what was reported after them is void."""

    device: str
    epoch: int
    step: int
    steps: int
    popularity: dict[str, float]
    popularity_validation: dict[str, float] | None = None
    versions: dict[str, str] = {}
    gpu: str = ""
    """UUID of the CUDA device."""


class Steps(Event, frozen=True, kw_only=True, tag="steps"):
    """Losses of the latest steps, as a few points; written at most four times a second."""

    steps: list[int]
    """Last step of each point, counted from the start of the run."""
    losses: list[float | None]
    """Mean loss per training pair over the steps of each point; None if it is not finite."""


class Epoch(Event, frozen=True, kw_only=True, tag="epoch"):
    """An epoch is done."""

    epoch: int
    loss: float
    """Mean loss per training pair."""
    examples_per_second: float
    seconds: float


class Evaluated(Event, frozen=True, kw_only=True, tag="evaluated"):
    """Every held-out item was ranked."""

    epoch: int
    metrics: dict[str, float]
    interval: tuple[float, float]
    """95 % confidence interval of Hit@50."""
    seconds: float
    validation: dict[str, float] | None = None
    """Metrics of the validation items, which choose the best epoch; None without validation."""
    entered: int = 0
    """Users whose held-out item entered the top 50 since the previous evaluation."""
    left: int = 0


class Checkpointed(Event, frozen=True, kw_only=True, tag="checkpoint"):
    """A checkpoint is on disk."""

    epoch: int
    step: int
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

    epochs: int


class Pinned(Event, frozen=True, kw_only=True, tag="pinned"):
    """All users whose held-out items are followed; replaces the previous list."""

    users: list[str]
    """User ids of the dataset."""


class Warned(Event, frozen=True, kw_only=True, tag="warning"):
    """Something a person should know; training continues."""

    text: str


class Finished(Event, frozen=True, kw_only=True, tag="finished"):
    """The trainer ends."""

    state: str
    reason: str
    train_seconds: float = 0.0
    """Seconds of training steps, including those before a resume, as in the next two."""
    evaluate_seconds: float = 0.0
    total_seconds: float = 0.0
    """Training, evaluation and writing, without start-up."""


AnyEvent = (
    Started | Steps | Epoch | Evaluated | Checkpointed | Requested | Paused | Resumed | Extended
    | Pinned | Warned | Finished
)  # fmt: skip
