"""The simplest loops over the numbers of one row: clear, copy, divide."""

from __future__ import annotations

from dlkernels._compiler.options import loops


@loops
def clear(x):
    """x[j] = 0."""
    for j in range(x.shape[0]):
        x[j] = x.dtype.type(0)


@loops
def copy(source, target):
    """target[j] = source[j]."""
    for j in range(source.shape[0]):
        target[j] = source[j]


@loops
def divide(x, count):
    """x[j] /= count."""
    divisor = x.dtype.type(count)
    for j in range(x.shape[0]):
        x[j] /= divisor
