"""The notebook's plain code (benchmarks/notebook.py), ten epochs of it or as many as are asked for.

    python -m benchmarks.peers.plain FOLDER EPOCHS THREADS

FOLDER is a prepared dataset. Prints JSON. THREADS 0 is torch's default.
"""

import json
import sys
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from benchmarks.notebook import Pairs, PlainNeuMF, evaluate, train_epoch
from neumf_tui.data.prepared import load


def main() -> None:
    folder, epochs, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    if threads:
        torch.set_num_threads(threads)
    data = load(folder.parent, folder.name)
    net = PlainNeuMF(10, data.num_users, data.num_items, [10, 10, 10])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=1e-5)
    batches = DataLoader(Pairs(data), batch_size=1024, shuffle=True)
    seconds = {"train": 0.0, "evaluate": 0.0}
    hit = auc = 0.0
    for _ in range(epochs):
        begun = time.perf_counter()
        train_epoch(net, batches, optimizer)
        trained = time.perf_counter()
        hit, auc = evaluate(net, data, range(data.num_users))
        seconds["train"] += trained - begun
        seconds["evaluate"] += time.perf_counter() - trained
    found = {"seconds": seconds, "evaluations": epochs, "hit@50": hit, "auc": auc}
    print(json.dumps(found | {"threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
