"""Gradients of networks against central differences of their costs, and numbers worked out by hand."""

from __future__ import annotations

import math

import arrays
import network_cases as cases
import numpy as np
import pytest

STEP = 1e-6


def differences(cost, theta):
    """The derivative of `cost(theta)` with respect to each number, by nudging it both ways."""
    slopes = np.empty_like(theta)
    for i in range(theta.size):
        nudged = [theta.copy(), theta.copy()]
        nudged[0][i] += STEP
        nudged[1][i] -= STEP
        slopes[i] = (cost(nudged[0]) - cost(nudged[1])) / (nudged[0][i] - nudged[1][i])
    return slopes


def assert_slopes(backend, network, **more):
    theta, rest = network.theta, {key: value for key, value in network.given().items() if key != "theta"}
    gradient, _ = backend.network_propagate(theta, **rest, **more)
    expected = differences(lambda nudged: backend.network_propagate(nudged, **rest, **more)[1], theta)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=2e-9)


@pytest.mark.parametrize("target", cases.TARGETS)
@pytest.mark.parametrize("sizes", [(4, 3), (4, 5, 3), (3, 4, 3, 2), (3, 2, 4, 3, 2)], ids=str)
def test_outputs_and_depths(backend, sizes, target):
    network = cases.network(sizes, 6, target, seed=5)
    activations = ("tanh", "softplus", "gelu")[: len(sizes) - 2]
    assert_slopes(backend, network, activations=activations)
    assert_slopes(backend, network, activations=activations, sample_weight=cases.weights(6), l2=0.5)


@pytest.mark.parametrize("activation", arrays.ACTIVATIONS)
def test_activations(backend, activation):
    network = cases.network((3, 4, 3, 2), 5, "softmax", seed=3)
    rng = np.random.RandomState(3)
    network = network._replace(theta=rng.randn(network.theta.size), X=rng.randn(3, 5))
    assert_slopes(backend, network, activations=activation, negative_slope=0.3)


# -- by hand -----------------------------------------------------------------------------------------

THIRD = 1 / 3
BY_HAND = [
    # sizes, theta, X, Y, activations, output, A, gradient, cost
    ((1, 1), [2, 1], [[3]], [[5]], "relu", "identity", [[7]], [6, 2], 2),
    ((1, 1), [0, math.log(3)], [[2]], [[1]], "relu", "sigmoid", [[0.75]], [-0.5, -0.25], math.log(4 / 3)),
    ((1, 1), [0, math.log(2)], [[2]], [[3]], "relu", "exp", [[2]], [-2, -1], 2 - 3 * math.log(2)),
    (
        (1, 3), [0] * 6, [[1]], [[2]], "relu", "softmax",
        [[THIRD]] * 3, [THIRD, THIRD, -2 * THIRD] * 2, math.log(3),
    ),
    (
        (1, 3), [0] * 6, [[1]], [[0.5], [0.25], [0.25]], "relu", "softmax",
        [[THIRD]] * 3, [THIRD - 0.5, THIRD - 0.25, THIRD - 0.25] * 2, math.log(3),
    ),
    # two labels: the losses of the rows are added
    (
        (1, 2), [0, 0, 0, 0], [[1]], [[1], [0]], "relu", "sigmoid",
        [[0.5], [0.5]], [-0.5, 0.5, -0.5, 0.5], 2 * math.log(2),
    ),
    # z1 = 0: the slope of relu and of leaky relu at the kink is 1
    ((1, 1, 1), [0, 0, 1, 0], [[2]], [[1]], "relu", "sigmoid", [[0.5]], [-1, -0.5, 0, -0.5], math.log(2)),
    (
        (1, 1, 1), [0, 0, 1, 0], [[2]], [[1]], "leaky_relu", "sigmoid",
        [[0.5]], [-1, -0.5, 0, -0.5], math.log(2),
    ),
    # below the kink: 0, and the slope 0.01
    ((1, 1, 1), [-1, 0, 1, 2], [[2]], [[1]], "relu", "identity", [[2]], [0, 0, 0, 1], 0.5),
    (
        (1, 1, 1), [-50, 0, 1, 2], [[2]], [[0]], "leaky_relu", "identity",
        [[1]], [0.02, 0.01, -1, 1], 0.5,
    ),
    # one output and the number 1: an ordinary Y, no number of a class
    ((1, 1), [5, 0], [[1]], [[1]], "relu", "softmax", [[1]], [0, 0], 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sizes", "theta", "X", "Y", "activations", "output", "A", "gradient", "cost"), BY_HAND
)
def test_by_hand(backend, sizes, theta, X, Y, activations, output, A, gradient, cost):
    np.testing.assert_allclose(backend.network_forward(theta, sizes, X, activations, output), A, rtol=1e-15)
    found, J = backend.network_propagate(theta, sizes, X, Y, activations, output)
    np.testing.assert_allclose(found, gradient, rtol=1e-15, atol=1e-16)
    np.testing.assert_allclose(J, cost, rtol=1e-15, atol=1e-16)


def test_by_hand_penalty_and_weights(backend):
    """J = ½ (7 - 5)² and ½ (7 - 4)², 3 to 1, plus ½ 0.5 2²; the bias isn't penalised."""
    gradient, cost = backend.network_propagate(
        [2, 1], (1, 1), [[3, 3]], [[5, 4]], output="identity", sample_weight=[3, 1], l2=0.5
    )
    assert cost == pytest.approx((3 * 2 + 4.5) / 4 + 1, rel=1e-15)
    np.testing.assert_allclose(gradient, [(3 * 6 + 9) / 4 + 1, (3 * 2 + 3) / 4], rtol=1e-15)
