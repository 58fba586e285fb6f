"""How far to go in a direction: the line search of Moré and Thuente."""

from __future__ import annotations

import math
from typing import NamedTuple

#: The cost must fall by this part of what the slope at the beginning promises.
_DECREASE = 1e-3
#: The slope must become smaller than this part of the slope at the beginning.
_CURVATURE = 0.9
#: The search ends when the interval between two steps is shorter than this part of the longer step.
_SHORT = 0.1
#: No step is longer.
_LONGEST = 1e10


class _Point(NamedTuple):
    """A step, with the cost and the slope there."""

    step: float
    cost: float
    slope: float

    def tilted(self, slope: float) -> _Point:
        """The point of the function less slope * step."""
        return _Point(self.step, self.cost - self.step * slope, self.slope - slope)


class LineSearch:
    """The search for a step that lowers a cost enough, and at whose end the slope is small.

    The method is that of J. J. Moré and D. J. Thuente, Line search algorithms with guaranteed sufficient
    decrease, ACM Transactions on Mathematical Software 20 (1994), with the constants of L-BFGS-B 3.0. So
    SciPy's L-BFGS-B takes the same steps, up to rounding.

    Attributes
    ----------
    step : float
        The step to try next; when `done`, the one that was found.
    done : bool
        Whether the search is over.
    tries : int
        How many steps have been tried.
    """

    def __init__(self, step: float, cost: float, slope: float) -> None:
        self.step, self.done, self.tries = min(step, _LONGEST), False, 0
        #: The best point so far, and the other end of the interval, if there is one.
        self._start = self._best = self._other = _Point(0.0, cost, slope)
        self._bracketed, self._first_stage = False, True
        self._width = self._width_before = math.inf
        self._low, self._high, self._longest = 0.0, 5.0 * self.step, _LONGEST

    def tried(self, cost: float, slope: float) -> None:
        """Take the cost and the slope at `step`; set the next step, or `done`."""
        self.tries += 1
        point = _Point(self.step, cost, slope)
        if not math.isfinite(cost + slope):  # too far: half of the way, and never so far again
            self._longest = self.step
            self.step = 0.5 * (self._best.step + self.step)
            self._high = min(self._high, self._longest)
            self._end_if_exhausted()
            return
        promised = _DECREASE * self._start.slope
        enough = self._start.cost + self.step * promised
        if self._is_over(point, enough, promised):
            self.done = True
            return
        self._first_stage = self._first_stage and not (cost <= enough and slope >= 0.0)
        if self._first_stage and enough < cost <= self._best.cost:
            # The first stage looks for a minimum of what the cost is above the promise.
            ends = self._best.tilted(promised), self._other.tilted(promised), point.tilted(promised)
            best, other = self._narrow(*ends)
            self._best, self._other = best.tilted(-promised), other.tilted(-promised)
        else:
            self._best, self._other = self._narrow(self._best, self._other, point)
        self._limit()

    def _is_over(self, point: _Point, enough: float, promised: float) -> bool:
        step, cost, slope = point
        if cost <= enough and abs(slope) <= _CURVATURE * -self._start.slope:
            return True
        if step == self._best.step:  # nothing lies between
            return True
        return step == self._longest and cost <= enough and slope <= promised

    def _narrow(self, best: _Point, other: _Point, new: _Point) -> tuple[_Point, _Point]:
        """Set the next step from three points; return the ends of the new interval, the best one first."""
        if new.cost > best.cost:  # a minimum lies between them
            quadratic, cubic = _quadratic(best, new), _cubic(best, new)
            self.step = quadratic if cubic is None else 0.5 * (cubic + quadratic)
            if cubic is not None and abs(cubic - best.step) < abs(quadratic - best.step):
                self.step = cubic
            self._bracketed = True
            return best, new
        if (new.slope < 0.0) != (best.slope < 0.0) and new.slope != 0.0:  # here, too
            secant, cubic = _secant(new, best), _cubic(new, best)
            self.step = secant
            if cubic is not None and abs(cubic - new.step) > abs(secant - new.step):
                self.step = cubic
            self._bracketed = True
            return new, best
        if abs(new.slope) < abs(best.slope):
            self._approach(best, other, new)
        elif self._bracketed:
            cubic = _cubic(new, other)
            self.step = 0.5 * (new.step + other.step) if cubic is None else cubic
        else:
            self.step = self._high if new.step > best.step else self._low
        return new, other

    def _approach(self, best: _Point, other: _Point, new: _Point) -> None:
        """Set the next step where the slope has become smaller, but kept its sign."""
        secant, cubic = _secant(new, best), _cubic(new, best)
        if cubic is None or (cubic - new.step) * (best.step - new.step) >= 0.0:  # not beyond `new`
            cubic = self._high if new.step > best.step else self._low
        cubic_is_near = abs(cubic - new.step) < abs(secant - new.step)
        if not self._bracketed:
            self.step = max(self._low, min(self._high, secant if cubic_is_near else cubic))
            return
        step = cubic if cubic_is_near else secant
        most = new.step + 0.66 * (other.step - new.step)
        self.step = min(step, most) if new.step > best.step else max(step, most)

    def _limit(self) -> None:
        """Keep the next step within the interval, and shorten one that shrinks too slowly."""
        best, other = self._best.step, self._other.step
        if self._bracketed:
            if abs(other - best) >= 0.66 * self._width_before:
                self.step = best + 0.5 * (other - best)
            self._width_before, self._width = self._width, abs(other - best)
            self._low, self._high = min(best, other), max(best, other)
        else:
            self._low = self.step + 1.1 * (self.step - best)
            self._high = self.step + 4.0 * (self.step - best)
        if self.step >= self._longest < _LONGEST:  # the cost wasn't finite there
            self.step = 0.5 * (best + self._longest)
        self.step = min(max(self.step, 0.0), self._longest)
        self._end_if_exhausted()

    def _end_if_exhausted(self) -> None:
        """Go back to the best point, which ends the search, if the interval is too short to go on."""
        low, high = self._low, self._high
        if self._bracketed and (self.step <= low or self.step >= high or high - low <= _SHORT * high):
            self.step = self._best.step


def _cubic(a: _Point, b: _Point) -> float | None:
    """Where the cubic through two points, with their slopes, has its minimum; None if it has none."""
    width = b.step - a.step
    theta = 3.0 * (a.cost - b.cost) / width + a.slope + b.slope
    scale = max(abs(theta), abs(a.slope), abs(b.slope))
    gamma = scale * math.sqrt(max(0.0, (theta / scale) ** 2 - (a.slope / scale) * (b.slope / scale)))
    if width < 0.0:
        gamma = -gamma
    divisor = gamma - a.slope + gamma + b.slope
    return a.step + (gamma - a.slope + theta) / divisor * width if gamma and divisor else None


def _quadratic(a: _Point, b: _Point) -> float:
    """Where the parabola through two points, with the slope at a, has its minimum."""
    width = b.step - a.step
    return a.step + 0.5 * a.slope / ((a.cost - b.cost) / width + a.slope) * width


def _secant(a: _Point, b: _Point) -> float:
    """Where the straight line through the slopes at two points is 0."""
    return a.step + a.slope / (a.slope - b.slope) * (b.step - a.step)
