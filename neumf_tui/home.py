"""The folders where the program keeps its files."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import platformdirs

from neumf_tui.errors import UsageError


def home_dir(option: Path | None = None) -> Path:
    """Return the folder of runs and datasets; it need not exist.

    It is `option` (`--home`), or NEUMF_TUI_HOME, or in the platform's user data folder. Raises
    NotADirectoryError for a file, UsageError if the account has no home folder.
    """
    home = _place(option, "NEUMF_TUI_HOME", platformdirs.user_data_dir)
    if home.exists() and not home.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(home))
    return home


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
        return Path(path).expanduser().absolute()
    except RuntimeError as error:
        what = "the home folder of an account is not known"
        raise UsageError(f"{what}; set {variable} to an absolute path") from error
