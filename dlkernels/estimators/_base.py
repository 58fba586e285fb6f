"""What all estimators share: checked tables, class weights, refused settings, reports of training."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.utils import compute_class_weight, validation

import dlkernels as dk
from dlkernels.progress import progress

Array = np.ndarray[Any, Any]
#: What tables may hold. All other numbers become float64, as in scikit-learn.
FLOATS = (np.float64, np.float32)


def checked(estimator: Any, X: Any, *y: Any, **how: Any) -> Any:
    """scikit-learn's `validate_data`, which was a method before 1.6."""
    if hasattr(validation, "validate_data"):
        return validation.validate_data(estimator, X, *y, **how)
    return estimator._validate_data(X, *y, **how)


def rows_to_predict(estimator: Any, X: Any, dtype: Any) -> Array:
    """A table of as many features as `fit` has seen, checked.

    scikit-learn's check takes much longer than a small network. So an array that needs no conversion is
    compared here; a table with names on its columns is not.
    """
    if (
        type(X) is np.ndarray
        and X.dtype == dtype
        and X.ndim == 2
        and X.shape[0] > 0
        and X.shape[1] == estimator.n_features_in_
        and X.flags.c_contiguous
        and not hasattr(estimator, "feature_names_in_")
        and X.size <= 2**12
        and np.isfinite(X).all()
    ):
        return X
    return checked(estimator, X, dtype=FLOATS, reset=False)


def outputs(estimator: Any, X: Any, output: str | None = None) -> Array:
    """What the network of a fitted estimator returns for each row, (n_samples, n_outputs).

    `output` takes the place of what its last layer computes.
    """
    theta, sizes, names, own = estimator._described()
    rows = rows_to_predict(estimator, X, theta.dtype)
    return dk.network_forward(theta, sizes, rows.T, names, output or own).T


def weights_of(sample_weight: Any, X: Array) -> Array | None:
    """The weights of the examples in the dtype of X, not negative and not all 0; or None."""
    if sample_weight is None:
        return None
    weights = validation._check_sample_weight(sample_weight, X, dtype=X.dtype)
    if (weights < 0).any():
        raise ValueError("Negative values in data passed to `sample_weight`: each must be at least 0")
    if not weights.any():
        raise ValueError("sample_weight is 0 for all examples, so there is nothing to learn from")
    return weights


def with_class_weight(
    class_weight: Any, classes: Array, codes: Array, weights: Array | None, X: Array
) -> Any:
    """The weights of the examples times those of their classes.

    `codes` (n_samples,) are the numbers of the classes. "balanced" makes the sums of the weights of all
    classes equal: n_samples / (n_classes * examples of the class), each example counted by its weight.
    """
    if class_weight is None:
        return weights
    if isinstance(class_weight, str):
        sums = np.bincount(codes, weights, len(classes))
        with np.errstate(divide="ignore"):
            of_class = sums.sum() / (len(classes) * sums)
        of_class[sums == 0] = 0.0  # a class without examples has no weight to give
    else:
        of_class = compute_class_weight(class_weight, classes=classes, y=classes[codes])
    of_example = of_class.astype(X.dtype)[codes]
    return weights_of(of_example if weights is None else of_example * weights, X)


def refuse(estimator: Any, name: str, value: Any, why: str) -> None:
    """Raise an error for a setting of scikit-learn that isn't supported here."""
    raise ValueError(f"{type(estimator).__name__}: {name}={value!r} is not supported: {why}")


@contextlib.contextmanager
def reports(verbose: Any, description: str, total: int) -> Iterator[Callable[[int, float], None]]:
    """The block gets a function to call with the number of an iteration and its loss.

    If `verbose`, this shows a bar on a terminal, and elsewhere prints scikit-learn's lines.
    """
    shown = bool(verbose) and sys.stderr is not None and sys.stderr.isatty()
    with progress(description, total, enabled=shown) as advance:

        def report(iteration: int, loss: float) -> None:
            advance(1)
            if verbose and not shown:
                print(f"Iteration {iteration}, loss = {loss:.8f}")

        yield report
