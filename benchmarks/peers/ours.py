"""This program's trainer and evaluator, without a run's files and screens: preset `d2l`.

    python -m benchmarks.peers.ours FOLDER EPOCHS THREADS

FOLDER is a prepared dataset. Prints JSON. THREADS 0 is what a run uses by default: for training a
number that suits the size of a step, for evaluation all cores.
"""

import json
import sys
import time
from pathlib import Path

import torch

from neumf_tui.cores import usable_cores
from neumf_tui.data.prepared import load
from neumf_tui.evaluation.metrics import metrics_from_ranks
from neumf_tui.settings import make_settings
from neumf_tui.training.device import set_threads
from neumf_tui.training.model_ranks import ModelRanks
from neumf_tui.training.trainer import Trainer


def main() -> None:
    folder, epochs, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    data = load(folder.parent, folder.name)
    settings = make_settings("d2l", {"epochs": epochs, "threads": threads})
    set_threads(settings)
    device = torch.device("cpu")
    trainer, evaluator = Trainer(data, settings, device), ModelRanks(data, device)
    seconds = {"train": 0.0, "evaluate": 0.0}
    metrics: dict[str, float] = {}
    for epoch in range(1, epochs + 1):
        started = time.perf_counter()
        for batch in trainer.batches(epoch):
            trainer.step(batch)
        trained = time.perf_counter()
        ranks = evaluator.by_model(trainer.scored(epoch))
        metrics = metrics_from_ranks(ranks, evaluator.candidates)
        seconds["train"] += trained - started
        seconds["evaluate"] += time.perf_counter() - trained
    found = {
        "seconds": seconds,
        "evaluations": epochs,
        "hit@50": metrics["hit@50"],
        "auc": metrics["auc"],
    }
    used = {"threads": torch.get_num_threads(), "evaluation_threads": usable_cores()}
    print(json.dumps(found | used))


if __name__ == "__main__":
    main()
