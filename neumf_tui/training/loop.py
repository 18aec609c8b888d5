"""The training loop of a run: steps, evaluations, checkpoints, and the events it writes."""

import math
import time

import numpy as np
import torch
from msgspec.structs import replace
from torch import Tensor

from neumf_tui import __version__, files
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import NeumfTuiError
from neumf_tui.runs import events
from neumf_tui.runs.checkpoint import (
    TrainingProgress,
    checkpoint_epochs,
    checkpoint_name,
    file_name,
    newest_checkpoint,
    set_pointer,
)
from neumf_tui.runs.curve import averaged
from neumf_tui.runs.retention import remove_checkpoints, surplus_checkpoints
from neumf_tui.runs.writer import RunWriter
from neumf_tui.settings import Settings
from neumf_tui.training.distributed.group import Group
from neumf_tui.training.evaluations import Evaluations
from neumf_tui.training.pending_requests import GroupRequests
from neumf_tui.training.trainer import Trainer

FLUSH_SECONDS = 0.25
"""Time between `steps` events: the only place inside an epoch that waits for the GPU."""
CHECK_SECONDS = 0.05
"""Time between checks for requests, and for whether a flush is due."""
HEARTBEAT_SECONDS = 1.0


class Diverged(NeumfTuiError):
    """The loss is no longer a finite number."""


class Stop(Exception):
    """Leave the loop after the current step."""


class Loop:
    """Trains one run to its last epoch, or until it is asked to stop.

    In a group every process runs the same loop, and rank 0 decides when to check for requests and
    what to do then. So all processes take the same steps, and none waits for something that the
    others do not do.
    """

    def __init__(
        self,
        writer: RunWriter,
        dataset: Dataset,
        settings: Settings,
        device: torch.device,
        group: Group | None = None,
    ) -> None:
        self.writer, self.settings, self.device = writer, settings, device
        before = writer.watch()
        self.group = group or Group()
        self.trainer = Trainer(dataset, settings, device, self.group)
        own = self.trainer.pairs.own
        self.evaluations = Evaluations(writer, dataset, settings, device, self.group, own)
        self.requests = GroupRequests(writer, dataset.user_ids, before, self.group)
        self.progress = TrainingProgress()
        self.early_stop = ""
        """Why training ended before its last epoch; empty: it did not."""
        many = self.group.size > 1
        self._device_name = f"{self.group.size} × {device.type}" if many else str(device)
        self._state = "running"
        self._losses: list[Tensor] = []
        self._sizes: list[int] = []
        self._flushed = self._checked = self._beat = 0.0
        """When the last flush, check and heartbeat were; 0: do it after the next step."""
        self._stride, self._steps = 1, 0
        """In a group: steps from one check to the next, and steps since the last check."""

    def run(self, pid: int) -> None:
        """Train from the last checkpoint on.

        Raises Stop when asked to, Diverged, NeumfTuiError, or OSError.
        """
        self._pid = pid
        name, note = self._newest_checkpoint()
        if name := self.group.broadcast(name, str):
            self.progress = self.trainer.load(self.writer.folder / "checkpoints" / name)
            self.evaluations.records.read_tape(self.progress.epoch)
        self.requests.read(self.progress.epoch)  # may change the number of epochs
        self._start()
        if note:
            self._warn(note)
        while self.progress.epoch < self.requests.epochs:
            self._train_epoch()
            epoch = self.progress.epoch
            if epoch % self.settings.eval_every == 0 or epoch == self.requests.epochs:
                self._evaluate(epoch)
                self.checkpoint()
                self.requests.read(epoch + 1)
                if epoch >= self.requests.epochs:
                    return
                if self.requests.stop_reason:
                    raise Stop
                self.early_stop = self.evaluations.stale()
                if self.early_stop:
                    return

    def _newest_checkpoint(self) -> tuple[str, str]:
        """Return the newest whole checkpoint at rank 0, and a note if it is not the newest one."""
        if self.group.rank:
            return "", ""
        opened = newest_checkpoint(self.writer.folder, self.trainer.fingerprint)
        return (opened.path.name, opened.note) if opened else ("", "")

    def _evaluate(self, epoch: int) -> None:
        def report(share: float) -> None:
            self._heartbeat(at_most_every=HEARTBEAT_SECONDS, evaluated=share)

        seconds = self.evaluations.evaluate(self.trainer.scored(epoch), epoch, report)
        seconds += self.progress.evaluate_seconds
        self.progress = replace(self.progress, evaluate_seconds=seconds)

    def _start(self) -> None:
        popularity = self.evaluations.popularity()
        details = gpu = ""
        if self.device.type == "cuda":
            properties = torch.cuda.get_device_properties(self.device)
            # By the UUID, NVML finds the GPU whatever CUDA_VISIBLE_DEVICES is.
            details, gpu = f" {properties.name}", str(properties.uuid)
        elif self.device.type == "cpu":
            details = f" ×{torch.get_num_threads()}"
        self.writer.event(
            events.Started(
                device=self._device_name + details,
                epoch=self.progress.epoch,
                step=self.progress.step,
                steps=self.trainer.steps,
                popularity=popularity["ranks"],
                popularity_validation=popularity.get("validation"),
                versions={
                    "neumf-tui": __version__,
                    "torch": str(torch.__version__),
                    "numpy": np.__version__,
                    "kernels": self.trainer.take_step.library,
                },
                gpu=gpu,
            )
        )
        if skipped := self.trainer.pairs.skipped:
            reason = "their users have every item, so there are no negatives"
            self._warn(f"{skipped:,} training pairs left out: {reason}")
        self._started = time.perf_counter() - self.progress.total_seconds
        self._heartbeat()

    def _warn(self, text: str) -> None:
        self.writer.event(events.Warned(text=text))

    def _train_epoch(self) -> None:
        """Take the steps of one epoch, from where the last checkpoint left off."""
        number, began = self.progress.epoch + 1, time.perf_counter()
        first, before = self.progress.step, self.progress.train_seconds
        self.trainer.planned = self.requests.epochs
        self._checked, self._steps = 0.0, 0  # check for requests after the first step
        for batch in self.trainer.batches(number, first):
            self._losses.append(self.trainer.step(batch))
            self._sizes.append(batch.size * self.trainer.terms)
            if self._is_check_due():
                began += self._check(before + time.perf_counter() - began)
        self._flush()
        seconds = time.perf_counter() - began
        pairs = self.trainer.pairs.total
        done = pairs - min(pairs, first * self.settings.batch_size)
        self.writer.event(
            events.Epoch(
                epoch=number,
                loss=self.progress.loss_sum / (pairs * self.trainer.terms),
                examples_per_second=done / seconds,
                seconds=seconds,
            )
        )
        self.progress = replace(
            self.progress, epoch=number, step=0, loss_sum=0.0, train_seconds=before + seconds
        )
        self._heartbeat()

    def _is_check_due(self) -> bool:
        """Return whether to check now: by the clock, in a group after a fixed number of steps."""
        if self.group.size == 1:
            return time.perf_counter() - self._checked >= CHECK_SECONDS
        self._steps += 1
        return self._steps >= self._stride or not self._checked

    def _check(self, train_seconds: float) -> float:
        """Write what is due, do what is requested, and return the seconds spent paused.

        Raises Stop, Diverged.
        """
        now = time.perf_counter()
        flush = now - self._flushed >= FLUSH_SECONDS
        if self.group.size > 1:
            stride = self._stride
            if self._checked:
                stride = int(self._steps / max(now - self._checked, 1e-9) * CHECK_SECONDS)
            stride = max(1, min(stride, 2 * self._stride))
            flush, self._stride = self.group.broadcast((flush, stride), tuple[bool, int])
        if flush:
            self._flush()
            self._flushed = now
        paused = self._obey(train_seconds)
        self._checked, self._steps = time.perf_counter(), 0
        return paused

    def _flush(self) -> None:
        """Fetch and write the losses since the last flush; raises Diverged if one is not finite."""
        if not self._losses:
            return
        summed = torch.stack(self._losses).cpu().double()
        self.group.all_reduce(summed)
        losses, sizes = summed.numpy(), np.array(self._sizes)
        first = self.progress.epoch * self.trainer.steps + self.progress.step
        self._losses, self._sizes = [], []
        while self.trainer.notes:
            self._warn(self.trainer.notes.pop(0))
        steps, means = averaged(np.arange(first + 1, first + 1 + len(losses)), losses, sizes)
        self.writer.event(events.Steps(steps=steps, losses=means))
        total = self.progress.loss_sum
        # Added one by one, so that the sum does not depend on when flushes happened.
        for step, loss in enumerate(losses.tolist(), self.progress.step + 1):
            total += loss
            if not math.isfinite(loss):
                raise Diverged(
                    f"the loss is {loss} at epoch {self.progress.epoch + 1}, step {step} of "
                    f"{self.trainer.steps}: training has diverged; try a smaller --learning-rate"
                )
        self.progress = replace(self.progress, step=step, loss_sum=total)
        self._heartbeat(at_most_every=HEARTBEAT_SECONDS)

    def _obey(self, train_seconds: float) -> float:
        """Do what requests and signals ask, and return the seconds spent paused; raises Stop."""
        requests = self.requests
        requests.read(self.progress.epoch + 1)
        if not (requests.stop_reason or requests.pause or requests.save):
            return 0.0
        self._flush()
        if self.progress.step == self.trainer.steps and not requests.discard:
            return 0.0  # first finish the epoch: it may evaluate and save
        self.progress = replace(self.progress, train_seconds=train_seconds)
        began = time.perf_counter()
        if requests.pause:
            self._pause()
        if requests.stop_reason:
            if not requests.discard:
                self.checkpoint()
            raise Stop
        self._save_if_asked()
        return time.perf_counter() - began

    def _pause(self) -> None:
        """Wait until asked to continue or to stop; this time does not count as training."""
        self._state = "paused"
        self._heartbeat()  # before the event: who waits for the event reads the status then
        self.writer.event(events.Paused())
        while self.requests.pause and not self.requests.stop_reason:
            self._save_if_asked()
            began = time.perf_counter()
            time.sleep(CHECK_SECONDS)
            self._started += time.perf_counter() - began
            self.requests.read(self.progress.epoch + 1)
            self._heartbeat(at_most_every=HEARTBEAT_SECONDS)
        self._state = "running"
        if not self.requests.stop_reason:
            self._heartbeat()
            self.writer.event(events.Resumed())

    def _save_if_asked(self) -> None:
        if self.requests.save:
            self.requests.save = False
            self.checkpoint()

    def checkpoint(self) -> None:
        """Save the current state; `best` names the epoch with the highest Hit@50 on validation."""
        self.trainer.save(self.writer.folder, self.timed())
        if not self.group.rank:
            self._choose_best_and_prune()
        name, progress = file_name(self.progress), self.progress
        self.writer.event(events.Checkpointed(epoch=progress.epoch, step=progress.step, file=name))
        if not self.group.rank:
            self.writer.watch_disk(files.size(self.writer.folder, f"checkpoints/{name}"))
        self._heartbeat()

    def _choose_best_and_prune(self) -> None:
        folder, epoch = self.writer.folder, self.progress.epoch
        # From the rank tape, so that a kill between a checkpoint and its pointer leaves nothing
        # out of date. Only epochs with a checkpoint: after a damaged one, training continues from
        # one before it, and the best until then may be gone.
        best = self.evaluations.records.best_of(checkpoint_epochs(folder))
        if best is not None:
            set_pointer(folder, "best", checkpoint_name(best))
        if not self.progress.step:
            keep, every = self.settings.keep, self.settings.eval_every
            bests = [] if best is None else [best]
            remove_checkpoints(folder, surplus_checkpoints(folder, keep, every, epoch, bests))

    def timed(self) -> TrainingProgress:
        """Return the progress with the run's time until now, earlier trainers included."""
        return replace(self.progress, total_seconds=time.perf_counter() - self._started)

    def _heartbeat(self, at_most_every: float = 0.0, evaluated: float = 0.0) -> None:
        now = time.monotonic()
        if now - self._beat < at_most_every:
            return
        self._beat = now
        self.writer.status(
            events.Status(
                state=self._state,
                pid=self._pid,
                epoch=self.progress.epoch,
                step=self.progress.step,
                steps=self.trainer.steps,
                evaluated=evaluated,
                epochs=self.requests.epochs,
                device=self._device_name,
            )
        )
