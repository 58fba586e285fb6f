"""A dense layer: forward with bias and activation, backward with the derivative, and the gradients.

n rows of W (units), k its columns (inputs), m examples. Matrices are flat and C-ordered; `_transposed`
says that a matrix in Fortran order came as its transpose.
"""

from __future__ import annotations

from numba import prange

from dlkernels._compiler.options import AS_IT_IS, START, entry, loops, shared, twins
from dlkernels._compiler.pieces import Flag, Int, Real, Row, piece
from dlkernels._kernels.activations import activate, copy, times_derivative
from dlkernels._kernels.matmul import (
    DEPTH,
    PANEL,
    product,
    product_room,
    strip,
    uses_in_place,
)
from dlkernels._kernels.packing import pack_right, pack_strips, whole_strips
from dlkernels._kernels.room import carve, even_parts, lines
from dlkernels._kernels.sums import add_row, clear, total
from dlkernels._simd.tile import columns, rows

#: What `strip` is told of B here, no literal (`_jit.START`).
PACKED = AS_IT_IS | True
#: What `dense` does with its product.
FORWARD, FORWARD_KEEPING_Z, BACKWARD, GRADIENTS = range(4)
#: Parallel loops get about this many iterations where the shape allows it: enough for 16 threads, and for
#: 2 threads to share unequal ones. It must not depend on the machine, or the bits would.
TASKS = 16
#: The same for the blocks of a product whose operands are packed.
BLOCKS = 32
#: Bytes of the packed left matrix that a block reads again for each strip of columns: half of a 1 MB
#: second-level cache.
LEFT_BYTES = 2**19
#: Bytes of the packed right matrix that all threads read: a share of the last-level cache.
RIGHT_BYTES = 2**22
#: Strips of the left matrix that a block has at least, where there are few columns to make tasks of. And rows
#: of it, where each task takes the right one from the second-level cache.
FEWEST_STRIPS, FEWEST_ROWS = 4, 64
#: Numbers from which operands are packed in parallel, and what is packed at a time: rows and strips of R.
PACK_IN_PARALLEL, PACKED_ROWS, GROUP_STRIPS = 2**18, 64, 5
#: Estimated nanoseconds of work up to which the gradients are never formed as a product.
AT_ONCE = 35_000
#: The most partial results of a sum over examples.
SLOTS = 64


@shared
def product_work(n: int, k: int, m: int, itemsize: int) -> int:
    """Estimated nanoseconds of an (n, k) by (k, m) product and an epilogue on its result, on one thread.

    In whole numbers: bits follow from comparing it, and a number with a fraction isn't the same everywhere.
    """
    return (n * m * (k + 15) + 15 * k * m) * itemsize // 200


@loops
def divide(numbers, count):
    """Each number by count."""
    divisor = numbers.dtype.type(count)
    for i in range(numbers.shape[0]):
        numbers[i] /= divisor


@loops
def _epilogue(kind, other, code, slope, i, j, width, m, out, Z):
    """What becomes of row i, columns [j, j + width) of a product, while they are in cache."""
    first = i * m + j
    result = out[first : first + width]
    if kind == BACKWARD:
        times_derivative(code, slope, other[first : first + width], result)
        return
    if kind == GRADIENTS:
        divide(result, slope)
        return
    if kind == FORWARD_KEEPING_Z:
        copy(Z[first : first + width], result)
    activate(code, slope, result)


@piece
def block(
    kind: Int, left: Row, i0: Int, i1: Int, p: Int, depth: Int, k: Int, R: Row, R_transposed: Flag,
    panel: Row, first: Int, j: Int, width: Int, start: Row, other: Row, code: Int, slope: Real, m: Int,
    out: Row, Z: Row, packed: Row, ):  # fmt: skip
    """Adds the terms p to p + depth to rows [i0, i1), columns [j, j + width) of what `dense` computes.

    Those columns begin at panel[first], or panel is empty and they are read from R itself, with packed as the
    room of `product`; left holds these terms only.
    """
    sums, across = Z if kind == FORWARD_KEEPING_Z else out, columns(out)
    if panel.size == 0:
        length = k if R_transposed else m
        product(
            left, i0, i1, k, R, length, R_transposed, j, width, start, sums, m, j, packed,
        )  # fmt: skip
    else:
        for c in range(0, width, across):
            strip(
                left, depth, START, i0, i1, depth, panel, first + c * depth, across, PACKED,
                first + (c + across) * depth, start, p == 0, sums, i0 * m + j + c, m, min(across, width - c),
            )  # fmt: skip
    if p + depth >= k:
        for i in range(i0, i1):
            _epilogue(kind, other, code, slope, i, j, width, m, out, Z)


@loops
def dense_plan(kind, n, k, m, R_transposed, like):
    """How `dense` goes about a product.

    Whether each task takes what it needs from R itself; if not, how many terms are packed at a time, of how
    many strips of R; how many numbers of scratch memory L, R and each worker take; and how many it is without
    the workers.
    """
    height, across = rows(like), columns(like)
    down, strips = whole_strips(n, like), (m + across - 1) // across
    length = k if R_transposed else m
    in_place = k == 0 or uses_in_place(down // height, k, length, R_transposed, like.itemsize)
    # With one block of rows a panel of R is used once: the task that does so packs it, and finds it in its
    # cache. (256, 784) x 10,000 in float32 takes 38.9 ms on an Intel Xeon, where it took 42.2.
    used_once = m >= TASKS * PANEL and k <= 4 * DEPTH and down * min(k, DEPTH) * like.itemsize <= LEFT_BYTES
    if (in_place or used_once) and kind != GRADIENTS:
        left = lines(down * k)
        share = lines(product_room(down // height, k, length, R_transposed, PANEL, like))
        return True, k, 0, left, 0, share, lines(down) + left
    depth = even_parts(k, DEPTH, height)
    band = even_parts(strips, max(1, RIGHT_BYTES // (depth * across * like.itemsize)), 1)
    left, panel, sums = lines(down * depth), lines(band * across * depth), lines(2 * n)
    return False, depth, band, left, panel, 0, lines(down) + left + panel + sums


@entry
def dense_room(kind, n, k, m, R_transposed, workers, like):
    """Numbers of scratch memory of `dense`."""
    _, _, _, _, _, share, rest = dense_plan(kind, n, k, m, R_transposed, like)
    return rest + workers * share


@piece
def pack(
    share: Int, shares: Int, kind: Int, L: Row, L_transposed: Flag, n: Int, k: Int, R: Row,
    R_transposed: Flag, m: Int, p: Int, depth: Int, t0: Int, strips: Int, left: Row, panel: Row, sums: Row,
):  # fmt: skip
    """One of several equal shares of packing the terms p to p + depth.

    They are those of all of L, unless that was done for t0 = 0, and of `strips` strips of R from t0 on.
    For gradients the sums of L's rows are added up on the way.
    """
    height, across = rows(left), columns(left)
    if t0 == 0:
        down = whole_strips(n, left) // height
        first, last = share * down // shares, (share + 1) * down // shares
        pack_strips(first, last, n, k, L, L_transposed, p, depth, left)
        if kind == GRADIENTS:
            for i in range(first * height, min(n, last * height)):
                add_row(L[i * k + p : i * k + p + depth], sums, i)
    # A part is some rows of a group of strips.
    parts = (depth + PACKED_ROWS - 1) // PACKED_ROWS
    all_parts = (strips + GROUP_STRIPS - 1) // GROUP_STRIPS * parts
    for part in range(share * all_parts // shares, (share + 1) * all_parts // shares):
        t, q = part // parts * GROUP_STRIPS, part % parts * PACKED_ROWS
        j = (t0 + t) * across
        width = min(min(GROUP_STRIPS, strips - t) * across, m - j)
        pack_right(
            R, k if R_transposed else m, R_transposed, j, width, p, q, min(depth, q + PACKED_ROWS), depth,
            panel[t * across * depth :],
        )  # fmt: skip


@twins
def dense(
    kind: Int, L: Row, L_transposed: Flag, R: Row, R_transposed: Flag, other: Row, code: Int,
    negative_slope: Real, n: Int, k: Int, m: Int, out: Row, Z: Row, scratch: Row, workers: Int,
    ):  # fmt: skip
    """A product L R, L (n, k) and R (k, m), with what a layer does to it, by kind:

    FORWARD            out = g(L R + b),          other = b (n,)
    FORWARD_KEEPING_Z  the same, and Z = L R + b
    BACKWARD           out = L R * g'(saved),     other = saved (n, m)
    GRADIENTS          out = L R / count and Z = the row sums of L / count; count is `negative_slope`, other
                       isn't used
    """
    height, across = rows(out), columns(out)
    down, strips = whole_strips(n, out) // height, (m + across - 1) // across
    by_tasks, depth, band, left_size, panel_size, share_size, _ = dense_plan(kind, n, k, m, R_transposed, out)
    start, memory = carve(scratch, down * height)
    left, memory = carve(memory, left_size)
    panel, memory = carve(memory, panel_size)
    sums, memory = carve(memory, 2 * n if kind == GRADIENTS else 0)
    clear(start)
    clear(sums)
    if kind in (FORWARD, FORWARD_KEEPING_Z):
        copy(other, start[:n])
    if by_tasks:
        pack(
            0, 1, kind, L, L_transposed, n, k, R, R_transposed, m, 0, k, 0, 0, left, panel, sums
        )  # fmt: skip
        width = even_parts(m, PANEL, across)
        wide = max(1, (m + width - 1) // width)
        tall = even_parts(n, max(FEWEST_ROWS, n * wide // TASKS), height)
        parts = (n + tall - 1) // tall
        tasks = parts * wide
        for w in prange(workers):
            packed = memory[w * share_size : (w + 1) * share_size]
            for task in range(w * tasks // workers, (w + 1) * tasks // workers):
                i, j = task % parts * tall, task // parts * width
                block(
                    kind, left, i, min(n, i + tall), START, k, k, R, R_transposed, panel, START, j,
                    min(width, m - j), start, other, code, negative_slope, m, out, Z, packed,
                )  # fmt: skip
        return
    most = max(1, LEFT_BYTES // (depth * height * out.itemsize))
    wanted = (BLOCKS + strips - 1) // max(1, strips)  # there is none if m is 0
    blocks = max((down + most - 1) // most, min(wanted, down // FEWEST_STRIPS), 1)
    for p in range(0, k, depth):
        now = min(depth, k - p)
        for t0 in range(0, strips, band):
            used = min(band, strips - t0)
            packed = ((n if t0 == 0 else 0) + used * across) * now
            shares = BLOCKS if packed >= PACK_IN_PARALLEL else 1
            for share in prange(shares):
                pack(
                    share, shares, kind, L, L_transposed, n, k, R, R_transposed, m, p, now, t0, used, left,
                    panel, sums,
                )  # fmt: skip
            parts = min(used, max((used + GROUP_STRIPS - 1) // GROUP_STRIPS, (BLOCKS + blocks - 1) // blocks))
            for task in prange(blocks * parts):
                b, c = task // parts, task % parts
                i, end = b * down // blocks * height, min(n, (b + 1) * down // blocks * height)
                t, last = c * used // parts, t0 + (c + 1) * used // parts
                j = (t0 + t) * across
                block(
                    kind, left, i, end, p, now, k, R, R_transposed, panel, t * across * now, j,
                    min(m, last * across) - j, start, other, code, negative_slope, m, out, Z, memory,
                )  # fmt: skip
    if kind == GRADIENTS:
        for i in range(n):
            Z[i] = total(sums, i) / out.dtype.type(negative_slope)
