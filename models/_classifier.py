"""The base class of the two models of the course: binary classifiers, trained by gradient descent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dlkernels import backends
from dlkernels.validation import examples, finite, labelled_examples, parameter

from ._convergence import STEPS
from ._training import Array, Callback, Model, Runs, State


class BinaryClassifier(Model):
    """A binary classifier, trained by gradient descent on all examples at once.

    A subclass defines its parameters, their initial values, how a run of steps updates them, and how they
    turn X into probabilities. This class trains it, predicts, and scores.
    """

    _runs = Runs("num_iterations", 100, STEPS)

    num_iterations: int
    parameters_: dict[str, Any]

    @abstractmethod
    def _initial_parameters(self, n_x: int, dtype: np.dtype[Any]) -> dict[str, Any]:
        """Return the parameters that training starts from."""

    @abstractmethod
    def _num_features(self) -> int:
        """Return n_x, the number of features of the examples that the model was fitted with."""

    @abstractmethod
    def _descend(
        self, backend: ModuleType, parameters: dict[str, Any], X: Array, Y: Array, steps: int
    ) -> float:
        """Take steps that update `parameters` in place; return the cost before the first step."""

    @abstractmethod
    def _probabilities(self, backend: ModuleType, parameters: dict[str, Any], X: Array) -> Array:
        """Return P(y = 1) for each column of X, in shape (1, m)."""

    def _learned(self) -> Mapping[str, Any]:
        return self.parameters_

    def fit(
        self,
        X: Any,
        Y: Any,
        *,
        parameters: Mapping[str, Any] | None = None,
        progress: bool = False,
        callback: Callback | None = None,
    ) -> Self:
        """Train by gradient descent on all examples at once.

        Parameters
        ----------
        X : array_like, shape (n_x, m)
            Examples as columns. They are converted to the model's dtype. If the model has none, float32 and
            float64 are kept, and other numbers become float64.
        Y : array_like, shape (1, m)
            Labels, 0 or 1.
        parameters : mapping, optional
            The parameters to start from, in the form of `parameters_`. They are copied. By default training
            starts from the model's own initial parameters.
        progress : bool
            Show a progress bar on a terminal.
        callback : callable, optional
            Called as ``callback(iteration, cost)`` after each run of up to 100 steps, with the iteration and
            the cost at the start of the run. A true result ends the training. Meanwhile the model is the one
            that is being trained, as it is after the run: `predict`, `score` and the attributes show it.

        Returns
        -------
        self
            The model with `parameters_`, `costs_` (the costs before iterations 0, 100, 200, ...) and
            `n_iter_` (the number of iterations that were run).

        Raises
        ------
        TypeError
            If an input is not real numbers of a supported dtype, or the callback returns no truth value, such
            as an array of several numbers.
        ValueError
            If shapes don't match (the message names both), n_x or m is 0, a label is neither 0 nor 1, or a
            number in X or in `parameters` is NaN, infinite or too large for the model's dtype.

        Warns
        -----
        ConvergenceWarning
            At most once for each fit, if training diverged: a cost or a parameter is NaN or infinite, or the
            last cost is more than a thousandth above the first. The costs are those of `costs_` and, unless
            the callback ended the training, the one before the last step. A cost that rises and falls again
            doesn't count.

        Notes
        -----
        If `fit` raises an error or is interrupted, by the callback or by Ctrl-C, the model holds what it held
        after the last run of steps that was complete. If there was none, it stays as it was before `fit`.
        """
        name = f"{type(self).__name__}.fit"
        self._check_settings()
        X, Y = labelled_examples(name, X, Y, self.dtype)
        backend = backends.get(self.backend)
        expected = self._initial_parameters(X.shape[0], X.dtype)
        start = expected if parameters is None else _started_from(name, parameters, expected, X.dtype)

        def run(state: State, steps: int) -> float:
            return self._descend(backend, state["parameters_"], X, Y, steps)

        return self._train({"parameters_": start}, run, progress=progress, callback=callback)

    def predict_proba(self, X: Any) -> Array:
        """Return P(y = 1) for each example.

        Parameters
        ----------
        X : array_like, shape (n_x, m)
            Examples as columns, with as many features as those of `fit`.

        Returns
        -------
        ndarray, shape (1, m)

        Raises
        ------
        RuntimeError
            If the model isn't fitted yet.
        ValueError
            If X has another number of rows than the examples of `fit`, or a number that `fit` would refuse.
        """
        return self._predicted("predict_proba", X)

    def _predicted(self, method: str, X: Any) -> Array:
        name = f"{type(self).__name__}.{method}"
        if not hasattr(self, "parameters_"):
            raise RuntimeError(f"{name}: this model is not fitted yet; call fit(X, Y) first")
        first = next(iter(self.parameters_.values()))
        X = examples(name, X, self._num_features(), first.dtype)
        return self._probabilities(backends.get(self.backend), self.parameters_, X)

    def predict(self, X: Any, threshold: float = 0.5) -> NDArray[np.int64]:
        """Predict 1 where P(y = 1) is strictly above the threshold, else 0.

        Parameters
        ----------
        X : array_like, shape (n_x, m)
            Examples as columns.
        threshold : float
            Between 0 and 1.

        Returns
        -------
        ndarray of int, shape (1, m)

        Raises
        ------
        RuntimeError, ValueError
            As `predict_proba`; ValueError also if the threshold is below 0 or above 1.
        """
        name = f"{type(self).__name__}.predict"
        limit = finite(name, "threshold", threshold)
        if not 0 <= limit <= 1:
            raise ValueError(f"{name}: threshold must be between 0 and 1, not {limit}")
        return (self._predicted("predict", X) > limit).astype(np.int64)

    def score(self, X: Any, Y: Any) -> float:
        """Return the accuracy: the share of examples whose label `predict` gives.

        Parameters
        ----------
        X : array_like, shape (n_x, m)
            Examples as columns.
        Y : array_like, shape (1, m)
            Labels, 0 or 1.

        Returns
        -------
        float
            Between 0 and 1.

        Raises
        ------
        RuntimeError, ValueError
            As `predict_proba`; ValueError also if shapes don't match or a label is neither 0 nor 1.
        """
        X, Y = labelled_examples(f"{type(self).__name__}.score", X, Y, allow_nan=True)
        return float(np.mean((self._predicted("score", X) > 0.5) == Y))


def _started_from(
    function: str, given: Mapping[str, Any], expected: dict[str, Any], dtype: np.dtype[Any]
) -> dict[str, Any]:
    """Return copies of the user's parameters, with the names, shapes and dtype that the model needs."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{function}: parameters must be a mapping, not {type(given).__name__}")
    if set(given) != set(expected):
        raise ValueError(
            f"{function}: parameters must hold {', '.join(expected)}, not {', '.join(map(str, given))}"
        )
    return {name: parameter(function, name, given[name], value, dtype) for name, value in expected.items()}
