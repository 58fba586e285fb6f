"""The course notes' vectorised form: whole arrays instead of loops, and BLAS for the products.

No function warns of an infinity or a NaN: here they are ordinary results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlkernels._inputs import checks as checks
from dlkernels._inputs.arrays import Array
from dlkernels.backends import _activations
from dlkernels.backends._numpy_formulas import BACKWARD, FORWARD
from dlkernels.backends._numpy_networks import network_forward as network_forward
from dlkernels.backends._numpy_networks import network_propagate as network_propagate
from dlkernels.backends._numpy_networks import train_epoch as train_epoch
from dlkernels.catalogue import ACTIVATIONS, DERIVATIVES
from dlkernels.parameters import network_parameters as network_parameters
from dlkernels.parameters import network_views as network_views
from dlkernels.parameters import num_parameters as num_parameters

_quiet = np.errstate(all="ignore")
#: The names of the activations, by their codes.
_NAMES = tuple(ACTIVATIONS)


@_quiet
def _activate(name: str, Z: Array, parameter: float, out: Array) -> Array:
    FORWARD[name](Z, parameter, out)
    return out


@_quiet
def _activate_backward(name: str, dA: Array, saved: Array, parameter: float, out: Array) -> Array:
    BACKWARD[name](dA, saved, parameter, out)
    return out


globals().update(_activations.functions(__name__, _activate, _activate_backward))


def _cost(Z: Array, Y: Array) -> float:
    """Mean of max(z, 0) - y z + log(1 + e^-|z|). The first two terms are one product, ([z > 0] - y) z."""
    m = Z.shape[1]
    losses = np.subtract(Z > 0, Y, dtype=Z.dtype)
    losses *= Z / m
    rest = np.abs(Z)
    np.negative(rest, out=rest)
    np.exp(rest, out=rest)
    np.log1p(rest, out=rest)
    rest /= m
    losses += rest
    return float(losses.sum())


def _gradients(dZ: Array, A_prev: Array, dW: Array, db: Array) -> None:
    """Write dZ A_prevᵀ / m to dW, and the row sums of dZ / m to db."""
    m = dZ.shape[1]
    np.matmul(dZ, A_prev.T, out=dW)
    dW /= m
    dZ.sum(axis=1, keepdims=True, out=db)
    db /= m


# -- a dense layer -----------------------------------------------------------------------------------


@_quiet
def dense_forward(
    W: Any,
    A_prev: Any,
    b: Any,
    activation: str = "identity",
    *,
    negative_slope: float = 0.01,
    out: Array | tuple[Array, Array] | None = None,
    return_Z: bool = False,
) -> Array | tuple[Array, Array]:
    """A = g(W A_prev + b), or (A, Z): W (n, n_prev), A_prev (n_prev, m), b (n, 1)."""
    c = checks.dense_forward(W, A_prev, b, activation, negative_slope, out, return_Z)
    Z = c.A if c.Z is None else c.Z
    np.matmul(c.W, c.A_prev, out=Z)
    Z += c.b
    _activate(_NAMES[c.code], Z, c.parameter, c.A)
    return c.A if c.Z is None else (c.A, Z)


@_quiet
def dense_gradients(dZ: Any, A_prev: Any, *, out: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
    """(dZ A_prevᵀ / m, row sums of dZ / m): dZ (n, m), A_prev (n_prev, m)."""
    c = checks.dense_gradients(dZ, A_prev, out)
    _gradients(*c)
    return c.dW, c.db


@_quiet
def dense_backward(
    W_next: Any,
    dZ_next: Any,
    A: Any,
    A_prev: Any,
    activation: str,
    *,
    Z: Any = None,
    negative_slope: float = 0.01,
    out: tuple[Array, Array, Array] | None = None,
) -> tuple[Array, Array, Array]:
    """dZ = W_nextᵀ dZ_next * g'(Z), and dW, db: shapes (n, m), (n, n_prev), (n, 1)."""
    c = checks.dense_backward(W_next, dZ_next, A, A_prev, activation, Z, negative_slope, out)
    np.matmul(c.W_next.T, c.dZ_next, out=c.dZ)
    _activate_backward(DERIVATIVES[c.code], c.dZ, c.saved, c.parameter, c.dZ)
    _gradients(c.dZ, c.A_prev, c.dW, c.db)
    return c.dZ, c.dW, c.db


# -- costs -------------------------------------------------------------------------------------------


@_quiet
def binary_cross_entropy(A: Any, Y: Any) -> float:
    """Mean of -(y log a + (1 - y) log(1 - a)): A (1, m), Y (1, m)."""
    A, Y = checks.cost("binary_cross_entropy", A, Y)
    m = A.shape[1]
    # Where a log is -inf and its weight is 0, the log isn't computed and stays 0.
    losses = np.log(A, out=np.zeros_like(A), where=(A != 0) | (Y != 0))
    losses *= Y
    rest = np.log1p(-A, out=np.zeros_like(A), where=(A != 1) | (Y != 1))
    rest *= 1 - Y
    losses += rest
    losses /= -m
    return float(losses.sum())


@_quiet
def binary_cross_entropy_with_logits(Z: Any, Y: Any) -> float:
    """Mean of max(z, 0) - y z + log(1 + e^-|z|): Z (1, m), Y (1, m)."""
    return _cost(*checks.cost("binary_cross_entropy_with_logits", Z, Y))


@_quiet
def squared_error(A: Any, Y: Any) -> float:
    """Mean of (a - y)²: A (1, m), Y (1, m)."""
    A, Y = checks.cost("squared_error", A, Y)
    difference = A - Y
    squares = difference / A.shape[1]
    squares *= difference
    return float(squares.sum())


# -- the two models ----------------------------------------------------------------------------------


def _logistic_step(w: Array, b: float, X: Array, Y: Array, dw: Array, with_cost: bool) -> tuple[float, float]:
    """Write dw; return db and the cost."""
    m = X.shape[1]
    Z = w.T @ X
    Z += b
    cost = _cost(Z, Y) if with_cost else 0.0
    dZ = _activate("sigmoid", Z, 0.0, Z)
    dZ -= Y
    np.matmul(X, dZ.T, out=dw)
    dw /= m
    return float(dZ.sum()) / m, cost


@_quiet
def logistic_propagate(
    w: Any, b: Any, X: Any, Y: Any, *, out: Array | None = None
) -> tuple[Array, float, float]:
    """(dw, db, cost) of a = sigmoid(wᵀ x + b): w (n_x, 1), b a number, X (n_x, m), Y (1, m)."""
    c = checks.logistic("logistic_propagate", w, b, X, Y, out)
    return c.dw, *_logistic_step(*c, with_cost=True)


@_quiet
def logistic_descent(
    w: Array, b: float, X: Any, Y: Any, learning_rate: float, num_steps: int
) -> tuple[float, float]:
    """`num_steps` times w -= alpha dw in place, b -= alpha db; returns b and the first step's cost."""
    c, rate, steps = checks.logistic_descent(w, b, X, Y, learning_rate, num_steps)
    bias, first_cost, dw = c.b, 0.0, c.dw
    for step in range(steps):
        db, cost = _logistic_step(c.w, bias, c.X, c.Y, dw, step == 0)
        if step == 0:
            first_cost = cost
        dw *= rate
        np.subtract(c.w, dw, out=c.w)
        bias -= rate * db
    return bias, first_cost


def _shallow_step(
    W1: Array,
    b1: Array,
    W2: Array,
    b2: Array,
    X: Array,
    Y: Array,
    code: int,
    parameter: float,
    gradients: Sequence[Array],
    with_cost: bool,
) -> float:
    """Write the gradients; return the cost."""
    dW1, db1, dW2, db2 = gradients
    Z1 = W1 @ X
    Z1 += b1
    activation = ACTIVATIONS[_NAMES[code]]
    from_A = activation.derivative_from == "A"
    A1 = _activate(activation.name, Z1, parameter, Z1 if from_A else np.empty_like(Z1))
    Z2 = W2 @ A1
    Z2 += b2
    cost = _cost(Z2, Y) if with_cost else 0.0
    dZ2 = _activate("sigmoid", Z2, 0.0, Z2)
    dZ2 -= Y
    _gradients(dZ2, A1, dW2, db2)
    dZ1 = W2.T @ dZ2
    _activate_backward(activation.name, dZ1, A1 if from_A else Z1, parameter, dZ1)
    _gradients(dZ1, X, dW1, db1)
    return cost


@_quiet
def shallow_propagate(
    W1: Any,
    b1: Any,
    W2: Any,
    b2: Any,
    X: Any,
    Y: Any,
    activation: str = "tanh",
    *,
    negative_slope: float = 0.01,
    out: tuple[Array, Array, Array, Array] | None = None,
) -> tuple[Array, Array, Array, Array, float]:
    """(dW1, db1, dW2, db2, cost): W1 (n_h, n_x), b1 (n_h, 1), W2 (1, n_h), b2 (1, 1), examples as columns."""
    c = checks.shallow("shallow_propagate", W1, b1, W2, b2, X, Y, activation, negative_slope, out)
    cost = _shallow_step(*c, with_cost=True)
    dW1, db1, dW2, db2 = c.gradients
    return dW1, db1, dW2, db2, cost


@_quiet
def shallow_descent(
    W1: Array,
    b1: Array,
    W2: Array,
    b2: Array,
    X: Any,
    Y: Any,
    learning_rate: float,
    num_steps: int,
    activation: str = "tanh",
    *,
    negative_slope: float = 0.01,
) -> float:
    """`num_steps` updates of W1, b1, W2 and b2 in place; returns the first step's cost."""
    c, rate, steps = checks.shallow_descent(
        W1, b1, W2, b2, X, Y, learning_rate, num_steps, activation, negative_slope
    )
    first_cost = 0.0
    for step in range(steps):
        cost = _shallow_step(*c, with_cost=step == 0)
        if step == 0:
            first_cost = cost
        for parameter, gradient in zip((c.W1, c.b1, c.W2, c.b2), c.gradients, strict=True):
            gradient *= rate
            np.subtract(parameter, gradient, out=parameter)
    return first_cost


@_quiet
def gradient_descent(parameters: Sequence[Array], gradients: Sequence[Any], learning_rate: float) -> None:
    """parameter -= learning_rate * gradient in place, for arrays of any shapes."""
    arrays, slopes, rate = checks.gradient_descent(parameters, gradients, learning_rate)
    for array, slope in zip(arrays, slopes, strict=True):
        np.subtract(array, rate * slope, out=array)


@_quiet
def dot(a: Any, b: Any) -> float:
    """Sum of a[i] b[i]: a (n,), b (n,)."""
    return float(np.dot(*checks.dot(a, b)))
