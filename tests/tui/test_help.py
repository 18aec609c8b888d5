"""The help page: every symbol and every key of a screen, in plain words, at every size."""

import ast
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from textual.actions import parse
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from neumf_tui.tui.app import NeumfApp, known_keys
from neumf_tui.tui.config import Config
from neumf_tui.tui.help.content import TOPICS, WORDS
from neumf_tui.tui.help.hints import Hint, is_first_time
from neumf_tui.tui.help.screen import HelpScreen, keys_of
from neumf_tui.tui.runs.screen import RunsScreen
from tests.support.golden_runs import make_run
from tests.support.screens import settle, text_of
from tests.test_architecture import ROOT

PARTS = ("neumf_tui.tui.widgets", "neumf_tui.views", "neumf_tui.explore.user_search")
"""What screens take their texts from, besides their own modules."""
PLAIN = set("·–…“”’‘‹›—≥°⠀─│└┤")
"""Punctuation, signs that everybody reads, and the axes of charts."""
FRAMEWORK = ("Focus", "super", "Command palette", "Copy selected", "Tab Focus")


def symbols_of(area: str) -> set[str]:
    """Return the symbols in the texts of what a screen is made of: its modules, and of widgets and
    views what these use, directly or through others.
    """
    folder = ROOT / "neumf_tui" / "tui" / area
    modules = [f"neumf_tui.tui.{area}.{path.stem}" for path in folder.glob("*.py")]
    todo = [(module, name) for module in modules for name in definitions(module)]
    seen: set[tuple[str, str]] = set()
    while todo:
        if (one := todo.pop()) not in seen:
            seen.add(one)
            todo += used_by(*one)
    return {symbol for module, name in seen for symbol in symbols_in(module, name)}


@cache
def used_by(module: str, name: str) -> set[tuple[str, str]]:
    """Return module and name of what a definition may use."""
    found = set()
    known = imports(module)
    for node in ast.walk(definitions(module).get(name, ast.Pass())):
        if isinstance(node, ast.Name):
            found |= {(module, node.id), known.get(node.id, (module, node.id))}
        elif isinstance(node, ast.Attribute):
            found.add((module, node.attr))
            if isinstance(node.value, ast.Name) and node.value.id in known:
                found.add((".".join(known[node.value.id]), node.attr))
    return {(where, what) for where, what in found if what in definitions(where)}


@cache
def tree_of(module: str) -> ast.Module:
    path = ROOT / f"{module.replace('.', '/')}.py"
    return ast.parse(path.read_text("utf-8") if path.exists() else "")


@cache
def definitions(module: str) -> dict[str, ast.stmt]:
    """Return the functions, classes and constants of a module by name."""
    found: dict[str, ast.stmt] = {}
    for node in tree_of(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [one.id for target in targets for one in ast.walk(target)
                     if isinstance(one, ast.Name)]  # fmt: skip
            found |= dict.fromkeys(names, node)
    return found


@cache
def imports(module: str) -> dict[str, tuple[str, str]]:
    """Return module and name of what a module imports from widgets and views, anywhere in it."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.ImportFrom) and node.module
        and node.module.startswith(PARTS)
        for alias in node.names
    }  # fmt: skip


def texts_of(node: ast.stmt) -> Iterator[str]:
    """Yield the string constants of a definition, without docstrings and names of keys."""
    alone = {id(one.value) for one in ast.walk(node) if isinstance(one, ast.Expr)}
    alone |= {
        id(one.value)
        for one in ast.walk(node)
        if isinstance(one, ast.keyword) and one.arg == "display"
    }
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and id(one) not in alone:
            yield one.value


@cache
def symbols_in(module: str, name: str) -> set[str]:
    return {
        symbol
        for symbol in "".join(texts_of(definitions(module)[name]))
        if not symbol.isascii() and not symbol.isalpha() and symbol not in PLAIN
        and unicodedata.category(symbol)[0] in "SPC"
    }  # fmt: skip


def test_every_symbol_of_a_screen_is_in_its_legend() -> None:
    used = {area: symbols_of(area) for area in TOPICS}
    missing = {area: used[area] - {*"".join(TOPICS[area].symbols)} for area in TOPICS}
    assert {area: marks for area, marks in missing.items() if marks} == {}
    assert all(used.values()), "the search finds something"


def test_the_words_that_screens_use_are_explained() -> None:
    words = " ".join(WORDS)
    assert all(word in words for word in ("GMF", "MLP", "held-out", "Hit@50", "AUC", "±"))


def page_text(screen: HelpScreen) -> str:
    lines = [
        "".join(part.text for part in strip)
        for static in screen.query(Static)
        for strip in static.render_lines(static.size.region)
    ]
    return " ".join(" ".join(lines).split())


def turned_off(screen: Screen[object]) -> set[str]:
    """Return the ids of the bindings that do nothing on the screen as it is."""
    off, on = set(), set()
    for owner in (screen, *screen.query("*")):
        nodes = [node for node in owner.ancestors_with_self if isinstance(node, Widget)]
        for bound in owner._bindings.key_to_bindings.values():
            for binding in bound:
                works = owner.check_action(*parse(binding.action)[1:]) is not False
                works &= all(node.display for node in nodes)
                (on if works else off).add(binding.id or "")
    return off - on


async def check_help(pilot, area: str) -> None:  # type: ignore[no-untyped-def]
    app = pilot.app
    screen = app.screen
    off = turned_off(screen)
    known = known_keys().items()
    bound = {name: key for name, key in known if area in key.areas and name not in off}
    groups = keys_of(screen, {})
    told = {name: what for keys in groups.values() for name, what in keys}
    assert {"Ctrl-P", "Ctrl-Q", "Ctrl-C"} <= {name for name, _ in groups["Everywhere"]}
    assert all(len(keys) == len(set(keys)) for keys in groups.values())
    await pilot.press("f1")
    assert isinstance(app.screen, HelpScreen)
    text = page_text(app.screen)
    noun = app.screen.noun
    for key in bound.values():
        assert " ".join(key.description.split()) in text.replace(noun.plural, "items").replace(
            noun.singular, "item"
        ), key
    assert len(told) <= len(bound) + 5
    assert not [word for word in FRAMEWORK if word in text]
    await pilot.press("end", "pagedown", "q")
    assert app.screen is screen


async def test_the_page_has_every_key_and_the_persons_own(own_home: Path) -> None:
    folder = make_run(own_home, "finished", with_data=True)
    app = NeumfApp(folder, own_home, "train", Config(keys={"train.explore": "f7"}))
    async with app.run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        await check_help(pilot, "train")
        await pilot.press("question_mark")
        page = app.screen
        assert isinstance(page, HelpScreen) and "f7" in page_text(page).casefold()
        assert max(static.size.width for static in page.query(Static)) <= 60
        await pilot.press("escape", "u")
        await settle(pilot)
        await check_help(pilot, "runs")
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert "runs: Filter" in titles and "Theme" in titles
        assert not {"Keys", "Quit", "Maximize"} & set(titles)


async def test_a_hint_is_shown_once(own_home: Path) -> None:
    make_run(own_home, "finished")
    for shown in (1, 0):
        app = NeumfApp(None, own_home, "runs")
        app.gives_hints = True
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert isinstance(app.screen, RunsScreen)
            assert len(app.screen.query(Hint)) == shown
            assert all(hint.size.height == 1 for hint in app.screen.query(Hint))
            await pilot.press("f1", "escape")
            await settle(pilot)
            assert not app.screen.query(Hint)
            if shown:
                continue
            # Here too: what a filter names that no run has is told, with what is near.
            await pilot.press("slash", *"-lrr>1")
            told = "no run has 'lrr'; did you mean 'lr'?"
            assert str(app.screen.query_one("#runs-pane").border_subtitle) == told
            await pilot.press("home", "delete")
            text = text_of(app.screen, "#runs-empty")
            assert "“lrr>1” matches none of 1 run." in text and told in text


def test_a_home_that_cannot_be_written_remembers_nothing(tmp_path: Path) -> None:
    (tmp_path / "screens-seen.json").mkdir()
    assert is_first_time(tmp_path, "runs") and is_first_time(tmp_path, "runs")
    (tmp_path / "file").write_text("")
    assert is_first_time(tmp_path / "file", "runs")
    (tmp_path / "screens-seen.json").rmdir()
    (tmp_path / "screens-seen.json").write_text("[1")
    assert is_first_time(tmp_path, "runs") and not is_first_time(tmp_path, "runs")


@pytest.mark.slow
async def test_the_pages_of_all_other_screens(trained: Path, own_home: Path) -> None:
    app = NeumfApp(trained, own_home, "explore")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await check_help(pilot, "explore")
        for keys, area in (
            (("D",), "dataset"),
            (("F",), "failures"),
            (("f",), "guest"),
            (("x", "enter"), "compare"),
            (("tab", "enter"), "item"),
        ):
            await pilot.press("escape")
            for key in keys:
                await pilot.press(key)
                await settle(pilot)
            await check_help(pilot, area)
            await pilot.press("escape")
            await settle(pilot)
