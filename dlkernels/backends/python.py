"""The course notes' for-loops on Python floats and lists, with no NumPy arithmetic.

Arrays are turned into lists. Every number is computed by `math` and the four operations, and results are
rounded to the array's dtype when they are stored. Where IEEE arithmetic would give an infinity or a NaN,
these functions give it, too, and raise no error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlkernels._inputs import checks as checks
from dlkernels._inputs.arrays import Array
from dlkernels.backends import _activations
from dlkernels.backends import _python_formulas as formulas
from dlkernels.backends._python_networks import network_forward as network_forward
from dlkernels.backends._python_networks import network_propagate as network_propagate
from dlkernels.backends._python_networks import train_epoch as train_epoch
from dlkernels.catalogue import ACTIVATIONS, DERIVATIVES
from dlkernels.parameters import network_parameters as network_parameters
from dlkernels.parameters import network_views as network_views
from dlkernels.parameters import num_parameters as num_parameters

# -- numbers in and out of arrays --------------------------------------------------------------------


def _numbers(array: Array) -> list[float]:
    """All numbers of an array in C order."""
    flat: list[float] = array.reshape(-1).tolist()
    return flat


def _rows(matrix: Array) -> list[list[float]]:
    """A matrix as the list of its rows."""
    rows: list[list[float]] = matrix.tolist()
    return rows


def _store(array: Array, numbers: list[float]) -> Array:
    """Round numbers to the dtype of `array` and write them to it, in C order."""
    with np.errstate(all="ignore"):  # a number that is too large for float32 becomes infinite
        array[...] = np.array(numbers, dtype=np.float64).reshape(array.shape)
    return array


# -- one number at a time ----------------------------------------------------------------------------


def _log(x: float) -> float:
    """ln x; -inf at 0 and NaN below."""
    if x == 0:
        return -math.inf
    return math.nan if x < 0 else math.log(x)


def _log_not(a: float) -> float:
    """ln(1 - a); -inf at 1 and NaN above."""
    if a == 1:
        return -math.inf
    return math.nan if a > 1 else math.log1p(-a)


def _weighted(weight: float, log: float) -> float:
    """weight * log, but 0 if the weight is 0 and the log is -inf."""
    return 0.0 if weight == 0 and log == -math.inf else weight * log


def _loss(z: float, y: float, m: int) -> float:
    """1/m of the cross entropy of sigmoid(z) and y."""
    # max(z, 0) - y z is computed as one product, which avoids the difference of two large numbers.
    weight = (1.0 if z > 0 else 0.0) - y
    return weight * (z / m) + math.log1p(math.exp(-abs(z))) / m


#: The names of the activations, by their codes.
_NAMES = tuple(ACTIVATIONS)


def _activate(name: str, Z: Array, parameter: float, out: Array) -> Array:
    g = formulas.FORWARD[name]
    return _store(out, [g(z, parameter) for z in _numbers(Z)])


def _activate_backward(name: str, dA: Array, saved: Array, parameter: float, out: Array) -> Array:
    g = formulas.BACKWARD[name]
    dZ = []
    for da, kept in zip(_numbers(dA), _numbers(saved), strict=True):
        dZ.append(g(da, kept, parameter))
    return _store(out, dZ)


globals().update(_activations.functions(__name__, _activate, _activate_backward))


# -- a dense layer -----------------------------------------------------------------------------------


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
    weights, inputs, biases = _rows(c.W), _rows(c.A_prev), _numbers(c.b)
    Z = []
    for i in range(c.W.shape[0]):
        for j in range(c.A_prev.shape[1]):
            z = 0.0
            for k in range(c.W.shape[1]):
                z += weights[i][k] * inputs[k][j]
            Z.append(z + biases[i])
    g = formulas.FORWARD[_NAMES[c.code]]
    A = _store(c.A, [g(z, c.parameter) for z in Z])
    return A if c.Z is None else (A, _store(c.Z, Z))


def _gradients(dZ: list[list[float]], A_prev: list[list[float]], m: int) -> tuple[list[float], list[float]]:
    """The numbers of dW, in C order, and of db."""
    dW, db = [], []
    for row in dZ:
        for feature in A_prev:
            total = 0.0
            for j in range(m):
                total += row[j] * feature[j]
            dW.append(total / m)
        total = 0.0
        for j in range(m):
            total += row[j]
        db.append(total / m)
    return dW, db


def dense_gradients(dZ: Any, A_prev: Any, *, out: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
    """(dZ A_prevᵀ / m, row sums of dZ / m): dZ (n, m), A_prev (n_prev, m)."""
    c = checks.dense_gradients(dZ, A_prev, out)
    dW, db = _gradients(_rows(c.dZ), _rows(c.A_prev), c.dZ.shape[1])
    return _store(c.dW, dW), _store(c.db, db)


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
    n, m = c.saved.shape
    weights, dZ_after, kept = _rows(c.W_next), _rows(c.dZ_next), _rows(c.saved)
    g = formulas.BACKWARD[DERIVATIVES[c.code]]
    dZ = []
    for i in range(n):
        row = []
        for j in range(m):
            da = 0.0
            for k in range(c.W_next.shape[0]):
                da += weights[k][i] * dZ_after[k][j]
            row.append(g(da, kept[i][j], c.parameter))
        dZ.append(row)
    dW, db = _gradients(dZ, _rows(c.A_prev), m)
    flat = [dz for row in dZ for dz in row]
    return _store(c.dZ, flat), _store(c.dW, dW), _store(c.db, db)


# -- costs -------------------------------------------------------------------------------------------


def binary_cross_entropy(A: Any, Y: Any) -> float:
    """Mean of -(y log a + (1 - y) log(1 - a)): A (1, m), Y (1, m)."""
    A, Y = checks.cost("binary_cross_entropy", A, Y)
    m = A.shape[1]
    total = 0.0
    for a, y in zip(_numbers(A), _numbers(Y), strict=True):
        total -= (_weighted(y, _log(a)) + _weighted(1.0 - y, _log_not(a))) / m
    return total


def binary_cross_entropy_with_logits(Z: Any, Y: Any) -> float:
    """Mean of max(z, 0) - y z + log(1 + e^-|z|): Z (1, m), Y (1, m)."""
    Z, Y = checks.cost("binary_cross_entropy_with_logits", Z, Y)
    m = Z.shape[1]
    total = 0.0
    for z, y in zip(_numbers(Z), _numbers(Y), strict=True):
        total += _loss(z, y, m)
    return total


def squared_error(A: Any, Y: Any) -> float:
    """Mean of (a - y)²: A (1, m), Y (1, m)."""
    A, Y = checks.cost("squared_error", A, Y)
    m = A.shape[1]
    total = 0.0
    for a, y in zip(_numbers(A), _numbers(Y), strict=True):
        difference = a - y
        total += difference / m * difference
    return total


# -- the two models ----------------------------------------------------------------------------------


def _logistic_step(
    w: list[float], b: float, X: list[list[float]], Y: list[float]
) -> tuple[list[float], float, float]:
    """(dw, db, cost): a loop over the examples, and in it two loops over the features."""
    n_x, m = len(w), len(Y)
    dw = [0.0] * n_x
    db = cost = 0.0
    for j in range(m):
        z = 0.0
        for i in range(n_x):
            z += w[i] * X[i][j]
        z += b
        cost += _loss(z, Y[j], m)
        dz = formulas.sigmoid(z) - Y[j]
        for i in range(n_x):
            dw[i] += X[i][j] * dz
        db += dz
    return [total / m for total in dw], db / m, cost


def logistic_propagate(
    w: Any, b: Any, X: Any, Y: Any, *, out: Array | None = None
) -> tuple[Array, float, float]:
    """(dw, db, cost) of a = sigmoid(wᵀ x + b): w (n_x, 1), b a number, X (n_x, m), Y (1, m)."""
    c = checks.logistic("logistic_propagate", w, b, X, Y, out)
    dw, db, cost = _logistic_step(_numbers(c.w), c.b, _rows(c.X), _numbers(c.Y))
    return _store(c.dw, dw), db, cost


def logistic_descent(
    w: Array, b: float, X: Any, Y: Any, learning_rate: float, num_steps: int
) -> tuple[float, float]:
    """`num_steps` times w -= alpha dw in place, b -= alpha db; returns b and the first step's cost."""
    c, rate, steps = checks.logistic_descent(w, b, X, Y, learning_rate, num_steps)
    rows, labels = _rows(c.X), _numbers(c.Y)
    bias, first_cost = c.b, 0.0
    for step in range(steps):
        weights = _numbers(c.w)
        dw, db, cost = _logistic_step(weights, bias, rows, labels)
        if step == 0:
            first_cost = cost
        _descend(c.w, weights, dw, rate)
        bias -= rate * db
    return bias, first_cost


def _shallow_step(
    parameters: Sequence[list[float]],
    X: list[list[float]],
    Y: list[float],
    activation: str,
    parameter: float,
) -> tuple[list[float], list[float], list[float], list[float], float]:
    """(dW1, db1, dW2, db2, cost), matrices in C order: a loop over examples, in it loops over units."""
    W1, b1, W2, b2 = parameters
    n_x, n_h, m = len(X), len(b1), len(Y)
    g, g_backward = formulas.FORWARD[activation], formulas.BACKWARD[activation]
    from_A = ACTIVATIONS[activation].derivative_from == "A"
    dW1, db1, dW2, db2 = [0.0] * (n_h * n_x), [0.0] * n_h, [0.0] * n_h, [0.0]
    cost = 0.0
    for j in range(m):
        z1, a1 = [], []
        for i in range(n_h):
            z = 0.0
            for k in range(n_x):
                z += W1[i * n_x + k] * X[k][j]
            z1.append(z + b1[i])
            a1.append(g(z1[i], parameter))
        z2 = 0.0
        for i in range(n_h):
            z2 += W2[i] * a1[i]
        z2 += b2[0]
        cost += _loss(z2, Y[j], m)
        dz2 = formulas.sigmoid(z2) - Y[j]
        db2[0] += dz2
        for i in range(n_h):
            dW2[i] += dz2 * a1[i]
            dz1 = g_backward(W2[i] * dz2, a1[i] if from_A else z1[i], parameter)
            db1[i] += dz1
            for k in range(n_x):
                dW1[i * n_x + k] += dz1 * X[k][j]
    for gradient in (dW1, db1, dW2, db2):
        for i in range(len(gradient)):
            gradient[i] /= m
    return dW1, db1, dW2, db2, cost


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
    arrays = (c.W1, c.b1, c.W2, c.b2)
    dW1, db1, dW2, db2, cost = _shallow_step(
        [_numbers(array) for array in arrays],
        _rows(c.X),
        _numbers(c.Y),
        _NAMES[c.code],
        c.parameter,
    )
    return (
        _store(c.gradients[0], dW1),
        _store(c.gradients[1], db1),
        _store(c.gradients[2], dW2),
        _store(c.gradients[3], db2),
        cost,
    )


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
    arrays = (c.W1, c.b1, c.W2, c.b2)
    rows, labels, name = _rows(c.X), _numbers(c.Y), _NAMES[c.code]
    first_cost = 0.0
    for step in range(steps):
        parameters = [_numbers(array) for array in arrays]
        *gradients, cost = _shallow_step(parameters, rows, labels, name, c.parameter)
        if step == 0:
            first_cost = cost
        for array, parameter, gradient in zip(arrays, parameters, gradients, strict=True):
            _descend(array, parameter, gradient, rate)
    return first_cost


def _descend(array: Array, parameter: list[float], gradient: list[float], rate: float) -> None:
    """array = parameter - rate * gradient; `parameter` holds the numbers of `array`."""
    for i in range(len(parameter)):
        parameter[i] -= rate * gradient[i]
    _store(array, parameter)


def gradient_descent(parameters: Sequence[Array], gradients: Sequence[Any], learning_rate: float) -> None:
    """parameter -= learning_rate * gradient in place, for arrays of any shapes."""
    arrays, slopes, rate = checks.gradient_descent(parameters, gradients, learning_rate)
    for array, slope in zip(arrays, slopes, strict=True):
        _descend(array, _numbers(array), _numbers(slope), rate)


def dot(a: Any, b: Any) -> float:
    """Sum of a[i] b[i]: a (n,), b (n,)."""
    a, b = checks.dot(a, b)
    total = 0.0
    for x, y in zip(_numbers(a), _numbers(b), strict=True):
        total += x * y
    return total
