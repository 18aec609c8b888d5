"""The trainer process, `python -m neumf_tui.training.worker RUN_DIR`; its only output is the run directory."""

import os
import signal
import sys
import time
import traceback
from pathlib import Path

import msgspec

from neumf_tui.errors import NeumfTuiError
from neumf_tui.runs import events
from neumf_tui.runs.reader import read_info
from neumf_tui.runs.writer import RunWriter
from neumf_tui.settings import Settings


def main(folder: Path) -> int:
    """Train the run in `folder` under its lock and leave a final status; the process's exit code."""
    with RunWriter(folder) as writer:
        # The lock comes before torch's import of a second or more, so that a reader can tell starting from gone.
        writer.status(msgspec.structs.replace(_last_status(folder), state="starting", pid=os.getpid()))
        try:
            state, reason, code = _train(writer)
        except NeumfTuiError as error:
            state, reason, code = "failed", str(error), error.exit_code
        except OSError as error:
            traceback.print_exc()
            state, code = "failed", 1
            reason = f"{error.filename or folder}: {error.strerror}; earlier checkpoints stay usable: free space, then --resume"
        except Exception as error:  # noqa: BLE001 - whatever it is, the run must not look alive
            traceback.print_exc()
            state, reason, code = (
                "failed",
                f"{type(error).__name__}: {error}; see {folder / 'trainer.log'}",
                1,
            )
        if state == "failed":
            print(reason, file=sys.stderr)
            writer.event(events.Finished(t=time.time(), state=state, reason=reason))
        last = _last_status(folder)
        writer.status(msgspec.structs.replace(last, state=state, reason=reason, exit_code=code))
    return code


def _last_status(folder: Path) -> events.Status:
    return msgspec.json.decode((folder / "status.json").read_bytes(), type=events.Status)


def _train(writer: RunWriter) -> tuple[str, str, int]:
    """Train to the end or a stop: state, reason, exit code."""
    from neumf_tui.data.registry import load_dataset
    from neumf_tui.training.device import pick_device, set_threads
    from neumf_tui.training.loop import Loop, Stop

    info = read_info(writer.folder)
    settings = msgspec.convert(info.settings, Settings)
    set_threads(settings)
    device = pick_device(settings.device)
    if device.type == "cpu":
        import torch

        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs time, only finds bugs
    data = load_dataset(info.dataset.fingerprint, info.dataset.name, Path(info.home), info.dataset.source)
    loop = Loop(writer, data, settings, device)
    signal.signal(signal.SIGTERM, loop.orders.on_signal)
    signal.signal(signal.SIGINT, loop.orders.on_signal)
    try:
        loop.run(os.getpid())
        state = "finished"
    except Stop:
        state = "stopped"
    reason = loop.orders.stop_reason if state == "stopped" else loop.early_stop
    spent = loop.timed()
    writer.event(
        events.Finished(
            t=time.time(),
            state=state,
            reason=reason,
            train_seconds=spent.train_seconds,
            evaluate_seconds=spent.evaluate_seconds,
            total_seconds=spent.total_seconds,
        )
    )
    return state, reason, 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
