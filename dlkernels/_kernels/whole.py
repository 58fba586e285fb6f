"""Whole kernels on one thread, for compiled code that isn't ours (`dlkernels._nopython.elementwise`).

On numbers they are inlined. On arrays they are pieces that take rows and leave what they return in a row;
the scratch memory of those that need it is the caller's.
"""

from __future__ import annotations

from dlkernels._compiler.options import ALONE, START, entry, scalar
from dlkernels._compiler.pieces import Flag, Int, Number, Real, Row, piece
from dlkernels._kernels.activations import (
    activation,
    activation_backward,
    leaky_relu,
    relu,
    sigmoid_slope,
    tanh_slope,
    times_leaky_relu_slope,
    times_relu_slope,
)
from dlkernels._kernels.costs import reduction
from dlkernels._kernels.elementary import sigmoid, tanh
from dlkernels._kernels.logistic import is_tall as is_tall_logistic
from dlkernels._kernels.logistic import logistic_tall, logistic_wide, tall_room, wide_room
from dlkernels._kernels.shallow import shallow as shallow_wide
from dlkernels._kernels.shallow import shallow_room as shallow_wide_room
from dlkernels._kernels.shallow_tall import is_tall as is_tall_shallow
from dlkernels._kernels.shallow_tall import shallow_tall, shallow_tall_room
from dlkernels.catalogue import LEAKY_RELU, RELU, SIGMOID, TANH


@scalar
def activated(code, slope, z, zero):
    """g(z)."""
    if code == SIGMOID:
        return sigmoid(z)
    if code == TANH:
        return tanh(z)
    if code == RELU:
        return relu(z, zero)
    if code == LEAKY_RELU:
        return leaky_relu(z, slope, zero)
    return z


@scalar
def derived(code, slope, x, saved, zero, one):
    """x g'(z), from what was saved."""
    if code == SIGMOID:
        return x * sigmoid_slope(saved, one)
    if code == TANH:
        return x * tanh_slope(saved, one)
    if code == RELU:
        return times_relu_slope(x, saved, zero)
    if code == LEAKY_RELU:
        return times_leaky_relu_slope(x, saved, slope, zero)
    return x


@piece
def activate_row(code: Int, slope: Real, z: Row, out: Row):
    """out = g(z); out is z or apart from it."""
    activation.serial(code, slope, z, out)


@piece
def derive_row(code: Int, slope: Real, gradient: Row, saved: Row, out: Row):
    """out = gradient * g'(saved); out is gradient or apart from it, and apart from saved."""
    activation_backward.serial(code, slope, gradient, saved, out)


@piece
def reduce_rows(
    code: Int,
    a: Row,
    y: Row,
    result: Row,
    scratch: Row,
):
    """result[0] = the mean cost, or the dot product."""
    result[0] = reduction.serial(code, a, y, scratch, ALONE)


@entry
def logistic_room(n, m, transposed, like):
    """Numbers of scratch memory of `logistic`."""
    if is_tall_logistic(n, m):
        return tall_room(n, m, transposed, ALONE, like)
    return wide_room(n, m, transposed, ALONE, like)


@entry
def shallow_room(n_h, n_x, m, transposed, like):
    """Numbers of scratch memory of `shallow`."""
    if is_tall_shallow(n_h, n_x, m):
        return shallow_tall_room(n_h, n_x, m, transposed, ALONE, like)
    return shallow_wide_room(n_h, n_x, m, transposed, ALONE, like)


@piece
def logistic(
    w: Row, b: Number, X: Row, transposed: Flag, n: Int, m: Int, Y: Row, dw: Row, result: Row, scratch: Row,
    ):  # fmt: skip
    """dw, and result = (db, cost)."""
    if is_tall_logistic(n, m):
        cost, db, _ = logistic_tall.serial(w, b, X, transposed, n, m, Y, 0.0, START, dw, scratch, ALONE)
    else:
        cost, db, _ = logistic_wide.serial(w, b, X, transposed, n, m, Y, 0.0, START, dw, scratch, ALONE)
    result[0], result[1] = db, cost


@piece
def shallow(
    W1: Row, b1: Row, W2: Row, b2: Row, X: Row, transposed: Flag, n_h: Int, n_x: Int, m: Int, Y: Row,
    code: Int, slope: Real, dW1: Row, db1: Row, dW2: Row, db2: Row, result: Row, scratch: Row,
    ):  # fmt: skip
    """The gradients, and result = (cost,)."""
    if is_tall_shallow(n_h, n_x, m):
        result[0] = shallow_tall.serial(
            W1, b1, W2, b2, X, transposed, n_h, n_x, m, Y, code, slope, 0.0, START, dW1, db1, dW2, db2,
            scratch, ALONE,
        )  # fmt: skip
    else:
        result[0] = shallow_wide.serial(
            W1, b1, W2, b2, X, transposed, n_h, n_x, m, Y, code, slope, 0.0, START, dW1, db1, dW2, db2,
            scratch, ALONE,
        )  # fmt: skip
