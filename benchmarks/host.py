"""The machine that times are measured on, and what else it did meanwhile."""

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
    """The machine, as far as times hang on it."""

    system: str
    processor: str
    cores: int
    """That the commands could use."""
    memory_gib: float
    versions: dict[str, str]


def host_facts(packages: Iterable[str] = PACKAGES) -> Host:
    return Host(
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=usable_cores(),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        versions=versions(packages),
    )


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Python's, and of those packages that are there."""
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
    """What all programs have taken so far of the cores that this one may use."""
    every = psutil.cpu_times(percpu=True)
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(every))
    return sum(
        sum(every[core]) - every[core].idle - getattr(every[core], "iowait", 0.0) for core in mine
    )


def own_seconds() -> float:
    """What this process and the ended ones below it have taken so far."""
    every = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in every)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
