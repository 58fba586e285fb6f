"""Cost and gradients of the two models in one fused pass over X."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from dlkernels._calls.plans import Plan, plan, prepared
from dlkernels._calls.threads import NEVER_BELOW
from dlkernels._calls.views import accepted_directly, in_c_order, may_be_direct, natives, unmarked
from dlkernels._calls.workspaces import kept
from dlkernels._compiler.options import guarded
from dlkernels._inputs import checks
from dlkernels._inputs.arrays import Array, native
from dlkernels._inputs.checks import CODES
from dlkernels._kernels import direct, logistic, logistic_tall, shallow, shallow_tall
from dlkernels._kernels.activations import in_layer
from dlkernels._kernels.direct import LARGE, NOT_SIMPLE

#: The public functions try direct calls first, with the arrays as they were given.
_direct_logistic = guarded(direct.logistic, accepted_directly, (NOT_SIMPLE, 0.0, 0.0))
_direct_shallow = guarded(direct.shallow, accepted_directly, (NOT_SIMPLE, 0.0))


@functools.lru_cache(maxsize=1024)
def _logistic_plan(dtype: np.dtype[Any], n: int, m: int, X_transposed: bool) -> Plan:
    work = logistic.logistic_work(n, m, dtype.itemsize)
    if logistic_tall.is_tall(n, m):
        kernel, size = logistic_tall.logistic_tall_steps, logistic_tall.logistic_tall_workspace
    else:
        kernel, size = logistic.logistic_steps, logistic.logistic_workspace
    return plan(kernel, work, size, dtype, n, m, X_transposed)


@functools.lru_cache(maxsize=1024)
def _shallow_plan(dtype: np.dtype[Any], n_h: int, n_x: int, m: int, X_transposed: bool) -> Plan:
    work = shallow.shallow_work(n_h, n_x, m, dtype.itemsize)
    if shallow_tall.is_tall(n_h, n_x, m):
        kernel, size = shallow_tall.shallow_tall_steps, shallow_tall.shallow_tall_workspace
    else:
        kernel, size = shallow.shallow_steps, shallow.shallow_workspace
    return plan(kernel, work, size, dtype, n_h, n_x, m, X_transposed)


def logistic_steps(c: checks.Logistic, learning_rate: float, steps: int) -> tuple[float, float, float]:
    """Run steps of gradient descent; return the last db, the cost before the first step, and the last b.

    The last dw is written to c.dw. c.w is updated in place; without steps it stays as it is.
    """
    (n, m), dtype = c.X.shape, c.X.dtype
    X, X_T = in_c_order(c.X)
    kernel, memory, workers = prepared(_logistic_plan(dtype, n, m, X_T), dtype)
    w, Y = unmarked(c.w), unmarked(c.Y)
    cost, db, b = kernel(w, c.b, X, X_T, Y, learning_rate, steps, c.dw, memory, workers)
    return db, cost, b


def shallow_steps(c: checks.Shallow, learning_rate: float, steps: int) -> float:
    """Run steps of gradient descent; return the cost before the first step.

    The last gradients are written to c.gradients. The parameters are updated in place; without steps they
    stay as they are.
    """
    (n_x, m), n_h, dtype = c.X.shape, c.W1.shape[0], c.X.dtype
    X, X_T = in_c_order(c.X)
    kernel, memory, workers = prepared(_shallow_plan(dtype, n_h, n_x, m, X_T), dtype)
    network = shallow.Network(
        unmarked(np.ascontiguousarray(c.W1)), unmarked(c.b1), unmarked(c.W2), unmarked(c.b2)
    )
    cost: float = kernel(
        network, X, X_T, unmarked(c.Y), in_layer(c.code, c.parameter), learning_rate, steps,
        shallow.Network(*c.gradients), memory, workers,
    )  # fmt: skip
    return cost


def logistic_propagate(
    w: Any, b: Any, X: Any, Y: Any, *, out: Array | None = None
) -> tuple[Array, float, float]:
    """Gradients and cost of logistic regression; X is read once.

    Parameters
    ----------
    w : array_like, shape (n_x, 1)
        Weights.
    b : float
        Bias.
    X : array_like, shape (n_x, m)
        Examples as columns, in C or Fortran order. The ``X.T`` of an X with examples as rows isn't copied.
    Y : array_like, shape (1, m)
        Labels, usually 0 or 1; the cost is linear in them.
    out : ndarray, shape (n_x, 1), optional
        Where to write dw: an array of the common dtype, in C order, that overlaps no input.

    Returns
    -------
    dw : ndarray, shape (n_x, 1)
        It is `out` if `out` was given.
    db : float
    cost : float
        Mean cross entropy of sigmoid(wᵀX + b), finite wherever the true mean is.

    Raises
    ------
    TypeError
        If an input does not hold real numbers of a supported dtype.
    ValueError
        If shapes don't match (the message names both), m is 0, or `out` doesn't fit.

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
    if (
        type(b) is float
        and may_be_direct(w, X, Y)
        and (w.shape == (len(X), 1) if out is None else native(out))
    ):
        dw = np.empty(w.shape, w.dtype) if out is None else out
        rows, transposed = in_c_order(X)
        answer, cost, db = _direct_logistic(NEVER_BELOW, w, b, rows, transposed, Y, dw, kept(w.dtype))
        if answer == LARGE:
            db, cost, _ = logistic_steps(checks.Logistic(w, b, X, Y, dw), 0.0, 0)
        if answer != NOT_SIMPLE:
            return dw, db, cost
    c = checks.logistic("logistic_propagate", w, b, X, Y, out)
    db, cost, _ = logistic_steps(c, 0.0, 0)
    return c.dw, db, cost


def _sizes_match(W1: Array, b1: Array, W2: Array, b2: Array, X: Array) -> bool:
    """Whether gradients may be allocated like the parameters: one that doesn't fit may be of any size."""
    n_h = W2.size
    return W1.shape == (n_h, len(X)) and b1.size == n_h and b2.size == 1


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
    activation : str
        The name of g, the activation of the hidden layer, in `dlkernels.catalogue.ACTIVATIONS`. relu and
        leaky_relu take g'(0) = 1, as the table in the lecture does.
    negative_slope : float
        The slope of leaky ReLU for z < 0.
    out : tuple of ndarray, optional
        Arrays (dW1, db1, dW2, db2) to write to. Each must have the common dtype, be in C order, and overlap
        neither an input nor another of them.

    Returns
    -------
    dW1, db1, dW2, db2 : ndarray
        Each in the shape of its parameter. They are the arrays from `out` if `out` was given.
    cost : float
        Mean cross entropy, finite wherever the true mean is.

    Raises
    ------
    TypeError
        If an input does not hold real numbers of a supported dtype, or `activation` is not a string.
    ValueError
        If shapes don't match (the message names both), m is 0, `activation` is unknown, or `out` doesn't fit.

    Notes
    -----
    dZ2 = A2 - Y, dW2 = 1/m dZ2 A1ᵀ, dZ1 = W2ᵀ dZ2 * g'(Z1), dW1 = 1/m dZ1 Xᵀ. db2 and db1 are the row
    sums of dZ2 and dZ1, divided by m: the same course, week 3. Z1, A1 and dZ1 are computed for a few examples
    at a time, and never stored whole.

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
    if (
        may_be_direct(W1, X, Y)
        and may_be_direct(b1, W2, b2)
        and type(activation) is str
        and (code := CODES.get(activation)) is not None
        and type(negative_slope) is float
        and (_sizes_match(W1, b1, W2, b2, X) if out is None else natives(out, 4))
    ):
        dtype = W1.dtype
        results = tuple(np.empty(a.shape, dtype) for a in (W1, b1, W2, b2)) if out is None else out
        rows, transposed = in_c_order(X)
        answer, cost = _direct_shallow(
            code, negative_slope, NEVER_BELOW, W1, b1, W2, b2, rows, transposed, Y, *results,
            kept(dtype),
        )  # fmt: skip
        if answer == LARGE:
            c = checks.Shallow(W1, b1, W2, b2, X, Y, code, negative_slope, results)
            cost = shallow_steps(c, 0.0, 0)
        if answer != NOT_SIMPLE:
            return (*results, cost)
    c = checks.shallow("shallow_propagate", W1, b1, W2, b2, X, Y, activation, negative_slope, out)
    cost = shallow_steps(c, 0.0, 0)
    dW1, db1, dW2, db2 = c.gradients
    return dW1, db1, dW2, db2, cost
