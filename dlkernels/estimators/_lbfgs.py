"""SciPy's L-BFGS-B around a function that returns cost and gradient."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from dlkernels.estimators._base import Array, reports


class Minimum(NamedTuple):
    """Where the search ended: the vector, its cost and how many iterations it took."""

    x: Array
    cost: float
    iterations: int


def lbfgs(
    cost_and_gradient: Callable[[Array], tuple[float, Array]],
    start: Array,
    *,
    estimator: Any,
    max_iter: int,
    options: dict[str, Any],
) -> Minimum:
    """Minimise a cost. What SciPy or this function has to say about convergence becomes a warning.

    The search is in float64, whatever the dtype of `start`, in which the cost is computed. If it ends where
    something isn't finite, the best finite vector that it met is returned.
    """
    dtype = start.dtype
    best, last, gradient = (math.inf, start), start, start

    def cost_of(x: Array) -> float:
        nonlocal best, last, gradient
        cost, found = cost_and_gradient(x.astype(dtype, copy=False))
        last, gradient = x.copy(), found.astype(np.float64, copy=False)
        if cost < best[0]:
            best = cost, last
        return cost

    # With `jac=True` SciPy's own wrapper does this, in three times the time.
    def gradient_of(x: Array) -> Array:
        if not (x == last).all():
            cost_of(x)
        return gradient

    name, verbose = type(estimator).__name__, estimator.verbose
    with reports(verbose, name, max_iter) as report, np.errstate(over="ignore", invalid="ignore"):
        count = 0

        def iterated(intermediate_result: Any) -> None:
            nonlocal count
            count += 1
            report(count, float(intermediate_result.fun))

        found = minimize(
            cost_of, start, method="L-BFGS-B", jac=gradient_of, callback=iterated if verbose else None,
            options={"maxiter": max_iter, **options},
        )  # fmt: skip
    x, cost = found.x, float(found.fun)
    if not (math.isfinite(cost) and np.isfinite(x).all()):
        warnings.warn(
            f"{name} diverged after {found.nit} iterations of lbfgs: the cost is {cost}. The best finite "
            "parameters are kept. Scale the features, for instance with sklearn.preprocessing.StandardScaler",
            ConvergenceWarning,
            stacklevel=2,
        )
        cost, x = best
    elif found.status != 0:
        _warn(found, max_iter)
    return Minimum(x.astype(dtype), cost, min(found.nit, max_iter))


def _warn(found: Any, max_iter: int) -> None:
    message = (
        f"lbfgs failed to converge after {found.nit} iteration(s) (status={found.status}):\n{found.message}"
    )
    if found.nit >= max_iter:
        message += f"\n\nIncrease the number of iterations to improve the convergence (max_iter={max_iter})."
    message += (
        "\nYou might also want to scale the data as shown in:\n"
        "    https://scikit-learn.org/stable/modules/preprocessing.html"
    )
    warnings.warn(message, ConvergenceWarning, stacklevel=3)
