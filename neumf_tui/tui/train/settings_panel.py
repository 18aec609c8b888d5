"""The train screen's left panel: metrics of held-out and validation items, all settings, data, protocol, host."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec
from rich.text import Text

from neumf_tui.runs.events import RunInfo
from neumf_tui.runs.protocol import is_flattered, protocol_of
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.settings import Settings
from neumf_tui.text import clean

METRICS = (
    ("hit@10", "Hit@10"),
    ("hit@50", "Hit@50"),
    ("ndcg@10", "NDCG@10"),
    ("mrr", "MRR"),
    ("auc", "AUC"),
)
GROUPS = {
    "network": (
        "model", "embedding_size", "mlp_layers", "scaled_init", "history", "history_decay", "history_floor", "dropout",
        "mlp_dropout",
    ),
    "learning": (
        "loss", "epochs", "pretrain", "alpha", "batch_size", "learning_rate", "schedule", "weight_decay",
        "embedding_weight_decay", "clip", "recency",
    ),
    "negatives": ("negatives", "sampler", "sampler_power", "shared_negatives", "hard_negatives", "exclude_heldout"),
    "choice": ("eval_every", "validation", "early_stop"),
    "machine": ("seed", "device", "threads", "processes"),
}  # fmt: skip
"""Settings in the order in which they are read; one that is in none of these stands last."""
ALWAYS = frozenset(
    {"model", "loss", "schedule", "sampler", "exclude_heldout", "validation", *GROUPS["machine"]}
)
"""Settings that say something at their default, too; another one is a feature left off then."""
PARTS_OF = {
    "history_decay": "history",
    "history_floor": "history",
    "sampler_power": "sampler",
    "alpha": "pretrain",
}
"""Settings that say nothing while the one they belong to is at its default, and always something beside it."""
DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(Settings)}
WARNING = "yellow"


def overview(info: RunInfo, snapshot: Snapshot) -> Text:
    """Metrics beside popularity's, settings, data, protocol, versions."""
    text = Text()
    _metrics(text, snapshot)
    _settings(text, info.settings)
    if snapshot.planned:
        text.append(f"{'extended to':<17}{snapshot.planned} epochs\n")
    data = info.dataset
    text.append("\ndata\n", "bold")
    text.append(
        f"{data.num_users:,} users  {data.num_items:,} items\n{data.num_train:,} training pairs\n"
    )
    _protocol(text, protocol_of(info))
    text.append("\nhost\n", "bold")
    text.append(
        f"{clean(info.host)}\nbegun {time.strftime('%Y-%m-%d %H:%M', time.localtime(info.created))}\n"
    )
    versions = info.versions | (snapshot.started.versions if snapshot.started else {})
    text.append("  ".join(f"{clean(name)} {clean(version)}" for name, version in versions.items()))
    return text


def _metrics(text: Text, snapshot: Snapshot) -> None:
    found, started = snapshot.reported, snapshot.started
    if found is None or started is None:
        return
    text.append(
        f"epoch {found.epoch}, {'best by validation' if found.validation else 'the last'}\n", "bold"
    )
    valid = found.validation
    text.append(
        f"{'':<9}{'held out':>8}{'valid.':>8}{'popular':>8}\n"
        if valid
        else f"{'':<9}{'held out':>8}{'popular':>9}\n",
        "dim",
    )
    for key, title in METRICS:
        text.append(f"{title:<9}")
        text.append(f"{found.metrics[key]:>8.4f}", "bold")
        text.append(f"{valid[key]:>8.4f}" if valid else " ")
        text.append(f"{started.popularity[key]:>8.4f}\n", "dim")
    text.append(f"Hit@50 95 % {found.interval[0]:.3f} to {found.interval[1]:.3f}\n", "dim")
    if started.popularity_validation:
        text.append(
            f"popularity on validation {started.popularity_validation['hit@50']:.4f}\n", "dim"
        )
    text.append("\n")


def _settings(text: Text, settings: Mapping[str, Any]) -> None:
    """Those that are in force by group, and the names of the rest."""
    known = {name for group in GROUPS.values() for name in group}
    text.append("settings\n", "bold")
    off: list[str] = []
    for title, names in (
        GROUPS | {"others": tuple(name for name in settings if name not in known)}
    ).items():
        there = [name for name in names if name in settings]
        on = [name for name in there if in_force(name, settings)]
        off += [name for name in there if name not in on]
        text.append(f"{title}\n" if on else "", "dim")
        for name in on:
            leaks = name == "exclude_heldout" and settings[name]
            text.append(
                f"  {clean(name):<17}{clean(_value(settings[name]))}\n", WARNING if leaks else ""
            )
    text.append(f"off: {', '.join(map(clean, off))}\n" if off else "", "dim")


def in_force(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether a setting decides anything in this run."""
    if name in PARTS_OF:
        whole = PARTS_OF[name]
        return bool(whole in settings and settings[whole] != DEFAULTS[whole])
    return name in ALWAYS or name not in DEFAULTS or bool(settings[name] != DEFAULTS[name])


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _protocol(text: Text, protocol: Mapping[str, Any]) -> None:
    text.append("\nprotocol\n", "bold")
    for name, value in protocol.items():
        if name == "num_candidates":
            text.append(f"ranked among {value[0]:,} to {value[1]:,} items\n" if value else "")
        elif name not in ("exclude_heldout", "seed"):
            style = WARNING if name == "negatives" and is_flattered(protocol) else ""
            text.append(f"{clean(name)}: ", "dim")
            text.append(f"{clean(str(value))}\n", style)
