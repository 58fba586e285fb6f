"""Parts of the examples: batches, and what is converted at a time.

Examples may be of another dtype or layout than kernels take, and larger than memory. They are never converted
as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from dlkernels._inputs.arrays import F64, Array
from dlkernels._inputs.networks import Epoch, Examples, Network, Propagate

#: The most bytes of examples that are gathered and converted at a time, unless one batch has more.
_SEGMENT = 2**22


def segments(
    X: Array, dtype: np.dtype[Any], batch_size: int = 1, count: int | None = None
) -> Iterator[slice]:
    """Parts of `count` examples, by default of all, that are converted to this dtype at once.

    A part is a number of whole batches, of at most 4 MB before and after the conversion together. A batch
    that is larger is a part of its own.
    """
    last = X.shape[1] if count is None else count
    length = max(1, _SEGMENT // (X.shape[0] * batch_size * (X.itemsize + dtype.itemsize))) * batch_size
    for first in range(0, last, length):
        yield slice(first, min(last, first + length))


def batches(c: Epoch) -> Iterator[Any]:
    """The examples of each batch, as a slice or as an array of their indices."""
    count = c.examples.X.shape[1] if c.order is None else c.order.size
    for first in range(0, count, c.batch_size):
        part = slice(first, min(count, first + c.batch_size))
        yield part if c.order is None else c.order[part]


def columns(X: Array, which: Any, dtype: np.dtype[Any]) -> Array:
    """Some columns of X, a slice or an array of indices, in this dtype."""
    with np.errstate(over="ignore"):  # a large float64 becomes infinite as a float32
        return X[:, which].astype(dtype, copy=False)


def batch(n: Network, examples: Examples, which: Any) -> tuple[Array, Array, Array]:
    """X, Y (n_L, size) and weights (size,) of some examples. Those of weight 0 are left out."""
    X, Y, classes, weights = examples
    chosen = weights[which] if weights.size else np.ones(Y[0, which].size, Y.dtype)
    if not chosen.all():
        positive = np.flatnonzero(chosen)
        which, chosen = np.arange(X.shape[1])[which][positive], chosen[positive]
    labels = Y[:, which]
    if classes:  # columns with a single 1 each
        labels = (np.arange(n.sizes[-1])[:, np.newaxis] == labels).astype(Y.dtype)
    return columns(X, which, Y.dtype), labels, chosen


def mean(costs: Sequence[float], weights: Sequence[float]) -> float:
    """The mean of the costs of batches, or of other parts, by the sums of their weights."""
    total = sum(weights)
    return sum(weight / total * cost for cost, weight in zip(costs, weights, strict=True))


def in_parts(c: Propagate, gradient_of: Callable[[slice, Array], tuple[float, float]]) -> float:
    """Write the mean gradient of all examples, of which few are converted at a time; return the cost.

    ``gradient_of(part, out)`` writes the mean gradient of a part of them to `out`, and returns the cost of
    the part and the sum of its weights. If the sum is 0, it may write nothing.
    """
    parts = list(segments(c.examples.X, c.gradient.dtype))
    if len(parts) == 1:
        return gradient_of(parts[0], c.gradient)[0]
    weights, gradient, found = c.examples.weights, c.gradient, np.empty_like(c.gradient)
    total = float(weights.sum(dtype=F64)) if weights.size else c.examples.X.shape[1]
    costs, totals = [], []
    gradient[...] = 0
    for part in parts:
        cost, weight = gradient_of(part, found)
        if weight:
            found *= weight / total
            gradient += found
            costs.append(cost)
            totals.append(weight)
    return mean(costs, totals)
