"""Learning from blocks, wherever they lie: the cost of all examples, and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np

import dlkernels as dk
from dlkernels.blocks import Sums
from dlkernels.estimators._base import Array
from dlkernels.estimators._blocks import (
    Facts,
    Net,
    Survey,
    Target,
    block_sums,
    deviance_constants,
    look,
    survey,
)
from dlkernels.estimators._problem import AnyEpochs, Problem


class Source(Protocol):
    """Where blocks lie: chunks that are read again and again, or the workers of a cluster.

    Functions take the number of a block first.
    """

    def place(self, number: int, /) -> str:
        """Where the block of this number is, for messages."""

    def look(self, function: Callable[..., Facts]) -> list[Facts]:
        """Call a function for each block, with X, y and weights as they were given."""

    def load(self, target: Target, seed: int | None) -> None:
        """Keep the blocks as examples of a network (`_blocks.examples_of`).

        A seed says that training will go by batches, and that they are to be shuffled.
        """

    def sums(self, function: Callable[..., Sums], *arguments: Any) -> Sums:
        """Call a function for each block that was loaded, and add the results by `dlkernels.blocks.Tree`."""

    def epochs(self, problem: Problem, batch_size: int, seed: int | None) -> AnyEpochs:
        """Epochs of training by batches, shuffled if there is a seed."""


def surveyed(source: Source, kind: str) -> Survey:
    """What must be known of all blocks before training; `kind` is that of the labels (`_blocks.look`)."""
    return survey(source.look(partial(look, kind)), source.place)


def network_problem(
    found: Survey, sizes: tuple[int, ...], activations: tuple[str, ...], output: str, alpha: float
) -> Problem:
    """A network for blocks, without examples."""
    X, Y = np.empty((sizes[0], 0), found.dtype), np.empty((1, 0), found.dtype)
    return Problem(X, Y, None, sizes, activations, output, alpha)


class BlocksProblem:
    """A network that learns from blocks.

    Parameters
    ----------
    source : Source
        It has been loaded.
    problem : Problem
        The network, without examples.
    """

    def __init__(self, source: Source, problem: Problem) -> None:
        self.source, self.problem = source, problem
        self.net = Net(problem.sizes, problem.activations, problem.output)
        self._weight = 0.0

    def cost_and_gradient(self, theta: Array, gradient: Array) -> float:
        """The cost of all examples; its gradient is written to `gradient`."""
        sums = self.source.sums(block_sums, theta, self.net)
        self._weight = sums.weight
        return with_penalty(self.problem, sums, theta, gradient)

    def loss(self, theta: Array, cost: float) -> float:
        """The cost that was computed last, as scikit-learn reports it."""
        if self.problem.output == "exp":
            cost += self.source.sums(deviance_constants).cost / self._weight
        return self.problem.over_outputs(cost, self.problem.penalty(theta, self.problem.l2(self._weight)))


def with_penalty(problem: Problem, sums: Sums, theta: Array, gradient: Array) -> float:
    """The mean cost with the penalty; its gradient is written to `gradient`."""
    l2 = problem.l2(sums.weight)
    gradient[:] = sums.gradient / sums.weight
    for (W, _), (dW, _) in zip(
        dk.network_views(theta, problem.sizes), dk.network_views(gradient, problem.sizes), strict=True
    ):
        dW += l2 * W
    return sums.cost / sums.weight + problem.penalty(theta, l2)
