"""Checks of what trains: Python, PyTorch, compiled kernels, CUDA and GPUs."""

import platform
import re
import sys
import warnings
from typing import Any

from neumf_tui.doctor.check import Finding, Probes, note, ok, problem
from neumf_tui.host import nvml_note, nvml_text


def check_python(_probes: Probes) -> Finding:
    return ok(f"{platform.python_version()}, {sys.executable}")


def _build(torch: Any) -> str:
    """Return `CUDA 12.6` or `ROCm 6.4`; nothing for a build that supports the CPU only."""
    if torch.version.cuda:
        return f"CUDA {torch.version.cuda}"
    hip = getattr(torch.version, "hip", None)
    return f"ROCm {hip}" if hip else ""


def check_torch(probes: Probes) -> Finding:
    torch = probes.torch()
    return ok(f"{torch.__version__}, built for {_build(torch) or 'the CPU only'}")


def check_kernels(probes: Probes) -> Finding:
    why, cache = probes.kernels(), probes.kernel_cache()
    if not why and not cache:
        return ok("compiled for this processor")
    text = f"{why}. Without kernels the CPU takes two to four times as long"
    if cache:
        text = (
            text if why else f"each command compiles them, since the cache cannot be used: {cache}"
        )
        fix = (
            "# name a folder of yours from which programs can run",
            "export NEUMF_TUI_CACHE=FOLDER",
        )
        return note(text, *fix)
    return note(text, "# install a C compiler, such as", "sudo apt install gcc libc6-dev")


def _driver(probes: Probes) -> str:
    """Return the version of the loaded NVIDIA driver, or nothing."""
    try:
        text = (probes.root / "proc/driver/nvidia/version").read_text(errors="replace")
    except OSError:
        return ""
    found = re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", text)
    return found[1] if found else "of an unknown version"


def check_cuda(probes: Probes) -> Finding:
    torch = probes.torch()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")  # torch reports a driver that is too old as a warning
        available = torch.cuda.is_available()
    if available:
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return ok(f"usable: {', '.join(names)}")
    driver, build = _driver(probes), _build(torch)
    if not driver:
        return ok("no NVIDIA driver: training uses the CPU")
    if not build:
        version = str(torch.__version__).partition("+")[0]
        wheels = "https://download.pytorch.org/whl/cu126"
        fix = (
            "# choose a build for the driver at https://pytorch.org/get-started/locally/, such as",
            f"{sys.executable} -m pip uninstall torch",
            f'{sys.executable} -m pip install "torch=={version}" --index-url {wheels}',
        )
        text = f"there is an NVIDIA driver ({driver}), but this torch is built for the CPU only"
        return problem(text, *fix)
    hidden = probes.env.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in ("", "-1"):
        return note("CUDA_VISIBLE_DEVICES hides every GPU", "unset CUDA_VISIBLE_DEVICES")
    why = str(caught[0].message) if caught else _why_no_cuda(torch)
    return problem(f"not usable with driver {driver} and torch for {build}: {why.splitlines()[0]}")


def _why_no_cuda(torch: Any) -> str:
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return str(error) or "no reason given"
    return "no device found"


def check_gpu(probes: Probes) -> Finding:
    nvml, why_not = probes.nvml()
    if nvml is None:
        return Finding("note" if _driver(probes) else "ok", why_not)
    try:
        count = nvml.nvmlDeviceGetCount()
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
        names = [nvml_text(nvml.nvmlDeviceGetName(handle)) for handle in handles]
        driver = nvml_text(nvml.nvmlSystemGetDriverVersion())
    except nvml.NVMLError as error:
        return note(nvml_note(nvml, error))
    finally:
        nvml.nvmlShutdown()
    return ok(f"{', '.join(names)}; driver {driver}" if names else "no NVIDIA GPU here")
