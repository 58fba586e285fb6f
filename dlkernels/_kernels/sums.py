"""Sums that lose nothing between blocks.

Up to `BLOCK` numbers are added by SIMD lanes; the sums of blocks are added with their rounding errors
kept (D. Knuth's two-sum), so that a long sum is as accurate as a short one.
"""

from __future__ import annotations

from dlkernels._jit import loops, scalar

#: Numbers added in plain arithmetic: each of 64 or more SIMD accumulators then gets at most 16.
BLOCK = 1024


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
def block_sum(x):
    """sum over j of x[j], for at most BLOCK numbers."""
    result = x.dtype.type(0)
    for j in range(x.shape[0]):
        result += x[j]
    return result


@loops
def row_dot(a, b):
    """sum over j of a[j] * b[j]."""
    total = a.dtype.type(0)
    for j in range(a.shape[0]):
        total += a[j] * b[j]
    return total


@loops
def add_row(x, sums, i):
    """Add all numbers of x to the pair i of sums."""
    for start in range(0, x.shape[0], BLOCK):
        accumulate(sums, i, block_sum(x[start : min(x.shape[0], start + BLOCK)]))


@loops
def merge_pairs(slots, size, sums):
    """Pair i of slot 0 becomes the sum of pair i over all slots, in order."""
    for s in range(1, slots):
        for i in range(size):
            accumulate(sums, i, sums[2 * (s * size + i)])
            sums[2 * i + 1] += sums[2 * (s * size + i) + 1]
