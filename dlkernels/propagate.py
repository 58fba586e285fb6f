"""Cost and gradients of the two models in one fused pass over X."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlkernels import _checks, _threads
from dlkernels._arguments import flat, flat_matrix
from dlkernels._arrays import Array
from dlkernels._kernels import logistic as _logistic
from dlkernels._kernels import shallow as _shallow
from dlkernels._kernels.pieces import addresses

_logistic_pieces = addresses(*_logistic.PIECES)
_tall_logistic_pieces = addresses(*_logistic.TALL_PIECES)
_shallow_pieces = addresses(*_shallow.PIECES)
_tall_shallow_pieces = addresses(*_shallow.TALL_PIECES)


def _logistic_work(n: int, m: int, itemsize: int) -> float:
    """Estimated nanoseconds of one pass."""
    return (0.12 * n + 0.6) * m * itemsize / 4


def _shallow_work(n_h: int, n_x: int, m: int, itemsize: int) -> float:
    """Estimated nanoseconds of one pass."""
    return (n_h * (0.045 * n_x + 0.8) + 0.6) * m * itemsize / 4


def logistic_steps(
    c: _checks.Logistic, learning_rate: float, steps: int
) -> tuple[Array, float, float, float]:
    """The last dw and db, the cost before the first step, the last b; c.w is updated if there are steps."""
    n, m = c.X.shape
    dw = np.empty((n, 1), c.X.dtype)
    X_flat, transposed = flat_matrix(c.X)
    if _logistic.is_tall(n, m):
        twins, pieces = _logistic.logistic_tall, _tall_logistic_pieces
    else:
        twins, pieces = _logistic.logistic_wide, _logistic_pieces
    kernel = _threads.twin(twins, _logistic_work(n, m, dw.itemsize))
    cost, db, b = kernel(
        flat(c.w), c.b, X_flat, transposed, n, m, flat(c.Y), learning_rate, steps, dw.ravel(),
        *pieces(dw.dtype),
    )  # fmt: skip
    return dw, db, cost, b


def shallow_steps(c: _checks.Shallow, learning_rate: float, steps: int) -> tuple[tuple[Array, ...], float]:
    """The last gradients, the cost before the first step; the parameters are updated if there are steps."""
    (n_x, m), n_h = c.X.shape, c.W1.shape[0]
    gradients = tuple(np.empty(p.shape, p.dtype) for p in (c.W1, c.b1, c.W2, c.b2))
    dW1, db1, dW2, db2 = gradients
    X_flat, transposed = flat_matrix(c.X)
    if _shallow.is_tall(n_h, n_x, m):
        twins, pieces = _shallow.shallow_tall, _tall_shallow_pieces
    else:
        twins, pieces = _shallow.shallow, _shallow_pieces
    kernel = _threads.twin(twins, _shallow_work(n_h, n_x, m, c.X.itemsize))
    cost = kernel(
        flat(np.ascontiguousarray(c.W1)), flat(c.b1), flat(c.W2), flat(c.b2), X_flat, transposed, n_h, n_x, m,
        flat(c.Y), c.code, c.negative_slope, learning_rate, steps,
        dW1.ravel(), db1.ravel(), dW2.ravel(), db2.ravel(), *pieces(c.X.dtype),
    )  # fmt: skip
    return gradients, cost


def logistic_propagate(w: Any, b: Any, X: Any, Y: Any) -> tuple[Array, float, float]:
    """Gradients and cost of logistic regression; X is read once.

    Parameters
    ----------
    w : array_like, shape (n_x, 1)
        Weights.
    b : float
        Bias.
    X : array_like, shape (n_x, m)
        Examples as columns; C and Fortran order (an ``X.T`` of rows) are read as they are.
    Y : array_like, shape (1, m)
        Labels, usually 0 or 1; the cost is linear in them.

    Returns
    -------
    dw : ndarray, shape (n_x, 1)
    db : float
    cost : float
        Mean cross entropy of sigmoid(wᵀX + b), finite wherever the true mean is.

    Raises
    ------
    TypeError
        If an input is not real numbers of a supported dtype.
    ValueError
        If shapes don't match (the message names both), or m is 0.

    Notes
    -----
    A = sigmoid(wᵀX + b), dZ = A - Y, dw = 1/m X dZᵀ, db = 1/m np.sum(dZ): Andrew Ng, "Neural Networks and
    Deep Learning", week 2.

    Examples
    --------
    >>> import dlkernels as dk
    >>> X, Y = [[1.0, 2.0, -1.0], [3.0, 4.0, -3.2]], [[1, 0, 1]]
    >>> dw, db, cost = dk.logistic_propagate([[1.0], [2.0]], 2.0, X, Y)
    >>> dw
    array([[0.99845601],
           [2.39507239]])
    >>> round(db, 6), round(cost, 6)
    (0.001456, 5.801545)
    """
    dw, db, cost, _ = logistic_steps(_checks.logistic("logistic_propagate", w, b, X, Y), 0.0, 0)
    return dw, db, cost


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
) -> tuple[Array, Array, Array, Array, float]:
    """Gradients and cost of a network with one hidden layer; X is read once.

    Parameters
    ----------
    W1 : array_like, shape (n_h, n_x)
    b1 : array_like, shape (n_h, 1)
        The hidden layer.
    W2 : array_like, shape (1, n_h)
    b2 : array_like, shape (1, 1)
        The output unit, whose activation is the sigmoid.
    X : array_like, shape (n_x, m)
        Examples as columns, in C or Fortran order.
    Y : array_like, shape (1, m)
        Labels, usually 0 or 1; the cost is linear in them.
    activation : {"tanh", "sigmoid", "relu", "leaky_relu", "identity"}
        g of the hidden layer. relu and leaky_relu take g'(0) = 1, as the course does.
    negative_slope : float
        The slope of leaky ReLU for z < 0.

    Returns
    -------
    dW1, db1, dW2, db2 : ndarray
        Each in the shape of its parameter.
    cost : float
        Mean cross entropy, finite wherever the true mean is.

    Raises
    ------
    TypeError
        If an input is not real numbers of a supported dtype, or `activation` is no string.
    ValueError
        If shapes don't match (the message names both), m is 0, or `activation` is unknown.

    Notes
    -----
    dZ2 = A2 - Y, dW2 = 1/m dZ2 A1ᵀ, dZ1 = W2ᵀ dZ2 * g'(Z1), dW1 = 1/m dZ1 Xᵀ, and the row sums of dZ2 and
    dZ1 over m for db2 and db1: the same course, week 3. Z1, A1 and dZ1 exist for a few examples at a time.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dW1, db1, dW2, db2, cost = dk.shallow_propagate(
    ...     [[0.0], [0.0]], [[0.0], [0.0]], [[1.0, 1.0]], [[0.0]], [[1.0, 2.0]], [[1, 1]]
    ... )
    >>> dW1
    array([[-0.75],
           [-0.75]])
    >>> round(cost, 6)
    0.693147
    """
    c = _checks.shallow("shallow_propagate", W1, b1, W2, b2, X, Y, activation, negative_slope)
    (dW1, db1, dW2, db2), cost = shallow_steps(c, 0.0, 0)
    return dW1, db1, dW2, db2, cost
