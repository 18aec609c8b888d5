"""Prepared datasets and files of items, mutated: they are refused, or what they say is sound."""

import json
import os
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neumf_tui.data import prepared
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.formats import source_at
from neumf_tui.errors import DatasetError
from tests.fuzz.test_datasets import EDITS, FILES_PER_EXAMPLE, folder, mutated
from tests.support.datasets import tiny_dataset
from tests.support.fuzzing import examples
from tests.support.rating_files import as_100k, as_csv, as_dat, as_recbole

__all__ = ["folder"]
DATA = tiny_dataset([[0, 1, 2], [3, 4], [5], [1, 2, 3, 0, 4]], 6)
FILES = [*prepared.FILES, "manifest.json"]
NUMBERS = [-1, 0, 1, 5, 6, 7, 2**31, -(2**31), 2**62, -(2**63), 2**63 - 1]


def histories(data: Dataset) -> object:
    """Return all that views read of a dataset; an index out of its array is an error."""
    split = data.split
    assert split.offsets[0] == 0 and split.offsets[-1] == data.num_train == len(split.times)
    for array, low in ((split.items, 0), (split.heldout, -1), (split.users, 0)):
        assert array.min(initial=0) >= low
    assert max(split.items.max(initial=0), split.heldout.max(initial=0)) < data.num_items
    users = [(user, data.history(row).tolist()) for row, user in enumerate(data.user_ids)]
    titles = [data.catalogue.item_title(item) for item in range(data.num_items)]
    assert sum(len(items) for _, items in users) == data.seen_by.sum() == data.num_train
    assert len(data.validation) == data.num_users and len(data.learned) == data.num_train
    return users, titles, split.heldout.tolist(), split.times.tolist(), data.notices, data.name


def change(path: Path, seed: int, edits: list[tuple[str, int, bytes]]) -> None:
    """Change single bytes or numbers of a file; keep its time of modification."""
    draw, before = random.Random(seed), path.stat()
    if path.suffix == ".npy" and draw.random() < 0.6:
        array = np.load(path)
        for _ in range(draw.choice([1, 1, 3])):
            value = np.array(draw.choice(NUMBERS)).astype(array.dtype)
            array[draw.randrange(len(array))] = value
        cut = draw.choice([0, 0, 0, 1])
        np.save(path, array[: len(array) - cut])
    else:
        path.write_bytes(mutated(path.read_bytes(), edits))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@given(seed=st.integers(0, 10**6), edits=EDITS, fits=st.booleans())
@examples(25)
def test_a_mutated_prepared_dataset_is_refused_or_sound(
    folder: Path, seed: int, edits: list[tuple[str, int, bytes]], fits: bool
) -> None:
    """`fits`: the manifest has the hashes of the changed files, as a stranger's would."""
    for number in range(FILES_PER_EXAMPLE):
        place = folder / "prepared"
        prepared.save(DATA, place)
        where = place / DATA.fingerprint
        contents = {name: (where / name).read_bytes() for name in FILES}
        name = FILES[(seed + number) % len(FILES)]
        change(where / name, seed + number, edits)
        is_same = (where / name).read_bytes() == contents[name]
        if fits and name != "manifest.json":
            hashes = dict(zip(prepared.FILES, prepared._hashes(where, prepared.FILES), strict=True))
            (where / "manifest.json").write_text(json.dumps(hashes))
        try:
            data = prepared.load(place, DATA.fingerprint)
        except DatasetError as error:
            assert re.search(f"{DATA.fingerprint}.* is damaged", str(error)) and not is_same
        else:
            found = histories(data)
            assert fits or found == histories(DATA)
        finally:
            shutil.rmtree(place)


@pytest.mark.parametrize("write", [as_100k, as_csv, as_dat, as_recbole])
@given(edits=EDITS, seed=st.integers(0, 10**6))
@examples(4)
def test_a_mutated_file_of_items_is_read_or_named(
    write: object, folder: Path, seed: int, edits: list[tuple[str, int, bytes]]
) -> None:
    place = folder / "items"
    place.mkdir()
    made = write(place)  # type: ignore[operator]
    ratings = {"u.item": "u.data", "movies.csv": "ratings.csv", "movies.dat": "ratings.dat"}
    items = next(path for path in place.iterdir() if path.name in ratings or path.suffix == ".item")
    whole = items.read_bytes()
    source = source_at(made if made.is_file() else place / ratings[items.name])
    assert source is not None
    try:
        for number in range(FILES_PER_EXAMPLE):
            moved = [(edit, at + (seed + number) * 131, token) for edit, at, token in edits]
            items.write_bytes(mutated(whole, moved))
            try:
                data = source.read()
            except DatasetError as error:
                assert items.name in str(error) and str(place) in str(error)
            else:
                histories(data)
                assert (data.num_users, data.num_items) == (4, 42)
    finally:
        shutil.rmtree(place)
