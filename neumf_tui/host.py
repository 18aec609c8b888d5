"""The load of this machine for the host panel: GPU, CPU, memory and disk. Nothing here raises."""

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from neumf_tui.cores import usable_cores

_T = TypeVar("_T")
_RESCAN = 10
"""Reads between searches for the trainer's children and GPU, which take tens of milliseconds."""


@dataclass(frozen=True)
class GpuReading:
    """The state of one GPU; None for each value that its driver does not give."""

    name: str
    utilisation: float | None
    """Percent of the driver's last sampling period (up to 1 s) in which a kernel ran."""
    memory_used: int | None
    """Bytes used by all processes."""
    memory_total: int | None
    temperature: float | None
    """°C."""
    power: float | None
    """Watts."""


@dataclass(frozen=True)
class HostReading:
    """The state of the machine; None for what is unknown. Sizes are in bytes."""

    gpu: GpuReading | None
    gpu_note: str
    """Why `gpu` is None; otherwise empty."""
    cpu_percent: float | None
    """Use by the trainer and its children since the last read; four busy cores give 400.

    It is counted in ticks of 10 ms, so it is coarse for reads less than a second apart. None on the
    first read."""
    cpu_cores: int
    """Cores that this process may use."""
    trainer_memory: int | None
    """Resident memory of the trainer and its children; None after it has ended."""
    memory_used: int | None
    """Memory of the whole host that is not available."""
    memory_total: int | None
    load: float | None
    """Mean number of running or waiting processes over the last minute."""
    disk_free: int | None
    """Space that this user may still fill."""
    disk_total: int | None


def open_nvml() -> tuple[Any, str]:
    """Return pynvml after `nvmlInit` and "", or None and the reason."""
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
    """Return a short text for an NVMLError."""
    if isinstance(error, nvml.NVMLError_LibraryNotFound):
        # A container may have the device, but not the driver's libraries.
        return "NVML not found" if Path("/dev/nvidiactl").exists() else "no NVIDIA GPU here"
    if isinstance(error, nvml.NVMLError_DriverNotLoaded):
        return "the NVIDIA driver is not loaded"
    if isinstance(error, nvml.NVMLError_LibRmVersionMismatch):
        return "driver and NVML do not match"
    return f"NVML: {error}"


def nvml_text(value: str | bytes) -> str:
    """Decode a text from NVML, which older bindings return as bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


class HostReader:
    """Reads the state of the machine on which the trainer `pid` runs; use it from one thread.

    The GPU is the one of `gpu_uuid` (with or without `GPU-`), or the one that `pid` uses, or the
    first. The disk is that of `folder`. `clock` returns seconds.
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
            # A Process knows its start time, so a reused pid is not mistaken for the trainer.
            self._process = psutil.Process(pid)
        self._tree: list[psutil.Process] = []
        self._seconds: dict[int, float] = {}
        self._read_at = 0.0
        self._reads = 0
        self._nvml: Any = None
        self._nvml_asked = False
        self._no_nvml = ""
        self._handle: Any = None
        self._name = ""
        self._gpu_is_known = False

    def read(self) -> HostReading:
        """Return the state now, within milliseconds; the first call starts NVML (up to 1 s)."""
        import psutil

        cpu_percent, trainer_memory = self._trainer()
        gpu, gpu_note = self._gpu()
        memory = _or_none(psutil.virtual_memory)
        disk = _or_none(lambda: shutil.disk_usage(self._folder))
        load = _or_none(os.getloadavg)
        self._reads += 1
        return HostReading(
            gpu=gpu,
            gpu_note=gpu_note,
            cpu_percent=cpu_percent,
            cpu_cores=usable_cores(),
            trainer_memory=trainer_memory,
            memory_used=memory and memory.total - memory.available,
            memory_total=memory and memory.total,
            load=load and load[0],
            disk_free=disk and disk.free,
            disk_total=disk and disk.total,
        )

    def close(self) -> None:
        """Shut NVML down; may be called twice."""
        nvml, self._nvml, self._handle = self._nvml, None, None
        self._nvml_asked, self._no_nvml = True, self._no_nvml or "closed"
        if nvml is not None:
            with suppress(nvml.NVMLError):
                nvml.nvmlShutdown()

    def _trainer(self) -> tuple[float | None, int | None]:
        """Return CPU percent and resident bytes of the trainer and its children."""
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
        # A child counts from when it was first seen: its earlier use belongs to no known interval.
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
            if self._handle is None or (not self._gpu_is_known and self._reads % _RESCAN == 0):
                note = self._pick_gpu(nvml)
                if note:
                    return None, note
            handle = self._handle
            rates = _ask(nvml, nvml.nvmlDeviceGetUtilizationRates, handle)
            memory = _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
            milliwatts = _ask(nvml, nvml.nvmlDeviceGetPowerUsage, handle)
            celsius = _ask(nvml, nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU)
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
        """Choose the GPU to read; return why there is none, or nothing. Raises NVMLError."""
        handle = self._by_uuid(nvml)
        if handle is None:
            handle = self._by_pid(nvml)
        self._gpu_is_known = handle is not None
        if handle is None:
            if self._gpu_uuid:
                return "the trainer's GPU is not visible here"
            if nvml.nvmlDeviceGetCount() == 0:
                return "no NVIDIA GPU here"
            handle = nvml.nvmlDeviceGetHandleByIndex(0)  # until the trainer shows up on one
        self._handle = handle
        self._name = nvml_text(_ask(nvml, nvml.nvmlDeviceGetName, handle) or "GPU")
        return ""

    def _by_uuid(self, nvml: Any) -> Any:
        if self._gpu_uuid:
            # torch omits the prefix; a MIG instance has its own.
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


def _ask(nvml: Any, ask: Callable[..., Any], *args: Any) -> Any:
    """Return `ask(*args)`, or None if this GPU, driver or user has no such value."""
    missing = (
        nvml.NVMLError_NotSupported,
        nvml.NVMLError_InvalidArgument,  # some values of a MIG instance
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


def _or_none(read: Callable[[], _T]) -> _T | None:
    """Return what the system tells, or None if it does not."""
    import psutil

    try:
        return read()
    except (psutil.Error, OSError):
        return None
