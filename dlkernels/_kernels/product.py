"""Products of matrices, shared out among threads: L R for L (n, k) and R (k, m), followed by an epilogue.

Most products are done in a single phase: each block packs its own part of R, and reads L as it lies
(`unpacked`). If L has only a few rows, packing R would cost too much; then `start_product` packs L, and each
block reads R as it lies.

A product of two large matrices alternates between two phases. In a packing phase the workers pack up to KC
terms of L, and of as many columns of R as fit a share of the last-level cache. In the next phase they form
blocks of the result: a block multiplies some micro-panels of L, which stay in the second-level cache, with
some micro-panels of R. When a block has got its last terms, its epilogue follows at once, while the block is
in cache.

`dense_forward`, `dense_backward` and `dense_gradients` say what the matrices and the epilogue are. Each of
them has this loop:

    start_product(...)                          fill in where the sums start; pack L, if it has few rows
    for phase in range(product_phases(...)):    packing, blocks, packing, blocks, ...
        if is_short(...):                       a packing phase of few numbers
            product_share(0, 1, phase, ...)
        else:
            for worker in prange(workers):
                product_share(worker, workers, phase, ...)

The loops inside a block are in `micro_kernel`. (Arguments are grouped again inside `product_share`, because
Numba passes a named tuple to the workers of a parallel loop only if it holds no other named tuple.)
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
from dlkernels._kernels.unpacked import fill_start, multiply_unpacked, unpacked_workspace
from dlkernels._simd.tile import mr, nr

#: The kinds of epilogue of a block of sums: g(sums), sums * g'(z), sums / count (see `Epilogue`).
ACTIVATE, DIFFERENTIATE, AVERAGE = range(3)
#: How a product is done: both matrices are packed; R is read as it lies; L is read as it lies.
_PACKED, _R_IN_PLACE, _L_IN_PLACE = range(3)
#: A product whose matrices are both packed aims at about this many blocks.
BLOCKS = 32
#: Bytes of packed rows of L (BLIS: MC rows) that a block reads again for each micro-panel of R: half of a
#: 1 MB second-level cache.
MC_BYTES = 2**19
#: Bytes of packed columns of R (BLIS: NC columns) that all threads read: a share of the last-level cache.
NC_BYTES = 2**22
#: The fewest micro-panels of L that a block has, where R has few columns to make blocks of.
FEWEST_PANELS = 4
#: R is read as it lies for at most so many micro-panels of L. So (13, 100) x 300 in float32, with 3 of them,
#: takes 0.8 of the time that it takes with R packed; (30, 3000) x 300, with 5, takes 1.15 times as long on
#: two threads. (Measured with AVX2 only, as the next limits were.)
_FEW_PANELS = 3
#: The fewest rows of L that a block has, where L is read as it lies.
_FEWEST_UNPACKED_ROWS = 128
#: L is read as it lies if it has at most so many bytes; or eight times as many, if R has at most so many
#: columns. A transposed L may have half as many, whatever R has, because a tile uses only MR numbers of each
#: of its rows.
_UNPACKED_BYTES, _FEW_COLUMNS = 2**20, 256
#: The most micro-panels of R that a block packs then.
_UNPACKED_PANELS = 4
#: The most micro-panels whose columns one epilogue goes over.
_EPILOGUE_PANELS = 16
#: From this many numbers on, packing is shared out among threads.
PACKED_IN_PARALLEL = 2**14
#: R is packed in tasks of so many terms of so many micro-panels.
_PACKED_TERMS, _PACKED_PANELS = 64, 5


class Sizes(NamedTuple):
    """The sizes of a product: n rows of L, k terms of each sum, m columns of R."""

    n: Int
    k: Int
    m: Int


class Product(NamedTuple):
    """The matrices L (n, k) and R (k, m), and `sums` (n, m), in which their product is formed in C order."""

    n: Int
    k: Int
    m: Int
    left: Matrix
    right: Matrix
    sums: Row


class Epilogue(NamedTuple):
    """The last step of a product, from the sums to `result` (n, m); `kind` chooses:

    ACTIVATE       result = g(sums), for the activation's code and parameter
    DIFFERENTIATE  result = sums * g'(z), where `saved` (n, m) is A or Z
    AVERAGE        result = sums / count

    If `apart`, the result has memory of its own; otherwise it is the memory of the sums.
    """

    kind: Int
    code: Int
    parameter: Real
    saved: Row
    count: Int
    result: Row
    apart: Flag


class Plan(NamedTuple):
    """How a product is done, and how its workspace is divided.

    All of it follows from shapes, dtype, memory order and vector width; never from the number of threads.

    `way` is _PACKED, _R_IN_PLACE or _L_IN_PLACE. If both matrices are packed, it is `depth` terms of `band`
    micro-panels at a time. If L is read as it lies, a block has `band` micro-panels, and `depth` is k. The
    other fields are numbers of workspace: `start` for the values at which the sums start, `left` and `right`
    for packed L and R, `row_sums` for the sums of the rows of L, and `worker` for each worker.
    """

    way: Int
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

    The estimate is an integer, because it decides how gradients are formed, and thereby their last bits: a
    floating-point number might differ between machines.
    """
    return (n * m * (k + 15) + 15 * k * m) * itemsize // 200


@loops
def product_plan(n, k, m, L_transposed, R_transposed, sums_rows, like):
    """The plan of a product; `sums_rows` says whether it also adds up the rows of L."""
    height, across = mr(like), nr(like)
    down, panels = padded_rows(n, like), (m + across - 1) // across
    row_sums, length = 2 * n if sums_rows else ZERO, k if R_transposed else m
    few = down <= _FEW_PANELS * height and not sums_rows
    if few and (k == 0 or read_in_place(down // height, k, length, R_transposed, like.itemsize)):
        worker = whole_lines(panel_workspace(down // height, k, length, R_transposed, PANEL, like))
        return Plan(_R_IN_PLACE, k, ZERO, down, down * k, ZERO, ZERO, worker)
    if L_transposed:
        most = _UNPACKED_BYTES // 2
    else:
        most = _UNPACKED_BYTES if m > _FEW_COLUMNS else 8 * _UNPACKED_BYTES
    if n * k * like.itemsize <= most and n >= height:
        band = min(_UNPACKED_PANELS, max(1, panels // TASKS))
        worker = whole_lines(unpacked_workspace(k, band * across, L_transposed, like))
        return Plan(_L_IN_PLACE, k, band, down + height, ZERO, ZERO, row_sums, worker)
    depth = even_parts(k, KC, height)
    band = even_parts(panels, max(1, NC_BYTES // (depth * across * like.itemsize)), 1)
    return Plan(_PACKED, depth, band, down, down * depth, band * across * depth, row_sums, ZERO)


@loops
def product_workspace(n, k, m, R_transposed, sums_rows, workers, like):
    """How many numbers of workspace a product needs, whether L is transposed or not."""
    most = ZERO
    for L_transposed in (False, True):
        plan = product_plan(n, k, m, L_transposed, R_transposed, sums_rows, like)
        numbers = whole_lines(plan.start) + whole_lines(plan.left) + whole_lines(plan.right)
        most = max(most, numbers + whole_lines(plan.row_sums) + workers * plan.worker)
    return most


@inlined
def workspace_parts(plan, workspace):
    """The parts of a workspace, in the order of the plan; the last part is shared out among the workers."""
    start, rest = carve(workspace, plan.start)
    left, rest = carve(rest, plan.left)
    right, rest = carve(rest, plan.right)
    row_sums, rest = carve(rest, plan.row_sums)
    return start, left, right, row_sums, rest


@piece
def start_product(sizes: Sizes, left: Matrix, right: Matrix, bias: Row, sums_rows: Flag, workspace: Row):
    """Prepare the workspace: the sums start at the bias of their row, or at 0 if the bias is empty.

    If L has few rows, so that R is read as it lies, this also packs L.
    """
    n, k, m = sizes.n, sizes.k, sizes.m
    plan = product_plan(n, k, m, left.transposed, right.transposed, sums_rows, workspace)
    start, packed, _, row_sums, _ = workspace_parts(plan, workspace)
    clear(start)
    clear(row_sums)
    if plan.way == _L_IN_PLACE:
        fill_start(bias, start)
    else:
        copy(bias, start[: bias.shape[0]])
    if plan.way == _R_IN_PLACE:
        pack_left(n, left, ZERO, k, packed)


@loops
def product_phases(plan, n, k, m, like):
    """The number of phases: 1, or a packing phase and a phase of blocks for each step (`_step`).

    If L has no rows, the result is empty, and there are none: in a product of (0, 0) and (0, 2^55) a loop
    over the columns would take years.
    """
    if n == 0:
        return 0
    if plan.way != _PACKED:
        return 1
    panels = (m + nr(like) - 1) // nr(like)
    return 2 * ((k + plan.depth - 1) // plan.depth) * ((panels + plan.band - 1) // plan.band)


@loops
def _step(plan, k, m, phase, like):
    """The part of a product that a phase handles.

    Returns its first term, its number of terms, its first micro-panel of R, and its number of micro-panels.
    """
    panels = (m + nr(like) - 1) // nr(like)
    bands = (panels + plan.band - 1) // plan.band
    step = phase // 2
    p, t = step // bands * plan.depth, step % bands * plan.band
    return p, min(plan.depth, k - p), t, min(plan.band, panels - t)


@loops
def is_short(plan, n, k, m, phase, like):
    """Whether a phase packs so few numbers that one worker does it, without starting threads."""
    if plan.way != _PACKED or phase % 2 == 1:
        return False
    _, count, t, panels = _step(plan, k, m, phase, like)
    return ((n if t == 0 else 0) + panels * nr(like)) * count < PACKED_IN_PARALLEL


@piece
def product_share(
    worker: Int, workers: Int, phase: Int, sizes: Sizes, left: Matrix, right: Matrix, sums: Row,
    epilogue: Epilogue, workspace: Row,
):  # fmt: skip
    """Do a worker's share of a phase."""
    product = Product(sizes.n, sizes.k, sizes.m, left, right, sums)
    sums_rows = epilogue.kind == AVERAGE
    n, k, m = product.n, product.k, product.m
    plan = product_plan(n, k, m, left.transposed, right.transposed, sums_rows, product.sums)
    if plan.way == _L_IN_PLACE:
        _blocks_that_read_L(worker, workers, plan, product, epilogue, workspace)
    elif plan.way == _R_IN_PLACE:
        _blocks_that_read_R(worker, workers, plan, product, epilogue, workspace)
    elif phase % 2 == 0:
        _pack(worker, workers, phase, plan, product, workspace)
    else:
        _packed_blocks(worker, workers, phase, plan, product, epilogue, workspace)


@loops
def _pack(worker, workers, phase, plan, product, workspace):
    """Pack a worker's share of the terms and micro-panels of a phase.

    L is packed in the phases that begin with micro-panel 0 of R; the phases after them, with the same terms,
    use it again. The rows of L are added up meanwhile, if the plan has space for their sums.
    """
    p, count, t0, panels = _step(plan, product.k, product.m, phase, workspace)
    _, left, right, row_sums, _ = workspace_parts(plan, workspace)
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
    """Form a worker's share of the blocks, from the matrices that the phase before has packed."""
    p, count, t0, panels = _step(plan, product.k, product.m, phase, workspace)
    start, left, right, _, _ = workspace_parts(plan, workspace)
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
def _blocks_that_read_L(worker, workers, plan, product, epilogue, workspace):
    """Form a worker's share of the blocks; each block packs its part of R. Also add up the rows of L."""
    start, _, _, row_sums, rest = workspace_parts(plan, workspace)
    own = rest[worker * plan.worker : (worker + 1) * plan.worker]
    n, k, m, out, left = product.n, product.k, product.m, product.sums, product.left
    if row_sums.shape[0] > 0:
        first, last = share(worker, workers, n)
        for i in range(first, last):
            add_row(left.numbers[i * left.row_length : i * left.row_length + k], row_sums, i)
    width = plan.band * nr(out)
    across = (m + width - 1) // width
    tall = even_parts(n, max(_FEWEST_UNPACKED_ROWS, n * across // TASKS), mr(out))
    task, last = share(worker, workers, (n + tall - 1) // tall * across)
    while task < last:
        # A worker's neighbouring blocks of the same rows have one epilogue, because over rows of 16 numbers
        # its calls would take 20 ns each. So an epilogue's columns depend on the number of threads; its bits
        # don't, since an activation gives the same bits anywhere in a row.
        i, column = task // across * tall, task % across
        end = min(n, i + tall)
        end_column = column + min(last - task, across - column, _EPILOGUE_PANELS // plan.band)
        for j in range(column * width, end_column * width, width):
            target = Target(out, i * m + j, m, min(width, m - j), start, True)
            multiply_unpacked(left, k, i, end, product.right, j, target, own)
        _finish(epilogue, i, end, column * width, min(m, end_column * width) - column * width, product)
        task += end_column - column


@loops
def _blocks_that_read_R(worker, workers, plan, product, epilogue, workspace):
    """Form a worker's share of the blocks; each has all rows of L, which are few, and reads R as it lies."""
    start, left, _, _, rest = workspace_parts(plan, workspace)
    own = rest[worker * plan.worker : (worker + 1) * plan.worker]
    n, k, m, out = product.n, product.k, product.m, product.sums
    width, rows = even_parts(m, PANEL, nr(out)), Left(left, k, ZERO, ZERO, n)
    first, last = share(worker, workers, (m + width - 1) // width)
    for j in range(first * width, last * width, width):
        now = min(width, m - j)
        multiply_panel(rows, product.right, j, Target(out, j, m, now, start, True), own)
        _finish(epilogue, ZERO, n, j, now, product)


@loops
def _finish(epilogue, i0, i1, j, width, product):
    """Apply the epilogue to rows [i0, i1), columns [j, j + width)."""
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
