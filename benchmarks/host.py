"""The machine that times are measured on, and what else ran on it."""

import os
import platform
import resource
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import psutil

from neumf_tui.cores import usable_cores

PACKAGES = ("neumf-tui", "torch", "numpy")


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """What times depend on."""

    system: str
    processor: str
    cores: int
    """Number of cores that the commands could use."""
    memory_gib: float
    versions: dict[str, str]


def host_facts() -> Host:
    """Describe this machine."""
    return Host(
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=usable_cores(),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        versions=versions(PACKAGES),
    )


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of those packages that are installed."""
    found = {"Python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def busy_seconds() -> float:
    """Return the time that all programs have taken so far of the cores this process may use."""
    times = psutil.cpu_times(percpu=True)
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(times))
    return sum(
        sum(times[core]) - times[core].idle - getattr(times[core], "iowait", 0.0) for core in mine
    )


def own_seconds() -> float:
    """Return the processor time of this process and of its ended children so far."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def say(text: str) -> None:
    """Print a line for the person who waits."""
    print(text, file=sys.stderr, flush=True)
