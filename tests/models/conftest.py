"""Data that the model tests share."""

from __future__ import annotations

import numpy as np
import pytest

BACKENDS = ("python", "numpy", "numba")


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture
def flower():
    """The planar flower of the course, drawn as its own notebook draws it."""
    random = np.random.RandomState(1)
    m, n = 400, 200
    X, Y = np.zeros((2, m)), np.zeros((1, m))
    for j in range(2):
        part = slice(n * j, n * (j + 1))
        t = np.linspace(j * 3.12, (j + 1) * 3.12, n) + random.randn(n) * 0.2
        r = 4 * np.sin(4 * t) + random.randn(n) * 0.2
        X[:, part] = r * np.sin(t), r * np.cos(t)
        Y[:, part] = j
    return X, Y


@pytest.fixture
def small():
    random = np.random.default_rng(5)
    X = random.normal(size=(3, 40))
    return X, (X[:1] - 0.5 * X[1:2] > 0.1).astype(int)
