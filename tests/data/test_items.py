"""The file of items: named by a person or found beside the interactions, in any form."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.load import load_dataset
from neumf_tui.data.nouns import Noun, noun_in, parse_noun, plural_of
from neumf_tui.data.progress import silent
from neumf_tui.data.readers.item_names import genres_of, year_of
from neumf_tui.data.registry import open_dataset
from neumf_tui.errors import DatasetError, NeumfTuiError, UsageError
from tests.support.rating_files import TRIPLES, as_100k, as_csv
from tests.support.reading import dataset_at

ITEMS = sorted({f"P-{item}" for _, item, _ in TRIPLES})


def write_purchases(folder: Path, column: str = "product_id", name: str = "purchases.csv") -> Path:
    rows = "".join(f"{user},P-{item},{time}\n" for user, item, time in TRIPLES)
    (folder / name).write_text(f"user_id,{column},timestamp\n{rows}")
    return folder / name


def as_table(file: Path, separator: str = ",", encoding: str = "utf-8") -> Path:
    lines = [f"{one},Größe {one},Home|Garden,2019-04-13,red" for one in ITEMS]
    text = "\n".join(["product_id,name,category,released,colour", *lines, ""])
    text = text.replace("released", "release date").replace(",", separator)
    file.write_bytes(text.encode(encoding))
    return file


def as_json(file: Path) -> Path:
    lines = [
        {
            "product_id": one, "name": f"Größe {one}", "category": ["Home", "Garden"],
            "release_date": "2019-04-13", "colour": "red",
        }
        for one in ITEMS
    ]  # fmt: skip
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def as_parquet(file: Path) -> Path:
    columns = {
        "product_id": ITEMS, "name": [f"Größe {one}" for one in ITEMS],
        "category": [["Home", "Garden"]] * len(ITEMS), "year": [2019.0] * len(ITEMS),
        "colour": ["red"] * len(ITEMS),
    }  # fmt: skip
    parquet.write_table(pa.table(columns), file)
    return file


FORMS: list[Callable[[Path], Path]] = [
    lambda folder: as_table(folder / "products.csv"),
    lambda folder: as_table(folder / "products.csv", ";", "latin-1"),
    lambda folder: as_table(folder / "products.tsv", "\t", "utf-8-sig"),
    lambda folder: as_json(folder / "products.jsonl"),
    lambda folder: as_parquet(folder / "products.parquet"),
]


@pytest.mark.parametrize("write", FORMS, ids=["csv", "semicolons", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("is_named", [True, False])
def test_a_table_of_items_names_them_in_any_form(
    tmp_path: Path, write: Callable[[Path], Path], is_named: bool
) -> None:
    file = write_purchases(tmp_path)
    bare = dataset_at(file)
    folder = tmp_path / "shelf" if is_named else tmp_path
    folder.mkdir(exist_ok=True)
    items = write(folder)
    data = dataset_at(file, items=items) if is_named else dataset_at(file)
    catalogue = data.catalogue
    assert catalogue.item_ids == ITEMS
    assert catalogue.titles == [f"Größe {one}" for one in ITEMS]
    assert catalogue.genres == [["Home", "Garden"]] * len(ITEMS)
    assert set(catalogue.years) == {2019}
    assert catalogue.columns == {"colour": ["red"] * len(ITEMS)}
    assert catalogue.noun == ("product", "products")
    assert data.read_facts.columns["title"] == "name"
    assert items.name in data.read_facts.files
    assert data.fingerprint == bare.fingerprint
    assert any("found beside" in notice for notice in data.notices) is not is_named


def names_of(folder: Path, text: str, name: str = "products.csv", **options: object) -> Dataset:
    """Return the dataset of purchases with a file of items beside it."""
    (folder / name).write_text(text)
    return dataset_at(write_purchases(folder), **options)


def test_a_file_is_passed_over_if_its_columns_do_not_fit(tmp_path: Path) -> None:
    for text in (
        "product_id,price\nP-1,3\n",
        "brand,name\nB,Lamp\n",
        "product_id,name,user_id\nP-1,Lamp,7\n",
        "",
    ):
        data = names_of(tmp_path, text)
        assert data.catalogue.titles == ITEMS
        assert not any("products.csv" in notice for notice in data.notices)


def test_a_file_that_holds_few_of_the_items_is_passed_over_and_said(tmp_path: Path) -> None:
    data = names_of(tmp_path, f"product_id,name\n{ITEMS[0]},Lamp\n7,Door\n")
    assert data.catalogue.titles == ITEMS
    (notice,) = [one for one in data.notices if "products.csv" in one]
    assert notice.startswith(
        f"products.csv has 1 of {len(ITEMS)} items, so it is not used: its product_id"
    )
    assert f"--items {tmp_path / 'products.csv'}" in notice
    named = dataset_at(tmp_path / "purchases.csv", items=tmp_path / "products.csv")
    assert named.catalogue.titles == ["Lamp", *ITEMS[1:]]
    assert named.read_facts.untitled == len(ITEMS) - 1
    assert f"{len(ITEMS) - 1} items are not in products.csv; their ids are used as titles" in (
        named.notices
    )


def test_numbers_of_columns_do_not_make_a_table_of_items_a_second_dataset(tmp_path: Path) -> None:
    rows = "".join(f"{user},P-{item},{time}\n" for user, item, time in TRIPLES)
    (tmp_path / "log.csv").write_text(rows)
    as_table(tmp_path / "products.csv")
    data = dataset_at(tmp_path, columns="user=1,item=2,time=3")
    assert data.catalogue.titles[0].startswith("Größe") and data.noun.plural == "products"
    assert not any("not used" in notice for notice in data.notices)


def test_of_two_files_of_items_none_is_chosen_in_silence(tmp_path: Path, own_home: Path) -> None:
    first = as_table(tmp_path / "articles.csv")
    as_table(tmp_path / "products.csv")
    file = write_purchases(tmp_path)
    with pytest.raises(UsageError) as caught:
        open_dataset("auto", file, own_home, silent, silent)
    assert "articles.csv and products.csv may both name its items" in str(caught.value)
    assert f"--items {first}" in str(caught.value)
    assert dataset_at(file, items=first).noun == ("article", "articles")
    with pytest.raises(DatasetError, match="its original files"):
        load_dataset("0" * 64, "purchases", own_home, str(file))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("brand,name\nB,Lamp\n", "line 1: no column with the ids of items; .* found brand, name;"),
        (
            "product_id,name\nX1,Lamp\nX2,Door\n",
            "none of the 42 items: its product_id is 'X1' or 'X2', .* is 'P-10' or 'P-11'",
        ),
        ("", "is empty; expected the names of columns"),
        ('product_id,name\nP-1,"' + "x" * 200_000, r"line 2: cannot be read \(field larger"),
    ],
    ids=["no ids", "other ids", "empty", "open quote"],
)
def test_a_named_file_that_does_not_fit_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DatasetError, match=says) as caught:
        dataset_at(write_purchases(tmp_path), items=tmp_path / "list.csv")
    assert str(tmp_path / "list.csv") in str(caught.value)


def test_a_named_file_that_is_missing_or_broken_is_refused(tmp_path: Path) -> None:
    file = write_purchases(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing")
    (tmp_path / "a.jsonl").write_text('{"product_id": "P-1"}\n["P-2"]\n')
    for name, says in (
        ("gone.csv", "gone.csv: not found; expected a table"),
        ("a.parquet", "a.parquet: cannot be read as Parquet"),
        ("a.jsonl", "a.jsonl, line 2: not an object of JSON"),
    ):
        with pytest.raises(NeumfTuiError, match=says):
            dataset_at(file, items=tmp_path / name)


@pytest.mark.parametrize(
    ("header", "name", "title"),
    [
        ("ISBN,Book-Title,Book-Author,Year-Of-Publication", "books.csv", "Book-Title"),
        ("id,brand_id,title,author,year", "book_list.csv", "title"),
        ("item,id,original_publication_year,original_title,title", "books.csv", "title"),
        ("track_id,artist_id,track_name,artist,release_date", "tracks.csv", "track_name"),
        ("sku,unit_price,description", "products.csv", "description"),
    ],
)
def test_columns_are_found_by_their_usual_names(
    tmp_path: Path, header: str, name: str, title: str
) -> None:
    columns = header.split(",")
    rows = [
        ",".join({columns[0]: item, title: f"Title {item}"}.get(one, "1988") for one in columns)
        for item in ITEMS
    ]
    (tmp_path / name).write_text("\n".join([header, *rows]))
    data = dataset_at(write_purchases(tmp_path, columns[0] if columns[0] != "id" else "item"))
    assert data.catalogue.titles == [f"Title {one}" for one in ITEMS]
    assert data.read_facts.columns["title"] == title


def test_further_columns_are_kept_unless_they_are_empty(tmp_path: Path) -> None:
    long = "x" * 600
    rows = [f"{one},Lamp,,{long if one == ITEMS[0] else ''}" for one in ITEMS[1:] + ITEMS[:1]]
    data = names_of(
        tmp_path, "\n".join(["product_id,name,price,text", *rows, f"{ITEMS[0]},Door,,", ""])
    )
    assert data.catalogue.columns == {"text": ["x" * 500, *[""] * (len(ITEMS) - 1)]}
    assert data.catalogue.titles == ["Lamp"] * len(ITEMS)
    assert "1 rows of products.csv repeat an item; the first of each counts" in data.notices
    assert not data.catalogue.has_years
    assert not data.catalogue.has_genres


def test_ids_of_items_are_read_as_those_of_the_interactions(tmp_path: Path) -> None:
    rows = "".join(f"{user},{item}.0,{time}\n" for user, item, time in TRIPLES)
    (tmp_path / "seen.csv").write_text(f"user,item,time\n{rows}")
    ids = sorted({item for _, item, _ in TRIPLES})
    (tmp_path / "items.csv").write_text("id,title\n" + "".join(f" {one} ,T{one}\n" for one in ids))
    assert dataset_at(tmp_path / "seen.csv").catalogue.titles == [f"T{one}" for one in ids]


def test_a_dataset_is_read_again_when_its_file_of_items_changes(
    tmp_path: Path, own_home: Path
) -> None:
    file, items = write_purchases(tmp_path), as_table(tmp_path / "products.csv")

    def titles() -> list[str]:
        return open_dataset("auto", file, own_home, silent, silent).catalogue.titles[:1]

    assert titles() == ["Größe P-10"]
    items.write_text(items.read_text().replace("Größe", "Lamp"))
    assert titles() == ["Lamp P-10"]
    items.unlink()
    assert titles() == ["P-10"]


def test_the_files_of_movielens_can_be_replaced(tmp_path: Path) -> None:
    ids = sorted({item for _, item, _ in TRIPLES})
    (tmp_path / "own.csv").write_text(
        "id,name\n" + "".join(f"{one},Own {one}\n" for one in ids[1:])
    )
    for write in (as_100k, as_csv):
        (tmp_path / write.__name__).mkdir()
        data = dataset_at(
            write(tmp_path / write.__name__), items=tmp_path / "own.csv", noun="movie"
        )
        assert data.catalogue.titles[1:] == [f"Own {one}" for one in ids[1:]]
        assert data.noun == ("movie", "movies")


@pytest.mark.parametrize(
    ("word", "plural"),
    [
        ("product", "products"), ("category", "categories"), ("person", "people"),
        ("child", "children"), ("box", "boxes"), ("dish", "dishes"), ("match", "matches"),
        ("day", "days"), ("series", "series"), ("board game", "board games"), ("hero", "heroes"),
        ("video", "videos"), ("business", "businesses"), ("Person", "People"),
    ],
)  # fmt: skip
def test_plurals(word: str, plural: str) -> None:
    assert plural_of(word) == plural
    assert parse_noun(word) == (word, plural)


def test_a_noun_with_its_plural_is_taken_as_given(tmp_path: Path) -> None:
    file = write_purchases(tmp_path)
    assert dataset_at(file, noun="octopus/octopodes").noun == ("octopus", "octopodes")
    for wrong in ("", "/", "a/b/c", "\x1b[2J", "a" * 41):
        if wrong:
            with pytest.raises(UsageError, match=r"--noun .*: expected a word such as product"):
                dataset_at(file, noun=wrong)


@pytest.mark.parametrize(
    ("name", "singular"),
    [
        ("products", "product"), ("BX-Books", "book"), ("movies_metadata", "film"),
        ("trackId", "track"), ("movieId", "film"), ("item_id", "item"), ("parent_asin", "product"),
        ("olist_products_dataset", "product"), ("yelp_academic_dataset_business", "business"),
        ("appID", "app"), ("ratings", None), ("id", None), ("userId", None),
    ],
)  # fmt: skip
def test_the_noun_in_a_name(name: str, singular: str | None) -> None:
    assert noun_in(name) == (singular and Noun(singular, plural_of(singular)))


def test_the_noun_is_that_of_the_file_of_items_or_else_of_the_column(tmp_path: Path) -> None:
    for column, expected in (("trackId", "track"), ("movie_id", "film"), ("item", "item")):
        assert dataset_at(write_purchases(tmp_path, column)).noun.singular == expected
    as_table(tmp_path / "items.csv").rename(tmp_path / "goods.csv")
    assert dataset_at(write_purchases(tmp_path)).noun.singular == "good"


@pytest.mark.parametrize(
    ("value", "column", "genres"),
    [
        ("Drama|Sci-Fi", "genre", ["Drama", "Sci-Fi"]),
        ("Home & Garden, Tools", "category", ["Home & Garden, Tools"]),
        ("Home & Garden, Tools", "categories", ["Home & Garden", "Tools"]),
        ("Drama War", "class:token_seq", ["Drama", "War"]),
        ("'Toys', 'Board Games'", "categories:token_seq", ["Toys", "Board Games"]),
        ("[{'id': 18, 'name': 'Drama'}]", "genres", ["Drama"]),
        ("['Books', 'Crime, Thriller']", "category", ["Books", "Crime, Thriller"]),
        ([["Books", "Crime"], ["Books"]], "categories", ["Books", "Crime"]),
        ([{"id": "7", "description": "Indie"}], "genres", ["Indie"]),
        ("(no genres listed)", "genres", []),
        ("[not a list", "genre", ["[not a list"]),
        ("", "genres", []),
        (None, "genres", []),
        (7, "category", ["7"]),
    ],
)
def test_genres_in_every_way_they_are_written(
    value: object, column: str, genres: list[str]
) -> None:
    assert genres_of(value, column) == genres


@pytest.mark.parametrize(
    ("value", "year"),
    [
        ("1995-10-30", 1995), ("30/10/1995", 1995), ("Oct 30, 1995", 1995), (1995, 1995),
        (1995.0, 1995), ("", None), (None, None), ("0", None), ("19951030", None), ("n/a", None),
    ],
)  # fmt: skip
def test_years(value: object, year: int | None) -> None:
    assert year_of(value) == year
