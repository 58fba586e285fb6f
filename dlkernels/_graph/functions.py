"""Functions of the nodes of a computation graph: exp, log, sum and mean. See `dlkernels.graph`."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from dlkernels._graph.nodes import Variable, constant, node_of
from dlkernels._inputs.arrays import Array

#: The axis or axes to reduce; None for all.
Axis: TypeAlias = int | tuple[int, ...] | None


def exp(x: Any) -> Variable:
    """e^x, elementwise; its derivative is itself.

    Parameters
    ----------
    x : Variable or array_like
        Any shape.

    Returns
    -------
    Variable
        Of the shape of `x`.

    Examples
    --------
    >>> from dlkernels import graph
    >>> x = graph.variable(0.0)
    >>> graph.exp(2 * x).backward()
    >>> float(x.grad)
    2.0
    """
    x = constant(x)
    with np.errstate(all="ignore"):
        value = np.exp(x.value)
    return node_of("exp({0})", value, (x, lambda g: g * value))


def log(x: Any) -> Variable:
    """Natural logarithm, elementwise; its derivative is 1 / x.

    Parameters
    ----------
    x : Variable or array_like
        Any shape.

    Returns
    -------
    Variable
        Of the shape of `x`.

    Examples
    --------
    >>> from dlkernels import graph
    >>> x = graph.variable(4.0)
    >>> graph.log(x).backward()
    >>> float(x.grad)
    0.25
    """
    x = constant(x)

    with np.errstate(all="ignore"):
        return node_of("log({0})", np.log(x.value), (x, lambda g: g / x.value))


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Sum of all numbers, or along an axis; its derivative with respect to each number is 1.

    Parameters
    ----------
    x : Variable or array_like
        Any shape.
    axis : int or tuple of int, optional
        The axis or axes to reduce; by default all.
    keepdims : bool
        Whether a reduced axis stays, with length 1.

    Returns
    -------
    Variable
        Its shape lacks the reduced axes, unless `keepdims` is true.

    Examples
    --------
    >>> from dlkernels import graph
    >>> x = graph.variable([1.0, 2.0, 4.0])
    >>> graph.sum(x * x).backward()
    >>> x.grad
    array([2., 4., 8.])
    """
    return _reduced("sum", x, axis, keepdims)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Mean of all numbers, or along an axis; its derivative with respect to each of n numbers is 1 / n.

    Parameters
    ----------
    x : Variable or array_like
        Any shape.
    axis : int or tuple of int, optional
        The axis or axes to reduce; by default all.
    keepdims : bool
        Whether a reduced axis stays, with length 1.

    Returns
    -------
    Variable
        Its shape lacks the reduced axes, unless `keepdims` is true.

    Examples
    --------
    >>> from dlkernels import graph
    >>> x = graph.variable([1.0, 2.0, 5.0, 8.0])
    >>> graph.mean(x).backward()
    >>> x.grad
    array([0.25, 0.25, 0.25, 0.25])
    """
    return _reduced("mean", x, axis, keepdims)


def _reduced(name: str, x: Any, axis: Axis, keepdims: bool) -> Variable:
    x = constant(x)
    axes = normalize_axis_tuple(range(x.value.ndim) if axis is None else axis, x.value.ndim)
    total = x.value.sum(axis=axes, keepdims=keepdims)
    count = math.prod(x.shape[i] for i in axes) if name == "mean" else 1

    def pullback(g: Array) -> Any:
        return np.broadcast_to((g if keepdims else np.expand_dims(g, axes)) / count, x.shape)

    with np.errstate(all="ignore"):
        value = np.asarray(np.divide(total, count), x.value.dtype)
    return node_of(f"{name}({{0}})" if axis is None else f"{name}({{0}}, axis={axis})", value, (x, pullback))
