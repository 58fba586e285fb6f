"""Examples and labels that a network learns from, and which output the labels ask for.

Examples are never converted as a whole, because a table in a file may be larger than memory.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dlkernels._inputs import arrays, finite, labels, networks, parts, values
from dlkernels._inputs.arrays import F32, F64, Array
from dlkernels.catalogue import OUTPUTS


class NetworkExamples(NamedTuple):
    """Examples as they were given, with labels and weights in the dtype of a network's parameters.

    Attributes
    ----------
    X : ndarray, shape (n_0, m)
        Of any real dtype.
    Y : ndarray, shape (n_L, m)
        Or (1, m), if it holds class numbers.
    sample_weight : ndarray, shape (m,), or None
    output : str
        The name of the output, in `dlkernels.catalogue.OUTPUTS`.
    units : int
        n_L, the number of the network's outputs.
    dtype : dtype
        float32 or float64.
    """

    X: Array
    Y: Array
    sample_weight: Array | None
    output: str
    units: int
    dtype: np.dtype[Any]


def network_examples(
    function: str, X: Any, Y: Any, sample_weight: Any, output: str | None, units: int | None, dtype: Any
) -> NetworkExamples:
    """Examples, labels and weights, if a network can learn from them.

    Without an `output`, the labels decide on it; without `units`, they decide on the number of outputs.
    """
    X_, Y_ = arrays.as_real(function, "X", X), _numbers(function, Y)
    _need_columns(function, X, Y, X_, Y_)
    n_x, m = X_.shape
    if not (n_x and m):
        what = "the mean over 0 examples is undefined" if n_x else "X has no features, a row for each"
        raise ValueError(f"{function}: {what} (X {X_.shape}, Y {Y_.shape})")
    used = _dtype(X_, dtype)
    converted = arrays.c_order(finite.finite(function, "Y", Y_, used))
    if output is None:
        output = _output_for(function, converted)
    values.name(function, "output", output, OUTPUTS)
    found = _units(function, Y, Y_, converted, output, units)
    need_finite(function, X_, used)
    weights = networks.weights_of(function, sample_weight, m, used)
    networks.need_weight(function, weights, None)
    return NetworkExamples(X_, converted, weights if weights.size else None, output, found, used)


def _dtype(X: Array, dtype: Any) -> np.dtype[Any]:
    """The dtype to compute in: by default that of X, if X has a dtype that kernels take."""
    if dtype is not None:
        return np.dtype(dtype)
    return F32 if X.dtype == F32 else F64


# -- shapes ----------------------------------------------------------------------------------------------


def _need_columns(function: str, X: Any, Y: Any, X_: Array, Y_: Array) -> None:
    """Raise an error unless there is a column of Y for each column of X."""
    if X_.ndim == Y_.ndim == 2 and X_.shape[1] == Y_.shape[1]:
        return
    if Y_.ndim != 2 or 1 in Y_.shape:
        labels.need_columns(function, X, Y, X_, Y_)
    arrays.need_matrix(function, "X", X_)
    arrays.need_matrix(function, "Y", Y_)
    hint = "; examples are columns, so pass X.T and Y.T" if X_.shape[0] == Y_.shape[0] > 1 else ""
    raise ValueError(
        f"{function}: Y has {Y_.shape[1]} columns but X has {X_.shape[1]} (Y {Y_.shape}, X {X_.shape}){hint}"
    )


# -- labels ----------------------------------------------------------------------------------------------


def _numbers(function: str, Y: Any) -> Array:
    """Y as an array of real numbers. If it holds words, the message says how these become class numbers."""
    words = np.asarray(Y) if isinstance(Y, list | tuple | np.ndarray) else None
    if words is not None and words.dtype.kind in "SU" and words.size:
        raise TypeError(
            f"{function}: Y holds words, such as {words.flat[0].item()!r}; pass the numbers of their "
            f"classes: {_NUMBERED}, whose number i stands for np.unique(Y)[i]"
        )
    return arrays.as_real(function, "Y", Y)


#: How labels of any kind become class numbers.
_NUMBERED = "np.unique(Y, return_inverse=True)[1].reshape(1, -1)"


def _output_for(function: str, Y: Array) -> str:
    """The output that these labels ask for, if there is but one."""
    if len(Y) > 1:
        raise ValueError(
            f"{function}: Y has {len(Y)} rows, so choose the output: 'softmax' if each row is one of several "
            f"classes, 'sigmoid' if each row is a label of its own, or 'identity' for numbers (Y {Y.shape})"
        )
    if ((Y == 0) | (Y == 1)).all():
        return "sigmoid"
    if labels.classes(Y):
        return "softmax"
    if (np.floor(Y) == Y).all():
        raise ValueError(
            f"{function}: Y holds {np.unique(Y).size:,} different whole numbers from {Y.min():g} to "
            f"{Y.max():g}, but classes are numbered from 0 without gaps: pass {_NUMBERED}; or choose the "
            "output: 'softmax' if some classes have no example, 'identity' for numbers"
        )
    raise ValueError(
        f"{function}: Y holds numbers that are no classes, such as {Y[np.floor(Y) != Y][0]:g}; for numbers "
        "choose output='identity', or 'exp' for counts"
    )


def _units(function: str, Y: Any, Y_: Array, converted: Array, output: str, units: int | None) -> int:
    """The number of outputs, once the labels fit to the output."""
    rows, kind = len(converted), OUTPUTS[output]
    classes = kind.takes_classes and rows == 1 and units != 1
    if classes:
        highest = float(converted.max())
        found = max(2, int(highest) + 1) if units is None else units
        networks.need_labels(function, kind, found, Y_, converted)
        return found
    if units is not None and rows != units:
        raise ValueError(f"{function}: Y has {rows} rows but the network has {units} outputs (Y {Y_.shape})")
    if output == "sigmoid":
        labels.need_0_and_1(function, Y, Y_, networks.FOR_CLASSES if rows == 1 and labels.classes(Y_) else "")
    networks.need_labels(function, kind, 0, Y_, converted)
    return rows


# -- examples --------------------------------------------------------------------------------------------


def need_finite(function: str, X: Array, dtype: np.dtype[Any]) -> None:
    """Raise an error unless all numbers in X are finite, also in this dtype."""
    if X.dtype.kind in "iub":
        return
    pieces = parts.segments(X, dtype) if X.dtype != dtype else [slice(None)]
    if not all(finite.all_finite(parts.columns(X, part, dtype)) for part in pieces):
        raise ValueError(f"{function}: {finite.not_finite('X', X, parts.columns(X, slice(None), dtype))}")
