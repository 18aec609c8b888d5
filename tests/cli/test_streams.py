"""stdout, stderr and stdin that are closed, full, or of another encoding."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = f"{sys.executable} -m neumf_tui"


def shell(command: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        command.replace("neumf-tui", PROGRAM), shell=True, capture_output=True, check=False
    )


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("neumf-tui datasets > /dev/full", 1, b"stdout cannot be written: No space left"),
        ("neumf-tui --help > /dev/full", 1, b"stdout cannot be written: No space left"),
        ("neumf-tui datasets >&-", 1, b"stdout cannot be written: Bad file"),
        ("neumf-tui datasets --nonsense 2>&-", 2, b""),
        ("neumf-tui status nobody 2> /dev/full", 4, b""),
        ("neumf-tui runs --plain <&- >&- 2>&-", 0, b""),
    ],
)
def test_a_stream_that_fails_is_one_message(
    own_home: Path, command: str, code: int, says: bytes
) -> None:
    result = shell(command)
    assert result.returncode == code and says in result.stderr
    assert result.stderr.count(b"\n") == bool(says) and b"Traceback" not in result.stderr


def test_what_a_closed_stream_would_get_reaches_no_file(own_home: Path, tmp_path: Path) -> None:
    """A file that is opened next would get the number of stdout."""
    code = (
        "import os, sys\n"
        "from neumf_tui.cli.streams import open_streams\n"
        "open_streams()\n"
        f"file = open({str(tmp_path / 'data')!r}, 'w')\n"
        "os.system('echo lost')\n"
        "os.system('echo lost >&2')\n"
        "assert file.fileno() > 2 and sys.stdin.read() == ''\n"
    )
    assert shell(f"{sys.executable} -c {shlex.quote(code)} <&- >&- 2>&-").returncode == 0
    assert (tmp_path / "data").read_bytes() == b""
