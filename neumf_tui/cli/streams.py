"""stdin, stdout and stderr of a command: open, and able to take any text."""

import os
import sys
from io import BufferedReader, BufferedWriter, FileIO, TextIOWrapper
from typing import Any, TextIO

from neumf_tui.errors import NeumfTuiError


class _Stream(FileIO):
    """stdout, whose failure ends the command, or stderr, whose failure does not.

    After a failure the rest is discarded: the interpreter would try again when it ends.
    """

    def write(self, data: Any) -> int | None:  # type: ignore[override]  # typeshed has two
        try:
            return super().write(data)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if self.fileno() == 2:  # nobody can be told
                return memoryview(data).nbytes
            if isinstance(error, BrokenPipeError):  # its reader wants no more (`| head`)
                raise
            what = f"stdout cannot be written: {error.strerror}"
            raise NeumfTuiError(f"{what}; print to another file or device") from error


def open_streams() -> None:
    """Open the streams that are closed, and print `?` for what a stream cannot encode.

    A file that is opened later would get the number of a closed stream, and with it what is
    printed. A closed stdout stays unusable, so that a command whose result is lost fails.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            handle = os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
            os.set_inheritable(handle, True)
    if os.isatty(1):  # its own size is what counts, and the variables do not follow its changes
        for name in ("COLUMNS", "LINES"):
            os.environ.pop(name, None)
    if sys.stdin is None:
        sys.stdin = TextIOWrapper(BufferedReader(FileIO(0, closefd=False)), encoding="utf-8")
    if sys.stdout is sys.__stdout__:  # else somebody collects what is printed
        sys.stdout = _writer(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _writer(2, sys.stderr)


def _writer(number: int, before: TextIO | None) -> TextIO:
    if isinstance(before, TextIOWrapper):  # screens draw on it
        before.reconfigure(errors="replace")
    raw = _Stream(number, "w", closefd=False)
    return TextIOWrapper(
        BufferedWriter(raw),
        encoding=before.encoding if before is not None else "utf-8",
        errors="replace",
        line_buffering=number == 2 or raw.isatty(),
    )
