"""The cost of logistic regression, and the classes that it learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

import dlkernels as dk
from dlkernels._calls.lbfgs import add_penalty
from dlkernels.estimators._base import Array

Cost = Callable[[Array, Array], float]


def classes_of(y: Array) -> tuple[Array, Array]:
    """The classes, and the number of the class of each label.

    scikit-learn's check takes a fifth of a small fit, and has nothing to say of a few whole numbers.
    """
    are_whole = y.dtype.kind in "biu"
    if not are_whole:
        check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if are_whole and len(classes) > 10:  # it warns if most labels are classes of their own
        check_classification_targets(y)
    return classes, codes


def cost_of(X: Array, Y: Array, weights: Array | None, units: int, l2: float) -> Cost:
    """The cost of parameters, which also writes its gradient.

    A vector of parameters without intercepts stands for intercepts of 0.
    """
    n, output = X.shape[0], "sigmoid" if units == 1 else "softmax"

    def binary(theta: Array, gradient: Array) -> float:
        b = float(theta[n]) if theta.size > n else 0.0
        w, dw = theta[:n].reshape(n, 1), gradient[:n].reshape(n, 1)
        _, db, cost = dk.logistic_propagate(w, b, X, Y, out=dw)
        gradient[n:] = db
        return cost + add_penalty(theta, gradient, n, l2)

    def general(theta: Array, gradient: Array) -> float:
        _, cost = dk.network_propagate(
            theta, (n, units), X, Y, (), output, sample_weight=weights, l2=l2, out=gradient
        )
        return cost

    if units == 1 and weights is None:
        return binary
    return of_any_length(general, units * (n + 1), X.dtype)


def of_any_length(cost: Cost, length: int, dtype: Any) -> Cost:
    """A cost of `length` parameters that also takes a vector of those without the intercepts, which are 0."""
    whole, out = np.zeros(length, dtype), np.empty(length, dtype)

    def function(theta: Array, gradient: Array) -> float:
        whole[: theta.size] = theta
        found = cost(whole, out)
        gradient[:] = out[: theta.size]
        return found

    return function
