"""The one message for an error, and the file with the details of a fault of the program."""

import errno
import os
from pathlib import Path

import pytest

from neumf_tui.crash import KEPT, message_of, write_details
from neumf_tui.errors import RunError
from neumf_tui.files import UnusableFileError


def system_error(number: int, *names: str) -> OSError:
    error = OSError(number, os.strerror(number))
    error.filename, error.filename2 = (*names, None, None)[:2]
    return error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RunError("no run 'x'"), ["no run 'x'"]),
        (system_error(errno.ENOSPC, "/h/a"), ["/h/a: No space left", "free space", "TUI_HOME"]),
        (system_error(errno.EDQUOT, "/h/a"), ["/h/a", "free space"]),
        (system_error(errno.EFBIG, "/h/a"), ["/h/a", "ulimit -f"]),
        (system_error(errno.EACCES, "/h/a"), ["/h/a", "who may use it", "NEUMF_TUI_HOME"]),
        (system_error(errno.EROFS, "/h/a"), ["/h/a: Read-only", "NEUMF_TUI_HOME"]),
        (system_error(errno.ENOTDIR, "/h/a"), ["/h/a", "is a file", "NEUMF_TUI_HOME"]),
        (system_error(errno.EMFILE, "/h/a"), ["/h/a", "ulimit -n"]),
        (system_error(errno.ENAMETOOLONG, "/h/a"), ["/h/a", "shorter"]),
        (system_error(errno.EXDEV, "/h/a", "/b"), ["/h/a to /b: Invalid cross-device link"]),
        (system_error(errno.ENOSPC), ["No space left on device; free space"]),
        (UnusableFileError(Path("/h/a"), "a FIFO"), ["/h/a: a FIFO; remove it"]),
        (OSError("1024 requested and 8 written"), ["No space left on device"]),
        (MemoryError(), ["not enough memory", "ulimit -v"]),
        (RuntimeError("can't start new thread"), ["not enough memory", "new thread"]),
    ],
)
def test_a_message_says_where_what_and_what_to_do(
    error: Exception, says: list[str], own_home: Path
) -> None:
    message = message_of(error)
    assert all(part in message for part in says) and "Errno" not in message, message
    assert "\n" not in message and not own_home.exists()


def test_a_name_that_the_locale_cannot_encode() -> None:
    with pytest.raises(UnicodeEncodeError) as caught:
        "données–".encode("latin-1")
    assert "locale" in message_of(caught.value) and "\\u2013" in message_of(caught.value)


def faulty() -> Exception:
    try:
        raise ValueError("odd")
    except ValueError as error:
        return error


def test_the_details_of_a_fault_are_for_the_owner_and_few_are_kept(own_home: Path) -> None:
    own_home.mkdir()
    for _ in range(KEPT + 3):
        message = message_of(faulty())
    files = sorted((own_home / "faults").iterdir())
    assert len(files) == KEPT
    (named,) = [path for path in files if str(path) in message]
    assert "ValueError: odd" in message and 'raise ValueError("odd")' in named.read_text()
    assert named.stat().st_mode & 0o777 == 0o600


def test_details_without_a_home_lie_elsewhere_or_nowhere(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_home.write_text("a file")
    monkeypatch.setenv("NEUMF_TUI_CACHE", str(tmp_path / "cache"))
    path = write_details(faulty())
    assert path is not None and path.parent == tmp_path / "cache" / "faults"
    (tmp_path / "cache" / "faults").rename(tmp_path / "moved")
    (tmp_path / "cache" / "faults").write_text("a file")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = write_details(faulty())
    assert path is not None and path.parent == tmp_path
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    assert "could not be written anywhere" in message_of(faulty())
