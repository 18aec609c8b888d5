"""Which row is whose: by order, by numbers, by files of ids; and what is said where none fits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neumf_tui.adopt.contents import WeightsError
from neumf_tui.adopt.rows import fitting_rules, read_ids
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import UsageError
from tests.support.datasets import random_dataset
from tests.support.foreign_models import ITEM_IDS, ITEMS, USER_IDS, USERS, opened


def save(path: Path, users: int = USERS, items: int = ITEMS) -> Path:
    np.savez(path, users=np.ones((users, 2)), items=np.arange(2.0 * items).reshape(items, 2))
    return path


@pytest.mark.parametrize(
    ("users", "items", "rows", "said"),
    [
        (60, 100, None, "100 rows of items, but 90 are needed .90 items, the order of ids.; "
         "--rows id-1 would fit"),
        (61, 101, None, "61 rows of users.*; --rows id would fit"),
        (60, 91, None, "one row is more than that, maybe padding: --item-ids FILE"),
        (60, 200, None, "--rows id and --rows id-1 have room .the largest id is 100."),
        (59, 90, None, "59 rows of users, but 60 .*--user-ids FILE says which id each row has"),
        (60, 99, "id-1", "99 rows of items, but 100 are needed"),
        (60, 90, "id", "60 rows of users, but 61 are needed .*; --rows order or --rows id-1"),
    ],
)  # fmt: skip
def test_a_shape_that_does_not_fit_says_which_rows_would(
    users: int, items: int, rows: str | None, said: str, tmp_path: Path, planted: Dataset
) -> None:
    with pytest.raises(WeightsError, match=said):
        opened(save(tmp_path / "m.npz", users, items), planted, rows=rows)


def test_rows_beyond_the_largest_id_are_left_out(tmp_path: Path, planted: Dataset) -> None:
    made = opened(save(tmp_path / "m.npz", 500, 500), planted, rows="id")
    assert made.tensors["items"][:, 0].tolist() == [2.0 * int(one) for one in ITEM_IDS]
    assert fitting_rules(100, ITEM_IDS) == ["id-1"] and fitting_rules(60, USER_IDS) == [
        "order",
        "id-1",
    ]


def test_ids_that_are_no_numbers_have_an_order_alone(tmp_path: Path) -> None:
    data = random_dataset()
    path = save(tmp_path / "m.npz", data.num_users, data.num_items)
    assert opened(path, data).kind == "vectors"
    with pytest.raises(UsageError, match="no such numbers as ids; say the id of each row"):
        opened(path, data, rows="id")
    with pytest.raises(WeightsError, match=r"13 rows of users.*--user-ids FILE"):
        opened(save(tmp_path / "m.npz", 13, data.num_items), data)


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ({"item": ITEM_IDS[:-1]}, "--item-ids: 89 ids for 90 rows"),
        ({"item": [*ITEM_IDS[:-1], "1"]}, "'1' is the id of row 1 and of 90"),
        ({"user": [f"u{one}" for one in USER_IDS]}, "no row for 60 of 60 users .*'1', '2'"),
    ],
)
def test_ids_that_do_not_fit_are_named(
    ids: dict[str, Any], said: str, tmp_path: Path, planted: Dataset
) -> None:
    with pytest.raises(WeightsError, match=said):
        opened(save(tmp_path / "m.npz"), planted, ids=ids)


def test_ids_of_rows_that_are_not_there_are_refused(tmp_path: Path, planted: Dataset) -> None:
    np.savez(tmp_path / "ease.npz", weights=np.eye(ITEMS))
    (tmp_path / "top.csv").write_text("user,item,score\n1,1,0.5\n")
    for name, said in {"ease.npz": "has no rows of users", "top.csv": "its ids itself"}.items():
        with pytest.raises(UsageError, match=said):
            opened(tmp_path / name, planted, ids={"user": USER_IDS})


def test_files_of_ids(tmp_path: Path) -> None:
    texts = tmp_path / "ids.txt"
    texts.write_bytes("\ufeffa\r\n \u202eb\u0007\n\nc".encode())
    assert read_ids(texts) == ["a", " \u202eb\u0007", "", "c"]
    for array, ids in {
        "ints": (np.array([3, 1], np.int16), ["3", "1"]),
        "texts": (np.array(["x", "yy"]), ["x", "yy"]),
    }.values():
        np.save(tmp_path / "ids.npy", array)
        assert read_ids(tmp_path / "ids.npy") == ids


def test_files_of_ids_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_bytes(b"a\nb\xff\n")
    with pytest.raises(WeightsError, match=r"ids.txt, line 2: not UTF-8"):
        read_ids(tmp_path / "ids.txt")
    with pytest.raises(WeightsError, match="no such file"):
        read_ids(tmp_path / "no.txt")
    for array in (np.eye(2), np.array([1.5]), np.array(["a", 1], dtype=object)):
        np.save(tmp_path / "ids.npy", array)
        with pytest.raises(WeightsError, match=r"expected one row of ids|cannot be read"):
            read_ids(tmp_path / "ids.npy")
    with pytest.raises(WeightsError, match="cannot be read"):
        read_ids(tmp_path)
