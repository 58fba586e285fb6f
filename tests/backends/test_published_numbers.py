"""The numbers of the public course assignments, to the digits in which they are printed.

Costs that are printed with 16 digits were computed there from log(1 - a), which loses the last few.
"""

from __future__ import annotations

import numpy as np
import pytest


def assert_printed(actual, expected, digits=8):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=0.6 * 10.0**-digits)


def test_sigmoid(backend):
    assert_printed(backend.sigmoid([0, 2]), [0.5, 0.88079708])
    assert_printed(backend.sigmoid(3), 0.9525741268224334, 15)
    assert_printed(backend.sigmoid([[2.5, -2.5], [0, 1]]), [[0.92414182, 0.07585818], [0.5, 0.73105858]])


FIRST = ([[1], [2]], 2, [[1, 2, -1], [3, 4, -3.2]], [[1, 0, 1]])
SECOND = ([[1], [2]], 1.5, [[1, -2, -1], [3, 0.5, -3.2]], [[1, 1, 0]])
THIRD = (
    [[1], [2], [-1]],
    2.5,
    [[1, 2, -1, 0], [3, 4, -3.2, 1], [3, 4, -3.2, -3.5]],
    [[1, 1, 0, 0]],
)


@pytest.mark.parametrize(
    ("given", "dw", "db", "cost"),
    [
        (FIRST, [[0.99845601], [2.39507239]], 0.00145557813678, 5.801545319394553),
        (SECOND, [[0.25071532], [-0.06604096]], -0.1250040450043965, 0.15900537707692405),
        (THIRD, [[-0.03909333], [0.12501464], [-0.99960809]], 0.288106326429569, 2.0424567983978403),
    ],
)
def test_propagate(backend, given, dw, db, cost):
    actual = backend.logistic_propagate(*given)
    assert_printed(actual[0], dw)
    assert_printed(actual[1], db, 14)
    assert actual[2] == pytest.approx(cost, rel=1e-12)


@pytest.mark.parametrize(
    ("given", "w", "b"),
    [
        (FIRST, [[0.19033591], [0.12259159]], 1.9253598300845747),
        (SECOND, [[0.80956046], [2.0508202]], 1.5948713189708588),
    ],
)
def test_a_hundred_steps(backend, given, w, b):
    weights = np.array(given[0], np.float64)
    bias, cost = backend.logistic_descent(weights, *given[1:], 0.009, 100)
    assert_printed(weights, w)
    assert bias == pytest.approx(b, rel=1e-13)
    assert cost == backend.logistic_propagate(*given)[2]


def test_predict(backend):
    w, b, X = [[0.1124579], [0.23106775]], -0.3, [[1, -1.1, -3.2], [1.2, 2, 0.1]]
    A = backend.dense_forward(np.transpose(w), X, [[b]], "sigmoid")
    assert (A > 0.5).astype(int).tolist() == [[1, 1, 0]]


def test_shallow_forward(backend):
    rng = np.random.RandomState(1)
    X, b1 = rng.randn(2, 3), rng.randn(4, 1)
    W1 = [
        [-0.00416758, -0.00056267],
        [-0.02136196, 0.01640271],
        [-0.01793436, -0.00841747],
        [0.00502881, -0.01245288],
    ]
    W2, b2 = [[-0.01057952, -0.00909008, 0.00551454, 0.02292208]], [[-1.3]]
    A1 = backend.dense_forward(W1, X, b1, "tanh")
    A2 = backend.dense_forward(W2, A1, b2, "sigmoid")
    assert_printed(A2, [[0.21292656, 0.21274673, 0.21295976]])


def flower():
    rng = np.random.RandomState(1)
    X, Y = np.zeros((2, 400)), np.zeros((1, 400))
    for j in range(2):
        columns = slice(200 * j, 200 * (j + 1))
        t = np.linspace(j * 3.12, (j + 1) * 3.12, 200) + rng.randn(200) * 0.2
        r = 4 * np.sin(4 * t) + rng.randn(200) * 0.2
        X[:, columns] = r * np.sin(t), r * np.cos(t)
        Y[:, columns] = j
    return X, Y


def test_flower(backend):
    """The costs at 0, 1000, ..., 6000 iterations; the python backend, which would take minutes, at 0."""
    X, Y = flower()
    rng = np.random.RandomState(3)
    W1, b1 = rng.randn(4, 2) * 0.01, np.zeros((4, 1))
    W2, b2 = rng.randn(1, 4) * 0.01, np.zeros((1, 1))
    printed = [0.693162, 0.258625, 0.239334, 0.230802, 0.225528, 0.221845, 0.219094]
    slow = backend.__name__.endswith(".python")
    for cost in printed[: 1 if slow else None]:
        steps = 1 if slow else 1000
        assert_printed(backend.shallow_descent(W1, b1, W2, b2, X, Y, 1.2, steps), cost, 6)


def test_derivative_by_nudging(backend):
    """J = 3 (a + b c) at 5, 3, 2 is 33, and 33.003 after a nudge of a by 0.001."""

    def J(a, b, c):
        return backend.dot([3.0], [a + backend.dot([b], [c])])

    assert J(5, 3, 2) == 33
    assert_printed(J(5.001, 3, 2), 33.003, 12)
