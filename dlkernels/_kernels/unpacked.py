"""A block of a product L R that reads L as it lies, and packs a panel of R.

Packing L costs as much as multiplying it with a few columns. So if R has few columns, or if L stays in a
cache while all of R passes by, it is faster to read L as it lies, MR rows at a time. Such a product takes one
phase instead of two or four (`product`): (64, 1000) x 128 in float32 on two threads takes 0.7 of the time,
256 x 256 x 256 takes 0.8.
"""

from __future__ import annotations

from dlkernels._compiler.options import ZERO, inlined_late, loops
from dlkernels._compiler.pieces import Int, Row, piece
from dlkernels._kernels.micro_kernel import Target, write_tile
from dlkernels._kernels.packing import Matrix, pack_right
from dlkernels._kernels.rows import copy
from dlkernels._kernels.sharing import even_parts
from dlkernels._kernels.tile_products import padded
from dlkernels._simd.tile import (
    lanes,
    mr,
    nr,
    outer_add,
    outer_add_rows,
    outer_columns,
    outer_pair,
    outer_rows,
    outer_start,
    outer_vector,
    outer_zeros,
    outer_zeros_half,
)

#: The most terms that are added up in one go. With 256 at a time, (258, 784) x 200 in float32 takes 1.04
#: times as long.
_TERMS = 1024
#: The same if L is transposed. A cache line then holds the numbers of several tiles for one term, and should
#: stay in the first-level cache until the last of them has used it. With 1024 at a time, (126, 500) x 256 in
#: float64 takes 1.12 times as long as with 128.
_TERMS_TRANSPOSED = 128


@loops
def _depth(k, transposed):
    return even_parts(k, _TERMS_TRANSPOSED if transposed else _TERMS, 1)


@loops
def unpacked_workspace(k, width, transposed, like):
    """How many numbers of workspace `multiply_unpacked` needs, for a panel of `width` columns."""
    return (width + nr(like) - 1) // nr(like) * nr(like) * _depth(k, transposed)


@loops
def fill_start(bias, start):
    """Fill in where the sums of L's rows start: at the bias, or at 0 if it is empty.

    The last MR numbers are those of the last rows in reverse, for the tile that goes upwards (`_strip`).
    """
    n, height = bias.shape[0], mr(start)
    copy(bias, start[:n])
    for r in range(min(n, height)):
        start[start.shape[0] - height + r] = bias[n - 1 - r]


@inlined_late
def _block(sums, left, i, up, p, count, panel, at, target, first, tall):
    """Rows i, i + up, i + 2 up, ... of L times a micro-panel of R; `up` is 1 or -1.

    They are as many as a tile of the form of `sums` has; the first `tall` of them are written.
    """
    out, across = target.numbers, nr(target.numbers)
    if target.fresh:
        sums = outer_start(sums, target.start, i if up > 0 else target.start.shape[0] - mr(out))
    if left.transposed and up > 0:
        for q in range(count):
            sums = outer_add(sums, left.numbers, (p + q) * left.row_length + i, panel, at + q * across)
    else:
        row, term = (1, left.row_length) if left.transposed else (left.row_length, 1)
        for q in range(count):
            sums = outer_add_rows(
                sums, left.numbers, i * row + (p + q) * term, up * row, panel, at + q * across
            )
    corner = target.corner + (i - first) * target.row_length
    write_tile(sums, target.fresh, out, corner, up * target.row_length, tall, target.width)


@inlined_late
def _strip(tile, half, left, first, last, p, count, panel, at, target):
    """All rows, for one micro-panel of R.

    The last rows, if they don't fill a tile, are taken by one that goes from the last row upwards. It reads
    finished rows, too, but doesn't write them.
    """
    i = first
    while last - i >= outer_rows(tile):
        _block(tile, left, i, 1, p, count, panel, at, target, first, outer_rows(tile))
        i += outer_rows(tile)
    if last - i > outer_rows(half):
        _block(tile, left, last - 1, -1, p, count, panel, at, target, first, last - i)
    elif last > i:
        _block(half, left, last - 1, -1, p, count, panel, at, target, first, last - i)


@piece
def multiply_unpacked(
    left: Matrix, k: Int, first: Int, last: Int, right: Matrix, j: Int, target: Target, workspace: Row
):
    """target[i, c] = start[i] + sum over p < k of L[i, p] R[p, j + c], for rows first <= i < last.

    L has MR rows or more. `last` - `first` is a multiple of MR, or `last` is the number of rows of L. `fresh`
    of the target is ignored. The workspace has `unpacked_workspace` numbers.
    """
    width, across, depth = target.width, nr(workspace), _depth(k, left.transposed)
    tile, half = outer_zeros(workspace), outer_zeros_half(workspace)
    for p in range(0, max(k, 1), depth):
        count = min(depth, k - p)
        pack_right(right, j, width, p, ZERO, count, count, workspace)
        for c in range(0, width, across):
            wide, at = min(across, width - c), c * count
            part = Target(target.numbers, target.corner + c, target.row_length, wide, target.start, p == 0)
            used = padded(wide, workspace)
            if used >= outer_columns(tile):
                _strip(tile, half, left, first, last, p, count, workspace, at, part)
            elif used == lanes(workspace):
                one, low = outer_vector(tile), outer_vector(half)
                _strip(one, low, left, first, last, p, count, workspace, at, part)
            else:
                two, low_two = outer_pair(tile), outer_pair(half)
                _strip(two, low_two, left, first, last, p, count, workspace, at, part)
