"""RecBole's NeuMF; runs in RecBole's environment, without this project.

    python recbole_driver.py FOLDER EPOCHS THREADS

FOLDER is a prepared dataset. Prints JSON. THREADS 0 is torch's default.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.general_recommender import NeuMF
from recbole.trainer import Trainer
from recbole.utils import init_seed


def write_inter(path: Path, users: Any, items: Any) -> None:
    with path.open("w") as file:
        file.write("user_id:token\titem_id:token\n")
        np.savetxt(file, np.stack([users, items], 1), fmt="%d", delimiter="\t")


def settings(folder: str, epochs: int) -> dict[str, Any]:
    return {
        "data_path": folder,
        "benchmark_filename": ["train", "valid", "test"],
        "load_col": {"inter": ["user_id", "item_id"]},
        "use_gpu": False,
        "show_progress": False,
        "state": "ERROR",
        "reproducibility": False,
        "seed": 0,
        "epochs": epochs,
        "train_batch_size": 2048,  # pairs and their negatives: 1,024 positives, as everywhere
        "learner": "adam",
        "learning_rate": 0.01,
        "weight_decay": 1e-5,
        "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1, "dynamic": False},
        "mf_embedding_size": 10,
        "mlp_embedding_size": 10,
        "mlp_hidden_size": [10, 10, 10],
        "dropout_prob": 0.0,
        "eval_args": {
            "split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full",
        },
        "metrics": ["Hit"],
        "topk": [50],
        "valid_metric": "Hit@50",
        "eval_batch_size": 1 << 16,  # the default, 4,096, takes a fifth longer here
        "checkpoint_dir": folder,
    }  # fmt: skip


def auc(trainer: Any, data: Any) -> float:
    """Return the mean share of candidates below the held-out item, by RecBole's scores."""
    found = []
    with torch.no_grad():
        trainer.model.eval()
        for batch in data:
            _, scores, rows, items = trainer._full_sort_batch_eval(batch)
            target = scores[rows, items][:, None]
            candidates = torch.isfinite(scores).sum(1) - 1
            below = (
                (scores < target).sum(1)
                - torch.isneginf(scores).sum(1)
                + ((scores == target).sum(1) - 1) / 2
            )
            found += (below / candidates).tolist()
    return sum(found) / len(found)


def main() -> None:
    source, epochs, threads = Path(sys.argv[1]).absolute(), int(sys.argv[2]), int(sys.argv[3])
    if threads:
        torch.set_num_threads(threads)
    train_users, train_items, heldout = (
        np.load(source / f"{name}.npy") for name in ("users", "items", "heldout")
    )
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(io.StringIO()):
        os.chdir(scratch)  # RecBole writes logs there
        folder = Path(scratch, "own")
        folder.mkdir()
        users = np.flatnonzero(heldout >= 0)
        write_inter(folder / "own.train.inter", train_users, train_items)
        # RecBole needs validation items; they are not used here, and one does not matter.
        write_inter(folder / "own.valid.inter", train_users[:1], train_items[:1])
        write_inter(folder / "own.test.inter", users, heldout[users])
        sys.argv = sys.argv[:1]  # RecBole would read the rest
        config = Config(model="NeuMF", dataset="own", config_dict=settings(scratch, epochs))
        init_seed(0, False)
        train, _, test = data_preparation(config, create_dataset(config))
        trainer = Trainer(config, NeuMF(config, train._dataset).to("cpu"))
        seconds = {"train": 0.0, "evaluate": 0.0}
        for epoch in range(epochs):
            started = time.perf_counter()
            trainer._train_epoch(train, epoch)
            trained = time.perf_counter()
            result = trainer.evaluate(test, load_best_model=False)
            seconds["train"] += trained - started
            seconds["evaluate"] += time.perf_counter() - trained
        found = {"seconds": seconds, "hit@50": float(result["hit@50"]), "auc": auc(trainer, test)}
    print(json.dumps(found | {"evaluations": epochs, "threads": torch.get_num_threads()}))


main()
