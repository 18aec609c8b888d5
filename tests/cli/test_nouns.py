"""A shop's products are called products in what commands print and write."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from neumf_tui.cli.main import EXAMPLES, app
from neumf_tui.data.prepared import save
from neumf_tui.home import datasets_dir
from tests.support.every_command import EVERY_COMMAND
from tests.support.kept_runs import kept_run
from tests.support.shops import NAMES, shop_dataset, words_of_films

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
