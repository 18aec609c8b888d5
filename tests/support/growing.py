"""A run that grows before one's eyes, by an evaluation every half second, without a model or a trainer."""

import itertools
import os
import random
import threading
import time
from pathlib import Path
from typing import Self

import msgspec

from neumf_tui.runs import events
from neumf_tui.runs.writer import RunWriter, create_run
from tests.support.golden import METRICS, POPULARITY, make_info


class Growing:
    """A run in training that grows by two points a second in each of three curves, five with `validation`; a context manager."""

    def __init__(self, home: Path, name: str = "golden", validation: bool = False) -> None:
        info = make_info(name, home, validation=validation)
        self._validation = validation
        self.folder = home / "runs" / name
        create_run(
            self.folder, msgspec.structs.replace(info, settings=info.settings | {"epochs": 200})
        )
        self._writer = RunWriter(self.folder)
        self._random = random.Random(0)
        self._numbers = itertools.count(1)
        self._still = threading.Event()
        self._thread = threading.Thread(target=self._grow, daemon=True)

    def __enter__(self) -> Self:
        self._writer.__enter__()
        begun = time.time() - 100
        self._writer.event(
            events.Started(t=begun, device="cpu", epoch=0, step=0, steps=10, popularity=POPULARITY)
        )
        for k in range(1, 100):
            self._point(begun + k)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()
        self._writer.__exit__()

    def _grow(self) -> None:
        while not self._still.wait(0.5):
            self._point(time.time())

    def _point(self, t: float) -> None:
        k, draw, write = next(self._numbers), self._random, self._writer.event
        loss = 0.69 / (1 + k / 40) + draw.gauss(0, 0.01)
        hit, auc = (
            0.36 - 0.15 / (1 + k / 10) + draw.gauss(0, 0.004),
            0.88 - 0.3 / (1 + k / 5) + draw.gauss(0, 0.002),
        )
        write(
            events.Steps(t=t, steps=[10 * k - 5, 10 * k], losses=[loss + draw.gauss(0, 0.02), loss])
        )
        write(
            events.Epoch(
                t=t, epoch=k, loss=loss, examples_per_second=1.2e6 + draw.gauss(0, 1e5), seconds=0.5
            )
        )
        metrics = METRICS | {"hit@50": hit, "auc": auc}
        counts = {"entered": draw.randrange(40), "left": draw.randrange(40)}
        valid = (
            metrics | {"hit@50": hit + draw.gauss(0.03, 0.004), "auc": auc + 0.02}
            if self._validation
            else None
        )
        write(
            events.Evaluated(
                t=t,
                epoch=k,
                metrics=metrics,
                validation=valid,
                interval=(0.3, 0.4),
                seconds=0.1,
                **counts,
            )
        )
        self.epoch = k
        self._status("running")

    def _status(self, state: str) -> None:
        self._writer.status(
            events.Status(state=state, pid=os.getpid(), epoch=self.epoch, steps=10, device="cpu")
        )

    def rest(self) -> None:
        self._still.set()
        self._thread.join()

    def pause(self) -> None:
        """Stand still, the clock too."""
        self.rest()
        self._writer.event(events.Paused(t=time.time()))
        self._status("paused")

    def finish(self) -> None:
        self.rest()
        self._writer.event(events.Finished(t=time.time(), state="finished", reason=""))
        self._status("finished")
