"""exp, log, sigmoid and tanh against mpmath, in units in the last place."""

from __future__ import annotations

import mpmath
import numba
import numpy as np
import pytest

from dlkernels._compiler.options import loops
from dlkernels._kernels import elementary


def mapped(function):
    @loops
    def run(x):
        for i in range(x.shape[0]):
            x[i] = function(x[i])

    def result(x):
        y = np.array(x)
        run(y)
        return y

    return result


FUNCTIONS = {
    "exp_nonpositive": (mapped(elementary.exp_nonpositive), mpmath.exp),
    "sigmoid": (mapped(elementary.sigmoid), lambda z: 1 / (1 + mpmath.exp(-z))),
    "tanh": (mapped(elementary.tanh), mpmath.tanh),
    "log1p_unit": (mapped(elementary.log1p_unit), mpmath.log1p),
    "log": (mapped(elementary.log), mpmath.log),
    "log1p": (mapped(elementary.log1p), mpmath.log1p),
}

#: Without compilation one evaluation takes microseconds.
COUNT = 100 if numba.config.DISABLE_JIT else 4000


def ulps(got, exact, dtype):
    """Distance from the exact value in units in the last place of the format."""
    nearest = dtype.type(float(exact)) if dtype == np.float64 else np.float32(float(exact))
    with mpmath.workprec(200):
        return float(abs(mpmath.mpf(float(got)) - exact) / mpmath.mpf(float(np.spacing(abs(nearest)))))


def arguments(name, dtype, rng):
    """Numbers over the whole range of a function, dense near 0, near the breakpoints and at the ends."""
    info = np.finfo(dtype)
    lowest = np.log(info.tiny)  # the result is a normal number above it
    tiny_to_1 = 10.0 ** rng.uniform(np.log10(info.tiny), 0, COUNT)
    near_breaks = (np.arange(-20, 20) + 0.5) * np.log(2) * (1 + rng.uniform(-1e-6, 1e-6, 40))
    if name == "exp_nonpositive":
        x = np.concatenate([rng.uniform(lowest, 0, COUNT), -tiny_to_1, -np.abs(near_breaks), [lowest]])
    elif name in ("sigmoid", "tanh"):
        x = np.concatenate([rng.uniform(-40, 40, COUNT), tiny_to_1, -tiny_to_1, near_breaks / 2, near_breaks])
        if name == "sigmoid":
            x = np.concatenate([x, rng.uniform(lowest, -20, COUNT)])
    elif name == "log1p_unit":
        x = np.concatenate([rng.uniform(0, 1, COUNT), tiny_to_1, [np.sqrt(2) - 1, 1.0]])
    elif name == "log":
        x = np.concatenate([tiny_to_1, rng.uniform(0.5, 2, COUNT), [info.max, np.sqrt(0.5)]])
    else:
        x = np.concatenate([rng.uniform(-1, 1, COUNT), tiny_to_1 / 2, -tiny_to_1 / 2, 1e6 * tiny_to_1])
    return x.astype(dtype)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_within_two_units_in_the_last_place(name, dtype, rng):
    compiled, exact = FUNCTIONS[name]
    x = arguments(name, dtype, rng)
    if name == "log1p":
        x = x[x > -1]
    got = compiled(x)
    with mpmath.workprec(200):
        worst = max(
            (ulps(g, exact(mpmath.mpf(float(a))), dtype), float(a)) for g, a in zip(got, x, strict=True)
        )
    assert worst[0] <= 2, worst


@pytest.mark.parametrize(
    ("name", "exact", "ends"),
    [
        ("tanh", np.tanh, (1e-4, 10)),
        ("sigmoid", lambda z: 1 / (1 + np.exp(-z)), (-87, -1e-4)),
        ("sigmoid", lambda z: 1 / (1 + np.exp(-z)), (1e-4, 20)),
        ("exp_nonpositive", np.exp, (-87, -1e-4)),
    ],
)
def test_float32_densely(name, exact, ends):
    """Every 97th float32, against float64: without fused multiply-adds tanh comes near to two units."""
    first, last = sorted(int(np.float32(abs(end)).view(np.int32)) for end in ends)
    step = 97 * (40_000 // COUNT) // 10
    x = np.copysign(np.arange(first, last, step, dtype=np.int32).view(np.float32), np.float32(ends[1]))
    right = exact(x.astype(np.float64))
    error = np.abs(FUNCTIONS[name][0](x) - right) / np.spacing(right.astype(np.float32))
    assert error.max() <= 2, x[error.argmax()]


def test_ends(dtype):
    inf, nan = np.inf, np.nan
    cases = {
        "exp_nonpositive": ([0.0, -0.0, -inf, nan, -1e4], [1, 1, 0, nan, 0]),
        "sigmoid": ([0.0, -0.0, inf, -inf, nan, 1e30, -1e30], [0.5, 0.5, 1, 0, nan, 1, 0]),
        "tanh": ([0.0, inf, -inf, nan, 1e30, -1e30], [0, 1, -1, nan, 1, -1]),
        "log1p_unit": ([0.0, nan], [0, nan]),
        "log": ([0.0, -0.0, 1.0, inf, nan, -1.0, -inf], [-inf, -inf, 0, inf, nan, nan, nan]),
        "log1p": ([0.0, -1.0, -2.0, inf, nan], [0, -inf, nan, inf, nan]),
    }
    for name, (x, expected) in cases.items():
        np.testing.assert_array_equal(FUNCTIONS[name][0](np.array(x, dtype)), np.array(expected, dtype), name)


def test_tanh_is_exactly_odd_and_keeps_the_sign_of_zero(dtype, rng):
    tanh = FUNCTIONS["tanh"][0]
    x = arguments("tanh", dtype, rng)
    np.testing.assert_array_equal(tanh(-x), -tanh(x))
    assert np.signbit(tanh(np.array([-0.0], dtype)))[0]
    assert not np.signbit(tanh(np.array([0.0], dtype)))[0]


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_never_falls_where_it_saturates(name, dtype):
    ends = {"sigmoid": (-745, 40), "tanh": (5, 25)}[name]
    x = np.linspace(*ends, 1000 if numba.config.DISABLE_JIT else 200_000).astype(dtype)
    y = FUNCTIONS[name][0](x)
    limit = np.finfo(dtype).eps
    assert (np.diff(y) >= -2 * limit * np.abs(y[1:])).all()
    assert y[-1] == 1
    assert (y >= 0).all()
    assert (y <= 1).all()


def test_subnormal_results_are_gradual():
    got = FUNCTIONS["exp_nonpositive"][0](np.array([-720.0, -745.0]))
    np.testing.assert_allclose(got, np.exp([-720.0, -745.0]), rtol=1e-8)


def chebyshev(function, low, high, degree):
    """Coefficients, lowest first, of the polynomial through `function` at the Chebyshev nodes."""
    with mpmath.workdps(60):
        middle, half = (mpmath.mpf(low) + high) / 2, (mpmath.mpf(high) - low) / 2
        nodes = [
            middle + half * mpmath.cos(mpmath.pi * (2 * i + 1) / (2 * degree + 2)) for i in range(degree + 1)
        ]
        powers = mpmath.matrix([[x**j for j in range(degree + 1)] for x in nodes])
        return list(mpmath.lu_solve(powers, mpmath.matrix([function(x) for x in nodes])))


with mpmath.workdps(60):
    LN2, LARGEST = mpmath.log(2), ((mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1)) ** 2


def exp_remainder(r):
    return (mpmath.exp(r) - 1 - r) / r**2 if abs(r) > mpmath.mpf(10) ** -20 else mpmath.mpf(1) / 2 + r / 6


def log_remainder(z):
    s = mpmath.sqrt(z)
    return 2 * (mpmath.atanh(s) / s - 1) / z


@pytest.mark.parametrize(
    ("coefficients", "function", "between"),
    [
        (elementary.EXP_32, exp_remainder, (-LN2 / 2, LN2 / 2)),
        (elementary.EXP_64, exp_remainder, (-LN2 / 2, LN2 / 2)),
        (elementary.EXPM1_32, exp_remainder, (0, LN2)),
        (elementary.EXPM1_64, exp_remainder, (0, LN2)),
        (elementary.LOG_32, log_remainder, (0, LARGEST)),
        (elementary.LOG_64, log_remainder, (0, LARGEST)),
    ],
)
def test_coefficients_are_what_their_comment_says(coefficients, function, between):
    exact = chebyshev(function, *between, len(coefficients) - 1)
    kind = type(coefficients[0])
    assert [kind(float(c)) for c in exact] == list(coefficients)
