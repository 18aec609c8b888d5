"""The load of the machine as the four lines of the host panel."""

from collections.abc import Sequence

from neumf_tui.host import HostReading

_GIB = 1 << 30


def host_lines(reading: HostReading, width: int) -> list[str]:
    """Return four lines of at most `width` cells: GPU, CPU, memory, disk.

    Parts that do not fit are left out, from the right.
    """
    return [line(reading, width) for line in (_gpu_line, _cpu_line, _memory_line, _disk_line)]


def _gpu_line(reading: HostReading, width: int) -> str:
    gpu = reading.gpu
    if gpu is None:
        note = reading.gpu_note
        return note if len(note) <= width else (note[: max(0, width - 1)] + "…")[:width]
    memory = _of(gpu.memory_used, gpu.memory_total)
    share, heat = _known("{:.0f} %", gpu.utilisation), _known("{:.0f} °C", gpu.temperature)
    return _fit(width, ["GPU", share, memory, heat, _known("{:.0f} W", gpu.power), gpu.name])


def _cpu_line(reading: HostReading, width: int) -> str:
    cores = f"{reading.cpu_cores} cores"
    if reading.cpu_percent is not None:
        # In cores: a percentage could be of one core or of all.
        cores = f"{reading.cpu_percent / 100:.1f} of {cores}"
    return _fit(width, ["CPU", cores, _known("load {:.1f}", reading.load)])


def _memory_line(reading: HostReading, width: int) -> str:
    trainer = f"{_gib(reading.trainer_memory)} GiB" if reading.trainer_memory is not None else ""
    named = trainer and f"trainer {trainer}"
    host = _of(reading.memory_used, reading.memory_total)
    rest = f"host {host}" if host else "" if trainer else "unknown"
    return _fit(width, ["memory", named, rest], ["memory", trainer, rest])


def _disk_line(reading: HostReading, width: int) -> str:
    if reading.disk_free is None:
        return _fit(width, ["disk", "unknown"])
    total = f"of {_gib(reading.disk_total)} GiB" if reading.disk_total is not None else ""
    return _fit(width, ["disk", f"{_gib(reading.disk_free)} GiB free", total])


def _known(form: str, value: float | None) -> str:
    return "" if value is None else form.format(value)


def _gib(size: int) -> str:
    """Return bytes in GiB with at least two digits."""
    gib = size / _GIB
    return f"{gib:.1f}" if gib < 9.95 else f"{gib:.0f}"


def _of(used: int | None, total: int | None) -> str:
    """Return `1.2/80 GiB`, or nothing if either is unknown."""
    return "" if used is None or total is None else f"{_gib(used)}/{_gib(total)} GiB"


def _fit(width: int, *variants: Sequence[str]) -> str:
    """Join as many parts as fit in `width`, of the first variant that fits as many.

    A variant is a label and its parts; empty parts are left out.
    """
    shown = [[part for part in variant if part] for variant in variants]
    for count in range(max(map(len, shown)), 0, -1):
        for gap in ("  ", " "):
            for parts in shown:
                if len(parts) >= count and len(line := gap.join(parts[:count])) <= width:
                    return line
    return ""
