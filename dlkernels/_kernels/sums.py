"""Sums that lose nothing between blocks.

Up to `BLOCK` numbers are added by SIMD lanes; the sums of blocks are added with their rounding errors
kept (D. Knuth's two-sum), so that a long sum is as accurate as a short one. Sums along a row are tested to
be as accurate as NumPy's, which adds in pairs from blocks of 128 numbers.
"""

from __future__ import annotations

from dlkernels._compiler.options import loops, scalar
from dlkernels._compiler.pieces import Number, Row, piece
from dlkernels._kernels.sharing import even_parts
from dlkernels._simd.tile import lanes, sum_add, sum_add_product, sum_total, sum_width, sum_zeros

#: Numbers added in plain arithmetic: with AVX-512 each of 32 or more accumulators gets at most 8 of them.
BLOCK = 256


@scalar
def accumulate(sums, i, value):
    """Add `value` to the pair (sum, what rounding lost) at sums[2 i], sums[2 i + 1]."""
    before = sums[2 * i]
    after = before + value
    taken = after - before
    sums[2 * i] = after
    sums[2 * i + 1] += (before - (after - taken)) + (value - taken)


@scalar
def total(sums, i):
    """The number that a pair stands for; an infinite sum stays infinite."""
    lost = sums[2 * i + 1]
    return sums[2 * i] + (lost if lost == lost else sums.dtype.type(0))


@loops
def exact_share(m, like):
    """The largest power of two that is at most 1/m.

    Terms scaled by it add up without overflow wherever their mean is finite, and scaling rounds nothing;
    the sum is then divided by m * exact_share(m), which is exact too (1/m in float32: 1.8 times the error).
    """
    half, share = like.dtype.type(0.5), like.dtype.type(1)
    while share * like.dtype.type(m) > like.dtype.type(1):
        share *= half
    return share


@loops
def _block_sum(x):
    """sum over j of x[j], for at most BLOCK numbers."""
    n = x.shape[0]
    tile = sum_zeros(x)
    for j in range(0, n, sum_width(x)):
        tile = sum_add(tile, x, j, n - j)
    return sum_total(tile)


@piece
def row_dot(a: Row, b: Row) -> Number:
    """sum over j of a[j] * b[j]."""
    n = a.shape[0]
    tile = sum_zeros(a)
    for j in range(0, n, sum_width(a)):
        tile = sum_add_product(tile, a, j, b, j, n - j)
    return sum_total(tile)


@loops
def add_row(x, sums, i):
    """Add all numbers of x to the pair i of sums.

    In equal parts: 256 and then 1 number would be as inexact as 257 in one go.
    """
    n = x.shape[0]
    length = even_parts(n, BLOCK, lanes(x))
    for start in range(0, n, length):
        accumulate(sums, i, _block_sum(x[start : min(n, start + length)]))


@loops
def merge_pairs(slots, size, sums):
    """Pair i of slot 0 becomes the sum of pair i over all slots, in order."""
    for s in range(1, slots):
        for i in range(size):
            accumulate(sums, i, sums[2 * (s * size + i)])
            sums[2 * i + 1] += sums[2 * (s * size + i) + 1]
