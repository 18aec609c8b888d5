"""`python -m neumf_tui.runs.keeper RUN_DIR COMMAND`: train the run, and when that ends, however it ends, run the command.

A process of its own beside the trainer, because a trainer that was killed (by a full memory, say) can tell nobody. The command
is never taken from the run directory: opening a stranger's run must not run theirs.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from neumf_tui.runs.launch import start_worker
from neumf_tui.runs.summary import status_object

COMMAND_SECONDS = 600
"""A command that takes longer is ended."""


def facts(folder: Path) -> dict[str, str]:
    """The environment variables that tell the command of the run; those without a figure are empty."""
    status = status_object(folder)
    keys = {
        "RUN": "run", "RUN_DIR": "run_dir", "STATE": "state", "REASON": "reason", "DATASET": "dataset", "PRESET": "preset",
        "EPOCH": "epoch", "EPOCHS": "epochs", "HIT50": "hit@50", "AUC": "auc", "BEST_HIT50": "best_hit@50",
        "BEST_EPOCH": "best_epoch", "VALIDATION_HIT50": "validation_hit@50", "BEST_VALIDATION_HIT50": "best_validation_hit@50",
        "SECONDS": "seconds",
    }  # fmt: skip
    return {
        f"NEUMF_TUI_{name}": "" if status[key] is None else str(status[key])
        for name, key in keys.items()
    }


def main(folder: Path, command: str) -> int:
    """The trainer's exit code; the command's goes into trainer.log."""
    code = start_worker(folder, os.environ, None).wait()
    try:
        done = subprocess.run(
            command,
            shell=True,
            env=os.environ | facts(folder),
            timeout=COMMAND_SECONDS,
            check=False,
        )
        outcome = f"exit code {done.returncode}" if done.returncode else "done"
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not look like a fault of the run
        outcome = f"{type(error).__name__}: {error}"
    print(f"{time.strftime('%H:%M:%S')} --on-finish {command}: {outcome}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
