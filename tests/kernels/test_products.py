"""Packed products against the formulas that their docstrings state."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import dlkernels as dk
from dlkernels._kernels import gradients, matmul, packing
from dlkernels._simd import tile

SHAPES = [(1, 1, 1), (4, 2, 11), (8, 3, 48), (9, 5, 49), (3, 0, 4), (0, 2, 3), (2, 2, 0), (17, 6, 26)]
if not numba.config.DISABLE_JIT:
    SHAPES += [(8, 600, 96), (37, 700, 251), (13, 1025, 7), (60, 31, 480), (25, 64, 241), (140, 200, 50)]
    SHAPES += [(20, 600, 128)]


def whole_numbers(rng, dtype, *shape):
    """Small enough that every sum is exact, in whatever order."""
    return rng.integers(-4, 5, shape).astype(dtype)


def multiplied(W, X, start, W_transposed, X_transposed, dtype):
    (n, k), m = W.shape, X.shape[1]
    out = np.full((n, m + 3), np.nan, dtype)  # rows are 3 longer than what is written
    packed = np.full(packing.whole_strips(n, out) * k, np.nan, dtype)
    left = np.ascontiguousarray(W.T if W_transposed else W).reshape(-1)
    right = np.ascontiguousarray(X.T if X_transposed else X).reshape(-1)
    packing.pack_left(n, k, left, W_transposed, 0, k, packed)
    length = k if X_transposed else m
    padded = np.full(packing.whole_strips(n, out), np.nan, dtype)
    padded[:n] = start
    strips = padded.size // tile.rows(out)
    panel = np.full(matmul.product_room(strips, k, length, X_transposed, matmul.PANEL, out), np.nan, dtype)
    for j in range(0, m, matmul.PANEL):
        width = min(matmul.PANEL, m - j)
        matmul.product.compiled(
            packed, 0, n, k, right, length, X_transposed, j, width, padded, out.reshape(-1), m + 3, j + 1,
            panel,
        )  # fmt: skip
    return out


@pytest.mark.parametrize("n", [1, 17, 200])  # with 17 rows X is packed
@pytest.mark.parametrize("order", "CF")
def test_a_layer_of_no_examples(n, order, dtype):
    X = np.empty((3, 0), dtype, order=order)
    assert dk.dense_forward(np.ones((n, 3), dtype), X, np.ones((n, 1), dtype)).shape == (n, 0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("W_transposed", [False, True])
@pytest.mark.parametrize("X_transposed", [False, True])
def test_product(shape, W_transposed, X_transposed, dtype, rng):
    n, k, m = shape
    W, X = whole_numbers(rng, dtype, n, k), whole_numbers(rng, dtype, k, m)
    start = whole_numbers(rng, dtype, n)
    out = multiplied(W, X, start, W_transposed, X_transposed, dtype)
    np.testing.assert_array_equal(out[:, 1 : m + 1], W @ X + start[:, None])
    assert np.isnan(out[:, 0]).all()
    assert np.isnan(out[:, m + 1 :]).all()


def test_product_of_some_rows_only(dtype, rng):
    W, X = whole_numbers(rng, dtype, 20, 3), whole_numbers(rng, dtype, 3, 5)
    out = np.full((20, 5), np.nan, dtype)
    strips = packing.whole_strips(20, out)
    packed, zeros = np.full(strips * 3, np.nan, dtype), np.zeros(strips, dtype)
    packing.pack_left(20, 3, W.reshape(-1), False, 0, 3, packed)
    first = tile.rows(out)
    matmul.product.compiled(
        packed, first, 2 * first, 3, X.reshape(-1), 5, False, 0, 5, zeros, out.reshape(-1), 5, 0,
        np.full(matmul.product_room(1, 3, 5, False, 5, out), np.nan, dtype),
    )  # fmt: skip
    np.testing.assert_array_equal(out[first : 2 * first], (W @ X)[first : 2 * first])
    assert np.isnan(out[:first]).all()
    assert np.isnan(out[2 * first :]).all()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradient_is_added(shape, dtype, rng):
    n, m, k = shape  # the summed axis is m here
    D, B = whole_numbers(rng, dtype, n, m), whole_numbers(rng, dtype, k, m)
    G = whole_numbers(rng, dtype, n, k)
    expected = G + D @ B.T
    for across in (False, True) if k >= tile.rows(G) else (False,):
        added = np.array(G.T if across else G, order="C")
        room = np.full(gradients.add_gradient_room(across, n, m, G), np.nan, dtype)
        gradients.add_gradient.compiled(
            D.reshape(-1), 0, m, n, B.reshape(-1), 0, m, k, m, added.reshape(-1), n if across else k, across,
            room,
        )  # fmt: skip
        np.testing.assert_array_equal(added.T if across else added, expected)


@pytest.mark.parametrize(("width", "depth"), [(1, 1), (15, 2), (16, 16), (17, 20), (33, 1), (35, 40)])
def test_pack_transposed(width, depth, dtype, rng):
    B = whole_numbers(rng, dtype, 40, 43)
    out = np.full((depth + 2, width + 2), np.nan, dtype)
    packing.pack_transposed(B.reshape(-1), 43, 3, width, 1, depth, out.reshape(-1), width + 2, width + 2)
    np.testing.assert_array_equal(out[1:-1, :width], B[3 : 3 + width, 1 : 1 + depth].T)
    out[1:-1, :width] = np.nan
    assert np.isnan(out).all()


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("depth", [1, 8, 21])
def test_pack_right(transposed, depth, dtype, rng):
    across = tile.columns(np.zeros(1, dtype))
    for width in (1, across - 1, across, 2 * across + 5):
        B = whole_numbers(rng, dtype, depth + 3, width + 4)  # as it is meant, of which a part is packed
        strips = -(-width // across)
        packed = np.full((strips, depth, across), np.nan, dtype)
        stored = np.ascontiguousarray(B.T if transposed else B)
        for q0, q1 in ((0, depth // 2), (depth // 2, depth)):
            length, flat = stored.shape[1], packed.reshape(-1)
            packing.pack_right(stored.reshape(-1), length, transposed, 3, width, 2, q0, q1, depth, flat)
        expected = np.zeros((depth, strips * across), dtype)
        expected[:, :width] = B[2 : 2 + depth, 3 : 3 + width]
        np.testing.assert_array_equal(packed, expected.reshape(depth, strips, across).transpose(1, 0, 2))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("n", "depth"), [(1, 3), (4, 17), (8, 33), (21, 16)])
def test_pack_strips(transposed, n, depth, dtype, rng):
    W = whole_numbers(rng, dtype, n, depth + 3)
    packed = np.full(packing.whole_strips(n, W) * depth, np.nan, dtype)
    stored = np.ascontiguousarray(W.T if transposed else W).reshape(-1)
    for s in range(packing.whole_strips(n, W) // tile.rows(W)):
        packing.pack_strips(s, s + 1, n, depth + 3, stored, transposed, 2, depth, packed)
        rest = W[s * tile.rows(W) : (s + 1) * tile.rows(W), 2 : 2 + depth]
        height = tile.half_rows(W) if len(rest) <= tile.half_rows(W) else tile.rows(W)
        expected = np.zeros((depth, height), dtype)
        expected[:, : len(rest)] = rest.T
        first = s * tile.rows(W) * depth
        np.testing.assert_array_equal(packed[first : first + depth * height], expected.reshape(-1))


@pytest.mark.parametrize("slots", [1, 2, 3, 5, 8])
def test_merge(slots, dtype, rng):
    parts = whole_numbers(rng, dtype, slots, 3)
    expected = parts.sum(axis=0)
    matmul.merge(slots, 3, parts.reshape(-1), 0, 3)
    np.testing.assert_array_equal(parts[0], expected)
