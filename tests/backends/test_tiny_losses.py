"""Losses far smaller than the numbers that they are computed from, in every function that returns a cost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlkernels import backends


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m", [2, 40])
def test_confident_and_right(backend, dtype, m):
    """z = 30 with y = 1: the loss is log(1 + e^-30), although max(z, 0) and y z are 30."""
    expected = pytest.approx(math.log1p(math.exp(-30)), rel=4e-7 if dtype == "float32" else 1e-15)
    Z, Y, X = np.full((1, m), 30, dtype), np.ones((1, m), dtype), np.ones((1, m), dtype)
    assert backend.binary_cross_entropy_with_logits(Z, Y) == expected
    assert backend.binary_cross_entropy_with_logits(-Z, 0 * Y) == expected
    w = np.full((1, 1), 30, dtype)
    assert backend.logistic_propagate(w, 0.0, X, Y)[2] == expected
    W1, zero = np.ones((1, 1), dtype), np.zeros((1, 1), dtype)
    assert backend.shallow_propagate(W1, zero, w, zero, X, Y, "identity")[4] == expected
    assert backend.logistic_descent(w.copy(), 0.0, X, Y, 0.1, 1)[1] == expected
    assert backend.shallow_descent(W1, zero, w, zero.copy(), X, Y, 0.1, 1, "identity") == expected


def test_huge_logits_have_a_finite_mean(backend):
    """The sum of these losses overflows; their mean doesn't."""
    Z = np.full((1, 4), 1e308)
    assert backend.binary_cross_entropy_with_logits(Z, np.zeros((1, 4))) == pytest.approx(1e308, rel=1e-15)
    assert backend.binary_cross_entropy_with_logits(Z, np.ones((1, 4))) == 0
    twos = np.full((1, 4), 2.0)
    assert backend.binary_cross_entropy_with_logits(Z, twos) == pytest.approx(-1e308, rel=1e-15)
    X, w = np.ones((1, 4)), np.full((1, 1), 1e308)
    assert backend.logistic_propagate(w, 0.0, X, np.ones((1, 4)))[2] == 0


def test_small_gradients_keep_their_digits():
    """dz near the smallest float32: divided by the million examples first, it would lose a tenth."""
    m = 1_000_000
    X, Y = np.full((1, m), -85.0, np.float32), np.zeros((1, m), np.float32)
    exact = np.exp(-85.0)
    dw, db, _ = backends.get("numba").logistic_propagate(np.ones((1, 1), np.float32), 0.0, X, Y)
    assert abs(db / exact - 1) < 3e-7
    assert abs(dw[0, 0] / (-85 * exact) - 1) < 3e-7
