"""Weights, batches and the order of examples: what must come out the same in two ways."""

from __future__ import annotations

import network_cases as cases
import numpy as np
import pytest

from dlkernels import optimizers

SIZES, M = (7, 9, 8, 3), 37


def gradient_and_cost(backend, network, **more):
    return backend.network_propagate(**network.given(), activations="tanh", **more)


def assert_same(actual, expected, network, roundings=100):
    cases.assert_layers_close(actual[0], expected[0], network.sizes, network.theta.dtype, roundings)
    cases.assert_number_close(actual[1], expected[1], network.theta.dtype, roundings)


def epoch(backend, network, optimizer=None, **more):
    """(theta after an epoch, cost) of a copy of the network."""
    theta = network.theta.copy()
    cost = backend.train_epoch(
        **network._replace(theta=theta).given(),
        optimizer=optimizers.Adam(0.01) if optimizer is None else optimizer, activations="tanh", **more,
    )  # fmt: skip
    assert type(cost) is float
    return theta, cost


def repeated(network, counts):
    columns = np.repeat(np.arange(network.X.shape[1]), counts)
    return network._replace(X=network.X[:, columns], Y=network.Y[:, columns])


@pytest.mark.parametrize("target", cases.TARGETS)
def test_a_weight_of_2_is_the_example_twice_and_0_is_none(backend, target, dtype):
    network = cases.network(SIZES, M, target).cast(dtype)
    counts = np.random.RandomState(1).randint(0, 3, M)
    actual = gradient_and_cost(backend, network, sample_weight=counts, l2=0.25)
    assert_same(actual, gradient_and_cost(backend, repeated(network, counts), l2=0.25), network)


def test_weights_count_by_their_ratios(backend, dtype):
    network = cases.network(SIZES, M).cast(dtype)
    weights = cases.weights(M).astype(dtype)
    expected = gradient_and_cost(backend, network, sample_weight=weights)
    for factor in (2.0**-100, 2.0**100):
        actual = gradient_and_cost(backend, network, sample_weight=weights * dtype.type(factor))
        assert_same(actual, expected, network)
    ones = gradient_and_cost(backend, network, sample_weight=np.ones(M, dtype))
    assert_same(ones, gradient_and_cost(backend, network), network)


def test_classes_are_columns_of_one_1(backend, dtype):
    """As integers, as floats and as columns: the same up to rounding."""
    network = cases.network(SIZES, M, "classes").cast(dtype)
    one_hot = network._replace(Y=(np.arange(3)[:, None] == network.Y).astype(dtype))
    expected = gradient_and_cost(backend, one_hot)
    assert_same(gradient_and_cost(backend, network), expected, network)
    for kind in (np.int64, np.uint8):
        actual = gradient_and_cost(backend, network._replace(Y=network.Y.astype(kind)))
        assert_same(actual, expected, network)
    alone = epoch(backend, network, batch_size=8)
    assert_same(epoch(backend, one_hot, batch_size=8), alone, network)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("i", [0, 3, 5, 7, 9])
@pytest.mark.parametrize("batch_size", [1, 8, 10, M, 1000])
def test_an_epoch_is_its_batches_by_hand(backend, batch_size, i, weighted, dtype):
    network = cases.network(SIZES, M, "softmax").cast(dtype)
    name, settings = cases.OPTIMIZERS[i]
    weights = cases.weights(M).astype(dtype)[0]
    order = np.random.RandomState(2).permutation(M)[:-3]
    more = {"sample_weight": weights} if weighted else {}
    actual = epoch(
        backend, network, getattr(optimizers, name)(**settings), batch_size=batch_size, order=order, l2=0.125,
        **more,
    )  # fmt: skip

    optimizer, theta, cost, total = getattr(optimizers, name)(**settings), network.theta.copy(), 0.0, 0.0
    for start in range(0, order.size, batch_size):
        batch = order[start : start + batch_size]
        part = network._replace(theta=theta, X=network.X[:, batch], Y=network.Y[:, batch])
        of_batch = {"sample_weight": weights[batch]} if weighted else {}
        share = float(weights[batch].sum()) if weighted else batch.size
        if share == 0:
            continue
        gradient, J = gradient_and_cost(backend, part, l2=0.125, **of_batch)
        optimizer.step(theta, gradient)
        cost, total = cost + share * J, total + share
    # With one example a batch and one rounding a step, differences add up over the steps.
    assert_same(actual, (theta, cost / total), network, 100 if batch_size > 1 else 1000)


@pytest.mark.parametrize("sizes", [SIZES, (70, 9)], ids=str)
@pytest.mark.parametrize("memory", ["C", "F"])
def test_a_large_batch_is_the_mean_of_its_parts(backend, sizes, memory, dtype):
    """Two batches of 1100 examples, and one of 7. The compiled backend sums large batches in parts."""
    count, large = 2207, 1100
    network = cases.network(sizes, count, "softmax").cast(dtype)
    X = np.asarray(network.X, order=memory)
    actual = epoch(backend, network._replace(X=X), optimizers.SGD(0.5), batch_size=large, l2=0.25)
    theta, mean = network.theta.copy(), 0.0
    for start in range(0, count, large):
        stop, gradient, cost = min(start + large, count), 0.0, 0.0
        for first in range(start, stop, 100):
            part = slice(first, min(first + 100, stop))
            examples = network._replace(theta=theta, X=network.X[:, part], Y=network.Y[:, part])
            g, J = gradient_and_cost(backend, examples, l2=0.25)
            share = (part.stop - part.start) / (stop - start)
            gradient, cost = gradient + share * g, cost + share * J
        theta = (theta - 0.5 * gradient).astype(dtype)
        mean += cost * (stop - start) / count
    assert_same(actual, (theta, mean), network)


def test_a_batch_of_weights_0_changes_nothing(backend, dtype):
    """Neither theta nor the step nor a moment: as if its examples weren't in the order."""
    network = cases.network(SIZES, M).cast(dtype)
    weights = np.ones(M, dtype)
    weights[5:10] = 0
    first, second, nothing = np.arange(5), np.arange(10, 15), np.arange(5, 10)
    for order in (
        np.r_[first, nothing, second],
        np.r_[nothing, first, second],
        np.r_[first, second, nothing],
    ):
        with_it, without = (optimizers.Adam(0.01, weight_decay=0.1) for _ in range(2))
        actual = epoch(backend, network, with_it, batch_size=5, order=order, sample_weight=weights, l2=0.5)
        expected = epoch(
            backend, network, without, batch_size=5, order=np.r_[first, second], sample_weight=weights, l2=0.5
        )
        assert actual[0].tobytes() == expected[0].tobytes()
        cases.assert_number_close(actual[1], expected[1], dtype)
        for key, value in without.state.items():
            assert with_it.state[key].tobytes() == value.tobytes(), key
        assert with_it.state["step"].tolist() == [2]


@pytest.mark.parametrize("batch_size", [1, 5, 16, 64])
@pytest.mark.parametrize("k", [1, 7, 8, 9, 37, 100])
def test_order_takes_the_columns(backend, k, batch_size, dtype):
    """In either memory order, with repetitions, more of them than there are examples, or fewer."""
    network = cases.network(SIZES, M, "identity").cast(dtype)
    order = np.random.RandomState(k).randint(0, M, k)
    taken = network._replace(X=network.X[:, order].copy(), Y=network.Y[:, order].copy())
    expected = epoch(backend, taken, batch_size=batch_size)
    for X in (network.X, np.asfortranarray(network.X)):
        for given in (order, order.tolist(), order.astype(np.int32), order.astype(np.uint8)):
            actual = epoch(backend, network._replace(X=X), batch_size=batch_size, order=given)
            assert_same(actual, expected, network, 1000)


def test_without_an_order_the_columns_as_they_stand(backend, dtype):
    network = cases.network(SIZES, M).cast(dtype)
    for X in (network.X, np.asfortranarray(network.X)):
        expected = epoch(backend, network._replace(X=X), batch_size=8)
        actual = epoch(backend, network._replace(X=X), batch_size=8, order=range(M))
        assert_same(actual, expected, network)


@pytest.mark.parametrize("i", range(len(cases.OPTIMIZERS)), ids=cases.SETTINGS)
def test_resumed_training_gives_the_same_bits(backend, i, dtype):
    """From saved theta, state and orders, in a new optimizer; what was saved isn't changed later."""
    name, settings = cases.OPTIMIZERS[i]
    network = cases.network(SIZES, M, "classes").cast(dtype)
    rng = np.random.RandomState(0)
    orders = [rng.permutation(M) for _ in range(4)]

    def train(theta, optimizer, orders):
        given = network._replace(theta=theta).given()
        return [
            backend.train_epoch(**given, optimizer=optimizer, activations="tanh", batch_size=8, order=order)
            for order in orders
        ]

    whole, theta = getattr(optimizers, name)(**settings), network.theta.copy()
    costs = train(theta, whole, orders)

    first, start = getattr(optimizers, name)(**settings), network.theta.copy()
    early = train(start, first, orders[:2])
    saved = {key: np.array(value) for key, value in first.state.items()}, start.copy()
    train(start, first, orders[2:])

    state, resumed = {key: value.copy() for key, value in saved[0].items()}, saved[1]
    again = getattr(optimizers, name)(**settings)
    again.state = state
    assert early + train(resumed, again, orders[2:]) == costs
    assert resumed.tobytes() == theta.tobytes() == start.tobytes()
    for key, value in whole.state.items():
        assert again.state[key].tobytes() == value.tobytes()
        assert state[key].tobytes() == saved[0][key].tobytes(), "the given state was changed"


def test_settings_may_change_between_epochs(backend):
    """A schedule: two epochs at rate 0.1, then one at 0.01 is not three at 0.1."""
    network = cases.network(SIZES, M)
    changed, by_hand = optimizers.SGD(0.1), network.theta.copy()
    theta = network.theta
    for rate in (0.1, 0.1, 0.01):
        changed.learning_rate = rate
        backend.train_epoch(**network.given(), optimizer=changed, batch_size=M)
        gradient, _ = backend.network_propagate(by_hand, *network[1:4])
        by_hand -= rate * gradient
    np.testing.assert_allclose(theta, by_hand, rtol=1e-12, atol=1e-14)


def test_training_learns(backend):
    """Exclusive or, which no straight line fits."""
    X, Y = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]]), np.array([[0.0, 1, 1, 0]])
    theta = cases.parameters(np.random.RandomState(1), (2, 8, 1))
    adam = optimizers.Adam(0.05)
    for _ in range(100 if backend.__name__.endswith(".python") else 400):
        cost = backend.train_epoch(theta, (2, 8, 1), adam, X, Y, "tanh", batch_size=4)
    assert cost < 0.1
    assert (backend.network_forward(theta, (2, 8, 1), X, "tanh") > 0.5).astype(int).tolist() == [[0, 1, 1, 0]]
