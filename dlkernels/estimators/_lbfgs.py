"""L-BFGS for estimators: it reports its iterations, and warns if it doesn't converge."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from dlkernels._calls.lbfgs import Limits, Minimum, minimize
from dlkernels.estimators._base import Array, reports


def lbfgs(
    cost_and_gradient: Callable[[Array, Array], float], start: Array, limits: Limits, estimator: Any
) -> Minimum:
    """Minimise a cost. What there is to say about convergence becomes a warning.

    The search is in float64, whatever the dtype of `start`, in which `cost_and_gradient` is called.
    """
    dtype, name, verbose = start.dtype, type(estimator).__name__, estimator.verbose
    function = cost_and_gradient
    if dtype != np.float64:
        narrow = np.empty_like(start)

        def function(x: Array, gradient: Array) -> float:
            cost = cost_and_gradient(x.astype(dtype), narrow)
            gradient[:] = narrow
            return cost

    with reports(verbose, name, limits.iterations) as report, np.errstate(over="ignore", invalid="ignore"):
        found = minimize(function, start, limits, report if verbose else None)
    if found.status != 0:
        warnings.warn(_warning(found, name, limits), ConvergenceWarning, stacklevel=2)
    return found._replace(x=found.x.astype(dtype), iterations=min(found.iterations, limits.iterations))


def _warning(found: Minimum, name: str, limits: Limits) -> str:
    if not math.isfinite(found.cost):
        return (
            f"{name} diverged: {found.message}, and the parameters stay as they were. Scale the features, "
            "for instance with sklearn.preprocessing.StandardScaler"
        )
    advice = (
        "\nYou might also want to scale the data as shown in:\n"
        "    https://scikit-learn.org/stable/modules/preprocessing.html"
    )
    if found.iterations >= limits.iterations:
        advice = (
            "\n\nIncrease the number of iterations to improve the convergence "
            f"(max_iter={limits.iterations}).{advice}"
        )
    return (
        f"lbfgs failed to converge after {found.iterations} iteration(s) (status={found.status}):\n"
        f"{found.message}{advice}"
    )
