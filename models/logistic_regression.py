"""Logistic regression as a network of one unit."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from ._classifier import BinaryClassifier
from ._training import Array


class LogisticRegression(BinaryClassifier):
    """P(y = 1) = sigmoid(wᵀx + b), trained by gradient descent from zero.

    Parameters
    ----------
    learning_rate : float
        The step length alpha.
    num_iterations : int
        How many steps `fit` takes.
    backend : {"numba", "numpy", "python"}
        The implementation: compiled loops, vectorised NumPy, or Python loops.
    dtype : {None, "float32", "float64"}
        The dtype to compute in; by default that of X.

    Attributes
    ----------
    parameters_ : dict
        "w" (n_x, 1) and "b", a float.
    costs_ : list of float
        The cost before iterations 0, 100, 200, ...
    n_iter_ : int
        How many iterations were run.

    Notes
    -----
    A step is w := w - alpha dw, b := b - alpha db, with the gradients of `dlkernels.logistic_propagate`, as
    in Andrew Ng, "Neural Networks and Deep Learning", week 2.

    Examples
    --------
    >>> from dlkernels.models import LogisticRegression
    >>> X, Y = [[0.0, 1.0, 2.0, 3.0]], [[0, 0, 1, 1]]
    >>> model = LogisticRegression(learning_rate=0.5, num_iterations=2000).fit(X, Y)
    >>> model.predict(X)
    array([[0, 0, 1, 1]])
    """

    def __init__(
        self,
        *,
        learning_rate: float = 0.01,
        num_iterations: int = 1000,
        backend: str = "numba",
        dtype: Any = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.num_iterations = num_iterations
        self.backend = backend
        self.dtype = dtype
        self._check_settings()

    def _initial_parameters(self, n_x: int, dtype: np.dtype[Any]) -> dict[str, Any]:
        return {"w": np.zeros((n_x, 1), dtype), "b": 0.0}

    def _num_features(self) -> int:
        return int(self.parameters_["w"].shape[0])

    def _descend(
        self, backend: ModuleType, parameters: dict[str, Any], X: Array, Y: Array, steps: int
    ) -> float:
        parameters["b"], cost = backend.logistic_descent(
            parameters["w"], parameters["b"], X, Y, self.learning_rate, steps
        )
        return float(cost)

    def _probabilities(self, backend: ModuleType, parameters: dict[str, Any], X: Array) -> Array:
        with np.errstate(over="ignore"):  # as b grew in a fit that diverged, or as somebody set it
            bias = np.array([[parameters["b"]]], X.dtype)
        A: Array = backend.dense_forward(parameters["w"].T, X, bias, "sigmoid")
        return A
