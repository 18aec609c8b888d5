"""The findings of `doctor`, and the lines that fix them."""

import json
import os
import subprocess
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from neumf_tui.doctor import storage
from neumf_tui.doctor.check import Check, Probes
from neumf_tui.doctor.examine import examine
from neumf_tui.doctor.report import checks_json, print_checks

CONF, LIB_CONF = "etc/systemd/logind.conf", "usr/lib/systemd/logind.conf"
KILL = "KillUserProcesses="
GOOD = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
TMUX = GOOD | {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-1/default,1,0"}
OPTIONS = {
    "default-terminal": "tmux-256color",
    "set-clipboard": "on",
    "allow-passthrough": "on",
    "focus-events": "on",
}


def fake_torch(
    version: str = "2.13.0+cpu",
    cuda: str | None = None,
    there: bool = False,
    why: str = "no driver",
) -> Any:
    def init() -> None:
        raise RuntimeError(why)

    return SimpleNamespace(
        __version__=version,
        version=SimpleNamespace(cuda=cuda, hip=None),
        cuda=SimpleNamespace(
            is_available=lambda: there,
            device_count=lambda: int(there),
            get_device_name=lambda index: "H100",
            init=init,
        ),
    )


def fake_tmux(
    options: dict[str, str], version: str = "tmux 3.3a"
) -> Callable[[Sequence[str]], str]:
    def run(command: Sequence[str]) -> str:
        if command[1] == "-V":
            return version
        if command[-1] not in options:
            raise subprocess.CalledProcessError(1, command)
        return options[command[-1]]

    return run


def no_command(command: Sequence[str]) -> str:
    raise FileNotFoundError(command[0])


@pytest.fixture
def good(tmp_path: Path) -> Probes:
    """A machine with which nothing is wrong, at a terminal with which nothing is wrong."""
    return Probes(
        env=GOOD,
        no_screen=lambda: "",
        background=lambda: (0x1E, 0x1E, 0x2E),
        size=lambda: (120, 40),
        encoding=lambda: "utf-8",
        run=no_command,
        torch=fake_torch,
        kernels=lambda: "",
        kernel_cache=lambda: "",
        nvml=lambda: (None, "no NVIDIA GPU here"),
        mounts=lambda: [("/", "ext4")],
        user=lambda: "ann",
        root=tmp_path / "root",
    )


def write(probes: Probes, path: str, text: str) -> None:
    file = probes.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def found(home: Path, probes: Probes, name: str) -> Check:
    return {check.name: check for check in examine(home, probes)}[name]


def test_where_all_is_well_nothing_is_to_fix(good: Probes, own_home: Path) -> None:
    checks = examine(own_home, good)
    assert [check for check in checks if check.state != "ok" or check.fix] == []
    assert len({check.name for check in checks}) == len(checks)
    assert not own_home.exists(), "looking creates nothing"


def test_this_very_machine_can_be_examined(own_home: Path) -> None:
    checks = examine(own_home, replace(Probes(), background=lambda: None))
    assert not [check for check in checks if "the check failed" in check.text]


def test_one_check_that_fails_leaves_the_others(good: Probes, own_home: Path) -> None:
    def broken() -> Any:
        raise OSError("libtorch.so: cannot open shared object file")

    checks = {
        check.name: check
        for check in examine(own_home, replace(good, torch=broken, mounts=broken, size=broken))
    }
    for name in ("torch", "cuda", "locks", "terminal"):
        assert checks[name].state == "problem" and "libtorch.so" in checks[name].text
    assert checks["home"].state == "ok"


@pytest.mark.parametrize(
    ("env", "state", "mend"),
    [
        ({}, "ok", []),
        ({"NO_COLOR": ""}, "note", ["unset NO_COLOR"]),
        ({"TERM": "dumb"}, "note", []),
        ({"COLORTERM": ""}, "note", ["export COLORTERM=truecolor"]),
        (
            {"COLORTERM": "", "SSH_TTY": "/dev/pts/1"},
            "note",
            ["SendEnv COLORTERM", "AcceptEnv COLORTERM"],
        ),
        (
            {"COLORTERM": "", "TERM": "screen", "TMUX": "x"},
            "note",
            ['set -g default-terminal "tmux-256color"'],
        ),
    ],
)
def test_colours(
    good: Probes, own_home: Path, env: dict[str, str], state: str, mend: list[str]
) -> None:
    check = found(own_home, replace(good, env=GOOD | env), "colours")
    assert check.state == state and set(mend) <= set(check.fix) and bool(mend) == bool(check.fix)


@pytest.mark.parametrize(
    ("rgb", "text"),
    [
        (None, "does not answer"),
        ((253, 246, 227), "light (#fdf6e3)"),
        ((0, 0, 0), "dark (#000000)"),
    ],
)
def test_background(
    good: Probes, own_home: Path, rgb: tuple[int, int, int] | None, text: str
) -> None:
    assert text in found(own_home, replace(good, background=lambda: rgb), "background").text


@pytest.mark.parametrize(
    ("why", "state"),
    [
        ("", "ok"),
        ("stdout is not a terminal", "note"),
        ("TERM is unset or dumb", "problem"),
    ],
)
def test_screen(good: Probes, own_home: Path, why: str, state: str) -> None:
    assert found(own_home, replace(good, no_screen=lambda: why), "screen").state == state


def test_a_small_terminal_is_noted(good: Probes, own_home: Path) -> None:
    assert found(own_home, replace(good, size=lambda: (50, 40)), "terminal").state == "note"
    assert found(own_home, replace(good, size=lambda: None), "terminal").state == "note"


@pytest.mark.parametrize(
    ("encoding", "env", "state", "mend"),
    [
        ("ANSI_X3.4-1968", {"LANG": "C"}, "problem", "export LANG=C.UTF-8"),
        (
            "ISO-8859-1",
            {"LANG": "en_US.UTF-8", "LC_ALL": "en_US"},
            "problem",
            "unset LC_ALL LC_CTYPE",
        ),
        ("utf-8", {"LANG": ""}, "note", "export LANG=C.UTF-8"),
        ("UTF-8", {"LC_CTYPE": "de_DE.utf8"}, "ok", None),
    ],
)
def test_unicode(
    good: Probes, own_home: Path, encoding: str, env: dict[str, str], state: str, mend: str | None
) -> None:
    check = found(own_home, replace(good, env=GOOD | env, encoding=lambda: encoding), "unicode")
    assert check.state == state and (mend in check.fix if mend else not check.fix)


def test_ssh(good: Probes, own_home: Path) -> None:
    env = GOOD | {"SSH_CONNECTION": "192.0.2.7 50000 192.0.2.1 22"}
    assert found(own_home, replace(good, env=env), "ssh").text == "yes, from 192.0.2.7"


@pytest.mark.parametrize(
    ("options", "mend"),
    [
        ({}, []),
        ({"set-clipboard": "external"}, ["set -s set-clipboard on"]),
        ({"allow-passthrough": "off"}, ["set -g allow-passthrough on"]),
        ({"focus-events": "off"}, ["set -g focus-events on"]),
        ({"default-terminal": "screen-256color"}, ['set -g default-terminal "tmux-256color"']),
    ],
)
def test_tmux(good: Probes, own_home: Path, options: dict[str, str], mend: list[str]) -> None:
    check = found(own_home, replace(good, env=TMUX, run=fake_tmux(OPTIONS | options)), "tmux")
    assert list(check.fix[1:]) == mend and check.state == ("note" if mend else "ok")
    assert "tmux 3.3a" in check.text


def test_an_older_tmux_always_lets_through(good: Probes, own_home: Path) -> None:
    options = {key: value for key, value in OPTIONS.items() if key != "allow-passthrough"}
    probes = replace(good, env=TMUX, run=fake_tmux(options, "tmux 3.2"))
    assert found(own_home, probes, "tmux").state == "ok" == found(own_home, probes, "notices").state


def test_a_tmux_that_does_not_answer(good: Probes, own_home: Path) -> None:
    probes = replace(good, env=TMUX)
    assert [found(own_home, probes, name).state for name in ("tmux", "clipboard", "notices")] == [
        "note",
        "ok",
        "ok",
    ]


def test_what_tmux_stops(good: Probes, own_home: Path) -> None:
    closed = OPTIONS | {"set-clipboard": "external", "allow-passthrough": "off"}
    probes = replace(good, env=TMUX, run=fake_tmux(closed))
    assert (
        found(own_home, probes, "clipboard").state
        == found(own_home, probes, "notices").state
        == "note"
    )
    probes = replace(good, env=TMUX, run=fake_tmux(closed | {"set-clipboard": "on"}))
    assert found(own_home, probes, "clipboard").state == "ok"
    assert "bell only" in found(own_home, probes, "notices").text


NVIDIA = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  560.35.03  Fri Aug 16 21:39:15 UTC 2024\n"


def test_without_a_compiler_it_says_what_that_costs(good: Probes, own_home: Path) -> None:
    assert found(own_home, good, "kernels").text == "compiled for this processor"
    check = found(
        own_home, replace(good, kernels=lambda: "no C compiler found (cc, gcc, clang)"), "kernels"
    )
    assert (
        check.state == "note"
        and check.text.startswith("no C compiler found")
        and "times as long" in check.text
    )
    assert any("install gcc" in line for line in check.fix)


@pytest.mark.parametrize("why", ["", "the compiled kernels cannot be loaded"])
def test_a_cache_that_does_not_serve_is_the_thing_to_fix(
    why: str, good: Probes, own_home: Path
) -> None:
    probes = replace(good, kernels=lambda: why, kernel_cache=lambda: "/cache: mounted noexec")
    check = found(own_home, probes, "kernels")
    assert check.state == "note" and (why or "/cache: mounted noexec") in check.text
    assert check.fix[-1] == "export NEUMF_TUI_CACHE=FOLDER"


def test_a_driver_with_a_torch_for_the_cpu_is_a_problem_with_a_way_out(
    good: Probes, own_home: Path
) -> None:
    write(good, "proc/driver/nvidia/version", NVIDIA)
    check = found(own_home, good, "cuda")
    assert check.state == "problem" and "560.35.03" in check.text
    assert any("get-started" in line for line in check.fix) and '"torch==2.13.0"' in check.fix[-1]


def test_cuda_that_works(good: Probes, own_home: Path) -> None:
    probes = replace(good, torch=lambda: fake_torch("2.13.0+cu126", "12.6", there=True))
    assert found(own_home, probes, "cuda").text == "usable: H100"
    assert found(own_home, probes, "torch").text == "2.13.0+cu126, built for CUDA 12.6"


def test_cuda_that_does_not_work_says_why(good: Probes, own_home: Path) -> None:
    write(good, "proc/driver/nvidia/version", NVIDIA)
    torch = fake_torch("2.13.0+cu130", "13.0", why="driver initialization failed\nmore")
    check = found(own_home, replace(good, torch=lambda: torch), "cuda")
    assert check.state == "problem" and check.text.endswith(": driver initialization failed")

    def too_old() -> bool:
        warnings.warn("The NVIDIA driver on your system is too old", stacklevel=1)
        return False

    torch.cuda.is_available = too_old
    assert "too old" in found(own_home, replace(good, torch=lambda: torch), "cuda").text
    torch.cuda.is_available = lambda: False
    hidden = replace(good, torch=lambda: torch, env=GOOD | {"CUDA_VISIBLE_DEVICES": ""})
    assert found(own_home, hidden, "cuda").fix == ("unset CUDA_VISIBLE_DEVICES",)


def test_gpus_and_their_driver(good: Probes, own_home: Path) -> None:
    class NVMLError(Exception):
        pass

    nvml = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda handle: [b"A100", "H100"][handle],
        nvmlSystemGetDriverVersion=lambda: "560.35.03",
        nvmlShutdown=lambda: None,
    )
    assert (
        found(own_home, replace(good, nvml=lambda: (nvml, "")), "gpu").text
        == "A100, H100; driver 560.35.03"
    )
    write(good, "proc/driver/nvidia/version", NVIDIA)
    mismatch = replace(good, nvml=lambda: (None, "driver and NVML do not match"))
    assert found(own_home, mismatch, "gpu") == Check("gpu", "note", "driver and NVML do not match")


def test_the_datasets_that_are_known(good: Probes, own_home: Path) -> None:
    assert "demo: built in" in found(own_home, good, "data").text


def test_home_with_too_little_room(
    good: Probes, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        storage.shutil, "disk_usage", lambda path: SimpleNamespace(free=(1 << 30) - 1)
    )
    check = found(own_home, good, "home")
    assert check.state == "problem" and "1.0 GiB free" in check.text


def test_home_that_cannot_be_written(
    good: Probes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = os.access
    monkeypatch.setattr(
        storage.os, "access", lambda path, mode: path != tmp_path and access(path, mode)
    )
    check = found(tmp_path / "a" / "b", good, "home")
    assert check.state == "problem" and f"{tmp_path} is not writable" in check.text


def test_home_that_is_a_file(good: Probes, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "not a folder" in found(tmp_path / "file" / "home", good, "home").text


@pytest.mark.parametrize(
    ("mounts", "state"),
    [
        ([("/", "ext4")], "ok"),
        ([("/", "nfs4")], "note"),
        ([("{tmp}", "lustre"), ("/", "ext4")], "note"),
        ([("{tmp}", "fuse.sshfs")], "note"),
        ([("{tmp}", "cifs"), ("{tmp}", "xfs")], "ok"),
        ([("/", "ext4"), ("{tmp}x", "nfs")], "ok"),
        ([], "ok"),
    ],
)
def test_home_on_the_network(
    good: Probes, tmp_path: Path, mounts: list[tuple[str, str]], state: str
) -> None:
    placed = [(mount.format(tmp=tmp_path.resolve()), kind) for mount, kind in mounts]
    check = found(tmp_path / "home", replace(good, mounts=lambda: placed), "locks")
    assert check.state == state and bool(check.fix) == (state == "note")


IN_SESSION = "0::/user.slice/user-1000.slice/session-3.scope\n"
OF_THE_USER = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n"


@pytest.mark.parametrize(
    ("files", "cgroup", "user", "linger", "state"),
    [
        ({}, "0::/\n", "ann", False, "ok"),
        ({}, IN_SESSION, "ann", False, "note"),
        ({CONF: f"#{KILL}no\n"}, IN_SESSION, "ann", False, "ok"),
        ({LIB_CONF: f"#{KILL}yes\n"}, IN_SESSION, "ann", False, "problem"),
        ({CONF: f"{KILL}yes\n"}, IN_SESSION, "ann", True, "problem"),
        ({CONF: f"{KILL}yes\n"}, OF_THE_USER, "ann", True, "ok"),
        ({CONF: f"{KILL}yes\n"}, OF_THE_USER, "ann", False, "problem"),
        ({CONF: f"{KILL}yes\n"}, IN_SESSION, "root", False, "ok"),
        (
            {"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\nKillOnlyUsers=bob\n"},
            IN_SESSION, "ann", False, "ok",
        ),
        (
            {
                "etc/systemd/logind.conf": "[Login]\nKillUserProcesses=no\n",
                "usr/lib/systemd/logind.conf.d/20-site.conf": "[Login]\nKillUserProcesses = Yes\n",
            },
            IN_SESSION, "ann", False, "problem",
        ),
        (
            {
                "etc/systemd/logind.conf.d/20-site.conf": "[Login]\nKillUserProcesses=no\n",
                "usr/lib/systemd/logind.conf.d/20-site.conf": "[Login]\nKillUserProcesses=yes\n",
            },
            IN_SESSION, "ann", False, "ok",
        ),
    ],
)  # fmt: skip
def test_whether_the_trainer_outlives_the_login(
    good: Probes,
    own_home: Path,
    files: dict[str, str],
    cgroup: str,
    user: str,
    linger: bool,
    state: str,
) -> None:
    for path, text in (files | {"proc/self/cgroup": cgroup}).items():
        write(good, path, text)
    if linger:
        write(good, f"var/lib/systemd/linger/{user}", "")
    check = found(own_home, replace(good, user=lambda: user), "trainer")
    assert check.state == state
    assert bool(check.fix) == (state == "problem")
    if check.fix:
        assert check.fix == (
            "loginctl enable-linger $USER",
            "systemd-run --user --scope neumf-tui train",
        )


def test_inside_slurm_the_trainer_ends_with_the_job(good: Probes, own_home: Path) -> None:
    check = found(own_home, replace(good, env=GOOD | {"SLURM_JOB_ID": "77"}), "trainer")
    assert check.state == "note" and "77" in check.text


CHECKS = [
    Check(
        "colours",
        "note",
        "word " * 30 + "\x1b[31mend",
        ("# in ~/.profile", "export " + "X" * 120 + "=1"),
    ),
    Check("home", "ok", "/some/where"),
]


def test_the_text_is_wrapped_and_the_lines_to_copy_are_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    print_checks(CHECKS)
    out = capsys.readouterr().out
    assert CHECKS[0].fix[1] in out and "\x1b" not in out
    lines = out.splitlines()
    assert (
        lines[0].startswith("note     colours  word")
        and lines[-1] == "ok       home     /some/where"
    )
    assert all(len(line) <= 70 for line in lines if "XXX" not in line)
    print_checks([])
    assert capsys.readouterr().out == ""


def test_json_has_every_field() -> None:
    assert json.loads(json.dumps(checks_json(CHECKS)))[0] == {
        "name": "colours", "state": "note", "text": CHECKS[0].text, "mend": list(CHECKS[0].fix),
    }  # fmt: skip
