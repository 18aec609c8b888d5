"""Folders and files that people have: of Kaggle, HetRec, RecBole and papers, also in a zip."""

import gzip
import zipfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from neumf_tui.data.formats import sources_in
from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.errors import DatasetError, UsageError
from tests.support.rating_files import FILMS, TRIPLES, as_100k, as_csv, as_recbole
from tests.support.reading import dataset_at

Row = tuple[int, int, int]
INTER = "user_id:token\titem_id:token\ttimestamp:float"


def iso(time: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return datetime.fromtimestamp(time, UTC).strftime(form)


def write(
    file: Path, header: str, line: Callable[[int, int, int], str], rows: Iterable[Row] = TRIPLES
) -> Path:
    """Write a line for each interaction, below the header if there is one."""
    lines = [header, *(line(*row) for row in rows)] if header else [line(*row) for row in rows]
    file.write_text("\n".join([*lines, ""]))
    return file


def as_inter(file: Path, rows: Iterable[Row] = TRIPLES) -> Path:
    return write(file, INTER, lambda user, item, time: f"{user}\t{item}\t{time}", rows)


def parts(valid: bool = True) -> dict[str, list[Row]]:
    """Return for each user 15 rows to learn from, two for validation and three to test."""
    cuts = {"train": (0, 15), "valid": (15, 17), "test": (17, 20)}
    return {
        name: [row for k, row in enumerate(TRIPLES) if start <= k % 20 < end]
        for name, (start, end) in cuts.items()
        if valid or name != "valid"
    }


@pytest.fixture
def wanted(tmp_path: Path) -> str:
    """Return the fingerprint of the same interactions in a table."""
    (tmp_path / "wanted").mkdir()
    return dataset_at(as_csv(tmp_path / "wanted")).fingerprint


def write_kaggle_20m(folder: Path) -> None:
    rating = '"userId","movieId","rating","timestamp"'
    write(folder / "rating.csv", rating, lambda u, i, t: f'{u},{i},3.5,"{iso(t)}"')
    write(folder / "tag.csv", rating, lambda u, i, t: f'{u},{i},"good","{iso(t)}"')
    films = "".join(f'{n},"{t} ({y})","{"|".join(g)}"\n' for n, (t, y, g) in FILMS.items())
    (folder / "movie.csv").write_text(f'"movieId","title","genres"\n{films}')
    (folder / "link.csv").write_text('"movieId","imdbId","tmdbId"\n1,"0114709",862\n')


def write_movies_dataset(folder: Path) -> None:
    """Write the dataset whose films have other ids (TMDB's) than its ratings."""
    header = "userId,movieId,rating,timestamp"
    write(folder / "ratings.csv", header, lambda u, i, t: f"{u},{i},3.5,{t}")
    write(folder / "ratings_small.csv", header, lambda u, i, t: f"{u},{i},3.5,{t}", TRIPLES[:40])
    for name in ("links.csv", "links_small.csv"):
        links = "".join(f"{n},0{n},{1000 + n}.0\n" for n in FILMS)
        (folder / name).write_text(f"movieId,imdbId,tmdbId\n{links}")
    films = "".join(
        f'False,"[{", ".join(str({"id": 1, "name": one}) for one in g)}]",{1000 + n},{y}-10-30,'
        f'"A film,\nof two lines",{t}\n'
        for n, (t, y, g) in FILMS.items()
    )
    header = "adult,genres,id,release_date,overview,title"
    (folder / "movies_metadata.csv").write_text(f"{header}\n{films} - Written by,0.06\n")


def write_hetrec(folder: Path) -> None:
    header = "userID\tmovieID\trating\ttimestamp"
    name = "user_ratedmovies-timestamps.dat"
    write(folder / name, header, lambda u, i, t: f"{u}\t{i}\t3.5\t{t}000")
    header = "userID\tmovieID\ttagID\ttimestamp"
    name = "user_taggedmovies-timestamps.dat"
    write(folder / name, header, lambda u, i, t: f"{u}\t{i}\t7\t{t}000")
    films = "".join(f"{n}\t{t}\t0{n}\tPelícula\t{y}\n" for n, (t, y, _) in FILMS.items())
    (folder / "movies.dat").write_text(f"id\ttitle\timdbID\tspanishTitle\tyear\n{films}", "latin-1")


@pytest.mark.parametrize("fill", [write_kaggle_20m, write_movies_dataset, write_hetrec])
def test_editions_of_movielens_have_titles(
    tmp_path: Path, wanted: str, fill: Callable[[Path], None]
) -> None:
    folder = tmp_path / "edition"
    folder.mkdir()
    fill(folder)
    data = dataset_at(folder)
    assert (data.name, data.fingerprint) == ("edition", wanted)
    assert data.noun == ("film", "films")
    films = [FILMS[int(item)] for item in data.catalogue.item_ids]
    assert data.catalogue.titles == [title for title, _, _ in films]
    assert data.catalogue.years == [year for _, year, _ in films]
    if fill is not write_hetrec:
        assert data.catalogue.genres == [genres for _, _, genres in films]
    assert data.read_facts.untitled == 0


def test_of_the_movies_dataset_the_small_ratings_can_be_named(tmp_path: Path) -> None:
    write_movies_dataset(tmp_path)
    whole = dataset_at(tmp_path)
    assert "ratings_small.csv not used; name one with --data-dir to use it instead" in whole.notices
    assert any("1 rows of movies_metadata.csv cannot be read" in one for one in whole.notices)
    small = dataset_at(tmp_path / "ratings_small.csv")
    assert (small.num_users, small.catalogue.titles[0]) == (2, "Film 4")
    (tmp_path / "links.csv").unlink()
    (tmp_path / "links_small.csv").unlink()
    unlinked = dataset_at(tmp_path / "ratings.csv")
    assert unlinked.catalogue.titles == unlinked.catalogue.item_ids, "never another film's title"


def test_lastfm_of_hetrec_has_artists(tmp_path: Path, wanted: str) -> None:
    header = "userID\tartistID\ttagID\ttimestamp"
    name = "user_taggedartists-timestamps.dat"
    write(tmp_path / name, header, lambda u, i, t: f"{u}\t{i}\t7\t{t}000")
    assert dataset_at(tmp_path).fingerprint == wanted
    write(tmp_path / "user_artists.dat", "userID\tartistID\tweight", lambda u, i, _: f"{u}\t{i}\t9")
    artists = "".join(f"{n}\tBand {n}\thttp://band/{n}\n" for n in FILMS)
    (tmp_path / "artists.dat").write_text(f"id\tname\turl\n{artists}")
    data = dataset_at(tmp_path)
    assert data.fingerprint == wanted
    assert data.noun == ("artist", "artists")
    assert data.catalogue.titles == [f"Band {one}" for one in data.catalogue.item_ids]


def test_tables_without_a_header_that_are_known_by_their_name(tmp_path: Path, wanted: str) -> None:
    file = tmp_path / "loc-gowalla_totalCheckins.txt"
    write(file, "", lambda u, i, t: f"{u}\t{iso(t, '%Y-%m-%dT%H:%M:%SZ')}\t30.2\t-97.7\t{i}")
    for place in (file, tmp_path):
        data = dataset_at(place)
        assert (data.fingerprint, data.noun.singular) == (wanted, "place")
    file.rename(tmp_path / "checkins.txt")
    named = dataset_at(tmp_path / "checkins.txt", columns="user=1,item=5,time=2")
    assert named.fingerprint == wanted
    steam = tmp_path / "steam-200k.csv"
    write(steam, "", lambda u, i, _: f'{u},"Game, part {i}",purchase,1.0,0')
    games = dataset_at(steam)
    assert (games.facts.split, games.noun.singular) == ("random", "game")
    assert games.catalogue.titles[0] == "Game, part 10"


def test_the_split_of_recbole_is_kept(tmp_path: Path) -> None:
    for name, rows in parts().items():
        as_inter(tmp_path / f"ml.{name}.inter", rows)
    (tmp_path / "ml.item").write_text(
        "item_id:token\tmovie_title:token_seq\tclass:token_seq\n"
        + "".join(f"{n}\tFilm {n}\tDrama War\n" for n in FILMS)
    )
    data = dataset_at(tmp_path)
    assert (data.name, data.facts.split, data.facts.unused) == ("ml", "given", 8)
    assert (data.num_users, data.num_train, data.facts.heldout) == (4, 68, 4)
    assert "the split is that of the files: ml.train.inter, ml.valid.inter, ml.test.inter" in (
        data.notices
    )
    assert data.catalogue.titles[0] == "Film 3"
    assert data.catalogue.genres[0] == ["Drama", "War"]
    expected = {user: (TRIPLES[20 * k + 15][1], TRIPLES[20 * k + 17][1])
                for k, user in enumerate((10, 2, 33, 4))}  # fmt: skip
    for row, user in enumerate(data.user_ids):
        found = data.validation[row], data.split.heldout[row]
        assert tuple(int(data.catalogue.item_ids[one]) for one in found) == expected[int(user)]
    np.testing.assert_array_equal(data.split.known, [15] * 4)
    whole = dataset_at(as_csv(tmp_path)).fingerprint
    assert dataset_at(tmp_path / "ml.test.inter", split="latest").fingerprint == whole


@pytest.mark.parametrize("names", [("part1", "part2", "part3"), ("part1", "part2")])
def test_numbered_parts_are_a_split(tmp_path: Path, names: tuple[str, ...]) -> None:
    written = parts(valid=len(names) == 3).values()
    for name, rows in zip(names, written, strict=True):
        as_inter(tmp_path / f"x.{name}.inter", rows)
    data = dataset_at(tmp_path)
    assert (data.name, data.facts.split) == ("x", "given")
    assert data.num_train == (68 if len(names) == 3 else 60)


def test_parts_of_any_table_are_a_split(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    written = parts()
    row = lambda u, i, t: f"{u},{i},{t}"  # noqa: E731
    write(shop / "train.csv", "user,item,time", row, written["train"])
    write(shop / "test.csv", "user,item,time", row, written["test"])
    data = dataset_at(shop)
    assert (data.name, data.facts.split, data.facts.unused) == ("shop", "given", 8)
    (shop / "test.csv").unlink()
    assert dataset_at(shop).name == "train", "one part alone is a table like others"


def test_the_files_of_the_ncf_papers_are_one_dataset(tmp_path: Path, own_home: Path) -> None:
    written = parts(valid=False)
    for name in ("ml-1m", "pinterest-20"):
        for part, rows in written.items():
            line = "{}\t{}\t4\t{}" if name == "ml-1m" else "{}\t{}"
            write(tmp_path / f"{name}.{part}.rating", "", line.format, rows)
        (tmp_path / f"{name}.test.negative").write_text("(10,4)\t7\t9\n")
    with pytest.raises(DatasetError, match=r"holds ml-1m \(ml-1m.train.rating\) and pinterest-20"):
        open_dataset("auto", tmp_path, own_home, silent, silent)
    data = open_dataset("ml-1m", tmp_path, own_home, silent, silent)
    assert (data.facts.split, data.num_train, data.facts.heldout) == ("given", 60, 4)
    assert data.noun == ("film", "films")
    assert any(
        one.startswith("ml-1m.test.negative is not used") and "--sampled" in one
        for one in data.notices
    )
    other = dataset_at(tmp_path / "pinterest-20.train.rating")
    assert (other.facts.split, other.num_train, other.facts.heldout) == ("given", 60, 4)


def test_what_is_held_out_is_not_learned_from_even_if_both_parts_have_it(tmp_path: Path) -> None:
    # User 10 has nothing else in the test part; user 2 has a new film, which counts.
    again, new = TRIPLES[10:0:-1], [(2, 99, 5), (2, TRIPLES[20][1], 1)]
    as_inter(tmp_path / "x.train.inter")
    as_inter(tmp_path / "x.test.inter", [*again, *new])
    data = dataset_at(tmp_path)
    held = {
        user: data.catalogue.item_ids[item]
        for user, item in zip(data.user_ids, data.split.heldout.tolist(), strict=True)
        if item >= 0
    }
    assert held == {"10": str(TRIPLES[1][1]), "2": "99"}
    assert data.num_train == len(TRIPLES) - 1
    assert any(one.startswith("1 users have no test interaction that") for one in data.notices)


@pytest.mark.parametrize(
    ("old", "new"),
    [("\t", ","), ("\t1000", "\t1.000"), ("\n", "\r\n"), ("_id:token", ":token")],
    ids=["commas", "scientific", "carriage returns", "other names"],
)
def test_atomic_files_written_otherwise(tmp_path: Path, wanted: str, old: str, new: str) -> None:
    text = as_inter(tmp_path / "x.inter").read_text().replace(old, new)
    if new == "\t1.000":
        head, *lines = text.splitlines()
        text = "\n".join([head, *(f"{line}e+09" for line in lines)])
    (tmp_path / "x.inter").write_text(text)
    assert dataset_at(tmp_path).fingerprint == wanted


def test_an_atomic_file_without_times_is_split_at_random(tmp_path: Path) -> None:
    header = "user_id:token\tartist_id:token\tweight:float"
    write(tmp_path / "lastfm.inter", header, lambda u, i, _: f"{u}\t{i}\t7")
    data = dataset_at(tmp_path)
    assert (data.facts.split, data.noun.singular) == ("random", "artist")
    assert "no times: histories are in a random order, and the split is random" in data.notices


def test_hidden_files_are_passed_over(tmp_path: Path, wanted: str) -> None:
    folder = tmp_path / "mac"
    folder.mkdir()
    as_recbole(folder)
    (folder / "._films.inter").write_bytes(b"\0\5\x16\7 Mac OS X")
    (folder / ".DS_Store").touch()
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._films.inter").touch()
    assert dataset_at(folder).fingerprint == wanted


def test_the_main_table_counts_and_the_others_are_named(tmp_path: Path, own_home: Path) -> None:
    row = lambda u, i, t: f"{u},{i},{t}"  # noqa: E731
    write(tmp_path / "ratings.csv", "user_id,book_id,timestamp", row)
    write(tmp_path / "to_read.csv", "user_id,book_id,timestamp", row, TRIPLES[:9])
    books = "".join(f"{n},9{n},Book {n}\n" for n in FILMS)
    (tmp_path / "books.csv").write_text(f"book_id,goodreads_book_id,title\n{books}")
    data = dataset_at(tmp_path)
    assert (data.num_train, data.noun.singular) == (76, "book")
    assert data.catalogue.titles[0] == "Book 3"
    assert "to_read.csv not used; name one with --data-dir to use it instead" in data.notices
    (tmp_path / "ratings.csv").rename(tmp_path / "seen.csv")
    with pytest.raises(DatasetError, match=r"seen.csv\) and to_read .*; choose one, .*--data-dir"):
        open_dataset("auto", tmp_path, own_home, silent, silent)


@pytest.mark.parametrize("fill", [as_csv, as_100k, as_recbole])
@pytest.mark.parametrize("inside", ["", "data/"])
def test_a_zip_is_read_like_a_folder(
    tmp_path: Path, own_home: Path, wanted: str, fill: Callable[[Path], Path], inside: str
) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    fill(folder)
    archive = tmp_path / "mine.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file in sorted(folder.iterdir()):
            zipped.write(file, inside + file.name)
            zipped.writestr(f"__MACOSX/{inside}._{file.name}", b"\0\5\x16\7")
    data = open_dataset("auto", archive, own_home, silent, silent)
    assert data.catalogue.titles[0] == "Film 3"
    if fill is not as_100k:
        assert data.fingerprint == wanted
    expected = {as_csv: "data" if inside else "mine", as_100k: "ml-100k", as_recbole: "films"}
    assert data.name == expected[fill]
    again = open_dataset("auto", archive, own_home, silent, silent)
    assert again.fingerprint == data.fingerprint


def write_book_crossing(folder: Path) -> None:
    line = '"{}";"0{}";"7"'.format
    header = '"User-ID";"ISBN";"Book-Rating"'
    write(folder / "BX-Book-Ratings.csv", header, lambda u, i, _: line(u, i))
    books = "".join(f'"0{n}";"Größe {n}";"{1900 + n}"\n' for n in FILMS)
    header = '"ISBN";"Book-Title";"Year-Of-Publication"\n'
    (folder / "BX-Books.csv").write_text(f'{header}{books}"01";"a \\"b\\"; c";"1"\n', "latin-1")
    (folder / "BX-Users.csv").write_text('"User-ID";"Location"\n"10";"Here"\n')


def write_yelp(folder: Path) -> None:
    line = '{{"user_id": "u{}", "business_id": "0{}", "stars": 4.0, "date": "{}"}}'.format
    for name in ("review", "tip"):
        file = folder / f"yelp_academic_dataset_{name}.json"
        write(file, "", lambda u, i, t: line(u, i, iso(t)))
    shops = (f'{{"business_id": "0{n}", "name": "Größe {n}", "city": "Ulm"}}\n' for n in FILMS)
    (folder / "yelp_academic_dataset_business.json").write_text("".join(shops))


def write_amazon(folder: Path) -> None:
    line = (
        '{{"user_id": "u{}", "asin": "0{}", "rating": 5.0, "title": "x", "timestamp": {}}}'.format
    )
    write(folder / "Books.jsonl", "", line)
    books = (f'{{"asin": "0{n}", "title": "Größe {n}", "store": "Ulm"}}\n' for n in FILMS)
    (folder / "meta_Books.jsonl").write_text("".join(books))


@pytest.mark.parametrize(
    ("fill", "name", "noun"),
    [
        (write_book_crossing, "BX-Book-Ratings", "book"),
        (write_yelp, "yelp_academic_dataset_review", "business"),
        (write_amazon, "Books", "book"),
    ],
)
def test_published_tables_are_found_with_their_items(
    tmp_path: Path, fill: Callable[[Path], None], name: str, noun: str
) -> None:
    fill(tmp_path)
    data = dataset_at(tmp_path)
    assert (data.name, data.noun.singular, data.num_users) == (name, noun, 4)
    assert data.catalogue.titles == [f"Größe {int(one)}" for one in data.catalogue.item_ids]


def test_a_table_in_parts_is_found_beside_its_items(tmp_path: Path, own_home: Path) -> None:
    shop = tmp_path / "shop"
    (shop / "purchases").mkdir(parents=True)
    for number in range(4):
        rows = TRIPLES[20 * number :][:20]
        file = shop / "purchases" / f"part-{number:05}.csv"
        write(file, "customer,product,time", lambda u, i, t: f"{u},{i},{t}", rows)
    (shop / "products.csv").write_text("id,name\n" + "".join(f"{n},Lamp {n}\n" for n in FILMS))
    data = open_dataset("auto", shop, own_home, silent, silent)
    assert (data.name, data.num_train, data.noun.plural) == ("purchases", 76, "products")
    assert data.catalogue.titles[0] == "Lamp 3"


def test_compressed_files_of_a_folder_are_found_by_their_names(tmp_path: Path, wanted: str) -> None:
    folder = tmp_path / "packed"
    folder.mkdir()
    as_csv(folder)
    for file in list(folder.iterdir()):
        (folder / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    data = dataset_at(folder)
    assert (data.name, data.fingerprint) == ("packed", wanted)
    assert data.catalogue.titles[0] == "Film 3"


def test_every_file_that_is_read_is_watched(tmp_path: Path) -> None:
    for fill, names in (
        (write_movies_dataset, {"ratings.csv", "movies_metadata.csv", "links.csv"}),
        (as_100k, {"u.data", "u.item"}),
        (as_recbole, {"films.inter", "films.item"}),
    ):
        folder = tmp_path / fill.__name__
        folder.mkdir()
        fill(folder)
        (source,) = sources_in(folder)
        assert {file.name for file in source.files} == names


def test_columns_of_a_format_without_header_cannot_be_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--columns: ml-100k \(u.data\) has no header"):
        dataset_at(as_100k(tmp_path), columns="user=1,item=2,time=4")
