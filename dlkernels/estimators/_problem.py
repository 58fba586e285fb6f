"""What a network is to learn, and an epoch of it with scikit-learn's penalty, losses and formulas."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy.special import xlogy

import dlkernels as dk
from dlkernels import optimizers
from dlkernels.estimators._base import Array, divides, penalty_of
from dlkernels.estimators._maps import drop_pages, is_large_map, mapping_of, rows_at_random


class Problem(NamedTuple):
    """Examples as columns, labels and weights as `dlkernels.train_epoch` takes them, and the network.

    Attributes
    ----------
    X, Y : ndarray
        In the shapes of `train_epoch`, Y in the dtype of the parameters.
    weights : ndarray of shape (m,) or None
        The weights of the examples.
    sizes, activations, output
        The network.
    alpha : float
        scikit-learn's penalty: of a batch it is divided by the number of examples, or by their weights.
    """

    X: Array
    Y: Array
    weights: Array | None
    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    output: str
    alpha: float

    @property
    def averages_outputs(self) -> bool:
        """Whether scikit-learn's loss is the mean over several outputs, though its gradient is of the sum."""
        return self.output == "identity" and self.sizes[-1] > 1

    def total(self, part: Any) -> float:
        """The sum of the weights of some examples."""
        if self.weights is None:
            return float(self.Y[0, part].size)
        return float(self.weights[part].sum(dtype=np.float64))

    def l2(self, total: float) -> float:
        """The factor of the penalty of examples with this sum of weights."""
        return penalty_of(self.alpha, total, "alpha / sum(sample_weight)", self.Y.dtype)

    def penalty(self, theta: Array, l2: float) -> float:
        """1/2 l2 sum(W²)."""
        squares = [float(np.vdot(W, W)) for W, _ in dk.network_views(theta, self.sizes)]
        return 0.5 * l2 * sum(squares)

    def reported(self, cost: float, penalty: float, part: Any) -> float:
        """A cost of some examples as scikit-learn reports it."""
        if self.output == "exp":  # half of the deviance: a constant more
            constants = constants_of(self.Y[:, part])
            cost += float(np.average(constants, weights=_part_of(self.weights, part)))
        return self.over_outputs(cost, penalty)

    def over_outputs(self, cost: float, penalty: float) -> float:
        """The cost with its loss as a mean over the outputs where scikit-learn reports that."""
        return (cost - penalty) / self.sizes[-1] + penalty if self.averages_outputs else cost

    def cost_and_gradient(self, theta: Array, gradient: Array) -> float:
        """The cost of all examples; its gradient is written to `gradient`."""
        _, cost = dk.network_propagate(
            theta, self.sizes, self.X, self.Y, self.activations, self.output, sample_weight=self.weights,
            l2=self.l2(self.total(slice(None))), out=gradient,
        )  # fmt: skip
        return cost

    def loss(self, theta: Array, cost: float) -> float:
        """The cost of all examples as scikit-learn reports it."""
        everything = slice(None)
        return self.reported(cost, self.penalty(theta, self.l2(self.total(everything))), everything)

    @property
    def goes_by_batch(self) -> bool:
        """Whether something changes from batch to batch, so that an epoch can't be one compiled call.

        It is the penalty of weighted examples, or the part of the penalty in the loss that is reported.
        """
        return self.weights is not None or (self.averages_outputs and self.alpha > 0)

    def epoch(self, theta: Array, optimizer: optimizers.Optimizer, order: Array, batch_size: int) -> float:
        """Train on the examples in this order; return the mean loss as scikit-learn reports it.

        The penalty of a batch is divided by its length, or by the sum of its weights. So a last batch that is
        smaller takes a call of its own.
        """
        m = len(order)
        step = batch_size if self.goes_by_batch else m - m % batch_size
        table = self.X.T
        mapping = mapping_of(table) if is_large_map(table) else None
        if mapping is not None:
            step = min(step, max(1, rows_at_random(table) // batch_size) * batch_size)
        mean = 0.0
        for first in range(0, m, step):
            drop_pages(mapping)
            part = order[first : first + step]
            size = min(batch_size, len(part))
            total = float(size) if self.weights is None else self.total(part)
            if self.weights is not None and not divides(total, self.Y.dtype):  # as good as no examples
                continue
            l2 = self.l2(total)
            penalty = self.penalty(theta, l2) if self.averages_outputs else 0.0
            cost = dk.train_epoch(
                theta, self.sizes, optimizer, self.X, self.Y, self.activations, self.output, batch_size=size,
                order=part, sample_weight=self.weights, l2=l2,
            )  # fmt: skip
            mean += self.reported(cost, penalty, part) * (len(part) / m)
        return mean


def constants_of(Y: Array) -> Array:
    """What half of the deviance of each count has in addition to our loss, (m,)."""
    constants: Array = (xlogy(Y, Y) - Y).sum(axis=0, dtype=np.float64)
    return constants


def _part_of(weights: Array | None, part: Any) -> Array | None:
    return None if weights is None else weights[part]


class AnyEpochs(Protocol):
    """What trains for an epoch: on examples in memory, on chunks, or on a cluster.

    Attributes
    ----------
    problem : Problem
        The network; its examples may be missing.
    examples : int
        How many examples an epoch sees.
    """

    problem: Problem
    examples: int

    def __call__(self, theta: Array, optimizer: optimizers.Optimizer) -> float:
        """Update theta; return the mean loss as scikit-learn reports it."""


class Epochs:
    """Epochs of training on examples in memory.

    Parameters
    ----------
    problem : Problem
    train : ndarray of int
        The numbers of the examples to learn from.
    batch_size : int
    random : RandomState or None
        What shuffles them before each epoch. As by `sklearn.utils.shuffle`, the order of the last epoch is
        shuffled.
    """

    def __init__(self, problem: Problem, train: Array, batch_size: int, random: Any) -> None:
        self.problem, self.order, self.batch_size, self.random = problem, train, batch_size, random
        self.examples = len(train)

    def __call__(self, theta: Array, optimizer: optimizers.Optimizer) -> float:
        """Train for an epoch; return the mean loss as scikit-learn reports it."""
        if self.random is not None:
            indices = np.arange(self.examples)
            self.random.shuffle(indices)
            self.order = self.order[indices]
        return self.problem.epoch(theta, optimizer, self.order, self.batch_size)
