"""L-BFGS against SciPy's, which has the same rules, and against the formula of BFGS."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize as scipys

from dlkernels._calls.lbfgs import Limits, _Pairs, add_penalty, minimize
from dlkernels._calls.line_search import LineSearch


def rosenbrock(x):
    a, b = x[:-1], x[1:]
    gradient = np.zeros_like(x)
    gradient[:-1] = -400 * a * (b - a * a) - 2 * (1 - a)
    gradient[1:] += 200 * (b - a * a)
    return float((100 * (b - a * a) ** 2 + (1 - a) ** 2).sum()), gradient


def quadratic(x):
    factors = np.logspace(0, 4, x.size)
    return float(0.5 * (factors * x * x).sum()), factors * x


def walls(x):
    """Infinite at and beyond 1, with its minimum at 1/2."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-np.log(x * (1 - x)).sum()), 1 / (1 - x) - 1 / x


def waves(x):
    """Long and wavy, so that line searches take several steps."""
    return float((np.sin(5 * x) + 0.1 * x * x).sum()), 5 * np.cos(5 * x) + 0.2 * x


def as_ours(function):
    def cost_and_gradient(x, gradient):
        cost, gradient[:] = function(x)
        return cost

    return cost_and_gradient


def start(n, seed=3):
    return np.random.default_rng(seed).standard_normal(n)


@pytest.mark.parametrize(
    ("function", "n"), [(rosenbrock, 2), (rosenbrock, 7), (quadratic, 40), (waves, 1), (waves, 6)]
)
@pytest.mark.parametrize("seed", range(4))
def test_it_takes_the_steps_of_scipy(function, n, seed):
    for most in (3, 8, 25):
        options = {"maxiter": most, "gtol": 1e-6, "maxls": 20, "ftol": 1e-15}
        theirs = scipys(function, start(n, seed), jac=True, method="L-BFGS-B", options=options)
        ours = minimize(as_ours(function), start(n, seed), Limits(most, 1e-6, decrease=1e-15))
        assert (ours.iterations, ours.status) == (theirs.nit, theirs.status)
        np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-7, atol=1e-9)
        assert ours.cost == pytest.approx(theirs.fun, rel=1e-7)


def test_the_minimum_is_found():
    found = minimize(as_ours(rosenbrock), np.full(10, -1.0), Limits(1000, 1e-8, decrease=0.0))
    assert found.status == 0
    np.testing.assert_allclose(found.x, 1.0, rtol=1e-7)


def test_a_direction_is_that_of_bfgs():
    """H of the last 10 pairs, by the formula H = (I - r s yᵀ) H (I - r y sᵀ) + r s sᵀ with r = 1/(y·s)."""
    random, n = np.random.default_rng(0), 8
    pairs, kept = _Pairs(n), []
    for _ in range(13):
        s, before = random.standard_normal((2, n))
        y = s * np.arange(1, n + 1)
        pairs.remember(0.5, 2 * s, before + y, before, -1.0, -1.0 + 2 * float(y @ s))
        kept.append((s, y))
    s, y = kept[-1]
    H, eye = np.eye(n) * (s @ y) / (y @ y), np.eye(n)
    for s, y in kept[-10:]:
        r = 1 / (y @ s)
        H = (eye - r * np.outer(s, y)) @ H @ (eye - r * np.outer(y, s)) + r * np.outer(s, s)
    gradient, direction = random.standard_normal(n), np.empty(n)
    slope = pairs.descent(gradient, direction)
    np.testing.assert_allclose(direction, -H @ gradient, rtol=1e-9)
    assert slope == pytest.approx(-gradient @ H @ gradient, rel=1e-9)


def test_a_pair_without_curvature_is_left_out():
    pairs, one = _Pairs(1), np.ones(1)
    pairs.remember(1.0, one, one, one, -1.0, -1.0)
    pairs.remember(1.0, one, one, one, -1.0, math.nan)
    tiny = np.full(1, 1e-200)
    pairs.remember(1e-200, one, tiny, 2 * tiny, -2e-200, -1e-200)  # too small for float64
    assert pairs.count == 0


def test_what_is_not_finite_is_a_step_too_long():
    found = minimize(as_ours(walls), np.array([0.01, 0.9]), Limits(100, 1e-8, decrease=0.0))
    np.testing.assert_allclose(found.x, 0.5, atol=1e-6)
    assert found.status == 0


def test_a_step_that_was_not_finite_is_not_tried_again():
    """exp(1000 x) - x falls slowly up to x = -0.007, and is infinite from 0.71 on."""
    steps = []

    def cost(x, gradient):
        steps.append(float(x[0]))
        power = math.exp(1000 * x[0]) if 1000 * x[0] < 709 else math.inf
        gradient[0] = 1000 * power - 1
        return power - float(x[0])

    found = minimize(cost, np.array([-1105.0]), Limits(100, 1e-8))
    assert found.x[0] == pytest.approx(-math.log(1000) / 1000, abs=1e-6)
    too_far = [x for x in steps if 1000 * x >= 709]
    assert len(set(too_far)) == len(too_far) > 1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_start_that_is_not_finite_is_returned(bad):
    found = minimize(lambda x, gradient: bad, np.ones(2), Limits(100, 1e-8))
    assert (found.iterations, found.status) == (0, 2)
    assert found.x.tolist() == [1.0, 1.0]


def test_a_gradient_that_is_not_finite_is_not_followed():
    def function(x, gradient):
        gradient[:] = 1.0, math.nan
        return 1.0

    found = minimize(function, np.ones(2), Limits(100, 1e-8))
    assert (found.x.tolist(), found.status) == ([1.0, 1.0], 2)


@pytest.mark.parametrize("size", [1e-200, 1e200, 5e-324])
def test_a_gradient_whose_square_is_no_number_ends_the_search(size):
    def function(x, gradient):
        gradient[:] = size
        return float(x[0] * size)

    found = minimize(function, np.ones(1), Limits(100, 0.0))
    assert np.isfinite(found.x).all()


def test_a_gradient_that_points_the_wrong_way_fails():
    def function(x, gradient):
        gradient[:] = -2 * x
        return float((x * x).sum())

    found = minimize(function, np.ones(3), Limits(100, 1e-8))
    assert found.status == 2
    assert found.x.tolist() == [1.0] * 3


def test_limits_end_the_search():
    reported = []
    three = minimize(as_ours(rosenbrock), start(5), Limits(3, 0.0), lambda *given: reported.append(given))
    assert (three.iterations, three.status) == (3, 1)
    assert [number for number, _ in reported] == [1, 2, 3]
    assert reported[-1][1] == three.cost
    few = minimize(as_ours(rosenbrock), start(5), Limits(100, 0.0, evaluations=4))
    assert few.status == 1
    assert few.iterations <= 4


@pytest.mark.parametrize(("slope", "expected"), [(lambda s: s - 1, 1.0), (lambda s: s - 0.01, 0.01)])
def test_a_line_search_finds_the_minimum_of_a_parabola(slope, expected):
    search = LineSearch(0.1 if expected == 1.0 else 4.0, 0.0, slope(0.0))
    while not search.done:
        step = search.step
        search.tried(0.5 * step * step - expected * step, slope(step))
    assert abs(slope(search.step)) <= 0.9 * abs(slope(0.0))
    assert search.tries < 8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_penalty_is_added_to_weights_alone(dtype):
    theta, gradient = np.arange(1, 6).astype(dtype), np.full(5, 0.5, dtype)
    assert add_penalty(theta, gradient, 3, 0.25) == 0.125 * (1 + 4 + 9)
    assert gradient.tolist() == [0.75, 1.0, 1.25, 0.5, 0.5]
    assert gradient.dtype == dtype


def test_a_line_search_never_ends_where_the_cost_is_higher():
    """Whatever the cost is like: here it is random, and at some steps NaN."""
    random, ended = np.random.default_rng(0), 0
    for _ in range(3000):
        search, seen = LineSearch(random.uniform(0.1, 2.0), 0.0, -1.0), {0.0: (0.0, -1.0)}
        while not search.done and search.tries < 20:
            cost = math.nan if random.uniform() < 0.3 else random.normal()
            search.tried(*seen.setdefault(search.step, (cost, random.normal())))
        if search.done:
            ended += 1
            assert seen[search.step][0] <= 0.0
    assert ended > 1500


def test_a_line_search_never_goes_beyond_its_longest_step():
    assert LineSearch(1e161, 0.0, -1e-161).step == 1e10
