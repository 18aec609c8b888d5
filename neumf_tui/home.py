"""The folders where the program keeps its files."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

import platformdirs

from neumf_tui import files
from neumf_tui.errors import UsageError


def home_dir(option: Path | None = None) -> Path:
    """Return the folder of runs and datasets; it need not exist.

    It is `option` (`--home`), or NEUMF_TUI_HOME, or in the platform's user data folder. Raises
    UsageError if the account has no home folder.
    """
    return _place(option, "NEUMF_TUI_HOME", platformdirs.user_data_dir)


def own_homes(home: Path) -> list[Path]:
    """Return `home`, then the account's own homes if it may only read that one.

    `home` can belong to another account, into which nothing is written.
    """
    found = [home]
    if not files.may_write(home):
        with suppress(UsageError):
            found.append(home_dir())
        with suppress(RuntimeError):  # the account has no home folder
            found.append(Path(platformdirs.user_data_dir("neumf-tui", appauthor=False)).absolute())
    return list(dict.fromkeys(found))


def home_to_write(home: Path) -> Path | None:
    """Return the first of `own_homes` that this account may write, None if it may write none."""
    return next(filter(files.may_write, own_homes(home)), None)


def cache_dir() -> Path:
    """Return the folder of files that can be made again at any time; it need not exist.

    It is NEUMF_TUI_CACHE, or the platform's user cache folder. Raises UsageError.
    """
    return _place(None, "NEUMF_TUI_CACHE", platformdirs.user_cache_dir)


def datasets_dir(home: Path) -> Path:
    return home / "datasets"


def runs_dir(home: Path) -> Path:
    return home / "runs"


def home_of_run(folder: Path) -> Path | None:
    """Return the home in which a run lies, also one that a link leads to; None if in none."""
    runs = folder.resolve().parent
    return runs.parent if runs == runs_dir(runs.parent) else None


def config_path() -> Path:
    """Return the path of the config file, which need not exist.

    It is NEUMF_TUI_CONFIG, or config.toml in the platform's user config folder. Raises UsageError.
    """

    def default(program: str, appauthor: Literal[False]) -> str:
        return str(platformdirs.user_config_path(program, appauthor) / "config.toml")

    return _place(None, "NEUMF_TUI_CONFIG", default)


def _place(option: Path | None, variable: str, default: Callable[..., str]) -> Path:
    """Return the absolute path that an option, a variable or else the platform names."""
    try:
        path = option or os.environ.get(variable) or default("neumf-tui", appauthor=False)
    except RuntimeError as error:
        what = "this account has no home folder"
        raise UsageError(f"{what}; set {variable} to an absolute path") from error
    return expanded(Path(path)).absolute()


def expanded(path: Path) -> Path:
    """Return `path` with the home folder that it starts with; raises UsageError."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise UsageError(f"{path}: this account has no home folder; give another path") from error


def check_encoding(path: Path) -> None:
    """Raise UsageError for a path that run files, which are UTF-8, could not name."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{path}: this path has bytes that are not UTF-8; rename the folder or file, or make a "
            "link to it that has another name"
        ) from error
