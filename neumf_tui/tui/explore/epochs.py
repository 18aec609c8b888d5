"""Which epochs of a run the explore screen can show, and how it names the present one."""

from pathlib import Path

from neumf_tui.runs.checkpoint import describe_epoch, model_epochs


def epoch_in_direction(folder: Path, epoch: int, step: int, far: bool) -> int | None:
    """Return the nearest epoch that can be opened, after (step 1) or before (step -1) `epoch`.

    With `far`, the last in that direction. None if there is none.
    """
    beyond = [other for other in model_epochs(folder) if (other - epoch) * step > 0]
    if not beyond:
        return None
    return max(beyond) if (step > 0) == far else min(beyond)


def epoch_text(folder: Path, epoch: int, is_open: bool, width: int) -> str:
    """Return the epoch and its standing among the run's epochs, in about `width` cells."""
    newest = max(model_epochs(folder), default=epoch)
    short, opening = f"epoch {epoch}", "" if is_open else " …"
    number = f"{short} of {newest}" if newest != epoch else short
    what = describe_epoch(folder, epoch)
    if what in ("", "last"):
        return number + opening
    word = what.partition(" ")[0]
    texts = [f"{number} ({what})", f"{number} ({word})", f"{short} ({word})"]
    return next((t for t in texts if len(t + opening) <= width), texts[-1]) + opening
