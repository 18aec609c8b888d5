"""The config file: what it may say, and what is said of one that cannot be."""

import json
import tomllib
from pathlib import Path

import pytest

from neumf_tui.errors import UsageError
from neumf_tui.home import config_path
from neumf_tui.runs.filter import matches
from neumf_tui.settings import make_settings
from neumf_tui.tui.app import known_keys, load_config
from neumf_tui.tui.config import Config, config_text
from neumf_tui.tui.terminal.themes import THEMES, choose_theme
from tests.support.commands import Cli

FACTS = {
    "run": "quiet-owl-01",
    "state": "finished",
    "dataset": "ml-100k",
    "split": "latest",
    "kind": "trained",
    "model": "neumf",
    "preset": "d2l",
    "device": "cpu",
    "best_hit@50": 0.36,
    "auc": None,
}
SETTINGS = {"learning_rate": 0.01, "mlp_layers": [10, 10], "device": "auto"}


def test_no_file_means_the_defaults() -> None:
    assert load_config() == Config() and not config_path().exists()


def test_what_is_printed_is_a_config_file_itself(cli: Cli) -> None:
    printed = cli("config")
    assert printed.returncode == 0 and "not there" in printed.stderr
    config_path().write_text(printed.stdout)
    assert load_config() == Config(), "all of it stands in comments"
    config_path().write_text('theme = "nord"\nnotify = "bell"\n[keys]\n"train.stop" = "f8"\n')
    text = config_text(load_config(), known_keys())
    expected = {"theme": "nord", "notify": "bell", "alarms": {}, "keys": {"train.stop": "f8"}}
    assert tomllib.loads(text) == expected
    told = json.loads(cli("config", "--json").stdout)
    assert (
        told["keys"]["train.stop"] == "f8" and told["keys"]["train.pause"] == "p" and told["exists"]
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('thme = "nord"', "line 1: unknown setting 'thme'; did you mean 'theme'?"),
        ('\ntheme = "nordd"', "line 2: unknown theme 'nordd'; did you mean 'nord'?"),
        ('notify = "loud"', "line 1: notify = 'loud'"),
        ("low_bandwidth = true", "expected auto, on or off"),
        ("theme = ", "not valid TOML"),
        (
            '[keys]\n"train.stp" = "x"',
            "line 2: no key is called 'train.stp'; did you mean 'train.stop'?",
        ),
        ('[keys]\n"train.stop" = "p"', "'p' is the key of both train.pause and train.stop"),
        ('[keys]\n"train.stop" = "ctrl+m"', "terminals send 'ctrl+m' for Enter"),
        ('[keys]\n"train.stop" = ""', "expected the name of a key"),
        ("[keys]\nx = 3", "keys"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_remedy(inside: Cli, text: str, says: str) -> None:
    config_path().write_text(text)
    with pytest.raises(UsageError, match=r"config\.toml") as caught:
        load_config()
    assert says in str(caught.value)
    result = inside("config")
    assert (
        result.returncode == 2
        and says in result.stderr
        and "Traceback" not in result.stderr
        and not result.stdout
    )


def test_every_binding_has_an_id_a_description_and_a_tooltip() -> None:
    from textual.binding import Binding

    from neumf_tui.tui.app import NeumfApp
    from neumf_tui.tui.explore.screen import ExploreScreen
    from neumf_tui.tui.runs.screen import RunsScreen
    from neumf_tui.tui.train.screen import TrainScreen
    from neumf_tui.tui.widgets.chart import CurveChart

    for owner in (NeumfApp, TrainScreen, RunsScreen, ExploreScreen, CurveChart):
        for binding in owner.BINDINGS:
            assert (
                isinstance(binding, Binding)
                and binding.id
                and binding.description
                and binding.tooltip
            ), binding
            assert not {"ctrl+m", "ctrl+i", "ctrl+h"} & set(binding.key.split(","))


def test_no_two_default_keys_of_a_screen_are_the_same() -> None:
    held: dict[tuple[str, str], str] = {}
    # Of these, one works where the other does not.
    same = {frozenset({"train.pause", "train.go-on"}), frozenset({"train.more", "train.extend"})}
    for name, binding in known_keys().items():
        for key in binding.keys.split(","):
            for area in binding.areas:
                other = held.setdefault((area, key), name)
                shared = (
                    name.split(".")[0] != other.split(".")[0]
                )  # a widget's key comes before its screen's
                assert other == name or shared or frozenset({name, other}) in same, (
                    key,
                    name,
                    other,
                )


@pytest.mark.parametrize(
    ("wanted", "env", "light", "few", "theme"),
    [
        ("auto", {}, False, False, "neumf-dark"),
        ("auto", {}, True, False, "neumf-light"),
        ("auto", {}, False, True, "neumf-ansi-dark"),
        ("auto", {"NO_COLOR": ""}, True, False, "neumf-ansi-light"),
        ("dracula", {}, True, True, "dracula"),
    ],
)
def test_the_theme_suits_the_terminal(
    wanted: str, env: dict[str, str], light: bool, few: bool, theme: str
) -> None:
    assert choose_theme(wanted, env, light, few) == theme


def test_own_colours_are_of_the_256() -> None:
    """So that a terminal with 256 colours shows what one with 16 million does."""
    steps = (0, 95, 135, 175, 215, 255)
    palette = {f"#{r:02x}{g:02x}{b:02x}" for r in steps for g in steps for b in steps}
    palette |= {f"#{n:02x}{n:02x}{n:02x}" for n in range(8, 239, 10)}
    for theme in THEMES[:2]:
        own = [
            theme.primary,
            theme.secondary,
            theme.accent,
            theme.foreground,
            theme.background,
            theme.surface,
            theme.panel,
        ]
        own += [
            theme.success,
            theme.warning,
            theme.error,
            *(v for v in theme.variables.values() if v.startswith("#")),
        ]
        assert [colour for colour in own if colour not in palette] == []


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", True),
        ("quiet ml", True),
        ("demo", False),
        ("-demo", True),
        ("state=finished", True),
        ("state!=finished", False),
        ("best>0.3", True),
        ("best>=0.37", False),
        ("lr<=0.01", True),
        ("-lr<0.1", False),
        ("mlp_layers=10,10", True),
        ("auc>0", False),
        ("nonsense>0", False),
    ],
)
def test_filters(query: str, kept: bool) -> None:
    assert matches(query, FACTS, SETTINGS) == kept


def test_a_file_that_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUMF_TUI_CONFIG", str(tmp_path))
    with pytest.raises(UsageError, match="cannot be read"):
        load_config()


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    config_path().write_text('\ufefftheme = "nord"\n', "utf-8")
    assert load_config().theme == "nord"
    file = tmp_path / "settings.toml"
    file.write_text("\ufeffepochs = 3\n", "utf-8")
    assert make_settings("d2l", {}, file).epochs == 3
    file.write_text("\ufeffepochz = 3\n", "utf-8")
    with pytest.raises(UsageError, match="line 1: unknown setting 'epochz'"):
        make_settings("d2l", {}, file)
    file.write_text("epochs = 3\n", "utf-16")
    with pytest.raises(UsageError, match="not UTF-8; save it as UTF-8"):
        make_settings("d2l", {}, file)


@pytest.mark.parametrize(
    "text",
    [
        "epochs = " + "9" * 5000,
        "epochs = " + "9" * 30,
        "epochs = " + "[" * 5000,
        "epochs = 1e400",
        "epochs = nan",
        "epochs = 2026-01-01",
        "epochs = {a = 1}",
        "a" * 100_000,
        "[[epochs]]",
        "[epochs.a.b]",
        '"\\u0000" = 1',
        "epochs = '\x00'",
    ],
)
def test_odd_settings_are_one_message(text: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=r"settings\.toml"):
        make_settings("d2l", {}, file)
    config_path().write_text(text.replace("epochs", "theme"), "utf-8")
    with pytest.raises(UsageError, match=r"config\.toml"):
        load_config()
