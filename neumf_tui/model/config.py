"""The settings that define a model's shape."""

from dataclasses import dataclass
from itertools import pairwise

from neumf_tui.settings import Settings


@dataclass(frozen=True)
class NeuMFConfig:
    """The shape of every weight, and which weights take part in a score."""

    num_users: int
    num_items: int
    embedding_size: int
    mlp_layers: tuple[int, ...]
    paths: str = "neumf"
    """`neumf`; or `gmf` or `mlp`: that path alone, the other's part of every score is 0."""
    scaled_init: bool = False
    """Layers and head start at the scale of their inputs, not at N(0, 0.01²)."""
    history: int = 0
    """Latest items of the history whose vectors are added to the user's own; 0: none."""
    history_decay: float = 5.0
    history_floor: float = 0.05
    """The item `place` places back weighs exp(−place/history_decay) + history_floor."""

    @classmethod
    def of(cls, settings: Settings, num_users: int, num_items: int) -> "NeuMFConfig":
        """Return the shape of the model that `settings` ask for."""
        return cls(
            num_users=num_users,
            num_items=num_items,
            embedding_size=settings.embedding_size,
            mlp_layers=settings.mlp_layers,
            paths=settings.model,
            scaled_init=settings.scaled_init,
            history=settings.history,
            history_decay=settings.history_decay,
            history_floor=settings.history_floor,
        )

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each parameter of the model."""
        d = self.embedding_size
        tables = {"user": self.num_users, "item": self.num_items}
        if self.history:
            tables["history"] = self.num_items
        found = {f"{n}_{path}.weight": (tables[n], d) for n in tables for path in ("gmf", "mlp")}
        widths = (2 * d, *self.mlp_layers)
        layers: dict[str, tuple[int, ...]] = {"head.weight": (1, d + widths[-1])}
        for number, (before, after) in enumerate(pairwise(widths)):
            layers[f"mlp.{number}.weight"] = (after, before)
            layers[f"mlp.{number}.bias"] = (after,)
        return {**found, **layers}
