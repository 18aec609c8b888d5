"""Understand what people guess: a run given as `--run`, a file or a run where none is taken."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neumf_tui.errors import NeumfTuiError, UsageError
from neumf_tui.text import clean

_QUOTES = "put quotes around what has blanks, such as a title"


def run_as_argument(args: Sequence[str]) -> list[str]:
    """Return arguments in which `--run R` and `--run=R` have become R, the last argument.

    It is for commands whose last argument is a run that can be left out. Raises UsageError where
    the name is missing.
    """
    rest: list[str] = []
    runs: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            return [*rest, word, *words, *runs]
        flag, _, run = word.partition("=")
        if flag != "--run":
            rest.append(word)
        elif run := run or next(words, ""):
            runs.append(run)
        else:
            raise UsageError("--run: expected the name of a run; `neumf-tui runs` lists them")
    return [*rest, *runs]


def meant_by(command: str, values: Mapping[str, Any], extra: Sequence[str]) -> str:
    """Return what to write instead of arguments that `command` does not take.

    values: its parameters by name, as far as they are known.
    """
    from neumf_tui.home import home_dir

    try:
        words = _words_for(values, home_dir(values.get("home")), extra[0])
    except (NeumfTuiError, OSError):
        return _QUOTES
    if not words:
        return _QUOTES
    return f"did you mean `{clean(shlex.join(['neumf-tui', command, *words]))}`?"


def _words_for(values: Mapping[str, Any], home: Path, text: str) -> list[str]:
    """Return the option that takes `text`; empty if none does."""
    from neumf_tui.data.options import DataOptions
    from neumf_tui.data.registry import known_datasets
    from neumf_tui.home import expanded
    from neumf_tui.runs.reader import read_info
    from neumf_tui.runs.store import run_folders

    folder = next((one for one in run_folders(home) if one.name == text), None)
    if "run" in values:
        return ["--run", text] if folder else []
    if "data_dir" not in values:
        return []
    if "/" in text or "." in text or expanded(Path(text)).exists():
        return ["--data-dir", text]
    if any(known.name == text for known in known_datasets(home)):
        return ["--dataset", text]
    if folder:
        data = read_info(folder).dataset
        split = DataOptions(splitting=data.options.splitting)
        return ["--dataset", data.name, *split.flags]
    return []
