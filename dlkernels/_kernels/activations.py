"""The activations and their derivatives on rows of numbers.

Everything works in place on one row. That is what a fused product needs (its result is still in cache),
and it is what lets LLVM vectorise without asking at run time whether input and output overlap; with two
arrays, a call in place (`out=Z`) falls into the scalar version of the loop.

Codes are those of `dlkernels._codes`.
"""

from __future__ import annotations

from numba import prange

from dlkernels._codes import LEAKY_RELU, RELU, SIGMOID, TANH
from dlkernels._jit import loops, scalar, twins
from dlkernels._kernels.elementary import sigmoid, tanh

#: Numbers per step of `activation`: input and output of a step stay in the first-level cache.
STEP = 2048
#: Numbers per iteration of a parallel loop.
CHUNK = 8 * STEP


@loops
def copy(source, target):
    """target[j] = source[j]."""
    for j in range(source.shape[0]):
        target[j] = source[j]


@loops
def activate(code, negative_slope, x):
    """x[j] <- g(x[j]).

    relu: 0 for x <= 0; leaky relu: negative_slope * x for x < 0. NaN stays NaN in all of them.
    """
    zero = x.dtype.type(0)
    n = x.shape[0]
    if code == SIGMOID:
        for j in range(n):
            x[j] = sigmoid(x[j])
    elif code == TANH:
        for j in range(n):
            x[j] = tanh(x[j])
    elif code == RELU:
        for j in range(n):
            x[j] = zero if x[j] <= zero else x[j]
    elif code == LEAKY_RELU:
        slope = x.dtype.type(negative_slope)
        for j in range(n):
            x[j] = slope * x[j] if x[j] < zero else x[j]


# Functions of their own, so that the product with x isn't reordered into them: x (1 + a) may overflow.


@scalar
def _sigmoid_slope(a, one):
    return a * (one - a)


@scalar
def _tanh_slope(a, one):
    return (one - a) * (one + a)


@loops
def times_derivative(code, negative_slope, saved, x):
    """x[j] <- x[j] * g'(z), from saved[j], which is a = g(z) for sigmoid and tanh and z for the others.

    sigmoid: a (1 - a). tanh: 1 - a², as (1 - a)(1 + a), which doesn't cancel near |a| = 1.
    relu and leaky relu: g'(0) = 1, and a selection rather than a product, since 0 * inf is NaN.
    """
    zero, one = x.dtype.type(0), x.dtype.type(1)
    n = x.shape[0]
    if code == SIGMOID:
        for j in range(n):
            x[j] *= _sigmoid_slope(saved[j], one)
    elif code == TANH:
        for j in range(n):
            x[j] *= _tanh_slope(saved[j], one)
    elif code == RELU:
        for j in range(n):
            x[j] = zero if saved[j] < zero else x[j]
    elif code == LEAKY_RELU:
        slope = x.dtype.type(negative_slope)
        for j in range(n):
            x[j] = slope * x[j] if saved[j] < zero else x[j]


@twins
def activation(code, negative_slope, in_place, z, out):
    """out[j] = g(z[j]); z and out (n,), the same memory if `in_place`."""
    n = z.shape[0]
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        for start in range(chunk * CHUNK, min(n, (chunk + 1) * CHUNK), STEP):
            stop = min(n, start + STEP)
            if not in_place:
                copy(z[start:stop], out[start:stop])
            activate(code, negative_slope, out[start:stop])


@twins
def activation_backward(code, negative_slope, in_place, gradient, saved, out):
    """out[j] = gradient[j] * g'(saved[j]); all (n,), gradient and out the same memory if `in_place`."""
    n = gradient.shape[0]
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        for start in range(chunk * CHUNK, min(n, (chunk + 1) * CHUNK), STEP):
            stop = min(n, start + STEP)
            if not in_place:
                copy(gradient[start:stop], out[start:stop])
            times_derivative(code, negative_slope, saved[start:stop], out[start:stop])
