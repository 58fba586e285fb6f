"""The loops over parts of the examples of the backends in NumPy and in Python."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlkernels._inputs import networks as checks
from dlkernels._inputs import parts
from dlkernels._inputs.arrays import Array

#: (network, X, Y, weights, l2, gradient): write the gradient, and return the cost and the sum of the weights.
Propagate = Callable[[checks.Network, Array, Array, Array, float, Array], tuple[float, float]]
#: (theta, gradient, settings, state): do a step of the optimizer.
Update = Callable[[Array, Array, Array, Array], None]


def train(c: checks.Epoch, propagate: Propagate, update: Update) -> float:
    """Do a step for each batch; return the mean of the costs before the steps.

    A batch whose weights are all 0 changes nothing, and no step is counted.
    """
    gradient, costs, totals = np.empty_like(c.network.theta), [], []
    for which in parts.batches(c):
        X, Y, weights = parts.batch(c.network, c.examples, which)
        if weights.size:
            cost, total = propagate(c.network, X, Y, weights, c.l2, gradient)
            update(c.network.theta, gradient, c.settings, c.state)
            costs.append(cost)
            totals.append(total)
    return parts.mean(costs, totals)


def gradient_of_all(c: checks.Propagate, propagate: Propagate) -> float:
    """Write the gradient of all examples; return the cost."""

    def gradient_of(part: slice, out: Array) -> tuple[float, float]:
        X, Y, weights = parts.batch(c.network, c.examples, part)
        return propagate(c.network, X, Y, weights, c.l2, out) if weights.size else (0.0, 0.0)

    return parts.in_parts(c, gradient_of)
