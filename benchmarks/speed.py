"""How much faster than the notebook's plain loop: the same work, in the same run, torch import and data reading apart.

    python benchmarks/speed.py [--data-dir FOLDER] [--epochs 10]

Every epoch trains and then ranks every held-out item. The two take turns epoch by epoch, so that a machine that slows down slows
down both.
"""

import argparse
import time
from pathlib import Path

import torch
from notebook import Pairs, PlainNeuMF, evaluate, train_epoch
from torch.utils.data import DataLoader

from neumf_tui.data.registry import open_dataset
from neumf_tui.home import home_dir
from neumf_tui.ranking.evaluate import Evaluator
from neumf_tui.ranking.metrics import metrics_from_ranks
from neumf_tui.settings import make_settings
from neumf_tui.training.device import set_threads
from neumf_tui.training.trainer import Trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    data = open_dataset("ml-100k", options.data_dir, home_dir(), print, lambda _received: None)
    settings = make_settings("d2l", {})
    all_threads = torch.get_num_threads()

    set_threads(settings)
    own_threads = torch.get_num_threads()
    trainer, evaluator = Trainer(data, settings, torch.device("cpu")), Evaluator(data, torch.device("cpu"))
    net = PlainNeuMF(10, data.num_users, data.num_items, [10, 10, 10])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=1e-5)
    batches = DataLoader(Pairs(data), batch_size=1024, shuffle=True)
    seconds = dict.fromkeys(("plain train", "plain evaluate", "train", "evaluate"), 0.0)

    def timed(key: str, begun: float) -> None:
        seconds[key] += time.perf_counter() - begun

    for epoch in range(1, options.epochs + 1):
        torch.set_num_threads(own_threads)
        begun = time.perf_counter()
        for batch in trainer.batches(epoch):
            trainer.step(batch)
        timed("train", begun)
        begun = time.perf_counter()
        metrics = metrics_from_ranks(evaluator.ranks(trainer.model), evaluator.candidates)
        timed("evaluate", begun)
        torch.set_num_threads(all_threads)
        begun = time.perf_counter()
        train_epoch(net, batches, optimizer)
        timed("plain train", begun)
        begun = time.perf_counter()
        hit, auc = evaluate(net, data, range(data.num_users))
        timed("plain evaluate", begun)
    for key, value in seconds.items():
        print(f"{key:<16}{value:8.2f} s")
    plain = seconds["plain train"] + seconds["plain evaluate"]
    print(f"plain: Hit@50 {hit:.3f} AUC {auc:.3f}; here: Hit@50 {metrics['hit@50']:.3f} AUC {metrics['auc']:.3f}")
    print(f"evaluation {seconds['plain evaluate'] / seconds['evaluate']:.0f} times as fast")
    print(f"together   {plain / (seconds['train'] + seconds['evaluate']):.0f} times as fast")


if __name__ == "__main__":
    main()
