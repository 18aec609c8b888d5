"""What is shown of a dataset: as text, as JSON, and where little is known."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.facts import ReadFacts, SplitFacts
from neumf_tui.data.nouns import Noun
from neumf_tui.data.options import make_options
from neumf_tui.data.prepare import Content, prepare_content
from neumf_tui.data.prepared import prepared_dir
from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.data.split import Interactions
from neumf_tui.explore.dataset_counts import count_dataset
from neumf_tui.views.dataset import dataset_object, dataset_sections, sections_text, train_command
from tests.support.commands import Cli
from tests.support.rating_files import HOSTILE, as_100k


def shop(facts: ReadFacts = ReadFacts(), **options: object) -> Dataset:
    """Make twelve customers who buy some of nine products on five days."""
    rows = [(user, (user + 2 * k) % 9, k // 2) for user in range(12) for k in range(6)]
    users, items, days = np.array([*rows, rows[0]]).T
    ratings = (1 + (users + items) % 5).astype(np.float32)
    names = [f"p{n}" for n in range(9)]
    catalogue = Catalogue(names, names, [None] * 9, [[] for _ in names], Noun("good", "goods"))
    interactions = Interactions(users, items, 1_700_000_000 + 86_400 * days, ratings)
    content = Content([f"c{n}" for n in range(12)], catalogue, interactions, facts=facts)
    return prepare_content("shop", "/data/shop.csv", content, make_options(**options))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "shop 1.csv"
    rows = [f"c{u},p{(u + 3 * k) % 70},{1_700_000_000 + k}" for u in range(9) for k in range(12)]
    file.write_text("\n".join(["user,item,time", *rows, rows[0], ""]))
    return file


def facts_of(data: Dataset) -> dict[str, str]:
    sections = dataset_sections(data, count_dataset(data))
    return {fact.name: fact.text for section in sections for fact in section.facts}


READ = ReadFacts(
    files=("shop.csv", "products.csv"),
    form="text, separated by semicolons",
    columns={"user": "customer_id", "item": "product", "time": "bought"},
    header=("customer_id", "product", "stars", "bought"),
    first_rows=(("c0", "p0", "1", "2023-11-14"), ("c0", "p2", "3", "2023-11-14")),
    rows=75,
    bad=7,
    bad_rows=("shop.csv, line 9: no user", "shop.csv, line 12: no time"),
    untitled=4,
)


def test_the_facts_of_a_shop() -> None:
    found = facts_of(shop(READ, min_rating=2))
    assert found["files"] == "shop.csv, products.csv"
    assert found["columns"] == "user: customer_id · item: product · time: bought"
    assert found["bad rows"].startswith("7, left out: shop.csv, line 9: no user; shop.csv, line 12")
    assert found["bad rows"].endswith(" and 5 more")
    assert found["goods"] == "9, 4 without a title: shown by their ids"
    assert "7 rows that cannot be read · " in found["left out"]
    assert "below --min-rating" in found["left out"]
    assert found["time"] == "2023-11-14 22:13 to 2023-11-16 22:13"
    assert found["ratings"] == "2 to 5"
    assert found["equal times"].startswith("by a fixed hash of user and item; they decide")
    assert found["later pairs"].startswith("0 % of the training pairs are later")


def test_a_split_by_time_counts_who_is_cold() -> None:
    data = shop(READ, split="time", cut="2023-11-16")
    found, facts = facts_of(data), data.facts
    assert found["cut"].startswith("2023-11-16; for validation 2023-11-")
    assert found["cold users"] == f"{facts.cold_users} users without a history: left out"
    assert found["held out"] == f"{facts.heldout} users"
    assert "first from 2023-11-16 on held out" in found["protocol"]
    assert "after the held-out ones" in found["left out"]
    assert found["cold items"].endswith("held-out goods are in nobody's history")


def test_facts_fit_into_lines_and_columns() -> None:
    facts = replace_struct(READ, first_rows=(tuple(HOSTILE), ("七人の侍" * 9, "b" * 300)))
    data = shop(facts)
    text = sections_text(dataset_sections(data, count_dataset(data)), 80).plain
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "\x1b" not in text and "\t" not in text and "\u202e" not in text
    narrow = sections_text(dataset_sections(data, None), 40).plain
    assert max(map(cell_len, narrow.splitlines())) <= 40 and "counting …" in narrow


def replace_struct(facts: ReadFacts, **changes: object) -> ReadFacts:
    import msgspec

    return msgspec.structs.replace(facts, **changes)


def test_json_has_every_figure_of_the_text() -> None:
    data = shop(READ)
    made = json.loads(json.dumps(dataset_object(data, count_dataset(data), train_command(data))))
    assert made["split_facts"]["tied_last"] == data.facts.tied_last
    assert made["read_facts"]["first_rows"][1] == ["c0", "p2", "3", "2023-11-14"]
    assert made["train"] == "neumf-tui train --data-dir /data/shop.csv"
    assert set(made["split_facts"]) == set(SplitFacts.__struct_fields__)


def test_the_files_of_version_0_1_0_are_named_as_flags(table: Path) -> None:
    columns = "user=user,item=item,time=time"
    old = replace(shop(), facts=SplitFacts(), source=f"{table} [{columns}]")
    words = ["--data-dir", str(table), "--columns", columns]
    assert shlex.split(train_command(old))[2:] == words
    assert shlex.join(words) in facts_of(old)["no more known"]


def test_of_version_0_1_0_the_arrays_alone_tell() -> None:
    data = shop()
    times = np.full(data.num_users, -1)
    old = replace(data, facts=SplitFacts(), split=replace(data.split, heldout_times=times))
    found = facts_of(old)
    assert found["no more known"].endswith("kept nothing about its files.")
    assert (found["held out"], found["users"]) == ("12 users", "12")
    assert found["later pairs"].startswith("not known")
    assert "tied" not in found and "left out" not in found


def test_reading_again_gives_facts_to_a_dataset_of_version_0_1_0(
    tmp_path: Path, own_home: Path
) -> None:
    place = as_100k(tmp_path)
    data = open_dataset("auto", place, own_home, silent, silent)
    folder = prepared_dir(own_home) / data.fingerprint
    about = json.loads((folder / "dataset.json").read_text())
    for name in ("facts", "read_facts", "options"):
        del about[name]
    (folder / "dataset.json").write_text(json.dumps(about))
    for name in ("known.npy", "heldout_times.npy", "manifest.json"):
        (folder / name).unlink()
    for key in (prepared_dir(own_home) / "sources").iterdir():
        key.unlink()
    again = open_dataset("auto", place, own_home, silent, silent)
    assert again.facts == data.facts and again.fingerprint == data.fingerprint


# The command.


def test_a_table_is_shown_before_anybody_trains(inside: Cli, table: Path) -> None:
    done = inside("datasets", str(table), "--split", "time", "--cut", "0.8")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert "  users          9" in lines
    assert any("1 duplicates (the latest of each pair is kept)" in line for line in lines)
    flags = shlex.split(lines[-1].removeprefix("train on it: neumf-tui train "))
    assert flags == ["--data-dir", str(table), "--split", "time", "--cut", "0.8"]
    # What `train` would be given is taken here, too, and means the same data.
    both = [json.loads(inside("datasets", *args, "--json").stdout) for args in (flags, [])]
    assert both[0]["split_facts"]["heldout"] == 9
    assert [one["name"] for one in both[1]][-1] == "demo"


def test_a_dataset_is_shown_by_its_name(inside: Cli, with_demo: Path) -> None:
    done = inside("datasets", "demo")
    assert "demo (simulated)" in done.stdout and "28 % of the training pairs" in done.stdout
    assert done.stdout.endswith("train on it: neumf-tui train --dataset demo\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nothing-here"], 3, "nothing-here: there is no such folder or file, and no dataset of"),
        (["/no/such"], 3, "/no/such: there is no such file or folder; expected"),
        (["demo", "--dataset", "ml-100k"], 2, "demo and --dataset ml-100k: give only one of them"),
        (["demo", "--data-dir", "x"], 2, "demo and --data-dir x: give only one of them"),
        (["TABLE", "--cut", "0.5"], 2, "--cut 0.5 needs --split time"),
        (["TABLE", "--min-rating", "3"], 2, "--min-rating 3: the interactions have no ratings"),
    ],
)
def test_what_cannot_be_shown(
    inside: Cli, table: Path, arguments: list[str], code: int, said: str
) -> None:
    done = inside("datasets", *(one.replace("TABLE", str(table)) for one in arguments))
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr and done.stderr.count("\n") == 1
