"""Standardise features: learn their means and deviations from training examples, and scale others alike."""

from __future__ import annotations

from typing import Any, Self, overload

import numpy as np

from dlkernels._data.columns import Array, DataError
from dlkernels._inputs import arrays
from dlkernels._inputs.finite import not_finite
from dlkernels._inputs.shapes import other_features


class Standardizer:
    """Shift and scale each feature to mean 0 and standard deviation 1 over the examples that `fit` gets.

    It can be pickled beside a model, to scale new examples as the model's training examples were scaled. The
    names are those of scikit-learn's StandardScaler; examples are columns.

    Attributes
    ----------
    mean_ : ndarray of float64, shape (n_x, 1)
        The mean of each feature.
    scale_ : ndarray of float64, shape (n_x, 1)
        The standard deviation of each feature (the sum of squares divided by m), and 1 for a feature that was
        the same in all examples.

    Notes
    -----
    Feature x becomes (x - mean) / scale. Neither the mean nor the deviation overflows or vanishes on the way,
    even if the features are of size 1e308 or 1e-308.

    Examples
    --------
    >>> from dlkernels.data import Standardizer
    >>> scaler = Standardizer().fit([[1.0, 3.0], [7.0, 7.0]])
    >>> scaler.transform([[5.0], [8.0]])
    array([[3.],
           [1.]])
    >>> scaler.inverse_transform([[3.0], [1.0]])
    array([[5.],
           [8.]])
    """

    mean_: Array
    scale_: Array

    def __repr__(self) -> str:
        return f"Standardizer({f'fitted with {len(self.mean_)} features' if hasattr(self, 'mean_') else ''})"

    def fit(self, X: Any) -> Self:
        """Learn the mean and the standard deviation of each feature.

        Parameters
        ----------
        X : array_like, shape (n_x, m)
            Examples as columns; at least one.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If X doesn't have 2 axes, holds no example, or a number isn't finite; the message names the
            feature and the example.
        TypeError
            If X holds anything but real numbers.

        Examples
        --------
        >>> from dlkernels.data import Standardizer
        >>> Standardizer().fit([[1.0, 3.0]]).mean_
        array([[2.]])
        """
        self.mean_, self.scale_ = _statistics(_training("Standardizer.fit", "X", X))
        return self

    def transform(self, X: Any) -> Array:
        """Scale examples as those of `fit` were.

        Parameters
        ----------
        X : array_like, shape (n_x, m)
            Examples as columns.

        Returns
        -------
        ndarray, shape (n_x, m)
            float32 if X is float32, else float64.

        Raises
        ------
        RuntimeError
            If `fit` hasn't been called.
        DataError
            If X has another number of features than the examples of `fit`, or a number isn't finite.
        TypeError
            If X holds anything but real numbers.

        Examples
        --------
        >>> from dlkernels.data import Standardizer
        >>> Standardizer().fit([[1.0, 3.0]]).transform([[2.0, 4.0]])
        array([[0., 2.]])
        """
        return self._scaled(self._checked("Standardizer.transform", X))

    def fit_transform(self, X: Any) -> Array:
        """Learn from examples, and scale them.

        Parameters
        ----------
        X : array_like, shape (n_x, m)
            Examples as columns; at least one.

        Returns
        -------
        ndarray, shape (n_x, m)

        Raises
        ------
        DataError, TypeError
            As `fit`.

        Examples
        --------
        >>> from dlkernels.data import Standardizer
        >>> Standardizer().fit_transform([[1.0, 3.0]])
        array([[-1.,  1.]])
        """
        array = _training("Standardizer.fit_transform", "X", X)
        self.mean_, self.scale_ = _statistics(array)
        return self._scaled(array)

    def inverse_transform(self, X: Any) -> Array:
        """Undo `transform`.

        Parameters
        ----------
        X : array_like, shape (n_x, m)
            Scaled examples as columns.

        Returns
        -------
        ndarray, shape (n_x, m)
            float32 if X is float32, else float64.

        Raises
        ------
        RuntimeError, DataError, TypeError
            As `transform`.

        Examples
        --------
        >>> from dlkernels.data import Standardizer
        >>> Standardizer().fit([[1.0, 3.0]]).inverse_transform([[-1.0, 0.0]])
        array([[1., 2.]])
        """
        array = self._checked("Standardizer.inverse_transform", X)
        mean, scale, power = self._near_one()
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(array * scale + mean, power).astype(array.dtype)

    def _checked(self, function: str, X: Any) -> Array:
        if not hasattr(self, "mean_"):
            raise RuntimeError(f"{function}: this Standardizer is not fitted yet; call fit(X) first")
        array = _finite_columns(function, "X", X)
        if message := other_features("Standardizer", array, len(self.mean_)):
            raise DataError(f"{function}: {message}")
        return array

    def _near_one(self) -> tuple[Array, Array, Array]:
        """Return mean and scale, both divided by a power of 2 that leaves the scale between 1/2 and 1.

        The division is exact, and with it no difference of large numbers overflows.
        """
        scale, power = np.frexp(self.scale_)
        return np.ldexp(self.mean_, -power), scale, power

    def _scaled(self, array: Array) -> Array:
        mean, scale, power = self._near_one()
        # An example that isn't like those of `fit` may become infinite.
        with np.errstate(over="ignore", under="ignore"):
            return ((np.ldexp(array, -power) - mean) / scale).astype(array.dtype)


def _finite_columns(function: str, name: str, value: Any) -> Array:
    array = arrays.as_float(function, name, value)
    if array.ndim != 2:
        hint = f"; for one example use {name}.reshape(-1, 1), for one feature {name}.reshape(1, -1)"
        raise DataError(
            f"{function}: {name} must have shape (n_x, m) but has shape {array.shape}"
            f"{hint if array.ndim == 1 else ''}"
        )
    if message := not_finite(name, array, array):
        raise DataError(f"{function}: {message}")
    return array


def _training(function: str, name: str, value: Any) -> Array:
    array = _finite_columns(function, name, value)
    if array.shape[1] == 0:
        raise DataError(
            f"{function}: {name} must have shape (n_x, m) with at least 1 example but has shape {array.shape}"
        )
    return array


def _statistics(array: Array) -> tuple[Array, Array]:
    """Return the mean and the scale of each feature, shape (n_x, 1)."""
    X = array.astype(np.float64, copy=False)
    low, high = X.min(axis=1, keepdims=True), X.max(axis=1, keepdims=True)
    # Rounding may give a constant feature a deviation of 1e-17 instead of 0: compare its extremes instead.
    constant = low == high
    # Divide by a power of 2, which is exact, first: sums of 1e308 and squares of 1e200 would be infinite, and
    # squares of 1e-200 would be 0.
    _, power = np.frexp(np.maximum(-low, high))
    with np.errstate(over="ignore", under="ignore"):
        small = np.ldexp(X, -power)
        mean, deviation = (np.ldexp(each(small, axis=1, keepdims=True), power) for each in (np.mean, np.std))
    # At the ends of the range of floats, rounding may give infinity or 0.
    deviation = np.clip(deviation, np.finfo(np.float64).smallest_subnormal, np.finfo(np.float64).max)
    return np.where(constant, low, mean), np.where(constant, 1, deviation)


@overload
def standardize(X_train: Any, X_test: None = None) -> Array: ...
@overload
def standardize(X_train: Any, X_test: Any) -> tuple[Array, Array]: ...
def standardize(X_train: Any, X_test: Any = None) -> Any:
    """Shift and scale each feature to mean 0 and standard deviation 1 over the training examples.

    `Standardizer` does the same, and keeps the means and deviations for new examples.

    Parameters
    ----------
    X_train : array_like, shape (n_x, m)
        Training examples as columns. Only they determine the means and standard deviations.
    X_test : array_like, shape (n_x, m_test), optional
        Held-out examples, scaled in the same way.

    Returns
    -------
    X_train : ndarray
        The scaled training examples. A feature that is the same in all of them becomes 0.
    X_test : ndarray
        The scaled held-out examples, returned only if `X_test` was given.

    Raises
    ------
    DataError
        If shapes don't match, there are no training examples, or a number isn't finite.
    TypeError
        If an input holds anything but real numbers.

    Examples
    --------
    >>> from dlkernels.data import standardize
    >>> standardize([[1.0, 3.0], [7.0, 7.0]], [[5.0], [8.0]])
    (array([[-1.,  1.],
           [ 0.,  0.]]), array([[3.],
           [1.]]))
    """
    f, scaler = "standardize", Standardizer()
    train = _training(f, "X_train", X_train)
    if X_test is not None:
        test = _finite_columns(f, "X_test", X_test)
        if test.shape[0] != train.shape[0]:
            raise DataError(
                f"{f}: X_test must have {train.shape[0]} rows, as X_train has "
                f"(X_train {train.shape}, X_test {test.shape})"
            )
    scaler.mean_, scaler.scale_ = _statistics(train)
    return scaler._scaled(train) if X_test is None else (scaler._scaled(train), scaler._scaled(test))
