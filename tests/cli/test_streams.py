"""stdout, stderr and stdin that are closed, full, or of another encoding."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import Cli
from tests.support.rating_files import ratings_100k, write_100k

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


def test_what_an_encoding_cannot_show_is_a_question_mark(trained: Path) -> None:
    result = shell("PYTHONIOENCODING=ascii neumf-tui status")
    assert b"Hit@50   0.2614 ?0.032" in result.stdout and result.stderr == b""


NOT_UTF8 = os.fsdecode(b"caf\xe9")


def test_arguments_that_are_not_utf8(trained: Path, inside: Cli, tmp_path: Path) -> None:
    """They work, or are one message, and nothing is half made."""
    copied = trained.parent / NOT_UTF8
    shutil.copytree(trained, copied)
    folder = tmp_path / NOT_UTF8
    write_100k(folder, ratings_100k())
    for args, code in (
        (["runs", "--plain"], 0),
        (["runs", "--json"], 0),
        (["status", str(copied)], 0),
        (["logs", str(copied)], 0),
        (["rank", NOT_UTF8], 4),
        (["film", NOT_UTF8], 4),
        (["status", NOT_UTF8 + "x"], 4),
        (["export", "--output", str(folder / "x.csv")], 0),
        (["runs", "--home", str(folder)], 2),
        (["baselines", "--data-dir", str(folder), "--only", "popularity"], 0),
        (["train", "--dataset", "demo", "--name", NOT_UTF8], 2),
        (["train", "--dataset", "demo", "--config", str(folder / "c.toml")], 2),
        (["runs", NOT_UTF8], 2),
        (["status", "~nobody-has-this-name/x"], 4),
        (["train", "--data-dir", "~nobody-has-this-name"], 2),
    ):
        result = inside(*args)
        assert result.returncode == code, (args, result.stderr)
        assert "a fault of the program" not in result.stderr
    assert {path.name for path in trained.parent.iterdir()} == {"trained", NOT_UTF8}
    assert json.loads(inside("status", str(copied), "--json").stdout)["run_dir"] == str(copied)


def test_a_home_that_cannot_be_one(
    inside: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    monkeypatch.setenv("NEUMF_TUI_HOME", str(file))
    commands: tuple[list[str], ...] = (["runs"], ["status"], ["datasets"], ["guests"], ["train"])
    for args in commands:
        result = inside(*args)
        assert result.returncode == 1 and "NEUMF_TUI_HOME" in result.stderr, args
        assert f"{file}: Not a directory" in result.stderr
    result = inside("doctor", "--json")
    assert f"{file} is not a folder" in result.stdout, "doctor looks at all else as well"
    assert file.read_text() == "mine"
    monkeypatch.delenv("NEUMF_TUI_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # no HOME, and no such account
    monkeypatch.setattr("platformdirs.user_data_dir", no_home)
    result = inside("runs")
    assert result.returncode == 2 and "NEUMF_TUI_HOME" in result.stderr


def no_home(*_args: object, **_options: object) -> str:
    raise RuntimeError("Could not determine home directory.")
