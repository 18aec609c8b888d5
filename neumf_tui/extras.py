"""Packages that only some commands need: `pip install 'neumf-tui[EXTRA]'`."""

from importlib import import_module

from neumf_tui.errors import UsageError


def require(what: str, extra: str, package: str) -> None:
    """Raise UsageError if the package that `what` needs cannot be imported."""
    problem = ""
    try:
        # A folder of that name, such as the one that wandb writes to, can be imported, too.
        if import_module(package).__file__ is None:
            problem = "is not installed"
    except ImportError as error:
        is_missing = error.name == package
        problem = "is not installed" if is_missing else f"cannot be loaded ({error})"
    if problem:
        remedy = f"pip install 'neumf-tui[{extra}]'"
        raise UsageError(f"{what} needs the package {package}, which {problem}: {remedy}")
