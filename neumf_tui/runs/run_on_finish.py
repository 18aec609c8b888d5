"""Run a command when training ends: `python -m neumf_tui.runs.run_on_finish DIR COMMAND LOCK`.

This is a process of its own, because a trainer that was killed (e.g. out of memory) cannot run it.
The command is never read from the run directory: opening another person's run must not run it.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from neumf_tui.runs.launch import start_worker
from neumf_tui.runs.summary import status_object

COMMAND_SECONDS = 600
"""Time after which the command is killed."""


def environment_of(folder: Path) -> dict[str, str]:
    """Return environment variables that describe the run; those without a value are empty."""
    status = status_object(folder)
    keys = {
        "RUN": "run", "RUN_DIR": "run_dir", "STATE": "state", "REASON": "reason",
        "DATASET": "dataset", "PRESET": "preset", "EPOCH": "epoch", "EPOCHS": "epochs",
        "HIT50": "hit@50", "AUC": "auc", "BEST_HIT50": "best_hit@50", "BEST_EPOCH": "best_epoch",
        "VALIDATION_HIT50": "validation_hit@50", "SECONDS": "seconds",
        "BEST_VALIDATION_HIT50": "best_validation_hit@50",
    }  # fmt: skip
    return {
        f"NEUMF_TUI_{name}": "" if status[key] is None else str(status[key])
        for name, key in keys.items()
    }


def main(folder: Path, command: str, lock: int) -> int:
    """Train, run the command, and return the trainer's exit code; both write to trainer.log.

    `lock` is the number of an open file: the lock of the run, for the trainer alone.
    """
    with os.fdopen(lock, "rb+") as held:
        trainer = start_worker(folder, os.environ, None, held)
    code = trainer.wait()
    try:
        done = subprocess.run(
            command,
            # A shell, since this is the command line that the person gave to --on-finish.
            shell=True,  # nosec B602
            env=os.environ | environment_of(folder),
            timeout=COMMAND_SECONDS,
            check=False,
        )
        outcome = f"exit code {done.returncode}" if done.returncode else "done"
    except Exception as error:  # noqa: BLE001 - must not look like a failure of the run
        outcome = f"{type(error).__name__}: {error}"
    print(f"{time.strftime('%H:%M:%S')} --on-finish {command}: {outcome}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
