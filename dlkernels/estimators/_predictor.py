"""A fitted estimator's predictions as a bare function, which `Saved.predictor` makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels.estimators._base import Array, numbers, probabilities


class Predictor:
    """A function of one row or of a table. It never changes, and can be pickled."""

    __slots__ = ("_activations", "_form", "_output", "_sizes", "_theta")

    def __init__(
        self,
        theta: Array,
        sizes: tuple[int, ...],
        activations: tuple[str, ...],
        output: str,
        form: Callable[[Array], Array],
    ) -> None:
        self._theta, self._sizes = theta, sizes
        self._activations, self._output, self._form = activations, output, form

    def __call__(self, X: Any) -> Any:
        """What `Saved.predictor` documents.

        Shapes are compared here, so that the error speaks of rows. `network_forward` converts other dtypes
        and layouts, and raises the errors of all else.
        """
        if type(X) is not np.ndarray:
            X = np.asanyarray(X)
        shape, n = X.shape, self._sizes[0]
        one_row = shape == (n,)
        if not one_row and (len(shape) != 2 or shape[1] != n):
            raise ValueError(f"predictor: X must have shape ({n},) or (m, {n}), but has shape {shape}")
        columns = X.reshape(n, 1) if one_row else X.T
        A = dk.network_forward(self._theta, self._sizes, columns, self._activations, self._output)
        predicted = self._form(A.T)
        return predicted[0] if one_row else predicted


def predictor_of(estimator: Any) -> Predictor:
    """A function with a copy of the parameters of a fitted estimator."""
    theta, sizes, activations, output = estimator._described()
    form = probabilities if hasattr(estimator, "classes_") else numbers
    return Predictor(theta.copy(), sizes, activations, output, form)
