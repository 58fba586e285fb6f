"""Serial and parallel twins give the same bits, whatever the number of threads, and write every result."""

from __future__ import annotations

import importlib
import pkgutil

import numba
import numpy as np
import pytest

import dlkernels as dk
from dlkernels import _kernels, optimizers
from dlkernels._calls import threads as _threads
from dlkernels._compiler.options import Twins
from dlkernels._kernels import costs, dense_backward, dense_forward, elementwise, shallow, shallow_tall
from dlkernels._kernels.activations import Activation, activate, times_derivative
from dlkernels.catalogue import ACTIVATIONS

SLOW = bool(numba.config.DISABLE_JIT)
#: Around the chunks and tiles of the kernels, where work is split.
LENGTHS = [1, 7, 16, 17] if SLOW else [1, 7, 8, 9, 15, 16, 17, 31, 33, 1023, 1024, 1025, 16385, 40000]


def bits(values):
    """Everything a call returned, as bytes."""
    if isinstance(values, tuple):
        return b"".join(bits(value) for value in values)
    return np.asarray(values).tobytes()


def same_on_every_twin(call):
    with _threads.always(False):
        expected = bits(call())
    assert bits(call()) == expected  # by size, where a small call has a way of its own
    for n in {1, 2, 3, 8} & set(range(1, _threads.maximum() + 1)):
        with _threads.always(True), dk.threads(n):
            assert bits(call()) == expected
            assert bits(call()) == expected


def examples(rng, dtype, n_x, m, order):
    X = np.asarray(rng.normal(size=(n_x, m)), dtype, order=order)
    return X, (rng.uniform(size=(1, m)) > 0.5).astype(dtype)


@pytest.mark.parametrize("m", LENGTHS)
def test_elementwise(m, dtype, rng):
    Z, dA = rng.normal(size=(2, m)).astype(dtype)
    for name in ACTIVATIONS:
        same_on_every_twin(lambda name=name: getattr(dk, name)(Z))
        same_on_every_twin(lambda name=name: getattr(dk, name + "_backward")(dA, Z, Z=Z))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_gives_the_same_bits_anywhere_in_a_row(name, dtype, rng):
    """Epilogues rely on it: how many columns they go over at once depends on the number of threads."""
    activation = Activation(ACTIVATIONS[name].code, 0.01)
    x, saved = (3 * rng.normal(size=(2, 400))).astype(dtype)
    x[::37] = saved[::41] = 0
    x[5::50] *= 30
    saved[7::50] *= 30
    whole, derivative = x.copy(), x.copy()
    activate(activation, whole)
    times_derivative(activation, saved, derivative)
    for start, length in ((0, 16), (16, 16), (3, 7), (0, 1), (5, 33), (9, 200), (1, 8), (2, 397), (31, 48)):
        part = slice(start, start + length)
        row = x[part].copy()
        activate(activation, row)
        assert bits(row) == bits(whole[part])
        row = x[part].copy()
        times_derivative(activation, saved[part].copy(), row)
        assert bits(row) == bits(derivative[part])


@pytest.mark.parametrize("m", LENGTHS)
def test_reductions(m, dtype, rng):
    Z, Y = rng.normal(size=(1, m)).astype(dtype), (rng.uniform(size=(1, m)) > 0.5).astype(dtype)
    A = dk.sigmoid(Z)
    same_on_every_twin(lambda: dk.binary_cross_entropy(A, Y))
    same_on_every_twin(lambda: dk.binary_cross_entropy_with_logits(Z, Y))
    same_on_every_twin(lambda: dk.squared_error(A, Y))
    same_on_every_twin(lambda: dk.dot(A[0], Z[0]))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("n", "n_x", "m"),
    [(1, 1, 1), (5, 3, 9)]
    if SLOW
    else [
        (1, 1, 1),
        (4, 2, 400),
        (70, 30, 1797),
        (91, 248, 9),
        (230, 190, 35),
        (130, 250, 300),
        (515, 517, 300),
        (3, 5, 5000),
        (23, 600, 3900),
        (60, 201, 3000),
    ],
)
def test_dense(n, n_x, m, order, dtype, rng):
    X, _ = examples(rng, dtype, n_x, m, order)
    W, b = np.asarray(rng.normal(size=(n, n_x)), dtype, order=order), rng.normal(size=(n, 1)).astype(dtype)
    same_on_every_twin(lambda: dk.dense_forward(W, X, b, "tanh", return_Z=True))
    A = dk.dense_forward(W, X, b, "tanh")
    same_on_every_twin(lambda: dk.dense_gradients(A, X))
    W_next, dZ_next = rng.normal(size=(2, n)).astype(dtype), rng.normal(size=(2, m)).astype(dtype)
    same_on_every_twin(lambda: dk.dense_backward(W_next, dZ_next, A, X, "tanh"))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("n_x", "m"),
    [(2, 5), (3, 20)] if SLOW else [(1, 1), (2, 400), (30, 569), (700, 900), (7, 20000), (1500, 33)],
)
def test_logistic(n_x, m, order, dtype, rng):
    X, Y = examples(rng, dtype, n_x, m, order)
    w = (rng.normal(size=(n_x, 1)) / n_x).astype(dtype)
    same_on_every_twin(lambda: dk.logistic_propagate(w, 0.3, X, Y))

    def descend():
        start = w.copy()
        return (*dk.logistic_descent(start, 0.3, X, Y, 0.1, 3), start)

    same_on_every_twin(descend)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("activation", ["tanh", "leaky_relu"])
@pytest.mark.parametrize(
    ("n_x", "n_h", "m"), [(2, 3, 5)] if SLOW else [(1, 1, 1), (2, 4, 400), (30, 16, 2000), (300, 40, 500)]
)
def test_shallow(n_x, n_h, m, activation, order, dtype, rng):
    X, Y = examples(rng, dtype, n_x, m, order)
    shapes = ((n_h, n_x), (n_h, 1), (1, n_h), (1, 1))
    parameters = [(rng.normal(size=shape) / 3).astype(dtype) for shape in shapes]
    same_on_every_twin(lambda: dk.shallow_propagate(*parameters, X, Y, activation))

    def descend():
        start = [p.copy() for p in parameters]
        return (dk.shallow_descent(*start, X, Y, 0.1, 3, activation), *start)

    same_on_every_twin(descend)


#: Layers, examples, batch: of the sizes at which the way of a network changes.
NETWORKS = (
    [((3, 4, 2), 9, 4)]
    if SLOW
    else [
        ((1, 1), 1, 1),
        ((30, 16, 1), 569, 32),
        ((13, 8, 3), 178, 16),
        ((4, 32, 16, 4), 5000, 5000),
        ((64, 100, 10), 600, 200),
        ((28, 64, 64, 1), 2000, 256),
        ((100, 49), 5000, 700),
        ((784, 100, 10), 200, 100),
        ((50, 300, 300, 3), 300, 128),
        ((20, 1100, 1000, 2), 130, 64),
        ((1000, 3), 3000, 3000),
    ]
)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("sizes", "m", "batch"), NETWORKS, ids=str)
def test_networks(sizes, m, batch, order, dtype, rng):
    X = np.asarray(rng.normal(size=(sizes[0], m)), dtype, order=order)
    Y = rng.integers(0, max(2, sizes[-1]), (1, m)) if sizes[-1] > 1 else rng.integers(0, 2, (1, m))
    output = "softmax" if sizes[-1] > 1 else "sigmoid"
    start, weights = dk.network_parameters(sizes, 1, dtype=dtype), rng.integers(0, 3, (1, m)).astype(dtype)
    given = (X, Y, "tanh", output)
    same_on_every_twin(lambda: dk.network_forward(start, sizes, X, "tanh", output))
    same_on_every_twin(lambda: dk.network_propagate(start, sizes, *given))
    same_on_every_twin(lambda: dk.network_propagate(start, sizes, *given, sample_weight=weights, l2=0.5))
    shuffled = rng.permutation(m)

    def epochs():
        theta, adam = start.copy(), optimizers.Adam(0.01)
        costs = [
            dk.train_epoch(theta, sizes, adam, *given, batch_size=batch, order=which)
            for which in (None, shuffled)
        ]
        return theta, *costs, adam.state["exp_avg"], adam.state["exp_avg_sq"]

    same_on_every_twin(epochs)


@pytest.mark.parametrize("m", LENGTHS)
@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW"])
def test_optimizers(name, m, dtype, rng):
    start, gradient = rng.normal(size=(2, m)).astype(dtype)

    def steps():
        theta, optimizer = start.copy(), getattr(optimizers, name)(weight_decay=0.1)
        for _ in range(2):
            optimizer.step(theta, gradient)
        return theta, *optimizer.state.values()

    same_on_every_twin(steps)


@pytest.mark.parametrize("m", LENGTHS)
def test_update(m, dtype, rng):
    start, gradient = rng.normal(size=(2, m)).astype(dtype)

    def update():
        parameter = start.copy()
        dk.gradient_descent([parameter], [gradient], 0.1)
        return parameter

    same_on_every_twin(update)
    np.testing.assert_allclose(update(), start - dtype.type(0.1) * gradient, atol=1e-6)


def calls_by_code(code, z, twin):
    """Each kernel that takes a code, called with 3 x 3 matrices; by name."""
    matrix, row = np.ones((3, 3)), np.ones((1, 3))
    workspace = np.zeros(10**5)
    layers = shallow.Network(matrix, row.T.copy(), row, np.ones((1, 1)))
    of_network = (layers, matrix, False, row, Activation(code, 0.0), 0.1, 0, layers, workspace, 1)
    return {
        getattr(kernel, twin): arguments
        for kernel, arguments in {
            elementwise.activation: (code, 0.0, z, z),
            elementwise.activation_backward: (code, 0.0, z, z.copy(), z),
            dense_forward.dense_forward: (
                matrix, False, matrix, False, row.T.copy(), code, 0.0, z, matrix, False, workspace, 1,
            ),
            dense_backward.dense_backward: (
                matrix, False, matrix, False, matrix, code, 0.0, z, workspace, 1,
            ),
            shallow.shallow_steps: of_network,
            shallow_tall.shallow_tall_steps: of_network,
            costs.reduction: (code, z[0], z[0], workspace, 1),
        }.items()
    }  # fmt: skip


@pytest.mark.parametrize("twin", ["serial", "parallel"])
@pytest.mark.parametrize("code", [-1, 99])
def test_a_code_that_stands_for_nothing_is_refused(code, twin):
    z = np.full((3, 3), 7.0)
    for kernel, arguments in calls_by_code(code, z, twin).items():
        with pytest.raises(ValueError, match=r"no (activation|derivative|cost) has this code"):
            kernel(*arguments)
    assert (z == 7).all()


@pytest.mark.skipif(SLOW, reason="compares compiled code")
def test_both_twins_come_from_one_body():
    found = []
    for info in pkgutil.iter_modules(_kernels.__path__, f"{_kernels.__name__}."):
        values = vars(importlib.import_module(info.name)).values()
        found += [value for value in values if isinstance(value, Twins)]
    kernels = {id(twins): twins for twins in found}.values()
    assert len(kernels) >= 12
    for twins in kernels:
        assert twins.serial.py_func.__code__ is twins.parallel.py_func.__code__
        assert twins.parallel.targetoptions["parallel"].prange
        assert "parallel" not in twins.serial.targetoptions
