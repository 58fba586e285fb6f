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
    add_gradient,
    merge,
    pack_left,
    pack_transposed,
    packed_size,
    product,
)
from dlkernels._kernels.sums import add_row, merge_pairs, total
from dlkernels._kernels.tile import columns, lanes, rows

#: Parallel loops get about this many iterations where the shape allows it: enough for 16 threads, and for
#: 2 threads to share unequal ones. It must not depend on the machine, or the bits would.
TASKS = 16
#: The most partial results of a sum over examples.
SLOTS = 64
#: Bytes of a row that are summed before the sum is added to a partial result: short enough for the rows of
#: a block to stay in the second-level cache, long enough to make little of adding up the lanes.
LENGTH_BYTES = 4096


@loops
def even_parts(n, longest, multiple):
    """The length of the fewest equal parts of n that are at most `longest`, rounded up to `multiple`."""
    parts = max(1, (n + longest - 1) // longest)
    return max(1, ((n + parts - 1) // parts + multiple - 1) // multiple) * multiple


@loops
def _grid(n, m, like):
    """Rows and columns of the blocks that a result (n, m) is cut into."""
    width = even_parts(m, PANEL, columns(like))
    panels = (m + width - 1) // width
    if panels >= TASKS:
        return max(n, 1), width
    across = max(1, (TASKS + panels - 1) // max(panels, 1))
    return even_parts(n, max(32, (n + across - 1) // across), rows(like)), width


@loops
def _forward_block(packed, i0, i1, k, A_prev, A_length, transposed, j, width, b, code, slope, keep, A, Z, m):
    """Block [i0, i1) x [j, j + width) of A = g(W A_prev + b), and of Z if it is kept."""
    sums = Z if keep else A
    product(packed, i0, i1, k, A_prev, A_length, transposed, j, width, sums, m, j)
    for i in range(i0, i1):
        row = sums[i * m + j : i * m + j + width]
        bias = b[i]
        for c in range(width):
            row[c] += bias
        result = A[i * m + j : i * m + j + width]
        if keep:
            copy(row, result)
        activate(code, slope, result)


@twins
def dense_forward(W, W_transposed, A_prev, A_transposed, b, code, negative_slope, keep_Z, n, k, m, A, Z):
    """A = g(W A_prev + b), and Z = W A_prev + b if keep_Z; W (n, k), A_prev (k, m), b (n,)."""
    packed = np.empty(packed_size(n, k, A), A.dtype)
    pack_left(n, k, W, W_transposed, packed)
    height, width = _grid(n, m, A)
    down, across = (n + height - 1) // height, (m + width - 1) // width
    for task in prange(down * across):
        i, j = task // across * height, task % across * width
        _forward_block(
            packed, i, min(n, i + height), k, A_prev, k if A_transposed else m, A_transposed,
            j, min(width, m - j), b, code, negative_slope, keep_Z, A, Z, m,
        )  # fmt: skip


@loops
def _backward_block(packed, i0, i1, k, dZ_next, length, transposed, j, width, saved, code, slope, dZ, m):
    """Block [i0, i1) x [j, j + width) of dZ = W_nextᵀ dZ_next * g'(saved)."""
    product(packed, i0, i1, k, dZ_next, length, transposed, j, width, dZ, m, j)
    for i in range(i0, i1):
        first = i * m + j
        times_derivative(code, slope, saved[first : first + width], dZ[first : first + width])


@twins
def dense_backward(W_next, W_transposed, dZ_next, dZ_transposed, saved, code, negative_slope, n, k, m, dZ):
    """dZ = W_nextᵀ dZ_next * g'(saved); W_next (k, n), dZ_next (k, m), saved and dZ (n, m)."""
    packed = np.empty(packed_size(n, k, dZ), dZ.dtype)
    pack_left(n, k, W_next, not W_transposed, packed)
    height, width = _grid(n, m, dZ)
    down, across = (n + height - 1) // height, (m + width - 1) // width
    for task in prange(down * across):
        i, j = task // across * height, task % across * width
        _backward_block(
            packed, i, min(n, i + height), k, dZ_next, k if dZ_transposed else m, dZ_transposed,
            j, min(width, m - j), saved, code, negative_slope, dZ, m,
        )  # fmt: skip


@loops
def _gradient_task(dZ, i0, i1, A_prev, transposed, q0, q1, k, m, first, last, length, part, sums):
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
                dZ, i0 * m + j, m, i1 - i0, tile, 0, length + 16, q1 - q0, width, target, k
            )  # fmt: skip
        else:
            add_gradient(
                dZ, i0 * m + j, m, i1 - i0, A_prev, q0 * m + j, m, q1 - q0, width, target, k
            )  # fmt: skip
        if q0 == 0:
            for i in range(i0, i1):
                add_row(dZ[i * m + j : i * m + j + width], sums, i)


@twins
def dense_gradients(dZ, A_prev, transposed, n, k, m, dW, db):
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
    parts = np.zeros(slots * n * k, dW.dtype)
    sums = np.zeros(slots * n * 2, dW.dtype)
    for task in prange(slots * blocks):
        s, block = task // blocks, task % blocks
        i, q = block // across * height, block % across * width
        _gradient_task(
            dZ, i, min(n, i + height), A_prev, transposed, q, min(k, q + width), k, m,
            s * panels // slots * length, min(m, (s + 1) * panels // slots * length), length,
            parts[s * n * k : (s + 1) * n * k], sums[s * n * 2 : (s + 1) * n * 2],
        )  # fmt: skip
    merge(slots, n * k, parts)
    merge_pairs(slots, n, sums)
    count = dW.dtype.type(m)
    for i in range(n * k):
        dW[i] = parts[i] / count
    for i in range(n):
        db[i] = total(sums, i) / count
