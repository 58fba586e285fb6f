"""The gradients of a layer: dW = dZ A_prevᵀ / m, and db = the row sums of dZ / m.

n units (rows of dZ), k inputs (rows of A_prev), m examples, along which the rows of both run. Matrices are
flat and C-ordered; `transposed` says that A_prev in Fortran order came as its transpose.

Sums G over some examples are formed in one of two ways; `units_across` decides. Either units lie across
vectors: the rows of dZ are packed into columns, those of A_prev used as they lie, and G is (k, n). Or, for
few units or inputs, examples do, nothing is packed, and G is (n, k).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from dlkernels._compiler.options import ALONE, AS_IT_IS, START, entry, inlined_late, loops, shared, twins
from dlkernels._compiler.pieces import Flag, Int, Number, Row, piece
from dlkernels._kernels.activations import copy
from dlkernels._kernels.dense import (
    AT_ONCE,
    FEWEST_STRIPS,
    LEFT_BYTES,
    PACK_IN_PARALLEL,
    SLOTS,
    TASKS,
    divide,
    product_work,
)
from dlkernels._kernels.matmul import DEPTH, merge, write_block
from dlkernels._kernels.packing import pack_transposed
from dlkernels._kernels.room import carve, even_parts, lines
from dlkernels._kernels.sums import add_row, clear, merge_pairs, row_dot, total
from dlkernels._simd.moves import prefetch
from dlkernels._simd.tile import (
    columns,
    dot_add,
    dot_add_first,
    dot_columns,
    dot_rows,
    dot_store,
    dot_zeros,
    lanes,
    outer_add_rows,
    outer_prefetch,
    outer_vector,
    outer_zeros,
    rows,
)

#: Rows of A_prev that dot products use together, to stay in the second-level cache.
GROUP = 60
#: Units whose packed examples are used together, rounded to whole strips.
UNITS = 272
#: Fewest examples of a panel, where their number is limited by `LEFT_BYTES`: each panel is added to G once.
SHORTEST = 240
#: Bytes of a row of which dot products are formed in one go: short enough for the rows of a block to stay in
#: the second-level cache, long enough to make little of adding up the lanes.
LENGTH_BYTES = 4096
#: Estimated nanoseconds of work that a task has at least.
TASK = 50_000
#: Examples that a partial result is worth, and inputs that packing their units again is worth.
SLOT, INPUTS = 448, 96
#: Most inputs of a block whose part of A_prev in Fortran order is transposed first.
TURNED = 240
#: Numbers of all partial results.
PARTS = 2**20
#: With more numbers in dW than this, or fewer examples, its blocks are tasks, not parts of the examples.
LARGE, FEW_EXAMPLES = 2**18, 4096


@shared
def as_product(n: int, k: int, m: int, like: np.ndarray) -> bool:
    """Whether dW (n, k) is formed by `dense.dense`; otherwise the examples are shared out.

    Never for what is done at once on one thread (`dlkernels.dense`, `small`), where tasks don't count.
    """
    if product_work(n, k, m, like.itemsize) <= AT_ONCE or (n * k <= LARGE and m >= FEW_EXAMPLES):
        return False
    strips = (k + columns(like) - 1) // columns(like)
    return n // rows(like) // FEWEST_STRIPS * strips >= TASKS


@loops
def units_across(n, k, m, like):
    """Whether `add_gradient` has the units across vectors; G is (k, n) then."""
    # Few units of very many inputs make no product, and would take as much memory again for G as dW has.
    fits = (n >= FEWEST_STRIPS * rows(like)) | (n * k <= PARTS)
    return (n >= columns(like)) & (k >= rows(like)) & (m >= lanes(like)) & fits


@loops
def add_gradient_room(across, n, width, like):
    """Numbers of scratch memory of `add_gradient`."""
    if across:
        step = columns(like)
        return lines((n + step - 1) // step * step * width)
    return lines(dot_rows(like) * dot_columns(like))


@inlined_late
def _outer_block(sums, B, at, b_length, width, packed, first, G, corner, g_length, tall, wide, ask):
    """Adds the sums over c of B[at + r * b_length + c] * packed[first + c * columns + i] to a block of G.

    It begins at `corner`; r < tall and i < wide. Meanwhile asks for two rows of B, the first one at `ask`.
    """
    step = columns(G)
    outer_prefetch(sums, G, corner, g_length)
    for c in range(width):
        prefetch(B, ask + c)
        prefetch(B, ask + b_length + c)
        sums = outer_add_rows(sums, B, at + c, b_length, packed, first + c * step)
    write_block(sums, AS_IT_IS, G, corner, g_length, tall, wide)


@loops
def _add_outer(D, d0, d_length, n, B, b0, b_length, k, width, G, g_length, packed):
    """`add_gradient` with the units across vectors."""
    across, height = columns(G), rows(G)
    if n % lanes(G):
        # Lanes without a unit are computed, too: what was left in memory may be subnormal, which is slow.
        clear(packed[n // across * across * width : (n + across) // across * across * width])
    for t in range(0, n, across):
        pack_transposed(D[d0:], d_length, t, min(across, n - t), START, width, packed, t * width, across)
    tile = outer_zeros(G)
    narrow = outer_vector(tile)
    for q in range(0, k, height):
        # Rows that don't fill a strip are taken from the last one up, beyond the first of them.
        tall = min(height, k - q)
        row, up = (q, 1) if tall == height else (k - 1, -1)
        for t in range(0, n, across):
            corner, wide = row * g_length + t, min(across, n - t)
            # Of the next 8 rows, which lie apart, each block asks for 2.
            ask = b0 + (q + height + t // across * 2) * b_length
            if wide > across - lanes(G):
                _outer_block(
                    tile, B, b0 + row * b_length, up * b_length, width, packed, t * width, G,
                    corner, up * g_length, tall, wide, ask,
                )  # fmt: skip
                continue
            for i in range(0, wide, lanes(G)):
                _outer_block(
                    narrow, B, b0 + row * b_length, up * b_length, width, packed, t * width + i, G,
                    corner + i, up * g_length, tall, min(lanes(G), wide - i), ask,
                )  # fmt: skip


@loops
def _add_dots(D, d0, d_length, n, B, b0, b_length, k, width, G, g_length, sums):
    """`add_gradient` with the examples across vectors.

    Blocks of `dot_rows` by `dot_columns` sums stay in registers, and go to G by way of `sums`.
    """
    height, across, step = dot_rows(G), dot_columns(G), lanes(G)
    if n < height or k < across:
        for i in range(n):
            row = D[d0 + i * d_length : d0 + i * d_length + width]
            for q in range(k):
                G[i * g_length + q] += row_dot(row, B[b0 + q * b_length : b0 + q * b_length + width])
        return
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


@piece
def add_gradient(
    D: Row, d0: Int, d_length: Int, n: Int, B: Row, b0: Int, b_length: Int, k: Int, width: Int, G: Row,
    g_length: Int, across: Flag, memory: Row,
):  # fmt: skip
    """G[i, q] += sum over c of D[i, c] * B[q, c], for i < n, q < k and c < width.

    G[q, i] if units lie `across`. Row i of D begins at d0 + i * d_length, row q of B at b0 + q * b_length.
    `memory` has `add_gradient_room` numbers.
    """
    if across:
        _add_outer(D, d0, d_length, n, B, b0, b_length, k, width, G, g_length, memory)
    else:
        _add_dots(D, d0, d_length, n, B, b0, b_length, k, width, G, g_length, memory)


@piece
def finish(
    share: Int, shares: Int, slots: Int, size: Int, n: Int, k: Int, across: Flag, parts: Row,
    count: Number, dW: Row,
):  # fmt: skip
    """dW[i * k + q] = the sum over the slots of G[i, q], over count; one of several shares of it.

    Slots are `size` numbers apart and are merged into the first one. There are none if the sums lie in dW.
    """
    first, last = (share * k // shares, (share + 1) * k // shares) if across else (0, k)
    top, end = (0, n) if across else (share * n // shares, (share + 1) * n // shares)
    if across:
        merge(slots, size, parts, first * n, last * n)
        pack_transposed(parts, n, first, last - first, START, n, dW, first, k)
    else:
        merge(slots, size, parts, top * k, end * k)
    for i in range(top, end):
        row = dW[i * k + first : i * k + last]
        if not across and slots > 0:
            copy(parts[i * k : (i + 1) * k], row)
        divide(row, count)


@piece
def gradient_block(
    dZ: Row, i0: Int, i1: Int, A_prev: Row, transposed: Flag, q0: Int, q1: Int, n: Int, k: Int, m: Int,
    first: Int, last: Int, length: Int, part: Row, sums: Row, memory: Row, ):  # fmt: skip
    """Units [i0, i1), inputs [q0, q1) of sum dZ A_prevᵀ over the examples [first, last), in `part`.

    The task that has input 0 also adds up its rows of dZ. `memory` is that of a worker (`gradients_plan`).
    """
    down, wide = i1 - i0, q1 - q0
    across = units_across(n, k, m, part)
    g_length = n if across else k
    target = part[q0 * n + i0 if across else i0 * k + q0 :]
    for row in range(wide if across else down):
        clear(target[row * g_length : row * g_length + (down if across else wide)])
    block, tile = carve(memory, add_gradient_room(across, down, length, part))
    # Before the rows of a tile are some to spare, where a last strip that isn't full reads beyond the first.
    spare = rows(part) * (length + 16)
    for j in range(first, last, length):
        width = min(length, last - j)
        if transposed:
            pack_transposed(A_prev, k, j, width, q0, wide, tile, spare, length + 16)
        inputs, at, row_length = (tile, spare, length + 16) if transposed else (A_prev, q0 * m + j, m)
        add_gradient(
            dZ, i0 * m + j, m, down, inputs, at, row_length, wide, width, target, g_length, across, block
        )  # fmt: skip
        if q0 == 0:
            for i in range(i0, i1):
                add_row(dZ[i * m + j : i * m + j + width], sums, i)


@loops
def gradients_plan(n, k, m, transposed, like):
    """How `dense_gradients` is cut up: units and inputs of a block, length and number of panels, slots.

    Then the numbers of scratch memory of each worker, and the others.
    """
    tasks = max(1, product_work(n, k, m, like.itemsize) // TASK)
    across = units_across(n, k, m, like)
    if across:
        height = even_parts(n, UNITS, columns(like))
        longest = min(DEPTH, max(SHORTEST, LEFT_BYTES // (min(n, height) * like.itemsize)))
        tasks = min(tasks, TASKS)
        most = max(1, min(tasks, min(m // SLOT, PARTS // (n * k))))
        width = (k * most + tasks - 1) // tasks
        width = even_parts(k, max(INPUTS, min(width, TURNED) if transposed else width), rows(like))
        length = even_parts((m + most - 1) // most, longest, lanes(like))
    else:
        height, width = even_parts(n, 120, 4), even_parts(k, TURNED, 6)
        blocks = max(1, (n + height - 1) // height) * max(1, (k + width - 1) // width)
        # A tile ends with adding up its lanes, so panels are long.
        tasks = min((TASKS + blocks - 1) // blocks, tasks)
        longest = LENGTH_BYTES // like.itemsize
        length = even_parts(m, min(longest, max(256, (m + tasks - 1) // tasks)), lanes(like))
        most = min(SLOTS // blocks, LARGE // max(1, n * k))
    panels = (m + length - 1) // length
    slots = max(1, min(most, panels))
    share = add_gradient_room(across, min(n, height), length, like)
    share += lines((min(width, k) + rows(like)) * (length + 16)) if transposed else 0
    rest = lines(slots * n * 2) + (lines(slots * n * k) if slots > 1 or across else 0)
    return height, width, length, panels, slots, share, rest


@entry
def gradients_room(n, k, m, transposed, workers, like):
    """Numbers of scratch memory of `dense_gradients`."""
    _, _, _, _, _, share, rest = gradients_plan(n, k, m, transposed, like)
    return rest + workers * share


@twins
def dense_gradients(
    dZ: Row, A_prev: Row, transposed: Flag, n: Int, k: Int, m: Int, dW: Row, db: Row, scratch: Row,
    workers: Int, ):  # fmt: skip
    """dW = dZ A_prevᵀ / m (n, k) and db = the row sums of dZ / m (n,); dZ (n, m), A_prev (k, m)."""
    height, width, length, panels, slots, share_size, _ = gradients_plan(n, k, m, transposed, dW)
    # db is summed up even if there are no inputs; without units no example is looked at.
    down, across = (n + height - 1) // height, max(1, (k + width - 1) // width)
    blocks = down * across
    sums, memory = carve(scratch, slots * n * 2)
    shares, memory = carve(memory, workers * share_size)
    turned = units_across(n, k, m, dW)
    in_place = slots == 1 and not turned
    parts = dW if in_place else memory[: slots * n * k]
    clear(sums)
    tasks = slots * blocks
    for w in prange(workers):
        share = shares[w * share_size : (w + 1) * share_size]
        task, last = w * tasks // workers, (w + 1) * tasks // workers
        while task < last:
            s, i, q = task // blocks, task % blocks // across * height, task % across * width
            # Neighbouring blocks of the same units and examples are one where units are packed.
            wide = min(across - task % across, last - task) if turned and not transposed else 1
            task += wide
            gradient_block(
                dZ, i, min(n, i + height), A_prev, transposed, q, min(k, q + wide * width), n, k, m,
                s * panels // slots * length, min(m, (s + 1) * panels // slots * length), length,
                parts[s * n * k : (s + 1) * n * k], sums[s * n * 2 : (s + 1) * n * 2], share,
            )  # fmt: skip
    count, merged = dW.dtype.type(m), 0 if in_place else slots
    if slots * n * k < PACK_IN_PARALLEL:
        finish(START, ALONE, merged, n * k, n, k, turned, parts, count, dW)
    else:
        for w in prange(workers):
            finish(w, workers, merged, n * k, n, k, turned, parts, count, dW)
    merge_pairs(slots, n, sums)
    for i in range(n):
        db[i] = total(sums, i) / count
