"""Packing: copies of matrices in the order in which the micro-kernel reads them.

The micro-kernel adds up a tile of MR by NR sums. The left matrix is packed into micro-panels of MR rows, the
right matrix into micro-panels of NR columns. A micro-panel is contiguous: first the MR (or NR) numbers of one
term of the summed axis, then those of the next term. (K. Goto and R. van de Geijn, "Anatomy of
High-Performance Matrix Multiplication", 2008; the names are those of BLIS.)
"""

from __future__ import annotations

from typing import NamedTuple

from dlkernels._compiler.options import ZERO, loops
from dlkernels._compiler.pieces import Flag, Int, Row, piece
from dlkernels._simd.moves import copy_term, interleave, prefetch, transpose, transpose_part
from dlkernels._simd.tile import (
    half_mr,
    lanes,
    mr,
    nr,
    outer_load,
    outer_plus_part,
    outer_store,
    outer_store_part,
    outer_zeros,
)


class Matrix(NamedTuple):
    """A matrix as it lies in memory: element (i, j) is numbers[i * row_length + j].

    If `transposed`, the transpose of the matrix lies there: element (i, j) is numbers[j * row_length + i].
    """

    numbers: Row
    row_length: Int
    transposed: Flag


@loops
def padded_rows(n, like):
    """n rounded up to whole micro-panels. `pack_left` needs room for this many numbers of each term."""
    return (n + mr(like) - 1) // mr(like) * mr(like)


@loops
def _pack_left_rest(panel, n, matrix, p, done, depth, packed):
    """Pack the terms of a micro-panel from `done` on, or all terms if it has fewer than MR rows."""
    W, length = matrix.numbers, matrix.row_length
    i = panel * mr(packed)
    used = min(n - i, mr(packed))
    height = half_mr(packed) if used <= half_mr(packed) else mr(packed)
    zero = packed.dtype.type(0)
    target = packed[i * depth : (i + height) * depth]
    if used < mr(packed):
        done = ZERO
    if used < height:
        for q in range(depth * height):
            target[q] = zero
    if matrix.transposed:
        for q in range(done, depth):
            source = W[(p + q) * length + i : (p + q) * length + i + used]
            term = target[q * height : q * height + used]
            for r in range(used):
                term[r] = source[r]
    else:
        for r in range(used):
            source = W[(i + r) * length + p : (i + r) * length + p + depth]
            for q in range(done, depth):
                target[q * height + r] = source[q]


@loops
def pack_left_panels(first, last, n, matrix, p, depth, packed):
    """Pack micro-panels [first, last) of the left matrix W, `depth` terms from term p on:

    packed[panel * MR * depth + q * height + r] = W[panel * MR + r, p + q] for q < depth, and 0 below row n.

    `height` is MR, or MR / 2 for a last micro-panel that has no more rows than that.
    """
    W, length, height, step = matrix.numbers, matrix.row_length, mr(packed), lanes(packed)
    full = min(last, n // height)
    done = depth if matrix.transposed else depth // step * step
    if matrix.transposed:
        # A few terms of all micro-panels are packed at a time, so that each cache line of the matrix is
        # loaded once. Packing panel after panel loaded it twice: the product that forms dZ of 500 x 500 x 500
        # took 1.1 times as long.
        for q0 in range(0, depth, step):
            for panel in range(first, full):
                for q in range(q0, min(depth, q0 + step)):
                    copy_term(W, (p + q) * length + panel * height, packed, (panel * depth + q) * height)
    else:
        for panel in range(first, full):
            for q in range(0, done, step):
                interleave(W, panel * height * length + p + q, length, packed, (panel * depth + q) * height)
    for panel in range(first, last):
        _pack_left_rest(panel, n, matrix, p, done, depth, packed)


@piece
def pack_left(n: Int, matrix: Matrix, p: Int, depth: Int, packed: Row):
    """Pack all micro-panels of the left matrix, which has n rows (`pack_left_panels`)."""
    pack_left_panels(ZERO, padded_rows(n, packed) // mr(packed), n, matrix, p, depth, packed)


@piece
def pack_transposed(
    B: Row, row_length: Int, j: Int, width: Int, p: Int, depth: Int, out: Row, to: Int, out_length: Int
):
    """out[to + q * out_length + c] = B[j + c, p + q], for c < width and q < depth; B is (..., row_length)."""
    step = lanes(B)
    down = depth // step * step
    for first in range(0, width, step):
        row, whole = (j + first) * row_length + p, down if first + step <= width else 0
        for q in range(0, whole, step):
            transpose(B, row + q, row_length, out, to + q * out_length + first, out_length)
        for q in range(whole, depth, step):
            transpose_part(
                B, row + q, row_length, out, to + q * out_length + first, out_length, width - first, depth - q
            )


@piece
def pack_right(matrix: Matrix, j: Int, width: Int, p: Int, q0: Int, q1: Int, depth: Int, packed: Row):
    """Pack columns [j, j + width) of the right matrix B, terms [p + q0, p + q1):

    packed[panel, q, c] = B[p + q, j + panel * NR + c] for q0 <= q < q1, and 0 beyond the last column.

    `packed` is (panels, depth, NR): it has room for `depth` terms, from term p on.
    """
    B, length = matrix.numbers, matrix.row_length
    across, height, step = nr(packed), mr(packed), lanes(packed)
    panels = (width + across - 1) // across
    if matrix.transposed:
        if width < panels * across:
            zero, last = packed.dtype.type(0), (panels - 1) * depth
            for at in range((last + q0) * across, (last + q1) * across):
                packed[at] = zero
        for panel in range(panels):
            pack_transposed(
                B, length, j + panel * across, min(across, width - panel * across), p + q0, q1 - q0,
                packed, (panel * depth + q0) * across, across,
            )  # fmt: skip
        return
    for q in range(q0, q1, height):
        at, count = (p + q) * length + j, min(height, q1 - q)
        # The next rows are prefetched. The rows lie pages apart, so the hardware's prefetcher won't do it.
        for r in range(height if q + 2 * height <= q1 else 0):
            for c in range(0, width, step):
                prefetch(B, at + (height + r) * length + c)
        for panel in range(panels):
            wide, to = min(across, width - panel * across), (panel * depth + q) * across
            if count == height and wide == across:
                outer_store(outer_load(outer_zeros(B), B, at + panel * across, length), packed, to, across)
            else:
                block = outer_plus_part(outer_zeros(B), B, at + panel * across, length, count, wide)
                outer_store_part(block, packed, to, across, count, across)
