"""The content of the person's `config.toml`, of which each part is checked where it is used."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neumf_tui.errors import UsageError
from neumf_tui.home import config_path
from neumf_tui.settings import did_you_mean, line_of, read_toml

NAMES = ("theme", "low_bandwidth", "notify", "alarms", "keys")
"""Everything that the file can set."""


@dataclass(frozen=True)
class ConfigFile:
    """What the file says; nothing where there is none."""

    path: Path
    text: str
    values: dict[str, Any]

    def wrong(self, name: str, what: str) -> UsageError:
        """Return the error for the line that sets `name`."""
        return UsageError(f"{self.path}, line {line_of(self.text, name)}: {what}")


def read_config_file() -> ConfigFile:
    """Read the config file; raises UsageError with the file, the line and what to do."""
    path = config_path()
    try:
        text, values = read_toml(path, str(path), "fix it or remove it")
    except UsageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return ConfigFile(path, "", {})
        raise
    found = ConfigFile(path, text, values)
    for name in values:
        if name not in NAMES:
            hint = did_you_mean(name, NAMES, f"known are {', '.join(NAMES)}")
            raise found.wrong(name, f"unknown setting {name!r}; {hint}")
    return found
