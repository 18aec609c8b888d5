"""All runs of a home folder: list them, find one by name, name a new one."""

import random
import re
from pathlib import Path

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
    """Return the run directories, the latest first."""
    folder = runs_dir(home)
    if not folder.is_dir():
        return []
    runs = [path for path in folder.iterdir() if (path / "run.json").exists()]
    return sorted(runs, key=lambda run: ((run / "run.json").stat().st_mtime_ns, run.name))[::-1]


def find_run(home: Path, run: str | None) -> Path:
    """Return the folder of `run`: a name, a unique prefix, a path, or None for the latest.

    Raises RunError if there is no such run.
    """
    folders = run_folders(home)
    if run is None:
        if not folders:
            raise RunError(f"no runs in {runs_dir(home)}; start one with `neumf-tui train`")
        return folders[0]
    if not run.strip():
        raise UsageError("the name of the run is empty; omit it for the latest run")
    for folder in folders:
        if folder.name == run:
            return folder
    path = Path(run).expanduser()
    if path.is_dir() and ("/" in run or (path / "run.json").exists()):
        read_info(path)
        return path.absolute()
    matches = [folder for folder in folders if folder.name.startswith(run)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(folder.name for folder in matches[:5])
        raise RunError(f"run {run!r} is not unique: {names}; give more letters")
    some = ", ".join(folder.name for folder in folders[:5])
    there = f"there are {some}" if some else "there is none yet; start one with `neumf-tui train`"
    raise RunError(f"no run {run!r} in {runs_dir(home)}: {there}")


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
