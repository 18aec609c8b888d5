"""`ratings.csv` and `movies.csv`: reading, errors, finding the folder, and a run trained on it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.load import load_dataset
from neumf_tui.data.prepared import prepared_dir
from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.data.releases import RELEASES
from neumf_tui.errors import DatasetError, UsageError
from tests.support.commands import Cli
from tests.support.rating_files import ratings_100k, write_100k
from tests.support.reading import dataset_at

HEADER = "userId,movieId,rating,timestamp"
FILMS = {
    1: '1,"Matrix, The (1999)",Action|Sci-Fi|Thriller',
    2: '2,"Amélie (Fabuleux destin d\'Amélie Poulain, Le) (2001)",Comedy|Romance',
    3: '3,"She said ""no"" (1998)",Drama',
    4: "4,Babylon 5,Sci-Fi",
    5: "5,Fawlty Towers (1975-1979),Comedy",
    6: '6,"Big Bang Theory, The (2007-)",(no genres listed)',
    7: "7,千と千尋の神隠し (2001) ,Animation",
    8: "8,null,",
}


def write_csv(folder: Path, films: int = 90) -> Path:
    """Write twelve users of three tastes, who each watch twenty films of their own third."""
    folder.mkdir(parents=True, exist_ok=True)
    ratings = [
        f"{user},{1 + (user + 3 * (2 * user + k)) % films},{(1 + k % 9) / 2},"
        f"{1_000_000_000 + 1000 * user + k}"
        for user in range(1, 13)
        for k in range(20)
    ]
    movies = [
        FILMS.get(film, f"{film},Film {film} ({1900 + film}),Drama|War")
        for film in range(1, films + 10)
    ]
    (folder / "ratings.csv").write_bytes("\r\n".join([HEADER, *ratings, ""]).encode())
    (folder / "movies.csv").write_bytes("\r\n".join(["movieId,title,genres", *movies, ""]).encode())
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "small-films")


def rewrite(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Change a file's lines, also its header."""
    file.write_text("\n".join(change(file.read_text("utf-8").splitlines())) + "\n", "utf-8")


def open_folder(folder: Path, home: Path, name: str = "auto") -> Dataset:
    return open_dataset(name, folder, home, silent, silent)


def contents(data: Dataset) -> tuple[object, ...]:
    split = [getattr(data.split, key).tolist() for key in ("users", "items", "times", "heldout")]
    return (data.fingerprint, list(data.user_ids), data.catalogue, split)


def test_titles_years_genres_and_ids_are_read(folder: Path) -> None:
    data = dataset_at(folder)
    assert (data.name, data.simulated, data.num_users, data.num_items, data.notices) == (
        "small-films",
        False,
        12,
        90,
        (),
    )
    assert data.user_ids == [str(user) for user in range(1, 13)]
    assert data.catalogue.item_ids == [str(film) for film in range(1, 91)], (
        "films that nobody saw are left out"
    )
    assert list(
        zip(data.catalogue.titles, data.catalogue.years, data.catalogue.genres, strict=True)
    )[:9] == [
        ("Matrix, The", 1999, ["Action", "Sci-Fi", "Thriller"]),
        ("Amélie (Fabuleux destin d'Amélie Poulain, Le)", 2001, ["Comedy", "Romance"]),
        ('She said "no"', 1998, ["Drama"]),
        ("Babylon 5", None, ["Sci-Fi"]),
        ("Fawlty Towers", 1975, ["Comedy"]),
        ("Big Bang Theory, The", 2007, []),
        ("千と千尋の神隠し", 2001, ["Animation"]),
        ("null", None, []),
        ("Film 9", 1909, ["Drama", "War"]),
    ]
    # Of user 1 film k is 1 + 1 + 3(2 + k) = 8 + 3k, for k from 0 to 19; the last is held out.
    assert [data.catalogue.item_ids[item] for item in data.history(0)] == [
        str(8 + 3 * k) for k in range(19)
    ]
    assert data.catalogue.item_ids[data.split.heldout[0]] == str(8 + 3 * 19)
    assert data.split.times[:3].tolist() == [1_000_001_000, 1_000_001_001, 1_000_001_002]


def _turned(lines: list[str]) -> list[str]:
    return [",".join(["x", *line.split(",")[::-1]]) for line in lines]


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: ["\ufeff" + lines[0], *lines[1:]],
        lambda lines: [one for line in lines for one in (line, "")],
        lambda lines: [",".join(f'"{field}"' for field in line.split(",")) for line in lines],
        _turned,
        lambda lines: [lines[0], *(line + ".0" for line in lines[1:])],
        lambda lines: [lines[0], *(line + "e0" for line in lines[1:])],
        lambda lines: [lines[0], *(line + "000" for line in lines[1:])],
        lambda lines: [lines[0], *(line + "000000000" for line in lines[1:])],
    ],
    ids=["bom", "blank", "quoted", "turned", "float", "exponent", "milliseconds", "nanoseconds"],
)
def test_the_same_data_written_otherwise_is_the_same(
    folder: Path, change: Callable[[list[str]], list[str]]
) -> None:
    first = dataset_at(folder)
    rewrite(folder / "ratings.csv", change)
    assert contents(dataset_at(folder)) == contents(first)


def test_a_file_read_line_by_line_gives_what_arrow_gives(folder: Path) -> None:
    """Similar ids stay different; fractions of a second give the order; both readers agree."""
    tail = [
        "007,1,4,5",
        "7,2,4,5",
        "NA,3,4,5.25",
        "NA,4,4,5.5",
        "NA,5,4,5.125",
        "u 1,6,4,5",
        "u 1,7,4,5",
    ]
    rewrite(folder / "ratings.csv", lambda lines: lines + tail)
    regular = dataset_at(folder)
    assert sorted(regular.user_ids) == regular.user_ids and {"007", "7", "NA", "u 1"} < set(
        regular.user_ids
    )
    held = {
        user: regular.catalogue.item_ids[item]
        for user, item in zip(regular.user_ids, regular.split.heldout, strict=True)
    }
    assert held["NA"] == "4", "the latest"
    assert held["u 1"] == "7", "of equal times that with the greatest hash"
    na = regular.user_ids.index("NA")
    assert [regular.catalogue.item_ids[item] for item in regular.history(na)] == ["5", "3"], (
        "oldest first"
    )
    assert regular.split.times[regular.split.users == na].tolist() == [5, 5]
    rewrite(folder / "ratings.csv", lambda lines: [*lines[:-1], '"u 1",7,4,5'])
    assert contents(dataset_at(folder)) == contents(regular)


def test_what_a_person_should_know_is_noticed(folder: Path) -> None:
    def worse(lines: list[str]) -> list[str]:
        return [lines[0], *(line + "000" for line in [*lines[1:], lines[1], "99,1,5,1000000000"])]

    rewrite(folder / "ratings.csv", worse)
    assert dataset_at(folder).notices == (
        "timestamps are too large for seconds, and are read as milliseconds",
        "1 duplicate interactions were dropped; the latest is kept",
        "1 users with a single interaction are trained on, not evaluated",
    )


@pytest.mark.parametrize("quote", [False, True], ids=["plain", "quoted"])
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1,2,3", "3 columns; expected the 4 of the header"),
        ("1,2,3,4,5", "5 columns; expected the 4"),
        (",2,3,4", "userId is empty"),
        ("1,,3,4", "movieId is empty"),
        ("1,2,good,4", "rating 'good' is not a number"),
        ("1,2,nan,4", "rating 'nan' is not a number"),
        ("1,2,,4", "rating is empty"),
        ("1,2,1_0,4", "rating '1_0' is not a number"),
        ("1,2,3,today", "timestamp 'today' is not a number"),
        ("1,2,3,True", "timestamp 'True' is not a number"),
        ("1,2,3,1e999", "timestamp '1e999' is not a number"),
        ("1,2,3,-4", "timestamp -4 is out of range"),
        ("1,2,3,99999999999999999999", "timestamp 99999999999999999999 is out of range"),
        (
            '1,"2"x,3,4',
            "cannot be read (',' expected after '\"'); expected fields separated by commas",
        ),
        ('1,"2,3,4', "cannot be read (unexpected end of data)"),
    ],
)
def test_a_bad_line_of_ratings_is_named(folder: Path, line: str, says: str, quote: bool) -> None:
    first = (lambda text: text.replace("1,", '"1",', 1)) if quote else str
    rewrite(
        folder / "ratings.csv",
        lambda lines: [lines[0], first(lines[1]), *lines[2:8], line, *lines[8:]],
    )
    with pytest.raises(DatasetError, match=r"ratings\.csv, line 9: ") as caught:
        dataset_at(folder)
    assert says in str(caught.value)


def test_lines_too_long_and_too_short_do_not_make_up_for_one_another(folder: Path) -> None:
    rewrite(folder / "ratings.csv", lambda lines: [lines[0], "1,2,3,4,5", "1,2,3", *lines[1:]])
    with pytest.raises(DatasetError, match=r"ratings\.csv, line 2: 5 columns"):
        dataset_at(folder)
    rewrite(folder / "ratings.csv", lambda lines: [lines[0], lines[3], *lines[1:]])
    with pytest.raises(DatasetError, match=r"ratings\.csv, line 3: 5 columns"):
        dataset_at(folder)


@pytest.mark.parametrize(
    ("line", "says", "title"),
    [
        ("4,Babylon 5", "line 6: 2 columns; expected the 3 of the header", "4"),
        ("4,Good, the Bad and the Ugly,Western", "line 6: 4 columns; expected the 3", "4"),
        ("3,Again (1998),Drama", "1 rows of movies.csv repeat an item; the first", "4"),
        (",Nameless,Drama", "1 items are not in movies.csv", "4"),
        ("4, ,Drama", "", "4"),
    ],
)
def test_a_bad_line_of_movies_is_told_and_its_film_goes_by_its_id(
    folder: Path, line: str, says: str, title: str
) -> None:
    # The title before it goes over two lines: it is lines that are counted, not records.
    rewrite(
        folder / "movies.csv",
        lambda lines: [lines[0], *lines[3:4], '2,"Two', 'lines",Drama', lines[1], line, *lines[5:]],
    )
    data = dataset_at(folder)
    assert data.catalogue.titles[1:4] == ["Two\nlines", 'She said "no"', title]
    assert any(says in notice for notice in data.notices) or not says


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "ratings.csv: the file is empty"),
        (b"\xef\xbb\xbf \r\n", "ratings.csv: the file is empty"),
        (b"userId,movieId,rating,timestamp\n", "ratings.csv: no rows below the header"),
        (
            b"movieId,rating,timestamp\n1,2,3\n",
            "ratings.csv, line 1: no column is known as the user; expected names such as user_id",
        ),
        (
            b"who,what,rating,timestamp\n1,2,3,1000086400\n",
            "found 1 'who', 2 'what', 3 'rating', 4 'timestamp'; name the columns: --columns "
            "user=who,item=what,rating=rating,time=timestamp",
        ),
        (
            b"userId,movieId,rating,timestamp,rating\n1,2,3,4,5\n",
            "line 1: more than one column rating",
        ),
        (
            b"1,2,3,1000086400\n1,3,3,1000086500\n",
            "line 1: the first line is not a header; found 1 '1', 2 '2', 3 '3', 4 '1000086400'; ",
        ),
    ],
)
def test_a_file_that_is_no_table_of_ratings(folder: Path, content: bytes, says: str) -> None:
    (folder / "ratings.csv").write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        dataset_at(folder)
    assert says in str(caught.value)


def test_movies_in_another_encoding_or_missing(folder: Path) -> None:
    movies = folder / "movies.csv"
    movies.write_bytes(
        movies.read_bytes().decode().replace("千と千尋の神隠し", "Spirited Away").encode("latin-1")
    )
    data = dataset_at(folder)
    assert data.catalogue.titles[1].startswith("Amélie")
    assert data.notices == ("movies.csv is not UTF-8; it is read as Windows-1252",)
    movies.write_bytes(movies.read_bytes() + "99,Amélie und andere Größen,x\n".encode() * 9)
    with pytest.raises(
        DatasetError,
        match=r"movies\.csv, line 3: byte 0xe9 is not UTF-8, but the rest .* convert the file",
    ):
        dataset_at(folder)
    movies.unlink()
    alone = dataset_at(folder)
    assert alone.fingerprint == data.fingerprint
    assert alone.catalogue.titles[1] == "2"


def test_a_folder_gives_its_name_and_is_found_by_it(
    folder: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = folder.parent
    for named, name in (
        (folder, "auto"),
        (folder, "small-films"),
        (parent, "small-films"),
        (parent, "auto"),
    ):
        assert open_folder(named, own_home, name).name == "small-films"
    monkeypatch.chdir(folder)
    assert open_folder(Path(), own_home).name == "small-films"
    (folder / "sub").mkdir()
    assert open_folder(Path("sub/.."), own_home).name == "small-films"
    monkeypatch.setenv("NEUMF_TUI_DATA", str(parent))
    for name in ("auto", "small-films"):
        assert open_dataset(name, None, own_home, silent, silent).name == "small-films"
    odd = write_csv(parent / "my \x1b[31m films")
    assert open_folder(odd, own_home).name == "my-·[31m-films"
    for taken in ("demo", "auto", "ml-100k"):
        assert open_folder(write_csv(parent / "other" / taken), own_home).name == f"{taken}-files"


def test_a_folder_that_does_not_hold_what_is_meant_is_refused(
    folder: Path, own_home: Path, tmp_path: Path
) -> None:
    expected = "expected a folder with u.data and u.item, or with ratings.csv and movies.csv"
    (tmp_path / "empty").mkdir()
    for named, name, says in (
        (tmp_path / "empty", "auto", "holds no dataset, nor do its subfolders; "),
        (
            folder,
            "ml-100k",
            "holds no dataset ml-100k, nor do its subfolders, only small-films (ratings.csv); ",
        ),
        (folder, "other", "holds no dataset other, nor"),
    ):
        with pytest.raises(DatasetError) as caught:
            open_folder(named, own_home, name)
        assert f"--data-dir {named}: {says}" in str(caught.value) and expected in str(caught.value)
    with pytest.raises(UsageError, match="--data-dir has no effect on demo"):
        open_folder(folder, own_home, "demo")


def test_of_two_datasets_in_a_folder_none_is_chosen_in_silence(
    folder: Path, own_home: Path
) -> None:
    write_100k(folder, ratings_100k())
    with pytest.raises(
        DatasetError,
        match=r"holds ml-100k \(u.data\) and small-films \(ratings.csv\); .* --data-dir .*/u.data",
    ):
        open_folder(folder, own_home)
    assert open_folder(folder, own_home, "ml-100k").num_users == 8
    assert open_folder(folder, own_home, "small-films").num_users == 12
    both = folder.parent / "both"
    for one in ("this", "that"):
        write_csv(both / one)
    with pytest.raises(
        DatasetError,
        match=r"holds that \(ratings.csv\) and this \(ratings.csv\); expected one dataset",
    ):
        open_folder(both, own_home)
    write_100k(both / "hundred", ratings_100k())
    assert open_folder(both, own_home).name == "ml-100k", "as ever in a parent folder"
    assert open_folder(both, own_home, "this").name == "this"


def test_the_home_and_earlier_folders_are_listed_and_found(
    folder: Path, own_home: Path, inside: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed() -> dict[str, tuple[bool, str]]:
        return {
            row["name"]: (row["available"], row["where"])
            for row in json.loads(inside("datasets", "--json").stdout)
        }

    with pytest.raises(
        UsageError,
        match=r"small-films: expected one of auto, ml-100k, .*, ml-32m, demo; .* --data-dir",
    ):
        open_dataset("small-films", None, own_home, silent, silent)
    assert list(listed()) == [*RELEASES, "demo"]
    assert listed()["ml-20m"] == (
        False,
        "20 million ratings, 2015; fetched from GroupLens, 199 MB when first used",
    )
    assert listed()["ml-32m"][1].endswith(
        "fetched from GroupLens with --accept-unverified: its hash is not known"
    )
    in_home = write_csv(own_home / "datasets" / "from-home")
    in_env = write_csv(own_home.parent / "env" / "from-env")
    monkeypatch.setenv("NEUMF_TUI_DATA", str(in_env))
    rewrite(folder / "ratings.csv", lambda lines: lines[:-1])
    open_folder(folder, own_home)
    there = listed()
    assert list(there) == [*RELEASES, "from-env", "from-home", "small-films", "demo"]
    assert there["small-films"] == (True, str(folder)) and there["from-home"] == (
        True,
        str(in_home),
    )
    assert (
        not there["ml-100k"][0]
        and f"NEUMF_TUI_DATA {in_env}: holds no dataset ml-100k" in there["ml-100k"][1]
    )
    said: list[str] = []
    for name in ("from-env", "from-home", "small-films"):
        assert open_dataset(name, None, own_home, said.append, silent).name == name
    assert said == [
        f"from-env from {in_env}",
        f"from-home from {in_home}",
        f"small-films from {folder}",
    ]
    shutil.rmtree(folder)
    with pytest.raises(DatasetError, match="holds no dataset small-films"):
        open_dataset("small-films", None, own_home, silent, silent)
    (next(prepared_dir(own_home).glob("*/dataset.json"))).write_text("{")
    assert list(listed()) == [*RELEASES, "from-env", "from-home", "demo"], (
        "a damaged one is passed over"
    )


def test_what_was_prepared_is_what_was_read_until_a_file_changes(
    folder: Path, own_home: Path
) -> None:
    read = dataset_at(folder)
    for _ in range(2):
        data = open_folder(folder, own_home)
        assert contents(data) == contents(read) and (data.name, data.source) == (
            "small-films",
            str(folder),
        )
    loaded = load_dataset(read.fingerprint, "small-films", own_home)
    assert contents(loaded) == contents(read)
    rewrite(
        folder / "movies.csv",
        lambda lines: [line.replace("Babylon 5", "Babylon 4") for line in lines],
    )
    assert "Babylon 4" in open_folder(folder, own_home).catalogue.titles
    rewrite(folder / "ratings.csv", lambda lines: lines[:-1])
    assert open_folder(folder, own_home).fingerprint != read.fingerprint


def test_two_folders_of_the_same_ratings_keep_their_names_and_titles(
    folder: Path, own_home: Path
) -> None:
    other = write_csv(folder.parent / "other-titles")
    rewrite(
        other / "movies.csv",
        lambda lines: [line.replace("Babylon 5", "Babylon 4") for line in lines],
    )
    for _ in range(2):
        one, two = open_folder(folder, own_home), open_folder(other, own_home)
        assert one.fingerprint == two.fingerprint
        assert (one.name, one.catalogue.titles[3]) == ("small-films", "Babylon 5")
        assert (two.name, two.catalogue.titles[3]) == ("other-titles", "Babylon 4")
    assert load_dataset(one.fingerprint, "small-films", own_home).name == "small-films"


def test_a_lost_prepared_dataset_is_made_anew_from_its_files(
    folder: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_folder(folder, own_home)
    before = contents(first)

    def again() -> Dataset:
        shutil.rmtree(prepared_dir(own_home))
        return load_dataset(first.fingerprint, "small-films", own_home, str(folder))

    assert contents(again()) == before
    write_100k(folder, ratings_100k())
    assert contents(again()) == before, "the other dataset in the folder is not taken for it"
    moved = folder.rename(folder.parent / "moved")
    with pytest.raises(
        DatasetError,
        match=r"missing, and its original .*small-films\) are not found; set .*or with ratings.csv",
    ):
        again()
    prepared_dir(own_home).mkdir()
    monkeypatch.setenv("NEUMF_TUI_DATA", str(moved))
    assert contents(again()) == before and again().name == "small-films", (
        "under the name that the run knows"
    )
    rewrite(moved / "ratings.csv", lambda lines: lines[:-1])
    with pytest.raises(DatasetError, match=r"its original files .* are not found"):
        again()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(folder: Path, own_home: Path) -> None:
    folder.chmod(0)
    try:
        with pytest.raises(DatasetError, match="may not be read"):
            open_folder(folder, own_home)
    finally:
        folder.chmod(0o755)


@pytest.mark.slow
def test_an_epoch_is_trained_on_it(folder: Path, own_home: Path, inside: Cli) -> None:
    done = inside(
        "train",
        "--data-dir",
        str(folder),
        "--epochs",
        "1",
        "--threads",
        "1",
        "--name",
        "csv",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (
        summary["dataset"],
        summary["num_users"],
        summary["num_items"],
        summary["num_train"],
    ) == ("small-films", 12, 90, 228)
    assert 0 <= summary["metrics"]["hit@50"] <= 1 and 0 < summary["metrics"]["auc"] < 1
    shutil.rmtree(prepared_dir(own_home))
    ranked = json.loads(inside("rank", "1", "--run", "csv", "--top", "all", "--json").stdout)
    assert len(ranked["items"]) == 90 - 19 and ranked["heldout"]["item_id"] == str(8 + 3 * 19)
    folder.rename(folder.parent / "elsewhere")
    shutil.rmtree(prepared_dir(own_home))
    lost = inside("rank", "1", "--run", "csv")
    assert lost.returncode == 3 and "NEUMF_TUI_DATA" in lost.stderr and lost.stdout == ""


def test_bad_csv_stops_before_a_run_is_made(folder: Path, own_home: Path, inside: Cli) -> None:
    rewrite(folder / "ratings.csv", lambda lines: [*lines, "1,2,3,late"])
    result = inside("train", "--data-dir", str(folder), "--plain")
    assert (
        result.returncode == 3
        and "ratings.csv, line 242: timestamp 'late' is not a number" in result.stderr
    )
    assert not (own_home / "runs").exists()
