"""Sums over blocks of examples: what one process, or several machines, add up to one gradient.

The examples of a large table lie in blocks: parts of a file, several files, or parts on several machines.
`block_gradient` computes the sums of one block, wherever that is, and `combine` adds the sums of all blocks.
They need no engine; joblib, Ray, Spark and Dask can each call `block_gradient`:

    >>> import numpy as np
    >>> import dlkernels as dk
    >>> from dlkernels.blocks import block_gradient, combine
    >>> X, Y = np.arange(12.0).reshape(2, 6), np.array([[0, 1, 1, 0, 1, 0]])
    >>> theta, sizes = dk.network_parameters((2, 3, 1), seed=0), (2, 3, 1)
    >>> parts = [slice(0, 2), slice(2, 4), slice(4, 6)]
    >>> total = combine(block_gradient(theta, sizes, X[:, part], Y[:, part]) for part in parts)
    >>> gradient, cost = dk.network_propagate(theta, sizes, X, Y)
    >>> bool(np.allclose(total.gradient / total.weight, gradient))
    True

The result has the same bits whoever computes the blocks, in whatever order they arrive, because blocks are
added in pairs by their numbers. Other blocks of the same examples give other roundings.

joblib calls it in threads or processes:

    >>> from joblib import Parallel, delayed
    >>> calls = [delayed(block_gradient)(theta, sizes, X[:, part], Y[:, part]) for part in parts]
    >>> bool((combine(Parallel(2, prefer="threads")(calls)).gradient == total.gradient).all())
    True

Ray keeps the blocks where they are, and sends them theta for each gradient. It gives a task one CPU, which
the kernels have to be told::

    blocks = [ray.put((X[:, part], Y[:, part])) for part in parts]

    @ray.remote
    def sums(theta, block):
        with dk.threads(1):
            return block_gradient(theta, sizes, *block)

    total = combine(ray.get([sums.remote(theta, block) for block in blocks]))
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dlkernels._calls import networks as calls
from dlkernels._inputs import networks as checks
from dlkernels._inputs.arrays import Array
from dlkernels._inputs.networks import Examples, Network, Propagate
from dlkernels.catalogue import OUTPUTS
from dlkernels.propagate import logistic_propagate

__all__ = ["Sums", "block_gradient", "combine"]


class Sums(NamedTuple):
    """Sums over the examples of a block, or of several.

    Attributes
    ----------
    gradient : ndarray, shape (P,)
        The sum of s_i times the gradient of example i's loss, where s_i is its weight, or 1. It is float64.
    cost : float
        The sum of s_i times the loss of example i.
    weight : float
        The sum of s_i. The mean gradient is gradient / weight.
    """

    gradient: Array
    cost: float
    weight: float


def block_gradient(
    theta: Any,
    sizes: Sequence[int],
    X: Any,
    Y: Any,
    activations: str | Sequence[str] = "relu",
    output: str = "sigmoid",
    *,
    negative_slope: float = 0.01,
    sample_weight: Any = None,
) -> Sums:
    """The sums of gradient, cost and weights over a block of examples.

    Parameters
    ----------
    theta : array_like, shape (num_parameters(sizes),)
        The parameters of a network. The gradient of the block is computed in their dtype.
    sizes : tuple or list of int
        (n_0, n_1, ..., n_L): the numbers of features, of units of each hidden layer, and of outputs. (n_0, 1)
        is logistic regression.
    X : array_like, shape (n_0, m)
        The examples of the block as columns, in C or Fortran order. There may be none.
    Y : array_like, shape (n_L, m), or (1, m) class numbers
    activations : str or tuple of str
    output : {"sigmoid", "identity", "softmax", "exp"}
    negative_slope : float
        As for `network_propagate`.
    sample_weight : array_like, shape (1, m) or (m,), optional
        The weights of the examples, not negative. Here they may all be 0.

    Returns
    -------
    Sums
        gradient (P,) in float64, cost, and weight. Without examples, all are 0.

    Raises
    ------
    TypeError, ValueError
        As `network_propagate`.

    Notes
    -----
    The gradient is sum(s_i dloss_i/dtheta), with the weights s: `network_propagate`'s, multiplied by
    sum(s_i), which it divides by. A penalty is no sum over examples, so it is added once, to the total:
    l2 W to the mean gradient, 1/2 l2 sum(W²) to the mean cost.

    Examples
    --------
    >>> from dlkernels.blocks import block_gradient
    >>> block_gradient([0.0, 0.0, 0.0], (2, 1), [[1.0, 2.0], [3.0, 4.0]], [[0, 1]])
    Sums(gradient=array([-0.5, -0.5,  0. ]), cost=1.3862943611198906, weight=2.0)
    """
    f = "block_gradient"
    n = checks.network(f, theta, sizes, activations, output, negative_slope)
    X_ = checks.features(f, X, n.sizes)
    if not (X_.flags.forc and X_.flags.aligned):
        # The kernels read such examples in other parts. A copy has the layout that it has in another process.
        X_ = X_.copy(order="A")
    weights = checks.weights_of(f, sample_weight, X_.shape[1], n.theta.dtype)
    with np.errstate(over="ignore"):
        total = float(weights.sum(dtype=np.float64)) if weights.size else float(X_.shape[1])
    if X_.shape[1] == 0:
        if np.shape(Y)[1:] != (0,):
            raise ValueError(f"{f}: Y must have no columns, as X (Y {np.shape(Y)}, X {X_.shape})")
        return Sums(np.zeros(n.theta.size), 0.0, 0.0)
    examples = checks.examples(f, X_, Y, sample_weight, n)
    if not total:
        return Sums(np.zeros(n.theta.size), 0.0, 0.0)
    checks.need_weight(f, weights, None)
    gradient, cost = (_logistic if _is_logistic(n, examples) else _network)(n, examples)
    with np.errstate(over="ignore", invalid="ignore"):
        return Sums(gradient * np.float64(total), cost * total, total)


def _network(n: Network, examples: Examples) -> tuple[Array, float]:
    gradient = np.empty_like(n.theta)
    return gradient, calls.propagate(Propagate(n, examples, 0.0, gradient))


def _is_logistic(n: Network, examples: Examples) -> bool:
    """Whether `logistic_propagate` can do it: it takes 0.4 to 0.6 of the time (25 and 100 features)."""
    return (
        n.codes == (OUTPUTS["sigmoid"].code,)
        and n.sizes[1] == 1
        and not examples.weights.size
        and examples.X.dtype == n.theta.dtype
    )


def _logistic(n: Network, examples: Examples) -> tuple[Array, float]:
    w, b = n.theta[:-1].reshape(-1, 1), float(n.theta[-1])
    dw, db, cost = logistic_propagate(w, b, examples.X, examples.Y)
    return np.append(dw, np.asarray(db, dw.dtype)), cost


def combine(blocks: Iterable[Sums]) -> Sums:
    """Add the sums of blocks, given in the order of the blocks.

    Parameters
    ----------
    blocks : iterable of Sums
        What `block_gradient` has returned for each block. A generator's sums are added as they come, so that
        few of them are in memory at once.

    Returns
    -------
    Sums
        Their sum. It has the same bits whenever the blocks are the same.

    Raises
    ------
    TypeError
        If one isn't a `Sums`.
    ValueError
        If there is no block, or gradients have different lengths.

    Notes
    -----
    Blocks 0 and 1 are added, 2 and 3, then these two sums, and so on. What is left at the end is added from
    the last to the first.

    Examples
    --------
    >>> import numpy as np
    >>> from dlkernels.blocks import Sums, combine
    >>> combine([Sums(np.array([1.0]), 2.0, 10.0), Sums(np.array([3.0]), 4.0, 20.0)])
    Sums(gradient=array([4.]), cost=6.0, weight=30.0)
    """
    tree = Tree()
    for number, sums in enumerate(blocks):
        if not isinstance(sums, Sums):
            raise TypeError(f"combine: block {number} must be a Sums, not {type(sums).__name__}")
        tree.add(number, sums)
    return tree.total()


class Tree:
    """Adds the sums of blocks in pairs by their numbers, in whatever order they come.

    `nodes` holds what has no partner yet: the node (level, index) is the sum of the 2**level blocks from
    index * 2**level on. So the nodes of some blocks can be computed where the blocks are, and be added
    elsewhere, with the same bits.
    """

    def __init__(self) -> None:
        self.nodes: dict[tuple[int, int], Sums] = {}

    def add(self, index: int, sums: Sums, level: int = 0) -> None:
        """Take the sums of a block, or of a node above blocks."""
        while (partner := self.nodes.pop((level, index ^ 1), None)) is not None:
            sums, level, index = _plus(partner, sums), level + 1, index // 2
        self.nodes[level, index] = sums

    def total(self) -> Sums:
        """The sum of all blocks, from 0 on without gaps."""
        if not self.nodes:
            raise ValueError("combine: there are no blocks")
        last_first = sorted(self.nodes, key=lambda node: node[1] << node[0], reverse=True)
        return functools.reduce(_plus, [self.nodes[node] for node in last_first])


def _plus(a: Sums, b: Sums) -> Sums:
    if a.gradient.shape != b.gradient.shape:
        raise ValueError(
            f"combine: gradients must have one length, but blocks have shapes {a.gradient.shape} and "
            f"{b.gradient.shape}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        return Sums(a.gradient + b.gradient, a.cost + b.cost, a.weight + b.weight)
