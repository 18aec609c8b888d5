"""Models as other programs write them, and data on which a good one beats popularity."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neumf_tui.adopt.layouts import recognise
from neumf_tui.adopt.read import read_contents
from neumf_tui.adopt.rows import Given, map_rows
from neumf_tui.adopt.tensors import Adopted, adopted
from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepare import prepare
from neumf_tui.data.split import Interactions
from neumf_tui.scorers.open import open_scorer

USERS, ITEMS = 60, 90
USER_IDS = [str(1 + row) for row in range(USERS)]
ITEM_IDS = [str(1 + row + 10 * (row >= 80)) for row in range(ITEMS)]
"""From 1, with a gap of ten: the largest is 100."""


TASTES = [np.random.default_rng(9).permutation(np.arange(n) % 3) for n in (USERS, ITEMS)]
"""Of three tastes, which one each user has, and for which one each item is."""


def triples() -> list[tuple[str, str, int]]:
    """Return interactions: each user with twelve items of their taste."""
    rng = np.random.default_rng(0)
    return [
        (USER_IDS[user], ITEM_IDS[item], time)
        for user in range(USERS)
        for time, item in enumerate(
            rng.permutation(np.flatnonzero(TASTES[1] == TASTES[0][user]))[:12]
        )
    ]


def planted_data() -> Dataset:
    rows = triples()
    users = np.array([USER_IDS.index(user) for user, _, _ in rows])
    items = np.array([ITEM_IDS.index(item) for _, item, _ in rows])
    times = np.array([time for _, _, time in rows])
    titles = [f"Film {one}" for one in ITEM_IDS]
    catalogue = Catalogue(ITEM_IDS, titles, [None] * ITEMS, [[] for _ in titles])
    return prepare("planted", "a test", USER_IDS, catalogue, Interactions(users, items, times))


def write_ratings(path: Path) -> Path:
    """Write the same interactions as a table that --data-dir can name."""
    lines = [f"{user},{item},{1000 + time}" for user, item, time in triples()]
    path.write_text("\n".join(["userId,movieId,timestamp", *lines]) + "\n")
    return path


def good_vectors() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return vectors of users and items that know who likes what."""
    rng = np.random.default_rng(1)
    users, items = (np.eye(3)[taste] for taste in TASTES)
    noise = [0.1 * rng.normal(size=table.shape) for table in (users, items)]
    return (users + noise[0]).astype(np.float32), (items + noise[1]).astype(np.float32)


def opened(path: Path | Sequence[Path], data: Dataset, **options: Any) -> Adopted:
    """Return what `adopt` makes of a file."""
    from neumf_tui.adopt.contents import merged

    paths = [path] if isinstance(path, Path) else path
    contents = merged([read_contents(one) for one in paths])
    given = Given(options.get("rows"), options.get("ids", {}))
    kind, cosine = options.get("kind"), options.get("cosine", False)
    model = recognise(contents, kind, cosine, data.num_items)
    rows = map_rows(model, contents, given, data)
    return adopted(contents.where, model, rows.rows, data)


def scores_of(made: Adopted, data: Dataset) -> NDArray[np.float32]:
    """Return the scores of all users and items by the program's own scorer."""
    scorer = open_scorer(made.kind, made.tensors, made.shape, data)
    return np.concatenate([scorer.scores(range(u, u + 1)) for u in range(data.num_users)])


def all_scores(net: nn.Module, users: Sequence[int], items: Sequence[int]) -> NDArray[np.float64]:
    """Return the scores of a foreign model by its own code, in its own rows, as float64."""
    net = net.double().eval()
    with torch.no_grad():
        rows = [net(torch.tensor([u] * len(items)), torch.tensor(items)).reshape(-1) for u in users]
    return torch.stack(rows).numpy()


def layers(widths: Sequence[int], dropout: bool) -> nn.Sequential:
    """Return layers with a ReLU after each, and with dropout before each if asked for."""
    made: list[nn.Module] = []
    for before, after in pairwise(widths):
        made += [nn.Dropout(0.5)] * dropout + [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*made)


class Ncf(nn.Module):
    """guoyang9/NCF: unequal widths, dropout, a bias in the head, maybe one path alone."""

    def __init__(self, users: int, items: int, model: str = "NeuMF-end", factors: int = 4) -> None:
        super().__init__()
        self.model, wide = model, 8
        self.embed_user_GMF = nn.Embedding(users, factors)
        self.embed_item_GMF = nn.Embedding(items, factors)
        self.embed_user_MLP = nn.Embedding(users, wide)
        self.embed_item_MLP = nn.Embedding(items, wide)
        self.MLP_layers = layers([2 * wide, 8, 5], dropout=True)
        self.predict_layer = nn.Linear({"GMF": factors, "MLP": 5}.get(model, factors + 5), 1)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        gmf = self.embed_user_GMF(user) * self.embed_item_GMF(item)
        joined = torch.cat((self.embed_user_MLP(user), self.embed_item_MLP(item)), -1)
        mlp = self.MLP_layers(joined)
        both = {"GMF": gmf, "MLP": mlp}.get(self.model, torch.cat((gmf, mlp), -1))
        return self.predict_layer(both).view(-1)


class RecBoleLayers(nn.Module):
    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.mlp_layers = layers(widths, dropout=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp_layers(x)


class RecBole(nn.Module):
    """RecBole 1.2: row 0 is padding."""

    def __init__(self, users: int, items: int) -> None:
        super().__init__()
        self.user_mf_embedding, self.item_mf_embedding = tables(users, items, 6)
        self.user_mlp_embedding, self.item_mlp_embedding = tables(users, items, 4)
        self.mlp_layers = RecBoleLayers([8, 7, 3])
        self.predict_layer = nn.Linear(6 + 3, 1)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        gmf = self.user_mf_embedding(user) * self.item_mf_embedding(item)
        joined = torch.cat((self.user_mlp_embedding(user), self.item_mlp_embedding(item)), -1)
        return self.predict_layer(torch.cat((gmf, self.mlp_layers(joined)), -1)).squeeze(-1)


class YihongChen(nn.Module):
    """yihong-chen/neural-collaborative-filtering: the head reads the MLP first."""

    def __init__(self, users: int, items: int) -> None:
        super().__init__()
        self.embedding_user_mlp, self.embedding_item_mlp = tables(users, items, 4)
        self.embedding_user_mf, self.embedding_item_mf = tables(users, items, 4)
        self.fc_layers = nn.ModuleList([nn.Linear(8, 6), nn.Linear(6, 4)])
        self.affine_output = nn.Linear(4 + 4, 1)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        vector = torch.cat((self.embedding_user_mlp(user), self.embedding_item_mlp(item)), -1)
        for layer in self.fc_layers:
            vector = torch.relu(layer(vector))
        gmf = self.embedding_user_mf(user) * self.embedding_item_mf(item)
        return self.affine_output(torch.cat([vector, gmf], -1))


class CornacPath(nn.Module):
    def __init__(self, users: int, items: int, width: int, mlp: bool) -> None:
        super().__init__()
        self.user_embedding, self.item_embedding = tables(users, items, width)
        self.logit = nn.Linear(3, 1)
        if mlp:
            self.MLP_model = layers([2 * width, 5, 3], dropout=False)

    def h(self, user: Tensor, item: Tensor) -> Tensor:
        a, b = self.user_embedding(user), self.item_embedding(item)
        return self.MLP_model(torch.cat((a, b), -1)) if hasattr(self, "MLP_model") else a * b

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        return self.logit(self.h(user, item)).view(-1)


class Cornac(nn.Module):
    """Cornac 2: both paths have heads of their own, which the fused model does not use."""

    def __init__(self, users: int, items: int) -> None:
        super().__init__()
        self.logit = nn.Linear(3 + 3, 1)
        self.GMF = CornacPath(users, items, 3, mlp=False)
        self.MLP = CornacPath(users, items, 4, mlp=True)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        return self.logit(torch.cat([self.GMF.h(user, item), self.MLP.h(user, item)], -1)).view(-1)


def tables(users: int, items: int, width: int) -> tuple[nn.Embedding, nn.Embedding]:
    return nn.Embedding(users, width), nn.Embedding(items, width)
