"""Readers of all formats: equal results, errors, fast against by-line; split; prepared datasets."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from neumf_tui.data import prepared
from neumf_tui.data.columns import Columns
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.load import load_dataset
from neumf_tui.data.options import make_options
from neumf_tui.data.prepared import prepared_dir
from neumf_tui.data.progress import Progress, silent
from neumf_tui.data.readers import movielens_dat
from neumf_tui.data.readers import table as table_reader
from neumf_tui.data.readers.rows import indices
from neumf_tui.data.readers.text_sniff import layout_of
from neumf_tui.data.registry import open_dataset
from neumf_tui.data.strings import Strings
from neumf_tui.errors import DatasetError, UsageError
from tests.support.rating_files import (
    FILMS,
    TRIPLES,
    as_100k,
    as_csv,
    as_dat,
    as_parquet,
    as_parquet_of_strings,
    as_recbole,
    as_tsv,
)
from tests.support.reading import dataset_at, dataset_from, fast_blocks, read_in_blocks

FORMS = [as_100k, as_csv, as_dat, as_recbole, as_tsv, as_parquet, as_parquet_of_strings]


@pytest.mark.parametrize("write", FORMS)
def test_the_same_data_has_the_same_fingerprint_in_every_form(
    write: Callable[[Path], Path], tmp_path: Path, own_home: Path
) -> None:
    (tmp_path / "reference").mkdir()
    wanted = open_dataset("auto", as_csv(tmp_path / "reference"), own_home, silent, silent)
    (tmp_path / "films").mkdir()
    place = write(tmp_path / "films")
    for named in (place, tmp_path / "films"):
        data = open_dataset("auto", named, own_home, silent, silent)
        # The fingerprint of u.data is that of version 0.1.0; no two of these times are equal.
        assert (data.fingerprint == wanted.fingerprint) == (write is not as_100k)
        assert list(data.user_ids) == ["2", "4", "10", "33"]
        for key in ("users", "items", "times", "heldout"):
            np.testing.assert_array_equal(getattr(data.split, key), getattr(wanted.split, key))
        if write in (as_csv, as_dat, as_recbole, as_100k):
            assert data.catalogue == wanted.catalogue
        else:
            assert data.catalogue.titles == data.catalogue.item_ids == wanted.catalogue.item_ids
    shutil.rmtree(prepared_dir(own_home))
    again = load_dataset(data.fingerprint, data.name, own_home, data.source)
    assert again.fingerprint == data.fingerprint and again.source == data.source


def test_columns_are_named_by_a_person_and_remembered(tmp_path: Path, own_home: Path) -> None:
    rows = "".join(f"{u},{i},{t},{t + k}\n" for k, (u, i, t) in enumerate(TRIPLES))
    file = tmp_path / "log, of [all].csv"
    file.write_text("who,what,first,timestamp\n" + rows)
    with pytest.raises(
        DatasetError,
        match=r"line 1: no column is known as the user; .*found 1 'who', 2 'what', 3 'first', .*"
        "--columns user=who,item=what,time=timestamp",
    ):
        open_dataset("auto", file, own_home, silent, silent)

    def opened(place: Path, columns: str) -> Dataset:
        options = make_options(columns=columns)
        return open_dataset("auto", place, own_home, silent, silent, options=options)

    first = opened(file, "user=who,item=what,time=first")
    last = opened(tmp_path, "user=who,item=what,time=timestamp")
    assert first.fingerprint != last.fingerprint and first.name == last.name == "log,-of-[all]"
    for data in (first, last):
        shutil.rmtree(prepared_dir(own_home))
        again = load_dataset(data.fingerprint, data.name, own_home, data.source, data.options)
        assert (again.source, again.options) == (data.source, data.options)
    # Version 0.1.0 wrote the columns behind the path.
    shutil.rmtree(prepared_dir(own_home))
    source = f"{file} [user=who,item=what,time=first]"
    assert load_dataset(first.fingerprint, first.name, own_home, source).source == str(file)
    with pytest.raises(DatasetError, match=r"no column when; expected"):
        opened(file, "user=who,item=what,time=when")
    with pytest.raises(UsageError, match="--data-dir"):
        options = make_options(columns="user=who,item=what,time=first")
        open_dataset("auto", None, own_home, silent, silent, options=options)
    with pytest.raises(UsageError, match=r"--columns: ml-100k \(u.data\) has no header"):
        opened(as_100k(tmp_path), "user=who,item=what,time=first")


@pytest.mark.parametrize(
    "text", ["", "user=a", "user=a,time=b", "user=a,item=b,time=", "user=a,item=a,time=c"]
)
def test_columns_that_are_not_named_well(text: str) -> None:
    with pytest.raises(UsageError, match="--columns"):
        Columns.parse(text)


def test_names_of_columns_may_hold_commas_and_equal_signs() -> None:
    named = Columns.parse("time=t=0, sec,user=a,b,item=c,rating=d")
    assert named == Columns("a,b", "c", "t=0, sec", "d") and Columns.parse(str(named)) == named


def test_two_columns_that_may_be_the_user_are_asked_about(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("user_id,user_name,item_id,time\n1,a,2,3\n")
    with pytest.raises(
        DatasetError,
        match=r"line 1: user_id and user_name may both be the user; .*--columns "
        "user=user_id,item=item_id,time=time, or --columns user=user_name,item=item_id,time=time",
    ):
        dataset_from(table_reader, file)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1::2::3", "3 columns; expected 4 separated by '::'"),
        ("1::2::3::4::5", "5 columns; expected 4 sep"),
        ("1:2::3::4::5", "timestamp"),
        ("1::::3::4", "item id is empty"),
        ("1::2::x::4", "rating 'x' is not a number"),
        ("1::2::3::late", "timestamp 'late' is not a number"),
        ("1::2::3::-4", "timestamp -4 is out of range"),
    ],
)
def test_a_bad_line_of_ratings_dat_is_named(tmp_path: Path, line: str, says: str) -> None:
    file = as_dat(tmp_path) / "ratings.dat"
    whole = file.read_text().splitlines()
    file.write_text(
        "\n".join([*whole[:5], line if says != "timestamp" else "1::2::3:::4", *whole[5:]])
    )
    with pytest.raises(DatasetError, match=r"ratings\.dat, line 6: ") as caught:
        dataset_from(movielens_dat, tmp_path)
    assert says in str(caught.value)


def test_movies_dat_is_utf_8_or_else_latin_1(tmp_path: Path) -> None:
    file = as_dat(tmp_path) / "movies.dat"
    for encoding in ("utf-8", "latin-1"):
        file.write_bytes(
            "\n".join(
                f"{n}::Misérables, Les ({y})::Drama" for n, (_, y, _) in FILMS.items()
            ).encode(encoding)
        )
        data = dataset_from(movielens_dat, tmp_path)
        assert set(data.catalogue.titles) == {"Misérables, Les"} and data.catalogue.years == [
            FILMS[int(film)][1] for film in data.catalogue.item_ids
        ]
    for content, says in (
        (b"1::A\n", "line 1: 2 columns"),
        (b"1::A::B\n1::C::D\n", "line 2: item id '1' is already in line 1"),
        (b"", "empty"),
    ):
        file.write_bytes(content)
        with pytest.raises(DatasetError, match=rf"movies\.dat.*{says}"):
            dataset_from(movielens_dat, tmp_path)
    file.unlink()
    with pytest.raises(DatasetError, match=r"movies\.dat: cannot be read"):
        dataset_from(movielens_dat, tmp_path)


def test_items_that_recbole_has_no_names_for_go_by_their_ids(tmp_path: Path) -> None:
    file = as_recbole(tmp_path)
    items = file.with_suffix(".item")
    items.write_text("".join(items.read_text().splitlines(keepends=True)[:-1]))
    data = dataset_at(file)
    assert "1 items are not in films.item; their ids are used as titles" in data.notices
    assert (
        data.catalogue.item_ids[-1] == data.catalogue.titles[-1] == "80"
        and data.catalogue.years[-1] is None
    )
    assert data.catalogue.titles[-2].startswith("Film ") and data.catalogue.years[-2] is not None
    items.unlink()
    assert dataset_at(file).catalogue.titles[-1] == "80"
    file.write_text(file.read_text().replace("\t3\t", '\t"\t', 1))
    with pytest.raises(
        DatasetError, match=r"films\.inter, line 2: rating:float '\"' is not a number"
    ):
        dataset_at(file)


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("User ID", pa.array([1, None, 3]), "row 2: User ID is empty"),
        ("item_id", pa.array(["a", "", "c"]), "row 2: item_id is empty"),
        ("item_id", pa.array(["a", " ", "c"]), "row 2: item_id is empty"),
        ("time", pa.array([1, -1, 3]), "row 2: time -1 is out of range"),
        ("time", pa.array([1.0, 2.0, float("nan")]), "row 3: time is empty"),
        ("time", pa.array([1.0, 1e300, 3.0]), "row 2: time 1e+300 is out of range"),
        ("time", pa.array([1, 10**12, 3]).cast(pa.timestamp("s")), "row 2: time '<value out"),
        ("time", pa.array([1, -1, 3]).cast(pa.timestamp("s")), "row 2: time is not a date between"),
        ("User ID", pa.array([1.5, 2.0, 3.0]), "row 1: User ID 1.5 is not a whole number"),
        ("User ID", pa.array([[1], [2], [3]]), "column User ID has type list"),
        ("time", pa.array(["a", "b", "c"]), "row 1: time 'a' is not a known way"),
        ("time", pa.array(["2001-09-10", "5", "x"]), "row 2: time '5' is not an ISO date"),
    ],
)
def test_a_bad_row_of_parquet_is_named(
    tmp_path: Path, column: str, values: pa.Array, says: str
) -> None:
    good = {
        "User ID": pa.array([1, 2, 3]),
        "item_id": pa.array([1, 2, 3]),
        "time": pa.array([1, 2, 3]),
    }
    parquet.write_table(pa.table(good | {column: values}), tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match=r"x\.parquet") as caught:
        dataset_from(table_reader, tmp_path / "x.parquet")
    assert says in str(caught.value)


def test_what_is_no_parquet_is_refused(tmp_path: Path, own_home: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(DatasetError, match=r"x\.parquet: cannot be read as Parquet"):
        open_dataset("auto", tmp_path / "x.parquet", own_home, silent, silent)
    parquet.write_table(
        pa.table(
            {
                "user": pa.array([], pa.int64()),
                "item": pa.array([], pa.int64()),
                "time": pa.array([], pa.int64()),
            }
        ),
        tmp_path / "x.parquet",
    )
    with pytest.raises(DatasetError, match="no rows"):
        dataset_from(table_reader, tmp_path / "x.parquet")


# The fast reader against the one by line.


IDS = [
    "0",
    "1",
    "7",
    "07",
    "12",
    "123456789012",
    "9" * 17,
    "9" * 18,
    "9" * 25,
    "u 1",
    " 3",
    "-5",
    "-0",
    "+5",
    "0x1f",
    "NA",
    "null",
    "é",
    "1.0",
]


@pytest.mark.parametrize("seed", range(40))
def test_blocks_and_lines_agree_on_any_file(seed: int, tmp_path: Path) -> None:
    """Either the fast reader refuses a file, or both readers read the same."""
    draw = random.Random(seed)
    block_bytes = draw.choice([20, 64, 300, 1 << 20])
    ids = IDS[: draw.choice([3, 3, 7, 7, len(IDS)])]
    fields = [
        ids,
        ids,
        ["1", "3.5", "0", "05"][: draw.choice([3, 4])],
        ["5", "70", "5.25", "1e3", "0x1f"][: draw.choice([2, 2, 4, 5])],
    ]
    ending = draw.choice(["\n", "\r\n"])
    quote = draw.choice([0, 0, 0.1])

    def field(place: int) -> str:
        text = draw.choice(fields[place])
        return f'"{text}"' if draw.random() < quote else text

    content = ending.join(
        ["userId,movieId,rating,timestamp", *(",".join(map(field, range(4))) for _ in range(60))]
    )
    path = tmp_path / "x.csv"
    path.write_text(content + draw.choice(["", ending, ending * 2]), newline="")
    fast = fast_blocks(path, layout_of(path, ","), block_bytes)
    if not quote and len(ids) == 3 and "0x1f" not in fields[3] and "05" not in fields[2]:
        assert all(fast), "plain numbers need no second look"
        rows = read_in_blocks(path, layout_of(path, ","), block_bytes)
        assert all(isinstance(part, np.ndarray) for part in rows.users)


@pytest.mark.parametrize(
    "cell", ['"1', '1"', '1"2', '"1"2', '""', '"1""2"', '","', '"1\n2"', '"a,b"', ",", "\0", "\r"]
)
@pytest.mark.parametrize("place", range(4))
def test_odd_quotes_are_never_read_otherwise_than_line_by_line(
    place: int, cell: str, tmp_path: Path
) -> None:
    rows = [[str(row), str(row + 1), "3", "4"] for row in range(6)]
    rows[3][place] = cell
    path = tmp_path / "x.csv"
    path.write_text(
        "userId,movieId,rating,timestamp\n" + "".join(",".join(row) + "\n" for row in rows),
        newline="",
    )
    try:
        fast_blocks(path, layout_of(path, ","))
    except DatasetError as error:
        assert ", line 5: " in str(error)


def test_numbers_far_apart_and_strings_in_between_are_put_in_order(tmp_path: Path) -> None:
    for ids in (["5", "123456789012345", "7", "5"], ["5", "x", "7", "5"], ["10", "9", "8"]):
        parts: list[Any] = []
        for one in ids:
            numbers = one.isdigit()
            parts.append(np.array([int(one)]) if numbers else pa.array([one]).dictionary_encode())
        found, places, _ = indices(parts)
        wanted = sorted(
            set(ids), key=lambda one: (int(one) if all(map(str.isdigit, ids)) else 0, one)
        )
        assert found == wanted and [found[place] for place in places] == ids


def test_reading_tells_how_far_it_is(tmp_path: Path, own_home: Path) -> None:
    said: list[Progress] = []
    path = as_csv(tmp_path) / "ratings.csv"
    read_in_blocks(path, layout_of(path), 100, said.append)
    open_dataset("auto", tmp_path, own_home, silent, said.append)
    reading = [one for one in said if one.what == "reading ratings.csv"]
    dones = [one.done for one in reading[:-1]]
    assert len(dones) > 10 and dones == sorted(dones)
    assert (
        reading[-1].total == (tmp_path / "ratings.csv").stat().st_size and reading[-1].unit == "B"
    )
    for what in ("preparing", "writing"):
        last = [one for one in said if one.what.startswith(what)][-1]
        assert last.done == last.total


# Prepared datasets.


def test_what_is_damaged_is_said_and_made_anew(tmp_path: Path, own_home: Path) -> None:
    data = open_dataset("auto", as_csv(tmp_path), own_home, silent, silent)
    where = prepared_dir(own_home) / data.fingerprint
    for name in (
        "catalogue.json",
        "offsets.npy",
        "user_ids.offsets.npy",
        "user_ids.text.npy",
        "items.npy",
        "dataset.json",
    ):
        content = (where / name).read_bytes()
        (where / name).write_bytes(content[: len(content) // 3])
        with pytest.raises(DatasetError, match="prepared dataset is damaged"):
            prepared.load(prepared_dir(own_home), data.fingerprint)
        again = open_dataset("auto", tmp_path, own_home, silent, silent)
        assert again.fingerprint == data.fingerprint and list(again.user_ids) == [
            "2",
            "4",
            "10",
            "33",
        ]


def test_an_opened_dataset_is_mapped_and_decodes_ids_when_asked(
    tmp_path: Path, own_home: Path
) -> None:
    for _ in range(2):
        data = open_dataset("auto", as_csv(tmp_path), own_home, silent, silent)
        assert isinstance(data.user_ids, Strings) and not data.split.items.flags.writeable
        assert (
            data.user_index("33") == 3
            and data.user_ids[1] == "4"
            and data.history(0)[0] == data.split.items[0]
        )


WORDS = ["a", "", "ab", "é", "七人の侍", "ab", "b", "😀x"]


@pytest.mark.parametrize("words", [WORDS, ["a", "b", "10"], []])
def test_strings_are_a_list_of_strings(words: list[str]) -> None:
    strings = Strings.of(words)
    strings.check()
    assert list(strings) == words and len(strings) == len(words)
    assert [strings[k] for k in range(-len(words), len(words))] == words + words
    assert strings[1:3] == words[1:3] and np.array(strings).tolist() == words
    assert [strings.index(word) for word in words] == [words.index(word) for word in words]
    assert (
        all(word in strings for word in words)
        and "zz" not in strings
        and "\udcff" not in strings
        and 1 not in strings
    )
    assert Strings.of(strings) is strings
    with pytest.raises(IndexError):
        strings[len(words)]


@pytest.mark.parametrize("last", ["", "é"])  # beside ASCII alone another way is taken
def test_strings_say_how_well_they_match(last: str) -> None:
    words = ["sim-021", "", "21", "2", "1x21", "210", "SIM-21", "12", last]
    strings = Strings.of(words)
    for text in ("21", "1", "sim-", "Sim-021", "1x", "", "a long text that no string has" * 3):
        expected = [
            (text.casefold() in word) + word.startswith(text.casefold()) + (word == text.casefold())
            for word in map(str.casefold, words)
        ]
        assert strings.matches(text).tolist() == expected, text
    assert Strings.of([]).matches("a").tolist() == []


def test_ids_of_dat_are_those_of_its_layout() -> None:
    assert [movielens_dat.LAYOUT.header[place] for place in movielens_dat.LAYOUT.places] == [
        "user id",
        "item id",
        "timestamp",
        "rating",
    ]
