"""What the ablation changes of a preset, one part at a time: names and settings, in the order of the table."""

from typing import Any

CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    # What a user is.
    ("no history in users' vectors", {"history": 0}),
    ("history forgotten more slowly", {"history_decay": 50}),
    ("unweighted history", {"history_decay": 1e6, "history_floor": 0}),
    ("history of 200 items", {"history": 200}),
    ("unweighted history of 200 items", {"history": 200, "history_decay": 1e6, "history_floor": 0}),
    # The model.
    ("GMF alone", {"model": "gmf"}),
    ("MLP alone", {"model": "mlp"}),
    ("all weights begin small", {"scaled_init": False}),
    ("GMF and MLP learn apart at first", {"pretrain": 3}),
    # Loss and negatives.
    ("loss BPR", {"loss": "bpr"}),
    ("loss binary cross-entropy", {"loss": "bce"}),
    ("10 negatives", {"negatives": 10}),
    (
        "10 negatives drawn for each pair",
        {"negatives": 10, "shared_negatives": False},
    ),  # more take minutes a run
    ("negatives by popularity", {"sampler": "popularity"}),
    ("hard negatives: best scored of 4", {"hard_negatives": 4}),
    # How it learns.
    ("no dropout", {"dropout": 0, "mlp_dropout": 0}),
    ("no dropout on users' vectors", {"dropout": 0}),
    ("no dropout in the MLP", {"mlp_dropout": 0}),
    ("learning rate stays", {"schedule": "constant"}),
    ("late pairs drawn more often", {"recency": 20}),
    ("weight decay 1e-5", {"weight_decay": 1e-5}),
    ("weight decay 1e-3", {"weight_decay": 1e-3}),
    ("gradients clipped to norm 10", {"clip": 10}),
)
"""No comma in a name: --only separates by them. A change that the preset has already is left out of the table."""
