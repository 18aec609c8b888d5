"""A run that gets an evaluation every half second, without a model or a trainer."""

import itertools
import os
import random
import threading
import time
from pathlib import Path
from typing import Self

import msgspec

from neumf_tui.runs import events
from neumf_tui.runs.protocol import make_protocol
from neumf_tui.runs.writer import RunWriter, create_run
from neumf_tui.settings import make_settings

POPULARITY = {"hit@10": 0.08, "hit@50": 0.21, "ndcg@10": 0.04, "mrr": 0.03, "auc": 0.8}
METRICS = {"hit@10": 0.1, "ndcg@10": 0.05, "mrr": 0.04}
"""Metrics that stay the same while Hit@50 and AUC change."""


def _make_info(name: str, home: Path, validation: bool) -> events.RunInfo:
    changes = {"epochs": 200, "validation": validation, "exclude_heldout": not validation}
    settings = msgspec.to_builtins(make_settings("d2l", changes))
    dataset = events.DatasetRef(
        name="ml-100k",
        simulated=False,
        fingerprint="f" * 64,
        source="here",
        num_users=5,
        num_items=100,
        num_train=400,
    )
    return events.RunInfo(
        name=name,
        created=time.time(),
        preset="d2l",
        settings=settings,
        dataset=dataset,
        home=str(home),
        protocol=make_protocol(settings, (96, 99)),
        host="host",
        versions={},
    )


class GrowingRun:
    """A running run whose curves get two points a second; a context manager.

    It has three curves, and with `validation` five.
    """

    def __init__(self, home: Path, name: str = "growing", validation: bool = False) -> None:
        self._validation = validation
        self.folder = home / "runs" / name
        create_run(self.folder, _make_info(name, home, validation))
        self._writer = RunWriter(self.folder)
        self._random = random.Random(0)
        self._epochs = itertools.count(1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._grow, daemon=True)

    def __enter__(self) -> Self:
        self._writer.__enter__()
        started = time.time() - 100
        self._writer.event(
            events.Started(
                t=started, device="cpu", epoch=0, step=0, steps=10, popularity=POPULARITY
            )
        )
        for k in range(1, 100):
            self._add_epoch(started + k)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._writer.__exit__()

    def _grow(self) -> None:
        while not self._ended.wait(0.5):
            self._add_epoch(time.time())

    def _add_epoch(self, t: float) -> None:
        epoch, noise = next(self._epochs), self._random.gauss
        loss = 0.69 / (1 + epoch / 40) + noise(0, 0.01)
        hit = 0.36 - 0.15 / (1 + epoch / 10) + noise(0, 0.004)
        auc = 0.88 - 0.3 / (1 + epoch / 5) + noise(0, 0.002)
        steps = [10 * epoch - 5, 10 * epoch]
        losses: list[float | None] = [loss + noise(0, 0.02), loss]
        speed = 1.2e6 + noise(0, 1e5)
        validation = {"hit@50": hit + noise(0.03, 0.004), "auc": auc + 0.02}
        self._writer.event(events.Steps(t=t, steps=steps, losses=losses))
        self._writer.event(
            events.Epoch(t=t, epoch=epoch, loss=loss, examples_per_second=speed, seconds=0.5)
        )
        self._writer.event(
            events.Evaluated(
                t=t,
                epoch=epoch,
                metrics=METRICS | {"hit@50": hit, "auc": auc},
                validation=METRICS | validation if self._validation else None,
                interval=(0.3, 0.4),
                seconds=0.1,
                entered=self._random.randrange(40),
                left=self._random.randrange(40),
            )
        )
        self.epoch = epoch
        self._status("running")

    def _status(self, state: str) -> None:
        self._writer.status(
            events.Status(state=state, pid=os.getpid(), epoch=self.epoch, steps=10, device="cpu")
        )

    def stop(self) -> None:
        """Add no more epochs."""
        self._ended.set()
        self._thread.join()

    def pause(self) -> None:
        """Stop, and report the run as paused."""
        self.stop()
        self._writer.event(events.Paused(t=time.time()))
        self._status("paused")

    def finish(self) -> None:
        """Stop, and report the run as finished."""
        self.stop()
        self._writer.event(events.Finished(t=time.time(), state="finished", reason=""))
        self._status("finished")
