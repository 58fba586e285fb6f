"""Blocks on a cluster as estimators learn from them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from dask.array import PerformanceWarning

from dlkernels import optimizers
from dlkernels.blocks import Sums
from dlkernels.dask._cluster import Cluster
from dlkernels.dask._local import Local
from dlkernels.dask._tasks import place
from dlkernels.estimators._base import Array, divides
from dlkernels.estimators._blocks import Facts, Net, Target, batch_sums, examples_of, naming
from dlkernels.estimators._learning import with_penalty
from dlkernels.estimators._problem import Problem

#: With fewer rounds nothing is said about their time.
_FEWEST = 10


class DaskSource:
    """The blocks of Dask collections as a source of examples.

    Parameters
    ----------
    cluster : Cluster or Local
        Where the blocks lie.
    """

    def __init__(self, cluster: Cluster | Local) -> None:
        self.cluster, self.place = cluster, place
        self.rows: list[int] = []

    def look(self, function: Callable[..., Facts]) -> list[Facts]:
        found = self.cluster.look(partial(in_block, function))
        self.rows = [facts.rows for facts in found]
        return list(found)

    def load(self, target: Target, seed: int | None) -> None:
        self.cluster.load(partial(in_block, partial(examples_of, target, seed)))

    def sums(self, function: Callable[..., Sums], *arguments: Any) -> Sums:
        return self.cluster.sums(partial(in_block, function), *arguments)

    def round_seconds(self) -> Array:
        """The seconds of the last rounds, and those of their kernels, (n, 2); none without a cluster."""
        rounds = () if isinstance(self.cluster, Local) else self.cluster.last_rounds
        return np.array(rounds, np.float64).reshape(-1, 2)

    def warn_of_small_blocks(self, name: str) -> None:
        """Say so if Dask took longer than the kernels in most of the last rounds. Called by `fit`."""
        times = self.round_seconds()
        if len(times) < _FEWEST:
            return
        seconds, kernels = np.median(times, axis=0)
        if kernels < 0.5 * seconds:
            warnings.warn(
                f"{name}: a round took {1e3 * seconds:.1f} ms, but the kernels only {1e3 * kernels:.1f} ms "
                f"of it; the rest is Dask's. A table of {sum(self.rows):,} rows in {len(self.rows)} block(s) "
                "is too small for this cluster: use fewer workers, or fit it on one machine by `fit` or "
                "`fit_chunks` of the plain estimator",
                PerformanceWarning,
                stacklevel=4,  # the caller of `fit`, which scikit-learn has wrapped
            )

    def epochs(self, problem: Problem, batch_size: int, seed: int | None) -> Epochs:
        return Epochs(self, problem, batch_size, seed)


def in_block(function: Callable[..., Any], number: int, *arguments: Any) -> Any:
    """Call a function. If it raises an error, the message names the block."""
    with naming(place(number)):
        return function(number, *arguments)


class Epochs:
    """Training by batches that have rows of every block.

    A step takes `batch_size` rows of the largest block, and of each other one as many in proportion, so that
    an epoch sees each row once.
    """

    def __init__(self, source: DaskSource, problem: Problem, batch_size: int, seed: int | None) -> None:
        self.source, self.problem, self.seed = source, problem, seed
        self.examples, self.steps = sum(source.rows), -(-max(source.rows) // batch_size)
        self._net = Net(problem.sizes, problem.activations, problem.output)
        self._epoch = 0

    def __call__(self, theta: Array, optimizer: optimizers.Optimizer) -> float:
        """Train for an epoch; return the mean loss as scikit-learn reports it."""
        problem, gradient, costs, weights = self.problem, np.empty_like(theta), [], []
        for step in range(self.steps):
            sums = self.source.sums(batch_sums, theta, self._net, self.seed, self._epoch, step, self.steps)
            if not divides(sums.weight, theta.dtype):  # as good as no examples
                continue
            penalty = problem.penalty(theta, problem.l2(sums.weight))
            costs.append(problem.over_outputs(with_penalty(problem, sums, theta, gradient), penalty))
            weights.append(sums.weight)
            optimizer.step(theta, gradient)
        self._epoch += 1
        return float(np.average(costs, weights=weights)) if costs else math.nan
