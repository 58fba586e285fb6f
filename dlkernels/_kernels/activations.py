"""The activations and their derivatives on rows of numbers.

Each formula stands in one loop from a row to a row, which is inlined twice: from a row to itself, as a fused
product needs it (its result is still in cache), and from one array to another. A function of its own would
find at run time, called with a row and itself, that they overlap, and run the scalar version of its loop.

Codes are those of `dlkernels.catalogue`.
"""

from __future__ import annotations

from numba import prange

from dlkernels._compiler.options import inlined, loops, scalar, twins
from dlkernels._kernels.elementary import sigmoid, tanh
from dlkernels._simd.registers import widest_vectors
from dlkernels.catalogue import LEAKY_RELU, RELU, SIGMOID, TANH

#: Numbers per iteration of a parallel loop: 25 of them at 100,000 share out evenly (7 didn't).
CHUNK = 4096


@loops
def copy(source, target):
    """target[j] = source[j]."""
    for j in range(source.shape[0]):
        target[j] = source[j]


@scalar
def relu(z, zero):
    return zero if z <= zero else z


@scalar
def leaky_relu(z, slope, zero):
    return slope * z if z < zero else z


@inlined
def _activated(code, negative_slope, x, y):
    """y[j] <- g(x[j]); y may be x.

    relu: 0 for x <= 0; leaky relu: negative_slope * x for x < 0. NaN stays NaN in all of them.
    """
    zero = x.dtype.type(0)
    n = x.shape[0]
    if code == SIGMOID:
        for j in range(n):
            y[j] = sigmoid(x[j])
    elif code == TANH:
        for j in range(n):
            y[j] = tanh(x[j])
    elif code == RELU:
        for j in range(n):
            y[j] = relu(x[j], zero)
    elif code == LEAKY_RELU:
        slope = x.dtype.type(negative_slope)
        for j in range(n):
            y[j] = leaky_relu(x[j], slope, zero)
    else:
        for j in range(n):
            y[j] = x[j]


@loops
def activate(code, negative_slope, x):
    """x[j] <- g(x[j])."""
    widest_vectors()
    _activated(code, negative_slope, x, x)


@loops
def activate_into(code, negative_slope, x, y):
    """y[j] <- g(x[j]), where y isn't x.

    In a function of their own the constants of sigmoid and tanh stay in registers; a loop that is bound by
    memory is up to a tenth faster without the call.
    """
    widest_vectors()
    _activated(code, negative_slope, x, y)


# Functions of their own, so that the product with x isn't reordered into them: x (1 + a) may overflow.


@scalar
def sigmoid_slope(a, one):
    return a * (one - a)


@scalar
def tanh_slope(a, one):
    return (one - a) * (one + a)


@scalar
def times_relu_slope(x, z, zero):
    return zero if z < zero else x


@scalar
def times_leaky_relu_slope(x, z, slope, zero):
    return slope * x if z < zero else x


@inlined
def _times_derivative(code, negative_slope, saved, x, y):
    """y[j] <- x[j] * g'(z), from saved[j], which is a = g(z) for sigmoid and tanh and z for the others.

    sigmoid: a (1 - a). tanh: 1 - a², as (1 - a)(1 + a), which doesn't cancel near |a| = 1.
    relu and leaky relu: g'(0) = 1, and a selection rather than a product, since 0 * inf is NaN. y may be x.
    """
    zero, one = x.dtype.type(0), x.dtype.type(1)
    n = x.shape[0]
    if code == SIGMOID:
        for j in range(n):
            y[j] = x[j] * sigmoid_slope(saved[j], one)
    elif code == TANH:
        for j in range(n):
            y[j] = x[j] * tanh_slope(saved[j], one)
    elif code == RELU:
        for j in range(n):
            y[j] = times_relu_slope(x[j], saved[j], zero)
    elif code == LEAKY_RELU:
        slope = x.dtype.type(negative_slope)
        for j in range(n):
            y[j] = times_leaky_relu_slope(x[j], saved[j], slope, zero)
    else:
        for j in range(n):
            y[j] = x[j]


@loops
def times_derivative(code, negative_slope, saved, x):
    """x[j] <- x[j] * g'(z), from saved[j]."""
    _times_derivative(code, negative_slope, saved, x, x)


@loops
def aligned(a):
    """Whether its numbers lie where numbers of their size should: Numba doesn't ask."""
    return a.ctypes.data % a.itemsize == 0


@loops
def apart(a, b):
    """Whether two arrays in C order share no memory."""
    first, second = a.ctypes.data, b.ctypes.data
    return first + a.nbytes <= second or second + b.nbytes <= first


@loops
def fit(a, b):
    """Whether two aligned arrays of one shape are the same memory, or apart: 1, 0; else -1."""
    if a.shape != b.shape or not (aligned(a) and aligned(b)):
        return -1
    if a.ctypes.data == b.ctypes.data:
        return 1
    return 0 if apart(a, b) else -1


@twins
def activation(code, negative_slope, z, out):
    """out = g(z), where out may be z; both of one shape, in C order.

    Returns False, and does nothing, if the arrays don't fit.
    """
    same, n = fit(z, out), z.size
    if same < 0:
        return False
    source, target = z.reshape(n), out.reshape(n)
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        start, stop = chunk * CHUNK, min(n, (chunk + 1) * CHUNK)
        if same == 1:
            activate(code, negative_slope, target[start:stop])
        elif code in (SIGMOID, TANH):
            activate_into(code, negative_slope, source[start:stop], target[start:stop])
        else:
            _activated(code, negative_slope, source[start:stop], target[start:stop])
    return True


@twins
def activation_backward(code, negative_slope, gradient, saved, out):
    """out = gradient * g'(saved), where out may be gradient; all of one shape, in C order.

    Returns False, and does nothing, if the arrays don't fit.
    """
    same, n = fit(gradient, out), gradient.size
    if same < 0 or fit(saved, out) != 0:
        return False
    source, kept, target = gradient.reshape(n), saved.reshape(n), out.reshape(n)
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        start, stop = chunk * CHUNK, min(n, (chunk + 1) * CHUNK)
        here = kept[start:stop]
        if same == 1:
            times_derivative(code, negative_slope, here, target[start:stop])
        else:
            _times_derivative(code, negative_slope, here, source[start:stop], target[start:stop])
    return True
