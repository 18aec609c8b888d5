"""What a run is, in a few words: the preset of a trained one, else who made it and of what."""

from collections.abc import Iterable

from neumf_tui.runs.events import Kind, ModelKind, RunInfo

_MODELS: dict[ModelKind, str] = {
    "neumf": "NeuMF",
    "vectors": "vectors",
    "item_item": "item similarities",
    "scores": "scores",
    "top_k": "top lists",
    "none": "",
}
_BASELINES = {
    "item-knn": "item kNN", "item-knn-k": "item kNN k", "ease": "EASE",
    "ease-recent": "EASE recent", "als": "ALS", "bpr": "BPR",
}  # fmt: skip


def model_label(info: RunInfo) -> str:
    """Return `d2l`, `baseline EASE` or `adopted vectors`."""
    return label_of_kind(info.kind, info.model, info.preset)


def label_title(kinds: Iterable[Kind | None]) -> str:
    """Return the title of a column of labels; they are presets where no other run is listed."""
    return "preset" if {*kinds} <= {"trained", None} else "model"


def label_of_kind(kind: Kind, model: ModelKind, preset: str) -> str:
    if kind == "trained":
        return preset
    what = _BASELINES.get(preset, preset) if kind == "baseline" else _MODELS[model]
    return f"{kind} {what}".rstrip()
