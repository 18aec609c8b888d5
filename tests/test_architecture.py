"""The rooms of the program: what imports what, what is loaded, how long files and functions are.

Imports are read from the source, with those inside functions and under TYPE_CHECKING. What is
loaded is seen in new interpreters.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from tests.support.shops import words_of_films

ROOT = Path(__file__).parents[1]
PACKAGES = ("neumf_tui", "benchmarks")
MOST_LINES = 500
MOST_FUNCTION_LINES = 60

INVOKE = "\n".join(
    (
        "from neumf_tui.cli.main import app",
        "import typer.testing",
        "typer.testing.CliRunner().invoke(app, [{!r}])",
    )
)


def load(*modules: str) -> str:
    return "\n".join(f"import {module}" for module in modules)


NEVER_LOADED = [
    (INVOKE.format("--help"), "torch textual pandas numpy"),
    (
        INVOKE.format("runs") + "\nimport types, neumf_tui.cli.complete as complete"
        "\nfor names in (complete.users, complete.items, complete.datasets, complete.guests):"
        "\n    names(types.SimpleNamespace(params={'dataset': 'demo'}), '')",
        "torch textual pandas",
    ),
    (INVOKE.format("status"), "torch textual pandas"),
    (
        load("neumf_tui.runs.control", "neumf_tui.runs.attend", "neumf_tui.views.log"),
        "torch textual pandas typer",
    ),
    (
        load("neumf_tui.doctor.examine", "neumf_tui.terminal", "neumf_tui.host"),
        "torch textual pandas typer numpy",
    ),
    (
        load("neumf_tui.tui.app") + "\nneumf_tui.tui.app.known_keys()",
        "torch pandas typer neumf_tui.training neumf_tui.evaluation",
    ),
    (
        load("neumf_tui.data.registry", "neumf_tui.data.readers.ml100k", "neumf_tui.data.demo"),
        "torch textual typer",
    ),
    (
        load("neumf_tui.runs.reader", "neumf_tui.runs.checkpoint", "neumf_tui.runs.store"),
        "torch textual pandas typer",
    ),
    ("import neumf_tui as n; n.start_run, n.load_dataset", "torch textual pandas typer scipy"),
    ("import neumf_tui as n; n.open_run", "torch textual pandas typer"),
    (load("neumf_tui.training.loop", "neumf_tui.training.worker"), "textual typer"),
    (
        "import pkgutil, neumf_tui\nfor room in ('scorers', 'explore', 'views'):\n"
        "    for found in pkgutil.iter_modules([f'{neumf_tui.__path__[0]}/{room}']):\n"
        "        if found.name != 'search':\n"  # of tune, which needs the extra optuna
        "            __import__(f'neumf_tui.{room}.{found.name}')",
        "torch textual typer scipy neumf_tui.model neumf_tui.training",
    ),
    (
        load("neumf_tui.baselines.compute", "neumf_tui.baselines.registry"),
        "textual typer implicit neumf_tui.training",
    ),
    (
        load("neumf_tui.baselines.kept", "neumf_tui.views.baselines"),
        "torch textual pandas typer scipy",
    ),
    (
        load("neumf_tui.explore.users", "neumf_tui.explore.journey", "neumf_tui.explore.failures")
        + "\nimport neumf_tui.explore.compare_users",
        "torch textual typer",
    ),
    (
        load("neumf_tui.adopt.adopt", "neumf_tui.views.adopt"),
        "torch textual typer pandas pyarrow safetensors.torch neumf_tui.training",
    ),
    (
        load("neumf_tui.figures.plot", "neumf_tui.mirrors.copier", "neumf_tui.mirrors.targets"),
        "torch textual typer pandas matplotlib jinja2 tensorboard wandb mlflow",
    ),
    (
        load("neumf_tui.data.title_search", "neumf_tui.views.sheet"),
        "torch textual typer pyarrow rapidfuzz",
    ),
]


@pytest.mark.parametrize(("code", "never"), NEVER_LOADED)
def test_rooms_load_only_what_they_may(code: str, never: str) -> None:
    shown = f"print([name for name in {never.split()!r} if name in sys.modules])"
    command = [sys.executable, "-c", f"{code}\nimport sys\n{shown}"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@cache
def sources() -> dict[str, tuple[Path, ast.Module]]:
    """Return file and syntax tree of every module of PACKAGES, by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = (path, ast.parse(path.read_text("utf-8")))
    return found


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the dotted name of everything that a module imports, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "relative imports are not used here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def graph() -> dict[str, set[str]]:
    """Return the modules of PACKAGES that each module imports."""
    known = sources().keys()
    found: dict[str, set[str]] = {}
    for module, (_, tree) in sources().items():
        names = {name if name in known else name.rpartition(".")[0] for name in imported(tree)}
        found[module] = (names & known) - {module}
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        pytest.fail(f"imported by the next one: {' < '.join(error.args[1])}")


def contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return list(settings["tool"]["importlinter"]["contracts"])


LAYERS = [contract for contract in contracts() if contract["type"] == "layers"]


@pytest.mark.parametrize("contract", LAYERS, ids=lambda contract: contract["name"])
def test_imports_go_down_the_layers_of_pyproject(contract: dict[str, Any]) -> None:
    (container,) = contract["containers"]
    level = {
        room.strip(): number
        for number, rooms in enumerate(contract["layers"])
        for room in rooms.split("|")
    }

    def room_of(module: str) -> str | None:
        prefix, _, rest = module.partition(f"{container}.")
        room = rest.partition(".")[0]
        return room if not prefix and room in level else None

    upward = [
        f"{module} -> {other}"
        for module, others in graph().items()
        for other in others
        if (above := room_of(module)) and (below := room_of(other))
        if above != below and level[above] >= level[below]
    ]
    assert upward == []


def test_the_program_needs_no_benchmarks_and_neither_needs_tests() -> None:
    wrong = [
        f"{module} -> {name}"
        for module, (_, tree) in sources().items()
        for name in imported(tree)
        if name.startswith("tests.")
        or (module.startswith("neumf_tui.") and name.startswith("benchmarks."))
    ]
    assert wrong == []


def test_only_native_uses_ctypes() -> None:
    users = {
        module
        for module, (_, tree) in sources().items()
        if any(name.partition(".")[0] == "ctypes" for name in imported(tree))
    }
    assert {module for module in users if not module.startswith("neumf_tui.native.")} == set()
    assert users, "the search finds something"


ROOM_OF = {
    "matplotlib": "figures",
    "jinja2": "report",
    "tensorboard": "mirrors",
    "wandb": "mirrors",
    "mlflow": "mirrors",
    "optuna": "search",
    "implicit": "baselines",
}
"""Packages that one room alone uses; most are extras."""


def test_packages_of_one_room_stay_there() -> None:
    users = {
        (name.partition(".")[0], module.split(".")[1])
        for module, (_, tree) in sources().items()
        if module.startswith("neumf_tui.")
        for name in imported(tree)
        if name.partition(".")[0] in ROOM_OF
    }
    assert users == {*ROOM_OF.items()}


ROOMS_OF_FILES = ("adopt", "baselines", "data", "explore", "runs", "scorers", "search")
"""Rooms that reach files of a home through `neumf_tui.files` alone."""
OPENING = {
    "open", "safe_open", "os.open", "os.replace", "os.rename", "os.remove", "os.unlink",
    "np.load", "np.save", "np.savez", "np.memmap", "np.fromfile",
}  # fmt: skip
"""Functions that open, change or remove files."""
OPENING_METHODS = {
    "open", "read_text", "read_bytes", "write_text", "write_bytes", "touch", "rename", "unlink",
    "rmdir", "symlink_to", "hardlink_to", "tofile", "safe_open", "connect",
}  # fmt: skip
"""The same of any object but the module `files` and the program's own package."""
OPENING_MODULES = {"fcntl", "glob", "mmap", "shutil", "tempfile"}
ALLOWED = {
    "runs.checkpoint: safetensors.safe_open": "its path is checked by files.checked_path",
    "runs.checkpoint: np.memmap": "of a file that `files` has opened",
    "adopt.read: safetensors.safe_open": "its path is checked by files.checked_path",
    "search.study: sqlite3.connect": "its path is checked by files.checked_path",
    "runs.reader: fcntl": "tests the lock of a file that `files` has opened",
    "runs.control: folder.rename": "of a whole run, which is not opened",
    "runs.control: target.rename": "the same, back",
    "data.download: self.part.rename": "of a whole download, which is not opened",
    "data.download: self.part.unlink": "of a whole download, which is not opened",
    "data.download: zipped.open": "a member of an archive that files.open_given has opened",
    "data.readers.text_open: archive.open": "the same",
}
"""Exceptions and their reasons."""


def opened(tree: ast.Module) -> Iterator[str]:
    """Yield the name of everything in a module that opens a file by itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            of, _, method = name.rpartition(".")
            known = not of or of == "files" or "resources.files(" in of
            if name in OPENING or (method in OPENING_METHODS and not known):
                yield name
    yield from (name for name in imported(tree) if name.partition(".")[0] in OPENING_MODULES)


def test_files_of_a_home_are_opened_in_one_module() -> None:
    rooms = tuple(f"neumf_tui.{room}." for room in ROOMS_OF_FILES)
    found = {
        f"{module.removeprefix('neumf_tui.')}: {name}"
        for module, (_, tree) in sources().items()
        if module.startswith(rooms)
        for name in opened(tree)
    }
    assert found == set(ALLOWED), "use neumf_tui.files, or say here why that cannot be"


def test_files_are_short() -> None:
    lengths = {
        module: path.read_text("utf-8").count("\n") for module, (path, _) in sources().items()
    }
    assert {module: n for module, n in lengths.items() if n > MOST_LINES} == {}


def test_functions_are_short() -> None:
    lengths = {
        f"{module}.{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for module, (_, tree) in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: n for name, n in lengths.items() if n > MOST_FUNCTION_LINES} == {}


ABOUT_FILMS = {
    "cli.main": {"film"},  # the command
    "explore.cohorts": {"era"},  # of films alone
    "views.why": {"film", "films"},  # keys of JSON
    "api.opened": {"films"},
}
"""Texts about films: other datasets have other nouns, so texts are made with `Noun`."""


def test_texts_use_the_noun_of_the_dataset() -> None:
    rooms = ("tui", "views", "cli", "explore", "training", "baselines", "search", "api", "doctor")
    found: dict[str, set[str]] = {}
    for module, (_, tree) in sources().items():
        name = module.removeprefix("neumf_tui.")
        if not name.startswith(rooms):
            continue
        # A text that stands by itself is a docstring.
        alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
            if is_text and id(node) not in alone and words_of_films([node.value]):
                found.setdefault(name, set()).add(node.value)
    assert found == ABOUT_FILMS


def test_the_threat_model_names_tests_that_exist() -> None:
    text = (ROOT / "docs/design/security.md").read_text("utf-8")
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", text))
    assert {name for name in named if not (ROOT / name).exists()} == set()
    assert named, "the search finds something"
