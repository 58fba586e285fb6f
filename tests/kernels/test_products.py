"""Products, packed or not, against the formulas that their docstrings state."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import dlkernels as dk
from dlkernels._kernels import gradient_sums, micro_kernel, packing, sharing, tile_products, unpacked
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
    packed = np.full(packing.padded_rows(n, out) * k, np.nan, dtype)
    left, right = stored(W, W_transposed), stored(X, X_transposed)
    packing.pack_left(n, left, 0, k, packed)
    padded = np.full(packing.padded_rows(n, out), np.nan, dtype)
    padded[:n] = start
    panels = padded.size // tile.mr(out)
    size = micro_kernel.panel_workspace(panels, k, right.row_length, X_transposed, micro_kernel.PANEL, out)
    workspace = np.full(size, np.nan, dtype)
    for j in range(0, m, micro_kernel.PANEL):
        width = min(micro_kernel.PANEL, m - j)
        target = micro_kernel.Target(out.reshape(-1), j + 1, m + 3, width, padded, True)
        micro_kernel.multiply_panel(micro_kernel.Left(packed, k, 0, 0, n), right, j, target, workspace)
    return out


def stored(matrix, transposed):
    """A matrix as kernels take it, as it is or as its transpose."""
    rows = np.ascontiguousarray(matrix.T if transposed else matrix)
    return packing.Matrix(rows.reshape(-1), rows.shape[1], transposed)


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


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("W_transposed", [False, True])
@pytest.mark.parametrize("X_transposed", [False, True])
def test_product_of_a_matrix_as_it_lies(shape, W_transposed, X_transposed, dtype, rng):
    """Panels of all columns, for all rows and for those from the second tile on; nothing else is written."""
    n, k, m = shape
    height, across = tile.mr(np.zeros(1, dtype)), 2 * tile.nr(np.zeros(1, dtype))
    n += height  # fewer rows would be packed
    W, X = whole_numbers(rng, dtype, n, k), whole_numbers(rng, dtype, k, m)
    bias = whole_numbers(rng, dtype, n)
    start = np.full(n + 3 + height, np.nan, dtype)  # 3 numbers are never read
    unpacked.fill_start(bias, start)
    size = unpacked.unpacked_workspace(k, across, W_transposed, start)
    left, right = stored(W, W_transposed), stored(X, X_transposed)
    for first in (0, height):
        out = np.full((n, m + 3), np.nan, dtype)
        for j in range(0, m, across):
            corner, width = first * (m + 3) + j + 1, min(across, m - j)
            target = micro_kernel.Target(out.reshape(-1), corner, m + 3, width, start, False)
            workspace = np.full(size, np.nan, dtype)
            unpacked.multiply_unpacked(left, k, first, n, right, j, target, workspace)
        np.testing.assert_array_equal(out[first:, 1 : m + 1], (W @ X + bias[:, None])[first:])
        out[first:, 1 : m + 1] = np.nan
        assert np.isnan(out).all()


def test_product_of_some_rows_only(dtype, rng):
    W, X = whole_numbers(rng, dtype, 20, 3), whole_numbers(rng, dtype, 3, 5)
    out = np.full((20, 5), np.nan, dtype)
    padded = packing.padded_rows(20, out)
    packed, zeros = np.full(padded * 3, np.nan, dtype), np.zeros(padded, dtype)
    packing.pack_left(20, stored(W, False), 0, 3, packed)
    first = tile.mr(out)
    left = micro_kernel.Left(packed, 3, 0, first, 2 * first)
    target = micro_kernel.Target(out.reshape(-1), first * 5, 5, 5, zeros, True)
    workspace = np.full(micro_kernel.panel_workspace(1, 3, 5, False, 5, out), np.nan, dtype)
    micro_kernel.multiply_panel(left, stored(X, False), 0, target, workspace)
    np.testing.assert_array_equal(out[first : 2 * first], (W @ X)[first : 2 * first])
    assert np.isnan(out[:first]).all()
    assert np.isnan(out[2 * first :]).all()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradient_is_added(shape, dtype, rng):
    n, m, k = shape  # the summed axis is m here
    D, B = whole_numbers(rng, dtype, n, m), whole_numbers(rng, dtype, k, m)
    G = whole_numbers(rng, dtype, n, k)
    expected = G + D @ B.T
    for across in (False, True) if k >= tile.mr(G) else (False,):
        added = np.array(G.T if across else G, order="C")
        workspace = np.full(gradient_sums.gradient_workspace(across, n, m, G), np.nan, dtype)
        units = gradient_sums.Rows(D.reshape(-1), 0, m, n)
        inputs = gradient_sums.Rows(B.reshape(-1), 0, m, k)
        length = n if across else k
        gradient_sums.add_gradient(units, inputs, m, added.reshape(-1), length, across, workspace)
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
    across = tile.nr(np.zeros(1, dtype))
    for width in (1, across - 1, across, 2 * across + 5):
        B = whole_numbers(rng, dtype, depth + 3, width + 4)  # as it is meant, of which a part is packed
        panels = -(-width // across)
        packed = np.full((panels, depth, across), np.nan, dtype)
        for q0, q1 in ((0, depth // 2), (depth // 2, depth)):
            packing.pack_right(stored(B, transposed), 3, width, 2, q0, q1, depth, packed.reshape(-1))
        expected = np.zeros((depth, panels * across), dtype)
        expected[:, :width] = B[2 : 2 + depth, 3 : 3 + width]
        np.testing.assert_array_equal(packed, expected.reshape(depth, panels, across).transpose(1, 0, 2))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("n", "depth"), [(1, 3), (4, 17), (8, 33), (21, 16)])
def test_pack_left(transposed, n, depth, dtype, rng):
    W = whole_numbers(rng, dtype, n, depth + 3)
    packed = np.full(packing.padded_rows(n, W) * depth, np.nan, dtype)
    for panel in range(packing.padded_rows(n, W) // tile.mr(W)):
        packing.pack_left_panels(panel, panel + 1, n, stored(W, transposed), 2, depth, packed)
        rest = W[panel * tile.mr(W) : (panel + 1) * tile.mr(W), 2 : 2 + depth]
        height = tile.half_mr(W) if len(rest) <= tile.half_mr(W) else tile.mr(W)
        expected = np.zeros((depth, height), dtype)
        expected[:, : len(rest)] = rest.T
        first = panel * tile.mr(W) * depth
        np.testing.assert_array_equal(packed[first : first + depth * height], expected.reshape(-1))


@pytest.mark.parametrize("slots", [1, 2, 3, 5, 8])
def test_merge(slots, dtype, rng):
    parts = whole_numbers(rng, dtype, slots, 3)
    expected = parts.sum(axis=0)
    sharing.merge(slots, 3, parts.reshape(-1), 0, 3)
    np.testing.assert_array_equal(parts[0], expected)


# -- a layer for a tile of examples ----------------------------------------------------------------------

#: Units, inputs, vectors of examples: whole tiles, half ones, and what is left over.
LAYERS = [(1, 1, 1), (3, 2, 2), (4, 4, 1), (5, 9, 3), (8, 13, 4), (11, 8, 5)]
if not numba.config.DISABLE_JIT:
    LAYERS += [(7, 3, 6), (16, 49, 3), (13, 100, 4), (30, 97, 7), (100, 23, 2), (3, 600, 1)]


def tiles(matrix, rows_apart):
    """A matrix among NaN, its rows `rows_apart` numbers apart, and the same as kernels take it."""
    memory = np.full((matrix.shape[0] + 2, rows_apart), np.nan, matrix.dtype)
    memory[1:-1, : matrix.shape[1]] = matrix
    return memory, tile_products.Tiles(memory.reshape(-1), rows_apart, rows_apart, 0)


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_product_with_a_tile(layer, back, dtype, rng):
    """W A_prev + b, or W^T dZ; nothing is written beside it."""
    n, k, vectors = layer
    width = vectors * tile.lanes(np.zeros(1, dtype))
    W, bias = whole_numbers(rng, dtype, n, k), whole_numbers(rng, dtype, n)
    _, given = tiles(right := whole_numbers(rng, dtype, n if back else k, width), width + 5)
    memory, out = tiles(np.full((k if back else n, width), np.nan, dtype), width + 3)
    if back:
        tile_products.multiply_T(W.reshape(-1), k, given, out, width)
        expected = W.T @ right
    else:
        tile_products.multiply(W.reshape(-1), k, bias, given, out, width)
        expected = W @ right + bias[:, None]
    np.testing.assert_array_equal(memory[1:-1, :width], expected)
    memory[1:-1, :width] = np.nan
    assert np.isnan(memory).all()


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_outer_of_tiles_is_added(layer, fresh, dtype, rng):
    """dW and db of examples in three parts, the last one short: all rows, and a share of them."""
    n, k, length = layer[0], layer[1], 10 * layer[2]
    across, examples = tile.nr(np.zeros(1, dtype)), tile_products.Sums(3, length, length - 3)
    memory = np.full((3 * n + tile.mr(np.zeros(1, dtype)) - 1, length), np.nan, dtype)
    D, A = memory[: 3 * n].reshape(3, n, length), whole_numbers(rng, dtype, 3, length, k)
    D[...] = whole_numbers(rng, dtype, 3, n, length)
    D[-1, :, -3:] = A[-1, -3:] = np.nan  # not among the examples
    panels = tile_products.panels(k, D)
    packed = np.zeros((3, panels // across, length, across), dtype)
    for c in range(k):
        packed[:, c // across, :, c % across] = A[:, :, c]
    left = tile_products.Tiles(memory.reshape(-1), 0, length, n * length)
    right = tile_products.Panels(packed.reshape(-1), 0, length, length * panels)
    expected = sum(d @ a for d, a in zip([*D[:2], D[2, :, :-3]], [*A[:2], A[2, :-3]], strict=True))
    for first, last in {(0, n), (n // 2, n), (n // 3, n - n // 3)}:
        G = np.full((n + 2, k), np.nan, dtype)
        G[1:-1] = before = whole_numbers(rng, dtype, n, k)
        tile_products.add_outer(left, first, last, right, k, examples, G[1:-1].reshape(-1), fresh)
        before[first:last] = expected[first:last] + (0 if fresh else before[first:last])
        np.testing.assert_array_equal(G[1:-1], before)
        assert np.isnan(G[[0, -1]]).all()
        db = np.full(n + 2, np.nan, dtype)
        db[1:-1] = before = whole_numbers(rng, dtype, n)
        tile_products.add_rows(left, first, last, examples, db[1:-1], fresh)
        sums = np.nansum(D, axis=(0, 2))
        before[first:last] = sums[first:last] + (0 if fresh else before[first:last])
        np.testing.assert_array_equal(db[1:-1], before)
        assert np.isnan(db[[0, -1]]).all()
