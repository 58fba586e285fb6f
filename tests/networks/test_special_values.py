"""Networks at the largest and the smallest numbers, at infinity and at NaN.

Where the true value is a finite number of the dtype, so is the result, and the oracle says which. Elsewhere
the result is infinite or NaN. Nothing raises or warns.
"""

from __future__ import annotations

import itertools
import warnings

import arrays
import naive_networks as naive
import network_cases
import numpy as np
import pytest

from dlkernels import optimizers

INF, NAN = np.inf, np.nan


def extremes(dtype):
    info = np.finfo(dtype)
    large, least = float(info.max) / 2, float(info.smallest_subnormal)
    overflow = float(np.log(info.max))
    return [
        -large,
        -1e4,
        -overflow,
        -1.5,
        -float(info.tiny) / 4,
        -least,
        0.0,
        least,
        1.5,
        overflow - 1,
        1e4,
        large,
    ]


def quietly(function, *arguments, **more):
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        return function(*arguments, **more)


def identity_layer(k, dtype):
    """A layer of which z is x."""
    return np.concatenate([np.eye(k).ravel(), np.zeros(k)]).astype(dtype), (k, k)


def finite_in(dtype, values):
    with np.errstate(over="ignore"):
        return np.isfinite(np.asarray(values, np.float64).astype(dtype))


def assert_finite_agree(actual, expected, dtype, scale=1.0):
    """Where the true values are finite in this dtype; elsewhere nothing is that is computed.

    (A cost, which is a float, may be finite there.)
    """
    actual, expected = np.ravel(actual), np.ravel(expected)
    finite = finite_in(dtype, expected)
    assert not finite_in(dtype, actual[~finite]).any()
    arrays.assert_agree(actual[finite], expected[finite], dtype, scale)


def assert_example(backend, z, y, output, dtype):
    """Outputs, cost and gradient of one example."""
    theta, sizes = identity_layer(len(z), dtype)
    X, Y = np.array(z, dtype)[:, None], np.array(y, dtype)[:, None]
    A = quietly(backend.network_forward, theta, sizes, X, output=output)
    assert_finite_agree(A, naive.network_forward(theta, sizes, X, output=output), dtype)
    gradient, cost = quietly(backend.network_propagate, theta, sizes, X, Y, output=output)
    expected, J = naive.network_propagate(theta, sizes, X, Y, output=output)
    # A cost near 0 is a difference of numbers that may be near 1 or a few times larger.
    near = abs(cost - J) <= 8 * arrays.eps(dtype) * (1 + np.max(y))
    assert near or assert_finite_agree(cost, J, dtype) is None
    # Where a - y is a difference of numbers near 1, it has the error of one rounding of them, times x.
    slack = 4 * arrays.eps(dtype) * np.abs(np.concatenate([np.tile(z, len(z)), np.ones(len(z))]))
    with np.errstate(invalid="ignore"):
        close = np.abs(gradient - expected) <= slack * (1 + np.max(y))
    assert_finite_agree(np.where(close, expected, gradient), expected, dtype)


@pytest.mark.parametrize("y", [0, 1, 0.25])
def test_sigmoid(backend, y, dtype):
    for z in extremes(dtype):
        assert_example(backend, [z], [y], "sigmoid", dtype)


@pytest.mark.parametrize("y", [0, 1, 3])
def test_exp(backend, y, dtype):
    for z in extremes(dtype):
        assert_example(backend, [z], [y], "exp", dtype)


@pytest.mark.parametrize("output", ["exp", "softmax"])
def test_z_of_minus_infinity(backend, output, dtype):
    """A product that overflows downwards: a is 0, and so is the loss if y is."""
    large = float(np.finfo(dtype).max) / 2
    rows = 2 if output == "softmax" else 1
    theta, X = np.array([4.0, 0.0][:rows] + [0.0] * rows, dtype), np.full((1, 9), -large, dtype)
    Y = np.zeros((rows, 9), dtype)
    Y[1:] = 1
    A = quietly(backend.network_forward, theta, (1, rows), X, output=output)
    assert (A[0] == 0).all()
    _, cost = quietly(backend.network_propagate, theta, (1, rows), X, Y, output=output)
    assert cost == 0


@pytest.mark.parametrize("y", [[1, 0], [0, 1], [0.25, 0.75]], ids=str)
def test_softmax_of_two(backend, y, dtype):
    for z in itertools.product(extremes(dtype), repeat=2):
        assert_example(backend, z, y, "softmax", dtype)


def test_softmax_of_seventeen(backend, dtype):
    """The largest z in each place, the others far below or equal."""
    large = float(np.finfo(dtype).max) / 2
    for place, others in itertools.product(range(0, 17, 4), (-large, 0.0, large)):
        z, y = np.full(17, others), np.zeros(17)
        z[place] = large
        for one in (place, 16 - place):
            y[:], y[one] = 0, 1
            assert_example(backend, z, y, "softmax", dtype)


@pytest.mark.parametrize("y", [0, 1])
def test_identity(backend, y, dtype):
    for z in extremes(dtype):
        assert_example(backend, [z], [y], "identity", dtype)


def test_class_numbers(backend, dtype):
    """The class that is certain costs nothing, whatever the others are; equal ones cost log n."""
    large = float(np.finfo(dtype).max) / 2
    theta, sizes = identity_layer(3, dtype)
    columns = [([large, -large, -large], 0, 0.0), ([large] * 3, 2, np.log(3)), ([-large] * 3, 1, np.log(3))]
    columns += [
        ([large, 0, 0], 1, large),
        ([-1e4, 0, 0], 0, 1e4 + np.log(2)),
        ([large, -large, 0], 1, 2 * large),
    ]
    for z, number, expected in columns:
        X = np.array(z, dtype)[:, None]
        _, cost = quietly(backend.network_propagate, theta, sizes, X, [[number]], output="softmax")
        arrays.assert_agree(cost, expected, dtype)


@pytest.mark.parametrize("m", [1, 2, 9, 40])
def test_a_finite_mean_of_large_losses(backend, m, dtype):
    """The sum of these losses overflows, and of those with weights too."""
    large = float(np.finfo(dtype).max) / 2
    theta, sizes = identity_layer(1, dtype)
    X, Y = np.full((1, m), large, dtype), np.zeros((1, m), dtype)
    for weights in (None, np.full(m, 4.0, dtype)):
        _, cost = quietly(backend.network_propagate, theta, sizes, X, Y, sample_weight=weights)
        arrays.assert_agree(cost, large, dtype)


def test_subnormal_numbers_are_kept(backend, dtype):
    """Not taken for 0: in X, in theta, in a gradient."""
    least = float(np.finfo(dtype).smallest_subnormal)
    X = np.full((1, 40), 3 * least, dtype)
    theta = np.array([1, 0], dtype)
    A = backend.network_forward(theta, (1, 1), X, output="identity")
    assert (A == X).all()
    gradient, _ = backend.network_propagate(
        theta, (1, 1), X[:, :1], np.ones((1, 1), dtype), output="identity"
    )
    assert gradient.tolist() == [-3 * least, -1]
    A = backend.network_forward(
        np.array([3 * least, 0], dtype), (1, 1), np.ones((1, 9), dtype), output="identity"
    )
    assert (dtype.type(3 * least) == A).all()


@pytest.mark.parametrize("exponent", [0, 100, -100, "least"])
def test_weights_of_any_size(backend, exponent, dtype):
    """Their ratios count; sums of the least numbers too."""
    unit = float(np.finfo(dtype).smallest_subnormal) if exponent == "least" else 2.0**exponent
    weights = np.array([1.0, 0, 2, 5], dtype) * dtype.type(unit)
    theta, X, Y = (
        np.array([0.5, 0.25], dtype),
        np.array([[1, 2, 3, -4]], dtype),
        np.array([[1, 0, 0, 1]], dtype),
    )
    gradient, cost = quietly(backend.network_propagate, theta, (1, 1), X, Y, sample_weight=weights)
    expected, J = naive.network_propagate(theta, (1, 1), X, Y, sample_weight=[1, 0, 2, 5])
    arrays.assert_agree(gradient, expected, dtype, 4.0)
    arrays.assert_agree(cost, J, dtype)


def test_an_example_of_weight_0_may_hold_anything(backend, dtype):
    """It is no example: NaN and infinity in it change nothing."""
    rng = np.random.RandomState(0)
    X, Y = rng.randn(3, 20).astype(dtype), rng.randint(0, 2, (2, 20)).astype(dtype)
    theta, weights = rng.randn(26).astype(dtype), np.ones(20, dtype)
    weights[[3, 7, 19]] = 0
    with_it = X.copy()
    with_it[:, [3, 7, 19]] = [[NAN, INF, NAN]] * 3
    expected = backend.network_propagate(theta, (3, 4, 2), X, Y, sample_weight=weights)
    actual = quietly(backend.network_propagate, theta, (3, 4, 2), with_it, Y, sample_weight=weights)
    assert (actual[0].tobytes(), actual[1]) == (expected[0].tobytes(), expected[1])


@pytest.mark.parametrize("output", ["identity", "sigmoid", "softmax", "exp"])
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("where", ["X", "theta"])
def test_what_is_not_finite_is_reported_by_the_cost(backend, where, bad, output, dtype):
    """By one example of many; training goes on without an error."""
    rng = np.random.RandomState(0)
    X, Y = rng.randn(3, 40).astype(dtype), rng.randint(0, 2, (2, 40)).astype(dtype)
    if output == "softmax":
        Y[1] = 1 - Y[0]
    theta = rng.randn(26).astype(dtype)
    (X if where == "X" else theta[None, :])[0, 5] = bad
    given = (X, Y, "tanh", output)
    if where == "X" and np.isinf(bad):  # tanh makes ±1 of it
        given = (X, Y, "identity", output)
    gradient, cost = quietly(backend.network_propagate, theta, (3, 4, 2), *given)
    assert not np.isfinite(cost) or np.isfinite(gradient).all()
    if np.isnan(bad):
        assert not np.isfinite(cost)
    for optimizer in (optimizers.SGD(0.1), optimizers.Adam(0.1)):
        trained = theta.copy()
        cost = quietly(backend.train_epoch, trained, (3, 4, 2), optimizer, *given, batch_size=8)
        assert type(cost) is float
        if np.isnan(bad):
            assert not np.isfinite(cost)


@pytest.mark.parametrize("output", ["identity", "sigmoid", "softmax"])
def test_large_and_small_weights(backend, output, dtype):
    """As long as z and the squares of its differences are finite, all is, and right."""
    rng = np.random.RandomState(1)
    X, Y, theta = arrays.grid(rng, 3, 17), rng.randint(0, 2, (2, 17)), arrays.grid(rng, 26)
    Y = np.vstack([Y[:1], 1 - Y[:1]]) if output == "softmax" else Y
    top = int(np.log2(float(np.finfo(dtype).max))) // 4 - 4
    for exponent in (-top, -top // 2, top // 2, top):
        scaled = theta * 2.0**exponent
        given = ((3, 4, 2), X, Y, "relu", output)
        gradient, cost = quietly(
            backend.network_propagate, scaled.astype(dtype), (3, 4, 2), X.astype(dtype), *given[2:]
        )
        expected, J = naive.network_propagate(scaled, *given)
        scale = max(1, 2.0**exponent)
        network_cases.assert_layers_close(gradient / scale, np.divide(expected, scale), (3, 4, 2), dtype)
        assert cost == pytest.approx(J, rel=50 * arrays.eps(dtype))


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW"])
def test_steps_with_extreme_gradients(name, dtype):
    """A gradient of 0 moves nothing; one that isn't finite spoils its own parameter alone."""
    info = np.finfo(dtype)
    gradient = np.tile(
        np.array([0.0, NAN, INF, -INF, info.max, info.tiny, info.smallest_subnormal, 1], dtype), 3
    )
    theta, optimizer = np.ones(gradient.size, dtype), getattr(optimizers, name)(0.125, weight_decay=0.0)
    for _ in range(3):
        assert quietly(optimizer.step, theta, gradient) is None
    theta = theta.reshape(3, 8)
    assert np.array_equal(theta[0], theta[1], equal_nan=True)
    assert np.array_equal(theta[0], theta[2], equal_nan=True)
    assert theta[0, 0] == 1
    assert not np.isfinite(theta[0, 1:4]).any()
    assert np.isfinite(theta[0, 5:]).all()
