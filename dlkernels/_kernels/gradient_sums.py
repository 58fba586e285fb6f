"""Sums over examples: G[i, q] += sum over c of D[i, c] * B[q, c], for n rows of D and k rows of B.

This is dZ A_prevᵀ of a layer, for some of its examples: rows of D are units, rows of B are inputs. There are
two forms, and `units_across` chooses.

Units across vectors: the rows of D are packed into columns, so that a vector holds one example of several
units. B is read where it lies; one number of it at a time is spread over a vector. G comes out transposed, as
(k, n). So B, usually the larger matrix, is never packed.

Examples across vectors, for few units or inputs: nothing is packed. Each sum is a dot product of two rows,
spread over the lanes of a vector. G is (n, k).
"""

from __future__ import annotations

from typing import NamedTuple

from dlkernels._compiler.options import FALSE, ZERO, inlined_late, loops
from dlkernels._compiler.pieces import Flag, Int, Row, piece
from dlkernels._kernels.memory import whole_lines
from dlkernels._kernels.micro_kernel import write_tile
from dlkernels._kernels.packing import pack_transposed
from dlkernels._kernels.rows import clear
from dlkernels._kernels.sums import row_dot
from dlkernels._simd.moves import prefetch
from dlkernels._simd.tile import (
    dot_add,
    dot_add_first,
    dot_columns,
    dot_rows,
    dot_store,
    dot_zeros,
    lanes,
    mr,
    nr,
    outer_add_rows,
    outer_prefetch,
    outer_vector,
    outer_zeros,
)

#: The most numbers of the partial sums of all slots together.
MOST_PARTIAL_SUMS = 2**20
#: Units don't lie across vectors if they fill fewer micro-panels of MR than this and G is large.
_FEWEST_PANELS = 4
#: How many rows of B the dot products take at a time, so that these rows stay in the second-level cache.
_GROUP = 60


class Rows(NamedTuple):
    """`count` rows of a matrix: number c of row i is numbers[at + i * row_length + c]."""

    numbers: Row
    at: Int
    row_length: Int
    count: Int


@loops
def units_across(n, k, m, like):
    """Whether `add_gradient` puts the units across vectors; G is (k, n) then."""
    # Few units of very many inputs are excluded, because a transposed G needs as much memory again as dW.
    fits = (n >= _FEWEST_PANELS * mr(like)) | (n * k <= MOST_PARTIAL_SUMS)
    return (n >= nr(like)) & (k >= mr(like)) & (m >= lanes(like)) & fits


@loops
def gradient_workspace(across, n, width, like):
    """How many numbers of workspace `add_gradient` needs, for n rows of D and `width` examples."""
    if across:
        return whole_lines((n + nr(like) - 1) // nr(like) * nr(like) * width)
    return whole_lines(dot_rows(like) * dot_columns(like))


@piece
def add_gradient(D: Rows, B: Rows, width: Int, G: Row, g_length: Int, across: Flag, workspace: Row):
    """G[i, q] += sum over c < width of D[i, c] * B[q, c]; into G[q, i] if units lie `across` vectors.

    The rows of G lie `g_length` numbers apart. The workspace has `gradient_workspace` numbers.
    """
    if across:
        _add_outer(D, B, width, G, g_length, workspace)
    else:
        _add_dots(D, B, width, G, g_length, workspace)


@loops
def _add_outer(D, B, width, G, g_length, packed):
    """`add_gradient` with the units across vectors."""
    across, height = nr(G), mr(G)
    if D.count % lanes(G):
        # The lanes of the last vector that have no unit are computed, too. They are cleared, because an
        # earlier call may have left subnormal numbers there, which are slow.
        clear(packed[D.count // across * across * width : (D.count + across) // across * across * width])
    for t in range(0, D.count, across):
        pack_transposed(
            D.numbers[D.at :], D.row_length, t, min(across, D.count - t), ZERO, width, packed, t * width,
            across,
        )  # fmt: skip
    tile = outer_zeros(G)
    narrow = outer_vector(tile)
    for q in range(0, B.count, height):
        # A tile always reads MR rows of B. If fewer are left, it takes them from the last one upwards: beyond
        # the rows that are left it then reads earlier rows, which exist, and none after the last one.
        tall = min(height, B.count - q)
        row, up = (q, 1) if tall == height else (B.count - 1, -1)
        rows = Rows(B.numbers, B.at + row * B.row_length, up * B.row_length, tall)
        for t in range(0, D.count, across):
            corner, wide = row * g_length + t, min(across, D.count - t)
            # Each tile prefetches two of the next MR rows of B; these rows lie far apart in memory.
            ahead = B.at + (q + height + t // across * 2) * B.row_length
            if wide > across - lanes(G):
                target = Rows(G, corner, up * g_length, tall)
                _add_outer_tile(tile, rows, packed, t * width, width, target, wide, ahead)
                continue
            for i in range(0, wide, lanes(G)):
                target, used = Rows(G, corner + i, up * g_length, tall), min(lanes(G), wide - i)
                _add_outer_tile(narrow, rows, packed, t * width + i, width, target, used, ahead)


@inlined_late
def _add_outer_tile(sums, B, packed, first, width, G, wide, ahead):
    """G[r, i] += sum over c < width of B[r, c] * packed[first + c * NR + i], for i < wide.

    Meanwhile this prefetches two rows of B, the first of them at `ahead`.
    """
    forward, step = abs(B.row_length), nr(G.numbers)
    outer_prefetch(sums, G.numbers, G.at, G.row_length)
    for c in range(width):
        prefetch(B.numbers, ahead + c)
        prefetch(B.numbers, ahead + forward + c)
        sums = outer_add_rows(sums, B.numbers, B.at + c, B.row_length, packed, first + c * step)
    write_tile(sums, FALSE, G.numbers, G.at, G.row_length, G.count, wide)


@loops
def _add_dots(D, B, width, G, g_length, sums):
    """`add_gradient` with the examples across vectors.

    A tile of `dot_rows` by `dot_columns` sums stays in registers, and is added to G by way of `sums`.
    """
    n, k, height, across = D.count, B.count, dot_rows(G), dot_columns(G)
    if n < height or k < across:
        for i in range(n):
            row = D.numbers[D.at + i * D.row_length : D.at + i * D.row_length + width]
            for q in range(k):
                at = B.at + q * B.row_length
                G[i * g_length + q] += row_dot(row, B.numbers[at : at + width])
        return
    vectors = width // lanes(G) * lanes(G)
    group = _GROUP // across * across
    for first in range(0, k, group):
        for i in range(0, n, height):
            # A last tile that would reach beyond the edge is moved back over finished rows or columns, and
            # only its new sums are added to G. (10, 784) x 256 runs at 66 GFLOP/s, and at 48 if single dot
            # products do the remainder.
            top = min(i, n - height)
            for q in range(first, min(k, first + group), across):
                left = min(q, k - across)
                d, b = D.at + top * D.row_length, B.at + left * B.row_length
                tile = dot_zeros(G)
                for c in range(0, vectors, lanes(G)):
                    tile = dot_add(tile, D.numbers, d + c, D.row_length, B.numbers, b + c, B.row_length)
                if vectors < width:
                    tile = dot_add_first(
                        tile, D.numbers, d + vectors, D.row_length, B.numbers, b + vectors, B.row_length,
                        width - vectors,
                    )  # fmt: skip
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
