"""What every backend accepts, what it refuses, and in which words.

Each public function of each backend begins with one call from here. It returns inputs that are plain
``float32`` or ``float64`` arrays of one dtype, contiguous, aligned, in native byte order, together with
the array that takes the result. Nothing is written to a caller's array before every check has passed.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

_F32 = np.dtype(np.float32)
_F64 = np.dtype(np.float64)

#: The activations by name; a compiled kernel gets the position as its code.
ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "leaky_relu")
#: Those whose derivative is computed from the saved activation A; the others save Z.
SAVES_A = frozenset({"sigmoid", "tanh"})


# -- single values ---------------------------------------------------------------------------------


def real(function: str, argument: str, value: Any) -> float:
    """A real number as a Python float; arrays count if they hold exactly one."""
    if isinstance(value, np.ndarray):
        if value.size != 1:
            raise ValueError(f"{function}: {argument} must be one number but has shape {value.shape}")
        value = value.reshape(-1)[0]
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{function}: {argument} must be a real number, not {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{function}: {argument} is too large for a float") from None


def finite(function: str, argument: str, value: Any) -> float:
    """A real number that is neither NaN nor infinite."""
    number = real(function, argument, value)
    if not math.isfinite(number):
        raise ValueError(f"{function}: {argument} must be finite, not {number}")
    return number


def count(function: str, argument: str, value: Any, minimum: int = 0) -> int:
    """A whole number of at least `minimum`."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{function}: {argument} must be an integer, not {type(value).__name__}")
    number = int(value)
    if number < minimum:
        raise ValueError(f"{function}: {argument} must be at least {minimum}, not {number}")
    return number


def activation_code(function: str, activation: Any) -> int:
    """The position of an activation in `ACTIVATIONS`."""
    if not isinstance(activation, str):
        raise TypeError(f"{function}: activation must be a string, not {type(activation).__name__}")
    try:
        return ACTIVATIONS.index(activation)
    except ValueError:
        names = ", ".join(ACTIVATIONS)
        raise ValueError(f"{function}: activation must be one of {names}, not {activation!r}") from None


# -- arrays ----------------------------------------------------------------------------------------


def _as_float(function: str, argument: str, value: Any) -> Array:
    """`value` as a float32 or float64 array of any layout, without a copy where it is one already."""
    if type(value) is np.ndarray and value.dtype in (_F64, _F32):
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{function}: {argument} is a masked array, and its mask would be ignored; "
            f"fill it first, for instance with {argument}.filled(0)"
        )
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{function}: {argument} is no array: {error}") from None
    dtype = array.dtype
    if dtype.kind == "f" and dtype.itemsize in (4, 8):
        return array if dtype.isnative else array.astype(dtype.newbyteorder("="))
    if dtype.kind in "iub":
        return array.astype(_F64)
    raise TypeError(
        f"{function}: {argument} has dtype {dtype}; expected float32, float64, integers or booleans"
    )


def _c_order(array: Array, dtype: np.dtype[Any] | None = None) -> Array:
    """`array` in `dtype`, aligned and in C order, copied only if it must be."""
    flags = array.flags
    if (dtype is None or array.dtype == dtype) and flags.c_contiguous and flags.aligned:
        return array
    return array.astype(dtype or array.dtype, order="C")


def _c_or_fortran_order(array: Array, dtype: np.dtype[Any]) -> Array:
    """As `_c_order`, but a matrix in Fortran order stays in it."""
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        return _c_order(array.T, dtype).T
    return _c_order(array, dtype)


def _common(arrays: Sequence[Array]) -> np.dtype[Any]:
    """float32 if all are, else float64: what `numpy.result_type` says of these two."""
    return _F32 if all(array.dtype == _F32 for array in arrays) else _F64


def _matrices(function: str, names: Sequence[str], values: Sequence[Any]) -> list[Array]:
    """Arrays with two axes, of one dtype, each in C or Fortran order."""
    arrays = [_as_float(function, name, value) for name, value in zip(names, values, strict=True)]
    for name, array in zip(names, arrays, strict=True):
        if array.ndim != 2:
            raise ValueError(
                f"{function}: {name} must have 2 axes but has shape {array.shape}{_hint(name, array)}"
            )
    dtype = _common(arrays)
    return [_c_or_fortran_order(array, dtype) for array in arrays]


def _hint(name: str, array: Array) -> str:
    if array.ndim != 1:
        return ""
    if name == "Y":
        return "; labels are a row: Y.reshape(1, -1)"
    if name in ("w", "b", "b1", "b2"):
        return f"; it is a column: {name}.reshape(-1, 1)"
    return f"; examples are columns: {name}.reshape(-1, 1) for one example, {name}.reshape(1, -1) for one row"


def _need_equal(
    function: str, a_name: str, a: Array, a_axis: int, b_name: str, b: Array, b_axis: int
) -> None:
    """Two axes that a formula pairs must have the same length."""
    if a.shape[a_axis] != b.shape[b_axis]:
        axis = ("rows", "columns")
        raise ValueError(
            f"{function}: {a_name} has {a.shape[a_axis]} {axis[a_axis]} but {b_name} has "
            f"{b.shape[b_axis]} {axis[b_axis]} ({a_name} {a.shape}, {b_name} {b.shape})"
        )


def _need_shape(
    function: str, name: str, array: Array, shape: tuple[int, ...], other: str, like: Array
) -> None:
    if array.shape != shape:
        raise ValueError(
            f"{function}: {name} must have shape {shape} but has shape {array.shape} "
            f"({name} {array.shape}, {other} {like.shape})"
        )


def _need_examples(function: str, name: str, array: Array) -> None:
    if array.shape[1] == 0:
        raise ValueError(f"{function}: the mean over 0 examples is undefined ({name} {array.shape})")


def _same_memory(a: Array, b: Array) -> bool:
    return (
        a.ctypes.data == b.ctypes.data
        and a.shape == b.shape
        and a.strides == b.strides
        and a.dtype == b.dtype
    )


def _overlap(a: Array, b: Array) -> bool:
    if not np.may_share_memory(a, b):
        return False
    try:
        # An exact answer can take exponentially long; a doubtful case counts as an overlap.
        return bool(np.shares_memory(a, b, max_work=100_000))  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def _check_out(
    function: str,
    out: Any,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    inputs: Sequence[tuple[str, Any]],
    in_place: bool,
) -> Array:
    """`out` itself, if it may take a result of this shape and dtype."""
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"{function}: out must be a NumPy array, not {type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"{function}: out has shape {out.shape} but the result has shape {shape}")
    if out.dtype != dtype:
        raise ValueError(f"{function}: out has dtype {out.dtype} but the result has dtype {dtype}")
    flags = out.flags
    if not flags.writeable:
        raise ValueError(f"{function}: out is read-only")
    if not (flags.c_contiguous and flags.aligned):
        raise ValueError(f"{function}: out must be aligned and in C order (strides {out.strides})")
    for name, value in inputs:
        if (
            isinstance(value, np.ndarray)
            and not (in_place and _same_memory(value, out))
            and _overlap(value, out)
        ):
            raise ValueError(f"{function}: out overlaps {name} in memory")
    return out


# -- one check a family of functions ---------------------------------------------------------------


def elementwise(function: str, Z: Any, out: Any) -> tuple[Array, Array]:
    """Input and output of an activation: any shape, C order."""
    array = _c_order(_as_float(function, "Z", Z))
    if out is None:
        return array, np.empty(array.shape, array.dtype)
    return array, _check_out(function, out, array.shape, array.dtype, (("Z", Z),), in_place=True)


def elementwise_backward(
    function: str, dA: Any, saved: Any, saved_name: str, out: Any
) -> tuple[Array, Array, Array]:
    """Gradient, saved values and output of an activation's derivative: one shape, C order."""
    given = (("dA", dA), (saved_name, saved))
    arrays = [_as_float(function, name, value) for name, value in given]
    gradient, kept = arrays
    if gradient.shape != kept.shape:
        raise ValueError(
            f"{function}: dA and {saved_name} must have the same shape "
            f"(dA {gradient.shape}, {saved_name} {kept.shape})"
        )
    dtype = _common(arrays)
    gradient, kept = (_c_order(array, dtype) for array in arrays)
    if out is None:
        return gradient, kept, np.empty(gradient.shape, dtype)
    return gradient, kept, _check_out(function, out, gradient.shape, dtype, given, in_place=True)


class DenseForward(NamedTuple):
    W: Array
    A_prev: Array
    b: Array
    code: int
    negative_slope: float
    out: Array


def dense_forward(
    W: Any, A_prev: Any, b: Any, activation: Any, negative_slope: Any, out: Any
) -> DenseForward:
    """g(W A_prev + b): W (n, n_prev), A_prev (n_prev, m), b (n, 1)."""
    f = "dense_forward"
    W_, A_, b_ = _matrices(f, ("W", "A_prev", "b"), (W, A_prev, b))
    _need_equal(f, "W", W_, 1, "A_prev", A_, 0)
    _need_shape(f, "b", b_, (W_.shape[0], 1), "W", W_)
    code = activation_code(f, activation)
    slope = real(f, "negative_slope", negative_slope)
    shape = (W_.shape[0], A_.shape[1])
    if out is None:
        out = np.empty(shape, W_.dtype)
    else:
        given = (("W", W), ("A_prev", A_prev), ("b", b))
        out = _check_out(f, out, shape, W_.dtype, given, in_place=False)
    return DenseForward(W_, A_, b_, code, slope, out)


def dense_gradients(dZ: Any, A_prev: Any) -> tuple[Array, Array]:
    """dZ (n, m) and A_prev (n_prev, m), m > 0."""
    f = "dense_gradients"
    dZ_, A_ = _matrices(f, ("dZ", "A_prev"), (dZ, A_prev))
    _need_equal(f, "dZ", dZ_, 1, "A_prev", A_, 1)
    _need_examples(f, "dZ", dZ_)
    return dZ_, A_


class DenseBackward(NamedTuple):
    W_next: Array
    dZ_next: Array
    saved: Array
    A_prev: Array
    code: int
    negative_slope: float


def dense_backward(
    W_next: Any, dZ_next: Any, saved: Any, A_prev: Any, activation: Any, negative_slope: Any
) -> DenseBackward:
    """W_next (n_next, n), dZ_next (n_next, m), saved (n, m), A_prev (n_prev, m), m > 0."""
    f = "dense_backward"
    names = ("W_next", "dZ_next", "saved", "A_prev")
    W_, dZ_, saved_, A_ = _matrices(f, names, (W_next, dZ_next, saved, A_prev))
    _need_equal(f, "W_next", W_, 0, "dZ_next", dZ_, 0)
    _need_equal(f, "W_next", W_, 1, "saved", saved_, 0)
    _need_equal(f, "dZ_next", dZ_, 1, "saved", saved_, 1)
    _need_equal(f, "dZ_next", dZ_, 1, "A_prev", A_, 1)
    _need_examples(f, "dZ_next", dZ_)
    code = activation_code(f, activation)
    return DenseBackward(W_, dZ_, saved_, A_, code, real(f, "negative_slope", negative_slope))


def cost(function: str, name: str, predicted: Any, Y: Any) -> tuple[Array, Array]:
    """Predictions (A or Z, by `name`) and labels, both (1, m) in C order, m > 0."""
    P, Y_ = _matrices(function, (name, "Y"), (predicted, Y))
    for argument, array in ((name, P), ("Y", Y_)):
        if array.shape[0] != 1:
            raise ValueError(f"{function}: {argument} must have 1 row ({name} {P.shape}, Y {Y_.shape})")
    _need_equal(function, name, P, 1, "Y", Y_, 1)
    _need_examples(function, name, P)
    return P, Y_


class Logistic(NamedTuple):
    w: Array
    b: float
    X: Array
    Y: Array


def logistic(function: str, w: Any, b: Any, X: Any, Y: Any) -> Logistic:
    """w (n_x, 1), b a number, X (n_x, m), Y (1, m), m > 0."""
    w_, X_, Y_ = _matrices(function, ("w", "X", "Y"), (w, X, Y))
    _need_shape(function, "w", w_, (X_.shape[0], 1), "X", X_)
    _need_shape(function, "Y", Y_, (1, X_.shape[1]), "X", X_)
    _need_examples(function, "X", X_)
    return Logistic(w_, real(function, "b", b), X_, Y_)


class Shallow(NamedTuple):
    W1: Array
    b1: Array
    W2: Array
    b2: Array
    X: Array
    Y: Array
    code: int
    negative_slope: float


def shallow(
    function: str, W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any, activation: Any, negative_slope: Any
) -> Shallow:
    """W1 (n_h, n_x), b1 (n_h, 1), W2 (1, n_h), b2 (1, 1), X (n_x, m), Y (1, m), m > 0."""
    names = ("W1", "b1", "W2", "b2", "X", "Y")
    W1_, b1_, W2_, b2_, X_, Y_ = _matrices(function, names, (W1, b1, W2, b2, X, Y))
    _need_equal(function, "W1", W1_, 1, "X", X_, 0)
    _need_shape(function, "b1", b1_, (W1_.shape[0], 1), "W1", W1_)
    _need_shape(function, "W2", W2_, (1, W1_.shape[0]), "W1", W1_)
    _need_shape(function, "b2", b2_, (1, 1), "W2", W2_)
    _need_shape(function, "Y", Y_, (1, X_.shape[1]), "X", X_)
    _need_examples(function, "X", X_)
    code = activation_code(function, activation)
    slope = real(function, "negative_slope", negative_slope)
    return Shallow(W1_, b1_, W2_, b2_, X_, Y_, code, slope)


def _updatable(function: str, named: Sequence[tuple[str, Any]]) -> None:
    """Arrays that are updated in place: float, C order, writeable, no two sharing memory."""
    for position, (name, array) in enumerate(named):
        if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
            raise TypeError(
                f"{function}: {name} is updated in place and must be a NumPy array, "
                f"not {type(array).__name__}"
            )
        if array.dtype not in (_F64, _F32):
            raise TypeError(
                f"{function}: {name} is updated in place and must be float32 or float64, not {array.dtype}"
            )
        if not array.flags.carray:
            raise ValueError(
                f"{function}: {name} is updated in place and must be writeable, aligned and in C order"
            )
        for other_name, other in named[:position]:
            if _overlap(array, other):
                raise ValueError(f"{function}: {name} overlaps {other_name} in memory")


def _need_apart(function: str, updated: Sequence[tuple[str, Any]], read: Sequence[tuple[str, Any]]) -> None:
    """What is updated must not share memory with what is read after the first write."""
    for name, array in updated:
        for other_name, other in read:
            if isinstance(other, np.ndarray) and _overlap(array, other):
                raise ValueError(f"{function}: {name} overlaps {other_name} in memory")


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
    _updatable(f, updated)
    slopes = [_as_float(f, name, array) for name, array in read]
    for (name, parameter), (slope_name, _), slope in zip(updated, read, slopes, strict=True):
        if slope.shape != parameter.shape:
            raise ValueError(
                f"{f}: {name} and {slope_name} must have the same shape "
                f"({name} {parameter.shape}, {slope_name} {slope.shape})"
            )
    _need_apart(f, updated, read)
    rate = finite(f, "learning_rate", learning_rate)
    slopes = [_c_order(slope, parameter.dtype) for parameter, slope in zip(parameters, slopes, strict=True)]
    return list(parameters), slopes, rate


def _descent(
    function: str,
    updated: Sequence[tuple[str, Any]],
    read: Sequence[tuple[str, Any]],
    dtype: np.dtype[Any],
    learning_rate: Any,
    num_steps: Any,
) -> tuple[float, int]:
    _updatable(function, updated)
    for name, array in updated:
        if array.dtype != dtype:
            raise ValueError(
                f"{function}: {name} is updated in place and must have the common dtype {dtype}, "
                f"not {array.dtype}"
            )
    _need_apart(function, updated, read)
    return finite(function, "learning_rate", learning_rate), count(function, "num_steps", num_steps, 1)


def logistic_descent(
    w: Any, b: Any, X: Any, Y: Any, learning_rate: Any, num_steps: Any
) -> tuple[Logistic, float, int]:
    """As `logistic`; w is updated in place."""
    f = "logistic_descent"
    inputs = logistic(f, w, b, X, Y)
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
    inputs = shallow(f, W1, b1, W2, b2, X, Y, activation, negative_slope)
    updated = (("W1", W1), ("b1", b1), ("W2", W2), ("b2", b2))
    read = (("X", X), ("Y", Y))
    rate, steps = _descent(f, updated, read, inputs.X.dtype, learning_rate, num_steps)
    return inputs, rate, steps


def dot(a: Any, b: Any) -> tuple[Array, Array]:
    """Two vectors (n,) of the same length."""
    arrays = [_as_float("dot", name, value) for name, value in (("a", a), ("b", b))]
    for name, array in zip(("a", "b"), arrays, strict=True):
        if array.ndim != 1:
            raise ValueError(f"dot: {name} must have 1 axis but has shape {array.shape}; use {name}.ravel()")
    if arrays[0].shape != arrays[1].shape:
        raise ValueError(f"dot: a and b must have the same length (a {arrays[0].shape}, b {arrays[1].shape})")
    dtype = _common(arrays)
    return _c_order(arrays[0], dtype), _c_order(arrays[1], dtype)


# -- what the models are given -----------------------------------------------------------------------


def labelled_examples(function: str, X: Any, Y: Any, dtype: Any) -> tuple[Array, Array]:
    """X (n_x, m) in `dtype` or its own, and labels (1, m), each 0 or 1, in the same dtype; m > 0."""
    X_ = _matrices(function, ("X",), (X,))[0]
    Y_ = _matrices(function, ("Y",), (Y,))[0]
    _need_shape(function, "Y", Y_, (1, X_.shape[1]), "X", X_)
    _need_examples(function, "X", X_)
    wrong = Y_[(Y_ != 0) & (Y_ != 1)]
    if wrong.size:
        raise ValueError(
            f"{function}: Y must hold 0 and 1 only, but {wrong.size} labels are other: {wrong[0]}"
        )
    target = X_.dtype if dtype is None else np.dtype(dtype)
    return _c_or_fortran_order(X_, target), _c_order(Y_, target)


def examples(function: str, X: Any, n_x: int, dtype: np.dtype[Any]) -> Array:
    """X (n_x, m) in `dtype`."""
    X_ = _matrices(function, ("X",), (X,))[0]
    if X_.shape[0] != n_x:
        raise ValueError(
            f"{function}: the model was fitted with {n_x} rows of X but X has {X_.shape[0]} (X {X_.shape})"
        )
    return _c_or_fortran_order(X_, dtype)


def parameter(function: str, name: str, value: Any, like: Any) -> Any:
    """A copy of a starting parameter, in the shape and dtype of `like`, or a float where that is one."""
    if isinstance(like, float):
        return real(function, name, value)
    array = _as_float(function, f"parameters[{name!r}]", value)
    if array.shape != like.shape:
        raise ValueError(
            f"{function}: parameters[{name!r}] must have shape {like.shape} but has shape {array.shape}"
        )
    return array.astype(like.dtype, order="C", copy=True)
