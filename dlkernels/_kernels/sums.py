"""Sums along a row whose accuracy doesn't depend on the length of the row.

Blocks of up to `BLOCK` numbers are added in plain arithmetic, in the lanes of vector registers. The sums of
blocks are added with compensation: a pair of numbers holds the sum and what its rounding has lost (D. Knuth's
two-sum). So a long sum is as accurate as a short one. The tests check that these sums are as accurate as
NumPy's, which adds blocks of 128 numbers in pairs.
"""

from __future__ import annotations

from dlkernels._compiler.options import loops, scalar
from dlkernels._compiler.pieces import Number, Row, piece
from dlkernels._kernels.sharing import even_parts
from dlkernels._simd.row_sums import sum_add, sum_add_product, sum_total, sum_width, sum_zeros
from dlkernels._simd.tile import lanes

#: The most numbers that are added in plain arithmetic.
BLOCK = 256
#: The most of them that one accumulator adds. With AVX2 and AVX-512 there are so many accumulators that
#: BLOCK is the limit. With vectors of 128 bits, as on arm64, there are 8 in float64, which add 128 numbers
#: at a time, as NumPy's 8 do. With 256 at a time the errors of such sums were 1.25 times as large as
#: NumPy's.
_EACH = 16


@scalar
def accumulate(sums, i, value):
    """Add `value` to pair i of sums: sums[2 i] is a sum, sums[2 i + 1] is what its rounding has lost."""
    before = sums[2 * i]
    after = before + value
    taken = after - before
    sums[2 * i] = after
    sums[2 * i + 1] += (before - (after - taken)) + (value - taken)


@scalar
def total(sums, i):
    """The sum of the two numbers of pair i.

    If the sum is infinite, the loss is NaN and is left out, so that the total stays infinite.
    """
    lost = sums[2 * i + 1]
    return sums[2 * i] + (lost if lost == lost else sums.dtype.type(0))


@loops
def power_of_two_scale(m, like):
    """The largest power of two that is at most 1/m.

    Terms are multiplied by it before they are added up, so that the sum doesn't overflow if the mean is
    finite. Multiplying by a power of two rounds nothing. The mean is the sum divided by m times this scale,
    a product that is exact, too. (Multiplying by 1/m instead gives 1.8 times the error in float32.)
    """
    half, scale = like.dtype.type(0.5), like.dtype.type(1)
    while scale * like.dtype.type(m) > like.dtype.type(1):
        scale *= half
    return scale


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
    """Add all numbers of x to pair i of sums.

    The numbers are cut into equal blocks: a block of 256 and one of 1 number would be as inexact as one block
    of 257.
    """
    n = x.shape[0]
    length = even_parts(n, min(BLOCK, _EACH * sum_width(x)), lanes(x))
    for start in range(0, n, length):
        accumulate(sums, i, _block_sum(x[start : min(n, start + length)]))


@loops
def merge_pairs(slots, size, sums):
    """Pair i of slot 0 += pair i of every other slot, in the order of the slots; a slot has `size` pairs."""
    for s in range(1, slots):
        for i in range(size):
            accumulate(sums, i, sums[2 * (s * size + i)])
            sums[2 * i + 1] += sums[2 * (s * size + i) + 1]
