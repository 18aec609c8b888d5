"""Where the program keeps its files: `--home`, else NEUMF_TUI_HOME, else the platform's user data folder."""

import os
from pathlib import Path

import platformdirs


def home_dir(option: Path | None = None) -> Path:
    """The `<home>` folder; it is not created here."""
    if option is not None:
        return option.expanduser().absolute()
    if from_env := os.environ.get("NEUMF_TUI_HOME"):
        return Path(from_env).expanduser().absolute()
    return Path(platformdirs.user_data_dir("neumf-tui", appauthor=False))


def cache_dir() -> Path:
    """What can be made anew at any time: NEUMF_TUI_CACHE, else the platform's user cache folder; it is not created here."""
    if from_env := os.environ.get("NEUMF_TUI_CACHE"):
        return Path(from_env).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("neumf-tui", appauthor=False))


def datasets_dir(home: Path) -> Path:
    return home / "datasets"


def runs_dir(home: Path) -> Path:
    return home / "runs"


def config_path() -> Path:
    """The person's config file, which need not exist: NEUMF_TUI_CONFIG, else in the platform's user config folder."""
    if from_env := os.environ.get("NEUMF_TUI_CONFIG"):
        return Path(from_env).expanduser().absolute()
    return Path(platformdirs.user_config_dir("neumf-tui", appauthor=False)) / "config.toml"
