"""Several files: parts of one model, or its epochs."""

from pathlib import Path

import pytest

from neumf_tui.adopt.epochs import split_epochs
from neumf_tui.errors import UsageError


def split(*names: str) -> dict[int, list[str]]:
    epochs, _ = split_epochs([Path("/some/where") / name for name in names])
    return {epoch.number: [path.name for path in epoch.files] for epoch in epochs}


def test_the_number_of_an_epoch_is_the_one_that_differs() -> None:
    assert split("epoch-10.pt", "epoch-2.pt") == {2: ["epoch-2.pt"], 10: ["epoch-10.pt"]}
    assert split("lr0.01_ep3_of9.pt", "lr0.02_ep7_of9.pt").keys() == {3, 7}
    assert split("epoch=03-loss=0.25.ckpt", "epoch=04-loss=0.19.ckpt").keys() == {3, 4}
    assert split("00001.safetensors", "00007.safetensors").keys() == {1, 7}
    assert split("v2-5.pt", "v2-6.pt").keys() == {5, 6}
    assert split("epoch-7.pt") == {7: ["epoch-7.pt"]} and split("ml-100k.pt") == {1: ["ml-100k.pt"]}


def test_epoch_0_is_1_and_that_is_said() -> None:
    epochs, note = split_epochs([Path("e0.pt"), Path("e1.pt")])
    assert [epoch.number for epoch in epochs] == [1, 2] and "epoch 0 of the files is 1" in note


@pytest.mark.parametrize(
    "names", [("b.pt", "a.pt"), ("a1b2.pt", "a2b1.pt"), ("x99999999991.pt", "x99999999992.pt")]
)
def test_names_that_do_not_say_are_taken_in_order(names: tuple[str, ...]) -> None:
    epochs, note = split_epochs([Path(name) for name in names])
    assert [epoch.files[0].name for epoch in epochs] == sorted(names)
    assert [epoch.number for epoch in epochs] == [1, 2] and "in the order of" in note


def test_parts_of_one_model_and_of_several_epochs() -> None:
    assert split("users.npy", "items.npy", "item_bias.npy").keys() == {1}
    assert split("P.npy", "Q.npy") == {1: ["P.npy", "Q.npy"]}
    assert split("users-1.npy", "items-1.npy", "users-2.npy", "items-2.npy") == {
        1: ["items-1.npy", "users-1.npy"],
        2: ["items-2.npy", "users-2.npy"],
    }


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a.pt", "a.pt"), "named twice"),
        (("users.npy", "epoch-1.pt"), "is a part of a model by its name"),
        (("users-1.npy", "items-1.npy", "users-2.npy"), "not the same files for each epoch"),
    ],
)
def test_files_that_do_not_go_together(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        split(*names)
