"""Activations and their derivatives on whole arrays, from one array to another or in place."""

from __future__ import annotations

from numba import prange

from dlkernels._compiler.options import twins
from dlkernels._kernels.activations import (
    Activation,
    activate,
    activate_into,
    need_activation,
    need_derivative,
    times_derivative,
    times_derivative_into,
)
from dlkernels._kernels.memory import as_row, overlap

#: How many numbers a task takes. 100,000 numbers make 25 tasks, which two threads share almost evenly; with
#: only 7 tasks, one thread waited for the other.
CHUNK = 4096


@twins
def activation(code, parameter, z, out):
    """out = g(z); both are in C order, and out may be z.

    Returns False, and does nothing, unless the arrays have the same shape, are aligned, and are either the
    same memory or share none (`memory.overlap`).
    """
    need_activation(code)
    same, n = overlap(z, out), z.size
    if same < 0:
        return False
    source, target = as_row(z), as_row(out)
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        start, stop = chunk * CHUNK, min(n, (chunk + 1) * CHUNK)
        if same == 1:
            activate(Activation(code, parameter), target[start:stop])
        else:
            activate_into(Activation(code, parameter), source[start:stop], target[start:stop])
    return True


@twins
def activation_backward(code, parameter, gradient, saved, out):
    """out = gradient * g'(z), where saved is A or Z, as the formula of this code needs.

    All arrays are in C order, and out may be gradient.

    Returns False, and does nothing, unless the arrays fit as for `activation`; saved may share no memory with
    out.
    """
    need_derivative(code)
    same, n = overlap(gradient, out), gradient.size
    if same < 0 or overlap(saved, out) != 0:
        return False
    source, kept, target = as_row(gradient), as_row(saved), as_row(out)
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        start, stop = chunk * CHUNK, min(n, (chunk + 1) * CHUNK)
        here, g = kept[start:stop], Activation(code, parameter)
        if same == 1:
            times_derivative(g, here, target[start:stop])
        else:
            times_derivative_into(g, here, source[start:stop], target[start:stop])
    return True
