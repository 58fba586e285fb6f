"""The checks of all backends: which arguments they accept, and with which messages they refuse others.

Each public function of each backend calls one function of this module, unless the function of compiled loops
could serve the arrays as they are (`_calls`, `_kernels.direct`). That returns inputs that are plain
``float32`` or ``float64`` arrays of one dtype, contiguous, aligned and in native byte order, together with
the array for the result. Nothing is written to a caller's array before every check has passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dlkernels._inputs import arrays, outputs, values
from dlkernels._inputs.arrays import Array
from dlkernels._inputs.shapes import fitting
from dlkernels._kernels import shapes
from dlkernels.catalogue import ACTIVATIONS, COSTS, code_from_A, layer_parameter

#: The code of each activation.
CODES = {name: activation.code for name, activation in ACTIVATIONS.items()}
#: By the code of an activation: the code of its derivative's formula for A and for Z; -1 if there is none.
#: That of leaky ReLU for A needs a positive slope.
FROM_A = [code_from_A(code, 1.0) for code in CODES.values()]
FROM_Z = [-1 if activation.derivative_from == "A" else activation.code for activation in ACTIVATIONS.values()]


def activation_code(function: str, activation: Any, argument: str = "activation") -> int:
    """The code of the activation with this name."""
    return CODES[values.name(function, argument, activation, CODES)]


# -- one check a family of functions ---------------------------------------------------------------------


def elementwise(function: str, Z: Any, out: Any) -> tuple[Array, Array]:
    """Input and output of an activation: any shape, C order."""
    array = arrays.c_order(arrays.as_float(function, "Z", Z))
    if out is None:
        return array, np.empty(array.shape, array.dtype)
    return array, outputs.check_out(function, out, array.shape, array.dtype, (("Z", Z),), in_place=True)


def other_shape(function: str, name: str, shape: tuple[int, ...], other: tuple[int, ...]) -> str:
    """The message for A or Z of a derivative with another shape than dA."""
    return f"{function}: dA and {name} must have the same shape (dA {shape}, {name} {other})"


def needs_other(function: str, code: int, parameter: float, has_A: bool) -> str:
    """The message for a derivative that can't be computed from what was passed of A and Z."""
    name, activation = list(ACTIVATIONS.items())[code]
    if activation.derivative_from == "A":
        return f"{function}: pass A, the result of {name}, from which its derivative is computed"
    if activation.derivative_from == "A or Z" and not has_A:
        return f"{function}: pass A, the result of {name}, or Z=, its argument"
    which = f"{name} with {activation.parameter} {parameter}" if FROM_A[code] >= 0 else name
    return (
        f"{function}: the derivative of {which} can't be computed from A: pass Z=, the argument of {name} "
        "(`dense_forward` returns it with return_Z=True)"
    )


def derivative(function: str, code: int, parameter: float, A: Any, Z: Any) -> tuple[Any, int]:
    """A or Z, from which the derivative of an activation is computed, and the code of the formula for it."""
    if Z is not None and FROM_Z[code] >= 0:
        return Z, code
    formula = -1 if A is None else code_from_A(code, parameter)
    if formula < 0:
        raise ValueError(needs_other(function, code, parameter, A is not None))
    return A, formula


class ElementwiseBackward(NamedTuple):
    dA: Array
    saved: Array
    code: int
    out: Array


def elementwise_backward(
    activation: str, dA: Any, A: Any, Z: Any, parameter: float, out: Any
) -> ElementwiseBackward:
    """Gradient, saved values, formula and output of an activation's derivative: one shape, C order."""
    function, given = f"{activation}_backward", [("dA", dA), ("A", A), ("Z", Z)]
    given = [(name, value) for name, value in given if value is not None]
    found = {name: arrays.as_float(function, name, value) for name, value in given}
    for name, array in found.items():
        if array.shape != found["dA"].shape:
            raise ValueError(other_shape(function, name, found["dA"].shape, array.shape))
    saved, code = derivative(function, CODES[activation], parameter, found.get("A"), found.get("Z"))
    dtype = arrays.common(list(found.values()))
    gradient, kept = arrays.c_order(found["dA"], dtype), arrays.c_order(saved, dtype)
    if out is None:
        return ElementwiseBackward(gradient, kept, code, np.empty(gradient.shape, dtype))
    out = outputs.check_out(function, out, gradient.shape, dtype, given, in_place=True)
    return ElementwiseBackward(gradient, kept, code, out)


class DenseForward(NamedTuple):
    W: Array
    A_prev: Array
    b: Array
    code: int
    parameter: float
    A: Array
    Z: Array | None


def dense_forward(
    W: Any, A_prev: Any, b: Any, activation: Any, negative_slope: Any, out: Any, return_Z: Any
) -> DenseForward:
    """Arguments of `dense_forward`. Z is None unless `return_Z`."""
    f, given = "dense_forward", {"W": W, "A_prev": A_prev, "b": b}
    found = W_, A_, b_ = fitting(f, shapes.DENSE_FORWARD, given)
    code = activation_code(f, activation)
    parameter = layer_parameter(code, values.real(f, "negative_slope", negative_slope))
    results, dtype = shapes.DENSE_FORWARD.result_shapes([array.shape for array in found]), W_.dtype
    inputs = tuple(given.items())
    if return_Z and (out is None or isinstance(out, tuple)):
        A, Z = outputs.results(f, results, dtype, inputs, out)
        return DenseForward(W_, A_, b_, code, parameter, A, Z)
    if out is None:
        A = np.empty(results["A"], dtype)
    elif type(out) is tuple:
        raise TypeError(
            f"{f}: out must be a plain NumPy array, not tuple; a tuple (A, Z) needs return_Z=True"
        )
    else:
        A = outputs.check_out(f, out, results["A"], dtype, inputs, in_place=False)
    return DenseForward(W_, A_, b_, code, parameter, A, np.empty(results["Z"], dtype) if return_Z else None)


class DenseGradients(NamedTuple):
    dZ: Array
    A_prev: Array
    dW: Array
    db: Array


def dense_gradients(dZ: Any, A_prev: Any, out: Any) -> DenseGradients:
    """Arguments of `dense_gradients`."""
    f, given = "dense_gradients", {"dZ": dZ, "A_prev": A_prev}
    found = dZ_, A_ = fitting(f, shapes.DENSE_GRADIENTS, given)
    results = shapes.DENSE_GRADIENTS.result_shapes([array.shape for array in found])
    dW, db = outputs.results(f, results, dZ_.dtype, tuple(given.items()), out)
    return DenseGradients(dZ_, A_, dW, db)


class DenseBackward(NamedTuple):
    W_next: Array
    dZ_next: Array
    saved: Array
    A_prev: Array
    code: int
    parameter: float
    dZ: Array
    dW: Array
    db: Array


def dense_backward(
    W_next: Any, dZ_next: Any, A: Any, A_prev: Any, activation: Any, Z: Any, negative_slope: Any, out: Any
) -> DenseBackward:
    """Arguments of `dense_backward`; `code` is that of the derivative's formula for `saved`."""
    f, given = "dense_backward", {"W_next": W_next, "dZ_next": dZ_next, "A": A, "A_prev": A_prev}
    rule = shapes.DENSE_BACKWARD
    if Z is not None:
        given, rule = given | {"Z": Z}, shapes.DENSE_BACKWARD_WITH_Z
    W_, dZ_, A_, A_prev_, *Z_ = found = fitting(f, rule, given)
    code = activation_code(f, activation)
    parameter = layer_parameter(code, values.real(f, "negative_slope", negative_slope))
    saved, code = derivative(f, code, parameter, A_, Z_[0] if Z_ else None)
    results = rule.result_shapes([array.shape for array in found])
    dZ, dW, db = outputs.results(f, results, W_.dtype, tuple(given.items()), out)
    return DenseBackward(W_, dZ_, saved, A_prev_, code, parameter, dZ, dW, db)


def cost(name: str, predicted: Any, Y: Any) -> tuple[Array, Array]:
    """Predictions and labels for the cost with this name, both (1, m) and in C order."""
    letter = COSTS[name].predicted
    P, Y_ = fitting(name, shapes.COST[letter], {letter: predicted, "Y": Y})
    return P, Y_


class Logistic(NamedTuple):
    w: Array
    b: float
    X: Array
    Y: Array
    dw: Array


def logistic(function: str, w: Any, b: Any, X: Any, Y: Any, out: Any) -> Logistic:
    """Arguments of functions of logistic regression. The bias b is a number."""
    w_, X_, Y_ = fitting(function, shapes.LOGISTIC, {"w": w, "X": X, "Y": Y})
    bias = values.real(function, "b", b)
    if out is None:
        return Logistic(w_, bias, X_, Y_, np.empty(w_.shape, w_.dtype))
    given = (("w", w), ("b", b), ("X", X), ("Y", Y))
    dw = outputs.check_out(function, out, w_.shape, w_.dtype, given, in_place=False)
    return Logistic(w_, bias, X_, Y_, dw)


class Shallow(NamedTuple):
    W1: Array
    b1: Array
    W2: Array
    b2: Array
    X: Array
    Y: Array
    code: int
    parameter: float
    gradients: tuple[Array, ...]


def shallow(
    function: str, W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any, activation: Any, negative_slope: Any,
    out: Any,
) -> Shallow:  # fmt: skip
    """Arguments of functions of the network with one hidden layer; gradients in the order of parameters."""
    given = {"W1": W1, "b1": b1, "W2": W2, "b2": b2, "X": X, "Y": Y}
    W1_, b1_, W2_, b2_, X_, Y_ = fitting(function, shapes.SHALLOW, given)
    code = activation_code(function, activation)
    parameter = layer_parameter(code, values.real(function, "negative_slope", negative_slope))
    results = shapes.SHALLOW.result_shapes([array.shape for array in (W1_, X_, b1_, W2_, b2_, Y_)])
    gradients = outputs.results(function, results, W1_.dtype, tuple(given.items()), out)
    return Shallow(W1_, b1_, W2_, b2_, X_, Y_, code, parameter, gradients)


def gradient_descent(
    parameters: Any, gradients: Any, learning_rate: Any
) -> tuple[list[Array], list[Array], float]:
    """The parameters to update in place, their gradients in the same order and shapes, the step length."""
    f = "gradient_descent"
    for name, given in (("parameters", parameters), ("gradients", gradients)):
        if not isinstance(given, list | tuple):
            raise TypeError(f"{f}: {name} must be a list or a tuple of arrays, not {type(given).__name__}")
    if len(parameters) != len(gradients):
        raise ValueError(f"{f}: {len(parameters)} parameters but {len(gradients)} gradients")
    updated = [(f"parameters[{i}]", array) for i, array in enumerate(parameters)]
    read = [(f"gradients[{i}]", array) for i, array in enumerate(gradients)]
    outputs.updatable(f, updated)
    slopes = [arrays.as_float(f, name, array) for name, array in read]
    for (name, parameter), (slope_name, _), slope in zip(updated, read, slopes, strict=True):
        if slope.shape != parameter.shape:
            raise ValueError(
                f"{f}: {name} and {slope_name} must have the same shape "
                f"({name} {parameter.shape}, {slope_name} {slope.shape})"
            )
    outputs.need_apart(f, updated, read)
    rate = values.finite(f, "learning_rate", learning_rate)
    slopes = [
        arrays.c_order(slope, parameter.dtype) for parameter, slope in zip(parameters, slopes, strict=True)
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
    outputs.updatable(function, updated)
    for name, array in updated:
        if array.dtype != dtype:
            raise ValueError(
                f"{function}: {name} is updated in place and must have the common dtype {dtype}, "
                f"not {array.dtype}"
            )
    outputs.need_apart(function, updated, read)
    rate = values.finite(function, "learning_rate", learning_rate)
    return rate, values.count(function, "num_steps", num_steps, 1)


def logistic_descent(
    w: Any, b: Any, X: Any, Y: Any, learning_rate: Any, num_steps: Any
) -> tuple[Logistic, float, int]:
    """As `logistic`, where w can also be updated in place; and the step length and the number of steps."""
    f = "logistic_descent"
    inputs = logistic(f, w, b, X, Y, None)
    read = (("X", X), ("Y", Y))
    rate, steps = _descent(f, (("w", w),), read, inputs.X.dtype, learning_rate, num_steps)
    return inputs, rate, steps


def shallow_descent(
    W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any, learning_rate: Any, num_steps: Any, activation: Any,
    negative_slope: Any,
) -> tuple[Shallow, float, int]:  # fmt: skip
    """As `shallow`, where W1, b1, W2 and b2 can also be updated in place; step length, number of steps."""
    f = "shallow_descent"
    inputs = shallow(f, W1, b1, W2, b2, X, Y, activation, negative_slope, None)
    updated = (("W1", W1), ("b1", b1), ("W2", W2), ("b2", b2))
    read = (("X", X), ("Y", Y))
    rate, steps = _descent(f, updated, read, inputs.X.dtype, learning_rate, num_steps)
    return inputs, rate, steps


def dot(a: Any, b: Any) -> tuple[Array, Array]:
    """Two vectors (n,) of the same length."""
    found = [arrays.as_float("dot", name, value) for name, value in (("a", a), ("b", b))]
    for name, array in zip(("a", "b"), found, strict=True):
        if array.ndim != 1:
            raise ValueError(f"dot: {name} must have 1 axis but has shape {array.shape}; use {name}.ravel()")
    if found[0].shape != found[1].shape:
        raise ValueError(f"dot: a and b must have the same length (a {found[0].shape}, b {found[1].shape})")
    dtype = arrays.common(found)
    return arrays.c_order(found[0], dtype), arrays.c_order(found[1], dtype)
