"""MovieLens 100K: reading, errors, finding the folder, and keeping the prepared dataset."""

from pathlib import Path

import numpy as np
import pytest

from neumf_tui.data.options import DataOptions, ReadOptions
from neumf_tui.data.readers import ml100k as ml100k_reader
from neumf_tui.data.readers.item_names import split_year
from neumf_tui.data.registry import open_dataset
from neumf_tui.errors import DatasetError, UsageError
from tests.support.rating_files import ratings_100k, write_100k
from tests.support.reading import dataset_from


def test_reads_titles_years_and_ids(tmp_path: Path) -> None:
    data = dataset_from(ml100k_reader, write_100k(tmp_path, ratings_100k()))
    assert data.user_ids == [str(u) for u in range(1, 9)]
    assert data.catalogue.titles[0] == "Film 0" and data.catalogue.years[0] == 1900
    assert data.catalogue.genres[0] == ["Action"]
    assert data.num_train + 8 == 80
    assert sorted(data.history(0)) == sorted(set(data.split.items[data.split.users == 0].tolist()))
    assert split_year("2001: A Space Odyssey") == ("2001: A Space Odyssey", None)


def test_duplicates_and_single_interactions_are_said(tmp_path: Path) -> None:
    data = dataset_from(
        ml100k_reader, write_100k(tmp_path, ratings_100k() + "1\t8\t5\t99\n99\t1\t5\t1\n")
    )
    assert any("1 duplicate" in notice for notice in data.notices)
    assert any("1 users with a single interaction" in notice for notice in data.notices)
    assert data.split.heldout[data.user_ids.index("99")] == -1
    assert len(data.history(data.user_ids.index("99"))) == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1\t2\t3", "3 columns; expected 4"),
        ("1\t2\t3\t4\t5", "5 columns; expected 4"),
        ("1\t2\tgood\t4", "rating 'good' is not a number"),
        ("1\t2\t3\tlate", "timestamp 'late' is not a number"),
        ("1\t2\t3\t99999999999999999999", "timestamp 99999999999999999999 is out of range"),
        ("1\t\t3\t4", "item id is empty"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, says: str) -> None:
    write_100k(tmp_path, ratings_100k(2) + line + "\n" + ratings_100k(1))
    with pytest.raises(DatasetError, match=r"u\.data, line 21") as caught:
        dataset_from(ml100k_reader, tmp_path)
    assert says in str(caught.value)


def test_bad_item_lines_and_missing_or_empty_files(tmp_path: Path) -> None:
    folder = write_100k(tmp_path, ratings_100k())
    (folder / "u.item").write_text("1|only|three\n")
    with pytest.raises(DatasetError, match=r"u.item, line 1: 3 columns"):
        dataset_from(ml100k_reader, folder)
    (folder / "u.item").unlink()
    with pytest.raises(DatasetError, match=r"u.item: cannot be read .*--data-dir"):
        dataset_from(ml100k_reader, folder)
    (folder / "u.data").write_text(" \n")
    with pytest.raises(DatasetError, match=r"u.data: the file is empty"):
        dataset_from(ml100k_reader, folder)


def test_folder_is_found_itself_or_by_its_parent_and_a_wrong_one_is_named(
    tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_100k(tmp_path / "ml-100k", ratings_100k())
    for folder in (tmp_path, tmp_path / "ml-100k"):
        assert open_dataset("auto", folder, own_home, print, print).num_users == 8
    monkeypatch.setenv("NEUMF_TUI_DATA", str(tmp_path))
    assert open_dataset("ml-100k", None, own_home, print, print).num_users == 8
    monkeypatch.setenv("NEUMF_TUI_DATA", str(tmp_path / "nothing"))
    with pytest.raises(
        DatasetError, match=r"NEUMF_TUI_DATA .*nothing: there is no such file or folder"
    ):
        open_dataset("auto", None, own_home, print, print)
    with pytest.raises(UsageError, match="--data-dir has no effect on demo"):
        open_dataset("demo", tmp_path, own_home, print, print)
    noun = DataOptions(ReadOptions(noun="product"))
    with pytest.raises(UsageError, match="--noun has no effect on demo"):
        open_dataset("demo", None, own_home, print, print, options=noun)


def test_cache_follows_the_files(tmp_path: Path, own_home: Path) -> None:
    folder = write_100k(tmp_path / "d", ratings_100k())
    first = open_dataset("ml-100k", folder, own_home, print, print)
    again = open_dataset("ml-100k", folder, own_home, print, print)
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.split.items, first.split.items)
    assert again.catalogue == first.catalogue and list(again.user_ids) == list(first.user_ids)
    write_100k(tmp_path / "d", ratings_100k(7))
    assert open_dataset("ml-100k", folder, own_home, print, print).fingerprint != first.fingerprint


def test_ml100k_is_read_whole(ml100k: Path, own_home: Path) -> None:
    data = open_dataset("ml-100k", ml100k, own_home, print, print)
    assert (data.num_users, data.num_items, data.num_train) == (943, 1682, 99_057)
    assert data.notices == ()
