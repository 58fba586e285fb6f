"""Gradients against central differences of costs, and against numbers worked out by hand."""

from __future__ import annotations

import math

import arrays
import numpy as np
import pytest

STEP = 1e-6


def differences(cost, arrays_):
    """The derivative of `cost()` with respect to every number of the arrays, by nudging it both ways."""
    slopes = []
    for array in arrays_:
        slope = np.empty_like(array)
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + STEP
            above = cost()
            array[index] = kept - STEP
            below = cost()
            array[index] = kept
            slope[index] = (above - below) / (2 * STEP)
        slopes.append(slope)
    return slopes


def assert_slopes(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-9)


def off_the_kink(Z):
    assert np.abs(Z).min() > 1e-3
    return Z


def test_logistic_propagate(backend):
    rng = np.random.RandomState(0)
    w, b, X, Y = rng.randn(3, 1), rng.randn(1), rng.randn(3, 6), rng.rand(1, 6)
    dw, db, _ = backend.logistic_propagate(w, b, X, Y)
    expected = differences(lambda: backend.logistic_propagate(w, b, X, Y)[2], (w, b))
    assert_slopes(dw, expected[0])
    assert_slopes(db, expected[1][0])


@pytest.mark.parametrize("activation", arrays.ACTIVATIONS)
def test_shallow_propagate(backend, activation):
    rng = np.random.RandomState(1)
    parameters = [rng.randn(*shape) for shape in ((3, 2), (3, 1), (1, 3), (1, 1))]
    X, Y = rng.randn(2, 5), rng.rand(1, 5)
    off_the_kink(parameters[0] @ X + parameters[1])

    def propagate():
        return backend.shallow_propagate(*parameters, X, Y, activation, negative_slope=0.3)

    *gradients, _ = propagate()
    for have, want in zip(gradients, differences(lambda: propagate()[-1], parameters), strict=True):
        assert_slopes(have, want)


@pytest.mark.parametrize("activation", arrays.ACTIVATIONS)
def test_dense_backward(backend, activation):
    """Of the mean over m of sum(G * (W_next g(W A_prev + b))), where dZ_next is G."""
    rng = np.random.RandomState(2)
    W, A_prev, b = rng.randn(3, 2), rng.randn(2, 5), rng.randn(3, 1)
    W_next, G = rng.randn(4, 3), rng.randn(4, 5)
    shift = np.zeros((3, 5))

    def forward():
        return backend.dense_forward(W, A_prev, b, activation, negative_slope=0.3, return_Z=True)

    def cost():
        return float((G * (W_next @ forward()[0])).sum()) / 5

    def cost_of_Z():
        Z = forward()[1] + shift
        A = backend.dense_forward(np.eye(3), Z, np.zeros((3, 1)), activation, negative_slope=0.3)
        return float((G * (W_next @ A)).sum())

    A, Z = forward()
    off_the_kink(Z)
    dZ, dW, db = backend.dense_backward(W_next, G, A, A_prev, activation, Z=Z, negative_slope=0.3)
    expected_W, expected_b = differences(cost, (W, b))
    assert_slopes(dW, expected_W)
    assert_slopes(db, expected_b)
    assert_slopes(dZ, differences(cost_of_Z, (shift,))[0])
    again_W, again_b = backend.dense_gradients(dZ, A_prev)
    np.testing.assert_allclose(again_W, dW, rtol=1e-14)
    np.testing.assert_allclose(again_b, db, rtol=1e-14)


@pytest.mark.parametrize("name", arrays.ACTIVATIONS)
def test_elementwise(backend, name):
    rng = np.random.RandomState(3)
    Z, dA = off_the_kink(rng.randn(4, 3)), rng.randn(4, 3)
    g = getattr(backend, name)
    (expected,) = differences(lambda: float((dA * g(Z)).sum()), (Z,))
    assert_slopes(getattr(backend, f"{name}_backward")(dA, g(Z), Z=Z), expected)


def test_costs(backend):
    rng = np.random.RandomState(4)
    Z, Y = rng.randn(1, 6), rng.rand(1, 6)
    (slope,) = differences(lambda: backend.binary_cross_entropy_with_logits(Z, Y), (Z,))
    assert_slopes((backend.sigmoid(Z) - Y) / 6, slope)
    A = backend.sigmoid(Z)
    (slope,) = differences(lambda: backend.binary_cross_entropy(A, Y), (A,))
    assert_slopes((-Y / A + (1 - Y) / (1 - A)) / 6, slope)
    (slope,) = differences(lambda: backend.squared_error(A, Y), (A,))
    assert_slopes(2 * (A - Y) / 6, slope)


# -- by hand -----------------------------------------------------------------------------------------


def test_by_hand_elementwise(backend):
    assert backend.sigmoid([0.0, math.log(3)]).tolist() == pytest.approx([0.5, 0.75], rel=1e-15)
    assert backend.tanh([0.0, math.log(2)]).tolist() == pytest.approx([0, 0.6], rel=1e-15)
    assert backend.relu([-1.0, 0.0, 2.0]).tolist() == [0, 0, 2]
    assert backend.leaky_relu([-100.0, 0.0, 2.0]).tolist() == [-1, 0, 2]
    assert backend.sigmoid_backward([4.0, 16.0], [0.5, 0.75]).tolist() == [1, 3]
    assert backend.tanh_backward([1.0, 4.0], [0.0, -0.5]).tolist() == [1, 3]
    assert backend.relu_backward([5.0, 5.0, 5.0], Z=[-1.0, 0.0, 1.0]).tolist() == [0, 5, 5]
    assert backend.leaky_relu_backward([100.0, 5.0, 5.0], Z=[-1.0, 0.0, 1.0]).tolist() == [1, 5, 5]
    assert backend.identity_backward([5.0], [-1.0]).tolist() == [5]


def test_by_hand_dense(backend):
    A, Z = backend.dense_forward([[1, 2], [3, 4]], [[1, 0], [0, -1]], [[0.5], [1]], "relu", return_Z=True)
    assert Z.tolist() == [[1.5, -1.5], [4, -3]]
    assert A.tolist() == [[1.5, 0], [4, 0]]
    dW, db = backend.dense_gradients([[1, 3]], [[1, 1], [0, 2]])
    assert (dW.tolist(), db.tolist()) == ([[2, 3]], [[2]])
    # W_nextᵀ dZ_next = [[2, -2], [3, -3]]; the kink of the second row's first unit counts 1
    A, Z = [[5, 0], [0, 1]], [[5, -5], [0, 1]]
    dZ, dW, db = backend.dense_backward([[2, 3]], [[1, -1]], A, [[1, 3]], "relu", Z=Z)
    assert dZ.tolist() == [[2, 0], [3, -3]]
    assert dW.tolist() == [[1], [-3]]
    assert db.tolist() == [[1], [0]]


def test_by_hand_costs(backend):
    assert backend.squared_error([[1, 2]], [[0, 4]]) == 2.5
    assert backend.binary_cross_entropy([[0.5, 0.25]], [[1, 0]]) == pytest.approx(
        (math.log(2) - math.log(0.75)) / 2, rel=1e-15
    )
    assert backend.binary_cross_entropy_with_logits([[0, math.log(3)]], [[1, 0]]) == pytest.approx(
        (math.log(2) + math.log(4)) / 2, rel=1e-15
    )
    assert backend.dot([1, 2, 3], [4, 5, 6]) == 32


def test_by_hand_models(backend):
    dw, db, cost = backend.logistic_propagate([[0], [0]], 0, [[1, 3], [2, 6]], [[1, 0]])
    assert (dw.tolist(), db, cost) == ([[0.5], [1.0]], 0, pytest.approx(math.log(2), rel=1e-15))
    assert (type(db), type(cost)) == (float, float)
    *gradients, cost = backend.shallow_propagate(
        [[0], [0]], [[0], [0]], [[1, 1]], [[0]], [[1, 2]], [[1, 1]], "tanh"
    )
    assert [g.tolist() for g in gradients] == [[[-0.75]] * 2, [[-0.5]] * 2, [[0, 0]], [[-0.5]]]
    assert cost == pytest.approx(math.log(2), rel=1e-15)
    W = np.array([[1.0, 2.0]])
    backend.gradient_descent([W], [[[2.0, -2.0]]], 0.5)
    assert W.tolist() == [[0, 3]]
