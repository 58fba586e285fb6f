"""Networks for tests: parameters, examples, and how results are compared. Everything is seeded.

All numbers that go in are multiples of a power of two, which float32 holds exactly. Thus one answer of the
oracle serves both dtypes.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from arrays import eps, grid

#: The outputs by name; "classes" is softmax with class numbers.
TARGETS = ("identity", "sigmoid", "softmax", "classes", "exp")
#: Optimizers with settings that use every branch of their formulas.
OPTIMIZERS = (
    ("SGD", {"learning_rate": 0.1}),
    ("SGD", {"learning_rate": 0.1, "weight_decay": 0.01}),
    ("SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("RMSprop", {}),
    ("RMSprop", {"learning_rate": 0.02, "alpha": 0.9, "eps": 1e-6, "weight_decay": 0.01, "momentum": 0.5}),
    ("Adam", {}),
    ("Adam", {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.99, "eps": 1e-6, "weight_decay": 0.01}),
    ("AdamW", {}),
    ("AdamW", {"learning_rate": 0.02, "weight_decay": 0.1}),
    ("Adam", {"learning_rate": 0.02, "eps": 1e-3, "epsilon_hat": True}),
)  # fmt: skip
SETTINGS = [f"{name} {i}" for i, (name, _) in enumerate(OPTIMIZERS)]


class Network(NamedTuple):
    """A network and examples, in float64."""

    theta: np.ndarray
    sizes: tuple[int, ...]
    X: np.ndarray
    Y: np.ndarray
    output: str

    def cast(self, dtype):
        """The same, with theta, X and Y of this dtype."""
        arrays = {key: getattr(self, key).astype(dtype) for key in ("theta", "X", "Y")}
        return self._replace(**arrays)

    def given(self):
        """The arguments up to Y, and the output."""
        return {key: getattr(self, key) for key in ("theta", "sizes", "X", "Y", "output")}


def parameters(rng, sizes):
    """Weights of about 1 / sqrt(the layer before), biases up to 1."""
    layers = []
    for before, units in itertools.pairwise(sizes):
        layers += [grid(rng, units, before) / 2 ** round(np.log2(before) / 2), grid(rng, units)]
    return np.concatenate([np.ravel(layer) for layer in layers])


def targets(rng, target, n, m):
    """Y, as this output takes it."""
    if target == "identity":
        return grid(rng, n, m)
    if target == "sigmoid":  # 0 and 1 mostly, and some probabilities
        return np.where(rng.rand(n, m) < 0.2, rng.randint(0, 65, (n, m)) / 64, rng.randint(0, 2, (n, m)))
    if target == "softmax":
        return rng.multinomial(64, np.full(n, 1 / n), m).T / 64
    if target == "classes":
        return rng.randint(0, n, (1, m)).astype(float)
    return rng.poisson(2.0, (n, m)).astype(float)


def network(sizes, m, target="sigmoid", seed=0):
    rng = np.random.RandomState(seed)
    theta, X = parameters(rng, sizes), grid(rng, sizes[0], m)
    Y = targets(rng, target, sizes[-1], m)
    return Network(theta, tuple(sizes), X, Y, "softmax" if target == "classes" else target)


def weights(m, seed=0):
    """Weights of examples (1, m): whole numbers from 0 to 3 and some halves, not all 0."""
    s = np.random.RandomState(seed + 1).randint(0, 7, (1, m)) / 2
    s[0, 0] = 1.5
    return s


def blocks(theta, sizes):
    """The parameters of each layer, W and b in one row."""
    counts = [(before + 1) * units for before, units in itertools.pairwise(sizes)]
    assert np.size(theta) == sum(counts)
    return np.split(np.asarray(theta, np.float64), np.cumsum(counts)[:-1])


def assert_layers_close(actual, expected, sizes, dtype, roundings=100):
    """Each layer equal to some roundings of its largest number."""
    for layer, (have, want) in enumerate(zip(blocks(actual, sizes), blocks(expected, sizes), strict=True)):
        scale = np.abs(want).max() + 1e-3
        np.testing.assert_allclose(
            have / scale, want / scale, rtol=0, atol=roundings * eps(dtype), err_msg=f"layer {layer + 1}"
        )


def assert_number_close(actual, expected, dtype, roundings=50):
    assert type(actual) is float
    np.testing.assert_allclose(actual, expected, rtol=roundings * eps(dtype), atol=roundings * eps(dtype))
