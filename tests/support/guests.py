"""Guests, and the commands `recommend` and `guests` run in this process."""

import typer
from typer.testing import CliRunner

from neumf_tui.cli import guests, recommend
from neumf_tui.errors import NeumfTuiError
from neumf_tui.explore.guests import Guest
from neumf_tui.explore.ranker import Ranker


def guest_command(*args: str) -> tuple[str, str]:
    """Run `recommend` or `guests`; return stdout and stderr, or raise the command's error."""
    app = typer.Typer()
    app.command()(recommend.recommend)
    app.command()(guests.guests)
    result = CliRunner().invoke(app, args)
    if isinstance(result.exception, NeumfTuiError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def guest_of(ranker: Ranker, *items: int, name: str = "new", seed: int = 0) -> Guest:
    return Guest(name, tuple(ranker.dataset.catalogue.item_ids[item] for item in items), seed)
