"""The register tile, compiled, against the same operations on NumPy arrays."""

from __future__ import annotations

import os
import platform

import numba
import numpy as np
import pytest
from processes import new_process

from dlkernels._compiler.options import loops
from dlkernels._simd import moves, row_sums, tile


@loops
def whole(c):
    return tile.outer_zeros(c)


@loops
def half(c):
    return tile.outer_zeros_half(c)


@loops
def vector(c):
    return tile.outer_vector(tile.outer_zeros(c))


@loops
def half_vector(c):
    return tile.outer_vector(tile.outer_zeros_half(c))


@loops
def pair(c):
    return tile.outer_pair(tile.outer_zeros(c))


@loops
def half_pair(c):
    return tile.outer_pair(tile.outer_zeros_half(c))


FORMS = (whole, half, vector, half_vector, pair, half_pair)


def size_of(zeros, like):
    @loops
    def size(like):
        sums = zeros(like)
        return tile.outer_rows(sums), tile.outer_columns(sums)

    return size(like)


def accumulated(zeros):
    """What adds k rank-1 updates to a block of the form that `zeros` makes."""

    @loops
    def outer(a, b, c, k):
        sums = tile.outer_load(zeros(c), c, 0, tile.outer_columns(zeros(c)))
        for p in range(k):
            sums = tile.outer_add(sums, a, p * tile.outer_rows(sums), b, p * tile.outer_columns(sums))
        tile.outer_prefetch(sums, c, 0, tile.outer_columns(sums))
        tile.outer_store(sums, c, 0, tile.outer_columns(sums))

    return outer


outer = accumulated(whole)


def of_first_columns(zeros):
    """What adds one rank-1 update to the first columns of such a block."""

    @loops
    def first_columns(a, b, c, count):
        sums = tile.outer_load(zeros(c), c, 0, tile.outer_columns(zeros(c)))
        sums = tile.outer_add_first(sums, a, 1, b, 2, count)
        tile.outer_store(sums, c, 0, tile.outer_columns(sums))

    return first_columns


@loops
def outer_of_rows(a, i, stride, b, c, k):
    sums = tile.outer_load(whole(c), c, 0, tile.outer_columns(whole(c)))
    for p in range(k):
        sums = tile.outer_add_rows(sums, a, i + p, stride, b, p * tile.outer_columns(sums))
    tile.outer_store(sums, c, 0, tile.outer_columns(sums))


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
    sums = row_sums.sum_zeros(a)
    for p in range(0, n, row_sums.sum_width(a)):
        sums = row_sums.sum_add(sums, a, p, n - p)
    return row_sums.sum_total(sums)


def test_forms(dtype):
    like = np.zeros(1, dtype)
    step, across, height = tile.lanes(like), tile.nr(like), tile.mr(like)
    assert size_of(whole, like) == (height, across)
    assert size_of(half, like) == (tile.half_mr(like), across)
    assert size_of(vector, like) == (height, step)
    assert size_of(half_vector, like) == (tile.half_mr(like), step)
    assert size_of(pair, like) == (height, 2 * step)
    assert size_of(half_pair, like) == (tile.half_mr(like), 2 * step)


@pytest.mark.parametrize("zeros", FORMS)
def test_outer(zeros, dtype, rng):
    height, across = size_of(zeros, np.zeros(1, dtype))
    k = 7
    a = rng.integers(-9, 9, (k, height)).astype(dtype)
    b = rng.integers(-9, 9, (k, across)).astype(dtype)
    c = rng.integers(-9, 9, (height, across)).astype(dtype)
    expected = c + a.T @ b  # whole numbers: exact in any order
    around = np.full(c.size + 2 * across, np.nan, dtype)
    around[across:-across] = c.reshape(-1)
    accumulated(zeros)(a.reshape(-1), b.reshape(-1), around[across:], k)
    c = around[across:-across].reshape(height, across)
    assert np.isnan(around[[0, across - 1, -across, -1]]).all()  # nothing written beside it
    np.testing.assert_array_equal(c, expected)


@pytest.mark.parametrize("zeros", FORMS)
def test_outer_of_the_first_columns(zeros, dtype, rng):
    height, across = size_of(zeros, np.zeros(1, dtype))
    first_columns = of_first_columns(zeros)
    a = rng.integers(-9, 9, height + 1).astype(dtype)
    for count in range(across + 1):
        b = rng.integers(-9, 9, 2 + count).astype(dtype)  # no number more: with bounds checked that is seen
        c = rng.integers(-9, 9, (height, across)).astype(dtype)
        expected = c.copy()
        expected[:, :count] += np.outer(a[1:], b[2:])
        first_columns(a, b, c.reshape(-1), count)
        np.testing.assert_array_equal(c, expected)


@pytest.mark.parametrize("up", [False, True])
def test_outer_of_rows(up, dtype, rng):
    """Rows that lie apart, from the first one down or from the last one up."""
    height, across = size_of(whole, np.zeros(1, dtype))
    k = 7
    a = rng.integers(-9, 9, (height, k + 3)).astype(dtype)
    b = rng.integers(-9, 9, (k, across)).astype(dtype)
    c = rng.integers(-9, 9, (height, across)).astype(dtype)
    expected = c + (a[::-1] if up else a)[:, 2 : 2 + k] @ b
    i, stride = (2 + (height - 1) * (k + 3), -k - 3) if up else (2, k + 3)
    outer_of_rows(a.reshape(-1), i, stride, b.reshape(-1), c.reshape(-1), k)
    np.testing.assert_array_equal(c, expected)


@pytest.mark.parametrize("zeros", FORMS)
def test_plus_and_parts(zeros, dtype, rng):
    @loops
    def twice(c, target, stride):
        sums = tile.outer_load(zeros(c), c, 0, stride)
        tile.outer_store(tile.outer_plus(sums, c, 0, stride), target, 0, stride)

    @loops
    def twice_in_part(c, target, stride, tall, wide):
        sums = tile.outer_load(zeros(c), c, 0, stride)
        sums = tile.outer_plus_part(sums, c, 0, stride, tall, wide)
        tile.outer_store_part(sums, target, 0, stride, tall, wide)

    height, across = size_of(zeros, np.zeros(1, dtype))
    c = rng.normal(size=(height, across + 1)).astype(dtype)
    target = np.full_like(c, np.nan)
    twice(c.reshape(-1), target.reshape(-1), across + 1)
    np.testing.assert_array_equal(target[:, :across], 2 * c[:, :across])
    assert np.isnan(target[:, across]).all()
    for tall in (0, 1, height - 1, height):
        for wide in (0, 1, across // 2, across - 1, across):
            target = np.full_like(c, np.nan)
            twice_in_part(c.reshape(-1), target.reshape(-1), across + 1, tall, wide)
            np.testing.assert_array_equal(target[:tall, :wide], 2 * c[:tall, :wide])
            target[:tall, :wide] = np.nan
            assert np.isnan(target).all()


@pytest.mark.parametrize("skip", [0, 3])
def test_moves(skip, dtype, rng):
    @loops
    def transposed(a, i, stride, out):
        moves.prefetch(a, i)
        moves.transpose(a, i, stride, out, 1, stride)

    @loops
    def partly(a, i, stride, out, tall, wide):
        moves.transpose_part(a, i, stride, out, 1, stride, tall, wide)

    @loops
    def interleaved(a, i, stride, out):
        moves.interleave(a, i, stride, out, 1)

    @loops
    def one_term(a, i, out):
        moves.copy_term(a, i, out, 1)

    like = np.zeros(1, dtype)
    step, height = tile.lanes(like), tile.mr(like)
    a = rng.normal(size=(step, step + skip)).astype(dtype)
    around = np.full(a.size + 2, np.nan, dtype)
    transposed(a.reshape(-1), skip, step + skip, around)
    np.testing.assert_array_equal(around[1:-1].reshape(a.shape)[:, :step].T, a[:, skip:])
    around[1:-1].reshape(a.shape)[:, :step] = np.nan
    assert np.isnan(around).all()
    for tall in (0, 1, step - 1, step, step + 1):
        for wide in (0, 1, step - 1, step, step + 1):
            around = np.full(a.size + 2, np.nan, dtype)
            partly(a.reshape(-1), skip, step + skip, around, tall, wide)
            part = around[1:-1].reshape(a.shape)[:wide, : min(tall, step)]
            np.testing.assert_array_equal(part.T, a[:tall, skip : skip + wide])
            part[:] = np.nan
            assert np.isnan(around).all()
    a = rng.normal(size=(height, step + skip)).astype(dtype)
    around = np.full(height * step + 2, np.nan, dtype)
    interleaved(a.reshape(-1), skip, step + skip, around)
    np.testing.assert_array_equal(around[1:-1].reshape(step, height), a[:, skip:].T)
    assert np.isnan(around[[0, -1]]).all()
    around = np.full(height + 2, np.nan, dtype)
    one_term(a.reshape(-1), skip, around)
    np.testing.assert_array_equal(around[1:-1], a.reshape(-1)[skip : skip + height])
    assert np.isnan(around[[0, -1]]).all()


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
    width = row_sums.sum_width(np.zeros(1, dtype))
    for n in (0, 1, 2, width // 4 - 1, width // 4, width - 1, width, width + 1, 3 * width + 5):
        a = rng.integers(-9, 9, n + 2 * width).astype(dtype)
        a[n:] = np.nan
        assert row_sum(a, n) == a[:n].sum()


@pytest.mark.parametrize("zeros", FORMS)
def test_totals(zeros, dtype, rng):
    @loops
    def totals(c, out, count):
        sums = tile.outer_load(zeros(c), c, 0, tile.outer_columns(zeros(c)))
        tile.outer_add_totals(sums, out, 1, count)

    height, across = size_of(zeros, np.zeros(1, dtype))
    c = rng.integers(-9, 9, (height, across)).astype(dtype)
    for count in range(-1, height + 9):
        out = rng.integers(-9, 9, height + 9).astype(dtype)
        expected, used = out.copy(), max(0, min(count, height))
        expected[1 : 1 + used] += c.sum(axis=1)[:used]
        totals(c.reshape(-1), out, count)
        np.testing.assert_array_equal(out, expected)  # nothing written beside it


@pytest.mark.parametrize("zeros", FORMS)
def test_start(zeros, dtype, rng):
    @loops
    def store(a, c):
        tile.outer_store(tile.outer_start(zeros(c), a, 1), c, 0, tile.outer_columns(zeros(c)))

    height, across = size_of(zeros, np.zeros(1, dtype))
    a, c = rng.normal(size=height + 1).astype(dtype), np.full((height, across), np.nan, dtype)
    store(a, c.reshape(-1))
    np.testing.assert_array_equal(c, np.repeat(a[1:, None], across, axis=1))


@pytest.mark.skipif(not numba.config.BOUNDSCHECK, reason="indices are checked with NUMBA_BOUNDSCHECK=1 only")
def test_a_tile_beyond_its_array_is_found(dtype):
    like = np.zeros(1, dtype)
    a, b = np.zeros(7 * tile.mr(like), dtype), np.zeros(7 * tile.nr(like), dtype)
    c = np.zeros(tile.mr(like) * tile.nr(like), dtype)
    outer(a, b, c, 7)
    for bad in ((a[1:], b, c), (a, b[1:], c), (a, b, c[1:])):
        with pytest.raises(IndexError):
            outer(*bad, 7)
    with pytest.raises(IndexError):
        of_first_columns(whole)(a, b[: tile.nr(like) + 1], c, tile.nr(like))
    for stride, i, beyond in ((7, 0, 1), (-7, 7 * (tile.mr(like) - 1), -1), (7, 0, -1)):
        outer_of_rows(a, i, stride, b, c, 7)
        with pytest.raises(IndexError):
            outer_of_rows(a, i + beyond, stride, b, c, 7)
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
    from dlkernels._kernels.activations import Activation, times_derivative

    with pytest.raises(IndexError):
        times_derivative(Activation(2, 0.0), np.zeros(3, dtype), np.zeros(4, dtype))


#: Prints the machine code of a rank-1 update.
RANK_1 = """
import numpy as np
from numba import njit
from dlkernels._simd import tile

@njit
def rank_1(a, b, c):
    tile.outer_store(tile.outer_add(tile.outer_zeros(c), a, 0, b, 0), c, 0, tile.nr(c))

rank_1(*np.ones((3, 2000), DTYPE))
print(*rank_1.inspect_asm().values())
"""


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="there is no machine code")
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="others have fused multiply-adds")
def test_without_fused_multiply_adds_no_function_of_the_c_library_is_called(dtype):
    program = RANK_1.replace("DTYPE", repr(np.dtype(dtype).name))
    done = new_process(program, {**os.environ, "NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""})
    assert done.returncode == 0, done.stderr
    assert "mulp" in done.stdout
    assert "fma" not in done.stdout.lower()
