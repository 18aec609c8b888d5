"""The help of the command line: groups, whole sentences, defaults of presets, completion."""

from pathlib import Path

import pytest
import typer.main

from neumf_tui.cli.main import EXAMPLES, GROUPS, app
from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.strings import Strings
from neumf_tui.explore.guests import Guest, save_guest
from tests.support.commands import Cli


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_list_is_in_groups_and_whole_sentences(
    inside: Cli, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = inside("--help").stdout.splitlines()
    assert [line[:-1] for line in lines if line[:-1] in GROUPS] == [*GROUPS]
    assert max(map(len, lines)) <= width and (width < 100 or max(map(len, lines)) > 80)
    text = "".join("".join(lines).split())  # words are broken at hyphens
    assert "..." not in text.replace("[ARGS]...", "")
    assert sum(map(len, GROUPS.values())) == len(EXAMPLES)
    for name in EXAMPLES:
        command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
        sentence = "".join(command.help.split("\n\n")[0].split())
        assert f"{name}{sentence}" in text and sentence.endswith("."), name


def test_a_setting_shows_its_default_in_each_preset(inside: Cli) -> None:
    text = " ".join(inside("train", "--help").stdout.split())
    assert "[default: 15; d2l: 10; fast: 4; paper: 40]" in text
    assert "[default: softmax; d2l: bpr; paper: bce]" in text
    assert "Settings (network):" in text and "[default: as --weight-decay]" in text


@pytest.mark.parametrize("name", ["tune", "check-leak"])
def test_others_refer_to_the_settings_of_train(inside: Cli, name: str) -> None:
    text = inside(name, "--help").stdout
    assert "neumf-tui train --help" in text and "--embedding-size" not in text
    assert "expected widths" in inside(name, "--mlp-layers", "8,x").stderr  # the flag works


def test_no_command_means_the_list_of_runs_where_a_screen_can_be_opened(
    inside: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = inside()
    assert printed.returncode == 2 and "Start:" in printed.stderr
    opened: list[str] = []
    monkeypatch.setattr("neumf_tui.terminal.why_no_screen", lambda: "")
    monkeypatch.setattr(
        "neumf_tui.cli.runs.open_screen", lambda _, screen, *__: opened.append(screen) or 0
    )
    assert inside().returncode == 0 and opened == ["runs"]


def completed(monkeypatch: pytest.MonkeyPatch, *words: str, shell: str = "bash") -> list[str]:
    """Return what a shell offers for the last word."""
    monkeypatch.setenv("_NEUMF_TUI_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("COMP_WORDS", " ".join(["neumf-tui", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    told: list[str] = []
    monkeypatch.setattr("typer._click.echo", lambda text, **_: told.extend(text.splitlines()))
    with pytest.raises(SystemExit):
        typer.main.get_command(app).main([], prog_name="neumf-tui")
    return told


def test_names_are_completed(
    with_demo: object, own_home: object, demo: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert completed(monkeypatch, "train", "--preset", "t") == ["tuned"]
    assert completed(monkeypatch, "train", "--dataset", "de") == ["demo"]
    offered = completed(monkeypatch, "train", "--dataset", "demo", "--pin", "sim-0")
    assert offered[:2] == ["sim-001", "sim-002"] and len(offered) == 40
    assert completed(monkeypatch, "rank", "sim-0") == []  # no run: nothing, and no message
    save_guest(Guest("anna", (demo.catalogue.item_ids[0],)), demo, own_home)  # type: ignore[arg-type]
    assert completed(monkeypatch, "rank", "--guest", "a") == ["anna"]


def test_users_and_items_of_the_run_are_completed(
    trained: object, demo: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert completed(monkeypatch, "status", "tr") == ["trained"]
    assert "sim-700" in completed(monkeypatch, "rank", "--run", "trained", "sim-7")
    item = demo.catalogue.titles.index("Alien")
    assert "Alien" in completed(monkeypatch, "similar", "Alie")
    assert demo.catalogue.item_ids[item] in completed(
        monkeypatch, "item", demo.catalogue.item_ids[item]
    )
    assert "'Alien; Blade\\ Runner" in [
        f"'{one}" for one in completed(monkeypatch, "recommend", "--likes", "'Alien; Bla")
    ]


def test_completion_is_harmless(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Titles, and folders in the list of runs, can be anything."""
    catalogue = Catalogue(
        ["1", "2", "3"], ["Alien", "Al\x1b[2J", "Al[/b]" * 30], [None] * 3, [[]] * 3
    )
    monkeypatch.setattr("neumf_tui.cli.complete._names", lambda _: (Strings.of([]), catalogue))
    for name in ("ok", "o\x1b[2J"):
        (own_home / "runs" / name).mkdir(parents=True)
        (own_home / "runs" / name / "run.json").write_text("{}")
    assert completed(monkeypatch, "status", "o") == ["ok"]
    assert completed(monkeypatch, "similar", "Al")[0] == "Alien"
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "neumf-tui similar ")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    for shell in ("zsh", "fish"):
        told = "\n".join(completed(monkeypatch, "", shell=shell))
        assert "Alien" in told and "\x1b" not in told and told.count("\n") < 6
