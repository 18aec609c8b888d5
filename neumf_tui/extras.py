"""Packages that only some commands need: `pip install 'neumf-tui[EXTRA]'`."""

from importlib import import_module

from neumf_tui.errors import UsageError


def require(what: str, extra: str, package: str) -> None:
    """Raise UsageError if the package that `what` needs cannot be imported."""
    try:
        import_module(package)
    except ImportError as error:
        is_missing = error.name == package.partition(".")[0]
        problem = "is not installed" if is_missing else f"cannot be loaded ({error})"
        raise UsageError(
            f"{what} needs the package {package}, which {problem}: pip install 'neumf-tui[{extra}]'"
        ) from error
