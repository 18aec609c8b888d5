"""One epoch and one evaluation of a prepared dataset on the CPU in this process; prints JSON.

    python -m benchmarks.one_epoch FOLDER '{"embedding_size": 10}'

Uses preset `d2l` with these changes. `processor` is the processor time of all threads, the other
times are wall time. The memory is that of this process.
"""

import json
import sys
import threading
import time
from pathlib import Path

import torch

from benchmarks.program import train_epochs
from neumf_tui.cores import usable_cores
from neumf_tui.data.prepared import load
from neumf_tui.evaluation.metrics import metrics_from_ranks
from neumf_tui.settings import make_settings
from neumf_tui.training.device import set_threads
from neumf_tui.training.model_ranks import ModelRanks
from neumf_tui.training.trainer import Trainer


class Memory:
    """The most memory of its own that this process held, read every 20 ms.

    Its own is `RssAnon`: memory without mapped files. Known on Linux only; elsewhere None.
    """

    def __init__(self) -> None:
        self.anonymous = self._read("RssAnon")
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while self.anonymous is not None:
            self.anonymous = max(self.anonymous, self._read("RssAnon") or 0)
            time.sleep(0.02)

    @staticmethod
    def _read(key: str) -> float | None:
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
        except OSError:
            return None
        found = (int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{key}:"))
        return next(found, None)

    def figures(self) -> dict[str, float | None]:
        """Return MiB; `peak` also has mapped files and code that were resident."""
        return {"peak": self._read("VmHWM"), "anonymous": self.anonymous}


def main() -> None:
    folder, changes = Path(sys.argv[1]), json.loads(sys.argv[2])
    memory = Memory()
    data = load(folder.parent, folder.name)
    settings, device = make_settings("d2l", changes), torch.device("cpu")
    set_threads(settings)
    started = time.perf_counter()
    trainer, evaluator = Trainer(data, settings, device), ModelRanks(data, device)
    ready = time.perf_counter()
    train_epochs(trainer, [1])
    trained = time.perf_counter()
    metrics = metrics_from_ranks(evaluator.by_model(trainer.scored(1)), evaluator.candidates)
    evaluated = time.perf_counter()
    found = {
        "users": data.num_users,
        "items": data.num_items,
        "interactions": data.num_train + int((data.split.heldout >= 0).sum()),
        "pairs": data.num_train,
        "threads": torch.get_num_threads(),
        "evaluation_threads": usable_cores(),
        "ready": ready - started,
        "train": trained - ready,
        "evaluate": evaluated - trained,
        "processor": time.process_time(),
        "auc": metrics["auc"],
        "mib": memory.figures(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
