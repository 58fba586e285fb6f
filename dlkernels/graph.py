"""A small computation graph: writing a formula computes its value, and `backward` computes its derivatives.

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

`dvar` is the derivative of the last node, here J, with respect to the node of the row, as in Andrew Ng,
"Neural Networks and Deep Learning", week 2. A further `backward`, of another formula of the same variables or
with `retain_graph=True`, adds to these derivatives, and the table then says so. `J.zero_grad()` sets all of
them to None.

This module is for learning: the kernels of `dlkernels` compute the same gradients in fused passes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from dlkernels import backends
from dlkernels._graph import activations
from dlkernels._graph.functions import exp, log, mean, sum
from dlkernels._graph.nodes import Pullback, Variable, constant, node_of
from dlkernels.catalogue import ACTIVATIONS, COSTS

__all__ = ["Variable", "exp", "log", "mean", "sum", "variable", *ACTIVATIONS, *COSTS]

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Tell type checkers of the activations, which are added to `globals()` below."""


globals().update(activations.functions(__name__))


def variable(value: Any, name: str | None = None) -> Variable:
    """Make a node with respect to which `backward` computes derivatives.

    Parameters
    ----------
    value : array_like
        A number or an array. float32 and float64 are kept; integers and booleans become float64.
    name : str, optional
        The name in tables and drawings.

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
    return Variable(value, name)


def _cost(name: str, a: Any, y: Any, by_a: Callable[..., Any], by_y: Callable[..., Any]) -> Variable:
    a, y = constant(a), constant(y)
    value = getattr(backends.get("numba"), name)(a.value, y.value)
    m = y.value.size

    def pull(slope: Callable[..., Any]) -> Pullback:
        return lambda g: g * slope(a.value, y.value) / m

    dtype = np.result_type(a.value, y.value)
    return node_of(f"{name}({{0}}, {{1}})", np.asarray(value, dtype), (a, pull(by_a)), (y, pull(by_y)))


def binary_cross_entropy(A: Any, Y: Any) -> Variable:
    """Mean of -(y log a + (1 - y) log(1 - a)).

    Parameters
    ----------
    A : Variable or array_like, shape (1, m)
        Probabilities.
    Y : Variable or array_like, shape (1, m)
        Labels.

    Returns
    -------
    Variable
        A single number. Arguments that aren't both (1, m) raise the ValueError or TypeError of the kernel.

    Notes
    -----
    dA = ((1 - Y) / (1 - A) - Y / A) / m.

    Examples
    --------
    >>> from dlkernels import graph
    >>> A = graph.variable([[0.5, 0.5]])
    >>> graph.binary_cross_entropy(A, [[1.0, 0.0]]).backward()
    >>> A.grad
    array([[-1.,  1.]])
    """
    return _cost(
        "binary_cross_entropy", A, Y,
        # A term with the factor 0 is 0, even if its other factor is infinite: at a = y = 0 and a = y = 1.
        lambda a, y: np.where(y == 1, 0, (1 - y) / (1 - a)) - np.where(y == 0, 0, y / a),
        lambda a, y: np.log1p(-a) - np.log(a),
    )  # fmt: skip


def binary_cross_entropy_with_logits(Z: Any, Y: Any) -> Variable:
    """`binary_cross_entropy` of sigmoid(Z), without overflow.

    Parameters
    ----------
    Z : Variable or array_like, shape (1, m)
        Pre-activations.
    Y : Variable or array_like, shape (1, m)
        Labels.

    Returns
    -------
    Variable
        A single number. Arguments that aren't both (1, m) raise the ValueError or TypeError of the kernel.

    Notes
    -----
    dZ = (sigmoid(Z) - Y) / m.

    Examples
    --------
    >>> from dlkernels import graph
    >>> Z = graph.variable([[0.0, 0.0]])
    >>> graph.binary_cross_entropy_with_logits(Z, [[1.0, 0.0]]).backward()
    >>> Z.grad
    array([[-0.25,  0.25]])
    """
    return _cost(
        "binary_cross_entropy_with_logits", Z, Y,
        lambda z, y: backends.get("numba").sigmoid(z) - y,
        lambda z, y: -z,
    )  # fmt: skip


def squared_error(A: Any, Y: Any) -> Variable:
    """Mean of (a - y)².

    Parameters
    ----------
    A : Variable or array_like, shape (1, m)
        Predictions.
    Y : Variable or array_like, shape (1, m)
        Labels.

    Returns
    -------
    Variable
        A single number. Arguments that aren't both (1, m) raise the ValueError or TypeError of the kernel.

    Notes
    -----
    dA = 2 (A - Y) / m.

    Examples
    --------
    >>> from dlkernels import graph
    >>> A = graph.variable([[1.0, 2.0]])
    >>> graph.squared_error(A, [[0.0, 0.0]]).backward()
    >>> A.grad
    array([[1., 2.]])
    """
    return _cost("squared_error", A, Y, lambda a, y: 2 * (a - y), lambda a, y: 2 * (y - a))
