"""The nodes of a computation graph, arithmetic on them, and the backward pass. See `dlkernels.graph`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from dlkernels._graph import drawing
from dlkernels._graph.refusals import NO_ARRAY, NoNumber
from dlkernels._graph.text import short_text, table
from dlkernels._inputs.arrays import Array, as_float

#: Turns the derivative with respect to a node into the derivative with respect to one of its parents.
Pullback: TypeAlias = Callable[[Array], Any]
#: A node that another was computed from, and its pullback, which is None once `backward` has freed it.
Parent: TypeAlias = "tuple[Variable, Pullback | None]"


#: The functions that NumPy calls for `array + node` and so on, and the operators of nodes that do the same.
_OPERATORS: dict[np.ufunc, Callable[[Any, Any], Any]] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.power: operator.pow,
    np.matmul: operator.matmul,
}


class Variable(NoNumber):
    """A node of a graph: a value, the nodes it was computed from, and after `backward` its derivative.

    Nodes are made by `variable`, by arithmetic (``+ - * / ** @``), and by the functions of `dlkernels.graph`;
    numbers and arrays in such a formula are constants. A node's value and the nodes it was computed from
    never change, so a graph has no cycles; ``x += y`` gives the name x to a new node.

    Whatever else would compute with the value and lose the derivative raises a TypeError: ``float(x)``,
    ``math.exp(x)``, the functions of NumPy, ``x > 0``, ``x == 2`` and ``if x``. Take ``x.value`` for them.

    Attributes
    ----------
    value : ndarray
        The value; a single number has shape ().
    grad : ndarray or None
        The derivative, with respect to this node, of the node whose `backward` was called; it has the shape
        of this node. A further `backward` adds to it, as in PyTorch, and tables and drawings say so;
        `zero_grad` starts anew.
    name : str or None
        The name in tables and drawings.

    Examples
    --------
    >>> from dlkernels import graph
    >>> x = graph.variable([1.0, 2.0], "x")
    >>> graph.sum(3 * x**2).backward()
    >>> x.grad
    array([ 6., 12.])
    """

    __slots__ = ("_formula", "_parents", "_terms", "constant", "grad", "name", "value")

    def __init__(
        self,
        value: Any,
        name: str | None = None,
        *,
        formula: str = "",
        parents: tuple[Parent, ...] = (),
        constant: bool = False,
    ) -> None:
        # The result of an operation is kept as it is; a value that a user gives is converted and copied.
        self.value: Array = np.asarray(value) if parents else numbers("graph", "value", value)
        self.value.flags.writeable = False
        self.grad: Array | None = None
        self.name = None if name is None else _name(name)
        self.constant = constant
        #: The formula that computed this node, with {0} and {1} in the place of its parents.
        self._formula = formula
        self._parents = parents
        #: How many derivatives `backward` has added up in `grad`.
        self._terms = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def T(self) -> Variable:
        return node_of("{0}ᵀ", self.value.T, (self, lambda g: g.T))

    def named(self, name: str) -> Variable:
        """Give the node a name, and return it.

        Parameters
        ----------
        name : str
            The name in tables and drawings from now on.

        Returns
        -------
        Variable
            The node itself.
        """
        self.name = _name(name)
        return self

    def __array_ufunc__(self, function: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Variable:
        """Make `array + node` a node; without this it would be an array of nodes."""
        if function not in _OPERATORS or method != "__call__" or keywords:
            raise TypeError(NO_ARRAY)
        left, right = inputs
        result: Variable = _OPERATORS[function](constant(left), right)
        return result

    def __repr__(self) -> str:
        name = f"{self.name} = " if self.name else ""
        return f"Variable({name}{np.array2string(self.value, precision=6, threshold=8)})"

    def __add__(self, other: Any) -> Variable:
        return _elementwise("+", np.add, self, other, lambda g, x, y: (g, g))

    def __radd__(self, other: Any) -> Variable:
        return constant(other) + self

    def __sub__(self, other: Any) -> Variable:
        return _elementwise("-", np.subtract, self, other, lambda g, x, y: (g, -g))

    def __rsub__(self, other: Any) -> Variable:
        return constant(other) - self

    def __mul__(self, other: Any) -> Variable:
        return _elementwise("*", np.multiply, self, other, lambda g, x, y: (g * y, g * x))

    def __rmul__(self, other: Any) -> Variable:
        return constant(other) * self

    def __truediv__(self, other: Any) -> Variable:
        return _elementwise("/", np.divide, self, other, lambda g, x, y: (g / y, -g * (x / y) / y))

    def __rtruediv__(self, other: Any) -> Variable:
        return constant(other) / self

    def __pow__(self, other: Any) -> Variable:
        return _elementwise("**", np.power, self, other, _power_slopes)

    def __rpow__(self, other: Any) -> Variable:
        return constant(other) ** self

    def __matmul__(self, other: Any) -> Variable:
        return _matmul(self, other)

    def __rmatmul__(self, other: Any) -> Variable:
        return constant(other) @ self

    def __neg__(self) -> Variable:
        return node_of("-{0}", -self.value, (self, lambda g: -g))

    def backward(self, gradient: Any = None, *, retain_graph: bool = False) -> None:
        """Add the derivatives of this node, with respect to each node it was computed from, to their `grad`.

        What a former call left there stays in the sum, unless `zero_grad` was called in between.

        Parameters
        ----------
        gradient : array_like, optional
            The derivative with respect to this node that the backward pass begins with. A single number
            needs none: it begins with 1.
        retain_graph : bool
            Whether `backward` may be called again. By default the saved results that it needs are freed, as
            in PyTorch.

        Raises
        ------
        RuntimeError
            If the node is no single number and no `gradient` was given; if it was computed from constants
            only; if a former `backward` freed the results that this one needs; or if the graph has a cycle.
        ValueError
            If `gradient` has another shape than the node.
        """
        if self.constant:
            raise RuntimeError(
                "backward: there is no variable in this graph to take derivatives with respect to"
            )
        if gradient is None:
            if self.value.size != 1:
                raise RuntimeError(
                    f"backward: without a gradient it starts at a single number, not at shape {self.shape}; "
                    "take the sum or the mean first"
                )
            gradient = np.ones_like(self.value)
        gradient = numbers("backward", "gradient", gradient).astype(self.value.dtype)
        if gradient.shape != self.shape:
            raise ValueError(f"backward: gradient has shape {gradient.shape}, but the node {self.shape}")
        order = [node for node in _ordered(self) if not node.constant]
        if any(pullback is None for node in order for _, pullback in node._parents):
            raise RuntimeError(
                "backward: the first call has freed what a second one needs; compute the formula again, or "
                "pass retain_graph=True to the first call"
            )
        slopes = {id(self): gradient}
        with np.errstate(all="ignore"):  # infinities and NaN pass without a warning, as in the kernels
            for node in reversed(order):
                slope = slopes[id(node)]
                # Only what isn't zero makes a sum: a user may also have set the numbers of grad to 0.
                node._terms = 1 if node.grad is None or not np.any(node.grad) else max(node._terms, 1) + 1
                node.grad = slope.copy() if node.grad is None else np.asarray(node.grad + slope)
                for parent, pullback in node._parents:
                    if pullback is not None and not parent.constant:
                        part = _summed_to(pullback(slope), parent.value)
                        before = slopes.get(id(parent))
                        slopes[id(parent)] = part if before is None else np.asarray(before + part)
        if not retain_graph:
            for node in order:
                node._parents = tuple((parent, None) for parent, _ in node._parents)

    def zero_grad(self) -> None:
        """Set `grad` to None in this node and in every node it was computed from.

        In a loop, call it before each `backward`: otherwise the derivatives of all steps add up.

        Examples
        --------
        >>> from dlkernels import graph
        >>> x = graph.variable(2.0, "x")
        >>> for _ in range(2):
        ...     y = (x * x).named("y")
        ...     y.backward()
        >>> print(y.table())
        node  formula  value  dvar
        x                  2     8  sum of 2 calls of backward
        y     x * x        4     1
        >>> y.zero_grad()
        >>> print(x.grad)
        None
        """
        for node in _ordered(self):
            node.grad = None

    def table(self) -> str:
        """Return a table of all nodes but constants: name, formula, value, and derivative, called `dvar`.

        Where several calls of `backward` have added to a derivative, the table says that it is a sum.
        """
        return table(list(self._lines()))

    def draw(self, file: str | Path) -> None:
        """Save a picture of the graph, with values above the nodes' formulas and derivatives below.

        Where several calls of `backward` have added to a derivative, the picture says that it is a sum.

        Parameters
        ----------
        file : path
            The file to write; its name ends with .svg, .png or .pdf. Drawing needs matplotlib.
        """
        drawing.draw(list(self._lines()), file)

    def picture(self) -> Any:
        """Return the picture that `draw` saves, as a matplotlib figure.

        Returns
        -------
        matplotlib.figure.Figure
        """
        return drawing.picture(list(self._lines()))

    def _lines(self) -> Iterator[tuple[str, str, Variable]]:
        """Yield name, formula and node of all but constants, variables first. Unnamed ones are t1, t2 ..."""
        order = sorted(
            (node for node in _ordered(self) if not node.constant), key=lambda node: bool(node._parents)
        )
        taken = {node.name for node in order}
        spare = (f"t{i}" for i in range(1, 2 * len(order) + 1))
        names = {id(node): node.name or next(t for t in spare if t not in taken) for node in order}
        for node in order:
            operands = [names.get(id(parent)) or short_text(parent.value) for parent, _ in node._parents]
            yield names[id(node)], node._formula.format(*operands), node


def _ordered(last: Variable) -> list[Variable]:
    """Return `last` and all nodes it was computed from, each node after its parents."""
    order: list[Variable] = []
    begun: set[int] = set()
    stack = [(last, False)]
    while stack:  # not recursive: a formula in a loop makes a graph thousands of nodes deep
        node, finished = stack.pop()
        if finished:
            order.append(node)
        elif id(node) not in begun:
            begun.add(id(node))
            stack.append((node, True))
            stack += [(parent, False) for parent, _ in reversed(node._parents)]
    position = {id(node): i for i, node in enumerate(order)}
    if any(position[id(p)] >= position[id(node)] for node in order for p, _ in node._parents):
        raise RuntimeError("backward: the graph has a cycle")
    return order


def numbers(function: str, argument: str, value: Any) -> Array:
    """Return a copy in float32 or float64, so that later changes of the user's array don't reach it."""
    return as_float(function, argument, value).copy()


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a node's name must be a string, not {type(name).__name__}")
    return name


def constant(value: Any) -> Variable:
    if isinstance(value, Variable):
        return value
    return Variable(value, constant=True)


def node_of(formula: str, value: Any, *parents: Parent) -> Variable:
    return Variable(value, formula=formula, parents=parents, constant=all(p.constant for p, _ in parents))


def _summed_to(gradient: Any, like: Array) -> Array:
    """Sum a gradient along the axes that broadcasting stretched, which gives it the shape of `like`."""
    gradient = np.asarray(gradient, like.dtype)
    if gradient.shape == like.shape:
        return gradient
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - like.ndim)))
    stretched = tuple(i for i, n in enumerate(like.shape) if n == 1 and gradient.shape[i] != 1)
    return np.asarray(gradient.sum(axis=stretched, keepdims=True), like.dtype).reshape(like.shape)


def _elementwise(symbol: str, function: Any, a: Variable, b: Any, slopes: Any) -> Variable:
    b = _matched(a, b)
    a = _matched(b, a)
    x, y = a.value, b.value
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        raise ValueError(
            f"{symbol}: shapes {x.shape} and {y.shape} of {a.name or 'the left'} and {b.name or 'the right'} "
            "operand can't be broadcast"
        ) from None
    with np.errstate(all="ignore"):
        value = function(x, y)

    by_a, by_b = (lambda g: slopes(g, x, y)[0]), (lambda g: slopes(g, x, y)[1])
    return node_of(f"{{0}} {symbol} {{1}}", value, (a, by_a), (b, by_b))


def _matched(a: Variable, b: Any) -> Variable:
    """Return b as a node. A constant single number takes a's dtype, as a Python number does in NumPy."""
    b = constant(b)
    if b.constant and b.value.ndim == 0 and b.value.dtype != a.value.dtype:
        return Variable(b.value.astype(a.value.dtype), b.name, constant=True)
    return b


def _power_slopes(g: Array, x: Array, y: Array) -> tuple[Array, Array]:
    # x ** 0 is constant in x, and 0 ** y in y for y > 0: the slopes are 0, where the formulas give 0 * inf.
    by_base = np.where(y == 0, 0, g * y * np.power(x, y - 1))
    by_exponent = np.where((x == 0) & (y >= 0), 0, g * np.power(x, y) * np.log(x))
    return by_base, by_exponent


def _matmul(a: Variable, b: Any) -> Variable:
    b = constant(b)
    x, y = a.value, b.value
    if not (1 <= x.ndim <= 2 and 1 <= y.ndim <= 2) or x.shape[-1] != y.shape[0]:
        raise ValueError(f"@: shapes {x.shape} and {y.shape} can't be multiplied")
    rows, columns = np.atleast_2d(x), y[:, np.newaxis] if y.ndim == 1 else y
    shape = (rows.shape[0], columns.shape[1])

    def left(g: Array) -> Array:
        return (g.reshape(shape) @ columns.T).reshape(x.shape)

    def right(g: Array) -> Array:
        return (rows.T @ g.reshape(shape)).reshape(y.shape)

    with np.errstate(all="ignore"):
        value = x @ y
    return node_of("{0} @ {1}", value, (a, left), (b, right))
