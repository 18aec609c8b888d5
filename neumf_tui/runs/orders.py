"""What a person wants to be run beside one training."""

import msgspec


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """Shell commands, which are never read from a run directory."""

    on_finish: str = ""
    """To run when training has ended, for whatever reason."""
    on_alarm: str = ""
    """To run at each alarm."""
