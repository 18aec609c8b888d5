"""What fixes a model's shape."""

from dataclasses import dataclass

from neumf_tui.settings import Settings


@dataclass(frozen=True)
class NeuMFConfig:
    """What fixes the shape of every weight, and which of them take part."""

    num_users: int
    num_items: int
    embedding_size: int
    mlp_layers: tuple[int, ...]
    paths: str = "neumf"
    """`neumf`, or `gmf` or `mlp` where that path is alone: the other's part of every score is 0."""
    scaled_init: bool = False
    """Layers and head begin at the size of their inputs, not at N(0, 0.01²)."""
    history: int = 0
    """Items of the history, latest first, whose vectors are added to the user's own; 0: none."""
    history_decay: float = 5.0
    history_floor: float = 0.05
    """The item `place` places back weighs exp(−place/history_decay) + history_floor."""

    @classmethod
    def of(cls, settings: Settings, num_users: int, num_items: int) -> "NeuMFConfig":
        """The model that `settings` ask for."""
        return cls(
            num_users,
            num_items,
            settings.embedding_size,
            settings.mlp_layers,
            settings.model,
            settings.scaled_init,
            settings.history,
            settings.history_decay,
            settings.history_floor,
        )
