"""What a run directory consists of: check it before it is written to, and remove nothing else."""

import re
import stat
from pathlib import Path

from neumf_tui import files
from neumf_tui.runs.reader import AGENT_LOCK, RUN_LOCK
from neumf_tui.runs.requests import NAME as REQUEST

NEEDED_FOLDERS = ("ranks", "checkpoints", "requests")
STORE, MESSAGES = "store", "messages"
"""Folder and file by which several processes of a run find each other while they train."""
_TAPE = r"\d{5,}(-\d{5,})?\.npy"
_FOLDERS = {
    "ranks": _TAPE,
    "validation": _TAPE,
    "checkpoints": r"best|last|\d{5,}(-\d{5,})?\.safetensors",
    "requests": REQUEST,
    STORE: MESSAGES,
}
"""The folders of a run, and a pattern of the names of their files."""
_APPENDED = ("events.jsonl", "trainer.log")
_FILES = ("run.json", "status.json", RUN_LOCK, AGENT_LOCK, *_APPENDED)
_POINTERS = ("checkpoints/best", "checkpoints/last")


def check_run(folder: Path) -> None:
    """Raise OSError if a part of a run is something else than its name promises, such as a link.

    A run can come from somebody else: nothing outside it may be written to or removed.
    """
    for name in _FOLDERS:
        files.check_kind(folder, name, is_folder=True)
    for name in (*_FILES, *_POINTERS):
        files.check_kind(folder, name, alone=name in _APPENDED)


def complete_run(folder: Path) -> None:
    """Make missing folders, since many ways to copy a run leave out empty ones.

    Also remove what killed trainers have left half written.
    """
    for name in NEEDED_FOLDERS:
        files.make_folder(folder, name)
    for name in (".", *_FOLDERS):
        files.remove_scratch(folder, name)


def remove_run(folder: Path) -> list[str]:
    """Remove what a run consists of, following no link; return the names of what else is there.

    If nothing else is there, the folder itself is removed, too.
    """
    for name, pattern in _FOLDERS.items():
        found = files.entries(folder).get(name)
        if found is not None and stat.S_ISDIR(found.st_mode):
            _remove_files(folder, name, pattern)
            files.remove_if_empty(folder, name)
    _remove_files(folder, ".", "|".join(map(re.escape, (*_FILES[1:], *_FOLDERS))))
    _remove_files(folder, ".", re.escape(_FILES[0]))  # last, so that this can be repeated
    files.remove_if_empty(folder.parent, folder.name)
    return sorted(files.entries(folder))


def _remove_files(folder: Path, name: str, pattern: str) -> None:
    """Remove everything but folders whose name matches, and what was not written to its end."""
    names = re.compile(rf"({pattern})|\.({pattern})\.[\w-]+(\.[0-9a-f]+{files.SCRATCH})?", re.ASCII)
    for entry, found in files.entries(folder, name).items():
        if names.fullmatch(entry) and not stat.S_ISDIR(found.st_mode):
            files.remove(folder, f"{name}/{entry}")
