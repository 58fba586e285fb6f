"""The gradients of a dense layer: dW = dZ A_prevᵀ / m, and db = the row sums of dZ / m.

The layer has n units and k inputs: dZ is (n, m), A_prev (k, m) for m examples. There are two ways, and
`as_product` chooses. A large dW, or one of few examples, is formed as a product
(`gradients_by_product`; read `product` next). Otherwise the examples are shared out among slots, each with
its own sums, which are merged in the end (`gradients_by_examples`; read `gradient_sums` next).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from dlkernels._compiler.options import FALSE, ONE, TRUE, ZERO, entry, loops, shared, twins
from dlkernels._compiler.pieces import Flag, Int, Number, Row, Table, piece
from dlkernels._kernels.gradient_sums import (
    MOST_PARTIAL_SUMS,
    Rows,
    add_gradient,
    gradient_workspace,
    units_across,
)
from dlkernels._kernels.memory import as_row, carve, whole_lines
from dlkernels._kernels.micro_kernel import KC
from dlkernels._kernels.packing import Matrix, pack_transposed
from dlkernels._kernels.product import (
    AVERAGE,
    FEWEST_PANELS,
    MC_BYTES,
    PACKED_IN_PARALLEL,
    Epilogue,
    Sizes,
    is_short,
    product_phases,
    product_plan,
    product_share,
    product_work,
    product_workspace,
    start_product,
    workspace_parts,
)
from dlkernels._kernels.rows import clear, copy, divide
from dlkernels._kernels.sharing import SLOTS, TASKS, even_parts, merge, share
from dlkernels._kernels.sums import add_row, merge_pairs, total
from dlkernels._simd.tile import lanes, mr, nr

#: Up to this much work, in estimated nanoseconds, gradients are never formed as a product.
NO_PRODUCT_BELOW = 35_000
#: dW is large if it has more numbers than _LARGE. Only a large dW, or one of fewer examples than
#: _FEW_EXAMPLES, is formed as a product. _LARGE also bounds the sums of all slots where nothing is packed.
_LARGE, _FEW_EXAMPLES = 2**18, 4096
#: Estimated nanoseconds of work that a task has at least.
_TASK = 50_000
#: The most units of a block, if units lie across vectors; rounded to whole micro-panels.
_UNITS = 272
#: The limit that `MC_BYTES` sets on the examples of a panel never falls below this. Each panel reads and
#: writes all of G once, so short panels cost too much.
SHORTEST = 240
#: Bytes of each row that dot products take in one go: few enough for the rows of a block to stay in the
#: second-level cache, and enough for adding up the lanes at the end to be cheap in comparison.
_LENGTH_BYTES = 4096
#: The fewest examples that are worth a slot, and the fewest inputs of a block: packing the units of the block
#: isn't worth it for fewer.
_FEWEST_SLOT_EXAMPLES, _FEWEST_BLOCK_INPUTS = 448, 96
#: The most inputs of a block if A_prev is in Fortran order, whose part of A_prev is transposed first. Also
#: the most inputs of a block of dot products.
_TRANSPOSED = 240


@shared
def as_product(n: int, k: int, m: int, like: np.ndarray) -> bool:
    """Whether dW (n, k) is formed as a product (`product`).

    Direct calls (`direct`) use one thread and never form a product, because a product only serves to give all
    threads tasks.
    """
    if product_work(n, k, m, like.itemsize) <= NO_PRODUCT_BELOW or (n * k <= _LARGE and m >= _FEW_EXAMPLES):
        return False
    panels = (k + nr(like) - 1) // nr(like)
    return n // mr(like) // FEWEST_PANELS * panels >= TASKS


@piece
def average_sums(slots: Int, sums: Row, count: Number, db: Row):
    """db = the sums of the rows of dZ / count, from the pairs of sums of all slots."""
    n = db.shape[0]
    merge_pairs(slots, n, sums)
    for i in range(n):
        db[i] = total(sums, i) / count


# -- as a product ----------------------------------------------------------------------------------------


@entry
def product_gradients_workspace(n, k, m, A_transposed, workers, like):
    """How many numbers of workspace `gradients_by_product` needs."""
    return product_workspace(n, m, k, not A_transposed, TRUE, workers, like)


@twins
def gradients_by_product(
    dZ: Table, A_prev: Table, A_transposed: Flag, dW: Table, db: Table, workspace: Row, workers: Int
):
    """dW (n, k) and db (n, 1), from dZ (n, m) and A_prev (k, m), or (m, k) if `A_transposed`.

    The product adds up the rows of dZ, for db, too.
    """
    (n, k), m = dW.shape, dZ.shape[1]
    left = Matrix(as_row(dZ), m, FALSE)
    right = Matrix(as_row(A_prev), A_prev.shape[1], not A_transposed)  # R is A_prevᵀ
    result = as_row(dW)
    sizes, epilogue = Sizes(n, m, k), Epilogue(AVERAGE, ZERO, 0.0, result, m, result, FALSE)
    start_product(sizes, left, right, result[:0], TRUE, workspace)
    plan = product_plan(n, m, k, FALSE, right.transposed, TRUE, workspace)
    for phase in range(product_phases(plan, n, m, k, workspace)):
        if is_short(plan, n, m, k, phase, workspace):
            product_share(ZERO, ONE, phase, sizes, left, right, result, epilogue, workspace)
        else:
            for worker in prange(workers):
                product_share(worker, workers, phase, sizes, left, right, result, epilogue, workspace)
    average_sums(ONE, workspace_parts(plan, workspace)[3], dW.dtype.type(m), as_row(db))


# -- by examples -----------------------------------------------------------------------------------------


class Layer(NamedTuple):
    """dZ (n, m) and A_prev (k, m), from which the gradients of a layer are formed."""

    dZ: Row
    A_prev: Matrix
    n: Int
    k: Int
    m: Int


class Plan(NamedTuple):
    """How the work is cut into tasks.

    All of it follows from shapes, dtype, memory order and vector width; never from the number of threads.

    A block of dW has `units` rows and `inputs` columns. The examples are cut into `panels` panels of `length`
    examples, which are shared out among `slots` slots. Of the workspace, `common` numbers hold the sums of
    all slots, and each worker needs `worker` numbers more.
    """

    units: Int
    inputs: Int
    length: Int
    panels: Int
    slots: Int
    worker: Int
    common: Int


@loops
def _plan(n, k, m, transposed, like):
    tasks = max(1, product_work(n, k, m, like.itemsize) // _TASK)
    across = units_across(n, k, m, like)
    if across:
        units = even_parts(n, _UNITS, nr(like))
        longest = min(KC, max(SHORTEST, MC_BYTES // (min(n, units) * like.itemsize)))
        tasks = min(tasks, TASKS)
        most = max(1, min(tasks, min(m // _FEWEST_SLOT_EXAMPLES, MOST_PARTIAL_SUMS // (n * k))))
        inputs = (k * most + tasks - 1) // tasks
        inputs = even_parts(
            k, max(_FEWEST_BLOCK_INPUTS, min(inputs, _TRANSPOSED) if transposed else inputs), mr(like)
        )
        length = even_parts((m + most - 1) // most, longest, lanes(like))
    else:
        units, inputs = even_parts(n, 120, 4), even_parts(k, _TRANSPOSED, 6)
        blocks = max(1, (n + units - 1) // units) * max(1, (k + inputs - 1) // inputs)
        # At the end of a panel the lanes of each tile are added up, so long panels are cheaper.
        tasks = min((TASKS + blocks - 1) // blocks, tasks)
        longest = _LENGTH_BYTES // like.itemsize
        length = even_parts(m, min(longest, max(256, (m + tasks - 1) // tasks)), lanes(like))
        most = min(SLOTS // blocks, _LARGE // max(1, n * k))
    panels = (m + length - 1) // length
    slots = max(1, min(most, panels))
    worker = gradient_workspace(across, min(n, units), length, like)
    worker += whole_lines((min(inputs, k) + mr(like)) * (length + 16)) if transposed else 0
    common = whole_lines(slots * n * 2) + (whole_lines(slots * n * k) if slots > 1 or across else 0)
    return Plan(units, inputs, length, panels, slots, worker, common)


@entry
def gradients_workspace(n, k, m, A_transposed, workers, like):
    """How many numbers of workspace `gradients_by_examples` needs."""
    plan = _plan(n, k, m, A_transposed, like)
    return plan.common + workers * plan.worker


@twins
def gradients_by_examples(
    dZ: Table, A_prev: Table, A_transposed: Flag, dW: Table, db: Table, workspace: Row, workers: Int
):
    """dW (n, k) and db (n, 1), from dZ (n, m) and A_prev (k, m), or (m, k) if `A_transposed`."""
    (n, k), m = dW.shape, dZ.shape[1]
    matrix = Matrix(as_row(A_prev), A_prev.shape[1], A_transposed)
    slopes, result = as_row(dZ), as_row(dW)
    plan, across = _plan(n, k, m, A_transposed, workspace), units_across(n, k, m, workspace)
    sums, rest = carve(workspace, plan.slots * n * 2)
    in_place = plan.slots == 1 and not across
    parts = result if in_place else rest[: plan.slots * n * k]
    clear(sums)
    for worker in prange(workers):
        add_share(worker, workers, Layer(slopes, matrix, n, k, m), parts, sums, workspace)
    merged = 0 if in_place else plan.slots
    count = dW.dtype.type(m)
    if plan.slots * n * k < PACKED_IN_PARALLEL:
        merge_into_dW(ZERO, ONE, merged, n * k, n, k, across, parts, count, result)
    else:
        for worker in prange(workers):
            merge_into_dW(worker, workers, merged, n * k, n, k, across, parts, count, result)
    average_sums(plan.slots, sums, count, as_row(db))


@piece
def add_share(worker: Int, workers: Int, layer: Layer, parts: Row, sums: Row, workspace: Row):
    """Do a worker's share of the tasks. A task is a block of dW, summed over the examples of one slot."""
    n, k, m, transposed = layer.n, layer.k, layer.m, layer.A_prev.transposed
    plan, turned = _plan(n, k, m, transposed, parts), units_across(n, k, m, parts)
    own = workspace[plan.common + worker * plan.worker : plan.common + (worker + 1) * plan.worker]
    # There is at least one block across, so that db is summed up even if there are no inputs. Without units
    # there are no tasks.
    down, across = (n + plan.units - 1) // plan.units, max(1, (k + plan.inputs - 1) // plan.inputs)
    task, last = share(worker, workers, plan.slots * down * across)
    while task < last:
        s, i, q = task // (down * across), task // across % down * plan.units, task % across * plan.inputs
        # If units are packed, a worker's neighbouring blocks of the same units and examples become one block,
        # so that the units are packed once.
        wide = min(across - task % across, last - task) if turned and not transposed else 1
        task += wide
        first, end = s * plan.panels // plan.slots, (s + 1) * plan.panels // plan.slots
        block = Block(
            i, min(n, i + plan.units), q, min(k, q + wide * plan.inputs), first * plan.length,
            min(m, end * plan.length), plan.length,
        )  # fmt: skip
        part, part_sums = parts[s * n * k : (s + 1) * n * k], sums[s * n * 2 : (s + 1) * n * 2]
        _add_block(layer, block, part, part_sums, own)


class Block(NamedTuple):
    """Units [i0, i1) and inputs [q0, q1) of the gradients, summed over the examples [first, last).

    The examples are taken in panels of `length`.
    """

    i0: Int
    i1: Int
    q0: Int
    q1: Int
    first: Int
    last: Int
    length: Int


@loops
def _add_block(layer, block, part, sums, workspace):
    """Add up a block of dZ A_prevᵀ in `part`. A block with input 0 also adds its rows of dZ to `sums`."""
    n, k, m, i0, q0, length = layer.n, layer.k, layer.m, block.i0, block.q0, block.length
    down, wide, transposed = block.i1 - i0, block.q1 - q0, layer.A_prev.transposed
    across = units_across(n, k, m, part)
    g_length = n if across else k
    target = part[q0 * n + i0 if across else i0 * k + q0 :]
    for row in range(wide if across else down):
        clear(target[row * g_length : row * g_length + (down if across else wide)])
    memory, tile = carve(workspace, gradient_workspace(across, down, length, part))
    # `add_gradient` may read up to MR - 1 rows before the first row of `tile`, so the rows begin further on.
    spare = mr(part) * (length + 16)
    for j in range(block.first, block.last, length):
        width = min(length, block.last - j)
        if transposed:
            pack_transposed(
                layer.A_prev.numbers, k, j, width, q0, wide, tile, spare, length + 16
            )  # fmt: skip
            inputs = Rows(tile, spare, length + 16, wide)
        else:
            inputs = Rows(layer.A_prev.numbers, q0 * m + j, m, wide)
        units = Rows(layer.dZ, i0 * m + j, m, down)
        add_gradient(units, inputs, width, target, g_length, across, memory)
        if q0 == 0:
            for i in range(i0, block.i1):
                add_row(layer.dZ[i * m + j : i * m + j + width], sums, i)


@piece
def merge_into_dW(
    worker: Int, workers: Int, slots: Int, size: Int, n: Int, k: Int, across: Flag, parts: Row,
    count: Number, dW: Row,
):  # fmt: skip
    """dW[i, q] = the sum over the slots of G[i, q] / count, for a worker's share of dW.

    The sums G of a slot are (n, k), or (k, n) if the units lie `across` vectors. Slots begin `size` numbers
    apart in `parts` and are merged into the first one. `slots` is 0 if the sums lie in dW already.
    """
    first, last = share(worker, workers, k) if across else (0, k)
    top, end = (0, n) if across else share(worker, workers, n)
    if across:
        merge(slots, size, parts, first * n, last * n)
        pack_transposed(parts, n, first, last - first, ZERO, n, dW, first, k)
    else:
        merge(slots, size, parts, top * k, end * k)
    for i in range(top, end):
        row = dW[i * k + first : i * k + last]
        if not across and slots > 0:
            copy(parts[i * k : (i + 1) * k], row)
        divide(row, count)
