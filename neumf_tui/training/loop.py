"""The training loop of a run: steps, evaluations, checkpoints, and what it writes of them."""

import time

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor

from neumf_tui import __version__
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import NeumfTuiError
from neumf_tui.ranking.evaluate import Evaluator
from neumf_tui.ranking.metrics import Metrics, hit_interval, metrics_from_ranks
from neumf_tui.runs import events
from neumf_tui.runs.checkpoint import Progress, file_name, last_checkpoint, point
from neumf_tui.runs.reader import rank_epochs, read_ranks
from neumf_tui.runs.writer import RunWriter
from neumf_tui.settings import Settings
from neumf_tui.training.orders import Orders
from neumf_tui.training.trainer import Trainer

FLUSH_SECONDS = 0.25
"""Time between `steps` events: the only place inside an epoch that waits for the GPU."""
LOOK_SECONDS = 0.05
"""Time between looks for requests."""
HEARTBEAT_SECONDS = 1.0
POINTS = 16
"""Points of a `steps` event; more steps than that are averaged."""


class Diverged(NeumfTuiError):
    """The loss is no longer a finite number."""


class Stop(Exception):
    """Leave the loop after the step under way."""


class Loop:
    """Trains one run to its last epoch, or until it is asked to stop."""

    def __init__(self, writer: RunWriter, dataset: Dataset, settings: Settings, device: torch.device) -> None:
        self.writer = writer
        self.settings = settings
        self.trainer = Trainer(dataset, settings, device)
        self.evaluator = Evaluator(dataset, device)
        self.validator = Evaluator(dataset, device, validation=True) if settings.validation else None
        self.orders = Orders(writer, dataset.user_ids)
        self.progress = Progress()
        self._state = "running"
        self._hits: dict[int, float] = {}
        """Hit@50 of every epoch evaluated, of the validation items where there are any: what `best` goes by."""
        self.early_stop = ""
        """Not empty: training ended before its last epoch, for this reason."""
        self._ranks: NDArray[np.float32] | None = None
        """Of the evaluation before."""
        self._losses: list[Tensor] = []
        self._sizes: list[int] = []
        self._flushed = self._looked = self._beat = 0.0

    def run(self, pid: int) -> None:
        """Train from the last checkpoint on; raises Stop when asked to, Diverged, or OSError."""
        self._pid = pid
        if checkpoint := last_checkpoint(self.writer.folder):
            self.progress = self.trainer.load(checkpoint)
            self._read_tape()
        self.orders.take(self.progress.epoch)  # an extension comes before the first look at how many epochs there are
        self._start()
        while self.progress.epoch < self.orders.epochs:
            self._train_epoch()
            epoch = self.progress.epoch
            if epoch % self.settings.eval_every == 0 or epoch == self.orders.epochs:
                self._evaluate()
                self.checkpoint()
                if self.orders.stop_reason and epoch < self.orders.epochs:
                    raise Stop
                if self._stale():
                    return

    def _stale(self) -> bool:
        """Whether validation has not bettered for as long as `early_stop` allows."""
        patience, best = self.settings.early_stop, self._best()
        if not patience or best is None or self.progress.epoch >= self.orders.epochs:
            return False
        # The fused model has all its patience before it: what GMF and MLP did apart does not count.
        since = sum(epoch > max(best, self.settings.pretrain) for epoch in self._hits)
        if since >= patience:
            self.early_stop = f"early stop: validation Hit@50 has been best at epoch {best}, {since} evaluations ago"
        return bool(self.early_stop)

    def _start(self) -> None:
        popularity = self.evaluator.popularity_ranks()
        self.writer.event(
            events.Started(
                t=time.time(),
                device=self._device_name(),
                epoch=self.progress.epoch,
                step=self.progress.step,
                steps=self.trainer.steps,
                popularity=metrics_from_ranks(popularity, self.evaluator.candidates),
                popularity_validation=self._validation_metrics(self.validator.popularity_ranks()) if self.validator else None,
                versions={"neumf-tui": __version__, "torch": str(torch.__version__), "numpy": np.__version__},
                gpu=self._gpu(),
            )
        )
        if self.trainer.skipped:
            text = f"{self.trainer.skipped:,} training pairs left out: their users have every item, so no negatives"
            self.writer.event(events.Warned(t=time.time(), text=text))
        self._started = time.perf_counter() - self.progress.total_seconds
        self._heartbeat()

    def _device_name(self) -> str:
        device = self.trainer.device
        if device.type == "cuda":
            return f"{device} {torch.cuda.get_device_name(device)}"
        return f"{device} ×{torch.get_num_threads()}" if device.type == "cpu" else str(device)

    def _gpu(self) -> str:
        device = self.trainer.device
        # By its UUID a viewer finds the same device in NVML, whatever CUDA_VISIBLE_DEVICES made of the numbers.
        return str(torch.cuda.get_device_properties(device).uuid) if device.type == "cuda" else ""

    def _train_epoch(self) -> None:
        """The steps of one epoch, from wherever the last checkpoint left it."""
        number, begun = self.progress.epoch + 1, time.perf_counter()
        first, before = self.progress.step, self.progress.train_seconds
        self.trainer.planned = self.orders.epochs
        for batch in self.trainer.batches(number, first):
            self._losses.append(self.trainer.step(batch))
            self._sizes.append(len(batch) * self.trainer.terms)
            now = time.perf_counter()
            if now - self._flushed >= FLUSH_SECONDS:
                self._flush()
                self._flushed = now
            if now - self._looked >= LOOK_SECONDS:
                self._looked = now
                begun += self._obey(before + now - begun)
        self._flush()
        seconds = time.perf_counter() - begun
        pairs = len(self.trainer.users)
        done = pairs - min(pairs, first * self.settings.batch_size)
        self.writer.event(
            events.Epoch(
                t=time.time(),
                epoch=number,
                loss=self.progress.loss_sum / (pairs * self.trainer.terms),
                examples_per_second=done / seconds,
                seconds=seconds,
            )
        )
        self.progress = replace(self.progress, epoch=number, step=0, loss_sum=0.0, train_seconds=before + seconds)
        self._heartbeat()

    def _flush(self) -> None:
        """Fetch the losses since the last flush and write them; raises Diverged at the first that is not finite."""
        if not self._losses:
            return
        losses = torch.stack(self._losses).double().cpu().numpy()
        sizes = np.array(self._sizes)
        first = self.progress.epoch * self.trainer.steps + self.progress.step
        self._losses, self._sizes = [], []
        bad = np.flatnonzero(~np.isfinite(losses))
        groups = np.array_split(np.arange(len(losses)), min(POINTS, len(losses)))
        means = [float(losses[g].sum() / sizes[g].sum()) for g in groups]
        self.writer.event(
            events.Steps(
                t=time.time(),
                steps=[first + int(g[-1]) + 1 for g in groups],
                losses=[mean if np.isfinite(mean) else None for mean in means],
            )
        )
        if len(bad):
            step = self.progress.step + int(bad[0]) + 1
            raise Diverged(
                f"the loss is {losses[bad[0]]} at epoch {self.progress.epoch + 1}, step {step} of {self.trainer.steps}: "
                "training has diverged; try a smaller --learning-rate"
            )
        # Added one by one, so that the sum does not depend on when flushes fell.
        total = self.progress.loss_sum
        for loss in losses.tolist():
            total += loss
        self.progress = replace(self.progress, step=self.progress.step + len(losses), loss_sum=total)
        self._heartbeat(at_most_every=HEARTBEAT_SECONDS)

    def _obey(self, train_seconds: float) -> float:
        """Take requests and signals and do what they ask; the seconds spent paused. Raises Stop."""
        orders = self.orders
        orders.take(self.progress.epoch + 1)
        if not (orders.stop_reason or orders.pause or orders.save):
            return 0.0
        self._flush()
        if self.progress.step == self.trainer.steps and not orders.discard:
            self._looked = 0.0  # the epoch's own end comes first: it may evaluate and save
            return 0.0
        self.progress = replace(self.progress, train_seconds=train_seconds)
        begun = time.perf_counter()
        if orders.pause:
            self._pause()
        if orders.stop_reason:
            if not orders.discard:
                self.checkpoint()
            raise Stop
        self._save_if_asked()
        return time.perf_counter() - begun

    def _pause(self) -> None:
        """Wait until told to go on or to stop; the time does not count as training."""
        self.writer.event(events.Paused(t=time.time()))
        self._state = "paused"
        self._heartbeat()
        while self.orders.pause and not self.orders.stop_reason:
            self._save_if_asked()
            begun = time.perf_counter()
            time.sleep(LOOK_SECONDS)
            self._started += time.perf_counter() - begun
            self.orders.take(self.progress.epoch + 1)
            self._heartbeat(at_most_every=HEARTBEAT_SECONDS)
        self._state = "running"
        if not self.orders.stop_reason:
            self.writer.event(events.Resumed(t=time.time()))
            self._heartbeat()

    def _save_if_asked(self) -> None:
        if self.orders.save:
            self.orders.save = False
            self.checkpoint()

    def _evaluate(self) -> None:
        begun = time.perf_counter()
        epoch = self.progress.epoch
        model = self.trainer.scored(epoch)
        ranks = self.evaluator.ranks(model)
        metrics = metrics_from_ranks(ranks, self.evaluator.candidates)
        deciding, validation = ranks, None
        if self.validator:
            deciding = self.validator.ranks(model)
            validation = self._validation_metrics(deciding)
        seconds = time.perf_counter() - begun
        entered = left = 0
        if self._ranks is not None:
            before, after = self._ranks <= events.CUTOFF, ranks <= events.CUTOFF
            entered, left = int((after & ~before).sum()), int((before & ~after).sum())
        if self.validator:
            self.writer.ranks(epoch, deciding, "validation")
        self.writer.ranks(epoch, ranks)
        self._ranks, self._hits[epoch] = ranks, _hit_rate(deciding)
        self.writer.event(
            events.Evaluated(
                t=time.time(),
                epoch=epoch,
                metrics=metrics,
                validation=validation,
                interval=hit_interval(ranks),
                seconds=seconds,
                entered=entered,
                left=left,
            )
        )
        self.progress = replace(self.progress, evaluate_seconds=self.progress.evaluate_seconds + seconds)

    def checkpoint(self) -> None:
        """Save where the run stands; `best` follows the highest Hit@50 on validation."""
        path = self.trainer.save(self.writer.folder, self.timed())
        self._point_best()
        self.writer.event(events.Checkpointed(t=time.time(), epoch=self.progress.epoch, step=self.progress.step, file=path.name))
        self._heartbeat()

    def _read_tape(self) -> None:
        """Take in what earlier trainers of this run evaluated, up to where this one begins."""
        for epoch in rank_epochs(self.writer.folder):
            if epoch <= self.progress.epoch:
                self._ranks = read_ranks(self.writer.folder, epoch)
                self._hits[epoch] = _hit_rate(
                    read_ranks(self.writer.folder, epoch, "validation") if self.validator else self._ranks
                )

    def _point_best(self) -> None:
        """By the rank tape, so that a kill between a checkpoint and its pointer leaves nothing stale."""
        if (best := self._best()) is not None:
            point(self.writer.folder, "best", file_name(Progress(epoch=best)))

    def _best(self) -> int | None:
        return max(self._hits, key=lambda epoch: (self._hits[epoch], -epoch), default=None)

    def _validation_metrics(self, ranks: NDArray[np.float32]) -> Metrics:
        assert self.validator
        return metrics_from_ranks(ranks, self.validator.candidates)

    def timed(self) -> Progress:
        """Progress with the time the run has taken until now, earlier stretches included."""
        return replace(self.progress, total_seconds=time.perf_counter() - self._started)

    def _heartbeat(self, at_most_every: float = 0.0) -> None:
        now = time.monotonic()
        if now - self._beat >= at_most_every:
            self._beat = now
            self.writer.status(
                events.Status(
                    state=self._state,
                    pid=self._pid,
                    epoch=self.progress.epoch,
                    step=self.progress.step,
                    steps=self.trainer.steps,
                    epochs=self.orders.epochs,
                    device=str(self.trainer.device),
                )
            )


def _hit_rate(ranks: NDArray[np.float32]) -> float:
    """Share of all users with a hit: enough to compare epochs of one run."""
    return float(np.mean(ranks <= events.CUTOFF))
