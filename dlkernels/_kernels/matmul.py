"""Products of matrices on packed panels.

Letters: n rows of the result, m its columns, k the summed axis. Matrices are passed as flat C-ordered
arrays with the length of their rows; a matrix in Fortran order is passed as its transpose with
`transposed` set. The plain formula of each function stands in its docstring; tests compare with it.

The scheme is that of K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication",
2008: the left matrix is packed into strips of `tile.rows` rows, a panel of the right one into strips of
`tile.columns` columns, so that the inner loop reads both in one sweep and writes nothing.
"""

from __future__ import annotations

from dlkernels._compiler.options import START, inlined_late, loops
from dlkernels._compiler.pieces import Flag, Int, Row, piece
from dlkernels._kernels.packing import pack_right
from dlkernels._simd.moves import prefetch
from dlkernels._simd.tile import (
    columns,
    lanes,
    outer_add,
    outer_add_first,
    outer_columns,
    outer_plus,
    outer_plus_part,
    outer_prefetch,
    outer_rows,
    outer_start,
    outer_store,
    outer_store_part,
    outer_vector,
    outer_zeros,
    outer_zeros_half,
    rows,
)

#: Columns of a panel: a multiple of every tile's width, so that it cuts into whole strips.
PANEL = 240
#: Numbers of the summed axis that are multiplied in one go: a strip of the left matrix (8 rows of it) then
#: takes half of a 32 KB first-level cache in float32, all of it in float64 (52 GFLOP/s; half as many: 50).
DEPTH = 512
#: The same where the right matrix isn't packed: its rows lie apart, and these of a strip and of the next one
#: are to stay in the first-level cache. And where at most two strips of the left matrix meet one of any size:
#: of more rows, neither does the second strip find the columns in cache nor the next columns their pages.
ROWS_IN_PLACE, FEW_ROWS = 64, 32
#: Strips of the left matrix, and bytes of the right one, up to which packing the latter costs more than it
#: saves. (20, 784) x 8000 in float32, 25 MB on 6,000 pages, took twice as long without packing.
FEW_STRIPS, FEW_BYTES = 16, 2**22
#: Numbers of partial results that are merged at a time, to stay in the first-level cache.
MERGED = 512


@loops
def uses_in_place(strips, k, row_length, transposed, itemsize):
    """Whether a panel of the right matrix is better used as it lies than packed.

    So it is if at most two strips of the left matrix meet it, since copying it would cost as much as using
    it, if few do and it is small, or if it has few rows; but with more than two strips its rows mustn't fall
    on the same lines of the first-level cache.
    """
    if transposed or strips <= 2:
        return not transposed
    small = strips <= FEW_STRIPS and k * row_length * itemsize <= FEW_BYTES
    return (small or k <= 128) and row_length * itemsize % 512 != 0


@loops
def product_room(strips, k, row_length, transposed, width, like):
    """Numbers of scratch memory of `product`, for this many strips of the left matrix."""
    if uses_in_place(strips, k, row_length, transposed, like.itemsize):
        return 0
    return columns(like) * min(max(k, 1), DEPTH) * ((width + columns(like) - 1) // columns(like))


@inlined_late
def write_block(sums, fresh, out, corner, out_length, tall, wide):
    """Adds the first `tall` rows and `wide` columns of a block to out[corner], or writes them if `fresh`."""
    if tall == outer_rows(sums) and wide == outer_columns(sums):
        if not fresh:
            sums = outer_plus(sums, out, corner, out_length)
        outer_store(sums, out, corner, out_length)
    else:
        if not fresh:
            sums = outer_plus_part(sums, out, corner, out_length, tall, wide)
        outer_store_part(sums, out, corner, out_length, tall, wide)


@inlined_late
def _block(
    sums, left_matrix, left, count, B, first, step, start, i, fresh, out, corner, out_length, tall, wide,
    ask, pace,
):  # fmt: skip
    """Adds `count` terms to a (tall, wide) block at out[corner]; to start[i] instead if it is `fresh`.

    Meanwhile asks for what lies at B[ask], `pace` numbers a term.
    """
    height = outer_rows(sums)
    if fresh:
        sums = outer_start(sums, start, i)
    outer_prefetch(sums, out, corner, out_length)
    for q in range(count):
        if outer_columns(sums) == lanes(out):
            sums = outer_add_first(sums, left_matrix, left + q * height, B, first + q * step, wide)
        else:
            prefetch(B, ask + q * pace)
            sums = outer_add(sums, left_matrix, left + q * height, B, first + q * step)
    write_block(sums, fresh, out, corner, out_length, tall, wide)


@inlined_late
def _blocks(
    tile, half, left_matrix, length, skip, i0, i1, count, B, first, step, packed, ahead, start, fresh, out,
    corner, out_length, wide,
):  # fmt: skip
    # The blocks share out the asking for the next strip of B: if it is packed, a block asks for some of its
    # terms, else for one of the lines that each of its rows lies on.
    blocks = max(1, (i1 - i0 + outer_rows(tile) - 1) // outer_rows(tile))
    pace = (step + blocks - 1) // blocks if packed else step
    share, end = (pace * count, ahead + step * count) if packed else (lanes(out), ahead + columns(out))
    for i in range(i0, i1, outer_rows(tile)):
        left, at, tall = i * length, corner + (i - i0) * out_length, min(outer_rows(tile), i1 - i)
        if tall > outer_rows(half):
            _block(
                tile, left_matrix, left + skip * outer_rows(tile), count, B, first, step, start, i, fresh,
                out, at, out_length, tall, wide, ahead, pace,
            )  # fmt: skip
        else:
            _block(
                half, left_matrix, left + skip * outer_rows(half), count, B, first, step, start, i, fresh,
                out, at, out_length, tall, wide, ahead, pace,
            )  # fmt: skip
        ahead = min(ahead + share, end)


@piece
def strip(
    left_matrix: Row, length: Int, skip: Int, i0: Int, i1: Int, count: Int, B: Row, first: Int, step: Int,
    packed: Flag, ahead: Int, start: Row, fresh: Flag, out: Row, corner: Int, out_length: Int, wide: Int,
):  # fmt: skip
    """out[corner + (i - i0) * out_length + c] += sum over q of L[i, skip + q] * B[first + q * step + c].

    For i0 <= i < i1, c < wide <= `tile.columns` and q < count; the sums start at start[i] if they are
    `fresh`. L, with `length` columns, comes from `pack_left`; i0 is a multiple of `tile.rows`. B is `packed`
    if it comes from `pack_right`; of other rows no number after `wide` is read. B[ahead], where what is used
    next begins, is only asked for. What doesn't fill a tile is formed a vector at a time: 500 columns cost
    10 2/3 strips of 48, not 11.
    """
    tile, half = outer_zeros(out), outer_zeros_half(out)
    if wide == columns(out) or (packed and wide > columns(out) - lanes(out)):
        _blocks(
            tile, half, left_matrix, length, skip, i0, i1, count, B, first, step, packed, ahead, start, fresh,
            out, corner, out_length, wide,
        )  # fmt: skip
        return
    narrow, narrow_half = outer_vector(tile), outer_vector(half)
    for c in range(0, wide, lanes(out)):
        _blocks(
            narrow, narrow_half, left_matrix, length, skip, i0, i1, count, B, first + c, step, packed, ahead,
            start, fresh, out, corner + c, out_length, min(lanes(out), wide - c),
        )  # fmt: skip


@piece
def product(
    left_matrix: Row, i0: Int, i1: Int, k: Int, B: Row, row_length: Int, transposed: Flag, j: Int, width: Int,
    start: Row, out: Row, out_length: Int, out_j: Int, packed: Row, ):  # fmt: skip
    """out[i, out_j + c] = start[i] + sum over p of L[i, p] * B[p, j + c], for i0 <= i < i1 and c < width.

    L comes from `pack_left`; i0 is a multiple of `tile.rows`, i1 one too or the last row; start has
    `whole_strips` numbers, packed `product_room`.
    """
    across = columns(out)
    strips = (i1 - i0 + rows(out) - 1) // rows(out)
    direct = uses_in_place(strips, k, row_length, transposed, out.itemsize)
    depth = min(max(k, 1), (FEW_ROWS if strips <= 2 else ROWS_IN_PLACE) if direct else DEPTH)
    panels = (width + across - 1) // across
    for p in range(0, max(k, 1), depth):
        now = min(depth, k - p)
        if not direct:
            pack_right(B, row_length, transposed, j, width, p, START, now, now, packed)
        for t in range(panels):
            c = t * across
            wide, corner = min(across, width - c), i0 * out_length + out_j + c
            if not direct:
                source, first, step = packed, c * now, across
                ahead = first + across * now
            else:
                source, first, step = B, p * row_length + j + c, row_length
                if t + 1 < panels:
                    ahead = first + across
                else:
                    ahead = (p + now) * row_length + j if p + now < k else j + width
            strip(
                left_matrix, k, p, i0, i1, now, source, first, step, not direct, ahead, start, p == 0, out,
                corner, out_length, wide,
            )  # fmt: skip


@loops
def merge(slots, size, parts, first, last):
    """parts[0, i] = the sum of parts[s, i] over all slots, in pairs: 0+1, 2+3, ..., then 0+2, ...

    For first <= i < last.
    """
    for at in range(first, last, MERGED):
        width, stride = min(MERGED, last - at), 1
        while stride < slots:
            for s in range(0, slots - stride, 2 * stride):
                into = parts[s * size + at : s * size + at + width]
                other = parts[(s + stride) * size + at : (s + stride) * size + at + width]
                for i in range(width):
                    into[i] += other[i]
            stride *= 2
