"""Packing of matrices, so that the inner loop of a product reads both in one sweep.

The left matrix is packed into strips of `tile.rows` rows, the right one into strips of `tile.columns`
columns. Matrices are flat and C-ordered; one in Fortran order is passed as its transpose with `transposed`
set.
"""

from __future__ import annotations

from dlkernels._compiler.options import START, loops
from dlkernels._simd.moves import copy_term, interleave, prefetch, transpose, transpose_part
from dlkernels._simd.tile import (
    columns,
    half_rows,
    lanes,
    outer_load,
    outer_plus_part,
    outer_store,
    outer_store_part,
    outer_zeros,
    rows,
)


@loops
def whole_strips(n, like):
    """n rounded up to whole strips; `pack_left` writes `depth` times as many numbers."""
    return (n + rows(like) - 1) // rows(like) * rows(like)


@loops
def _pack_strip(s, n, k, W, transposed, p, done, depth, packed):
    """Terms `done` to `depth` of strip s, or all of them if it isn't full; see `pack_strips`."""
    i = s * rows(packed)
    used = min(n - i, rows(packed))
    height = half_rows(packed) if used <= half_rows(packed) else rows(packed)
    zero = packed.dtype.type(0)
    strip = packed[i * depth : (i + height) * depth]
    if used < rows(packed):
        done = START
    if used < height:
        for q in range(depth * height):
            strip[q] = zero
    if transposed:
        for q in range(done, depth):
            source = W[(p + q) * n + i : (p + q) * n + i + used]
            target = strip[q * height : q * height + used]
            for r in range(used):
                target[r] = source[r]
    else:
        for r in range(used):
            source = W[(i + r) * k + p : (i + r) * k + p + depth]
            for q in range(done, depth):
                strip[q * height + r] = source[q]


@loops
def pack_strips(s0, s1, n, k, W, transposed, p, depth, packed):
    """Strips [s0, s1) of the left matrix: packed[s * rows * depth + q * height + r] = W[s * rows + r, p + q].

    W[p + q, s * rows + r] if `transposed`, and 0 below row n; q < depth. `height` is `rows`, or `half_rows`
    for a last strip of so few rows.
    """
    height, step = rows(packed), lanes(packed)
    full, done = min(s1, n // height), depth if transposed else depth // step * step
    if transposed:
        for q0 in range(0, depth, step):
            for s in range(s0, full):
                for q in range(q0, min(depth, q0 + step)):
                    copy_term(W, (p + q) * n + s * height, packed, (s * depth + q) * height)
    else:
        for s in range(s0, full):
            for q in range(0, done, step):
                interleave(W, s * height * k + p + q, k, packed, (s * depth + q) * height)
    for s in range(s0, s1):
        _pack_strip(s, n, k, W, transposed, p, done, depth, packed)


@loops
def pack_left(n, k, W, transposed, p, depth, packed):
    """All strips of the left matrix."""
    pack_strips(START, whole_strips(n, packed) // rows(packed), n, k, W, transposed, p, depth, packed)


@loops
def pack_transposed(B, row_length, j, width, p, depth, out, at, out_length):
    """out[at + q * out_length + c] = B[j + c, p + q] for c < width, q < depth; B has rows of `row_length`."""
    step = lanes(B)
    down = depth // step * step
    for first in range(0, width, step):
        row, whole = (j + first) * row_length + p, down if first + step <= width else 0
        for q in range(0, whole, step):
            transpose(B, row + q, row_length, out, at + q * out_length + first, out_length)
        for q in range(whole, depth, step):
            transpose_part(
                B, row + q, row_length, out, at + q * out_length + first, out_length, width - first, depth - q
            )


@loops
def pack_right(B, row_length, transposed, j, width, p, q0, q1, depth, packed):
    """packed[t, q, c] = B[p + q, j + t * columns + c] (B[j + ..., p + q] if `transposed`), else 0.

    For q0 <= q < q1; packed is (strips, depth, columns).
    """
    across, height, step = columns(packed), rows(packed), lanes(packed)
    strips = (width + across - 1) // across
    if transposed:
        if width < strips * across:
            zero, last = packed.dtype.type(0), (strips - 1) * depth
            for at in range((last + q0) * across, (last + q1) * across):
                packed[at] = zero
        for t in range(strips):
            pack_transposed(
                B, row_length, j + t * across, min(across, width - t * across), p + q0, q1 - q0,
                packed, (t * depth + q0) * across, across,
            )  # fmt: skip
        return
    for q in range(q0, q1, height):
        at, count = (p + q) * row_length + j, min(height, q1 - q)
        for r in range(height if q + 2 * height <= q1 else 0):
            for c in range(0, width, step):
                prefetch(B, at + (height + r) * row_length + c)
        for t in range(strips):
            wide, to = min(across, width - t * across), (t * depth + q) * across
            if count == height and wide == across:
                outer_store(outer_load(outer_zeros(B), B, at + t * across, row_length), packed, to, across)
            else:
                block = outer_plus_part(outer_zeros(B), B, at + t * across, row_length, count, wide)
                outer_store_part(block, packed, to, across, count, across)
