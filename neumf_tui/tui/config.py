"""The person's `config.toml`: theme, bandwidth, notices and keys."""

import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from neumf_tui.errors import UsageError
from neumf_tui.home import config_path
from neumf_tui.settings import line_of


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of it is optional."""

    theme: str = "auto"
    """auto, or the name of a theme; auto follows the terminal's background and number of colours."""
    low_bandwidth: Literal["auto", "on", "off"] = "auto"
    """One refresh a second, no mouse, 16 colours; auto turns it on when the link is slow."""
    notify: Literal["auto", "osc9", "osc777", "both", "bell", "off"] = "auto"
    """How to tell that a watched run has ended; every way but off rings the bell as well."""
    keys: dict[str, str] = {}
    """Keys by the id of what they do, as `neumf-tui config` lists them; several are separated by commas."""


def read_config() -> Config:
    """The config file's contents, or the defaults; raises UsageError naming the file, the line and the remedy."""
    path = config_path()
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); mend it or remove it") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}; mend that line") from error
    known = Config.__struct_fields__
    for name in values:
        if name not in known:
            raise UsageError(
                f"{path}, line {line_of(text, name)}: unknown setting {name!r}{_nearest(name, known)}"
            )
    try:
        config = msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$.")
        name = where.rstrip("`").split("[")[0]
        allowed = {
            "low_bandwidth": "auto, on or off",
            "notify": "auto, osc9, osc777, both, bell or off",
        }.get(name, "text")
        raise UsageError(
            f"{path}, line {line_of(text, name)}: {name} = {values.get(name)!r}: {problem}; expected {allowed}"
        ) from error
    _check_theme(config, path, text)
    _check_keys(config, path, text)
    return config


def _nearest(name: str, known: "tuple[str, ...] | list[str]") -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"


def _check_theme(config: Config, path: Path, text: str) -> None:
    from neumf_tui.tui.terminal.themes import theme_names

    if config.theme != "auto" and config.theme not in theme_names():
        near = _nearest(config.theme, ["auto", *theme_names()])
        raise UsageError(
            f"{path}, line {line_of(text, 'theme')}: unknown theme {config.theme!r}{near}"
        )


def _check_keys(config: Config, path: Path, text: str) -> None:
    from neumf_tui.tui.keys import key_problem, known_bindings

    known = known_bindings()
    for name, keys in config.keys.items():
        if name not in known:
            raise UsageError(
                f"{path}, line {line_of(text, name)}: no key is called {name!r}{_nearest(name, list(known))}"
            )
        if problem := key_problem(keys):
            raise UsageError(f"{path}, line {line_of(text, name)}: {name} = {keys!r}: {problem}")
    held: dict[tuple[str, str], str] = {}
    for name, binding in known.items():
        for key in config.keys.get(name, binding.keys).split(","):
            for area in binding.areas:
                other = held.setdefault((area, key.strip()), name)
                if other != name and (name in config.keys or other in config.keys):
                    raise UsageError(
                        f"{path}, line {line_of(text, name if name in config.keys else other)}: {key.strip()!r} is for "
                        f"{other} and for {name}; give one of them another key"
                    )


def config_object(config: Config, path: Path) -> dict[str, Any]:
    """What `config --json` prints."""
    from neumf_tui.tui.keys import known_bindings

    keys = {name: config.keys.get(name, binding.keys) for name, binding in known_bindings().items()}
    settings: dict[str, Any] = msgspec.to_builtins(config)
    return {"file": str(path), "exists": path.exists()} | settings | {"keys": keys}


def config_text(config: Config) -> str:
    """The config as a file with every setting in it, each explained; what is as by default stands in a comment."""
    from neumf_tui.tui.keys import known_bindings

    default = Config()
    about = {
        "theme": "auto, or a theme's name (Ctrl-P, Theme, lists them)",
        "low_bandwidth": "auto, on or off: one refresh a second, no mouse, 16 colours",
        "notify": "auto, osc9, osc777, both, bell or off: when a watched run ends",
    }
    lines = []
    for name, comment in about.items():
        value = getattr(config, name)
        setting = f'{name} = "{value}"'
        lines.append(
            f"{setting if value != getattr(default, name) else '# ' + setting:<28}  # {comment}"
        )
    lines += ["", "[keys]"]
    for name, binding in known_bindings().items():
        keys = config.keys.get(name, binding.keys)
        setting = f'"{name}" = "{keys}"'
        lines.append(
            f"{setting if name in config.keys else '# ' + setting:<42}  # {binding.description}"
        )
    return "\n".join(lines)
