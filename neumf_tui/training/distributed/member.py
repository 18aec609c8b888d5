"""One of several processes of a run: `python -m neumf_tui.training.distributed.member RUN PLACE`.

The supervisor starts it; PLACE is a `Worker` as JSON.
"""

import sys
from pathlib import Path

import msgspec

from neumf_tui.training import worker
from neumf_tui.training.distributed.processes import RESTART, Worker, end_with_supervisor


def main(folder: Path, place: Worker) -> int:
    """Train the run in `folder` with the others, and return RESTART, or 0 if the run has ended.

    The supervisor starts all again if one ends otherwise. The run directory says how the run ended.
    """
    end_with_supervisor()
    return RESTART if worker.main(folder, worker=place) == RESTART else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Worker)))
