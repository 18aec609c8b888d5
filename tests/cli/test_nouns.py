"""A shop's products are called products in what commands print and write."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from neumf_tui.cli.main import EXAMPLES, app
from neumf_tui.data.prepared import save
from neumf_tui.home import datasets_dir
from tests.support.commands import run_cli
from tests.support.every_command import EVERY_COMMAND
from tests.support.kept_runs import kept_run
from tests.support.shops import NAMES, shop_dataset, words_of_films, write_shop

PRODUCT, OTHER, USER = NAMES[0], NAMES[41], "c000"
ARGUMENTS: dict[str, list[list[str]]] = {
    "runs": [["--plain"]], "status": [["trained"]], "logs": [["trained"]],
    "rank": [[USER], ["--guest", "anna"]], "why": [[USER], [USER, NAMES[7]]],
    "journey": [[USER]], "near-miss": [[USER]],
    "similar": [[PRODUCT], ["--user", USER], ["--guest", "anna"]],
    "film": [[PRODUCT]], "item": [[PRODUCT], ["Kettle"], ["nothing like it"]],
    "recommend": [["--likes", f"{PRODUCT};{OTHER}", "--save", "anna"], ["--likes", ";"]],
    "guests": [[]],
    "compare": [["trained@1", "trained@2"], ["trained@1", "trained@2", "--user", USER]],
    "failures": [["trained", "--users", "--by", "popularity"], ["trained", "--cohorts"],
                 ["trained", "--catalogue"], ["trained", "--by", "age"]],
    "evaluate": [["trained"]], "datasets": [[]], "config": [[]],
}  # fmt: skip
"""Arguments of the commands that read a run, without those that train or change one."""
FIRST = ("recommend",)


IN_A_SHOP = "--data-dir shop --epochs 1 --embedding-size 4"
TRAINING = (
    f"train {IN_A_SHOP} --preset d2l --plain --name trained", "extend 2 trained",
    "checkpoint trained", "pause trained", "resume trained", "stop trained",
    "pin c000 --run trained",
    "baselines --data-dir shop --only popularity --keep", f"check-leak {IN_A_SHOP}",
    "check-order trained --rounds 1", "evaluate trained --protocols", "datasets shop",
    f"tune {IN_A_SHOP} --trials 1 --study wide", "export trained --what top-k --format csv",
    "adopt home/runs/trained/checkpoints/00002.safetensors --data-dir shop --name adopted",
    "rename trained other", "prune other --keep 1 --yes", "delete other --yes", "doctor",
    "attach other", "explore adopted", "item 'Blue Kettle' --run adopted",
)  # fmt: skip
"""Commands that train and change runs, in an order in which each of them works."""


@pytest.fixture
def shop(own_home: Path) -> Path:
    data = shop_dataset()
    save(data, datasets_dir(own_home) / "prepared")
    kept_run(own_home, data, "neumf", name="trained", epochs=2)
    return own_home


def said_by(*arguments: str) -> str:
    """Return what a command prints, with the message of an error."""
    result = CliRunner().invoke(app, list(arguments))
    return f"{result.output}\n{result.exception or ''}"


def texts(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value, without the keys of objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


def test_no_command_of_a_shop_speaks_of_films(shop: Path) -> None:
    said = []
    for name in (*FIRST, *(name for name in ARGUMENTS if name not in FIRST)):
        for arguments in ARGUMENTS[name]:
            lines = said_by(name, *arguments).splitlines()
            assert not (found := words_of_films(lines)), (name, found)
            said += lines
    text = "\n".join(said)
    for words in ("held-out product", "14 products", "no product 'nothing like it'", PRODUCT,
                  "brand: Blueworks", "rank without one product", "expected at least one item",
                  "--by age: expected one of rank, gain"):  # fmt: skip
        assert words in text, words
    assert "year" not in text and "genres" not in text


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_no_value_for_programs_speaks_of_films(shop: Path, form: str) -> None:
    for name, each in ARGUMENTS.items():
        for arguments in each:
            said = said_by(name, *arguments, form)
            lines = texts(json.loads(said)) if said.startswith(("{", "[")) else said.splitlines()
            assert not (found := words_of_films(lines)), (name, found)


@pytest.mark.slow
def test_no_command_that_trains_on_a_shop_speaks_of_films(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shop(tmp_path / "shop")
    monkeypatch.chdir(tmp_path)
    text = ""
    for command in TRAINING:
        done = run_cli(*shlex.split(command))
        said = done.stdout + done.stderr
        assert not (found := words_of_films(said.splitlines())), (command, found)
        text += said
    files = [*tmp_path.glob("*.csv"), *own_home.rglob("*.json"), *own_home.rglob("*.log")]
    for path in files:
        assert not words_of_films(path.read_text().splitlines()), path
    assert {*EVERY_COMMAND} <= {*ARGUMENTS, *(command.split()[0] for command in TRAINING)}
    for words in ("held-out products are in nobody's history", "brand: Blueworks"):
        assert words in text, words


def test_item_is_film_by_another_name(shop: Path) -> None:
    assert said_by("item", PRODUCT) == said_by("film", PRODUCT)
    listed = said_by("--help")
    assert " item " in listed and " film " in listed
    assert not words_of_films(listed.splitlines())


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_help_speaks_of_films(name: str) -> None:
    assert name in EVERY_COMMAND
    lines = said_by(name, "--help").splitlines()
    assert not (found := words_of_films(lines)), found
