"""NeuMF as other programs name its weights, brought to the names and the order of ours.

Each of these models has a ReLU after every layer of its MLP and puts [user, item] into the first.
They differ in names, in whether the head reads GMF or the MLP first, and in widths and biases.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.adopt.contents import Arrays, Contents, WeightsError, shape_text


@dataclass(frozen=True)
class Layout:
    """The names of one program; empty for a part that its model does not have."""

    what: str
    """The program, for people."""
    gmf: tuple[str, ...] = ()
    """Embeddings of users and items in the GMF path."""
    mlp: tuple[str, ...] = ()
    layers: str = ""
    """What stands before the number of a layer."""
    head: str = ""
    mlp_first: bool = False
    """Whether the head reads the MLP's output before GMF's."""
    unused: tuple[str, ...] = ()
    """Weights that take no part in a score."""

    def part_of(self, name: str) -> str:
        """Return the part that an array belongs to, or an empty text."""
        stem, _, kind = name.rpartition(".")
        if kind == "weight" and stem in (*self.gmf, *self.mlp):
            return "gmf" if stem in self.gmf else "mlp"
        if kind in ("weight", "bias"):
            if stem == self.head:
                return "head"
            if stem in self.unused:
                return "unused"
            if self.layers and re.fullmatch(rf"{re.escape(self.layers)}\.[0-9]{{1,3}}", stem):
                return "layers"
        return ""


LAYOUTS = (
    Layout("neumf-tui", ("user_gmf", "item_gmf"), ("user_mlp", "item_mlp"), "mlp", "head"),
    Layout("Dive into Deep Learning", ("P", "Q"), ("U", "V"), "mlp", "prediction_layer"),
    Layout(
        "guoyang9/NCF",
        ("embed_user_GMF", "embed_item_GMF"),
        ("embed_user_MLP", "embed_item_MLP"),
        "MLP_layers",
        "predict_layer",
    ),
    Layout(
        "RecBole",
        ("user_mf_embedding", "item_mf_embedding"),
        ("user_mlp_embedding", "item_mlp_embedding"),
        "mlp_layers.mlp_layers",
        "predict_layer",
    ),
    Layout(
        "yihong-chen/neural-collaborative-filtering",
        ("embedding_user_mf", "embedding_item_mf"),
        ("embedding_user_mlp", "embedding_item_mlp"),
        "fc_layers",
        "affine_output",
        mlp_first=True,
    ),
    Layout(
        "yihong-chen/neural-collaborative-filtering, MLP",
        mlp=("embedding_user", "embedding_item"),
        layers="fc_layers",
        head="affine_output",
    ),
    Layout(
        "yihong-chen/neural-collaborative-filtering, GMF",
        ("embedding_user", "embedding_item"),
        head="affine_output",
    ),
    Layout(
        "Cornac",
        ("GMF.user_embedding", "GMF.item_embedding"),
        ("MLP.user_embedding", "MLP.item_embedding"),
        "MLP.MLP_model",
        "logit",
        unused=("GMF.logit", "MLP.logit"),
    ),
    Layout(
        "Cornac, MLP",
        mlp=("user_embedding", "item_embedding"),
        layers="MLP_model",
        head="logit",
    ),
    Layout("Cornac, GMF", ("user_embedding", "item_embedding"), head="logit"),
    *(
        Layout(
            f"user_embedding_gmf … {layers} … {head}",
            ("user_embedding_gmf", "item_embedding_gmf"),
            ("user_embedding_mlp", "item_embedding_mlp"),
            layers,
            head,
        )
        for layers in ("mlp", "mlp_layers", "mlp_layers_module", "fc_layers")
        for head in ("predict_layer", "prediction_layer", "output_layer")
    ),
)


@dataclass(frozen=True, eq=False)
class FoundNeuMF:
    """A NeuMF under our names, with the rows of the file."""

    layout: str
    tensors: Arrays
    bias: float = 0.0
    """What is added to every score, where the head has no place for it: GMF alone."""

    @property
    def has_mlp(self) -> bool:
        return "user_mlp.weight" in self.tensors


def find_neumf(contents: Contents) -> FoundNeuMF | None:
    """Return the NeuMF that a file holds; None if its names are not those of any.

    Raises WeightsError where names are, but shapes do not fit together.
    """
    arrays = _without_prefix(contents.arrays)
    ours = "checkpoint" in contents.about
    arrays = {k: v for k, v in arrays.items() if not (ours and k.startswith("adam."))}
    for layout in LAYOUTS:
        parts = {name: layout.part_of(name) for name in arrays}
        history = {name for name in arrays if ours and name.startswith("history_")}
        if all(part or name in history for name, part in parts.items()) and _is_whole(
            layout, arrays
        ):
            found = _translated(contents.where, layout, arrays)
            found.tensors.update({name: arrays[name] for name in history})
            return found
    _explain_near_miss(contents.where, arrays)
    return None


def _without_prefix(arrays: Arrays) -> Arrays:
    """Return the arrays without what wrappers put before every name: `module.`, `_orig_mod.`."""
    while arrays:
        first = {name.partition(".")[0] for name in arrays}
        if len(first) != 1 or not all(name.count(".") > 1 for name in arrays):
            return arrays
        arrays = {name.partition(".")[2]: array for name, array in arrays.items()}
    return arrays


def _is_whole(layout: Layout, arrays: Iterable[str]) -> bool:
    """Return whether a head and at least one path are there, and no half of a path."""
    names = set(arrays)
    gmf, mlp = (
        sum(f"{table}.weight" in names for table in tables) for tables in (layout.gmf, layout.mlp)
    )
    has_layers = any(layout.part_of(name) == "layers" for name in names)
    is_whole = {gmf, mlp} <= {0, 2} and (gmf == 2 or (mlp == 2 and has_layers))
    return is_whole and f"{layout.head}.weight" in names


def _explain_near_miss(where: str, arrays: Arrays) -> None:
    """Raise WeightsError if most names are those of a known NeuMF: then say which are not."""

    def known(layout: Layout) -> int:
        return sum(bool(layout.part_of(name)) for name in arrays)

    nearest = max(LAYOUTS, key=known)
    if known(nearest) < max(3, len(arrays) / 2):
        return
    odd = [name for name in arrays if not nearest.part_of(name)]
    missing = [
        f"{name}.weight"
        for name in (*nearest.gmf, *nearest.mlp, nearest.head)
        if f"{name}.weight" not in arrays
    ]
    what = f"has {', '.join(odd[:4])}, too" if odd else f"lacks {', '.join(missing)}"
    raise WeightsError(
        f"{where}: named like a NeuMF of {nearest.what}, but {what}; only what {nearest.what} "
        "computes can be adopted as a NeuMF: adopt a table of its scores instead"
    )


def _translated(where: str, layout: Layout, arrays: Arrays) -> FoundNeuMF:
    def table(name: str) -> NDArray[Any]:
        return _of_dimensions(where, name, arrays[f"{name}.weight"], 2)

    gmf = [table(name) for name in layout.gmf if f"{name}.weight" in arrays]
    mlp = [table(name) for name in layout.mlp if f"{name}.weight" in arrays]
    layers = _layers(where, layout, arrays) if len(mlp) == 2 else []
    head = np.asarray(arrays[f"{layout.head}.weight"])
    head = head[None] if head.ndim == 1 else head
    bias = np.asarray(arrays.get(f"{layout.head}.bias", np.zeros(1, np.float32))).reshape(-1)
    widths = _widths(where, layout, gmf, mlp, layers, head)
    if len(bias) != 1:
        raise WeightsError(f"{where}: {layout.head}.bias has {len(bias):,} numbers; expected one")
    if layout.mlp_first and widths["gmf"] and widths["mlp"]:
        head = np.concatenate([head[:, widths["mlp"] :], head[:, : widths["mlp"]]], 1)
    tensors: Arrays = {"head.weight": head}
    if widths["gmf"]:
        tensors |= {"user_gmf.weight": gmf[0], "item_gmf.weight": gmf[1]}
    if not widths["mlp"]:
        return FoundNeuMF(layout.what, tensors, float(bias[0]))
    tensors |= {"user_mlp.weight": mlp[0], "item_mlp.weight": mlp[1]}
    for number, (weight, shift) in enumerate(layers):
        tensors |= {f"mlp.{number}.weight": weight, f"mlp.{number}.bias": shift}
    if f"{layout.head}.bias" in arrays:
        tensors["head.bias"] = bias
    return FoundNeuMF(layout.what, tensors)


def _layers(
    where: str, layout: Layout, arrays: Mapping[str, NDArray[Any]]
) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return weights and biases of the layers, the first one first."""
    numbers = sorted(
        int(name.split(".")[-2])
        for name in arrays
        if layout.part_of(name) == "layers" and name.endswith(".weight")
    )
    found = []
    for number in numbers:
        name = f"{layout.layers}.{number}"
        weight = _of_dimensions(where, name, arrays[f"{name}.weight"], 2)
        bias = np.asarray(arrays.get(f"{name}.bias", np.zeros(len(weight), np.float32)))
        if bias.shape != (len(weight),):
            raise WeightsError(
                f"{where}: {name}.bias has shape {shape_text(bias.shape)}; its layer has "
                f"{len(weight):,} outputs"
            )
        found.append((weight, bias))
    return found


def _widths(
    where: str,
    layout: Layout,
    gmf: list[NDArray[Any]],
    mlp: list[NDArray[Any]],
    layers: list[tuple[NDArray[Any], NDArray[Any]]],
    head: NDArray[Any],
) -> dict[str, int]:
    """Return how many numbers the head reads of each path; raise WeightsError if none fits."""
    if len(gmf) == 2 and gmf[0].shape[1] != gmf[1].shape[1]:
        raise WeightsError(f"{where}: {' and '.join(layout.gmf)} differ in width")
    if layers:
        inputs = sum(table.shape[1] for table in mlp)
        chain = [inputs, *(weight.shape[0] for weight, _ in layers)]
        for number, ((weight, _), (before, _)) in enumerate(
            zip(layers, pairwise(chain), strict=True)
        ):
            if weight.shape[1] != before:
                raise WeightsError(
                    f"{where}: layer {number + 1} of {layout.layers} takes "
                    f"{weight.shape[1]:,} numbers, but gets {before:,}"
                )
    of_gmf = gmf[0].shape[1] if len(gmf) == 2 else 0
    of_mlp = layers[-1][0].shape[0] if layers else 0
    if head.ndim != 2 or len(head) != 1:
        raise WeightsError(f"{where}: {layout.head} is {shape_text(head.shape)}, not one row")
    width = head.shape[1]
    if width == of_gmf + of_mlp:
        return {"gmf": of_gmf, "mlp": of_mlp}
    if (width == of_gmf) != (width == of_mlp):  # guoyang9 and RecBole keep the other path's tables
        return {"gmf": of_gmf, "mlp": 0} if width == of_gmf else {"gmf": 0, "mlp": of_mlp}
    if width == of_gmf:
        raise WeightsError(
            f"{where}: {layout.head} reads {width:,} numbers, which GMF and the MLP both have, so "
            "only one path is used; leave the tables of the other one out of the file"
        )
    raise WeightsError(
        f"{where}: {layout.head} reads {width:,} numbers; GMF has {of_gmf:,} and the MLP {of_mlp:,}"
    )


def _of_dimensions(where: str, name: str, array: NDArray[Any], count: int) -> NDArray[Any]:
    if array.ndim != count:
        raise WeightsError(
            f"{where}: {name} has shape {shape_text(array.shape)}; expected {count} dimensions"
        )
    return array
