"""Checks of the folders where datasets and runs are kept."""

import os
import shutil
from pathlib import Path

from neumf_tui.doctor.check import Finding, Probes, note, ok, problem

_FREE_BYTES = 1 << 30
"""Disk space to have. Runs and prepared ML-100K take far less, but a full disk ends a run."""
_NETWORK_TYPES = (
    "nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "gluster", "afs", "sshfs", "9p",
    "panfs", "davfs",
)  # fmt: skip
_REMEDY = "choose another folder with --home or NEUMF_TUI_HOME"


def check_data(home: Path) -> Finding:
    from neumf_tui.data.registry import known_datasets

    known = known_datasets(home)
    parts = [f"{row.name}: {row.where}" for row in known if row.available]
    if missing := [row.name for row in known if not row.available]:
        parts.append(f"missing: {', '.join(missing)} (see `neumf-tui datasets`)")
    return ok("; ".join(parts))


def _existing(folder: Path) -> Path:
    """Return `folder`, or the nearest folder above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def check_home(home: Path) -> Finding:
    existing = _existing(home.absolute())
    if not existing.is_dir():
        return problem(f"{existing} is not a folder; {_REMEDY}")
    if not os.access(existing, os.W_OK | os.X_OK):
        return problem(f"{home}: {existing} is not writable; {_REMEDY}")
    free = shutil.disk_usage(existing).free
    created = "" if existing == home.absolute() else ", created at first use"
    text = f"{home}{created}, {free / (1 << 30):.1f} GiB free"
    if free < _FREE_BYTES:
        return problem(f"{text}: a full disk ends a run; {_REMEDY}")
    return ok(text)


def check_locks(home: Path, probes: Probes) -> Finding:
    folder = _existing(home.absolute()).resolve()
    above = [mount for mount in probes.mounts() if folder.is_relative_to(mount[0])]
    # Of several mounts on one point, the last is on top; `max` takes the first, hence reversed.
    _, kind = max(reversed(above), key=lambda mount: len(Path(mount[0]).parts), default=("", ""))
    if not any(name in kind.lower() for name in _NETWORK_TYPES):
        return ok(f"home is on a local file system{f' ({kind})' if kind else ''}")
    text = (
        f"home is on a network file system ({kind}), where locks may not work: a run may look "
        "crashed, or be trained twice"
    )
    fix = ("# in ~/.profile, a folder on a local disk", "export NEUMF_TUI_HOME=FOLDER")
    return note(text, *fix)
