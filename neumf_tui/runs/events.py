"""What a run's files hold: `run.json`, `status.json` and the lines of `events.jsonl`."""

from typing import Any

import msgspec

FORMAT = 1
CUTOFF = 50
"""The rank up to which a held-out item is a hit."""
FINAL_STATES = frozenset({"finished", "stopped", "failed", "crashed"})
"""States in which nothing more will happen. Readers add `crashed`; the trainer never writes it."""


class DatasetRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which data a run was trained on."""

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
        return f"{self.name} (simulated)" if self.simulated else self.name


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """`run.json`: written once, before the trainer starts."""

    name: str
    created: float
    """Unix seconds."""
    preset: str
    settings: dict[str, Any]
    """The Settings of the run; a plain dict so that old viewers read new runs."""
    dataset: DatasetRef
    home: str
    protocol: dict[str, Any]
    host: str
    versions: dict[str, str]
    pins: tuple[str, ...] = ()
    """Ids of users pinned before the start."""
    job: str = ""
    """The job of torchrun that made the run, by its id and command; empty where torchrun did not."""
    format: int = FORMAT

    @property
    def epochs(self) -> int:
        """As planned at first; a run can be extended, see `Snapshot.planned`."""
        return int(self.settings["epochs"])


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """`status.json`: replaced whole at each change, and as a heartbeat about once a second."""

    state: str
    """starting, running, paused, finished, stopped or failed."""
    pid: int
    epoch: int = 0
    """Whole epochs done."""
    step: int = 0
    """Steps done in the epoch under way."""
    steps: int = 0
    """Steps of an epoch."""
    evaluated: float = 0.0
    """Share of the users whom the evaluation under way has ranked; 0 where there is none, or it takes no second."""
    epochs: int = 0
    """Epochs planned; 0 before the trainer knows."""
    t: float = 0.0
    """Unix seconds when this was written."""
    device: str = ""
    reason: str = ""
    """Why the run ended, for people."""
    exit_code: int = 0


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One line of `events.jsonl`."""

    t: float
    """Unix seconds."""


class Started(Event, frozen=True, kw_only=True, tag="started"):
    """The trainer begins, or begins again at `epoch` + `step`; later figures replace earlier ones from there on."""

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
    """Losses of a stretch of steps, thinned to a few points; written at most four times a second."""

    steps: list[int]
    """Number of the last step behind each point, counted from the start of the run."""
    losses: list[float | None]
    """Mean loss per training pair over the steps behind each point; None where it is not finite."""


class Epoch(Event, frozen=True, kw_only=True, tag="epoch"):
    """An epoch is done."""

    epoch: int
    loss: float
    """Mean per training pair."""
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
    """Metrics of the validation items, which choose the best epoch; None where the run keeps none."""
    entered: int = 0
    """Users whose held-out item came into the top 50 since the evaluation before."""
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
    """It goes on."""


class Extended(Event, frozen=True, kw_only=True, tag="extended"):
    """The run now has this many epochs."""

    epochs: int


class Pinned(Event, frozen=True, kw_only=True, tag="pinned"):
    """The users whose held-out items are followed, all of them; replaces the list before."""

    users: list[str]
    """Ids, as in the dataset."""


class Warned(Event, frozen=True, kw_only=True, tag="warning"):
    """Something a person should know; training goes on."""

    text: str


class Finished(Event, frozen=True, kw_only=True, tag="finished"):
    """The trainer ends."""

    state: str
    reason: str
    train_seconds: float = 0.0
    """Time in training steps over the whole run, earlier stretches included."""
    evaluate_seconds: float = 0.0
    total_seconds: float = 0.0
    """Both, and writing, without start-up."""


AnyEvent = (
    Started
    | Steps
    | Epoch
    | Evaluated
    | Checkpointed
    | Requested
    | Paused
    | Resumed
    | Extended
    | Pinned
    | Warned
    | Finished
)
