"""The folders where the program keeps its files."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import platformdirs

from neumf_tui.errors import UsageError


def home_dir(option: Path | None = None) -> Path:
    """Return the folder of runs and datasets; it need not exist.

    It is `option` (`--home`), or NEUMF_TUI_HOME, or in the platform's user data folder. Raises
    UsageError if the account has no home folder.
    """
    return _place(option, "NEUMF_TUI_HOME", platformdirs.user_data_dir)


def cache_dir() -> Path:
    """Return the folder of files that can be made again at any time; it need not exist.

    It is NEUMF_TUI_CACHE, or the platform's user cache folder. Raises UsageError.
    """
    return _place(None, "NEUMF_TUI_CACHE", platformdirs.user_cache_dir)


def datasets_dir(home: Path) -> Path:
    return home / "datasets"


def runs_dir(home: Path) -> Path:
    return home / "runs"


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
