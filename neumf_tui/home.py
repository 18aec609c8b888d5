"""The folders where the program keeps its files."""

import os
from pathlib import Path

import platformdirs


def home_dir(option: Path | None = None) -> Path:
    """Return the folder of runs and datasets; it need not exist.

    It is `option` (`--home`), or NEUMF_TUI_HOME, or in the platform's user data folder.
    """
    if option is not None:
        return option.expanduser().absolute()
    if from_env := os.environ.get("NEUMF_TUI_HOME"):
        return Path(from_env).expanduser().absolute()
    return Path(platformdirs.user_data_dir("neumf-tui", appauthor=False))


def cache_dir() -> Path:
    """Return the folder of files that can be made again at any time; it need not exist.

    It is NEUMF_TUI_CACHE, or the platform's user cache folder.
    """
    if from_env := os.environ.get("NEUMF_TUI_CACHE"):
        return Path(from_env).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("neumf-tui", appauthor=False))


def datasets_dir(home: Path) -> Path:
    return home / "datasets"


def runs_dir(home: Path) -> Path:
    return home / "runs"


def config_path() -> Path:
    """Return the path of the config file, which need not exist.

    It is NEUMF_TUI_CONFIG, or config.toml in the platform's user config folder.
    """
    if from_env := os.environ.get("NEUMF_TUI_CONFIG"):
        return Path(from_env).expanduser().absolute()
    return Path(platformdirs.user_config_dir("neumf-tui", appauthor=False)) / "config.toml"
