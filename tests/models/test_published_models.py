"""The course's own results, with the numbers that it prints."""

from __future__ import annotations

import numpy as np
import pytest

from models import LogisticRegression, ShallowNetwork


@pytest.mark.parametrize(
    ("b", "X", "Y", "w_after", "b_after"),
    [
        (2.0, [[1, 2, -1], [3, 4, -3.2]], [[1, 0, 1]], [0.19033591, 0.12259159], 1.9253598300845747),
        (1.5, [[1, -2, -1], [3, 0.5, -3.2]], [[1, 1, 0]], [0.80956046, 2.0508202], 1.5948713189708588),
    ],
)
def test_hundred_steps(backend, b, X, Y, w_after, b_after):
    model = LogisticRegression(learning_rate=0.009, num_iterations=100, backend=backend)
    model.fit(X, Y, parameters={"w": [[1.0], [2.0]], "b": b})
    np.testing.assert_allclose(model.parameters_["w"].ravel(), w_after, atol=5e-9)
    assert model.parameters_["b"] == pytest.approx(b_after, rel=1e-12)


def test_predict(backend):
    model = LogisticRegression(num_iterations=0, backend=backend)
    parameters = {"w": [[0.1124579], [0.23106775]], "b": -0.3}
    model.fit(np.zeros((2, 1)), [[0]], parameters=parameters)
    np.testing.assert_array_equal(model.predict([[1, -1.1, -3.2], [1.2, 2, 0.1]]), [[1, 1, 0]])


def test_shallow_forward(backend):
    random = np.random.RandomState(1)
    X = random.randn(2, 3)
    parameters = {
        "W1": [
            [-0.00416758, -0.00056267],
            [-0.02136196, 0.01640271],
            [-0.01793436, -0.00841747],
            [0.00502881, -0.01245288],
        ],
        "b1": random.randn(4, 1),
        "W2": [[-0.01057952, -0.00909008, 0.00551454, 0.02292208]],
        "b2": [[-1.3]],
    }
    model = ShallowNetwork(4, num_iterations=0, backend=backend).fit(X, [[0, 1, 0]], parameters=parameters)
    np.testing.assert_allclose(model.predict_proba(X), [[0.21292656, 0.21274673, 0.21295976]], atol=5e-9)


COSTS = [0.693162, 0.258625, 0.239334, 0.230802, 0.225528, 0.221845, 0.219094]


@pytest.mark.parametrize("fast", ["numpy", "numba"])
def test_flower(fast, flower):
    model = ShallowNetwork(4, seed=3, learning_rate=1.2, num_iterations=10_000, backend=fast).fit(*flower)
    np.testing.assert_allclose(model.costs_[0:61:10], COSTS, atol=5e-7)
    assert 0.90 <= model.score(*flower) <= 0.91
    assert len(model.costs_) == 100


def test_flower_begins_the_same_in_python(flower):
    """The pure-Python loops take 20 ms a step; the first two recorded costs are compared."""
    kwargs = {"seed": 3, "num_iterations": 101}
    slow = ShallowNetwork(4, backend="python", **kwargs).fit(*flower)
    fast = ShallowNetwork(4, backend="numba", **kwargs).fit(*flower)
    assert slow.costs_[0] == pytest.approx(COSTS[0], abs=5e-7)
    np.testing.assert_allclose(slow.costs_, fast.costs_, rtol=1e-12)
    for name, value in slow.parameters_.items():
        np.testing.assert_allclose(value, fast.parameters_[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("fast", ["numpy", "numba"])
def test_logistic_regression_cannot_separate_the_flower(fast, flower):
    model = LogisticRegression(learning_rate=0.1, num_iterations=2000, backend=fast).fit(*flower)
    assert model.score(*flower) == pytest.approx(0.47, abs=0.005)
