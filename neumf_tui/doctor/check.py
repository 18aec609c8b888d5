"""What a check of `doctor` finds, and the questions that the checks ask the machine."""

import getpass
import locale
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from neumf_tui.host import open_nvml
from neumf_tui.native.library import cache_problem, why_not
from neumf_tui.terminal import Rgb, ask_background, why_no_screen

State = Literal["ok", "note", "problem"]


class Finding(NamedTuple):
    """What a check finds."""

    state: State
    """`note`: works, but not fully or not everywhere; `problem`: something does not work."""
    text: str
    fix: tuple[str, ...] = ()
    """Lines to type or to add to a file; a line that starts with `#` says where."""


@dataclass(frozen=True)
class Check:
    """A finding with the name of its check."""

    name: str
    state: State
    text: str
    fix: tuple[str, ...] = ()


def ok(text: str) -> Finding:
    return Finding("ok", text)


def note(text: str, *fix: str) -> Finding:
    return Finding("note", text, fix)


def problem(text: str, *fix: str) -> Finding:
    return Finding("problem", text, fix)


def _run(command: Sequence[str]) -> str:
    """Return what `command` prints; raises OSError or subprocess.SubprocessError."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=2, check=True, stdin=subprocess.DEVNULL
    ).stdout.strip()


def _size() -> tuple[int, int] | None:
    """Return the columns and lines of the terminal; None without one."""
    for stream in (sys.__stderr__, sys.__stdin__, sys.__stdout__):
        try:
            if stream is not None:
                columns, lines = os.get_terminal_size(stream.fileno())
                return columns, lines
        except (OSError, ValueError):
            continue
    return None


def _torch() -> Any:
    import torch

    return torch


def _mounts() -> list[tuple[str, str]]:
    """Return mount points and the types of their file systems."""
    import psutil

    return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]


def _background() -> Rgb | None:
    return ask_background(limit=1.0)


@dataclass(frozen=True)
class Probes:
    """The questions that the checks ask the machine."""

    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    no_screen: Callable[[], str] = why_no_screen
    background: Callable[[], Rgb | None] = _background
    size: Callable[[], tuple[int, int] | None] = _size
    encoding: Callable[[], str] = locale.getencoding
    run: Callable[[Sequence[str]], str] = _run
    torch: Callable[[], Any] = _torch
    kernels: Callable[[], str] = why_not
    kernel_cache: Callable[[], str] = cache_problem
    nvml: Callable[[], tuple[Any, str]] = open_nvml
    mounts: Callable[[], list[tuple[str, str]]] = _mounts
    user: Callable[[], str] = getpass.getuser
    root: Path = Path("/")
    """Folder of /etc, /proc, /run and /usr."""
