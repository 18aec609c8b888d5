"""The NeuMF notebook of Dive into Deep Learning, for ten epochs or as many as are asked for.

    python -m benchmarks.peers.notebook FOLDER EPOCHS THREADS

The same model, batches and protocol as preset `d2l`, written as in the notebook: a DataLoader over
a Dataset that draws a negative at each access, and an evaluator that scores one user at a time
through a DataLoader and sorts. FOLDER is a prepared dataset. Prints JSON. THREADS 0 is torch's
default.
"""

import json
import random
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepared import load


class NeuMF(nn.Module):
    """The notebook's model, with its names."""

    def __init__(
        self, num_factors: int, num_users: int, num_items: int, nums_hiddens: list[int]
    ) -> None:
        super().__init__()
        self.P, self.Q = nn.Embedding(num_users, num_factors), nn.Embedding(num_items, num_factors)
        self.U, self.V = nn.Embedding(num_users, num_factors), nn.Embedding(num_items, num_factors)
        layers: list[nn.Module] = []
        width = 2 * num_factors
        for hidden in nums_hiddens:
            layers += [nn.Linear(width, hidden), nn.ReLU()]
            width = hidden
        self.mlp = nn.Sequential(*layers)
        self.prediction_layer = nn.Linear(num_factors + width, 1, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.01)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        gmf = self.P(users) * self.Q(items)
        mlp = self.mlp(torch.cat([self.U(users), self.V(items)], dim=1))
        result: Tensor = self.prediction_layer(torch.cat([gmf, mlp], dim=1))
        return result


class Pairs(TorchDataset[tuple[int, int, int]]):
    """(user, positive, negative); the negative is drawn anew at each access."""

    def __init__(self, data: Dataset) -> None:
        self.users, self.items = data.split.users.tolist(), data.split.items.tolist()
        everything = set(range(data.num_items))
        self.pools = [
            list(everything - set(data.history(u).tolist()) - {int(data.split.heldout[u])})
            for u in range(data.num_users)
        ]

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, index: int) -> tuple[int, int, int]:
        pool = self.pools[self.users[index]]
        return self.users[index], self.items[index], pool[random.randint(0, len(pool) - 1)]


def train_epoch(
    net: nn.Module, batches: "DataLoader[tuple[int, int, int]]", optimizer: torch.optim.Optimizer
) -> None:
    for users, positives, negatives in batches:
        distance = net(users, positives) - net(users, negatives)
        loss = -torch.log(torch.sigmoid(distance)).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        loss.item()


@torch.no_grad()
def evaluate(net: nn.Module, data: Dataset, users: range) -> tuple[float, float]:
    """Return Hit@50 and AUC over `users`, which are ranked one at a time."""
    everything = set(range(data.num_items))
    hits, aucs = [], []
    for user in users:
        items = list(everything - set(data.history(user).tolist()))
        pairs = TensorDataset(torch.tensor([user] * len(items)), torch.tensor(items))
        scores: list[float] = []
        for batch in DataLoader(pairs, shuffle=False, batch_size=1024):
            scores.extend(net(*batch).cpu().numpy().ravel().tolist())
        ranked = [
            item
            for item, _ in sorted(
                zip(items, scores, strict=True), key=lambda pair: pair[1], reverse=True
            )
        ]
        place = ranked.index(int(data.split.heldout[user]))
        hits.append(place < 50)
        aucs.append((len(ranked) - 1 - place) / (len(ranked) - 1))
    return sum(hits) / len(hits), sum(aucs) / len(aucs)


def main() -> None:
    folder, epochs, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    if threads:
        torch.set_num_threads(threads)
    data = load(folder.parent, folder.name)
    net = NeuMF(10, data.num_users, data.num_items, [10, 10, 10])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=1e-5)
    batches = DataLoader(Pairs(data), batch_size=1024, shuffle=True)
    seconds = {"train": 0.0, "evaluate": 0.0}
    hit = auc = 0.0
    for _ in range(epochs):
        started = time.perf_counter()
        train_epoch(net, batches, optimizer)
        trained = time.perf_counter()
        hit, auc = evaluate(net, data, range(data.num_users))
        seconds["train"] += trained - started
        seconds["evaluate"] += time.perf_counter() - trained
    found = {"seconds": seconds, "evaluations": epochs, "hit@50": hit, "auc": auc}
    print(json.dumps(found | {"threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
