"""A small computation graph: write a formula, go through it from left to right, and back for derivatives.

    >>> from dlkernels import graph
    >>> a, b, c = graph.variable(5, "a"), graph.variable(3, "b"), graph.variable(2, "c")
    >>> u = (b * c).named("u")
    >>> v = (a + u).named("v")
    >>> J = (3 * v).named("J")
    >>> J.backward()
    >>> print(J.table())
    node  formula  value  dvar
    a                  5     3
    b                  3     6
    c                  2     9
    u     b * c        6     3
    v     a + u       11     3
    J     3 * v       33     1

`dvar` is the derivative of the last node with respect to the variable, as in Andrew Ng, "Neural Networks and
Deep Learning", week 2. It is for learning: the kernels of `dlkernels` compute the same gradients, fused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlkernels import backends
from dlkernels._arrays import Array
from dlkernels._codes import SAVES_A
from dlkernels._nodes import Pullback, Variable, constant, node_of, numbers

__all__ = [
    "Variable",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "exp",
    "identity",
    "leaky_relu",
    "log",
    "mean",
    "relu",
    "sigmoid",
    "squared_error",
    "sum",
    "tanh",
    "variable",
]


def variable(value: Any, name: str | None = None) -> Variable:
    """A node that derivatives are taken with respect to.

    Parameters
    ----------
    value : array_like
        A number or an array. float32 and float64 are kept, integers and booleans become float64.
    name : str, optional
        What it is called in tables and drawings.

    Returns
    -------
    Variable

    Raises
    ------
    TypeError
        If `value` is not real numbers of a supported dtype.

    Examples
    --------
    >>> from dlkernels import graph
    >>> x = graph.variable(3.0, "x")
    >>> (x * x).backward()
    >>> float(x.grad)
    6.0
    """
    return Variable(numbers("variable", value), name)


def exp(x: Any) -> Variable:
    """e^x, elementwise; its derivative is itself."""
    x = constant(x)
    with np.errstate(all="ignore"):
        value = np.exp(x.value)
    return node_of("exp({0})", value, (x, lambda g: g * value))


def log(x: Any) -> Variable:
    """Natural logarithm, elementwise; its derivative is 1 / x."""
    x = constant(x)

    def pullback(g: Array) -> Any:
        with np.errstate(all="ignore"):
            return g / x.value

    with np.errstate(all="ignore"):
        return node_of("log({0})", np.log(x.value), (x, pullback))


def _activated(name: str, x: Any, *slope: float) -> Variable:
    x, kernels = constant(x), backends.get("numba")
    value = getattr(kernels, name)(x.value, *slope)
    saved = value if name in SAVES_A else x.value
    derivative = getattr(kernels, f"{name}_backward")
    return node_of(f"{name}({{0}})", value, (x, lambda g: derivative(g, saved, *slope)))


def sigmoid(x: Any) -> Variable:
    """1 / (1 + e^-x), elementwise: `dlkernels.sigmoid` and its derivative."""
    return _activated("sigmoid", x)


def tanh(x: Any) -> Variable:
    """Hyperbolic tangent, elementwise: `dlkernels.tanh` and its derivative."""
    return _activated("tanh", x)


def relu(x: Any) -> Variable:
    """max(0, x), elementwise: `dlkernels.relu`, whose derivative at 0 is 1."""
    return _activated("relu", x)


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Variable:
    """x, times `negative_slope` below 0, elementwise: `dlkernels.leaky_relu` and its derivative."""
    return _activated("leaky_relu", x, negative_slope)


def identity(x: Any) -> Variable:
    """x itself, as the activation of a linear layer."""
    return _activated("identity", x)


def sum(x: Any, axis: int | None = None, keepdims: bool = False) -> Variable:
    """Sum of all numbers, or along an axis; its derivative is 1 for each of them."""
    return _reduced("sum", x, axis, keepdims, 1)


def mean(x: Any, axis: int | None = None, keepdims: bool = False) -> Variable:
    """Mean of all numbers, or along an axis; its derivative is 1 / their count for each of them."""
    x = constant(x)
    return _reduced("mean", x, axis, keepdims, x.value.size if axis is None else x.shape[axis])


def _reduced(name: str, x: Any, axis: int | None, keepdims: bool, count: int) -> Variable:
    x = constant(x)
    value = getattr(np, name)(x.value, axis=axis, keepdims=keepdims)

    def pullback(g: Array) -> Any:
        if axis is not None and not keepdims:
            g = np.expand_dims(g, axis)
        return np.broadcast_to(g / count, x.shape)

    return node_of(f"{name}({{0}})" if axis is None else f"{name}({{0}}, axis={axis})", value, (x, pullback))


def _cost(name: str, a: Any, y: Any, by_a: Callable[..., Any], by_y: Callable[..., Any]) -> Variable:
    a, y = constant(a), constant(y)
    value = getattr(backends.get("numba"), name)(a.value, y.value)
    m = y.value.size

    def pull(slope: Callable[..., Any]) -> Pullback:
        def pullback(g: Array) -> Any:
            with np.errstate(all="ignore"):
                return g * slope(a.value, y.value) / m

        return pullback

    dtype = np.result_type(a.value, y.value)
    return node_of(f"{name}({{0}}, {{1}})", np.asarray(value, dtype), (a, pull(by_a)), (y, pull(by_y)))


def binary_cross_entropy(A: Any, Y: Any) -> Variable:
    """Mean of -(y log a + (1 - y) log(1 - a)); A, Y (1, m). dA = ((1 - Y) / (1 - A) - Y / A) / m."""
    return _cost(
        "binary_cross_entropy", A, Y,
        lambda a, y: (1 - y) / (1 - a) - y / a,
        lambda a, y: np.log1p(-a) - np.log(a),
    )  # fmt: skip


def binary_cross_entropy_with_logits(Z: Any, Y: Any) -> Variable:
    """`binary_cross_entropy` of sigmoid(Z), without overflow; shape (1, m). dZ = (sigmoid(Z) - Y) / m."""
    return _cost(
        "binary_cross_entropy_with_logits", Z, Y,
        lambda z, y: backends.get("numba").sigmoid(z) - y,
        lambda z, y: -z,
    )  # fmt: skip


def squared_error(A: Any, Y: Any) -> Variable:
    """Mean of (a - y)²; A and Y of shape (1, m). dA = 2 (A - Y) / m."""
    return _cost("squared_error", A, Y, lambda a, y: 2 * (a - y), lambda a, y: 2 * (y - a))
