"""The loop over batches of the backends in NumPy and in Python."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlkernels._inputs import networks as checks
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
    for which in checks.batches(c):
        X, Y, weights = checks.batch(c.network, c.examples, which)
        if weights.size:
            cost, total = propagate(c.network, X, Y, weights, c.l2, gradient)
            update(c.network.theta, gradient, c.settings, c.state)
            costs.append(cost)
            totals.append(total)
    return checks.mean(costs, totals)
