"""What this account may do with a run, which can belong to another account of the host."""

import os
import pwd
from pathlib import Path

from neumf_tui import files
from neumf_tui.errors import RunError


def why_read_only(folder: Path) -> str:
    """Return in one line why this account can change nothing in a run; empty if it can."""
    if not folder.is_dir() or files.may_write(folder):
        return ""
    try:
        owner = files.owner(folder)
    except FileNotFoundError:  # deleted meanwhile
        return ""
    if owner == os.geteuid():
        return "read-only: this account may not write into its folder"
    return f"read-only: this run belongs to {account_name(owner)}"


def account_name(number: int) -> str:
    """Return the name of an account, or its number where it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"account {number}"


def check_may_change(folder: Path) -> None:
    """Raise RunError if this account can only read a run."""
    if why := why_read_only(folder):
        raise RunError(
            f"{folder.name} is {why}, so it cannot be steered or changed from here; ask its "
            f"owner, or look at it: `neumf-tui attach {folder}`"
        )
