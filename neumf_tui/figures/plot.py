"""The pictures that `plot` makes, by name."""

from collections.abc import Sequence
from pathlib import Path

from neumf_tui.errors import UsageError
from neumf_tui.figures.cohorts import cohorts_picture
from neumf_tui.figures.comparison import compare_picture
from neumf_tui.figures.curves import curves_picture
from neumf_tui.figures.picture import Picture
from neumf_tui.figures.ranks import journey_picture, race_picture

WHAT = ("curves", "race", "cohorts", "journey", "compare")
WITH_EPOCH = ("cohorts", "compare")
"""Pictures of one epoch; the others show all of them."""
WITH_USER = ("race", "journey")
At = tuple[Path, str | None]


def check_request(what: str, models: int, epochs: Sequence[str | None], users: int) -> None:
    """Raise UsageError unless the picture can show so many models and users."""
    if what not in WHAT:
        raise UsageError(f"--what {what}: expected one of {', '.join(WHAT)}")
    if what not in WITH_EPOCH and any(epochs):
        raise UsageError(f"--what {what} shows every epoch: name the run without @EPOCH")
    if what not in WITH_USER and users:
        names = " and ".join(WITH_USER)
        raise UsageError(f"--user is for --what {names}: leave it out for {what}")
    if what == "journey" and users != 1:
        raise UsageError("--what journey shows one user: add --user ID once")
    if what == "compare" and models != 2:
        raise UsageError(f"--what compare shows two models, not {models}: name A and B")


def make_picture(what: str, models: Sequence[At], home: Path, users: Sequence[str]) -> Picture:
    """Return a picture for which `check_request` has nothing to say; raises NeumfTuiError."""
    folders = [folder for folder, _ in models]
    match what:
        case "curves":
            return curves_picture(folders, home)
        case "race":
            return race_picture(folders, home, users)
        case "journey":
            return journey_picture(folders, home, users[0])
        case "cohorts":
            return cohorts_picture(models, home)
        case _:
            return compare_picture(models[0], models[1], home)
