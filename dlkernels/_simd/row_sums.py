"""The sum of one row, or of the products of two rows, in vector registers.

    tile = sum_zeros(x)
    for j in range(0, n, sum_width(x)):
        tile = sum_add(tile, x, j, n - j)      (sum_add_product for products)
    total = sum_total(tile)

Each function has two versions, as in `tile`: NumPy code, which runs without compilation, and an intrinsic of
`vectors`.
"""

from __future__ import annotations

import numpy as np

from dlkernels._simd import registers, vectors
from dlkernels._simd.tile import CHECKED, checked, constant, generated, in_order, inside

sum_width = constant(lambda shape: shape.lanes * registers.SUM_VECTORS)


def sum_zeros(like):
    """`sum_width` zeros, the accumulators of one row's sum."""
    return np.zeros(sum_width(like), like.dtype)


def sum_add(tile, a, i, count):
    """tile[l] += a[i + l], but only for l < count."""
    tile = tile.copy()
    numbers = a.reshape(-1)[i : i + min(count, tile.size)]
    tile[: numbers.size] += numbers
    return tile


def sum_add_product(tile, a, i, b, j, count):
    """tile[l] += a[i + l] * b[j + l], but only for l < count."""
    count = min(count, tile.size)
    return sum_add(tile, a.reshape(-1)[i : i + count] * b.reshape(-1)[j : j + count], 0, count)


def sum_total(tile):
    """The sum of all accumulators: each round adds one half of them to the other."""
    while tile.size > 1:
        tile = tile[: tile.size // 2] + tile[tile.size // 2 :]
    return tile[0]


generated(sum_zeros)


@in_order(sum_total)
def _overload_sum_total(tile):
    return lambda tile: vectors.sum_total(tile)


@in_order(sum_add)
def _overload_sum_add(tile, a, i, count):
    def add(tile, a, i, count):
        if CHECKED:
            inside(a, i, 0, 1, max(0, min(count, sum_width(a))))
        return vectors.sum_add(tile, a, i, count)

    return add


@checked(sum_add_product)
def _overload_sum_add_product(tile, a, i, b, j, count):
    def add(tile, a, i, b, j, count):
        inside(a, i, 0, 1, max(0, min(count, sum_width(a))))
        inside(b, j, 0, 1, max(0, min(count, sum_width(a))))
        return vectors.sum_add_product(tile, a, i, b, j, count)

    return add
