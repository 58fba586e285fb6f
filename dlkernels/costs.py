"""Costs, which are means over the examples, and the dot product, all as Python floats."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from dlkernels._calls.plans import Plan, plan, prepared
from dlkernels._calls.views import flat
from dlkernels._inputs import checks
from dlkernels._inputs.arrays import Array
from dlkernels._kernels import costs as kernels
from dlkernels.catalogue import COSTS

#: Estimated nanoseconds that the dot product takes for a byte of one of its vectors, on one thread.
_DOT_NANOSECONDS = 0.025


@functools.lru_cache(maxsize=1024)
def _plan(nanoseconds: float, dtype: np.dtype[Any], m: int) -> Plan:
    work = nanoseconds * m * dtype.itemsize
    return plan(kernels.reduction, work, kernels.reduction_workspace, dtype, m)


def _reduce(code: int, nanoseconds: float, a: Array, b: Array) -> float:
    kernel, memory, workers = prepared(_plan(nanoseconds, a.dtype, a.size), a.dtype)
    return float(kernel(code, flat(a), flat(b), memory, workers))


def _mean(name: str, predicted: Any, Y: Any) -> float:
    """Compute the cost with this name."""
    cost = COSTS[name]
    return _reduce(cost.code, cost.nanoseconds, *checks.cost(name, predicted, Y))


def binary_cross_entropy(A: Any, Y: Any) -> float:
    """Mean of -(y log a + (1 - y) log(1 - a)) over the examples.

    Parameters
    ----------
    A : array_like, shape (1, m)
        Probabilities. They are not clipped: where a is 0 or 1, the loss is 0 if the label is equal to a
        (0 log 0 counts as 0), and infinite if it is not. If an a lies outside [0, 1], the cost is NaN.
    Y : array_like, shape (1, m)
        Labels, usually 0 or 1; the cost is linear in them.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If an input does not hold real numbers of a supported dtype.
    ValueError
        If an input is not one row, the lengths differ, or m is 0.

    See Also
    --------
    binary_cross_entropy_with_logits : the same cost from Z, right also where a rounds to 0 or 1.

    Notes
    -----
    J = 1/m sum L(a, y): Andrew Ng, "Neural Networks and Deep Learning", week 2.

    Examples
    --------
    >>> import dlkernels as dk
    >>> round(dk.binary_cross_entropy([[0.9, 0.2]], [[1, 0]]), 6)
    0.164252
    """
    return _mean("binary_cross_entropy", A, Y)


def binary_cross_entropy_with_logits(Z: Any, Y: Any) -> float:
    """Binary cross entropy of sigmoid(Z), computed from Z.

    Parameters
    ----------
    Z : array_like, shape (1, m)
        Pre-activations of the output unit.
    Y : array_like, shape (1, m)
        Labels, usually 0 or 1; the cost is linear in them.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        In the same cases as `binary_cross_entropy`.

    Notes
    -----
    The loss of an example is ``max(z, 0) - y z + log(1 + e^-|z|)``. This is the same number, but it isn't
    computed from a rounded probability. Therefore it is right up to ``|z| = 1e308``.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.binary_cross_entropy_with_logits([[800.0, -800.0]], [[0, 0]])
    400.0
    """
    return _mean("binary_cross_entropy_with_logits", Z, Y)


def squared_error(A: Any, Y: Any) -> float:
    """Mean of (a - y)² over the examples, without a factor 1/2.

    Parameters
    ----------
    A : array_like, shape (1, m)
        Predictions.
    Y : array_like, shape (1, m)
        Labels.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        In the same cases as `binary_cross_entropy`.

    Notes
    -----
    The course notes of week 2 mention that this loss, after a sigmoid, is *not* convex in (w, b).

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.squared_error([[1.0, 2.0]], [[0.0, 0.0]])
    2.5
    """
    return _mean("squared_error", A, Y)


def dot(a: Any, b: Any) -> float:
    """Dot product of two vectors, sum of a[i] b[i].

    Parameters
    ----------
    a, b : array_like, shape (n,)

    Returns
    -------
    float
        0 for empty vectors.

    Raises
    ------
    TypeError
        If an input does not hold real numbers of a supported dtype.
    ValueError
        If an input is not a vector, or the lengths differ.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.dot([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    32.0
    """
    a, b = checks.dot(a, b)
    return _reduce(kernels.DOT, _DOT_NANOSECONDS, a, b)
