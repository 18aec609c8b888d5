"""Matrix factorisation by the package `implicit`, an optional extra: ALS and BPR."""

import importlib
import importlib.metadata
from typing import Any

import numpy as np

from neumf_tui.baselines.histories import UserHistories
from neumf_tui.errors import NeumfTuiError
from neumf_tui.scorers.vectors import VectorScorer

PACKAGE = "implicit"
REMEDY = "pip install 'neumf-tui[baselines]'"


def installed_version() -> str | None:
    """Return the version of `implicit`; None where it is not installed."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None


def why_missing() -> str:
    """Return why `implicit` cannot be used here, with the remedy; empty where it can."""
    if installed_version() is None:
        return f"the package {PACKAGE} is not installed: {REMEDY}"
    try:
        import implicit  # noqa: F401
    except ImportError as error:
        return f"the package {PACKAGE} cannot be loaded ({error}): {REMEDY}"
    return ""


def als(histories: UserHistories, factors: int, l2: float, seed: int = 0) -> VectorScorer:
    """Fit weighted matrix factorisation by alternating least squares (Hu, Koren, Volinsky 2008)."""
    settings = {"factors": factors, "regularization": l2, "iterations": 15, "alpha": 1.0}
    return _fit("als", "AlternatingLeastSquares", histories, random_state=seed, **settings)


def bpr(histories: UserHistories, factors: int, iterations: int, seed: int = 0) -> VectorScorer:
    """Fit matrix factorisation by BPR (Rendle et al. 2009)."""
    settings = {
        "factors": factors,
        "iterations": iterations,
        "regularization": 0.001,
        "learning_rate": 0.006,
        # More threads write into the same vectors in any order, which cannot be reproduced.
        "num_threads": 1,
    }
    return _fit("bpr", "BayesianPersonalizedRanking", histories, random_state=seed, **settings)


def _fit(module: str, kind: str, histories: UserHistories, **settings: Any) -> VectorScorer:
    """Fit a model of `implicit` on the CPU; raises NeumfTuiError where that fails."""
    from implicit.recommender_base import ModelFitError
    from threadpoolctl import threadpool_limits

    matrix = histories.matrix.astype(np.float32)
    matrix.sort_indices()  # BPR needs them sorted
    # It has its own threads, which those of a BLAS would slow down many times.
    with threadpool_limits(1, "blas"):
        package = importlib.import_module(f"{PACKAGE}.{module}")
        model = getattr(package, kind)(use_gpu=False, **settings)
        try:
            model.fit(matrix, show_progress=False)
        except ModelFitError as error:
            raise NeumfTuiError(
                f"{module}: {PACKAGE} cannot fit this data ({error}); leave it out with --only"
            ) from error
    return VectorScorer(
        np.ascontiguousarray(model.user_factors, np.float32),
        np.ascontiguousarray(model.item_factors, np.float32),
    )
