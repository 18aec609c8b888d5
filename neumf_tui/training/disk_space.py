"""Warn before the disk of a run is full."""

import shutil
from pathlib import Path

from neumf_tui import files
from neumf_tui.text import si

FEW = 20
"""Number of checkpoints that have to fit on the disk; with room for fewer there is a warning."""


def space_warning(folder: Path, checkpoint: str) -> str:
    """Return a warning if the disk has room for few more files like this one; otherwise nothing."""
    free = shutil.disk_usage(folder).free
    count = free // max(1, files.size(folder, f"checkpoints/{checkpoint}"))
    if count >= FEW:
        return ""
    return (
        f"the disk of {folder} has room for about {count} more checkpoints ({si(free)}B): "
        f"free some space, or remove checkpoints: `neumf-tui prune {folder.name} --keep 10`"
    )
