"""Odd values of every option and argument: one message and a documented exit code."""

import os
from pathlib import Path
from typing import Any

import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st

from neumf_tui.cli.main import app
from tests.support.commands import Cli
from tests.support.every_command import EVERY_COMMAND
from tests.support.fuzzing import examples

ODD = (
    "", " ", "0", "-1", "1e9", "nan", "-inf", "9" * 25, "9" * 5000, "٣", "0x10", "1,2", ",", "@",
    "a@b", "a@" + "9" * 5000, "best", "last", "~", "~nobody-has-this-name", "/", ".", "..", "a/b",
    "/dev/null", "/proc/self/mem", "x" * 300, "/" + "y/" * 3000, "\n", "\x1b[31m", "\u202e", "é–日",
    "😀", "*", "[bold]", "%s", "{}", "--", "-x", "trained", "trained@1", "Alien; ; Alien",
    os.fsdecode(b"\xff"), "all", "auto", "demo", "none", "cpu", "user=a,item=b",
)  # fmt: skip
NEVER = {
    "--install-completion", "--show-completion", "--help", "--yes", "--follow", "--home",
    "--dataset", "--resume", "--protocols",
}  # fmt: skip
"""Options that this test leaves out: they change this account or the run, train or wait."""
HARMLESS = {
    name: ["--dataset", "none-such"]
    for name in ("train", "adopt", "tune", "check-leak", "baselines")
} | {
    "delete": [], "extend": [], "rename": ["none-such"], "prune": ["--dry-run"],
    "check-order": ["none-such"],
}  # fmt: skip
"""What keeps commands from training, and from changing the run."""


def odd_calls() -> st.SearchStrategy[list[str]]:
    """Return command lines with odd values."""
    group: Any = typer.main.get_command(app)
    calls = []
    for name, usual in EVERY_COMMAND.items():
        options = [p for p in group.commands[name].params if not NEVER & set(p.opts)]
        flags = [p.opts[0] for p in options if p.opts[0].startswith("-")]
        takes = {p.opts[0] for p in options if not getattr(p, "is_flag", False)}
        value = st.one_of(st.sampled_from(ODD), st.text(max_size=6).map(printable))
        option = st.sampled_from(flags or ["--json"]).flatmap(
            lambda flag, takes=takes, value=value: (
                value.map(lambda text: [f"{flag}={text}"]) if flag in takes else st.just([flag])
            )
        )
        fixed = [name, *HARMLESS.get(name, [])]
        arguments = st.one_of(
            st.just([] if name in HARMLESS else usual),
            st.lists(value.map(lambda text: text.lstrip("-") or "-"), max_size=3),
        )
        calls.append(
            st.tuples(arguments, st.lists(option, max_size=2)).map(
                lambda parts, fixed=fixed: [
                    *fixed,
                    *parts[0],
                    *(o for part in parts[1] for o in part),
                ]
            )
        )
    return st.one_of(calls)


def printable(text: str) -> str:
    """Return a text that can be an argument: without NUL and halves of letters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def test_odd_values_are_one_message(
    trained: Path, inside: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.parents[1])

    @examples(25)
    @given(args=odd_calls())
    def odd(args: list[str]) -> None:
        result = inside(*args)
        assert "a fault of the program" not in result.stderr, result.stderr
        assert "Traceback" not in result.stderr and 0 <= result.returncode <= 4

    odd()
    assert (trained / "run.json").exists()
