"""Networks and optimizers of each backend against the independent oracle."""

from __future__ import annotations

import functools

import arrays
import naive_networks as naive
import network_cases as cases
import numpy as np
import pytest

from dlkernels import catalogue, optimizers

#: Layers and examples: below, at and above the widths of vectors and tiles, from one layer to four.
SHAPES = [
    ((1, 1), 1), ((3, 2), 7), ((17, 9), 15), ((100, 1), 9), ((49, 31), 8),
    ((1, 1, 1), 1), ((7, 9, 3), 8), ((31, 33, 17), 17), ((2, 3, 2), 100), ((9, 100, 8), 3),
    ((8, 15, 7, 2), 33), ((47, 49, 33, 15), 9), ((4, 1, 1, 3), 49), ((3, 1, 2), 31),
    ((3, 9, 8, 7, 5), 9), ((15, 100, 17, 31, 8), 7), ((33, 47, 1, 49, 16), 3),
]  # fmt: skip
#: Each output with some of these, and each of these with one output.
CASES = [(*SHAPES[i], target) for target in cases.TARGETS for i in (1, 6, 14)]
CASES += [(*shape, cases.TARGETS[i % 5]) for i, shape in enumerate(SHAPES) if i not in (1, 6, 14)]
ACTIVATIONS = ("tanh", "leaky_relu", "sigmoid")
SLOPE = 0.25


def hidden(sizes):
    """Another activation in each hidden layer."""
    return ACTIVATIONS[: len(sizes) - 2]


@functools.cache
def expected_gradient(sizes, m, target, activations, weighted=False, l2=0.0):
    network = cases.network(sizes, m, target)
    weights = np.ravel(cases.weights(m)).tolist() if weighted else None
    return naive.network_propagate(
        **network.given(), activations=activations, negative_slope=SLOPE, sample_weight=weights, l2=l2
    )


@functools.cache
def expected_outputs(sizes, m, target, activations):
    network = cases.network(sizes, m, target)
    given = {key: value for key, value in network.given().items() if key != "Y"}
    return naive.network_forward(**given, activations=activations, negative_slope=SLOPE)


def propagate(backend, network, **more):
    given = network.given()
    before = {key: np.array(value).tobytes() for key, value in given.items()}
    out = np.full_like(network.theta, np.nan)
    gradient, cost = backend.network_propagate(**given, negative_slope=SLOPE, out=out, **more)
    assert gradient is out
    for key, value in given.items():
        assert np.array(value).tobytes() == before[key], f"{key} was changed"
    again, same = backend.network_propagate(**given, negative_slope=SLOPE, **more)
    assert (again.tobytes(), same) == (gradient.tobytes(), cost)
    assert (type(again), again.dtype, again.shape) == (np.ndarray, network.theta.dtype, network.theta.shape)
    return gradient, cost


def assert_gradient(actual, expected, network):
    cases.assert_layers_close(actual[0], expected[0], network.sizes, network.theta.dtype)
    cases.assert_number_close(actual[1], expected[1], network.theta.dtype)


@pytest.mark.parametrize(("sizes", "m", "target"), CASES, ids=str)
def test_gradient_and_cost(backend, sizes, m, target, dtype):
    network = cases.network(sizes, m, target).cast(dtype)
    actual = propagate(backend, network, activations=hidden(sizes))
    assert_gradient(actual, expected_gradient(sizes, m, target, hidden(sizes)), network)


@pytest.mark.parametrize(("sizes", "m", "target"), [case for case in CASES if case[2] != "classes"], ids=str)
def test_outputs(backend, sizes, m, target, dtype):
    network = cases.network(sizes, m, target).cast(dtype)
    theta, _, X, _, output = network
    out = np.full((sizes[-1], m), np.nan, dtype)
    given = (theta, sizes, X, hidden(sizes), output)
    assert backend.network_forward(*given, negative_slope=SLOPE, out=out) is out
    expected = expected_outputs(sizes, m, target, hidden(sizes))
    arrays.assert_agree(out, expected, dtype, scale=4.0 * max(1.0, np.max(np.abs(expected))))
    again = backend.network_forward(*given, negative_slope=SLOPE)
    assert again.tobytes() == out.tobytes()
    assert (type(again), again.dtype, again.flags.c_contiguous) == (np.ndarray, dtype, True)


@pytest.mark.parametrize("order", ["as they stand", "permuted"])
@pytest.mark.parametrize(
    ("sizes", "m"), [((64, 16), 37), ((70, 9, 3), 33), ((131, 3, 2), 1), ((31, 33, 17), 101)], ids=str
)
def test_rows_of_many_features(backend, sizes, m, order, dtype):
    """Examples whose features lie side by side. For few units the compiled backend reads them by rows.

    Otherwise it transposes them: 101 examples of 31 features are whole squares and parts, in two tiles.
    """
    network = cases.network(sizes, m, "identity").cast(dtype)
    expected = expected_gradient(sizes, m, "identity", hidden(sizes))
    numbers = np.random.RandomState(1).permutation(m) if order == "permuted" else np.arange(m)
    X, Y = np.empty_like(network.X, order="F"), np.empty_like(network.Y)
    X[:, numbers], Y[:, numbers] = network.X, network.Y
    shuffled = network._replace(X=X, Y=Y)
    assert_gradient(propagate(backend, shuffled, activations=hidden(sizes)), expected, network)
    theta = network.theta.copy()
    cost = backend.train_epoch(
        theta, sizes, optimizers.SGD(1.0), X, Y, hidden(sizes), "identity", batch_size=m, order=numbers,
        negative_slope=SLOPE,
    )  # fmt: skip
    assert_gradient((network.theta - theta, cost), expected, network)
    A = backend.network_forward(theta, sizes, X, hidden(sizes), "identity", negative_slope=SLOPE)
    C = backend.network_forward(
        theta, sizes, np.ascontiguousarray(X), hidden(sizes), "identity", negative_slope=SLOPE
    )
    arrays.assert_agree(A, C, dtype, scale=4.0 * max(1.0, np.max(np.abs(C))))
    expected = naive.network_forward(theta, sizes, X, hidden(sizes), "identity", SLOPE)
    arrays.assert_agree(A, expected, dtype, scale=4.0 * max(1.0, np.max(np.abs(expected))))


@pytest.mark.parametrize("activation", arrays.ACTIVATIONS)
@pytest.mark.parametrize("target", ["sigmoid", "classes"])
def test_every_activation(backend, activation, target, dtype):
    """By one name for all hidden layers; `SLOPE` reaches leaky ReLU alone."""
    sizes, m = (5, 9, 17, 3), 19
    network = cases.network(sizes, m, target).cast(dtype)
    actual = propagate(backend, network, activations=activation)
    assert_gradient(actual, expected_gradient(sizes, m, target, activation), network)


@pytest.mark.parametrize("target", cases.TARGETS)
@pytest.mark.parametrize(("sizes", "m"), [((6, 3), 17), ((7, 9, 17, 3), 33)], ids=str)
def test_weights_and_penalty(backend, sizes, m, target, dtype):
    network = cases.network(sizes, m, target).cast(dtype)
    weights = cases.weights(m).astype(dtype)
    actual = propagate(backend, network, activations=hidden(sizes), sample_weight=weights, l2=0.375)
    expected = expected_gradient(sizes, m, target, hidden(sizes), weighted=True, l2=0.375)
    assert_gradient(actual, expected, network)
    flat = propagate(backend, network, activations=hidden(sizes), sample_weight=weights[0], l2=0.375)
    assert (flat[0].tobytes(), flat[1]) == (actual[0].tobytes(), actual[1])


def test_defaults(backend):
    """relu, sigmoid, slope 0.01, no weights, no penalty."""
    network = cases.network((3, 4, 2, 2), 6)
    theta, sizes, X, Y, _ = network
    assert_gradient(
        backend.network_propagate(theta, sizes, X, Y), naive.network_propagate(theta, sizes, X, Y), network
    )
    actual = backend.network_propagate(theta, sizes, X, Y, "leaky_relu")
    assert_gradient(actual, naive.network_propagate(theta, sizes, X, Y, "leaky_relu"), network)
    expected = naive.network_forward(theta, sizes, X)
    np.testing.assert_allclose(backend.network_forward(theta, sizes, X), expected, rtol=1e-14)


def test_all_outputs_are_tested():
    assert {"softmax" if name == "classes" else name for name in cases.TARGETS} == set(catalogue.OUTPUTS)
    assert set(catalogue.OUTPUTS) == set(naive.OUTPUTS) == set(naive.LOSSES)
    assert {name for name, _ in cases.OPTIMIZERS} == set(naive.RULES)


# -- epochs ------------------------------------------------------------------------------------------

ORDER = [4, 0, 7, 7, 2, 9, 1, 10, 3, 5, 0]


@functools.cache
def expected_epoch(i, target, weighted):
    """Two epochs in one order, batches of 4, 4 and 3 examples: (theta, costs)."""
    name, settings = cases.OPTIMIZERS[i]
    step, _ = naive.optimizer(name, **settings)
    network = cases.network((3, 5, 2), 11, target)
    given, costs = network.given(), []
    weights = cases.weights(11).ravel().tolist() if weighted else None
    for _ in range(2):
        given["theta"], cost = naive.train_epoch(
            **given, step=step, activations="tanh", batch_size=4, order=ORDER, sample_weight=weights,
            l2=0.125 if weighted else 0.0,
        )  # fmt: skip
        costs.append(cost)
    return given["theta"], costs


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("target", ["sigmoid", "classes", "exp"])
@pytest.mark.parametrize("i", range(len(cases.OPTIMIZERS)), ids=cases.SETTINGS)
def test_epochs(backend, i, target, weighted, dtype):
    name, settings = cases.OPTIMIZERS[i]
    optimizer = getattr(optimizers, name)(**settings)
    network = cases.network((3, 5, 2), 11, target).cast(dtype)
    more = {"sample_weight": cases.weights(11).astype(dtype), "l2": 0.125} if weighted else {}
    theta, costs = expected_epoch(i, target, weighted)
    for epoch in range(2):
        cost = backend.train_epoch(
            **network.given(), optimizer=optimizer, activations="tanh", batch_size=4, order=ORDER, **more
        )
        cases.assert_number_close(cost, costs[epoch], dtype, 200)
    assert optimizer.state["step"].tolist() == [6]
    cases.assert_layers_close(network.theta, theta, network.sizes, dtype, 200)


# -- optimizers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 8, 9, 15, 17, 31, 33, 49, 100])
@pytest.mark.parametrize("i", range(len(cases.OPTIMIZERS)), ids=cases.SETTINGS)
def test_steps(i, size, dtype):
    """Five steps: theta, and every array of the state."""
    name, settings = cases.OPTIMIZERS[i]
    optimizer, (step, state) = getattr(optimizers, name)(**settings), naive.optimizer(name, **settings)
    rng = np.random.RandomState(size)
    theta = arrays.grid(rng, size).astype(dtype)
    expected = naive._numbers(theta)
    for _ in range(5):
        gradient = arrays.grid(rng, size).astype(dtype)
        kept = gradient.copy()
        assert optimizer.step(theta, gradient) is None
        assert gradient.tobytes() == kept.tobytes()
        expected = step(expected, naive._numbers(gradient))
    arrays.assert_close(theta, expected, dtype)
    assert set(optimizer.state) >= set(state)
    for key, value in optimizer.state.items():
        if key == "step":
            assert (value.dtype, value.tolist()) == (np.int64, [5])
        else:
            assert (value.dtype, value.shape) == (dtype, theta.shape)
            arrays.assert_close(value, state.get(key, np.zeros(size)), dtype)  # not used: 0
