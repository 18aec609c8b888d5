"""NeuMF in plain numpy, read from a checkpoint file: an independent check of the scores."""

from pathlib import Path

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset

Floats = NDArray[np.float64]


class NumpyNeuMF:
    """The paper's formulas in float64, one user at a time."""

    def __init__(self, checkpoint: Path) -> None:
        self.w = {
            name: tensor.astype(np.float64)
            for name, tensor in safetensors.numpy.load_file(checkpoint).items()
        }
        self.d = self.w["user_gmf.weight"].shape[1]
        self.head = self.w["head.weight"][0]

    def parts(self, gmf: Floats, mlp: Floats) -> tuple[Floats, Floats]:
        """Return the GMF and MLP part of all items for two user embeddings, each (num_items,)."""
        items = self.w["item_mlp.weight"]
        hidden = np.hstack([np.tile(mlp, (len(items), 1)), items])
        layer = 0
        while f"mlp.{layer}.weight" in self.w:
            hidden = np.maximum(
                hidden @ self.w[f"mlp.{layer}.weight"].T + self.w[f"mlp.{layer}.bias"], 0
            )
            layer += 1
        return self.w["item_gmf.weight"] * gmf @ self.head[: self.d], hidden @ self.head[self.d :]

    def user(self, user: int) -> tuple[Floats, Floats]:
        """Return both parts of a user of the dataset."""
        return self.parts(self.w["user_gmf.weight"][user], self.w["user_mlp.weight"][user])


def candidates(data: Dataset, user: int) -> list[int]:
    """Return the items that the user has not in the training history."""
    seen = set(data.split.items[data.split.users == user].tolist())
    return [item for item in range(data.num_items) if item not in seen]
