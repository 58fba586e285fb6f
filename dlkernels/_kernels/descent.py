"""Gradient descent: the update, and whole runs of steps without Python in between.

One step of a 2-4-1 network on 400 examples takes a few microseconds, as much as a call from Python; a run
of steps is therefore compiled as one function.

Which kernel a run calls is said by arguments that are True or None: Numba leaves out the branches of an
argument that is None, so that a run compiles the one kernel it uses instead of four.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from dlkernels._jit import loops, twins
from dlkernels._kernels import logistic as _logistic
from dlkernels._kernels import shallow as _shallow
from dlkernels._kernels.activations import CHUNK

_wide_serial, _wide_parallel = _logistic.logistic_wide
_tall_serial, _tall_parallel = _logistic.logistic_tall
_shallow_serial, _shallow_parallel = _shallow.shallow


@loops
def step(parameter, gradient, rate):
    """parameter[i] -= rate * gradient[i]."""
    for i in range(parameter.shape[0]):
        parameter[i] -= rate * gradient[i]


@twins
def update(parameter, gradient, learning_rate):
    """parameter -= learning_rate * gradient; both (n,)."""
    n = parameter.shape[0]
    rate = parameter.dtype.type(learning_rate)
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        stop = min(n, (chunk + 1) * CHUNK)
        step(parameter[chunk * CHUNK : stop], gradient[chunk * CHUNK : stop], rate)


@loops
def logistic_steps(w, b, X, transposed, n, m, Y, learning_rate, steps, tall, parallel):
    """Run `steps` steps: w (n,) is updated, b and the cost before the first step are returned."""
    rate = w.dtype.type(learning_rate)
    bias, first_cost = w.dtype.type(b), 0.0
    dw = np.empty(n, w.dtype)
    for k in range(steps):
        with_cost = k == 0
        if tall is None:
            if parallel is None:
                cost, db = _wide_serial(w, bias, X, transposed, n, m, Y, with_cost, dw)
            else:
                cost, db = _wide_parallel(w, bias, X, transposed, n, m, Y, with_cost, dw)
        else:  # not `elif`, which Numba would not leave out
            if parallel is None:
                cost, db = _tall_serial(w, bias, X, transposed, n, m, Y, with_cost, dw)
            else:
                cost, db = _tall_parallel(w, bias, X, transposed, n, m, Y, with_cost, dw)
        if with_cost:
            first_cost = cost
        step(w, dw, rate)
        bias = w.dtype.type(bias - rate * w.dtype.type(db))
    return float(bias), first_cost


@loops
def shallow_steps(
    W1, b1, W2, b2, X, transposed, n_h, n_x, m, Y, code, negative_slope, learning_rate, steps, parallel
):  # fmt: skip
    """Run `steps` steps: the four parameters are updated, the cost before the first step is returned."""
    rate = W1.dtype.type(learning_rate)
    first_cost = 0.0
    dW1, db1 = np.empty(n_h * n_x, W1.dtype), np.empty(n_h, W1.dtype)
    dW2, db2 = np.empty(n_h, W1.dtype), np.empty(1, W1.dtype)
    for k in range(steps):
        with_cost = k == 0
        if parallel is None:
            cost = _shallow_serial(
                W1, b1, W2, b2, X, transposed, n_h, n_x, m, Y, code, negative_slope, with_cost,
                dW1, db1, dW2, db2,
            )  # fmt: skip
        else:
            cost = _shallow_parallel(
                W1, b1, W2, b2, X, transposed, n_h, n_x, m, Y, code, negative_slope, with_cost,
                dW1, db1, dW2, db2,
            )  # fmt: skip
        if with_cost:
            first_cost = cost
        step(W1, dW1, rate)
        step(b1, db1, rate)
        step(W2, dW2, rate)
        step(b2, db2, rate)
    return first_cost
