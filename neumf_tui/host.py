"""How busy this machine is: GPU, CPU and memory of the trainer, disk. For a panel; nothing here raises."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neumf_tui.cores import usable_cores

_RESCAN = 10
"""Reads between looks for the trainer's children and its GPU: on a crowded host such a look takes tens of milliseconds."""
_GIB = 1 << 30


@dataclass(frozen=True)
class GpuReading:
    """One GPU now; None for each figure that its driver does not give."""

    name: str
    utilisation: float | None
    """Percent of the driver's last sampling period (up to a second) in which some kernel ran."""
    memory_used: int | None
    """Bytes, of all processes."""
    memory_total: int | None
    temperature: float | None
    """°C."""
    power: float | None
    """Watts."""


@dataclass(frozen=True)
class HostReading:
    """The machine now; None for what cannot be told. Sizes are in bytes."""

    gpu: GpuReading | None
    gpu_note: str
    """Why there is no `gpu`; else empty."""
    cpu_percent: float | None
    """Of the trainer and its children since the read before, in percent of one core: four busy ones give 400.

    Counted in ticks of 10 ms, hence coarse for reads less than a second apart; None on the first."""
    cpu_cores: int
    """Cores that this process may use."""
    trainer_memory: int | None
    """Resident memory of the trainer without its children; None once it is gone."""
    memory_used: int | None
    """Of the whole host: what is not available."""
    memory_total: int | None
    load: float | None
    """Mean number of processes that ran or waited over the last minute."""
    disk_free: int | None
    """What this user may still write."""
    disk_total: int | None


def open_nvml() -> tuple[Any, str]:
    """The module pynvml, initialised and to be shut down after use, and ""; else None and why, in one line."""
    try:
        import pynvml
    except ImportError:
        return None, "the package nvidia-ml-py is missing"
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return None, nvml_note(pynvml, error)
    return pynvml, ""


def nvml_note(nvml: Any, error: Exception) -> str:
    """An NVMLError in a few plain words."""
    if isinstance(error, nvml.NVMLError_LibraryNotFound):
        # A container may have been given the device without the driver's libraries.
        return "NVML not found" if Path("/dev/nvidiactl").exists() else "no NVIDIA GPU here"
    if isinstance(error, nvml.NVMLError_DriverNotLoaded):
        return "the NVIDIA driver is not loaded"
    if isinstance(error, nvml.NVMLError_LibRmVersionMismatch):
        return "driver and NVML do not match"
    return f"NVML: {error}"


def nvml_text(value: str | bytes) -> str:
    """A name from NVML, which older bindings give as bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


class HostReader:
    """Reads the machine of the trainer `pid`; use it from one thread.

    The GPU is the one of `gpu_uuid` (with or without its `GPU-`), else the one on which `pid` computes, else the
    first. Disk figures are those of `folder`. `clock` gives seconds.
    """

    def __init__(
        self,
        pid: int,
        folder: Path,
        gpu_uuid: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        import psutil

        self._pid, self._folder, self._gpu_uuid, self._clock = pid, folder, gpu_uuid, clock
        self._process: psutil.Process | None = None
        with suppress(psutil.Error, ValueError):
            self._process = psutil.Process(
                pid
            )  # remembers when it began, so that a reused pid is not taken for it
        self._tree: list[psutil.Process] = []
        self._seconds: dict[int, float] = {}
        self._read_at = 0.0
        self._reads = 0
        self._nvml: Any = None
        self._nvml_asked = False
        self._no_nvml = ""
        self._handle: Any = None
        self._name = ""
        self._settled = False

    def read(self) -> HostReading:
        """The machine now. The first call also starts NVML, which can take a second; later ones a few milliseconds."""
        cpu_percent, trainer_memory = self._trainer()
        gpu, gpu_note = self._gpu()
        used, total = _memory()
        disk_free, disk_total = _disk(self._folder)
        self._reads += 1
        return HostReading(
            gpu=gpu,
            gpu_note=gpu_note,
            cpu_percent=cpu_percent,
            cpu_cores=usable_cores(),
            trainer_memory=trainer_memory,
            memory_used=used,
            memory_total=total,
            load=_load(),
            disk_free=disk_free,
            disk_total=disk_total,
        )

    def close(self) -> None:
        """Let go of NVML; may be called twice."""
        nvml, self._nvml, self._handle = self._nvml, None, None
        self._nvml_asked, self._no_nvml = True, self._no_nvml or "closed"
        if nvml is not None:
            with suppress(nvml.NVMLError):
                nvml.nvmlShutdown()

    def _trainer(self) -> tuple[float | None, int | None]:
        """CPU percent and resident bytes of the trainer and its children: those of a group are torchrun's."""
        import psutil

        now, before = self._clock(), self._seconds
        elapsed = now - self._read_at
        try:
            if self._process is None or not self._process.is_running():
                return None, None
            with self._process.oneshot():
                if self._process.status() == psutil.STATUS_ZOMBIE:
                    return None, None
                memory: int = self._process.memory_info().rss
                seconds = {self._pid: _cpu_seconds(self._process)}
            if self._reads % _RESCAN == 0:
                self._tree = self._process.children(recursive=True)
        except (psutil.Error, OSError):
            return None, None
        for child in self._tree:
            with suppress(psutil.Error, OSError):
                seconds[child.pid] = _cpu_seconds(child)
                memory += child.memory_info().rss
        self._seconds, self._read_at = seconds, now
        if not before or elapsed <= 0:
            return None, memory
        # A child counts from when it was first seen: what it used before belongs to no known time.
        spent = sum(max(0.0, s - before[pid]) for pid, s in seconds.items() if pid in before)
        return 100 * spent / elapsed, memory

    def _gpu(self) -> tuple[GpuReading | None, str]:
        if not self._nvml_asked:
            self._nvml_asked = True
            self._nvml, self._no_nvml = open_nvml()
        nvml = self._nvml
        if nvml is None:
            return None, self._no_nvml
        try:
            if self._handle is None or (not self._settled and self._reads % _RESCAN == 0):
                note = self._pick_gpu(nvml)
                if note:
                    return None, note
            handle = self._handle
            rates = _figure(nvml, nvml.nvmlDeviceGetUtilizationRates, handle)
            memory = _figure(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
            milliwatts = _figure(nvml, nvml.nvmlDeviceGetPowerUsage, handle)
            celsius = _figure(
                nvml, nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU
            )
        except nvml.NVMLError as error:
            self._handle = None
            return None, nvml_note(nvml, error)
        return GpuReading(
            name=self._name,
            utilisation=None if rates is None else float(rates.gpu),
            memory_used=None if memory is None else int(memory.used),
            memory_total=None if memory is None else int(memory.total),
            temperature=None if celsius is None else float(celsius),
            power=None if milliwatts is None else milliwatts / 1000,
        ), ""

    def _pick_gpu(self, nvml: Any) -> str:
        """Set the GPU to be read; why there is none to read, or nothing. Raises NVMLError."""
        handle = self._by_uuid(nvml)
        if handle is None:
            handle = self._by_pid(nvml)
        self._settled = handle is not None
        if handle is None:
            if self._gpu_uuid:
                return "the trainer's GPU is not seen here"
            if nvml.nvmlDeviceGetCount() == 0:
                return "no NVIDIA GPU here"
            handle = nvml.nvmlDeviceGetHandleByIndex(0)  # until the trainer shows up on one
        self._handle, self._name = (
            handle,
            nvml_text(_figure(nvml, nvml.nvmlDeviceGetName, handle) or "GPU"),
        )
        return ""

    def _by_uuid(self, nvml: Any) -> Any:
        if self._gpu_uuid:
            # torch leaves the prefix out; a slice of a GPU has one of its own.
            for prefix in ("", "GPU-", "MIG-"):
                with suppress(nvml.NVMLError):
                    return nvml.nvmlDeviceGetHandleByUUID(prefix + self._gpu_uuid)
        return None

    def _by_pid(self, nvml: Any) -> Any:
        for index in range(nvml.nvmlDeviceGetCount()):
            with suppress(nvml.NVMLError):
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                if any(
                    process.pid == self._pid
                    for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle)
                ):
                    return handle
        return None


def _figure(nvml: Any, ask: Callable[..., Any], *args: Any) -> Any:
    """What `ask` gives; None where this GPU, driver or user has no such figure. Raises other NVMLErrors."""
    missing = (
        nvml.NVMLError_NotSupported,
        nvml.NVMLError_InvalidArgument,  # some figures of a slice of a GPU
        nvml.NVMLError_FunctionNotFound,
        nvml.NVMLError_NoPermission,
    )
    try:
        return ask(*args)
    except missing:
        return None


def _cpu_seconds(process: Any) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _memory() -> tuple[int | None, int | None]:
    import psutil

    try:
        memory = psutil.virtual_memory()
    except (psutil.Error, OSError):
        return None, None
    return memory.total - memory.available, memory.total


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _disk(folder: Path) -> tuple[int | None, int | None]:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None, None
    return usage.free, usage.total


def host_lines(reading: HostReading, width: int) -> list[str]:
    """Four lines of at most `width` cells: GPU, CPU, memory, disk. What does not fit is left out from the right."""
    return [
        _gpu_line(reading, width),
        _cpu_line(reading, width),
        _memory_line(reading, width),
        _disk_line(reading, width),
    ]


def _gpu_line(reading: HostReading, width: int) -> str:
    gpu = reading.gpu
    if gpu is None:
        note = reading.gpu_note
        return note if len(note) <= width else (note[: max(0, width - 1)] + "…")[:width]
    parts = [
        f"{gpu.utilisation:.0f} %" if gpu.utilisation is not None else "",
        _of(gpu.memory_used, gpu.memory_total),
        f"{gpu.temperature:.0f} °C" if gpu.temperature is not None else "",
        f"{gpu.power:.0f} W" if gpu.power is not None else "",
        gpu.name,
    ]
    return _fit(width, ["GPU", *parts])


def _cpu_line(reading: HostReading, width: int) -> str:
    load = f"load {reading.load:.1f}" if reading.load is not None else ""
    if reading.cpu_percent is None:
        return _fit(width, ["CPU", f"{reading.cpu_cores} cores", load])
    # Cores, for a percentage beside their number would leave open which of the two it is of.
    return _fit(
        width, ["CPU", f"{reading.cpu_percent / 100:.1f} of {reading.cpu_cores} cores", load]
    )


def _memory_line(reading: HostReading, width: int) -> str:
    trainer = f"{_gib(reading.trainer_memory)} GiB" if reading.trainer_memory is not None else ""
    host = _of(reading.memory_used, reading.memory_total)
    rest = f"host {host}" if host else "" if trainer else "unknown"
    return _fit(
        width, ["memory", trainer and f"trainer {trainer}", rest], ["memory", trainer, rest]
    )


def _disk_line(reading: HostReading, width: int) -> str:
    if reading.disk_free is None:
        return _fit(width, ["disk", "unknown"])
    total = f"of {_gib(reading.disk_total)} GiB" if reading.disk_total is not None else ""
    return _fit(width, ["disk", f"{_gib(reading.disk_free)} GiB free", total])


def _gib(size: int) -> str:
    """Bytes as a number of GiB in two digits or more."""
    gib = size / _GIB
    return f"{gib:.1f}" if gib < 9.95 else f"{gib:.0f}"


def _of(used: int | None, total: int | None) -> str:
    """`1.2/80 GiB`, or nothing where either is unknown."""
    return "" if used is None or total is None else f"{_gib(used)}/{_gib(total)} GiB"


def _fit(width: int, *variants: Sequence[str]) -> str:
    """As many parts as fit, of the first variant that holds as many; each variant is a label and parts, empty ones left out."""
    shown = [[part for part in variant if part] for variant in variants]
    for count in range(max(map(len, shown)), 0, -1):
        for gap in ("  ", " "):
            for parts in shown:
                if len(parts) >= count and len(line := gap.join(parts[:count])) <= width:
                    return line
    return ""
