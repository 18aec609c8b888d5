"""What of this machine and terminal the program can use, and the lines that mend the rest."""

import getpass
import locale
import os
import platform
import re
import shutil
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from neumf_tui.host import nvml_note, nvml_text, open_nvml
from neumf_tui.native.library import why_not
from neumf_tui.terminal import (
    Rgb,
    ask_background,
    colour_depth,
    is_light,
    notice_kind,
    why_no_screen,
)
from neumf_tui.text import clean

State = Literal["ok", "note", "problem"]

_ROOM = 1 << 30
"""Bytes that should be free in the home: runs and the prepared data of ML-100K take far less, a full disk ends a run."""
_NETWORK = (
    "nfs",
    "cifs",
    "smb",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "gluster",
    "afs",
    "sshfs",
    "9p",
    "panfs",
    "davfs",
)
_YES = ("1", "yes", "y", "true", "t", "on")
"""What systemd takes for yes."""
_TMUX_CONF = "# in ~/.tmux.conf, then: tmux source-file ~/.tmux.conf"


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    state: State
    """`note`: works, but less well or not everywhere; `problem`: something does not work."""
    text: str
    mend: tuple[str, ...] = ()
    """Lines to type or to add to a file; those with `#` in front say where."""


def _run(command: Sequence[str]) -> str:
    """What `command` prints, without the line end. Raises OSError, subprocess.SubprocessError."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=2, check=True, stdin=subprocess.DEVNULL
    ).stdout.strip()


def _size() -> tuple[int, int] | None:
    """Columns and lines; None without a terminal."""
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
    """Mount points and their kinds of file system."""
    import psutil

    return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]


def _ask_longer() -> Rgb | None:
    return ask_background(1.0)


@dataclass(frozen=True)
class Probes:
    """What is asked of the machine."""

    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    no_screen: Callable[[], str] = why_no_screen
    background: Callable[[], Rgb | None] = _ask_longer
    size: Callable[[], tuple[int, int] | None] = _size
    encoding: Callable[[], str] = locale.getencoding
    run: Callable[[Sequence[str]], str] = _run
    torch: Callable[[], Any] = _torch
    kernels: Callable[[], str] = why_not
    nvml: Callable[[], tuple[Any, str]] = open_nvml
    mounts: Callable[[], list[tuple[str, str]]] = _mounts
    user: Callable[[], str] = getpass.getuser
    root: Path = Path("/")
    """Where /etc, /proc, /run and /usr are."""


def examine(home: Path, probes: Probes | None = None) -> list[Check]:
    """Every check, in the order of the screen: terminal first, then what trains, then where it is kept.

    Nothing is created or changed, but for the kernels, which are compiled into the cache where they are not there yet. A check
    that fails unexpectedly is a problem of its own. Importing torch takes seconds.
    """
    probes = probes or Probes()
    checks: dict[str, Callable[[], Check]] = {
        "terminal": lambda: _terminal(probes),
        "screen": lambda: _screen(probes),
        "colours": lambda: _colours(probes),
        "background": lambda: _background(probes),
        "unicode": lambda: _unicode(probes),
        "ssh": lambda: _ssh(probes),
        "tmux": lambda: _tmux(probes),
        "clipboard": lambda: _clipboard(probes),
        "notices": lambda: _notices(probes),
        "mouse": lambda: Check("mouse", "ok", "not needed: everything has a key"),
        "python": lambda: Check("python", "ok", f"{platform.python_version()}, {sys.executable}"),
        "torch": lambda: _torch_build(probes),
        "kernels": lambda: _kernels(probes),
        "cuda": lambda: _cuda(probes),
        "gpu": lambda: _gpu(probes),
        "data": lambda: _data(home),
        "home": lambda: _home(home),
        "locks": lambda: _locks(home, probes),
        "trainer": lambda: _trainer(probes),
    }
    return [_guarded(name, check) for name, check in checks.items()]


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - one check that fails must not hide what the others found
        return Check(name, "problem", f"could not be examined: {type(error).__name__}: {error}")


def checks_json(checks: Iterable[Check]) -> list[dict[str, object]]:
    """The checks for `print_json`: `name`, `state`, `text`, `mend` (a list)."""
    return [asdict(check) | {"mend": list(check.mend)} for check in checks]


def print_checks(checks: Sequence[Check]) -> None:
    """The checks on stdout; texts are wrapped, the lines to copy are not."""
    width = max(40, shutil.get_terminal_size((100, 24)).columns)
    names = max((len(check.name) for check in checks), default=0)
    indent = " " * (len("problem") + 2 + names + 2)
    for check in checks:
        label = f"{check.state:<{len('problem')}}  {check.name:<{names}}  "
        wrapped = textwrap.wrap(
            clean(check.text),
            width,
            initial_indent=label,
            subsequent_indent=indent,
            break_on_hyphens=False,
            break_long_words=False,
        )
        print("\n".join(wrapped or [label.rstrip()]))
        for line in check.mend:
            print(indent + clean(line))


def _terminal(probes: Probes) -> Check:
    term = probes.env.get("TERM", "")
    size = probes.size()
    shown = f"TERM={term}" if term else "TERM is not set"
    if size is None:
        return Check("terminal", "note", f"{shown}; no terminal to measure")
    columns, lines = size
    text = f"{shown}, {columns} columns, {lines} lines"
    if columns < 60 or lines < 16:
        return Check(
            "terminal", "note", f"{text}: cramped; from 60 columns and 16 lines on there is room"
        )
    return Check("terminal", "ok", text)


def _screen(probes: Probes) -> Check:
    why = probes.no_screen()
    if not why:
        return Check("screen", "ok", "possible")
    # Output into a pipe or a file tells about this call only.
    state: State = "note" if why.endswith("is not a terminal") else "problem"
    return Check("screen", state, f"none here: {why}; `train` goes on as with --plain")


def _colours(probes: Probes) -> Check:
    env = probes.env
    depth = colour_depth(env)
    if depth == 1 << 24:
        return Check("colours", "ok", "24-bit")
    if "NO_COLOR" in env:
        return Check("colours", "note", "none: NO_COLOR is set", ("unset NO_COLOR",))
    if depth == 0:
        return Check("colours", "note", "none: TERM says that the terminal has no colours")
    text = f"{depth} colours: COLORTERM does not say truecolor; if the terminal can show 24-bit colours, tell the program"
    mend: tuple[str, ...] = ("# in ~/.profile on this host", "export COLORTERM=truecolor")
    if "TMUX" in env:
        mend += (
            _TMUX_CONF,
            'set -g default-terminal "tmux-256color"',
            'set -as terminal-features ",*:RGB"',
        )
    elif _over_ssh(env):
        text += ", or let SSH hand the variable over"
        mend += (
            "# or in ~/.ssh/config on your own computer",
            "SendEnv COLORTERM",
            "# and in /etc/ssh/sshd_config on this host",
            "AcceptEnv COLORTERM",
        )
    return Check("colours", "note", text, mend)


def _background(probes: Probes) -> Check:
    rgb = probes.background()
    if rgb is None:
        return Check("background", "note", "the terminal does not say (OSC 11, COLORFGBG)")
    return Check(
        "background",
        "ok",
        f"{'light' if is_light(rgb) else 'dark'} (#{rgb[0]:02x}{rgb[1]:02x}{rgb[2]:02x})",
    )


def _unicode(probes: Probes) -> Check:
    encoding = probes.encoding()
    name, value = next(
        (
            (name, probes.env[name])
            for name in ("LC_ALL", "LC_CTYPE", "LANG")
            if probes.env.get(name)
        ),
        ("LANG", ""),
    )
    said = f"{name}={value}" if value else "no LANG or LC_ variable"
    mend = (
        "# in ~/.profile on this host",
        *(("unset LC_ALL LC_CTYPE",) if name != "LANG" else ()),
        "export LANG=C.UTF-8",
    )
    if not _utf8(encoding):
        return Check(
            "unicode",
            "problem",
            f"{encoding} ({said}): lines of charts and film titles come out wrong",
            mend,
        )
    if not _utf8(value):
        return Check(
            "unicode",
            "note",
            f"UTF-8 for this program, but {said}: tmux and others may differ",
            mend,
        )
    return Check("unicode", "ok", f"UTF-8 ({said})")


def _utf8(name: str) -> bool:
    return "utf8" in name.lower().replace("-", "")


def _over_ssh(env: Mapping[str, str]) -> bool:
    return bool(env.get("SSH_CONNECTION") or env.get("SSH_TTY"))


def _ssh(probes: Probes) -> Check:
    if not _over_ssh(probes.env):
        return Check("ssh", "ok", "no: this terminal is on this machine")
    client = probes.env.get("SSH_CONNECTION", "").partition(" ")[0]
    return Check("ssh", "ok", f"yes, from {client}" if client else "yes")


@dataclass(frozen=True)
class _Tmux:
    """What tmux says of itself; empty for what it does not know."""

    version: str
    default_terminal: str
    set_clipboard: str
    allow_passthrough: str
    focus_events: str

    @property
    def passes(self) -> bool:
        """Before the option came (3.3), passing through was always allowed."""
        return self.allow_passthrough != "off"


def _ask_tmux(probes: Probes) -> _Tmux:
    def ask(*command: str) -> str:
        try:
            return probes.run(["tmux", *command])
        except (OSError, subprocess.SubprocessError):
            return ""

    return _Tmux(
        version=ask("-V").removeprefix("tmux "),
        default_terminal=ask("show", "-gv", "default-terminal"),
        set_clipboard=ask("show", "-sv", "set-clipboard"),
        allow_passthrough=ask("show", "-gv", "allow-passthrough"),
        focus_events=ask("show", "-sv", "focus-events"),
    )


def _tmux(probes: Probes) -> Check:
    if "TMUX" not in probes.env:
        screen = "; inside GNU screen" if "STY" in probes.env else ""
        return Check("tmux", "ok", f"not inside tmux{screen}")
    tmux = _ask_tmux(probes)
    if not tmux.version:
        return Check("tmux", "note", "inside tmux, but the command tmux does not answer here")
    said, mend = [], []
    for name, value, line in (
        (
            "set-clipboard",
            tmux.set_clipboard,
            "" if tmux.set_clipboard == "on" else "set -s set-clipboard on",
        ),
        (
            "allow-passthrough",
            tmux.allow_passthrough,
            "" if tmux.passes else "set -g allow-passthrough on",
        ),
        (
            "focus-events",
            tmux.focus_events,
            "" if tmux.focus_events != "off" else "set -g focus-events on",
        ),
        (
            "default-terminal",
            tmux.default_terminal,
            'set -g default-terminal "tmux-256color"'
            if tmux.default_terminal.partition("-")[0] == "screen"
            else "",
        ),
    ):
        said.append(f"{name} {value or 'unknown'}")
        if line:
            mend.append(line)
    text = f"inside tmux {tmux.version}: {', '.join(said)}"
    return Check("tmux", "note", text, (_TMUX_CONF, *mend)) if mend else Check("tmux", "ok", text)


def _clipboard(probes: Probes) -> Check:
    unseen = (
        "whether the terminal obeys cannot be seen from here, so that a file is always written too"
    )
    if "TMUX" not in probes.env:
        return Check("clipboard", "ok", f"by OSC 52; {unseen}")
    tmux = _ask_tmux(probes)
    if tmux.version and tmux.set_clipboard != "on" and not tmux.passes:
        return Check(
            "clipboard",
            "note",
            "tmux as it is set lets no copy through; see tmux. A file is always written too",
        )
    return Check("clipboard", "ok", f"by OSC 52 through tmux; {unseen}")


def _notices(probes: Probes) -> Check:
    kind = {"osc9": "OSC 9", "osc777": "OSC 777", "both": "OSC 9 and OSC 777"}[
        notice_kind(probes.env)
    ]
    if "TMUX" not in probes.env:
        return Check(
            "notices",
            "ok",
            f"bell, {kind}; whether the terminal shows them cannot be seen from here",
        )
    tmux = _ask_tmux(probes)
    if tmux.version and not tmux.passes:
        return Check(
            "notices", "note", f"bell only: tmux as it is set does not let {kind} through; see tmux"
        )
    return Check("notices", "ok", f"bell, and {kind} through tmux")


def _build(torch: Any) -> str:
    """`CUDA 12.6`, `ROCm 6.4`, or nothing for a build that knows the CPU only."""
    if torch.version.cuda:
        return f"CUDA {torch.version.cuda}"
    hip = getattr(torch.version, "hip", None)
    return f"ROCm {hip}" if hip else ""


def _torch_build(probes: Probes) -> Check:
    torch = probes.torch()
    return Check("torch", "ok", f"{torch.__version__}, built for {_build(torch) or 'the CPU only'}")


def _kernels(probes: Probes) -> Check:
    if not (why := probes.kernels()):
        return Check("kernels", "ok", "compiled for this processor")
    text = f"{why}. On the CPU PyTorch trains and ranks alone, and takes two to four times as long"
    return Check(
        "kernels", "note", text, ("# a C compiler, such as", "sudo apt install gcc libc6-dev")
    )


def _driver(probes: Probes) -> str:
    """Version of the NVIDIA driver that is loaded, or nothing."""
    try:
        said = (probes.root / "proc/driver/nvidia/version").read_text(errors="replace")
    except OSError:
        return ""
    found = re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", said)
    return found[1] if found else "of an unknown version"


def _cuda(probes: Probes) -> Check:
    torch = probes.torch()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")  # torch says in a warning that a driver is too old
        there = torch.cuda.is_available()
    if there:
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return Check("cuda", "ok", f"usable: {', '.join(names)}")
    driver, build = _driver(probes), _build(torch)
    if not driver:
        return Check("cuda", "ok", "no NVIDIA driver here: training is on the CPU")
    if not build:
        version = str(torch.__version__).partition("+")[0]
        return Check(
            "cuda",
            "problem",
            f"an NVIDIA driver is here ({driver}), but this torch is built for the CPU only",
            (
                "# choose the build that suits the driver at https://pytorch.org/get-started/locally/, for example",
                f"{sys.executable} -m pip uninstall torch",
                f'{sys.executable} -m pip install "torch=={version}" --index-url https://download.pytorch.org/whl/cu126',
            ),
        )
    hidden = probes.env.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in ("", "-1"):
        return Check(
            "cuda", "note", "CUDA_VISIBLE_DEVICES hides every GPU", ("unset CUDA_VISIBLE_DEVICES",)
        )
    why = str(said[0].message) if said else _why_no_cuda(torch)
    return Check(
        "cuda",
        "problem",
        f"not usable with driver {driver} and torch for {build}: {why.splitlines()[0]}",
    )


def _why_no_cuda(torch: Any) -> str:
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return str(error) or "no reason given"
    return "no device found"


def _gpu(probes: Probes) -> Check:
    nvml, note = probes.nvml()
    if nvml is None:
        return Check("gpu", "note" if _driver(probes) else "ok", note)
    try:
        handles = [
            nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())
        ]
        names = [nvml_text(nvml.nvmlDeviceGetName(handle)) for handle in handles]
        driver = nvml_text(nvml.nvmlSystemGetDriverVersion())
    except nvml.NVMLError as error:
        return Check("gpu", "note", nvml_note(nvml, error))
    finally:
        nvml.nvmlShutdown()
    return Check(
        "gpu", "ok", f"{', '.join(names)}; driver {driver}" if names else "no NVIDIA GPU here"
    )


def _data(home: Path) -> Check:
    from neumf_tui.data.registry import known_datasets

    known = known_datasets(home)
    here = [f"{row.name}: {row.where}" for row in known if row.available]
    absent = ", ".join(row.name for row in known if not row.available)
    return Check(
        "data",
        "ok",
        "; ".join(
            [*here, f"not here: {absent} (`neumf-tui datasets` says more)"] if absent else here
        ),
    )


def _standing(folder: Path) -> Path:
    """`folder`, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _home(home: Path) -> Check:
    standing = _standing(home.absolute())
    if not standing.is_dir():
        return Check(
            "home",
            "problem",
            f"{standing} is not a folder; name another with --home or NEUMF_TUI_HOME",
        )
    made = "" if standing == home.absolute() else ", made when first used"
    if not os.access(standing, os.W_OK | os.X_OK):
        return Check(
            "home",
            "problem",
            f"{home}: {standing} is not writable; name another with --home or NEUMF_TUI_HOME",
        )
    free = shutil.disk_usage(standing).free
    text = f"{home}{made}, {free / (1 << 30):.1f} GiB free"
    if free < _ROOM:
        return Check(
            "home",
            "problem",
            f"{text}: a run ends when its disk is full; name another with --home or NEUMF_TUI_HOME",
        )
    return Check("home", "ok", text)


def _locks(home: Path, probes: Probes) -> Check:
    place = _standing(home.absolute()).resolve()
    above = [(mount, kind) for mount, kind in probes.mounts() if place.is_relative_to(mount)]
    # Of several mounts on one point the last is on top.
    kind = (
        max(enumerate(above), key=lambda row: (len(Path(row[1][0]).parts), row[0]))[1][1]
        if above
        else ""
    )
    if any(word in kind.lower() for word in _NETWORK):
        text = f"home is on a network file system ({kind}), where locks may not hold: a run may look crashed, or be trained twice"
        return Check(
            "locks",
            "note",
            text,
            ("# a folder on a disk of this machine, in ~/.profile", "export NEUMF_TUI_HOME=FOLDER"),
        )
    return Check(
        "locks", "ok", f"home is on a file system of this machine{f' ({kind})' if kind else ''}"
    )


def _logind(root: Path) -> dict[str, str]:
    """The options of logind by name; main file, then drop-ins by name, those of /etc before the others of that name."""
    places = [root / place / "systemd" for place in ("etc", "run", "usr/local/lib", "usr/lib")]
    files = [path for place in places if (path := place / "logind.conf").is_file()][:1]
    drop_ins: dict[str, Path] = {}
    for place in reversed(places):
        drop_ins |= {path.name: path for path in (place / "logind.conf.d").glob("*.conf")}
    files += [drop_ins[name] for name in sorted(drop_ins)]
    options: dict[str, str] = {}
    for path in files:
        for line in path.read_text(errors="replace").splitlines():
            if found := re.match(r"\s*(#?)\s*(\w+)\s*=\s*(.*?)\s*$", line):
                comment, name, value = found.groups()
                # A value that is commented out is what the distribution built in.
                if comment:
                    options.setdefault(name, value)
                else:
                    options[name] = value
    return options


def _trainer(probes: Probes) -> Check:
    """Whether what is started here goes on after the logout."""
    if job := probes.env.get("SLURM_JOB_ID"):
        return Check(
            "trainer",
            "note",
            f"inside Slurm job {job}: the trainer ends with the job, at the latest",
        )
    try:
        cgroup = (probes.root / "proc/self/cgroup").read_text(errors="replace")
    except OSError:
        cgroup = ""
    in_session = re.search(r"/session-[^/\n]+\.scope", cgroup) is not None
    options = _logind(probes.root)
    kill = options.get("KillUserProcesses")
    outlives = "outlives the screen and the connection"
    if kill is None:
        if in_session:
            text = f"{outlives}, unless systemd ends what a login leaves behind (KillUserProcesses, which is set nowhere here)"
            return Check("trainer", "note", text)
        return Check("trainer", "ok", outlives)
    user = probes.user()
    only, spared = (
        options.get("KillOnlyUsers", "").split(),
        options.get("KillExcludeUsers", "root").split(),
    )
    if kill.lower() not in _YES or user in spared or (only and user not in only):
        return Check("trainer", "ok", outlives)
    linger = (probes.root / "var/lib/systemd/linger" / user).exists()
    if "/user@" in cgroup and not in_session and linger:
        return Check(
            "trainer", "ok", f"{outlives}: this shell belongs to no login, and {user} lingers"
        )
    # Lingering keeps the user's own manager alive; what is left in the scope of the login is killed all the same.
    return Check(
        "trainer",
        "problem",
        "ends with the login: systemd kills what a login leaves behind (KillUserProcesses=yes in logind.conf); "
        "start it outside of the login's scope",
        ("loginctl enable-linger $USER", "systemd-run --user --scope neumf-tui train"),
    )
