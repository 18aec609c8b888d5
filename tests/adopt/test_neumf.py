"""NeuMF of other programs: the scores are those of their own code."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.peers import notebook
from neumf_tui.adopt.contents import WeightsError
from neumf_tui.data.dataset import Dataset
from neumf_tui.runs.checkpoint import Checkpoint, TrainingProgress, save_checkpoint
from tests.support.foreign_models import (
    ITEM_IDS,
    ITEMS,
    USER_IDS,
    USERS,
    Cornac,
    CornacPath,
    Ncf,
    RecBole,
    YihongChen,
    all_scores,
    opened,
    scores_of,
)

Make = Callable[[int, int], nn.Module]
MODELS: dict[str, Make] = {
    "notebook": lambda users, items: notebook.NeuMF(5, users, items, [6, 5, 4]),
    "guoyang9": Ncf,
    "guoyang9-gmf": lambda users, items: Ncf(users, items, "GMF"),
    "guoyang9-mlp": lambda users, items: Ncf(users, items, "MLP"),
    "recbole": RecBole,
    "yihong-chen": YihongChen,
    "cornac": Cornac,
    "cornac-gmf": lambda users, items: CornacPath(users, items, 3, mlp=False),
    "cornac-mlp": lambda users, items: CornacPath(users, items, 3, mlp=True),
}


def drawn(make: Make, users: int = USERS, items: int = ITEMS) -> nn.Module:
    torch.manual_seed(0)
    net = make(users, items)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    return net


def assert_same(found: NDArray[np.float32], expected: NDArray[np.float64]) -> None:
    assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_of_the_foreign_code(name: str, tmp_path: Path, planted: Dataset) -> None:
    net = drawn(MODELS[name])
    torch.save(net.state_dict(), tmp_path / "net.pt")
    made = opened(tmp_path / "net.pt", planted)
    assert made.kind == ("vectors" if name.endswith("gmf") else "neumf")
    assert_same(scores_of(made, planted), all_scores(net, range(USERS), list(range(ITEMS))))


@pytest.mark.parametrize("form", ["container", "wrapped", "safetensors", "npz", "half"])
def test_the_same_from_other_files(form: str, tmp_path: Path, planted: Dataset) -> None:
    net = drawn(MODELS["notebook"])
    state, path = net.state_dict(), tmp_path / "net.pth"
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    if form == "container":
        optimizer = {"state": {0: {"step": torch.ones(())}}, "param_groups": [{"lr": 0.1}]}
        torch.save({"epoch": 3, "model_state_dict": state, "optimizer": optimizer}, path)
    elif form == "wrapped":
        torch.save({f"_orig_mod.module.{name}": tensor for name, tensor in state.items()}, path)
    elif form == "safetensors":
        path = tmp_path / "net.safetensors"
        safetensors.numpy.save_file(arrays, path)
    elif form == "npz":
        path = tmp_path / "net.npz"
        np.savez(path, **arrays)
    else:
        net = net.bfloat16()
        torch.save(net.state_dict(), path)
    expected = all_scores(net, range(USERS), list(range(ITEMS)))
    assert_same(scores_of(opened(path, planted), planted), expected)


def test_a_padding_row_and_ids_in_the_order_of_appearance(tmp_path: Path, planted: Dataset) -> None:
    net = drawn(RecBole, USERS + 1, ITEMS + 1)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    rng = np.random.default_rng(3)
    users, items = (["[PAD]", *rng.permutation(ids).tolist()] for ids in (USER_IDS, ITEM_IDS))
    made = opened(tmp_path / "net.pt", planted, ids={"user": users, "item": items})
    order = [items.index(one) for one in ITEM_IDS]
    expected = all_scores(net, [users.index(one) for one in USER_IDS], order)
    assert_same(scores_of(made, planted), expected)


@pytest.mark.parametrize("rule", ["id", "id-1"])
def test_rows_by_numeric_ids(rule: str, tmp_path: Path, planted: Dataset) -> None:
    first = 0 if rule == "id-1" else 1
    net = drawn(MODELS["notebook"], 60 + first, 100 + first)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    made = opened(tmp_path / "net.pt", planted, rows=rule)
    rows = [[int(one) - 1 + first for one in ids] for ids in (USER_IDS, ITEM_IDS)]
    assert_same(scores_of(made, planted), all_scores(net, *rows))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("V.weight"), "lacks V.weight"),
        (lambda s: s.update({"mlp.1.running_mean": torch.zeros(6)}), "running_mean"),
        (lambda s: s.update({"mlp.2.weight": torch.zeros(5, 9)}), "takes 9 numbers, but gets 6"),
        (lambda s: s.update({"prediction_layer.weight": torch.zeros(1, 7)}), "reads 7 numbers"),
        (lambda s: s.update({"P.weight": torch.zeros(60, 5, 1)}), "expected 2 dimensions"),
        (lambda s: s.update({"U.weight": torch.zeros(61, 5)}), "61 in user_mlp.weight"),
        (lambda s: s["Q.weight"].fill_(float("nan")), "Q.weight|item_gmf.weight is nan"),
        (lambda s: s["mlp.0.bias"].fill_(float("inf")), "mlp.0.bias is inf"),
    ],
)
def test_what_does_not_fit_is_named(
    change: Callable[[dict[str, torch.Tensor]], object],
    said: str,
    tmp_path: Path,
    planted: Dataset,
) -> None:
    state = drawn(MODELS["notebook"]).state_dict()
    change(state)
    torch.save(state, tmp_path / "net.pt")
    with pytest.raises(WeightsError, match=said) as error:
        opened(tmp_path / "net.pt", planted)
    assert str(error.value).startswith(str(tmp_path / "net.pt"))


def test_one_path_of_two_is_asked_for_where_both_would_fit(
    tmp_path: Path, planted: Dataset
) -> None:
    net = drawn(lambda users, items: Ncf(users, items, "GMF", factors=5))
    torch.save(net.state_dict(), tmp_path / "net.pt")
    with pytest.raises(WeightsError, match="only one path is used"):
        opened(tmp_path / "net.pt", planted)


def test_a_checkpoint_of_ours_keeps_its_history(tmp_path: Path, planted: Dataset) -> None:
    rng = np.random.default_rng(0)
    shapes = {"user_gmf": USERS, "user_mlp": USERS, "item_gmf": ITEMS, "item_mlp": ITEMS}
    shapes |= {"history_gmf": ITEMS, "history_mlp": ITEMS}
    tensors = {f"{k}.weight": rng.normal(size=(n, 3)).astype("f4") for k, n in shapes.items()}
    tensors |= {"mlp.0.weight": rng.normal(size=(2, 6)).astype("f4")}
    tensors |= {"mlp.0.bias": np.zeros(2, "f4"), "head.weight": np.ones((1, 5), "f4")}
    tensors |= {"adam.step.head.weight": np.ones((), "f4")}
    shape = {"history": 7, "history_decay": 2.0, "history_floor": 0.1, "num_users": 3}
    about = Checkpoint(fingerprint="0" * 64, progress=TrainingProgress(epoch=1), shape=shape)
    (tmp_path / "checkpoints").mkdir()
    made = opened(save_checkpoint(tmp_path, tensors, about), planted)
    assert made.shape == {"history": 7, "history_decay": 2.0, "history_floor": 0.1}
    assert made.tensors.keys() == tensors.keys() - {"adam.step.head.weight"}
