"""Products of matrices on packed panels.

Letters: n rows of the result, m its columns, k the summed axis. Matrices are passed as flat C-ordered
arrays with the length of their rows; a matrix in Fortran order is passed as its transpose with
`transposed` set. The plain formula of each function stands in its docstring; tests compare with it.

The scheme is that of K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication",
2008: the left matrix is packed into strips of `tile.rows` rows, a panel of the right one into strips of
`tile.columns` columns, so that the inner loop reads both in one sweep and writes nothing.
"""

from __future__ import annotations

import numpy as np

from dlkernels._jit import inlined_late, loops
from dlkernels._kernels.sums import row_dot
from dlkernels._kernels.tile import (
    columns,
    dot_add,
    dot_add_first,
    dot_columns,
    dot_rows,
    dot_store,
    dot_zeros,
    half_rows,
    lanes,
    outer_add,
    outer_load,
    outer_rows,
    outer_start,
    outer_store,
    outer_zeros,
    outer_zeros_half,
    rows,
)

#: 0 and False that are no literals: Numba compiles a function anew for each literal that it is called with.
START, AS_IT_IS = np.int64(0), np.bool_(False)
#: Columns of a panel: a multiple of every tile's width, so that it cuts into whole strips.
PANEL = 240
#: Numbers of the summed axis that are multiplied in one go: a strip of the left matrix (8 rows of it) then
#: takes half of a 32 KB first-level cache in float32, all of it in float64 (52 GFLOP/s; half as many: 50).
DEPTH = 512
#: Rows of the right operand of a gradient that are used together, to stay in the second-level cache.
GROUP = 60


@loops
def whole_strips(n, like):
    """n rounded up to whole strips; `pack_left` writes k times as many numbers."""
    return (n + rows(like) - 1) // rows(like) * rows(like)


@loops
def pack_strip(s, n, k, W, transposed, packed):
    """Strip s of the left matrix: packed[s * rows * k + p * height + r] = W[s * rows + r, p].

    W[p, s * rows + r] if `transposed`, and 0 below row n. `height` is `rows`, or `half_rows` for a last strip
    of so few rows.
    """
    i = s * rows(packed)
    used = min(n - i, rows(packed))
    height = half_rows(packed) if used <= half_rows(packed) else rows(packed)
    zero = packed.dtype.type(0)
    strip = packed[i * k : (i + height) * k]
    if used < height:
        for p in range(k * height):
            strip[p] = zero
    if transposed:
        for p in range(k):
            source, target = W[p * n + i : p * n + i + used], strip[p * height : p * height + used]
            for r in range(used):
                target[r] = source[r]
    elif used == rows(packed):
        source = W[i * k : (i + used) * k]
        for p in range(k):
            target = strip[p * height : (p + 1) * height]
            for r in range(rows(packed)):
                target[r] = source[r * k + p]
    else:
        for r in range(used):
            source = W[(i + r) * k : (i + r + 1) * k]
            for p in range(k):
                strip[p * height + r] = source[p]


@loops
def pack_left(n, k, W, transposed, packed):
    """All strips of the left matrix."""
    for s in range((n + rows(packed) - 1) // rows(packed)):
        pack_strip(s, n, k, W, transposed, packed)


@loops
def pack_transposed(B, row_length, j, width, p, depth, out, out_length):
    """out[q, c] = B[j + c, p + q] for c < width, q < depth; B has rows of `row_length`, out `out_length`.

    Sixteen rows of B at a time, so that each store fills a vector.
    """
    for first in range(0, width, 16):
        count = min(16, width - first)
        for q in range(depth):
            column = out[q * out_length + first : q * out_length + first + count]
            source = B[(j + first) * row_length + p + q :]
            if count == 16:
                for c in range(16):
                    column[c] = source[c * row_length]
            else:
                for c in range(count):
                    column[c] = source[c * row_length]


@loops
def pack_right(B, row_length, transposed, j, width, p, depth, packed):
    """packed[t, q, c] = B[p + q, j + t * columns + c] (B[j + ..., p + q] if `transposed`), else 0."""
    across = columns(packed)
    zero = packed.dtype.type(0)
    for t in range((width + across - 1) // across):
        strip = packed[t * across * depth : (t + 1) * across * depth]
        used = min(across, width - t * across)
        if used < across:
            for q in range(depth * across):
                strip[q] = zero
        if transposed:
            pack_transposed(B, row_length, j + t * across, used, p, depth, strip, across)
    if not transposed:
        for q in range(depth):
            row = B[(p + q) * row_length + j : (p + q) * row_length + j + width]
            for t in range(width // across):
                target = packed[(t * depth + q) * across : (t * depth + q + 1) * across]
                piece = row[t * across : (t + 1) * across]
                for c in range(across):
                    target[c] = piece[c]
            done = width // across * across
            for c in range(width - done):
                packed[(done // across * depth + q) * across + c] = row[done + c]


@loops
def uses_in_place(strips, k, row_length, transposed, itemsize):
    """Whether a panel of the right matrix is better used as it lies than packed.

    So it is if at most two strips of the left matrix meet it, since copying it would cost as much as using
    it, or if a strip of it fits the first-level cache and its rows don't fall on the same lines there.
    """
    return (not transposed) and (strips <= 2 or (k <= 128 and row_length * itemsize % 512 != 0))


@loops
def _copy_block(source, s0, s_length, height, width, target, t0, t_length):
    """target[t0 + r * t_length + c] = source[s0 + r * s_length + c] for r < height and c < width."""
    for r in range(height):
        row = source[s0 + r * s_length : s0 + r * s_length + width]
        out = target[t0 + r * t_length : t0 + r * t_length + width]
        for c in range(width):
            out[c] = row[c]


@inlined_late
def _block(
    sums, packed_left, i, k, p, count, B, first, row_length, packed, packed_first, in_place, start, out,
    corner, out_length, tall, wide, edge,
):  # fmt: skip
    """Adds to a (tall, wide) block at out[corner], from row i of W on, the terms p to p + count of its sums.

    The first terms are added to start[i]. A block that doesn't fill a tile goes through `edge`.
    """
    height, across = outer_rows(sums), columns(out)
    left = i * k + p * height
    inside = tall == height and wide == across
    if p > 0 and not inside:
        _copy_block(out, corner, out_length, tall, wide, edge, 0, across)
    if p == 0:
        sums = outer_start(sums, start, i)
    elif inside:
        sums = outer_load(sums, out, corner, out_length)
    else:
        sums = outer_load(sums, edge, 0, across)
    if in_place:
        for q in range(count):
            sums = outer_add(sums, packed_left, left + q * height, B, first + q * row_length)
    else:
        for q in range(count):
            sums = outer_add(sums, packed_left, left + q * height, packed, packed_first + q * across)
    if inside:
        outer_store(sums, out, corner, out_length)
    else:
        outer_store(sums, edge, 0, across)
        _copy_block(edge, 0, across, tall, wide, out, corner, out_length)
    # The last use of all arrays: Numba counts a reference less after the last use, and a call of that between
    # the loops would move the tile out of its registers.
    return packed_left.size + B.size + packed.size + start.size + out.size + edge.size


@loops
def product(packed_left, i0, i1, k, B, row_length, transposed, j, width, start, out, out_length, out_j):
    """out[i, out_j + c] = start[i] + sum over p of W[i, p] * B[p, j + c], for i0 <= i < i1 and c < width.

    W comes from `pack_left`; i0 is a multiple of `tile.rows`, i1 one too or the last row; start has
    `whole_strips` numbers.
    """
    height, across = rows(out), columns(out)
    depth = min(max(k, 1), DEPTH)
    strips = (i1 - i0 + height - 1) // height
    panels = (width + across - 1) // across
    direct = uses_in_place(strips, k, row_length, transposed, out.itemsize)
    packed = np.empty(across * depth * (1 if direct else panels), out.dtype)
    edge = np.empty(height * across, out.dtype)
    for p in range(0, max(k, 1), depth):
        now = min(depth, k - p)
        if not direct:
            pack_right(B, row_length, transposed, j, width, p, now, packed)
        for t in range(panels):
            c = t * across
            wide = min(across, width - c)
            in_place = direct and wide == across
            if direct and not in_place:
                pack_right(B, row_length, transposed, j + c, wide, p, now, packed)
            first, packed_first = p * row_length + j + c, 0 if direct else t * across * now
            for s in range(strips):
                i = i0 + s * height
                corner, tall = i * out_length + out_j + c, min(height, i1 - i)
                if tall > half_rows(out):
                    _block(
                        outer_zeros(out), packed_left, i, k, p, now, B, first, row_length, packed,
                        packed_first, in_place, start, out, corner, out_length, tall, wide, edge,
                    )  # fmt: skip
                else:
                    _block(
                        outer_zeros_half(out), packed_left, i, k, p, now, B, first, row_length, packed,
                        packed_first, in_place, start, out, corner, out_length, tall, wide, edge,
                    )  # fmt: skip


@loops
def add_gradient(D, d0, d_length, n, B, b0, b_length, k, width, G, g_length):
    """G[i, q] += sum over c of D[i, c] * B[q, c], for i < n, q < k and c < width.

    Row i of D begins at d0 + i * d_length, row q of B at b0 + q * b_length. Both run along the summed
    axis, so nothing is packed; blocks of `dot_rows` by `dot_columns` sums stay in registers.
    """
    height, across, step = dot_rows(G), dot_columns(G), lanes(G)
    if n < height or k < across:
        for i in range(n):
            row = D[d0 + i * d_length : d0 + i * d_length + width]
            for q in range(k):
                G[i * g_length + q] += row_dot(row, B[b0 + q * b_length : b0 + q * b_length + width])
        return
    sums = np.empty(height * across, G.dtype)
    vectors = width // step * step
    group = GROUP // across * across
    for first in range(0, k, group):
        for i in range(0, n, height):
            # The last tiles reach back over rows and columns that are done, and only add what is new.
            top = min(i, n - height)
            for q in range(first, min(k, first + group), across):
                left = min(q, k - across)
                d, b = d0 + top * d_length, b0 + left * b_length
                tile = dot_zeros(G)
                for c in range(0, vectors, step):
                    tile = dot_add(tile, D, d + c, d_length, B, b + c, b_length)
                if vectors < width:
                    tile = dot_add_first(
                        tile, D, d + vectors, d_length, B, b + vectors, b_length, width - vectors
                    )
                dot_store(tile, sums, 0)
                if top == i and left == q:
                    for r in range(height):
                        row = G[(i + r) * g_length + q : (i + r) * g_length + q + across]
                        for s in range(across):
                            row[s] += sums[r * across + s]
                else:
                    for r in range(i - top, height):
                        for s in range(q - left, across):
                            G[(top + r) * g_length + left + s] += sums[r * across + s]


@loops
def merge(slots, size, parts):
    """parts[0, :] = the sum of parts[s, :] over all slots, in pairs: 0+1, 2+3, ..., then 0+2, ..."""
    stride = 1
    while stride < slots:
        for s in range(0, slots - stride, 2 * stride):
            into = parts[s * size : (s + 1) * size]
            other = parts[(s + stride) * size : (s + stride + 1) * size]
            for i in range(size):
                into[i] += other[i]
        stride *= 2
