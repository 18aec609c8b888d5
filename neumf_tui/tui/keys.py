"""Key bindings: how screens and widgets declare them, and what the config file may say of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from textual.binding import Binding, BindingType
from textual.keys import Keys

from neumf_tui.data.nouns import ITEM


def shown(
    keys: str,
    action: str,
    name: str,
    about: str = "",
    *,
    key_id: str = "",
    display: str = "",
    show: bool = True,
    priority: bool = False,
) -> Binding:
    """Return a binding that stands in the footer.

    keys: names of keys, separated by commas.
    about: what the key does, for the command palette and the config file; `name` if empty.
    Both are templates of `Noun.fill`.
    key_id: the binding's name in the config file, without its area; made from `action` if empty.
    display: how the footer writes the key.
    priority: whether it works in dialogs and lines of text, too.
    """
    key_id = key_id or action.replace("_", "-")
    return Binding(keys, action, name, show, display or None, priority, tooltip=about, id=key_id)


hidden = partial(shown, show=False)
"""Return a binding that only the help and the command palette list; see `shown`."""


def bindings(area: str, *keys: Binding) -> list[BindingType]:
    """Return `keys` with ids that start with `area`: a screen's or a widget's BINDINGS."""
    return [replace(binding, id=f"{area}.{binding.id}") for binding in keys]


@dataclass(frozen=True)
class NamedKeys:
    """Keys that the config file can change."""

    keys: str
    """Names of keys, separated by commas."""
    description: str
    areas: tuple[str, ...]
    """Screens on which they work; two bindings with a screen in common must not share a key."""


def named_keys(owners: Iterable[tuple[type, Sequence[str]]]) -> dict[str, NamedKeys]:
    """Return the bindings of `owners` by id; with each owner stand the screens on which it is."""
    return {
        binding.id: NamedKeys(
            binding.key, ITEM.fill(binding.tooltip or binding.description), tuple(areas)
        )
        for owner, areas in owners
        for binding in owner.__dict__["BINDINGS"]
        if isinstance(binding, Binding) and binding.id
    }


def key_problem(keys: str) -> str:
    """Return what is wrong with a list of keys from the config file; empty where nothing is."""
    names = {key.value for key in Keys}
    for key in (part.strip() for part in keys.split(",")):
        last = key.rpartition("+")[2]
        if not last:
            return "expected the name of a key, such as 's', 'ctrl+s' or 'f5'"
        if len(last) > 1 and last not in names and key not in names and not last.isidentifier():
            return f"{key!r} is not a key; expected one such as 's', 'S', 'ctrl+s', 'f5', 'slash'"
        if key in ("ctrl+m", "ctrl+j", "ctrl+i", "ctrl+h"):
            return f"terminals send {key!r} for Enter, Tab or Backspace; choose another key"
    return ""
