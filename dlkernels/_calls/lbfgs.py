"""L-BFGS: minimise a function of many variables by its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dlkernels._calls.line_search import LineSearch
from dlkernels._inputs.arrays import Array
from dlkernels._kernels import lbfgs as kernels
from dlkernels._kernels.lbfgs import add_penalty as add_penalty

_EPSILON = float(np.finfo(np.float64).eps)
#: How many pairs are kept, as in SciPy.
_PAIRS = 10


class Limits(NamedTuple):
    """When the search ends. The defaults are SciPy's.

    Attributes
    ----------
    iterations : int
        The most iterations. At least one is made.
    gradient : float
        The search ends where no derivative is larger.
    decrease : float
        It ends after a step that lowers the cost by at most this part of it (of 1 if it is less than 1).
    line_search : int
        The most evaluations of one line search.
    evaluations : int
        The search ends after the iteration that brings the number of evaluations above this.
    """

    iterations: int
    gradient: float
    decrease: float = 2.220446049250313e-09
    line_search: int = 20
    evaluations: int = 15000


class Minimum(NamedTuple):
    """Where the search ended. `status` is SciPy's: 0 if it converged, 1 at a limit, 2 if it failed."""

    x: Array
    cost: float
    iterations: int
    status: int
    message: str


class _Pairs:
    """The last steps and changes of the gradient, from which L-BFGS forms a direction."""

    def __init__(self, n: int) -> None:
        self.steps, self.changes = np.empty((_PAIRS, n)), np.empty((_PAIRS, n))
        self.curvatures, self._factors = np.empty(_PAIRS), np.empty(_PAIRS)
        self.first, self.count, self.scale = 0, 0, 1.0

    def forget(self) -> None:
        self.first, self.count, self.scale = 0, 0, 1.0

    def descent(self, gradient: Array, direction: Array) -> float:
        """Write the direction; return its slope."""
        slope: float = kernels.descent(
            gradient, self.steps, self.changes, self.curvatures, self.first, self.count, self.scale,
            self._factors, direction,
        )  # fmt: skip
        return slope

    def remember(
        self, step: float, direction: Array, gradient: Array, before: Array, slope: float, new_slope: float
    ) -> None:
        """Take the step along `direction` that led to `gradient`, unless the curvature along it is too small.

        The slopes are those along `direction`, before and after the step.
        """
        curvature = step * (new_slope - slope)
        if not curvature > -_EPSILON * step * slope:
            return
        row = (self.first + self.count) % _PAIRS
        square = kernels.remember(step, direction, gradient, before, self.steps[row], self.changes[row])
        self.curvatures[row] = curvature
        self.scale = square / curvature
        if self.count < _PAIRS:
            self.count += 1
        else:
            self.first = (self.first + 1) % _PAIRS


def minimize(
    cost_and_gradient: Callable[[Array, Array], float],
    start: Array,
    limits: Limits,
    report: Callable[[int, float], None] | None = None,
) -> Minimum:
    """Minimise a cost from `start` (n,), in double precision.

    `cost_and_gradient` takes a vector, writes the gradient to another, and returns the cost. `report` gets
    the number of each iteration and its cost. What is returned is finite if `start` and the cost there are.

    The method is that of L-BFGS-B without bounds (C. Zhu, R. H. Byrd, P. Lu and J. Nocedal, ACM Transactions
    on Mathematical Software 23, 1997), with its line search and its rules. So SciPy's `minimize` takes the
    same steps, up to rounding. But SciPy runs 90 us of Python in each step, where the gradient of 569
    examples of 30 features takes 20 us: logistic regression on them took 2.3 ms with SciPy, and takes 0.5.
    """
    x, there = start.astype(np.float64), np.empty(start.size)
    gradient, found, direction = np.empty(x.size), np.empty(x.size), np.empty(x.size)
    pairs, evaluations, iteration = _Pairs(x.size), 1, 0
    cost = cost_and_gradient(x, gradient)
    square, largest = kernels.slope_and_largest(gradient, gradient)
    if not math.isfinite(cost + largest):
        return Minimum(x, cost, 0, 2, f"the cost is {cost} at the start")
    if largest <= limits.gradient:
        return Minimum(x, cost, 0, 0, "no derivative is large at the start")
    step = 1.0 / math.sqrt(square) if square > 0.0 else 1.0
    while True:
        slope = pairs.descent(gradient, direction)
        search = LineSearch(step, cost, slope)
        while slope < 0.0 and not search.done and search.tries < limits.line_search:
            kernels.go(x, search.step, direction, there)
            new_cost = cost_and_gradient(there, found)
            new_slope, largest = kernels.slope_and_largest(found, direction)
            search.tried(new_cost, new_slope)
        evaluations, step = evaluations + search.tries, 1.0
        if not search.done:
            if pairs.count == 0:
                return Minimum(x, cost, iteration, 2, "the line search found no lower cost")
            pairs.forget()
            continue
        iteration += 1
        x, there, gradient, found, old_cost, cost = there, x, found, gradient, cost, new_cost
        if report is not None:
            report(iteration, cost)
        if iteration >= limits.iterations:
            return Minimum(x, cost, iteration, 1, "the limit of iterations was reached")
        if evaluations > limits.evaluations:
            return Minimum(x, cost, iteration, 1, "the limit of evaluations was reached")
        if largest <= limits.gradient:
            return Minimum(x, cost, iteration, 0, "no derivative is large")
        if old_cost - cost <= limits.decrease * max(abs(old_cost), abs(cost), 1.0):
            return Minimum(x, cost, iteration, 0, "the cost falls no more")
        pairs.remember(search.step, direction, gradient, found, slope, new_slope)
