"""The person's `config.toml`: theme, bandwidth, notices, alarms and keys."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from neumf_tui.config_file import read_config_file
from neumf_tui.errors import UsageError
from neumf_tui.runs.thresholds import ABOUT as ABOUT_ALARMS
from neumf_tui.runs.thresholds import TABLE, Thresholds, read_thresholds
from neumf_tui.settings import did_you_mean, problem_of
from neumf_tui.tui.keys import NamedKeys, key_problem

ABOUT = {
    "theme": "auto, or a theme's name (Ctrl-P, Theme, lists them)",
    "low_bandwidth": "auto, on or off: one refresh a second, no mouse, 16 colours",
    "notify": "auto, osc9, osc777, both, bell or off: when a run that is open ends or has an alarm",
}


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file's settings, as `ABOUT` explains them; each of them may be missing."""

    theme: str = "auto"
    low_bandwidth: Literal["auto", "on", "off"] = "auto"
    notify: Literal["auto", "osc9", "osc777", "both", "bell", "off"] = "auto"
    alarms: Thresholds = Thresholds()
    """What raises an alarm in runs that are started from now on."""
    keys: dict[str, str] = {}
    """Keys by the id of their binding, as `neumf-tui config` lists them, separated by commas."""


def read_config(known_keys: Callable[[], Mapping[str, NamedKeys]]) -> Config:
    """Return the config file's contents, or the defaults where there is no file.

    `known_keys` returns the bindings by id; it is called only where the file sets a key.
    Raises UsageError with the file, the line and what to do.
    """
    file = read_config_file()
    values, wrong = file.values, file.wrong
    alarms = read_thresholds(file)
    try:
        config = msgspec.convert({**values, TABLE: {}}, Config)
    except msgspec.ValidationError as error:
        problem, name = problem_of(error)
        allowed = ABOUT[name].partition(":")[0] if name in ("low_bandwidth", "notify") else "text"
        what = f"{name} = {values.get(name)!r}: {problem}; expected {allowed}"
        raise wrong(name, what) from error
    if config.theme != "auto":
        from neumf_tui.tui.terminal.themes import theme_names

        themes = ["auto", *theme_names()]
        if config.theme not in themes:
            raise wrong("theme", f"unknown theme {config.theme!r}{_nearest(config.theme, themes)}")
    if config.keys:
        _check_keys(config, known_keys(), wrong)
    return msgspec.structs.replace(config, alarms=alarms)


def _nearest(name: str, known: Iterable[str]) -> str:
    return "; " + did_you_mean(name, known, f"known are {', '.join(known)}")


def _check_keys(
    config: Config, known: Mapping[str, NamedKeys], wrong: Callable[[str, str], UsageError]
) -> None:
    for name, keys in config.keys.items():
        if name not in known:
            raise wrong(name, f"no key is called {name!r}{_nearest(name, list(known))}")
        if problem := key_problem(keys):
            raise wrong(name, f"{name} = {keys!r}: {problem}")
    used_by: dict[tuple[str, str], str] = {}
    for name, binding in known.items():
        for key in config.keys.get(name, binding.keys).split(","):
            for area in binding.areas:
                other = used_by.setdefault((area, key.strip()), name)
                if other != name and (name in config.keys or other in config.keys):
                    line = name if name in config.keys else other
                    what = f"{key.strip()!r} is the key of both {other} and {name}; change one"
                    raise wrong(line, what)


def config_object(config: Config, known: Mapping[str, NamedKeys], path: Path) -> dict[str, Any]:
    """Return what `config --json` prints."""
    keys = {name: config.keys.get(name, binding.keys) for name, binding in known.items()}
    settings: dict[str, Any] = msgspec.to_builtins(config)
    return {"file": str(path), "exists": path.exists()} | settings | {"keys": keys}


def config_text(config: Config, known: Mapping[str, NamedKeys]) -> str:
    """Return the config as a file that explains every setting; defaults stand in comments."""
    lines = []
    for name, about in ABOUT.items():
        value = getattr(config, name)
        mark = "# " if value == getattr(Config(), name) else ""
        setting = f'{mark}{name} = "{value}"'
        lines.append(f"{setting:<28}  # {about}")
    lines += ["", f"[{TABLE}]"]
    for name, value in msgspec.structs.asdict(config.alarms).items():
        mark = "# " if value == getattr(Thresholds(), name) else ""
        lines.append(f"{mark + f'{name} = {value:g}':<28}  # {ABOUT_ALARMS[name]}")
    lines += ["", "[keys]"]
    for name, binding in known.items():
        mark = "" if name in config.keys else "# "
        setting = f'{mark}"{name}" = "{config.keys.get(name, binding.keys)}"'
        lines.append(f"{setting:<42}  # {binding.description}")
    return "\n".join(lines)
