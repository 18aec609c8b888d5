"""Search of items by titles as people type them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepare import prepare
from neumf_tui.data.readers import ml100k as ml100k_reader
from neumf_tui.data.split import Interactions
from neumf_tui.data.title_search import TitleSearch
from neumf_tui.data.titles import fold
from neumf_tui.errors import RunError
from tests.support.rating_files import HOSTILE
from tests.support.reading import dataset_from

FILMS: list[tuple[str, int | None, int]] = [  # title, year, users who have it in training
    ("Matrix, The", 1999, 5),
    ("Matrix Reloaded, The", 2003, 3),
    ("Enter the Matrix", 2003, 9),
    ("Matrixed", 2001, 9),
    ("Alien", 1979, 4),
    ("Aliens", 1986, 8),
    ("Alien Nation", 1988, 2),
    ("Amélie (Fabuleux destin d'Amélie Poulain, Le)", 2001, 4),
    ("Blade Runner", 1982, 6),
    ("Blade", 1998, 7),
    ("Psycho", 1960, 6),
    ("Psycho", 1998, 1),
    ("Twins", 1988, 1),
    ("Twins", 1988, 1),
    ("5", 2010, 1),
    ("Rocky 5", 1990, 2),
    ("City of Lost Children, The (Cité des enfants perdus, La)", 1995, 3),
    ("Kid, The", 1921, 1),
    ("Kid", 1990, 1),
    ("Avventura, L'", 1960, 2),
    ("Spider-Man", 2002, 1),
    ("M*A*S*H", 1970, 1),
]


def find(titles: TitleSearch, wanted: str) -> int:
    return titles.look_up(wanted).item


def of(films: list[tuple[str, int | None, int]]) -> Dataset:
    """Make a dataset in which `seen` users have each film; all hold out one more film."""
    pairs = [(user, item) for item, (_, _, seen) in enumerate(films) for user in range(seen)]
    users = max(user for user, _ in pairs) + 1
    pairs += [(user, len(films)) for user in range(users)]
    array = np.array(pairs, dtype=np.int64)
    titles = [title for title, _, _ in films] + ["Held Out by Everybody"]
    years = [year for _, year, _ in films] + [None]
    catalogue = Catalogue(
        [str(n) for n in range(1, len(titles) + 1)], titles, years, [[] for _ in titles]
    )
    rows = Interactions(array[:, 0], array[:, 1], np.arange(len(array), dtype=np.int64))
    data = prepare("planted", "here", [str(n) for n in range(users)], catalogue, rows)
    assert data.seen_by[: len(films)].tolist() == [seen for _, _, seen in films]
    return data


@pytest.fixture(scope="module")
def titles() -> TitleSearch:
    return of(FILMS).title_search


def names(titles: TitleSearch, query: str, count: int = 50) -> list[str]:
    return [titles.catalogue.item_title(item) for item in titles.search(query, count)]


def test_ids_are_found_by_any_part(titles: TitleSearch) -> None:
    catalogue = titles.catalogue
    ids = [f"p-{1000 + n}" for n in range(len(catalogue.item_ids))]
    shop = TitleSearch(replace(catalogue, item_ids=ids), titles._place * 0, "shop")
    assert shop.search("p-1002")[0] == shop.search("1002")[0] == shop.search("002")[0] == 2
    assert shop.search("5")[0] == 14 and 15 in shop.search("5")  # a title goes before a part


def test_folding() -> None:
    assert fold("Amélie!") == fold("AMELIE") == "amelie"
    assert fold("Smørgås  & Łódź") == "smorgas and lodz"
    assert fold("Schindler's \u202eList\t(1993)") == "schindlers list 1993"
    assert fold("七人の侍") == "七人の侍"
    assert fold("हिन्दी").count(" ") == 0
    assert fold("\x1b[31m !?") == "31m"


@pytest.mark.parametrize(
    "query",
    [
        "matrix, the",
        "the matrix",
        "The MATRIX",
        "matrix",
        "thematrix",
        "matrix 1999",
        "the matrix (1999)",
    ],
)
def test_an_exact_title_comes_first_wherever_its_article_stands(
    titles: TitleSearch, query: str
) -> None:
    assert names(titles, query)[0] == "Matrix, The (1999)"


def test_exact_before_prefix_before_whole_word_before_the_rest(titles: TitleSearch) -> None:
    assert names(titles, "matrix") == [
        "Matrix, The (1999)",
        "Matrix Reloaded, The (2003)",
        "Matrixed (2001)",
        "Enter the Matrix (2003)",
    ]
    assert names(titles, "alien") == ["Alien (1979)", "Alien Nation (1988)", "Aliens (1986)"]
    assert names(titles, "lien")[0] == "Aliens (1986)", "of equals the most seen"


def test_equals_stand_by_popularity_then_dataset_order(titles: TitleSearch) -> None:
    assert titles.search("psycho") == [10, 11]
    assert titles.search("twins") == [12, 13]
    seen_by = of(FILMS).seen_by
    most = sorted(range(len(FILMS) + 1), key=lambda item: (-seen_by[item], item))
    assert titles.search("", 5) == titles.search("  ", 5) == most[:5]


@pytest.mark.parametrize(
    ("query", "film"),
    [
        ("alien 1979", "Alien (1979)"),
        ("1979", "Alien (1979)"),
        ("psycho 1998", "Psycho (1998)"),
        ("runner blade", "Blade Runner (1982)"),
        ("blade run", "Blade Runner (1982)"),
        ("blade runer", "Blade Runner (1982)"),
        ("balde runner", "Blade Runner (1982)"),
        ("bladerunner", "Blade Runner (1982)"),
        ("bladerunnr", "Blade Runner (1982)"),
        ("fabuleux destin", "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)"),
        ("amelie", "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)"),
        ("la cite des enfants", "City of Lost Children, The (Cité des enfants perdus, La) (1995)"),
        ("lost childern", "City of Lost Children, The (Cité des enfants perdus, La) (1995)"),
        ("spiderman", "Spider-Man (2002)"),
        ("mash", "M*A*S*H (1970)"),
        ("l'avventura", "Avventura, L' (1960)"),
    ],
)
def test_half_typed_shuffled_and_misspelt(titles: TitleSearch, query: str, film: str) -> None:
    assert names(titles, query)[0] == film


def test_every_beginning_of_a_title_finds_it(titles: TitleSearch) -> None:
    for length in range(1, len("blade runner") + 1):
        assert "Blade Runner (1982)" in names(titles, "blade runner"[:length])


def test_an_id_comes_before_titles_and_these_before_years(titles: TitleSearch) -> None:
    ids = titles.catalogue.item_ids
    found = titles.search("1")
    assert ids[found[0]] == "1"
    assert {ids[item] for item in found[1:11]} == {str(n) for n in range(10, 20)}
    assert ids[titles.search(" 5 ")[0]] == "5" and names(titles, "5")[1] == "5 (2010)"
    films = [("Alien 1982", 1990, 1), ("Old", 1982, 9), ("1982", 2001, 1), ("Blade", 1998, 5)]
    assert names(of([*films]).title_search, "1982") == [
        "1982 (2001)", "Alien 1982 (1990)", "Old (1982)"
    ]  # fmt: skip


def test_nothing_like_it_finds_nothing_and_no_more_than_asked_for(titles: TitleSearch) -> None:
    assert titles.search("qqqqzzzz") == []
    assert len(titles.search("e", 3)) == 3


@pytest.mark.parametrize(
    ("wanted", "film"),
    [
        ("5", "Alien (1979)"),  # its id, though a film has that title
        ("5 (2010)", "5 (2010)"),
        ("Psycho (1960)", "Psycho (1960)"),
        ("psycho 1998", "Psycho (1998)"),
        ("kid", "Kid (1990)"),
        ("the kid", "Kid, The (1921)"),
        ("MATRIX, THE", "Matrix, The (1999)"),
        (
            "Cité des enfants perdus",
            "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
        ),
        ("rocky 5", "Rocky 5 (1990)"),
        ("held out by everybody", "Held Out by Everybody"),
    ],
)
def test_one_film_by_id_or_title(titles: TitleSearch, wanted: str, film: str) -> None:
    found = titles.look_up(wanted)
    assert titles.catalogue.item_title(found.item) == film
    assert find(titles, wanted) == found.item
    assert bool(found.note) == (wanted == "5")


def test_an_id_that_is_also_a_title_says_so(titles: TitleSearch) -> None:
    assert (
        titles.look_up("5").note
        == "'5' understood as the id of Alien (1979); films with that title: 5 (2010) [id 15]"
    )


@pytest.mark.parametrize(
    "wanted", ["blade runer", "Blade Runer (1982)", "runner blade", "Balderunner"]
)
def test_a_near_title_is_taken_and_said(titles: TitleSearch, wanted: str) -> None:
    found = titles.look_up(wanted)
    assert (found.item, found.note) == (8, f"'{wanted}' understood as Blade Runner (1982)")


def test_what_could_be_several_films_names_them(titles: TitleSearch) -> None:
    with pytest.raises(
        RunError,
        match=r"'Psycho' matches several films: Psycho \(1960\) \[id 11\], Psycho \(1998\)",
    ):
        find(titles, "Psycho")
    with pytest.raises(RunError, match=r"Twins \(1988\) \[id 13\], Twins \(1988\) \[id 14\]"):
        find(titles, "Twins (1988)")
    with pytest.raises(
        RunError, match=r"'pyscho' may be any of Psycho \(1960\) \[id 11\], Psycho \(1998\)"
    ):
        find(titles, "pyscho")
    with pytest.raises(RunError, match=r"'the' is in \d titles, the most seen: Enter the Matrix"):
        find(titles, "the")


@pytest.mark.parametrize("wanted", ["rocky 6", "Alien (1980)", "qqqqzzzz", "'\x1b[31m"])
def test_what_is_not_there_names_the_nearest_five(titles: TitleSearch, wanted: str) -> None:
    with pytest.raises(RunError, match=r"no film .* in planted; nearest: ") as caught:
        find(titles, wanted)
    assert str(caught.value).count("[id ") == 5 and "\x1b" not in str(caught.value)
    assert {"rocky 6": "Rocky 5", "Alien (1980)": "Alien"}.get(wanted, "") in str(
        caught.value
    ).split(",")[0]


def test_an_empty_name_is_refused(titles: TitleSearch) -> None:
    with pytest.raises(RunError, match="title is empty"):
        find(titles, "  ")


STRANGE = [
    "",
    " ",
    "!!!",
    "(",
    "()",
    "((a)",
    ", The",
    "The",
    "A, The (x",
    "e\u0301" * 500,
    "long word " * 500,
    "x" * 9000,
    "\u200b",
    "\0",
]


def test_hostile_titles_are_found_and_harm_nothing() -> None:
    films: list[tuple[str, int | None, int]] = [(title, 1990, 1) for title in HOSTILE + STRANGE]
    titles = of(films).title_search
    queries = [
        *HOSTILE,
        *STRANGE,
        *(title[:3] for title in HOSTILE),
        "\x1b",
        "\ud800",
        "%s{}",
        "🎬",
    ]
    for query in queries:
        assert all(0 <= item <= len(films) for item in titles.search(query))
        try:
            titles.look_up(query)
        except RunError as error:
            assert len(str(error)) < 1000 and str(error).isprintable()
    assert find(titles, "Plain") == HOSTILE.index("Plain")
    assert titles.search("!!!")[0] == len(HOSTILE) + STRANGE.index("!!!")
    assert find(titles, "bold bold") == 0
    assert find(titles, "שלום abc") == 3


@pytest.mark.slow
def test_ml100k(ml100k: Path) -> None:
    titles = dataset_from(ml100k_reader, ml100k).title_search
    assert (
        names(titles, "godfather, the")[0]
        == names(titles, "godfathr")[0]
        == "Godfather, The (1972)"
    )
    assert titles.look_up("187").note.startswith("'187' understood as the id of Godfather: Part II")
    missed = [
        item
        for item in range(len(titles.catalogue.titles))
        if item not in titles.search(titles.catalogue.item_title(item), 5)
    ]
    assert not missed
