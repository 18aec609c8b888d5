"""Cornac's NeuMF (its PyTorch backend); runs in Cornac's environment, without this project.

    python cornac_driver.py FOLDER EPOCHS THREADS

FOLDER is a prepared dataset. Prints JSON. THREADS 0 is torch's default. Cornac has no evaluation
after an epoch: all users are scored once, by its own `score`, and ranked here.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from cornac.data import Dataset
from cornac.models import NeuMF


def main() -> None:
    source, epochs, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    if threads:
        torch.set_num_threads(threads)
    users, items, heldout = (
        np.load(source / f"{name}.npy") for name in ("users", "items", "heldout")
    )
    num_items = len(json.loads((source / "catalogue.json").read_bytes())["item_ids"])
    # Cornac numbers ids as they come; given maps also number items that are only held out.
    known_users = {user: user for user in range(len(heldout))}
    known_items = {item: item for item in range(num_items)}
    pairs = [(user, item, 1.0) for user, item in zip(users.tolist(), items.tolist(), strict=True)]
    data = Dataset.build(pairs, global_uid_map=known_users, global_iid_map=known_items)
    model = NeuMF(
        num_factors=10, layers=(20, 10, 10, 10), act_fn="relu", reg=1e-5, num_epochs=epochs,
        batch_size=1024, num_neg=1, lr=0.01, learner="adam", backend="pytorch", verbose=False,
        seed=0,
    )  # fmt: skip
    started = time.perf_counter()
    model.fit(data)
    trained = time.perf_counter()
    scores = np.stack([model.score(user) for user in range(len(heldout))])
    scored = time.perf_counter()
    scores[users, items] = np.nan
    there = np.flatnonzero(heldout >= 0)
    scores = scores[there]
    target = scores[np.arange(len(there)), heldout[there]][:, None]
    before = (scores > target).sum(1) + ((scores == target).sum(1) - 1) / 2
    below = 1 - before / (np.isfinite(scores).sum(1) - 1)
    seconds = {"train": trained - started, "evaluate": scored - trained}
    found = {
        "seconds": seconds,
        "evaluations": 1,
        "hit@50": float((before < 50).mean()),
        "auc": float(below.mean()),
    }
    print(json.dumps(found | {"threads": torch.get_num_threads()}))


main()
