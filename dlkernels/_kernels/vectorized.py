"""Functions of a whole vector, each as one loop: the course writes them as np.exp(v), np.log(v) and so on.

v and u are rows of n numbers; u is overwritten, and may be v. Only `dlkernels course` calls these functions;
`warmup` doesn't compile them.
"""

from __future__ import annotations

from math import exp as _exp
from math import log as _log

from dlkernels._compiler.options import entry


@entry
def exp(v, u):
    """u[j] <- e^v[j]."""
    for j in range(v.shape[0]):
        u[j] = _exp(v[j])


@entry
def log(v, u):
    """u[j] <- ln v[j]."""
    for j in range(v.shape[0]):
        u[j] = _log(v[j])


@entry
def absolute(v, u):
    """u[j] <- |v[j]|."""
    for j in range(v.shape[0]):
        u[j] = abs(v[j])


@entry
def positive_part(v, u):
    """u[j] <- max(v[j], 0)."""
    zero = v.dtype.type(0)
    for j in range(v.shape[0]):
        u[j] = max(v[j], zero)


@entry
def square(v, u):
    """u[j] <- v[j]²."""
    for j in range(v.shape[0]):
        u[j] = v[j] * v[j]


@entry
def reciprocal(v, u):
    """u[j] <- 1 / v[j]."""
    one = v.dtype.type(1)
    for j in range(v.shape[0]):
        u[j] = one / v[j]
