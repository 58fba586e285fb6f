"""The register tile, compiled, against the same operations on NumPy arrays."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from dlkernels._jit import loops
from dlkernels._kernels import tile


def accumulated(zeros):
    """What adds k rank-1 updates to a block of as many rows as `zeros` has."""

    @loops
    def outer(a, b, c, k):
        sums = tile.outer_load(zeros(c), c, 0, tile.columns(c))
        for p in range(k):
            sums = tile.outer_add(sums, a, p * tile.outer_rows(sums), b, p * tile.columns(c))
        tile.outer_store(sums, c, 0, tile.columns(c))

    return outer


outer, half_outer = accumulated(tile.outer_zeros), accumulated(tile.outer_zeros_half)


@loops
def dots(a, b, m, out):
    sums = tile.dot_zeros(out)
    for p in range(0, m, tile.lanes(out)):
        if p + tile.lanes(out) <= m:
            sums = tile.dot_add(sums, a, p, m, b, p, m)
        else:
            sums = tile.dot_add_first(sums, a, p, m, b, p, m, m - p)
    tile.dot_store(sums, out, 1)


@loops
def row_sum(a, n):
    sums = tile.sum_zeros(a)
    for p in range(0, n, tile.sum_width(a)):
        sums = tile.sum_add(sums, a, p, n - p)
    return tile.sum_total(sums)


@pytest.mark.parametrize(("outer", "rows"), [(outer, tile.rows), (half_outer, tile.half_rows)])
def test_outer(outer, rows, dtype, rng):
    like = np.zeros(1, dtype)
    height, across, k = rows(like), tile.columns(like), 7
    a = rng.integers(-9, 9, (k, height)).astype(dtype)
    b = rng.integers(-9, 9, (k, across)).astype(dtype)
    c = rng.integers(-9, 9, (height, across)).astype(dtype)
    expected = c + a.T @ b  # whole numbers: exact in any order
    around = np.full(c.size + 2 * across, np.nan, dtype)
    around[across:-across] = c.reshape(-1)
    outer(a.reshape(-1), b.reshape(-1), around[across:], k)
    c = around[across:-across].reshape(height, across)
    assert np.isnan(around[[0, across - 1, -across, -1]]).all()  # nothing written beside it
    np.testing.assert_array_equal(c, expected)


@pytest.mark.parametrize("more", [0, 1, 3])
def test_dot(dtype, rng, more):
    like = np.zeros(1, dtype)
    height, across, m = tile.dot_rows(like), tile.dot_columns(like), 5 * tile.lanes(like) + more
    a = rng.integers(-9, 9, (height, m)).astype(dtype)
    b = rng.integers(-9, 9, (across, m)).astype(dtype)
    out = np.full(height * across + 2, np.nan, dtype)
    dots(a.reshape(-1), b.reshape(-1), m, out)
    np.testing.assert_array_equal(out[1:-1].reshape(height, across), a @ b.T)
    assert np.isnan(out[[0, -1]]).all()  # nothing written beside it


def test_row_sum_takes_no_number_more(dtype, rng):
    width = tile.sum_width(np.zeros(1, dtype))
    for n in (0, 1, 2, width // 4 - 1, width // 4, width - 1, width, width + 1, 3 * width + 5):
        a = rng.integers(-9, 9, n + 2 * width).astype(dtype)
        a[n:] = np.nan
        assert row_sum(a, n) == a[:n].sum()


@pytest.mark.parametrize(
    ("zeros", "rows"), [(tile.outer_zeros, tile.rows), (tile.outer_zeros_half, tile.half_rows)]
)
def test_start(zeros, rows, dtype, rng):
    @loops
    def store(a, c):
        tile.outer_store(tile.outer_start(zeros(c), a, 1), c, 0, tile.columns(c))

    like = np.zeros(1, dtype)
    height, across = rows(like), tile.columns(like)
    a, c = rng.normal(size=height + 1).astype(dtype), np.full((height, across), np.nan, dtype)
    store(a, c.reshape(-1))
    np.testing.assert_array_equal(c, np.repeat(a[1:, None], across, axis=1))


@pytest.mark.skipif(not numba.config.BOUNDSCHECK, reason="indices are checked with NUMBA_BOUNDSCHECK=1 only")
def test_a_tile_beyond_its_array_is_found(dtype):
    like = np.zeros(1, dtype)
    a, b = np.zeros(7 * tile.rows(like), dtype), np.zeros(7 * tile.columns(like), dtype)
    c = np.zeros(tile.rows(like) * tile.columns(like), dtype)
    outer(a, b, c, 7)
    for bad in ((a[1:], b, c), (a, b[1:], c), (a, b, c[1:])):
        with pytest.raises(IndexError):
            outer(*bad, 7)
    a, b = np.zeros(tile.dot_rows(like) * 9, dtype), np.zeros(tile.dot_columns(like) * 9, dtype)
    sums = np.zeros(tile.dot_rows(like) * tile.dot_columns(like) + 1, dtype)
    dots(a, b, 9, sums)
    for bad in ((a[1:], b, sums), (a, b[1:], sums), (a, b, sums[1:])):
        with pytest.raises(IndexError):
            dots(bad[0], bad[1], 9, bad[2])
    row_sum(a, a.size)
    with pytest.raises(IndexError):
        row_sum(a, a.size + 1)


@pytest.mark.skipif(not numba.config.BOUNDSCHECK, reason="indices are checked with NUMBA_BOUNDSCHECK=1 only")
def test_an_index_beyond_its_array_is_found(dtype):
    from dlkernels._kernels.activations import times_derivative

    with pytest.raises(IndexError):
        times_derivative(2, 0.0, np.zeros(3, dtype), np.zeros(4, dtype))
