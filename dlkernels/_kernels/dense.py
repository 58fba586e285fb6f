"""A dense layer: forward with bias and activation, backward with the derivative, and the gradients.

n rows of W (units), k its columns (inputs), m examples. Matrices are flat and C-ordered; `_transposed`
says that a matrix in Fortran order came as its transpose.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from dlkernels._jit import loops, twins
from dlkernels._kernels.activations import activate, copy, times_derivative
from dlkernels._kernels.matmul import (
    PANEL,
    START,
    add_gradient,
    merge,
    pack_left,
    pack_strip,
    pack_transposed,
    product,
    uses_in_place,
    whole_strips,
)
from dlkernels._kernels.pieces import Flag, Int, Real, Row, piece
from dlkernels._kernels.sums import add_row, clear, merge_pairs, total
from dlkernels._kernels.tile import columns, lanes, rows

#: What `dense` does with its product.
FORWARD, FORWARD_KEEPING_Z, BACKWARD = range(3)
#: Parallel loops get about this many iterations where the shape allows it: enough for 16 threads, and for
#: 2 threads to share unequal ones. It must not depend on the machine, or the bits would.
TASKS = 16
#: The same where each pays for packing: 1000 x 1000 x 1000 has 21 strips of columns, which 2 threads would
#: share 11 to 10. With fewer rows than these a block isn't divided.
PACKING_TASKS, FEWEST_ROWS = 32, 128
#: So many rows of the left matrix fill a 1 MB second-level cache, where each strip of columns reads them.
MOST_ROWS = 512
#: Numbers from which the left matrix is packed in parallel.
PACK_IN_PARALLEL = 2**16
#: The most partial results of a sum over examples.
SLOTS = 64
#: Bytes of a row that are summed before the sum is added to a partial result: short enough for the rows of
#: a block to stay in the second-level cache, long enough to make little of adding up the lanes.
LENGTH_BYTES = 4096


@loops
def product_work(n, k, m, itemsize):
    """Estimated nanoseconds of an (n, k) by (k, m) product and an epilogue on its result, on one thread."""
    return (n * m * (0.02 * k + 0.3) + 0.3 * k * m) * itemsize / 4


@loops
def even_parts(n, longest, multiple):
    """The length of the fewest equal parts of n that are at most `longest`, rounded up to `multiple`."""
    parts = max(1, (n + longest - 1) // longest)
    return max(1, ((n + parts - 1) // parts + multiple - 1) // multiple) * multiple


@loops
def _grid(n, m, in_place, like):
    """Rows and columns of the blocks that a result (n, m) is cut into.

    Each block packs its panel of the right matrix for itself unless it uses it in place. Panels are therefore
    made narrower before a block gets few rows, with which the packing would cost too much.
    """
    tasks, fewest, most = (TASKS, 32, max(n, 1)) if in_place else (PACKING_TASKS, FEWEST_ROWS, MOST_ROWS)
    if in_place:
        width = even_parts(m, PANEL, columns(like))
    else:
        strips, down = (m + columns(like) - 1) // columns(like), max(1, (n + most - 1) // most)
        width = max(1, min(PANEL // columns(like), strips * down // tasks)) * columns(like)
    panels = max(1, (m + width - 1) // width)
    down = (tasks + panels - 1) // panels
    return even_parts(n, max(fewest, min(most, (n + down - 1) // down)), rows(like)), width


@loops
def _epilogue(kind, other, code, slope, i, j, width, m, out, Z):
    """What becomes of row i, columns [j, j + width) of a product, while they are in cache."""
    first = i * m + j
    result = out[first : first + width]
    if kind == BACKWARD:
        times_derivative(code, slope, other[first : first + width], result)
        return
    if kind == FORWARD_KEEPING_Z:
        copy(Z[first : first + width], result)
    activate(code, slope, result)


@piece
def block(
    kind: Int, packed: Row, i0: Int, i1: Int, k: Int, R: Row, R_transposed: Flag, j: Int, width: Int,
    start: Row, other: Row, code: Int, slope: Real, m: Int, out: Row, Z: Row,
):  # fmt: skip
    """Rows [i0, i1), columns [j, j + width) of what `dense` computes."""
    length = k if R_transposed else m
    sums = Z if kind == FORWARD_KEEPING_Z else out
    product(packed, i0, i1, k, R, length, R_transposed, j, width, start, sums, m, j)
    for i in range(i0, i1):
        _epilogue(kind, other, code, slope, i, j, width, m, out, Z)


call_block = block.call


@twins
def dense(
    kind: Int, L: Row, L_transposed: Flag, R: Row, R_transposed: Flag, other: Row, code: Int,
    negative_slope: Real, n: Int, k: Int, m: Int, out: Row, Z: Row, block_at: Int, scratch: Row,
):  # fmt: skip
    """A product L R, L (n, k) and R (k, m), with what a layer does to it, by kind:

    FORWARD            out = g(L R + b),          other = b (n,)
    FORWARD_KEEPING_Z  the same, and Z = L R + b
    BACKWARD           out = L R * g'(saved),     other = saved (n, m)

    `scratch` may be empty; with `whole_strips(n) * k` numbers it spares an allocation.
    """
    strips = whole_strips(n, out)
    packed = scratch if scratch.size >= strips * k else np.empty(strips * k, out.dtype)
    start = np.zeros(strips, out.dtype)
    if n * k < PACK_IN_PARALLEL:
        pack_left(n, k, L, L_transposed, packed)
    else:
        for s in prange(strips // rows(out)):
            pack_strip(s, n, k, L, L_transposed, packed)
    if kind != BACKWARD:
        copy(other, start[:n])
    length = k if R_transposed else m
    in_place = uses_in_place(strips // rows(out), k, length, R_transposed, out.itemsize)
    height, width = _grid(n, m, in_place, out)
    down, across = (n + height - 1) // height, (m + width - 1) // width
    for task in prange(down * across):
        i0, j = task % down * height, task // down * width
        i1, count = min(n, i0 + height), min(width, m - j)
        call_block(block_at, (
            kind, packed, i0, i1, k, R, R_transposed, j, count, start, other, code, negative_slope, m, out, Z
        ))  # fmt: skip


@piece
def gradient_block(
    dZ: Row, i0: Int, i1: Int, A_prev: Row, transposed: Flag, q0: Int, q1: Int, k: Int, m: Int, first: Int,
    last: Int, length: Int, part: Row, sums: Row,
):  # fmt: skip
    """Rows [i0, i1), columns [q0, q1) of sum dZ A_prevᵀ over the examples [first, last), in `part`.

    The task that has column 0 also adds up its rows of dZ.
    """
    spare = (q1 - q0) * (length + 16) if transposed else 0
    tile = np.empty(spare, part.dtype)
    for j in range(first, last, length):
        width = min(length, last - j)
        target = part[i0 * k + q0 :]
        if transposed:
            pack_transposed(A_prev, k, j, width, q0, q1 - q0, tile, length + 16)
            add_gradient(
                dZ, i0 * m + j, m, i1 - i0, tile, START, length + 16, q1 - q0, width, target, k
            )  # fmt: skip
        else:
            add_gradient(
                dZ, i0 * m + j, m, i1 - i0, A_prev, q0 * m + j, m, q1 - q0, width, target, k
            )  # fmt: skip
        if q0 == 0:
            for i in range(i0, i1):
                add_row(dZ[i * m + j : i * m + j + width], sums, i)


call_gradient_block = gradient_block.call


@twins
def dense_gradients(
    dZ: Row, A_prev: Row, transposed: Flag, n: Int, k: Int, m: Int, dW: Row, db: Row, block_at: Int
):  # fmt: skip
    """dW = dZ A_prevᵀ / m (n, k) and db = the row sums of dZ / m (n,); dZ (n, m), A_prev (k, m)."""
    height, width = even_parts(n, 120, 4), even_parts(k, 240, 6)
    down, across = max(1, (n + height - 1) // height), max(1, (k + width - 1) // width)
    blocks = down * across
    tasks = (TASKS + blocks - 1) // blocks
    longest = LENGTH_BYTES // dW.itemsize
    length = even_parts(m, min(longest, max(256, (m + tasks - 1) // tasks)), lanes(dW))
    panels = (m + length - 1) // length
    # A slot is a whole (n, k) matrix: few of them if it is large, or if its blocks are tasks enough.
    slots = max(1, min(SLOTS // blocks, panels, 2**18 // max(1, n * k)))
    parts = dW if slots == 1 else np.empty(slots * n * k, dW.dtype)
    clear(parts)
    sums = np.zeros(slots * n * 2, dW.dtype)
    for task in prange(slots * blocks):
        s, block = task // blocks, task % blocks
        i, q = block // across * height, block % across * width
        call_gradient_block(block_at, (
            dZ, i, min(n, i + height), A_prev, transposed, q, min(k, q + width), k, m,
            s * panels // slots * length, min(m, (s + 1) * panels // slots * length), length,
            parts[s * n * k : (s + 1) * n * k], sums[s * n * 2 : (s + 1) * n * 2],
        ))  # fmt: skip
    merge(slots, n * k, parts)
    merge_pairs(slots, n, sums)
    count = dW.dtype.type(m)
    for i in range(n * k):
        dW[i] = parts[i] / count
    for i in range(n):
        db[i] = total(sums, i) / count
