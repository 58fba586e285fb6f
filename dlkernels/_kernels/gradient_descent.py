"""The update of gradient descent: parameter -= alpha * gradient."""

from __future__ import annotations

from numba import prange

from dlkernels._compiler.options import loops, shared, twins
from dlkernels._kernels.elementwise import CHUNK


@shared
def update_work(numbers: int, itemsize: int) -> float:
    """Estimated nanoseconds of an update, on one thread."""
    return 0.1 * numbers * itemsize / 4


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
