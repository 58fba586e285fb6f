"""The base class of both models: it checks examples, trains and predicts."""

from __future__ import annotations

import contextlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dlkernels import backends
from dlkernels.faults import foreign
from dlkernels.progress import progress as progress_bar
from dlkernels.validation import count, examples, finite, labelled_examples, parameter

from ._convergence import warn_if_diverged

Array: TypeAlias = NDArray[Any]
Callback: TypeAlias = Callable[[int, float], Any]

#: The number of steps that one call of a backend takes; one cost is recorded for each call.
INTERVAL = 100


class Model(ABC):
    """A binary classifier, trained by gradient descent on examples as columns.

    A subclass defines its parameters, their initial values, how a run of steps updates them, and how they
    turn X into probabilities. This class holds the training loop, predictions and the score.
    """

    learning_rate: float
    num_iterations: int
    backend: str
    dtype: Any

    parameters_: dict[str, Any]
    costs_: list[float]
    n_iter_: int

    def _check_settings(self) -> None:
        name = type(self).__name__
        if finite(name, "learning_rate", self.learning_rate) <= 0:
            raise ValueError(f"{name}: learning_rate must be positive, not {self.learning_rate}")
        count(name, "num_iterations", self.num_iterations, minimum=0)
        if self.dtype is not None and not _is_supported(self.dtype):
            raise ValueError(f"{name}: dtype must be float32, float64 or None, not {self.dtype!r}")
        backends.get(self.backend)

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self._settings() if hasattr(self, name))
        return f"{type(self).__name__}({', '.join(shown)})"

    def _settings(self) -> list[str]:
        """The names of the settings; of a class whose `__init__` passes `**others` on, its parents' too."""
        names: list[str] = []
        for each in type(self).__mro__:
            if "__init__" in vars(each):
                own = list(inspect.signature(each).parameters.values())
                names += [a.name for a in own if a.kind not in (a.VAR_POSITIONAL, a.VAR_KEYWORD)]
                if not any(a.kind == a.VAR_KEYWORD for a in own):
                    break
        return list(dict.fromkeys(names))

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
        current = expected if parameters is None else _started_from(name, parameters, expected, X.dtype)
        costs: list[float] = []
        seen: list[tuple[int, float]] = []
        done = 0
        with (
            progress_bar(f"{name} ({self.backend})", self.num_iterations, enabled=progress) as advance,
            self._whole_runs(costs),
        ):
            while done < self.num_iterations:
                steps = min(INTERVAL, self.num_iterations - done)
                # The very last step is taken by itself: a call returns the cost before its first step.
                alone = int(steps > 1 and done + steps == self.num_iterations)
                # A copy: if this run is interrupted, the model holds the parameters before it.
                current = _copied(current)
                seen.append((done, self._descend(backend, current, X, Y, steps - alone)))
                if alone:
                    seen.append((done + steps - 1, self._descend(backend, current, X, Y, 1)))
                costs.append(seen[-1 - alone][1])
                done += steps
                self._hold(current, costs, done)
                stop = callback is not None and _truth(name, callback(done - steps, costs[-1]))
                advance(steps)
                if stop:
                    break
        self._hold(current, costs, done)
        warn_if_diverged(name, seen, current, self.learning_rate)
        return self

    @contextlib.contextmanager
    def _whole_runs(self, costs: list[float]) -> Iterator[None]:
        """Take away the cost of a run that the model doesn't hold, if the block ends after it was added."""
        try:
            yield
        finally:
            if vars(self).get("costs_") is costs:
                del costs[-(-self.n_iter_ // INTERVAL) :]

    def _hold(self, parameters: dict[str, Any], costs: list[float], iterations: int) -> None:
        # In one go, so that Ctrl-C can't leave a part of an older fit.
        vars(self).update(parameters_=parameters, costs_=costs, n_iter_=iterations)

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


def _copied(parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.copy() if isinstance(value, np.ndarray) else value for name, value in parameters.items()
    }


def _truth(function: str, result: Any) -> bool:
    """Whether a callback's result is true. Arrays of several numbers, of any library, refuse to say it."""
    try:
        return bool(result)
    except (RuntimeError, TypeError, ValueError) as error:
        if foreign(error):
            raise
        raise TypeError(
            f"{function}: callback must return a truth value, not {type(result).__name__}: {error}"
        ) from None


def _is_supported(dtype: Any) -> bool:
    try:
        return np.dtype(dtype) in (np.dtype(np.float32), np.dtype(np.float64))
    except TypeError:
        return False


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
