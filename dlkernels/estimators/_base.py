"""What all estimators share: checked tables, class weights, refused settings, reports of training."""

from __future__ import annotations

import contextlib
import inspect
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.special import log_expit, log_softmax
from sklearn.utils import compute_class_weight, validation

import dlkernels as dk
from dlkernels._inputs.arrays import Array as Array
from dlkernels.estimators._maps import by_parts, is_large_map
from dlkernels.progress import progress

#: What tables may hold. All other numbers become float64, as in scikit-learn.
FLOATS = (np.float64, np.float32)
#: The most numbers of a small table (`_is_plain`).
_SMALL = 2**16


#: The argument by which scikit-learn's checks pass over NaN and infinity; it had another name before 1.6.
NOT_FINITE = {"ensure_all_finite" if hasattr(validation, "validate_data") else "force_all_finite": False}


#: The argument by which its check accepts weights that are all 0, which we refuse ourselves. Before 1.8 it
#: always accepts them.
_ALL_ZERO = (
    {"allow_all_zero_weights": True}
    if "allow_all_zero_weights" in inspect.signature(validation._check_sample_weight).parameters
    else {}
)


def checked(estimator: Any, X: Any, *y: Any, **how: Any) -> Any:
    """scikit-learn's `validate_data`, which was a method before 1.6."""
    need_dense(X)
    if hasattr(validation, "validate_data"):
        return validation.validate_data(estimator, X, *y, **how)
    return estimator._validate_data(X, *y, **how)


def need_dense(X: Any) -> None:
    """Refuse a sparse table. What scikit-learn's check advises, `toarray`, is no step of a pipeline."""
    if issparse(X):
        raise TypeError(
            f"X is a sparse table of shape {X.shape}, but must be dense. In a pipeline, take "
            "OneHotEncoder(sparse_output=False) and ColumnTransformer(..., sparse_threshold=0); elsewhere, "
            "X.toarray()"
        )


@contextlib.contextmanager
def all_or_nothing(estimator: Any) -> Iterator[None]:
    """If the block raises an error, the estimator has the attributes that it had before."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        estimator.__dict__ = before
        raise


def _is_plain(X: Any) -> bool:
    """Whether X is a small table in which scikit-learn's check would find nothing to convert or refuse.

    That check takes longer than a small network, and a fifth of a small fit. Names on columns need it.
    """
    return (
        type(X) is np.ndarray
        and X.dtype in FLOATS
        and X.ndim == 2
        and X.flags.c_contiguous
        and 0 < X.size <= _SMALL
        and bool(np.isfinite(X).all())
    )


def table_and_classes(estimator: Any, X: Any, y: Any) -> tuple[Array, Array]:
    """A table and the labels of its rows, checked."""
    if _is_plain(X) and type(y) is np.ndarray and y.dtype.kind in "biu" and y.shape == X.shape[:1]:
        estimator.n_features_in_ = X.shape[1]
        vars(estimator).pop("feature_names_in_", None)
        return X, y
    need_labels(y)
    found: tuple[Array, Array] = checked(estimator, X, y, dtype=FLOATS)
    return found


def need_labels(y: Any, name: str = "y") -> None:
    """Refuse labels some of which are missing. scikit-learn's check lets None pass, and names no row."""
    if hasattr(y, "isna"):
        missing = np.asarray(y.isna())
    else:
        labels = np.asarray(y, object if isinstance(y, list | tuple) else None)
        if labels.dtype.kind != "O" or labels.ndim == 0:  # no labels at all are for that check
            return
        is_nan = [label is None or (isinstance(label, float) and math.isnan(label)) for label in labels.flat]
        missing = np.reshape(is_nan, labels.shape)
    if missing.any():
        row = int(np.argwhere(missing)[0, 0])
        raise ValueError(f"{name} has missing values, the first in row {row} (rows are counted from 0)")


def rows_to_predict(estimator: Any, X: Any, features: int, dtype: Any) -> Array:
    """A table of as many features as the network has, checked."""
    if (
        _is_plain(X)
        and X.dtype == dtype
        and X.shape[1] == features == getattr(estimator, "n_features_in_", features)
        and not hasattr(estimator, "feature_names_in_")
    ):
        return X
    rows = checked(estimator, X, reset=False)  # strings of digits are for `fit` alone, as in scikit-learn
    if rows.dtype.kind not in "fiub":
        raise TypeError(f"X must hold numbers, not {rows.dtype}")
    if rows.dtype not in FLOATS:
        rows = validation.check_array(rows, dtype=FLOATS, estimator=estimator, input_name="X")
    if rows.shape[1] != features:  # the parameters were set by hand
        name = type(estimator).__name__
        raise ValueError(
            f"X has {rows.shape[1]} features, but {name} is expecting {features} features "
            "as input, by its parameters"
        )
    return rows


def outputs(estimator: Any, X: Any, output: str | None = None) -> Array:
    """What the network of a fitted estimator returns for each row, (n_samples, n_outputs).

    `output` takes the place of what its last layer computes.
    """
    theta, sizes, names, own = estimator._described()

    def outputs_of(X: Any) -> Array:
        rows = rows_to_predict(estimator, X, sizes[0], theta.dtype)
        return dk.network_forward(theta, sizes, rows.T, names, output or own).T

    return by_parts(outputs_of, X) if is_large_map(X) else outputs_of(X)


def probabilities(A: Array) -> Array:
    """The probability of each class, from outputs (n_samples, n_outputs).

    If there is one output, it is the probability of the second class.
    """
    return A if A.shape[1] > 1 else np.concatenate((1 - A, A), axis=1)


def numbers(A: Array) -> Array:
    """The numbers that a regression predicts, from outputs (n_samples, n_outputs)."""
    return A.ravel() if A.shape[1] == 1 else A


def log_probabilities(estimator: Any, X: Any) -> Array:
    """The logarithm of `probabilities`, which is finite also where they are 0."""
    Z = outputs(estimator, X, "identity")
    if Z.shape[1] > 1 and not getattr(estimator, "_multilabel", False):
        return log_softmax(Z, axis=1)
    return log_expit(Z if Z.shape[1] > 1 else np.hstack([-Z, Z]))


def as_parameters(array: Array, names: str) -> Array:
    """Parameters, which may have been set by hand, as float32 or float64."""
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{names} must be arrays of real numbers, not {array.dtype}")
    return array.astype(array.dtype if array.dtype in FLOATS else np.float64, copy=False)


def penalty_of(factor: float, total: float, formula: str, dtype: Any) -> float:
    """factor / total, by which 1/2 sum(W²) is multiplied, if it is finite in this dtype."""
    if factor > float(np.finfo(dtype).max) * total:
        raise ValueError(f"{formula} is {factor:g} / {total:g}, which is too large for {dtype}")
    return factor / total


def weights_of(sample_weight: Any, X: Array, dtype: Any) -> Array | None:
    """The weights of the examples in this dtype, or None if there are none.

    Raise an error if one is negative, or a cost can't be divided by their sum.
    """
    weights = not_negative(sample_weight, X, dtype)
    if weights is not None:
        with np.errstate(over="ignore"):
            need_divisor(float(weights.sum(dtype=np.float64)), dtype)
    return weights


def not_negative(sample_weight: Any, X: Array, dtype: Any) -> Array | None:
    """The weights of the examples in this dtype, which may all be 0; or None if there are none."""
    if sample_weight is None:
        return None
    if len(X) == 0 and np.shape(sample_weight) == (0,):  # scikit-learn's check needs an example
        return np.empty(0, dtype)
    weights: Array = validation._check_sample_weight(sample_weight, X, dtype=dtype, **_ALL_ZERO)
    if (weights < 0).any():
        raise ValueError("Negative values in data passed to `sample_weight`: each must be at least 0")
    return weights


def need_divisor(total: float, dtype: Any) -> None:
    """Raise an error if a cost can't be divided by this sum of weights."""
    if total == 0:
        raise ValueError(
            "Sample weights must contain at least one non-zero number, but sample_weight is 0 for all "
            "examples"
        )
    if not divides(total, dtype):
        raise ValueError(f"sample_weight adds up to {total:g}, by which {dtype} can't divide")


def divides(total: float, dtype: Any) -> bool:
    """Whether a sum of weights and its inverse are finite in this dtype."""
    largest = float(np.finfo(dtype).max)
    return 1 / largest <= total <= largest


def with_class_weight(
    class_weight: Any, classes: Array, codes: Array, weights: Array | None, dtype: Any
) -> Any:
    """The weights of the examples times those of their classes.

    `codes` (n_samples,) are the numbers of the classes. "balanced" makes the sums of the weights of all
    classes equal: n_samples / (n_classes * examples of the class), each example counted by its weight.
    """
    if class_weight is None:
        return weights
    of_class = class_weights(class_weight, classes, np.bincount(codes, weights, len(classes)))
    of_example = of_class.astype(dtype)[codes]
    return weights_of(of_example if weights is None else of_example * weights, codes, dtype)


def class_weights(class_weight: Any, classes: Array, sums: Array) -> Array:
    """The weight of each class. `sums` are those of the weights of its examples, for "balanced"."""
    if not isinstance(class_weight, str):
        try:
            return np.asarray(compute_class_weight(class_weight, classes=classes, y=classes))
        except ValueError as error:  # a class has no weight, and a weight has no class: a slip of the pen
            known = classes.tolist()
            others = [label for label in class_weight if label not in known]
            raise ValueError(f"{error}. It has {others}, which are no classes of y") from None
    with np.errstate(divide="ignore"):
        of_class: Array = sums.sum() / (len(classes) * sums)
    of_class[sums == 0] = 0.0  # a class without examples has no weight to give
    return of_class


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
