"""The three products of a layer for a tile of examples. No weights are packed.

A layer has n units and k inputs. Its weights W (n, k) lie in C order; a tile has a few vectors of examples.

    multiply    Z[i, c] = b[i] + sum over p of W[i, p] A_prev[p, c]       forward
    multiply_T  dA_prev[q, c] = sum over i of W[i, q] dZ[i, c]            backward
    add_outer   dW[i, q] += sum over e of dZ[i, e] A_prevT[e, q]          the gradient
    add_rows    db[i] += sum over e of dZ[i, e]

In each of them, numbers of the left matrix are spread over vectors, and rows of the right matrix are read as
vectors. So W is read as it lies in both directions, though it changes at each step of a training: packing it
for a batch of 32 examples would cost a third of the product. Only A_prev is kept twice, as it is and
transposed in micro-panels (`Panels`).

Rows are taken MR or half of MR at a time. If rows are left over, `multiply` and `multiply_T` move the last
tile up over finished rows, and compute these once more. `add_outer` adds to what is there, so it takes the
rows of the last tile in reverse, from the last row upwards, and writes none of the finished ones.
"""

from __future__ import annotations

from typing import NamedTuple

from dlkernels._compiler.options import ZERO, inlined_late, loops
from dlkernels._compiler.pieces import Flag, Int, Row, piece
from dlkernels._kernels.matvec import add_weighted_rows
from dlkernels._kernels.micro_kernel import write_tile
from dlkernels._kernels.rows import clear
from dlkernels._simd.tile import (
    half_mr,
    lanes,
    nr,
    outer_add,
    outer_add_rows,
    outer_add_totals,
    outer_columns,
    outer_pair,
    outer_plus,
    outer_plus_part,
    outer_rows,
    outer_start,
    outer_store,
    outer_vector,
    outer_zeros,
    outer_zeros_half,
)


class Tiles(NamedTuple):
    """A matrix in parts: number c of row i of part s is numbers[at + s * part + i * length + c]."""

    numbers: Row
    at: Int
    length: Int
    part: Int


@loops
def padded(count, like):
    """`count` rounded up to whole vectors."""
    return (count + lanes(like) - 1) // lanes(like) * lanes(like)


@loops
def _next_width(left, like):
    """How many of `left` columns the next tile takes: 3 vectors, or 2 if 2 or 4 are left, or 1."""
    vectors = (left + lanes(like) - 1) // lanes(like)
    most = outer_columns(outer_zeros(like)) // lanes(like)
    if vectors == 4 and most == 3:
        return 2 * lanes(like)
    return min(vectors, most) * lanes(like)


# -- forward ---------------------------------------------------------------------------------------------


@inlined_late
def _multiply_block(sums, W, k, top, bias, A, out):
    """Rows [top, top + height) of `multiply`, for one tile across."""
    sums = outer_start(sums, bias, top)
    first, stride = top * k, k
    for p in range(k):
        sums = outer_add_rows(sums, W, first + p, stride, A.numbers, A.at + p * A.length)
    outer_store(sums, out.numbers, out.at + top * out.length, out.length)


@inlined_late
def _multiply_strip(tile, half, W, k, bias, A, out):
    n, i = bias.shape[0], ZERO
    while i < n:
        if n >= outer_rows(tile) and n - i > outer_rows(half):
            _multiply_block(tile, W, k, min(i, n - outer_rows(tile)), bias, A, out)
            i += outer_rows(tile)
        else:
            _multiply_block(half, W, k, min(i, n - outer_rows(half)), bias, A, out)
            i += outer_rows(half)


@piece
def multiply(W: Row, k: Int, bias: Row, A: Tiles, out: Tiles, width: Int):
    """out[i, c] = bias[i] + sum over p < k of W[i, p] A[p, c], for c < width, a multiple of `lanes`."""
    n, numbers = bias.shape[0], out.numbers
    if n < half_mr(numbers):
        for i in range(n):
            row, b = numbers[out.at + i * out.length : out.at + i * out.length + width], bias[i]
            for c in range(width):
                row[c] = b
            add_weighted_rows(W[i * k : (i + 1) * k], k, A.numbers, A.at, A.length, row, ZERO)
        return
    tile, half = outer_zeros(numbers), outer_zeros_half(numbers)
    c = ZERO
    while c < width:
        wide = _next_width(width - c, numbers)
        source = Tiles(A.numbers, A.at + c, A.length, A.part)
        target = Tiles(numbers, out.at + c, out.length, out.part)
        if wide == outer_columns(tile):
            _multiply_strip(tile, half, W, k, bias, source, target)
        elif wide == lanes(numbers):
            _multiply_strip(outer_vector(tile), outer_vector(half), W, k, bias, source, target)
        else:
            _multiply_strip(outer_pair(tile), outer_pair(half), W, k, bias, source, target)
        c += wide


# -- backward --------------------------------------------------------------------------------------------


@inlined_late
def _multiply_T_block(sums, W, k, n, top, D, out):
    for i in range(n):
        sums = outer_add(sums, W, i * k + top, D.numbers, D.at + i * D.length)
    outer_store(sums, out.numbers, out.at + top * out.length, out.length)


@inlined_late
def _multiply_T_strip(tile, half, W, k, n, D, out):
    q = ZERO
    while q < k:
        if k >= outer_rows(tile) and k - q > outer_rows(half):
            _multiply_T_block(tile, W, k, n, min(q, k - outer_rows(tile)), D, out)
            q += outer_rows(tile)
        else:
            _multiply_T_block(half, W, k, n, min(q, k - outer_rows(half)), D, out)
            q += outer_rows(half)


@piece
def multiply_T(W: Row, k: Int, D: Tiles, out: Tiles, width: Int):
    """out[q, c] = sum over i < n of W[i, q] D[i, c], for q < k and c < width, a multiple of `lanes`."""
    numbers, n = out.numbers, W.shape[0] // k
    if k < half_mr(numbers):
        for q in range(k):
            row = numbers[out.at + q * out.length : out.at + q * out.length + width]
            clear(row)
            for i in range(n):
                weight, d = W[i * k + q], D.numbers[D.at + i * D.length : D.at + i * D.length + width]
                for c in range(width):
                    row[c] += weight * d[c]
        return
    tile, half = outer_zeros(numbers), outer_zeros_half(numbers)
    c = ZERO
    while c < width:
        wide = _next_width(width - c, numbers)
        source = Tiles(D.numbers, D.at + c, D.length, D.part)
        target = Tiles(numbers, out.at + c, out.length, out.part)
        if wide == outer_columns(tile):
            _multiply_T_strip(tile, half, W, k, n, source, target)
        elif wide == lanes(numbers):
            _multiply_T_strip(outer_vector(tile), outer_vector(half), W, k, n, source, target)
        else:
            _multiply_T_strip(outer_pair(tile), outer_pair(half), W, k, n, source, target)
        c += wide


# -- the gradient ----------------------------------------------------------------------------------------


class Panels(NamedTuple):
    """A transposed matrix (k inputs) in micro-panels of NR inputs, as `packing.pack_right` packs it.

    The micro-panel of inputs q ... begins at numbers[at + q * width]; its rows, one for each example, have NR
    numbers. A tile thus reads few pages: rows of 784 numbers would lie on 200 pages, and the gradient took
    1.8 times as long in float64. Parts lie `part` numbers apart.
    """

    numbers: Row
    at: Int
    width: Int
    part: Int


class Sums(NamedTuple):
    """Which examples `add_outer` adds up: `length` in each of `parts` parts, `last` in the last one."""

    parts: Int
    length: Int
    last: Int


@loops
def panels(k, like):
    """`k` rounded up to whole micro-panels."""
    return (k + nr(like) - 1) // nr(like) * nr(like)


@inlined_late
def _outer_block(sums, D, i, up, A, examples, G, at, k, tall, wide, fresh):
    """G[at + up * r * k + c] (+)= the sum over e of D[i + up * r, e] A[e, c], for r < tall and c < wide."""
    across = nr(G)
    for s in range(examples.parts):
        count = examples.last if s == examples.parts - 1 else examples.length
        left, right = D.at + s * D.part + i * D.length, A.at + s * A.part
        for e in range(count):
            sums = outer_add_rows(sums, D.numbers, left + e, up * D.length, A.numbers, right + e * across)
    write_tile(sums, fresh, G, at, up * k, tall, wide)


@inlined_late
def _outer_strip(tile, half, D, first, last, A, q, examples, G, k, fresh):
    """All rows of `add_outer`, for one panel of inputs."""
    i, wide = first, min(outer_columns(tile), k - q)
    while i < last:
        left = last - i
        if left >= outer_rows(tile):
            _outer_block(tile, D, i, 1, A, examples, G, i * k + q, k, outer_rows(tile), wide, fresh)
            i += outer_rows(tile)
        elif left > outer_rows(half) and last >= outer_rows(tile):
            _outer_block(tile, D, last - 1, -1, A, examples, G, (last - 1) * k + q, k, left, wide, fresh)
            i = last
        elif left >= outer_rows(half):
            _outer_block(half, D, i, 1, A, examples, G, i * k + q, k, outer_rows(half), wide, fresh)
            i += outer_rows(half)
        elif last >= outer_rows(half):
            _outer_block(half, D, last - 1, -1, A, examples, G, (last - 1) * k + q, k, left, wide, fresh)
            i = last
        else:
            _outer_block(half, D, i, 1, A, examples, G, i * k + q, k, left, wide, fresh)
            i = last


@piece
def add_outer(D: Tiles, first: Int, last: Int, A: Panels, k: Int, examples: Sums, G: Row, fresh: Flag):
    """G[i, q] += sum over e of D[i, e] A[e, q], for rows first <= i < last and q < k; = if `fresh`.

    D has at least `last` rows, and memory for MR / 2 - 1 more. A is the input of the layer, transposed: its
    rows are examples.
    """
    tile, half = outer_zeros(G), outer_zeros_half(G)
    for q in range(0, k, outer_columns(tile)):
        across = padded(k - q, G)
        panel = Panels(A.numbers, A.at + q * A.width, A.width, A.part)
        if across >= outer_columns(tile):
            _outer_strip(tile, half, D, first, last, panel, q, examples, G, k, fresh)
        elif across == lanes(G):
            one, low = outer_vector(tile), outer_vector(half)
            _outer_strip(one, low, D, first, last, panel, q, examples, G, k, fresh)
        else:
            two, low_two = outer_pair(tile), outer_pair(half)
            _outer_strip(two, low_two, D, first, last, panel, q, examples, G, k, fresh)


@loops
def add_rows(D: Tiles, first: Int, last: Int, examples: Sums, sums: Row, fresh: Flag):
    """sums[i] += sum over e of D[i, e], for rows first <= i < last; = if `fresh`.

    MR rows are added up at a time, with two vectors of sums each. One row after the other took 5 to 7 times
    as long in float32. D has memory for MR - 1 rows more, which is read.
    """
    zeros = outer_pair(outer_zeros(sums))
    tall, wide = outer_rows(zeros), outer_columns(zeros)
    if fresh:
        clear(sums[first:last])
    for i in range(first, last, tall):
        block = zeros
        for s in range(examples.parts):
            count = examples.last if s == examples.parts - 1 else examples.length
            at, whole = D.at + s * D.part + i * D.length, count // wide * wide
            for e in range(0, whole, wide):
                block = outer_plus(block, D.numbers, at + e, D.length)
            if whole < count:
                block = outer_plus_part(block, D.numbers, at + whole, D.length, tall, count - whole)
        outer_add_totals(block, sums, i, last - i)
