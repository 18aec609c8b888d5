"""Matrix factorisation by the package `implicit`, an optional extra: ALS and BPR."""

import importlib
import importlib.metadata
from typing import Any

import numpy as np

from neumf_tui.baselines.histories import Histories
from neumf_tui.baselines.item_models import Scores
from neumf_tui.errors import NeumfTuiError

PACKAGE = "implicit"
REMEDY = "pip install 'neumf-tui[baselines]'"


def installed_version() -> str | None:
    """Of `implicit`; None where it is not installed."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None


def why_missing() -> str:
    """Why `implicit` cannot be used here, with the remedy; empty where it can."""
    if installed_version() is None:
        return f"the package {PACKAGE} is not installed: {REMEDY}"
    try:
        import implicit  # noqa: F401
    except ImportError as error:
        return f"the package {PACKAGE} cannot be loaded ({error}): {REMEDY}"
    return ""


def als(histories: Histories, factors: int, l2: float, seed: int = 0) -> Scores:
    """Weighted matrix factorisation by alternating least squares (Hu, Koren and Volinsky 2008); 15 rounds, alpha 1."""
    return _factors(
        "als",
        "AlternatingLeastSquares",
        histories,
        random_state=seed,
        factors=factors,
        regularization=l2,
        iterations=15,
        alpha=1.0,
    )


def bpr(histories: Histories, factors: int, iterations: int, seed: int = 0) -> Scores:
    """Matrix factorisation by BPR (Rendle et al. 2009); learning rate 0.006, regularisation 0.001."""
    # More threads would write into the same vectors unordered: never the same result twice.
    rates = {"regularization": 0.001, "learning_rate": 0.006, "num_threads": 1}
    return _factors(
        "bpr",
        "BayesianPersonalizedRanking",
        histories,
        random_state=seed,
        factors=factors,
        iterations=iterations,
        **rates,
    )


def _factors(module: str, kind: str, histories: Histories, **settings: Any) -> Scores:
    """Scores of a model of `implicit`, fitted on the CPU. Raises NeumfTuiError where it cannot be fitted."""
    from implicit.recommender_base import ModelFitError
    from threadpoolctl import threadpool_limits

    matrix = histories.matrix.astype(np.float32)
    matrix.sort_indices()  # BPR searches them for what a user has
    # It brings threads of its own, which those of a BLAS would slow down many times over.
    with threadpool_limits(1, "blas"):
        model = getattr(importlib.import_module(f"{PACKAGE}.{module}"), kind)(
            use_gpu=False, **settings
        )
        try:
            model.fit(matrix, show_progress=False)
        except ModelFitError as error:
            raise NeumfTuiError(
                f"{module}: {PACKAGE} cannot fit it to this data ({error}); leave it out with --only"
            ) from error
    users, items = (
        np.asarray(factors, dtype=np.float64)
        for factors in (model.user_factors, model.item_factors)
    )
    return lambda start, stop: users[start:stop] @ items.T
