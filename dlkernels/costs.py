"""Costs: means over the examples, as Python floats. And the notes' first example, the dot product."""

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

#: Estimated nanoseconds for a float32 of the dot product, on one thread.
_DOT_NANOSECONDS = 0.1


@functools.lru_cache(maxsize=1024)
def _plan(nanoseconds: float, dtype: np.dtype[Any], m: int) -> Plan:
    work = nanoseconds * m * dtype.itemsize / 4
    return plan(kernels.reduction, work, kernels.reduction_workspace, dtype, m)


def _reduce(code: int, nanoseconds: float, a: Array, b: Array) -> float:
    kernel, memory, workers = prepared(_plan(nanoseconds, a.dtype, a.size), a.dtype)
    return float(kernel(code, flat(a), flat(b), memory, workers))


def _mean(name: str, predicted: Any, Y: Any) -> float:
    """The cost of this name."""
    cost = COSTS[name]
    return _reduce(cost.code, cost.nanoseconds, *checks.cost(name, predicted, Y))


def binary_cross_entropy(A: Any, Y: Any) -> float:
    """Mean of -(y log a + (1 - y) log(1 - a)) over the examples.

    Parameters
    ----------
    A : array_like, shape (1, m)
        Probabilities. They are not clipped: a wrong label at a = 0 or 1 costs infinitely much, a right one
        costs nothing (0 log 0 counts 0). Outside [0, 1] the cost is NaN.
    Y : array_like, shape (1, m)
        Labels, usually 0 or 1; the cost is linear in them.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If an input is not real numbers of a supported dtype.
    ValueError
        If an input is not one row, the lengths differ, or m is 0.

    See Also
    --------
    binary_cross_entropy_with_logits : from Z, exact where a rounds to 0 or 1.

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
        As `binary_cross_entropy`.

    Notes
    -----
    The loss of an example is max(z, 0) - y z + log(1 + e^-|z|), the same number without a rounded
    probability in between: right up to |z| = 1e308.

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
        As `binary_cross_entropy`.

    Notes
    -----
    The notes of week 2 mention it as the loss that is *not* convex in (w, b) behind a sigmoid.

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
        If an input is not real numbers of a supported dtype.
    ValueError
        If an input is no vector or the lengths differ.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.dot([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    32.0
    """
    a, b = checks.dot(a, b)
    return _reduce(kernels.DOT, _DOT_NANOSECONDS, a, b)
