"""The micro-kernel of products whose L is packed, and the two loops around it.

A product is out[i, j] = start[i] + sum over p of L[i, p] * B[p, j]. L is packed. From the inside out:

`micro_kernel`          forms a tile of MR by NR sums in vector registers, along p
`multiply_micro_panel`  multiplies a block of rows of L with one micro-panel of B, which has NR columns
`multiply_panel`        multiplies it with a panel of several micro-panels, packed here or read where they lie

`product` shares out the panels of large products among threads. The fused passes over examples (`shallow`)
call `multiply_panel` directly. `packing` describes the packed form.
"""

from __future__ import annotations

from typing import NamedTuple

from dlkernels._compiler.options import ZERO, inlined_late, loops
from dlkernels._compiler.pieces import Flag, Int, Row, piece
from dlkernels._kernels.packing import Matrix, pack_right
from dlkernels._simd.moves import prefetch
from dlkernels._simd.tile import (
    lanes,
    mr,
    nr,
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
)

#: The most terms that are added up in one go. A micro-panel of L (8 rows) of so many terms takes half of a
#: 32 KB first-level cache in float32, and all of it in float64 (52 GFLOP/s; 50 with half as many terms).
KC = 512
#: Columns of a panel: a multiple of NR on every machine, so that a panel consists of whole micro-panels.
PANEL = 240
#: The most terms that are added up in one go if B isn't packed. The rows of B lie far apart then, and its
#: current and its next micro-panel must stay in the first-level cache. `_KC_OF_FEW` is for one or two
#: micro-panels of L. There B is never packed, however large it is. With more terms, the second micro-panel of
#: L would find neither the numbers of B in the cache nor their pages in the TLB.
_KC_IN_PLACE, _KC_OF_FEW = 64, 32
#: For at most this many micro-panels of L and bytes of B, packing B costs more than it saves. For a B of
#: 25 MB on 6,000 pages, in (20, 784) x 8000 in float32, not packing took twice as long.
_FEW_PANELS, _FEW_BYTES = 16, 2**22


class Left(NamedTuple):
    """Rows [first, end) of a packed left matrix of `depth` terms, of which the first `skipped` aren't used.

    `first` is a multiple of MR. `end` is a multiple of MR, or the number of rows of the matrix.
    """

    numbers: Row
    depth: Int
    skipped: Int
    first: Int
    end: Int


class Right(NamedTuple):
    """A micro-panel of the right matrix: numbers[at + q * step + c] is column c of its term q.

    `packed` says whether it was packed by `pack_right`. At `following` begins the next micro-panel, which is
    prefetched.
    """

    numbers: Row
    at: Int
    step: Int
    packed: Flag
    following: Int


class Target(NamedTuple):
    """Where the sums go: row i has `width` sums, from numbers[corner + (i - left.first) * row_length] on.

    If `fresh`, the sums of row i start at start[i]; otherwise they are added to the numbers that are there.
    """

    numbers: Row
    corner: Int
    row_length: Int
    width: Int
    start: Row
    fresh: Flag


@loops
def read_in_place(panels, k, row_length, transposed, itemsize):
    """Whether to read a panel of the right matrix where it lies, instead of packing it.

    `panels` is the number of micro-panels of L that are multiplied with it. For at most two of them, packing
    would cost as much as the product. For more of them the right matrix is read where it lies if it has few
    rows (k), or if it is small and `panels` is, too. The exception are rows that lie a multiple of 512 bytes
    apart: they would fall on the same lines of the first-level cache. A transposed matrix is always packed.
    """
    if transposed or panels <= 2:
        return not transposed
    small = panels <= _FEW_PANELS and k * row_length * itemsize <= _FEW_BYTES
    return (small or k <= 128) and row_length * itemsize % 512 != 0


@loops
def panel_workspace(panels, k, row_length, transposed, width, like):
    """How many numbers of workspace `multiply_panel` needs, for `panels` micro-panels of L."""
    if read_in_place(panels, k, row_length, transposed, like.itemsize):
        return 0
    return nr(like) * min(max(k, 1), KC) * ((width + nr(like) - 1) // nr(like))


@inlined_late
def write_tile(sums, fresh, out, corner, row_length, tall, wide):
    """Add the first `tall` rows and `wide` columns of a tile to `out` from `corner` on.

    If `fresh`, store them instead.
    """
    if tall == outer_rows(sums) and wide == outer_columns(sums):
        if not fresh:
            sums = outer_plus(sums, out, corner, row_length)
        outer_store(sums, out, corner, row_length)
    else:
        if not fresh:
            sums = outer_plus_part(sums, out, corner, row_length, tall, wide)
        outer_store_part(sums, out, corner, row_length, tall, wide)


@inlined_late
def micro_kernel(sums, left, left_start, right, count, target, i, tall, prefetched, pace):
    """Add `count` terms to the sums of rows [i, i + tall), in a tile of the form of `sums`.

    A full tile prefetches the right matrix meanwhile: one cache line for each term, from `prefetched` on and
    `pace` numbers apart. A tile that is one vector across reads the right matrix with a mask.
    """
    height = outer_rows(sums)
    corner = target.corner + (i - left.first) * target.row_length
    if target.fresh:
        sums = outer_start(sums, target.start, i)
    # The numbers that the sums are added to in the end are prefetched now. (1000 x 1000 x 1000 runs at
    # 104 GFLOP/s, and ran at 99 when they were loaded at the start.)
    outer_prefetch(sums, target.numbers, corner, target.row_length)
    for q in range(count):
        term = right.at + q * right.step
        if outer_columns(sums) == lanes(target.numbers):
            sums = outer_add_first(
                sums, left.numbers, left_start + q * height, right.numbers, term, target.width
            )
        else:
            prefetch(right.numbers, prefetched + q * pace)
            sums = outer_add(sums, left.numbers, left_start + q * height, right.numbers, term)
    write_tile(sums, target.fresh, target.numbers, corner, target.row_length, tall, target.width)


@inlined_late
def _multiply(tile, half, left, right, count, target):
    """`multiply_micro_panel` in tiles of the form of `tile`, or of `half` for a last tile of few rows."""
    # The tiles share out the prefetching of the next micro-panel. If it is packed, each tile prefetches some
    # of its terms. Otherwise each tile prefetches one cache line of every row.
    tiles = max(1, (left.end - left.first + outer_rows(tile) - 1) // outer_rows(tile))
    if right.packed:
        pace = (right.step + tiles - 1) // tiles
        forward, last = pace * count, right.following + right.step * count
    else:
        pace = right.step
        forward, last = lanes(target.numbers), right.following + nr(target.numbers)
    prefetched = right.following
    for i in range(left.first, left.end, outer_rows(tile)):
        at, tall = i * left.depth, min(outer_rows(tile), left.end - i)
        if tall > outer_rows(half):
            at += left.skipped * outer_rows(tile)
            micro_kernel(tile, left, at, right, count, target, i, tall, prefetched, pace)
        else:
            at += left.skipped * outer_rows(half)
            micro_kernel(half, left, at, right, count, target, i, tall, prefetched, pace)
        prefetched = min(prefetched + forward, last)


@piece
def multiply_micro_panel(left: Left, right: Right, count: Int, target: Target):
    """target[i, c] += sum over q < count of L[i, skipped + q] * B[q, c], for the rows of `left`.

    Columns that don't fill a tile are done a vector at a time: 500 columns cost 10 2/3 micro-panels of 48,
    not 11. Of a micro-panel that isn't packed, no number beyond the columns of the target is read.
    """
    out = target.numbers
    tile, half = outer_zeros(out), outer_zeros_half(out)
    if target.width == nr(out) or (right.packed and target.width > nr(out) - lanes(out)):
        _multiply(tile, half, left, right, count, target)
        return
    narrow, narrow_half = outer_vector(tile), outer_vector(half)
    for c in range(0, target.width, lanes(out)):
        source = Right(right.numbers, right.at + c, right.step, right.packed, right.following)
        wide = min(lanes(out), target.width - c)
        part = Target(out, target.corner + c, target.row_length, wide, target.start, target.fresh)
        _multiply(narrow, narrow_half, left, source, count, part)


@piece
def multiply_panel(left: Left, right: Matrix, j: Int, target: Target, workspace: Row):
    """target[i, c] = start[i] + sum over p of L[i, p] * B[p, j + c], for the rows of `left`.

    `fresh` and `skipped` are ignored: the sums always start at start[i], and all terms of L are used. The
    workspace has `panel_workspace` numbers.
    """
    k, width, across = left.depth, target.width, nr(target.numbers)
    panels = (left.end - left.first + mr(target.numbers) - 1) // mr(target.numbers)
    in_place = read_in_place(panels, k, right.row_length, right.transposed, target.numbers.itemsize)
    most = (_KC_OF_FEW if panels <= 2 else _KC_IN_PLACE) if in_place else KC
    depth, micro_panels = min(max(k, 1), most), (width + across - 1) // across
    for p in range(0, max(k, 1), depth):
        count = min(depth, k - p)
        if not in_place:
            pack_right(right, j, width, p, ZERO, count, count, workspace)
        rows = Left(left.numbers, k, p, left.first, left.end)
        for t in range(micro_panels):
            c = t * across
            part = Target(
                target.numbers, target.corner + c, target.row_length, min(across, width - c), target.start,
                p == 0,
            )  # fmt: skip
            if not in_place:
                first = c * count
                columns = Right(workspace, first, across, True, first + across * count)
            else:
                first = p * right.row_length + j + c
                if t + 1 < micro_panels:
                    following = first + across
                elif p + count < k:
                    following = (p + count) * right.row_length + j
                else:
                    following = j + width
                columns = Right(right.numbers, first, right.row_length, False, following)
            multiply_micro_panel(rows, columns, count, part)
