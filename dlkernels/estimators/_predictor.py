"""A fitted estimator's predictions as a bare function, which `Saved.predictor` makes."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels.estimators._base import Array, numbers, probabilities


class Predictor:
    """A function of one row or of a table. It never changes, and can be pickled."""

    __slots__ = ("_activations", "_form", "_names", "_output", "_sizes", "_theta")

    def __init__(
        self,
        theta: Array,
        sizes: tuple[int, ...],
        activations: tuple[str, ...],
        output: str,
        form: Callable[[Array], Array],
        names: list[str] | None,
    ) -> None:
        self._theta, self._sizes = theta, sizes
        self._activations, self._output, self._form = activations, output, form
        self._names = names

    def __call__(self, X: Any) -> Any:
        """What `Saved.predictor` documents.

        Shapes are compared here, so that the error speaks of rows. `network_forward` converts other dtypes
        and layouts, and raises the errors of all else.
        """
        if type(X) is not np.ndarray:
            self._check_names(X)
            X = np.asanyarray(X)
        shape, n = X.shape, self._sizes[0]
        one_row = shape == (n,)
        if not one_row and (len(shape) != 2 or shape[1] != n):
            raise ValueError(f"predictor: X must have shape ({n},) or (m, {n}), but has shape {shape}")
        columns = X.reshape(n, 1) if one_row else X.T
        A = dk.network_forward(self._theta, self._sizes, columns, self._activations, self._output)
        predicted = self._form(A.T)
        return predicted[0] if one_row else predicted

    def _check_names(self, X: Any) -> None:
        """Refuse a dataframe, or a row of one, in which other columns stand where those of `fit` stood.

        An array isn't asked, because that takes time and it has no names.
        """
        names = getattr(X, "columns", getattr(X, "index", None))
        if self._names is None or names is None or callable(names):
            return
        given = list(names)
        if given != self._names and all(isinstance(name, str) for name in given):
            raise ValueError(
                f"predictor: X has the columns {reprlib.repr(given)}, but fit learnt from "
                f"{reprlib.repr(self._names)}, in this order"
            )


def predictor_of(estimator: Any) -> Predictor:
    """A function with a copy of the parameters of a fitted estimator."""
    theta, sizes, activations, output = estimator._described()
    form = probabilities if hasattr(estimator, "classes_") else numbers
    names = getattr(estimator, "feature_names_in_", None)
    return Predictor(theta.copy(), sizes, activations, output, form, None if names is None else list(names))
