"""Shapes that are cut into several tiles, panels or slots, against whole-array NumPy.

Small shapes fit one tile: what joins the tiles, and the kernel for many features and few examples, is
reached here only.
"""

from __future__ import annotations

import numpy as np
import pytest
from arrays import assert_close as close

from dlkernels import backends
from dlkernels._calls import threads

ours, plain = backends.get("numba"), backends.get("numpy")

#: Features and examples: around tiles of 240 to 960 columns, several slots, and more than 1024 features.
SHAPES = [(3, 239), (3, 241), (30, 959), (30, 961), (30, 1025), (700, 1100), (5, 20_000)]
TALL = [(1025, 1), (1100, 33), (3000, 209), (1300, 960), (1300, 961)]
#: Features, hidden units, examples; the second row for many features, up to the most units and examples.
NETWORKS = [(2, 4, 2000), (30, 16, 961), (9, 5, 1025), (300, 40, 700)]
NETWORKS += [(1025, 5, 1), (1100, 4, 33), (5000, 7, 209), (1300, 32, 960), (1100, 33, 40)]
#: Units, inputs, examples. dW of 60 units has parts of the examples and blocks of inputs, none of them whole
#: strips, of 24 units a last block of one input. The 3500 terms of (40, 3500) are added up in several goes.
#: In the last three both matrices are packed: forward in several bands of columns, for dW in several, and
#: forward in one.
LAYERS = [(130, 250, 300), (9, 600, 241), (64, 64, 1797), (3, 2, 20_000), (23, 600, 3900)]
LAYERS += [(60, 201, 3000), (24, 1057, 400), (40, 700, 3100), (40, 3500, 600)]
LAYERS += [(400, 700, 3100), (100, 3500, 2700), (515, 517, 300)]


def examples(n_x, m, order, dtype):
    random = np.random.default_rng((n_x, m))
    X = np.asarray(random.normal(size=(n_x, m)), dtype, order=order)
    return random, X, (random.uniform(size=(1, m)) > 0.5).astype(dtype)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n_x", "m"), SHAPES + TALL)
def test_logistic(n_x, m, order, dtype):
    random, X, Y = examples(n_x, m, order, dtype)
    w = (random.normal(size=(n_x, 1)) / np.sqrt(n_x)).astype(dtype)
    for actual, expected in zip(
        ours.logistic_propagate(w, 0.7, X, Y), plain.logistic_propagate(w, 0.7, X, Y), strict=True
    ):
        close(actual, expected, dtype)
    starts = [w.copy(), w.copy()]
    results = [b.logistic_descent(s, 0.7, X, Y, 0.1, 3) for b, s in zip((ours, plain), starts, strict=True)]
    close(results[0], results[1], dtype)
    close(*starts, dtype)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n_x", "n_h", "m"), NETWORKS)
def test_shallow(n_x, n_h, m, order, dtype):
    random, X, Y = examples(n_x, m, order, dtype)
    shapes = ((n_h, n_x), (n_h, 1), (1, n_h), (1, 1))
    parameters = [(random.normal(size=shape) / np.sqrt(n_x)).astype(dtype) for shape in shapes]
    for activation in ("tanh", "leaky_relu"):
        for actual, expected in zip(
            ours.shallow_propagate(*parameters, X, Y, activation),
            plain.shallow_propagate(*parameters, X, Y, activation),
            strict=True,
        ):
            close(actual, expected, dtype)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n", "n_x", "m"), LAYERS)
def test_dense(n, n_x, m, order, dtype):
    random, X, _ = examples(n_x, m, order, dtype)
    W = np.asarray(random.normal(size=(n, n_x)) / np.sqrt(n_x), dtype, order=order)
    b = random.normal(size=(n, 1)).astype(dtype)
    for actual, expected in zip(
        ours.dense_forward(W, X, b, "relu", return_Z=True),
        plain.dense_forward(W, X, b, "relu", return_Z=True),
        strict=True,
    ):
        close(actual, expected, dtype)
    Z = plain.dense_forward(W, X, b)
    W_next, dZ_next = random.normal(size=(2, n)).astype(dtype), random.normal(size=(2, m)).astype(dtype)
    for actual, expected in zip(
        ours.dense_backward(W_next, dZ_next, Z, X, "relu"),
        plain.dense_backward(W_next, dZ_next, Z, X, "relu"),
        strict=True,
    ):
        close(actual, expected, dtype)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n", "n_x", "m"), LAYERS)
def test_layers_have_the_same_bits_serial_and_parallel(n, n_x, m, order, dtype):
    random, X, _ = examples(n_x, m, order, dtype)
    W, b = random.normal(size=(n, n_x)).astype(dtype), random.normal(size=(n, 1)).astype(dtype)
    W_next, dZ_next = random.normal(size=(2, n)).astype(dtype), random.normal(size=(2, m)).astype(dtype)
    results = []
    for parallel in (False, True):
        with threads.always(parallel):
            A = ours.dense_forward(W, X, b, "tanh")
            results.append((A, *ours.dense_backward(W_next, dZ_next, A, X, "tanh")))
    for serial, parallel in zip(*results, strict=True):
        np.testing.assert_array_equal(serial, parallel)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n_x", "n_h", "m"), NETWORKS)
def test_networks_have_the_same_bits_serial_and_parallel(n_x, n_h, m, order, dtype):
    random, X, Y = examples(n_x, m, order, dtype)
    parameters = [
        random.normal(size=shape).astype(dtype) for shape in ((n_h, n_x), (n_h, 1), (1, n_h), (1, 1))
    ]
    results = []
    for parallel in (False, True):
        updated = [p.copy() for p in parameters]
        with threads.always(parallel):
            gradients = ours.shallow_propagate(*parameters, X, Y)
            ours.shallow_descent(*updated, X, Y, 0.1, 3)
        results.append((*gradients, *updated))
    for serial, parallel in zip(*results, strict=True):
        np.testing.assert_array_equal(serial, parallel)


@pytest.mark.parametrize("m", [3, 128])
def test_a_layer_without_inputs_is_its_bias(m, dtype):
    # Rows of 128 numbers are packed rather than read in place, where there is something to pack.
    b = np.arange(40, dtype=dtype)[:, None]
    A = ours.dense_forward(np.zeros((40, 0), dtype), np.zeros((0, m), dtype), b)
    np.testing.assert_array_equal(A, np.repeat(b, m, axis=1))
