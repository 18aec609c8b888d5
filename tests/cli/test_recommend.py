"""Guests on the command line: `recommend`, `guests`, and their files."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from neumf_tui.errors import RunError, UsageError
from neumf_tui.explore.guests import guests_of, load_guest, save_guest
from neumf_tui.explore.ranker import Ranker
from neumf_tui.explore.users import Users, load_users
from neumf_tui.views.person import guest_sheet
from tests.support.commands import Cli
from tests.support.guests import guest_command, guest_of


@pytest.fixture
def users(trained: Path, own_home: Path) -> Users:
    return load_users(trained, own_home)


@pytest.fixture
def ranker(trained: Path, own_home: Path, users: Users) -> Ranker:
    return Ranker(trained, own_home, dataset=users.dataset)


def test_recommend_takes_titles_and_says_as_what(ranker: Ranker, own_home: Path) -> None:
    titles, ids = ranker.dataset.catalogue.titles, ranker.dataset.catalogue.item_ids
    out, said = guest_command(
        "recommend",
        "--likes",
        f" {titles[7]} ;; {ids[9]}",
        "--likes",
        titles[11][:-1] + "é",
        "--json",
    )
    told = json.loads(out)
    assert [film["item_id"] for film in told["likes"]] == [
        ids[7],
        ids[9],
        told["likes"][2]["item_id"],
    ]
    assert "understood as" in said and "more stable" not in said and len(told["items"]) == 10
    _, said = guest_command("recommend", "--likes", ids[7])
    assert "1 film: give 3 or more for a more stable list" in said
    table, _ = guest_command("recommend", "--likes", f"{ids[7]};{ids[8]};{ids[9]}", "--top", "4")
    assert "guest new  3 watched" in table and "(simulated)" in table
    sheet = guest_sheet(ranker, ranker.rank(guest_of(ranker, 7, 8, 9)), 4)
    assert all(
        row["title"] in table and f"{row['score_centred']:+.3f}" in table for row in sheet.rows
    )
    csv, _ = guest_command(
        "recommend", "--likes", f"{ids[7]};{ids[8]};{ids[9]}", "--top", "4", "--csv"
    )
    assert csv == sheet.text()


def test_recommend_is_deterministic(ranker: Ranker) -> None:
    likes = ";".join(ranker.dataset.catalogue.item_ids[2:6])
    once, twice = (
        guest_command("recommend", "--likes", likes, "--json", "--top", "all")[0] for _ in range(2)
    )
    assert once == twice
    other, _ = guest_command("recommend", "--likes", likes, "--json", "--top", "all", "--seed", "1")
    assert json.loads(other)["items"] != json.loads(once)["items"]


def test_recommend_refuses(ranker: Ranker, own_home: Path) -> None:
    ids, titles = ranker.dataset.catalogue.item_ids, ranker.dataset.catalogue.titles
    for args, error, words in (
        (["--likes", " ; "], UsageError, "at least one item"),
        (["--likes", f"{ids[3]};{titles[3]}"], UsageError, "name each film once"),
        (["--likes", "zzqqxxjjkkvv"], RunError, "no film"),
        (
            ["--likes", "Alein,Fargo"],
            RunError,
            "';' separates films: --likes 'Alien \\(1979\\); Fargo",
        ),
        (["--likes", "Alien | Blade Runer"], RunError, "--likes 'Alien .*; Blade Runner"),
        (["--likes", ids[3], "--top", "0"], UsageError, "--top 0"),
        (["--likes", ids[3], "--top", str(len(ids) + 1)], UsageError, "give fewer"),
        (["--likes", ids[3], "--save", "../x"], UsageError, "guest name"),
        (["--likes", ids[3], "--replace"], UsageError, "--save NAME"),
        (["--likes", ids[3], "--json", "--csv"], UsageError, "choose one"),
        (["--likes", ";".join(ids)], UsageError, "none is left"),
    ):
        with pytest.raises(error, match=words):
            guest_command("recommend", *args)
    assert not (own_home / "guests").exists()


def test_saving_listing_and_deleting(ranker: Ranker, own_home: Path, inside: Cli) -> None:
    ids, titles = ranker.dataset.catalogue.item_ids, ranker.dataset.catalogue.titles
    assert (
        "no guests yet" in guest_command("guests")[0]
        and json.loads(guest_command("guests", "--json")[0]) == []
    )
    out, said = guest_command(
        "recommend",
        "--likes",
        f"{ids[3]};{ids[1]};{ids[2]}",
        "--save",
        "anna",
        "--seed",
        "4",
        "--json",
    )
    assert "rank --guest anna" in said
    ranked = json.loads(inside("rank", "--guest", "anna", "--json").stdout)
    assert ranked["items"] == json.loads(out)["items"]
    assert load_guest(own_home, "anna") == (guest_of(ranker, 3, 1, 2, name="anna", seed=4), "demo")
    with pytest.raises(UsageError, match="--replace"):
        guest_command("recommend", "--likes", ids[5], "--save", "anna")
    assert len(load_guest(own_home, "anna")[0].item_ids) == 3
    guest_command("recommend", "--likes", ids[5], "--save", "anna", "--replace")
    assert load_guest(own_home, "anna")[0].item_ids == (ids[5],)
    assert json.loads(guest_command("guests", "--json")[0]) == [
        {
            "guest": "anna",
            "dataset": "demo",
            "item_ids": [ids[5]],
            "titles": [titles[5]],
            "seed": 0,
            "problem": None,
        }
    ]
    assert titles[5] in guest_command("guests")[0]
    with pytest.raises(RunError, match="no guest 'bob'"):
        guest_command("guests", "--delete", "bob")
    assert guest_command("guests", "--delete", "anna") == ("", "guest anna is deleted\n")
    assert "no guests yet" in guest_command("guests")[0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"dataset": "demo", "item_ids": [], "titles": []}',
        b'{"dataset": "demo", "item_ids": ["1", "1"], "titles": []}',
        b'{"dataset": "demo", "item_ids": [1], "titles": []}',
        b'{"dataset": "demo", "item_ids": ["1"], "titles": [], "seed": -1}',
        b'{"dataset": "demo", "item_ids": ["1"], "titles": [], "mood": "good"}',
        b'{"dataset": "demo", "item_ids": ["no such film"], "titles": []}',
    ],
)
async def test_a_damaged_guest_is_one_message(
    trained: Path, own_home: Path, inside: Cli, content: bytes
) -> None:
    (own_home / "guests").mkdir()
    (own_home / "guests" / "anna.json").write_bytes(content)
    result = inside("rank", "--guest", "anna")
    assert (
        result.returncode == 4 and result.stdout == "" and len(result.stderr.splitlines()) == 1
    ), result.stderr
    assert "anna" in result.stderr
    assert guests_of(own_home, load_users(trained, own_home).dataset)[0] == [], (
        "and it is in no list of the explore screen"
    )
    (listed,) = json.loads(guest_command("guests", "--json")[0])
    assert listed["guest"] == "anna" and (
        listed["problem"] or listed["item_ids"] == ["no such film"]
    )
    guest_command("guests", "--delete", "anna")
    assert guest_command("guests", "--json")[0].strip() == "[]"


def test_a_guest_of_another_dataset_is_refused(
    trained: Path, own_home: Path, ranker: Ranker, inside: Cli
) -> None:
    save_guest(guest_of(ranker, 3, name="anna"), replace(ranker.dataset, name="ml-100k"), own_home)
    result = inside("rank", "--guest", "anna")
    assert result.returncode == 4 and "was made with ml-100k" in result.stderr
    assert guests_of(own_home, ranker.dataset)[0] == []


@pytest.mark.slow
def test_recommend_on_ml_100k(ml100k: Path, own_home: Path, inside: Cli) -> None:
    """Films of the liked kind rank high, for two kinds of films."""
    args = (
        "--preset",
        "d2l",
        "--dataset",
        "ml-100k",
        "--data-dir",
        str(ml100k),
        "--epochs",
        "6",
        "--plain",
        "--threads",
        "1",
    )
    result = inside("train", *args, "--home", str(own_home), "--name", "real")
    assert result.returncode == 0, result.stderr
    space, love = [], []
    for likes in (
        "alien; aliens; terminator",
        "sense and sensibility; emma; four weddings and a funeral",
    ):
        out, _ = guest_command(
            "recommend", "--likes", likes, "--json", "--top", "all", "--home", str(own_home)
        )
        ranks = {film["title"]: film["rank"] for film in json.loads(out)["items"]}
        space.append(ranks["Star Trek: The Wrath of Khan"])
        love.append(ranks["Postino, Il"])
    assert space[0] <= 50 and space[1] > 3 * space[0]
    assert love[1] <= 50 and love[0] > 3 * love[1]


def test_a_guest_that_cannot_be_written_is_one_sentence(
    trained: Path, own_home: Path, inside: Cli
) -> None:
    (own_home / "guests").write_text("in the way")
    done = inside("recommend", "--likes", "Alien; Blade Runner; Fargo", "--save", "anna")
    assert (
        done.returncode == 4
        and "guests: cannot be read (expected a folder, found a file)" in done.stderr
        and "Traceback" not in done.stderr
    )
