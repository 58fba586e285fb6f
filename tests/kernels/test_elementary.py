"""exp, log and the activations against mpmath, in units in the last place."""

from __future__ import annotations

import itertools

import mpmath
import naive
import numba
import numpy as np
import pytest

from dlkernels._compiler.options import loops, scalar
from dlkernels._elementary import exponentials, formats, gaussians, logarithms
from dlkernels._kernels import activations
from dlkernels.catalogue import ACTIVATIONS


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
    "exp": (mapped(exponentials.exp), mpmath.exp),
    "exp_nonpositive": (mapped(exponentials.exp_nonpositive), mpmath.exp),
    "expm1_nonpositive": (mapped(exponentials.expm1_nonpositive), mpmath.expm1),
    "sigmoid": (mapped(exponentials.sigmoid), lambda z: 1 / (1 + mpmath.exp(-z))),
    "tanh": (mapped(exponentials.tanh), mpmath.tanh),
    "log1p_unit": (mapped(logarithms.log1p_unit), mpmath.log1p),
    "log": (mapped(logarithms.log), mpmath.log),
    "log1p": (mapped(logarithms.log1p), mpmath.log1p),
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
    if name == "exp":
        highest = np.log(info.max)  # the result is finite below it
        ends = [lowest, highest * (1 - info.eps)]
        x = np.concatenate([rng.uniform(lowest, highest, COUNT), tiny_to_1, -tiny_to_1, near_breaks, ends])
        x = np.concatenate([x, highest - rng.uniform(1e-6, 1, COUNT // 2)])
    elif name in ("exp_nonpositive", "expm1_nonpositive"):
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
        ("exp", np.exp, (-87, -1e-4)),
        ("exp", np.exp, (1e-4, 88.7)),
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
    highest = np.log(np.finfo(dtype).max)
    cases = {
        "exp": ([0.0, -0.0, inf, -inf, nan, 1e30, -1e30, highest * 1.001], [1, 1, inf, 0, nan, inf, 0, inf]),
        "exp_nonpositive": ([0.0, -0.0, -inf, nan, -1e4], [1, 1, 0, nan, 0]),
        "expm1_nonpositive": ([0.0, -inf, nan, -1e4], [0, -1, nan, -1]),
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


@pytest.mark.parametrize("name", ["exp", "exp_nonpositive"])
def test_subnormal_results_are_gradual(name):
    got = FUNCTIONS[name][0](np.array([-720.0, -745.0]))
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


def tail(x):
    """Phi(-x) e^(x²/2)."""
    return mpmath.erfc(x / mpmath.sqrt(2)) / 2 * mpmath.exp(x * x / 2)


def root_of_slope():
    """x0, where Phi(-x0) = x0 phi(x0)."""
    return mpmath.findroot(lambda x: tail(x) - x / mpmath.sqrt(2 * mpmath.pi), 0.75)


def in_t(function, fit):
    """A function of x as a function of t = (x - K) / (x + K)."""
    return lambda t: function(fit.K * (1 + t) / (1 - t))


def range_of_t(f, fit):
    farthest = mpmath.mpf(float(gaussians.farthest(f)))
    return -1, (farthest - fit.K) / (farthest + fit.K)


def weighted_tail(fit):
    return in_t(lambda x: (x + fit.K) * tail(x), fit)


def slope_without_root(fit):
    with mpmath.workdps(60):
        x0 = root_of_slope()
    return in_t(lambda x: (tail(x) - x / mpmath.sqrt(2 * mpmath.pi)) / (x0 - x), fit)


@pytest.mark.parametrize(
    ("coefficients", "function", "between"),
    [
        (exponentials.EXP_32, exp_remainder, (-LN2 / 2, LN2 / 2)),
        (exponentials.EXP_64, exp_remainder, (-LN2 / 2, LN2 / 2)),
        (exponentials.EXP_FROM_0_32, exp_remainder, (0, LN2)),
        (exponentials.EXP_FROM_0_64, exp_remainder, (0, LN2)),
        (logarithms.LOG_32, log_remainder, (0, LARGEST)),
        (logarithms.LOG_64, log_remainder, (0, LARGEST)),
        *(
            (fit.coefficients, function(fit), range_of_t(f, fit))
            for function, fits in (
                (weighted_tail, (gaussians.TAIL_32, gaussians.TAIL_64)),
                (slope_without_root, (gaussians.SLOPE_32, gaussians.SLOPE_64)),
            )
            for f, fit in zip((formats.F32, formats.F64), fits, strict=True)
        ),
    ],
)
def test_coefficients_are_what_their_comment_says(coefficients, function, between):
    exact = chebyshev(function, *between, len(coefficients) - 1)
    kind = type(coefficients[0])
    assert [kind(float(c)) for c in exact] == list(coefficients)


def silu_lowest():
    return mpmath.findroot(lambda z: 1 + z + mpmath.exp(z), -1.28)


@pytest.mark.parametrize(
    ("found", "number"),
    [
        (exponentials.SILU_LOWEST_32[:2], silu_lowest),
        (exponentials.SILU_LOWEST_64[:2], silu_lowest),
        (exponentials.SILU_LOWEST_32[2:], lambda: mpmath.exp(silu_lowest())),
        (exponentials.SILU_LOWEST_64[2:], lambda: mpmath.exp(silu_lowest())),
        (gaussians.LOWEST_32, root_of_slope),
        (gaussians.LOWEST_64, root_of_slope),
    ],
)
def test_constants_and_what_they_lack(found, number):
    kind = type(found[0])
    with mpmath.workdps(60):
        exact = number()
        nearest = kind(float(exact))
        assert found == (nearest, kind(float(exact - mpmath.mpf(float(nearest)))))


# -- activations -----------------------------------------------------------------------------------------


def activation_and_slope(activation):
    """g, and g' from what the catalogue says, of arrays, with the default parameter."""
    g = getattr(activations, activation.name)
    times_slope = getattr(activations, f"times_{activation.name}_slope")
    default = activation.default

    def slope(saved):
        return times_slope(type(saved)(1), saved, type(saved)(default))

    return mapped(scalar(lambda z: g(z, type(z)(default)))), mapped(scalar(slope))


@pytest.mark.parametrize("name", ["relu", "relu_from_A"])
def test_no_slope_of_relu_gives_minus_zero(name, dtype):
    """-0 becomes +0 on either side of the kink; what isn't 0 keeps its sign, and infinity is not NaN."""
    times_slope = getattr(activations, f"times_{name}_slope")

    @loops
    def run(x, z):
        for i in range(x.shape[0]):
            x[i] = times_slope(x[i], z[i], z[i])

    x = np.tile(np.array([-0.0, 0.0, -2, 3, -np.inf, np.inf, np.nan], dtype), (2, 1))
    run(x[0], np.full(7, 2, dtype))
    run(x[1], np.full(7, -2, dtype))
    expected = np.array([[0, 0, -2, 3, -np.inf, np.inf, np.nan], [0] * 7], dtype)
    np.testing.assert_array_equal(x, expected)
    assert not np.signbit(x[:, :2]).any()
    assert not np.signbit(x[1]).any()


def roots(function):
    """Where a function of one number changes its sign."""
    with mpmath.workprec(300):
        signs = [(z, mpmath.sign(function(z))) for z in map(mpmath.mpf, np.arange(-8, 8, 0.25) + 0.01)]
        return [
            float(mpmath.findroot(function, (a, b), solver="anderson"))
            for (a, sign), (b, other) in itertools.pairwise(signs)
            if sign * other < 0
        ]


def anywhere(dtype, rng, roots):
    """Numbers of all sizes, up to where e^-|z| and e^(-z²/2) are 0, and near roots."""
    lowest = -np.log(np.finfo(dtype).smallest_subnormal) * np.array([1.02])
    near = [
        root * (1 + sign * 10.0 ** rng.uniform(-16, -1, COUNT // 4)) for root in roots for sign in (-1, 1)
    ]
    sizes = 10.0 ** rng.uniform(np.log10(np.finfo(dtype).tiny), 0, COUNT // 2)
    moderate = [rng.uniform(-limit, limit, COUNT // 2) for limit in (1, 6, np.sqrt(2 * lowest[0]), lowest[0])]
    return np.concatenate([*moderate, sizes, -sizes, *near, lowest, -lowest]).astype(dtype)


def exactly(function, z, parameter):
    """With enough digits for e^z - 1, and for log(1 + e^z)."""
    with mpmath.workprec(1300 if abs(z) < 1e-10 or z < -60 else 250):
        return function(mpmath.mpf(float(z)), parameter)


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
@pytest.mark.slow
def test_activations_within_four_units_in_the_last_place(activation, dtype, rng):
    """And their derivatives, also near their roots and where the results are subnormal numbers."""
    parameter = mpmath.mpf(activation.default)
    exact = naive.G[activation.name], naive.DERIVATIVE[activation.name]
    compiled = activation_and_slope(activation)
    for function, of in zip(compiled, exact, strict=True):
        z = anywhere(dtype, rng, roots(lambda z, of=of: of(z, parameter)))
        if function is compiled[1] and activation.derivative_from == "A":
            z, of = compiled[0](z), naive.DERIVATIVE_FROM_A[activation.name]
        errors = [
            ulps(value, exactly(of, a, parameter), dtype) for value, a in zip(function(z), z, strict=True)
        ]
        assert max(errors) <= 4, (max(errors), z[np.argmax(errors)])
