"""What every backend accepts, what it refuses, and in which words.

Each public function of each backend begins with one call from here. It returns inputs that are plain
``float32`` or ``float64`` arrays of one dtype, contiguous, aligned, in native byte order, together with
the array that takes the result. Nothing is written to a caller's array before every check has passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dlkernels._inputs import arrays as _arrays
from dlkernels._inputs import values
from dlkernels._inputs.arrays import Array
from dlkernels.catalogue import ACTIVATIONS

#: The position of each activation in `ACTIVATIONS`.
CODES = {name: code for code, name in enumerate(ACTIVATIONS)}


def activation_code(function: str, activation: Any) -> int:
    """The position of an activation in `ACTIVATIONS`."""
    if not isinstance(activation, str):
        raise TypeError(f"{function}: activation must be a string, not {type(activation).__name__}")
    code = CODES.get(activation)
    if code is None:
        names = ", ".join(ACTIVATIONS)
        raise ValueError(f"{function}: activation must be one of {names}, not {activation!r}")
    return code


# -- one check a family of functions ---------------------------------------------------------------


def elementwise(function: str, Z: Any, out: Any) -> tuple[Array, Array]:
    """Input and output of an activation: any shape, C order."""
    array = _arrays.c_order(_arrays.as_float(function, "Z", Z))
    if out is None:
        return array, np.empty(array.shape, array.dtype)
    return array, _arrays.check_out(function, out, array.shape, array.dtype, (("Z", Z),), in_place=True)


def elementwise_backward(
    function: str, dA: Any, saved: Any, saved_name: str, out: Any
) -> tuple[Array, Array, Array]:
    """Gradient, saved values and output of an activation's derivative: one shape, C order."""
    given = (("dA", dA), (saved_name, saved))
    arrays = [_arrays.as_float(function, name, value) for name, value in given]
    gradient, kept = arrays
    if gradient.shape != kept.shape:
        raise ValueError(
            f"{function}: dA and {saved_name} must have the same shape "
            f"(dA {gradient.shape}, {saved_name} {kept.shape})"
        )
    dtype = _arrays.common(arrays)
    gradient, kept = (_arrays.c_order(array, dtype) for array in arrays)
    if out is None:
        return gradient, kept, np.empty(gradient.shape, dtype)
    return gradient, kept, _arrays.check_out(function, out, gradient.shape, dtype, given, in_place=True)


class DenseForward(NamedTuple):
    W: Array
    A_prev: Array
    b: Array
    code: int
    negative_slope: float
    A: Array
    Z: Array | None


def dense_forward(
    W: Any,
    A_prev: Any,
    b: Any,
    activation: Any,
    negative_slope: Any,
    out: Any,
    return_Z: Any,
) -> DenseForward:
    """g(W A_prev + b): W (n, n_prev), A_prev (n_prev, m), b (n, 1); Z only if it is to be returned."""
    f = "dense_forward"
    W_, A_, b_ = _arrays.matrices(f, ("W", "A_prev", "b"), (W, A_prev, b))
    _arrays.need_equal(f, "W", W_, 1, "A_prev", A_, 0)
    _arrays.need_shape(f, "b", b_, (W_.shape[0], 1), "W", W_)
    code = activation_code(f, activation)
    slope = values.real(f, "negative_slope", negative_slope)
    shape, dtype = (W_.shape[0], A_.shape[1]), W_.dtype
    if return_Z and (out is None or isinstance(out, tuple)):
        named, given = (("A", shape), ("Z", shape)), (W, A_prev, b)
        A, Z = _arrays.results(f, named, dtype, ("W", "A_prev", "b"), given, out)
        return DenseForward(W_, A_, b_, code, slope, A, Z)
    if out is None:
        A = np.empty(shape, dtype)
    else:
        inputs = (("W", W), ("A_prev", A_prev), ("b", b))
        A = _arrays.check_out(f, out, shape, dtype, inputs, in_place=False)
    return DenseForward(W_, A_, b_, code, slope, A, np.empty(shape, dtype) if return_Z else None)


class DenseGradients(NamedTuple):
    dZ: Array
    A_prev: Array
    dW: Array
    db: Array


def dense_gradients(dZ: Any, A_prev: Any, out: Any) -> DenseGradients:
    """dZ (n, m) and A_prev (n_prev, m), m > 0; dW (n, n_prev) and db (n, 1)."""
    f = "dense_gradients"
    dZ_, A_ = _arrays.matrices(f, ("dZ", "A_prev"), (dZ, A_prev))
    _arrays.need_equal(f, "dZ", dZ_, 1, "A_prev", A_, 1)
    _arrays.need_examples(f, "dZ", dZ_)
    n = dZ_.shape[0]
    named = (("dW", (n, A_.shape[0])), ("db", (n, 1)))
    dW, db = _arrays.results(f, named, dZ_.dtype, ("dZ", "A_prev"), (dZ, A_prev), out)
    return DenseGradients(dZ_, A_, dW, db)


class DenseBackward(NamedTuple):
    W_next: Array
    dZ_next: Array
    saved: Array
    A_prev: Array
    code: int
    negative_slope: float
    dZ: Array
    dW: Array
    db: Array


def dense_backward(
    W_next: Any, dZ_next: Any, saved: Any, A_prev: Any, activation: Any, negative_slope: Any, out: Any
) -> DenseBackward:
    """W_next (n_next, n), dZ_next (n_next, m), saved (n, m), A_prev (n_prev, m), m > 0.

    dZ (n, m), dW (n, n_prev) and db (n, 1).
    """
    f = "dense_backward"
    names, given = ("W_next", "dZ_next", "saved", "A_prev"), (W_next, dZ_next, saved, A_prev)
    W_, dZ_, saved_, A_ = _arrays.matrices(f, names, given)
    _arrays.need_equal(f, "W_next", W_, 0, "dZ_next", dZ_, 0)
    _arrays.need_equal(f, "W_next", W_, 1, "saved", saved_, 0)
    _arrays.need_equal(f, "dZ_next", dZ_, 1, "saved", saved_, 1)
    _arrays.need_equal(f, "dZ_next", dZ_, 1, "A_prev", A_, 1)
    _arrays.need_examples(f, "dZ_next", dZ_)
    code = activation_code(f, activation)
    slope = values.real(f, "negative_slope", negative_slope)
    n, m = saved_.shape
    named = (("dZ", (n, m)), ("dW", (n, A_.shape[0])), ("db", (n, 1)))
    results = _arrays.results(f, named, W_.dtype, names, given, out)
    return DenseBackward(W_, dZ_, saved_, A_, code, slope, *results)


def cost(function: str, name: str, predicted: Any, Y: Any) -> tuple[Array, Array]:
    """Predictions (A or Z, by `name`) and labels, both (1, m) in C order, m > 0."""
    P, Y_ = _arrays.matrices(function, (name, "Y"), (predicted, Y))
    for argument, array in ((name, P), ("Y", Y_)):
        if array.shape[0] != 1:
            raise ValueError(f"{function}: {argument} must have 1 row ({name} {P.shape}, Y {Y_.shape})")
    _arrays.need_equal(function, name, P, 1, "Y", Y_, 1)
    _arrays.need_examples(function, name, P)
    return P, Y_


class Logistic(NamedTuple):
    w: Array
    b: float
    X: Array
    Y: Array
    dw: Array


def logistic(function: str, w: Any, b: Any, X: Any, Y: Any, out: Any) -> Logistic:
    """w (n_x, 1), b a number, X (n_x, m), Y (1, m), m > 0; dw (n_x, 1)."""
    w_, X_, Y_ = _arrays.matrices(function, ("w", "X", "Y"), (w, X, Y))
    n, m = X_.shape
    if w_.shape != (n, 1) or Y_.shape != (1, m) or m == 0:  # of a call of 5 us, these calls take 0.3
        _arrays.need_shape(function, "w", w_, (n, 1), "X", X_)
        _arrays.need_shape(function, "Y", Y_, (1, m), "X", X_)
        _arrays.need_examples(function, "X", X_)
    bias = values.real(function, "b", b)
    if out is None:
        return Logistic(w_, bias, X_, Y_, np.empty(w_.shape, w_.dtype))
    given = (("w", w), ("b", b), ("X", X), ("Y", Y))
    return Logistic(
        w_, bias, X_, Y_, _arrays.check_out(function, out, w_.shape, w_.dtype, given, in_place=False)
    )


class Shallow(NamedTuple):
    W1: Array
    b1: Array
    W2: Array
    b2: Array
    X: Array
    Y: Array
    code: int
    negative_slope: float
    gradients: tuple[Array, ...]


def shallow(
    function: str,
    W1: Any,
    b1: Any,
    W2: Any,
    b2: Any,
    X: Any,
    Y: Any,
    activation: Any,
    negative_slope: Any,
    out: Any,
) -> Shallow:
    """W1 (n_h, n_x), b1 (n_h, 1), W2 (1, n_h), b2 (1, 1), X (n_x, m), Y (1, m), m > 0; gradients in order."""
    names, given = ("W1", "b1", "W2", "b2", "X", "Y"), (W1, b1, W2, b2, X, Y)
    W1_, b1_, W2_, b2_, X_, Y_ = _arrays.matrices(function, names, given)
    _arrays.need_equal(function, "W1", W1_, 1, "X", X_, 0)
    _arrays.need_shape(function, "b1", b1_, (W1_.shape[0], 1), "W1", W1_)
    _arrays.need_shape(function, "W2", W2_, (1, W1_.shape[0]), "W1", W1_)
    _arrays.need_shape(function, "b2", b2_, (1, 1), "W2", W2_)
    _arrays.need_shape(function, "Y", Y_, (1, X_.shape[1]), "X", X_)
    _arrays.need_examples(function, "X", X_)
    code = activation_code(function, activation)
    slope = values.real(function, "negative_slope", negative_slope)
    named = (("dW1", W1_.shape), ("db1", b1_.shape), ("dW2", W2_.shape), ("db2", b2_.shape))
    gradients = _arrays.results(function, named, W1_.dtype, names, given, out)
    return Shallow(W1_, b1_, W2_, b2_, X_, Y_, code, slope, gradients)


def gradient_descent(
    parameters: Any, gradients: Any, learning_rate: Any
) -> tuple[list[Array], list[Array], float]:
    """Parameters to update in place, their gradients in the same order and shapes, the step length."""
    f = "gradient_descent"
    for name, given in (("parameters", parameters), ("gradients", gradients)):
        if not isinstance(given, list | tuple):
            raise TypeError(f"{f}: {name} must be a list or a tuple of arrays, not {type(given).__name__}")
    if len(parameters) != len(gradients):
        raise ValueError(f"{f}: {len(parameters)} parameters but {len(gradients)} gradients")
    updated = [(f"parameters[{i}]", array) for i, array in enumerate(parameters)]
    read = [(f"gradients[{i}]", array) for i, array in enumerate(gradients)]
    _arrays.updatable(f, updated)
    slopes = [_arrays.as_float(f, name, array) for name, array in read]
    for (name, parameter), (slope_name, _), slope in zip(updated, read, slopes, strict=True):
        if slope.shape != parameter.shape:
            raise ValueError(
                f"{f}: {name} and {slope_name} must have the same shape "
                f"({name} {parameter.shape}, {slope_name} {slope.shape})"
            )
    _arrays.need_apart(f, updated, read)
    rate = values.finite(f, "learning_rate", learning_rate)
    slopes = [
        _arrays.c_order(slope, parameter.dtype) for parameter, slope in zip(parameters, slopes, strict=True)
    ]
    return list(parameters), slopes, rate


def _descent(
    function: str,
    updated: Sequence[tuple[str, Any]],
    read: Sequence[tuple[str, Any]],
    dtype: np.dtype[Any],
    learning_rate: Any,
    num_steps: Any,
) -> tuple[float, int]:
    _arrays.updatable(function, updated)
    for name, array in updated:
        if array.dtype != dtype:
            raise ValueError(
                f"{function}: {name} is updated in place and must have the common dtype {dtype}, "
                f"not {array.dtype}"
            )
    _arrays.need_apart(function, updated, read)
    return values.finite(function, "learning_rate", learning_rate), values.count(
        function, "num_steps", num_steps, 1
    )


def logistic_descent(
    w: Any, b: Any, X: Any, Y: Any, learning_rate: Any, num_steps: Any
) -> tuple[Logistic, float, int]:
    """As `logistic`; w is updated in place."""
    f = "logistic_descent"
    inputs = logistic(f, w, b, X, Y, None)
    read = (("X", X), ("Y", Y))
    rate, steps = _descent(f, (("w", w),), read, inputs.X.dtype, learning_rate, num_steps)
    return inputs, rate, steps


def shallow_descent(
    W1: Any,
    b1: Any,
    W2: Any,
    b2: Any,
    X: Any,
    Y: Any,
    learning_rate: Any,
    num_steps: Any,
    activation: Any,
    negative_slope: Any,
) -> tuple[Shallow, float, int]:
    """As `shallow`; W1, b1, W2 and b2 are updated in place."""
    f = "shallow_descent"
    inputs = shallow(f, W1, b1, W2, b2, X, Y, activation, negative_slope, None)
    updated = (("W1", W1), ("b1", b1), ("W2", W2), ("b2", b2))
    read = (("X", X), ("Y", Y))
    rate, steps = _descent(f, updated, read, inputs.X.dtype, learning_rate, num_steps)
    return inputs, rate, steps


def dot(a: Any, b: Any) -> tuple[Array, Array]:
    """Two vectors (n,) of the same length."""
    arrays = [_arrays.as_float("dot", name, value) for name, value in (("a", a), ("b", b))]
    for name, array in zip(("a", "b"), arrays, strict=True):
        if array.ndim != 1:
            raise ValueError(f"dot: {name} must have 1 axis but has shape {array.shape}; use {name}.ravel()")
    if arrays[0].shape != arrays[1].shape:
        raise ValueError(f"dot: a and b must have the same length (a {arrays[0].shape}, b {arrays[1].shape})")
    dtype = _arrays.common(arrays)
    return _arrays.c_order(arrays[0], dtype), _arrays.c_order(arrays[1], dtype)


# -- what the models are given -----------------------------------------------------------------------


def labelled_examples(function: str, X: Any, Y: Any, dtype: Any) -> tuple[Array, Array]:
    """X (n_x, m) in `dtype` or its own, and labels (1, m), each 0 or 1, in the same dtype; m > 0."""
    X_ = _arrays.matrices(function, ("X",), (X,))[0]
    Y_ = _arrays.matrices(function, ("Y",), (Y,))[0]
    _arrays.need_shape(function, "Y", Y_, (1, X_.shape[1]), "X", X_)
    _arrays.need_examples(function, "X", X_)
    wrong = Y_[(Y_ != 0) & (Y_ != 1)]
    if wrong.size:
        raise ValueError(
            f"{function}: Y must hold 0 and 1 only, but {wrong.size} labels are other: {wrong[0]}"
        )
    target = X_.dtype if dtype is None else np.dtype(dtype)
    return _arrays.c_or_fortran_order(X_, target), _arrays.c_order(Y_, target)


def examples(function: str, X: Any, n_x: int, dtype: np.dtype[Any]) -> Array:
    """X (n_x, m) in `dtype`."""
    X_ = _arrays.matrices(function, ("X",), (X,))[0]
    if X_.shape[0] != n_x:
        raise ValueError(
            f"{function}: the model was fitted with {n_x} rows of X but X has {X_.shape[0]} (X {X_.shape})"
            f"{_arrays.X_TRANSPOSED if X_.shape[1] == n_x else ''}"
        )
    return _arrays.c_or_fortran_order(X_, dtype)


def parameter(function: str, name: str, value: Any, like: Any) -> Any:
    """A copy of a starting parameter, in the shape and dtype of `like`, or a float where that is one."""
    if isinstance(like, float):
        return values.real(function, name, value)
    array = _arrays.as_float(function, f"parameters[{name!r}]", value)
    if array.shape != like.shape:
        raise ValueError(
            f"{function}: parameters[{name!r}] must have shape {like.shape} but has shape {array.shape}"
        )
    return array.astype(like.dtype, order="C", copy=True)
