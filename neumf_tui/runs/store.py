"""All runs of a home folder: list them, find one by name, name a new one."""

import os
import random
import re
import stat
from pathlib import Path

from neumf_tui import files
from neumf_tui.errors import RunError, UsageError
from neumf_tui.home import runs_dir
from neumf_tui.runs.reader import read_info

NAME_LENGTH = 60
_ADJECTIVES = [
    "amber", "bold", "brisk", "calm", "clever", "coral", "dusky", "eager", "fleet", "gentle",
    "golden", "keen", "lucid", "mellow", "nimble", "quiet", "rapid", "silver", "sunny", "swift",
    "vivid", "witty",
]  # fmt: skip
_ANIMALS = [
    "badger", "crane", "falcon", "finch", "fox", "gecko", "hare", "heron", "ibis", "lynx",
    "marten", "mole", "newt", "otter", "owl", "puffin", "raven", "robin", "seal", "stoat", "swan",
    "tern", "wren",
]  # fmt: skip


def run_folders(home: Path) -> list[Path]:
    """Return the run directories, the latest first; also those that cannot be read.

    A run directory may be a link, since only its owner makes links in `runs`.
    """
    try:
        found = [path for path in runs_dir(home).iterdir() if not path.name.startswith(".")]
    except FileNotFoundError:
        return []
    changed = {path: when for path in found if (when := _changed(path)) is not None}
    return sorted(changed, key=lambda path: (changed[path], path.name), reverse=True)


def _changed(folder: Path) -> int | None:
    """Return when a run was made or renamed; None if this is not a run's folder."""
    try:
        return os.lstat(f"{folder}/run.json").st_mtime_ns  # a Path takes four times as long
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return 0  # one may not enter it: nobody knows what it is


def _may_be_folder(path: str) -> bool:
    """Return whether a text is the path of a folder, or one that this account may not look at."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 - it may be no path at all
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


def find_run(home: Path, run: str | None) -> Path:
    """Return the folder of `run`: a name, a unique prefix, a path, or None for the latest.

    The latest is that of the runs that can be read. Raises RunError if there is no such run.
    """
    folders = run_folders(home)
    if run is None:
        return _latest(folders, runs_dir(home))
    if not run.strip():
        raise UsageError("the name of the run is empty; omit it for the latest run")
    for folder in folders:
        if folder.name == run:
            return folder
    named = os.path.expanduser(run)  # noqa: PTH111 - an unknown ~user is no error
    if _may_be_folder(named) and ("/" in run or files.is_file(Path(named), "run.json")):
        read_info(Path(named))
        return Path(named).absolute()
    matches = [folder for folder in folders if folder.name.startswith(run)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(folder.name for folder in matches[:5])
        raise RunError(f"run {run!r} is not unique: {names}; give more letters")
    some = ", ".join(folder.name for folder in folders[:5])
    there = f"there are {some}" if some else "there is none yet; start one with `neumf-tui train`"
    raise RunError(f"no run {run!r} in {runs_dir(home)}: {there}")


def _latest(folders: list[Path], where: Path) -> Path:
    problem = RunError(f"no runs in {where}; start one with `neumf-tui train`")
    for number, folder in enumerate(folders):
        try:
            read_info(folder)
        except RunError as error:
            problem = problem if number else error
        else:
            return folder
    raise problem


def split_spec(text: str) -> tuple[str, str | None]:
    """Split `RUN@EPOCH`, `RUN@best` or `RUN@last` into run and checkpoint; raise UsageError.

    The checkpoint is None if it is not named. Run names contain no @; before a / it is part of a
    path.
    """
    run, at, which = text.rpartition("@")
    if not at or "/" in which:
        return text, None
    if not run or not (which.isdecimal() or which in ("best", "last")):
        raise UsageError(
            f"{text!r}: expected RUN, RUN@EPOCH, RUN@best or RUN@last; "
            "`neumf-tui runs` lists the runs"
        )
    return run, which


def check_name(name: str, what: str = "run") -> str:
    """Return `name`; raise UsageError if a run (or another `what`) cannot have it."""
    if not is_name(name):
        raise UsageError(
            f"{what} name {name[:80]!r}: use at most {NAME_LENGTH} letters, digits, '-', '_' "
            "and '.', without '-' or '.' at the start"
        )
    return name


def is_name(name: str) -> bool:
    return len(name) <= NAME_LENGTH and re.fullmatch(r"\w[\w.-]*", name) is not None


def new_run_name(home: Path, wanted: str | None) -> str:
    """Return `wanted`, or without it an unused name such as quiet-otter-07.

    Raises UsageError if `wanted` cannot be a folder's name, RunError if it is taken.
    """
    if wanted is not None:
        if (folder := runs_dir(home) / check_name(wanted)).exists():
            raise RunError(
                f"{folder}: a run with this name exists; choose another --name, or resume it"
            )
        return wanted
    draw = random.SystemRandom()
    while True:
        name = f"{draw.choice(_ADJECTIVES)}-{draw.choice(_ANIMALS)}-{draw.randrange(100):02}"
        if not (runs_dir(home) / name).exists():
            return name
