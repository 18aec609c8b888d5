"""The host panel: a fake GPU driver, real trainer processes, and lines that cut no number."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from neumf_tui import host
from neumf_tui.host import GpuReading, HostReader, HostReading
from neumf_tui.views.host import host_lines

GIB = 1 << 30


@dataclass
class Gpu:
    uuid: str
    name: str | bytes = "NVIDIA H100 80GB HBM3"
    pids: list[int] = field(default_factory=list)
    fails: dict[str, str] = field(default_factory=dict)
    """Error by function."""


class FakeNvml(ModuleType):
    """pynvml as far as it is used, on top of `gpus`; `broken` is the error of its start."""

    NVML_TEMPERATURE_GPU = 0

    def __init__(self, gpus: list[Gpu], broken: str = "") -> None:
        super().__init__("pynvml")
        self.gpus, self.broken, self.starts, self.ends = gpus, broken, 0, 0
        self.NVMLError = type("NVMLError", (Exception,), {})
        for name in (
            "NotSupported", "InvalidArgument", "FunctionNotFound", "NoPermission",
            "LibraryNotFound", "DriverNotLoaded",
            "LibRmVersionMismatch", "GpuIsLost", "NotFound",
        ):  # fmt: skip
            setattr(self, f"NVMLError_{name}", type(f"NVMLError_{name}", (self.NVMLError,), {}))

    def fail(self, name: str) -> None:
        raise getattr(self, f"NVMLError_{name}")(name)

    def figure(self, gpu: Gpu, name: str, value: object) -> object:
        if name in gpu.fails:
            self.fail(gpu.fails[name])
        return value

    def nvmlInit(self) -> None:
        self.starts += 1
        if self.broken:
            self.fail(self.broken)

    def nvmlShutdown(self) -> None:
        self.ends += 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Gpu:
        return self.gpus[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Gpu:
        for gpu in self.gpus:
            if gpu.uuid == uuid:
                return gpu
        self.fail("NotFound")
        raise AssertionError

    def nvmlDeviceGetComputeRunningProcesses(self, gpu: Gpu) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid) for pid in gpu.pids]

    def nvmlDeviceGetName(self, gpu: Gpu) -> object:
        return self.figure(gpu, "name", gpu.name)

    def nvmlDeviceGetUtilizationRates(self, gpu: Gpu) -> object:
        return self.figure(gpu, "rates", SimpleNamespace(gpu=43, memory=5))

    def nvmlDeviceGetMemoryInfo(self, gpu: Gpu) -> object:
        return self.figure(gpu, "memory", SimpleNamespace(used=GIB * 12 // 10, total=80 * GIB))

    def nvmlDeviceGetPowerUsage(self, gpu: Gpu) -> object:
        return self.figure(gpu, "power", 210_400)

    def nvmlDeviceGetTemperature(self, gpu: Gpu, sensor: int) -> object:
        return self.figure(gpu, "temperature", 61)


Driver = Callable[..., FakeNvml]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    def install(*gpus: Gpu, broken: str = "") -> FakeNvml:
        fake = FakeNvml(list(gpus), broken)
        monkeypatch.setitem(sys.modules, "pynvml", fake)
        return fake

    return install


def name_of(reading: HostReading) -> str:
    assert reading.gpu is not None
    return reading.gpu.name


def test_every_figure_of_a_gpu(driver: Driver, tmp_path: Path) -> None:
    fake = driver(Gpu("GPU-a", name=b"NVIDIA H100 80GB HBM3"))
    reader = HostReader(os.getpid(), tmp_path)
    reading = reader.read()
    assert reading.gpu == GpuReading(
        "NVIDIA H100 80GB HBM3", 43.0, GIB * 12 // 10, 80 * GIB, 61.0, 210.4
    )
    assert reading.gpu_note == ""
    reader.read()
    reader.close()
    reader.close()
    assert (fake.starts, fake.ends) == (1, 1)
    assert reader.read().gpu_note == "closed" and fake.starts == 1


def test_figures_that_are_not_supported_are_unknown(driver: Driver, tmp_path: Path) -> None:
    fails = {
        "rates": "NotSupported",
        "memory": "NotSupported",
        "power": "NoPermission",
        "temperature": "InvalidArgument",
        "name": "FunctionNotFound",
    }
    driver(Gpu("GPU-a", fails=fails))
    reading = HostReader(os.getpid(), tmp_path).read()
    assert reading.gpu == GpuReading("GPU", None, None, None, None, None)
    assert host_lines(reading, 34)[0] == "GPU  GPU"


@pytest.mark.parametrize(
    ("broken", "note"),
    [
        ("LibRmVersionMismatch", "driver and NVML do not match"),
        ("DriverNotLoaded", "the NVIDIA driver is not loaded"),
        ("GpuIsLost", "NVML: GpuIsLost"),
    ],
)
def test_a_driver_that_does_not_start_is_asked_once(
    driver: Driver, broken: str, note: str, tmp_path: Path
) -> None:
    fake = driver(Gpu("GPU-a"), broken=broken)
    reader = HostReader(os.getpid(), tmp_path)
    for _ in range(12):
        reading = reader.read()
        assert reading.gpu is None and reading.gpu_note == note
    reader.close()
    assert (fake.starts, fake.ends) == (1, 0)
    assert host_lines(reading, 34)[0] == note


@pytest.mark.parametrize(
    ("device", "note"), [(True, "NVML not found"), (False, "no NVIDIA GPU here")]
)
def test_without_the_drivers_library(
    driver: Driver, device: bool, note: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    driver(broken="LibraryNotFound")
    exists = Path.exists
    monkeypatch.setattr(
        Path, "exists", lambda self: device if str(self) == "/dev/nvidiactl" else exists(self)
    )
    assert HostReader(os.getpid(), tmp_path).read().gpu_note == note


def test_without_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert (
        HostReader(os.getpid(), tmp_path).read().gpu_note == "the package nvidia-ml-py is missing"
    )


def test_a_driver_without_a_gpu(driver: Driver, tmp_path: Path) -> None:
    driver()
    assert HostReader(os.getpid(), tmp_path).read().gpu_note == "no NVIDIA GPU here"


@pytest.mark.parametrize("uuid", ["b-1", "GPU-b-1"])
def test_the_gpu_by_its_uuid(driver: Driver, uuid: str, tmp_path: Path) -> None:
    driver(Gpu("GPU-a", "first", [os.getpid()]), Gpu("GPU-b-1", "second"))
    assert name_of(HostReader(os.getpid(), tmp_path, uuid).read()) == "second"


def test_another_gpu_is_never_shown_as_the_trainers(driver: Driver, tmp_path: Path) -> None:
    driver(Gpu("GPU-a"))
    reading = HostReader(os.getpid(), tmp_path, "gone").read()
    assert reading.gpu is None and reading.gpu_note == "the trainer's GPU is not visible here"


def test_the_gpu_that_the_trainer_computes_on_even_if_it_comes_late(
    driver: Driver, tmp_path: Path
) -> None:
    fake = driver(Gpu("GPU-a", "first", [1]), Gpu("GPU-b", "second"))
    reader = HostReader(os.getpid(), tmp_path)
    assert name_of(reader.read()) == "first", "nobody's, until it is known better"
    fake.gpus[1].pids.append(os.getpid())
    assert "second" in [name_of(reader.read()) for _ in range(20)]
    fake.gpus[1].pids.clear()
    assert {name_of(reader.read()) for _ in range(20)} == {"second"}, "found once, kept"


def test_a_gpu_lost_and_found_again(driver: Driver, tmp_path: Path) -> None:
    fake = driver(Gpu("GPU-a", "first"))
    reader = HostReader(os.getpid(), tmp_path)
    reader.read()
    fake.gpus[0].fails["rates"] = "GpuIsLost"
    assert reader.read().gpu_note == "NVML: GpuIsLost"
    fake.gpus[0].fails.clear()
    assert name_of(reader.read()) == "first"


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that waits for its stdin to end."""
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        yield process
        process.kill()


def test_a_trainer_that_ends_is_no_error(
    driver: Driver, child: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    driver()
    reader = HostReader(child.pid, tmp_path)
    alive = reader.read()
    assert alive.trainer_memory and alive.cpu_percent is None
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    zombie = reader.read()
    child.wait()
    gone = reader.read()
    for reading in (
        zombie,
        gone,
        HostReader(child.pid, tmp_path).read(),
        HostReader(-1, tmp_path).read(),
    ):
        assert reading.trainer_memory is None and reading.cpu_percent is None
        assert reading.memory_total and reading.disk_total and reading.cpu_cores >= 1


def test_cpu_is_of_the_whole_tree_by_one_core(
    driver: Driver,
    child: "subprocess.Popen[bytes]",
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    driver()
    used = {os.getpid(): 10.0, child.pid: 500.0}
    now = [100.0]
    monkeypatch.setattr(host, "_cpu_seconds", lambda process: used.get(process.pid, 0.0))
    reader = HostReader(os.getpid(), tmp_path, clock=lambda: now[0])
    assert reader.read().cpu_percent is None
    assert reader.read().cpu_percent is None, "no time has passed"
    now[0] += 2
    used[os.getpid()] += 3
    used[child.pid] += 1
    assert reader.read().cpu_percent == 200
    now[0] += 2
    child.kill()
    child.wait()
    used[child.pid] = 0.0
    used[os.getpid()] += 1
    assert reader.read().cpu_percent == 50, "a child that ended takes nothing away"


def test_a_folder_that_is_gone(driver: Driver, tmp_path: Path) -> None:
    driver()
    reading = HostReader(os.getpid(), tmp_path / "no").read()
    assert reading.disk_free is None and host_lines(reading, 34)[3] == "disk  unknown"


FULL = HostReading(
    gpu=GpuReading("NVIDIA H100 80GB HBM3", 43.0, GIB * 12 // 10, 80 * GIB, 61.0, 210.4),
    gpu_note="",
    cpu_percent=98.0,
    cpu_cores=16,
    trainer_memory=GIB * 8 // 10,
    memory_used=GIB * 31 // 10,
    memory_total=128 * GIB,
    load=1.23,
    disk_free=51 * GIB,
    disk_total=64 * GIB,
)
BUSY = replace(
    FULL,
    gpu=GpuReading("NVIDIA H100 80GB HBM3", 100.0, 71 * GIB, 80 * GIB, 61.0, 699.6),
    cpu_percent=12_800.0,
    cpu_cores=128,
    trainer_memory=312 * GIB,
    memory_used=1900 * GIB,
    memory_total=2048 * GIB,
    load=130.4,
)
NOTHING = HostReading(None, "no NVIDIA GPU here", None, 2, None, None, None, None, None, None)


def test_lines_for_the_panel() -> None:
    assert host_lines(FULL, 34) == [
        "GPU 43 % 1.2/80 GiB 61 °C 210 W",
        "CPU  1.0 of 16 cores  load 1.2",
        "memory  0.8 GiB  host 3.1/128 GiB",
        "disk  51 GiB free  of 64 GiB",
    ]
    assert host_lines(FULL, 80) == [
        "GPU  43 %  1.2/80 GiB  61 °C  210 W  NVIDIA H100 80GB HBM3",
        "CPU  1.0 of 16 cores  load 1.2",
        "memory  trainer 0.8 GiB  host 3.1/128 GiB",
        "disk  51 GiB free  of 64 GiB",
    ]
    assert host_lines(NOTHING, 34) == [
        "no NVIDIA GPU here",
        "CPU  2 cores",
        "memory  unknown",
        "disk  unknown",
    ]


@pytest.mark.parametrize("reading", [FULL, BUSY, NOTHING])
def test_a_line_never_exceeds_its_width_nor_cuts_a_number(reading: HostReading) -> None:
    whole = {part for line in host_lines(reading, 200) for part in line.split()} | {"trainer"}
    for width in range(200):
        lines = host_lines(reading, width)
        assert len(lines) == 4 and all(len(line) <= width for line in lines)
        shown = {part for line in lines for part in line.split()}
        assert all(part in whole or part.endswith("…") for part in shown)
