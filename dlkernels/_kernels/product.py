"""Large products, shared out among threads: L R for L (n, k) and R (k, m), and an epilogue on the result.

A product is done in steps. First both matrices are packed, KC terms at a time; of R as many columns as a
share of the last-level cache holds. Then blocks of the result are formed: a block is some micro-panels of L,
which stay in the second-level cache, with some micro-panels of R. The last terms of a block are followed by
its epilogue, while its numbers are in cache.

If few rows of L meet R, or each part of R is needed once only, there is nothing to win by packing all of R
before. Then only L is packed first, and each block packs its part of R, or reads R where it lies.

`dense_forward`, `dense_backward` and `dense_gradients` say what the matrices and the epilogue are:

    start_product(product, ...)                 say where the sums start; pack L, if R isn't packed
    for phase in range(product_phases(...)):    packing, blocks, packing, blocks, ...
        if is_short(...):                       packing of few numbers
            product_share(0, 1, phase, ...)
        else:
            for worker in prange(workers):
                product_share(worker, workers, phase, ...)

(Numba hands a group of arguments to the workers of a parallel loop only if it holds no other group.)
"""

from __future__ import annotations

from typing import NamedTuple

from dlkernels._compiler.options import ZERO, inlined, loops, shared
from dlkernels._compiler.pieces import Flag, Int, Real, Row, piece
from dlkernels._kernels.activations import Activation, activate, times_derivative
from dlkernels._kernels.memory import carve, whole_lines
from dlkernels._kernels.micro_kernel import (
    KC,
    PANEL,
    Left,
    Right,
    Target,
    multiply_micro_panel,
    multiply_panel,
    panel_workspace,
    read_in_place,
)
from dlkernels._kernels.packing import Matrix, pack_left, pack_left_panels, pack_right, padded_rows
from dlkernels._kernels.rows import clear, copy, divide
from dlkernels._kernels.sharing import TASKS, even_parts, share
from dlkernels._kernels.sums import add_row
from dlkernels._simd.tile import mr, nr

#: What an epilogue does to a block of sums: g(sums), sums * g'(saved), sums / count.
ACTIVATE, DIFFERENTIATE, AVERAGE = range(3)
#: A product whose matrices are packed aims at about this many blocks.
BLOCKS = 32
#: Bytes of packed rows of L that a block reads again for each micro-panel of R (MC of them, by BLIS): half of
#: a 1 MB second-level cache.
MC_BYTES = 2**19
#: Bytes of packed columns of R that all threads read (NC of them): a share of the last-level cache.
NC_BYTES = 2**22
#: Micro-panels of L that a block has at least, where there are few columns to make blocks of. And rows of L
#: where each block reads or packs R for itself.
FEWEST_PANELS, FEWEST_ROWS = 4, 64
#: From so many numbers on, packing is shared out.
PACKED_IN_PARALLEL = 2**18
#: What is packed at a time of R: so many terms of so many micro-panels.
_PACKED_TERMS, _PACKED_PANELS = 64, 5


class Sizes(NamedTuple):
    """Of a product: n rows of L, k terms, m columns of R."""

    n: Int
    k: Int
    m: Int


class Product(NamedTuple):
    """The matrices L (n, k) and R (k, m), and where their product is formed: `sums` (n, m), C order."""

    n: Int
    k: Int
    m: Int
    left: Matrix
    right: Matrix
    sums: Row


class Epilogue(NamedTuple):
    """What becomes of the sums, by `kind`, in `result` (n, m):

    ACTIVATE       result = g(sums), for the activation's code and parameter
    DIFFERENTIATE  result = sums * g'(z), found from `saved` (n, m)
    AVERAGE        result = sums / count

    The result is the memory of the sums, unless it is `apart`.
    """

    kind: Int
    code: Int
    parameter: Real
    saved: Row
    count: Int
    result: Row
    apart: Flag


class Plan(NamedTuple):
    """How a product is done, and how its workspace is divided; all of it follows from the shapes.

    `packed` says whether all of R is packed, `depth` terms of `band` micro-panels at a time. Then come the
    numbers of workspace: where the sums start, L, R, the sums of the rows of L, and what each worker needs.
    """

    packed: Flag
    depth: Int
    band: Int
    start: Int
    left: Int
    right: Int
    row_sums: Int
    worker: Int


@shared
def product_work(n: int, k: int, m: int, itemsize: int) -> int:
    """Estimated nanoseconds of a product and its epilogue, on one thread.

    In whole numbers. How gradients are formed is decided by it, and with that their last bits; a number with
    a fraction isn't the same on every machine.
    """
    return (n * m * (k + 15) + 15 * k * m) * itemsize // 200


@loops
def product_plan(n, k, m, R_transposed, sums_rows, like):
    """The plan of a product; `sums_rows` says whether the sums of the rows of L are wanted, too."""
    height, across = mr(like), nr(like)
    down, panels = padded_rows(n, like), (m + across - 1) // across
    length = k if R_transposed else m
    in_place = k == 0 or read_in_place(down // height, k, length, R_transposed, like.itemsize)
    # With one block of rows each panel of R is used once. The task that uses it packs it, and finds it in its
    # cache: (256, 784) x 10,000 in float32 takes 38.9 ms on an Intel Xeon, and 42.2 if all is packed before.
    used_once = m >= TASKS * PANEL and k <= 4 * KC and down * min(k, KC) * like.itemsize <= MC_BYTES
    if (in_place or used_once) and not sums_rows:
        worker = whole_lines(panel_workspace(down // height, k, length, R_transposed, PANEL, like))
        return Plan(False, k, ZERO, down, down * k, ZERO, ZERO, worker)
    depth = even_parts(k, KC, height)
    band = even_parts(panels, max(1, NC_BYTES // (depth * across * like.itemsize)), 1)
    row_sums = 2 * n if sums_rows else ZERO
    return Plan(True, depth, band, down, down * depth, band * across * depth, row_sums, ZERO)


@loops
def product_workspace(n, k, m, R_transposed, sums_rows, workers, like):
    """Numbers of workspace of a product."""
    plan = product_plan(n, k, m, R_transposed, sums_rows, like)
    numbers = whole_lines(plan.start) + whole_lines(plan.left) + whole_lines(plan.right)
    return numbers + whole_lines(plan.row_sums) + workers * plan.worker


@inlined
def divided(plan, workspace):
    """The parts of a workspace in the order of the plan; what the workers need comes last."""
    start, rest = carve(workspace, plan.start)
    left, rest = carve(rest, plan.left)
    right, rest = carve(rest, plan.right)
    row_sums, rest = carve(rest, plan.row_sums)
    return start, left, right, row_sums, rest


@piece
def start_product(sizes: Sizes, left: Matrix, right: Matrix, bias: Row, sums_rows: Flag, workspace: Row):
    """Says where the sums start: at the bias of their row, if there is one, else at 0. Packs L if R isn't."""
    n, k, m = sizes.n, sizes.k, sizes.m
    plan = product_plan(n, k, m, right.transposed, sums_rows, workspace)
    start, packed, _, row_sums, _ = divided(plan, workspace)
    clear(start)
    clear(row_sums)
    copy(bias, start[: bias.shape[0]])
    if not plan.packed:
        pack_left(n, left, ZERO, k, packed)


@loops
def product_phases(plan, k, m, like):
    """How many parallel loops a product is: one, or one for packing and one for the blocks, by turns."""
    if not plan.packed:
        return 1
    panels = (m + nr(like) - 1) // nr(like)
    return 2 * ((k + plan.depth - 1) // plan.depth) * ((panels + plan.band - 1) // plan.band)


@loops
def _step(plan, k, m, phase, like):
    """What a phase of a product is about: the first term and how many, the first micro-panel and how many."""
    panels = (m + nr(like) - 1) // nr(like)
    bands = (panels + plan.band - 1) // plan.band
    step = phase // 2
    p, t = step // bands * plan.depth, step % bands * plan.band
    return p, min(plan.depth, k - p), t, min(plan.band, panels - t)


@loops
def is_short(plan, n, k, m, phase, like):
    """Whether a phase packs so few numbers that one worker does it, and no threads are started for it."""
    if not plan.packed or phase % 2 == 1:
        return False
    _, count, t, panels = _step(plan, k, m, phase, like)
    return ((n if t == 0 else 0) + panels * nr(like)) * count < PACKED_IN_PARALLEL


@piece
def product_share(
    worker: Int, workers: Int, phase: Int, sizes: Sizes, left: Matrix, right: Matrix, sums: Row,
    epilogue: Epilogue, workspace: Row,
):  # fmt: skip
    """A worker's share of a phase."""
    product = Product(sizes.n, sizes.k, sizes.m, left, right, sums)
    sums_rows = epilogue.kind == AVERAGE
    plan = product_plan(product.n, product.k, product.m, product.right.transposed, sums_rows, product.sums)
    if not plan.packed:
        _blocks_that_read_R(worker, workers, plan, product, epilogue, workspace)
    elif phase % 2 == 0:
        _pack(worker, workers, phase, plan, product, workspace)
    else:
        _packed_blocks(worker, workers, phase, plan, product, epilogue, workspace)


@loops
def _pack(worker, workers, phase, plan, product, workspace):
    """Packs a share of the terms and micro-panels of a phase; of L unless that was done for the first ones.

    The sums of L's rows are added up on the way, if they are wanted.
    """
    p, count, t0, panels = _step(plan, product.k, product.m, phase, workspace)
    _, left, right, row_sums, _ = divided(plan, workspace)
    n, height, across = product.n, mr(left), nr(left)
    if t0 == 0:
        first, last = share(worker, workers, padded_rows(n, left) // height)
        pack_left_panels(first, last, n, product.left, p, count, left)
        if row_sums.shape[0] > 0:
            L, length = product.left.numbers, product.left.row_length
            for i in range(first * height, min(n, last * height)):
                add_row(L[i * length + p : i * length + p + count], row_sums, i)
    parts = (count + _PACKED_TERMS - 1) // _PACKED_TERMS
    first, last = share(worker, workers, (panels + _PACKED_PANELS - 1) // _PACKED_PANELS * parts)
    for part in range(first, last):
        t, q = part // parts * _PACKED_PANELS, part % parts * _PACKED_TERMS
        j = (t0 + t) * across
        width = min(min(_PACKED_PANELS, panels - t) * across, product.m - j)
        to = right[t * across * count :]
        pack_right(product.right, j, width, p, q, min(count, q + _PACKED_TERMS), count, to)


@loops
def _packed_blocks(worker, workers, phase, plan, product, epilogue, workspace):
    """Forms a share of the blocks from what was packed in the phase before."""
    p, count, t0, panels = _step(plan, product.k, product.m, phase, workspace)
    start, left, right, _, _ = divided(plan, workspace)
    n, k, m, out = product.n, product.k, product.m, product.sums
    height, across = mr(out), nr(out)
    down, all_panels = padded_rows(n, out) // height, (m + across - 1) // across
    most = max(1, MC_BYTES // (plan.depth * height * out.itemsize))
    wanted = (BLOCKS + all_panels - 1) // max(1, all_panels)
    blocks = max((down + most - 1) // most, min(wanted, down // FEWEST_PANELS), 1)
    parts = max((panels + _PACKED_PANELS - 1) // _PACKED_PANELS, (BLOCKS + blocks - 1) // blocks)
    parts = min(panels, parts)
    first, last = share(worker, workers, blocks * parts)
    for task in range(first, last):
        b, part = task // parts, task % parts
        i, end = b * down // blocks * height, min(n, (b + 1) * down // blocks * height)
        t, after = part * panels // parts, (part + 1) * panels // parts
        j, after_j = (t0 + t) * across, min(m, (t0 + after) * across)
        rows = Left(left, count, ZERO, i, end)
        for c in range(j, after_j, across):
            at = (c // across - t0) * across * count
            columns = Right(right, at, across, True, at + across * count)
            width = min(across, after_j - c)
            multiply_micro_panel(rows, columns, count, Target(out, i * m + c, m, width, start, p == 0))
        if p + count >= k:
            _finish(epilogue, i, end, j, after_j - j, product)


@loops
def _blocks_that_read_R(worker, workers, plan, product, epilogue, workspace):
    """Forms a share of the blocks, each from R itself or from what it packs of R."""
    start, left, _, _, rest = divided(plan, workspace)
    own = rest[worker * plan.worker : (worker + 1) * plan.worker]
    n, k, m, out = product.n, product.k, product.m, product.sums
    width = even_parts(m, PANEL, nr(out))
    wide = max(1, (m + width - 1) // width)
    tall = even_parts(n, max(FEWEST_ROWS, n * wide // TASKS), mr(out))
    parts = (n + tall - 1) // tall
    first, last = share(worker, workers, parts * wide)
    for task in range(first, last):
        i, j = task % parts * tall, task // parts * width
        end, now = min(n, i + tall), min(width, m - j)
        rows = Left(left, k, ZERO, i, end)
        multiply_panel(rows, product.right, j, Target(out, i * m + j, m, now, start, True), own)
        _finish(epilogue, i, end, j, now, product)


@loops
def _finish(epilogue, i0, i1, j, width, product):
    """The epilogue of rows [i0, i1), columns [j, j + width)."""
    for i in range(i0, i1):
        first = i * product.m + j
        result = epilogue.result[first : first + width]
        if epilogue.apart:
            copy(product.sums[first : first + width], result)
        if epilogue.kind == ACTIVATE:
            activate(Activation(epilogue.code, epilogue.parameter), result)
        elif epilogue.kind == DIFFERENTIATE:
            saved = epilogue.saved[first : first + width]
            times_derivative(Activation(epilogue.code, epilogue.parameter), saved, result)
        else:
            divide(result, epilogue.count)
