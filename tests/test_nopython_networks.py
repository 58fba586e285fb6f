"""Networks of any depth in functions that Numba compiles: the same bits as from Python, and errors."""

from __future__ import annotations

import numpy as np
import pytest
from numba import TypingError, njit

import dlkernels as dk
from dlkernels import optimizers

SIZES, M = (5, 9, 4, 3), 70


@njit
def count():
    return dk.num_parameters((5, 9, 4, 3))


@njit
def add_to_biases(theta, sizes):
    for _, b in dk.network_views(theta, sizes):
        b += 1


@njit
def forward(theta, sizes, X):
    return dk.network_forward(theta, sizes, X, ("tanh", "relu"), "softmax")


@njit
def propagate(theta, sizes, X, Y, weights):
    return dk.network_propagate(theta, sizes, X, Y, "tanh", "softmax", sample_weight=weights, l2=0.1)


@njit
def train(theta, sizes, optimizer, X, Y, orders):
    cost = 0.0
    for order in orders:
        cost = dk.train_epoch(theta, sizes, optimizer, X, Y, "tanh", "softmax", batch_size=16, order=order)
    return cost


def examples(dtype, order="C"):
    rng = np.random.RandomState(0)
    X = np.asarray(rng.randn(SIZES[0], M), dtype, order=order)
    theta = dk.network_parameters(SIZES, 1, dtype=dtype)
    return theta, X, rng.randint(0, SIZES[-1], (1, M)), rng.randint(0, 3, M).astype(dtype)


def test_parameters():
    theta, *_ = examples(np.float64)
    assert count() == theta.size
    before = theta.copy()
    add_to_biases(theta, SIZES)
    for (W, b), (W_before, b_before) in zip(
        dk.network_views(theta, SIZES), dk.network_views(before, SIZES), strict=True
    ):
        assert np.array_equal(W, W_before)
        assert np.array_equal(b, b_before + 1)


@pytest.mark.parametrize(("dtype", "order"), [(np.float64, "C"), (np.float32, "F")])
@pytest.mark.slow
def test_same_bits(dtype, order):
    theta, X, Y, weights = examples(dtype, order)
    A = dk.network_forward(theta, SIZES, X, ("tanh", "relu"), "softmax")
    assert forward(theta, SIZES, X).tobytes() == A.tobytes()
    gradient, cost = dk.network_propagate(
        theta, SIZES, X, Y, "tanh", "softmax", sample_weight=weights, l2=0.1
    )
    found = propagate(theta, SIZES, X, Y, weights)
    assert found[0].tobytes() == gradient.tobytes()
    assert found[1] == cost
    trained, adam = theta.copy(), optimizers.Adam(0.01)
    orders = np.array([np.random.RandomState(seed).permutation(M) for seed in range(3)])
    for each in orders:
        cost = dk.train_epoch(trained, SIZES, adam, X, Y, "tanh", "softmax", batch_size=16, order=each)
    other, compiled = theta.copy(), optimizers.Adam(0.01)
    assert train(other, SIZES, compiled.arrays(other), X, Y, orders) == cost
    assert other.tobytes() == trained.tobytes()
    assert {k: v.tobytes() for k, v in compiled.state.items()} == {
        k: v.tobytes() for k, v in adam.state.items()
    }


@pytest.mark.slow
def test_refused():
    theta, X, Y, weights = examples(np.float64)
    with pytest.raises(ValueError, match=r"network_forward: theta has 108 numbers but sizes .* need 109"):
        forward(theta[:-1].copy(), SIZES, X)
    with pytest.raises(ValueError, match="network_forward: X has 4 rows but sizes"):
        forward(theta, SIZES, X[:4].copy())
    with pytest.raises(ValueError, match=r"network_propagate: .*label"):
        propagate(theta, SIZES, X, Y + 3, weights)
    with pytest.raises(ValueError, match="sample_weight must have shape"):
        propagate(theta, SIZES, X, Y, weights[:-1].copy())
    before, adam = theta.copy(), optimizers.Adam()
    with pytest.raises(ValueError, match=r"train_epoch: .*index"):
        train(theta, SIZES, adam.arrays(theta), X, Y, np.array([[0, M]]))
    assert theta.tobytes() == before.tobytes()
    assert adam.state["step"].tolist() == [0]
    settings, state = adam.arrays(theta)
    for wrong in (
        optimizers.Arrays(settings, state[:0]),
        optimizers.Arrays(settings, state[:-2]),
        optimizers.Arrays(settings[:3], state),
    ):
        with pytest.raises(ValueError, match="train_epoch: the optimizer"):
            train(theta, SIZES, wrong, X, Y, np.array([[0]]))
    with pytest.raises(ValueError, match="network_forward: sizes are too large"):
        forward(np.zeros(65533), (1, 2**32 + 65534, 2**32 - 65537, 1), X[:1])
    assert theta.tobytes() == before.tobytes()
    with pytest.raises(TypingError, match="sizes must be a tuple of integers"):
        forward(theta, 3, X)
    with pytest.raises(TypingError, match=r"optimizer.arrays"):
        train(theta, SIZES, 3, X, Y, np.array([[0]]))


def test_sizes_may_mix_numbers_and_literals():
    """(X.shape[0], 2, 1) is a tuple of three types for Numba."""

    @njit
    def count(X):
        return dk.num_parameters((X.shape[0], 2, 1))

    assert count(np.ones((3, 4))) == 11
