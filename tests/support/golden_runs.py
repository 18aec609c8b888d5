"""Run directories in every state, written by the trainer's own writer with fixed values."""

from pathlib import Path

import msgspec
import numpy as np

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.prepare import prepare
from neumf_tui.data.prepared import save
from neumf_tui.data.split import Interactions
from neumf_tui.home import datasets_dir
from neumf_tui.runs import events
from neumf_tui.runs.protocol import make_protocol
from neumf_tui.runs.reader import read_status
from neumf_tui.runs.writer import RunWriter, create_run
from neumf_tui.settings import make_settings

T0 = 1_700_000_000.0
METRICS = {"hit@10": 0.1, "hit@50": 0.3, "ndcg@10": 0.05, "mrr": 0.04, "auc": 0.85}
POPULARITY = {"hit@10": 0.08, "hit@50": 0.21, "ndcg@10": 0.04, "mrr": 0.03, "auc": 0.8}
TITLES = [
    "Kolya",
    "七人の侍",
    "[bold]Bold[/]",
    "L.A. Confidential",
    "A title that is much longer than any column of any table is wide",
]


def make_data(home: Path) -> str:
    """Prepare the golden runs' dataset of five users; return its fingerprint.

    The last user has a single interaction, so nothing is held out.
    """
    items = [(user, 5 * user + n) for user in range(4) for n in range(4)]
    items += [(user, 30 + user) for user in range(4)] + [(4, 40)]
    pairs = np.array(items, dtype=np.int64)
    titles = {30 + n: title for n, title in enumerate(TITLES)}
    catalogue = Catalogue(
        [str(n) for n in range(100)],
        [titles.get(n, f"Film {n}") for n in range(100)],
        [1990 + n % 30 for n in range(100)],
        [["Drama"] for _ in range(100)],
    )
    times = np.arange(len(pairs), dtype=np.int64)
    interactions = Interactions(pairs[:, 0], pairs[:, 1], times)
    data = prepare("ml-100k", "here", ["196", "186", "22", "244", "166"], catalogue, interactions)
    save(data, datasets_dir(home) / "prepared")
    return data.fingerprint


def make_info(
    name: str,
    home: Path,
    *,
    simulated: bool = False,
    with_data: bool = False,
    validation: bool = False,
) -> events.RunInfo:
    """Describe a run: with `validation` one without leaks, otherwise one with an old protocol.

    with_data: whether its dataset is prepared, too.
    """
    changes = {"epochs": 4, "validation": validation, "exclude_heldout": not validation}
    settings = msgspec.to_builtins(make_settings("d2l", changes))
    dataset = events.DatasetRef(
        name="demo" if simulated else "ml-100k",
        simulated=simulated,
        source="here",
        fingerprint=make_data(home) if with_data else "f" * 64,
        num_users=5,
        num_items=100,
        num_train=400,
    )
    return events.RunInfo(
        name=name,
        created=T0,
        preset="d2l",
        settings=settings,
        dataset=dataset,
        home=str(home),
        protocol=make_protocol(settings, (96, 99)) if validation else {"exclude_heldout": True},
        host="host",
        versions={},
    )


def make_run(
    home: Path,
    state: str,
    *,
    name: str = "golden",
    epochs: int = 3,
    simulated: bool = False,
    with_data: bool = False,
    lift: float = 0,
    validation: tuple[float, ...] = (),
) -> Path:
    """Write a run in `state` and return its folder.

    `running` and `crashed` have the same files: only a held lock tells them apart. `lift` raises
    Hit@50 and loss, for a second run beside a first one. `validation`: Hit@50 of the validation
    items after each epoch; empty if the run has none.
    """
    folder = home / "runs" / name
    about = {"simulated": simulated, "with_data": with_data, "validation": bool(validation)}
    create_run(folder, make_info(name, home, **about))
    if state == "starting":
        return folder
    end = T0 + epochs + 1
    written = "running" if state == "crashed" else state
    failed = written == "failed"
    reason = "the loss is nan at epoch 4, step 3 of 10: training has diverged" if failed else ""
    status = events.Status(
        state=written,
        pid=1,
        epoch=epochs,
        steps=10,
        device="cpu",
        reason=reason,
        exit_code=int(failed),
    )
    with RunWriter(folder) as writer:
        started = events.Started(
            t=T0,
            device="cpu ×1",
            epoch=0,
            step=0,
            steps=10,
            popularity=POPULARITY,
            popularity_validation=POPULARITY | {"hit@50": 0.22} if validation else None,
        )
        writer.event(started)
        for epoch in range(1, epochs + 1):
            _write_epoch(writer, epoch, lift, validation[epoch - 1] if validation else None)
        if state == "paused":
            writer.event(events.Requested(t=end, what="pause"))
            writer.event(events.Paused(t=end))
        elif written != "running":
            writer.event(events.Finished(t=end, state=written, reason=reason))
        writer.status(status)
    # The writer adds the current time, and the reader calls a run without a lock crashed.
    fixed = msgspec.structs.replace(
        read_status(folder), t=end + 1, state=written, reason=reason, exit_code=int(failed)
    )
    (folder / "status.json").write_bytes(msgspec.json.encode(fixed))
    return folder


def _write_epoch(writer: RunWriter, epoch: int, lift: float, validation_hit: float | None) -> None:
    t, steps = T0 + epoch, list(range(10 * epoch - 9, 10 * epoch + 1))
    losses = [0.7 / (1 + step / 10) + lift for step in steps]
    writer.event(events.Steps(t=t, steps=steps, losses=losses))
    done = events.Epoch(
        t=t, epoch=epoch, loss=losses[-1], examples_per_second=1234567.0, seconds=0.5
    )
    writer.event(done)
    writer.ranks(epoch, np.array([100 - 20 * epoch, 3, 51, 50, np.nan], dtype=np.float32))
    validation = None
    if validation_hit is not None:
        validation = METRICS | {"hit@50": validation_hit, "auc": 0.88}
    evaluated = events.Evaluated(
        t=t,
        epoch=epoch,
        metrics=METRICS | {"hit@50": 0.2 + lift + epoch / 20},
        interval=(0.27, 0.34),
        seconds=0.1,
        entered=3,
        left=1,
        validation=validation,
    )
    writer.event(evaluated)
    file = f"{epoch:05}.safetensors"
    writer.event(events.Checkpointed(t=t, epoch=epoch, step=0, file=file))
