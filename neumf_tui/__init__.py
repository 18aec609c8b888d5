"""Neural matrix factorisation, watched and explored in the terminal.

In Python: `start_run` for a loop of your own, `open_run` for what a run has found, `load_dataset`.
They are imported when they are first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
_PLACES = {
    "LoadedDataset": "api.dataset",
    "NeumfTuiError": "errors",
    "OpenedRun": "api.opened",
    "Run": "api.run",
    "load_dataset": "api.dataset",
    "open_run": "api.opened",
    "start_run": "api.start",
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'neumf_tui' has no attribute {name!r}")
    return getattr(import_module(f"neumf_tui.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_PLACES]
