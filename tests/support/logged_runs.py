"""Runs as a loop of somebody's own writes them, by the program's own writer with fixed values."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from neumf_tui.runs import events
from neumf_tui.runs.protocol import protocol_of_kind
from neumf_tui.runs.writer import RunWriter, create_run
from tests.support.golden_runs import METRICS, POPULARITY, T0, make_info

STEPS = 10
"""Steps between two evaluations, which the run does not tell."""


def make_logged(
    home: Path,
    *,
    name: str = "logged",
    epochs: int = 3,
    planned: int = 0,
    scalars: Sequence[str] = (),
    loss: bool = True,
    popularity: bool = True,
    state: str = "finished",
) -> Path:
    """Write a logged run without a lock and return its folder."""
    info = msgspec.structs.replace(
        make_info(name, home, with_data=True),
        preset="",
        settings={"optimizer": "[bold]SGD[/]", "epochs": "some"},
        protocol=protocol_of_kind("logged", {}, (96, 99)),
        kind="logged",
        model="none",
        planned=planned,
    )
    folder = home / "runs" / name
    create_run(folder, info)
    with RunWriter(folder) as writer:
        known = POPULARITY if popularity else None
        writer.event(
            events.Started(t=T0, device="own loop", epoch=0, step=0, steps=0, popularity=known)
        )
        for epoch in range(1, epochs + 1):
            _write_epoch(writer, epoch, scalars, loss)
        if state != "running":
            writer.event(events.Finished(t=T0 + epochs + 1, state=state, reason=""))
        writer.status(
            events.Status(
                state=state, pid=os.getpid(), epoch=epochs, step=STEPS * epochs, device="own loop"
            )
        )
    return folder


def _write_epoch(writer: RunWriter, epoch: int, scalars: Sequence[str], loss: bool) -> None:
    t, steps = T0 + epoch, list(range(STEPS * (epoch - 1) + 1, STEPS * epoch + 1))
    losses: list[float | None] = [1 / step for step in steps]
    if loss:
        writer.event(events.Steps(t=t, steps=steps, losses=losses))
        writer.event(events.Epoch(t=t, epoch=epoch, loss=1 / epoch, seconds=1))
    if scalars:
        values: list[float | None] = [step * 1e-5 for step in steps[:-1]]
        curves = {name: (steps, [*values, None]) for name in scalars}
        writer.event(events.Scalars(t=t, curves=curves))
    writer.ranks(epoch, np.array([100 - 20 * epoch, 3, 51, 50, np.nan], dtype=np.float32))
    metrics = METRICS | {"hit@50": 0.2 + epoch / 20}
    writer.event(
        events.Evaluated(t=t, epoch=epoch, metrics=metrics, interval=(0.27, 0.34), seconds=0.1)
    )
