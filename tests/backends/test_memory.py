"""Outputs and parameters that share memory with an input, or aren't plain arrays."""

from __future__ import annotations

import numpy as np
import pytest


class Lent:
    """Like a data frame or a tensor: no array, but one that shares its memory."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


@pytest.mark.parametrize("lend", [memoryview, Lent])
def test_overlap_is_seen_through_what_lends_its_memory(backend, lend):
    buffer = np.linspace(-3, 3, 501)
    before = buffer.copy()
    Z, out = buffer[:-1], buffer[1:]
    with pytest.raises(ValueError, match="sigmoid: out overlaps Z"):
        backend.sigmoid(lend(Z), out=out)
    with pytest.raises(ValueError, match="sigmoid_backward: out overlaps A"):
        backend.sigmoid_backward(np.ones(500), lend(Z), out=out)
    w, X = buffer[:3].reshape(3, 1), buffer[:300].reshape(3, 100)
    with pytest.raises(ValueError, match="logistic_descent: w overlaps X"):
        backend.logistic_descent(w, 0.0, lend(X), np.ones((1, 100)), 0.1, 2)
    with pytest.raises(ValueError, match=r"gradient_descent: parameters.*overlaps"):
        backend.gradient_descent([buffer[:4], buffer[4:8]], [np.ones(4), lend(buffer[:4])], 0.1)
    np.testing.assert_array_equal(buffer, before)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_a_matrix_is_read_but_never_written(backend):
    matrix = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    assert type(backend.relu(matrix)) is np.ndarray
    for call in (
        lambda: backend.sigmoid(np.zeros((2, 2)), out=matrix),
        lambda: backend.dense_forward(np.eye(2), np.eye(2), np.zeros((2, 1)), out=matrix),
        lambda: backend.gradient_descent([matrix], [np.ones((2, 2))], 1.0),
    ):
        with pytest.raises(TypeError, match="plain NumPy array, not matrix"):
            call()
    np.testing.assert_array_equal(matrix, [[1, 2], [3, 4]])


def test_a_memory_map_is_written(backend, tmp_path):
    out = np.memmap(tmp_path / "out", np.float64, "w+", shape=(3,))
    assert backend.sigmoid([0.0, 0.0, 0.0], out=out) is out
    np.testing.assert_array_equal(out, [0.5] * 3)
    backend.gradient_descent([out], [[0.5] * 3], 1.0)
    np.testing.assert_array_equal(out, [0.0] * 3)
    out._mmap.close()


def test_a_string_array_is_named(backend):
    with pytest.raises(TypeError, match="sigmoid: Z has dtype StringDType"):
        backend.sigmoid(np.array(["1"], dtype=np.dtypes.StringDType()))
